"""How far a simultaneous translation lags behind, as SimulEval measures it, and its logs.

The numbers equal SimulEval 1.1.4's on the same log: delays are counted in source tokens, targets
in words or characters, a reference's length stands for the target's where there is one, and an
instance that said nothing is left out. One line of a log is one instance in JSON.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from speaq.core.errors import DataError
from speaq.core.files import write_text
from speaq.text.files.readers import open_text

Unit = Literal["word", "char"]


@dataclass(frozen=True)
class Instance:
    """One sentence, and what had been read when each piece of its translation was said."""

    index: int
    source: tuple[str, ...]
    """Words; characters where none are written apart."""
    prediction: tuple[str, ...]
    """Words or characters."""
    delays: tuple[float, ...]
    """For each of `prediction`: how many source tokens had been read."""
    reference: str = ""
    elapsed: tuple[float, ...] = ()
    """For each of `prediction`: milliseconds since the sentence began; SimulEval has zeros."""

    def reference_length(self, unit: Unit) -> int:
        """How many units the reference has; that of the prediction where there is none."""
        if not self.reference:
            return len(self.delays)
        if unit == "word":
            return len(self.reference.split(" "))
        return len(self.reference.strip())


@dataclass(frozen=True)
class Latency:
    """Means over the instances of a log."""

    al: float
    """Average Lagging (Ma et al. 2019), in source tokens."""
    laal: float
    """Length Adaptive Average Lagging (Papi et al. 2022)."""
    ap: float
    """Average Proportion (Cho and Esipova 2016)."""
    dal: float
    """Differentiable Average Lagging (Arivazhagan et al. 2019)."""


def latency(instances: Iterable[Instance], unit: Unit = "word") -> Latency:
    """The latency of a log.

    Raises:
        DataError: no instance said anything.
    """
    kept = [each for each in instances if each.delays]
    if not kept:
        raise DataError(
            "no sentence of the log has a translation, so there is no latency.",
            "日志中没有任何译文，无法计算延迟。",
        )
    return Latency(
        fmean(average_lagging(each, each.reference_length(unit)) for each in kept),
        fmean(
            average_lagging(each, max(len(each.delays), each.reference_length(unit)))
            for each in kept
        ),
        fmean(average_proportion(each, unit) for each in kept),
        fmean(differentiable_average_lagging(each) for each in kept),
    )


def average_lagging(instance: Instance, target_length: int) -> float:
    """AL of one instance: 1/τ · Σ_{i ≤ τ} d_i - (i - 1) · |x| / |y|, τ the first d_i ≥ |x|."""
    source_length = len(instance.source)
    if instance.delays[0] > source_length:
        return instance.delays[0]
    total, said = 0.0, 0
    for place, delay in enumerate(instance.delays):
        total += delay - place * source_length / target_length
        said = place + 1
        if delay >= source_length:
            break
    return total / said


def average_proportion(instance: Instance, unit: Unit) -> float:
    """AP of one instance: Σ d_i / (|x| · |y|)."""
    return sum(instance.delays) / (len(instance.source) * instance.reference_length(unit))


def differentiable_average_lagging(instance: Instance) -> float:
    """DAL of one instance: AL over all i, where a piece comes 1/γ after the one before or later."""
    step = len(instance.source) / len(instance.delays)
    total = before = 0.0
    for place, delay in enumerate(instance.delays):
        before = delay if place == 0 else max(delay, before + step)
        total += before - place * step
    return total / len(instance.delays)


def write_log(instances: Iterable[Instance], path: Path, unit: Unit = "word") -> None:
    """Write SimulEval's `instances.log`."""
    glue = " " if unit == "word" else ""
    lines = [
        json.dumps(
            {
                "index": each.index,
                "prediction": glue.join(each.prediction),
                "delays": list(each.delays),
                "elapsed": list(each.elapsed or [0] * len(each.delays)),
                "prediction_length": len(each.prediction),
                "reference": each.reference,
                "source": " ".join(each.source),
                "source_length": len(each.source),
            },
            ensure_ascii=False,
        )
        for each in instances
    ]
    write_text(path, "".join(f"{line}\n" for line in lines))


def read_log(path: Path, unit: Unit = "word") -> list[Instance]:
    """Read SimulEval's `instances.log` of text.

    Raises:
        DataError: no such file, a line that is no instance, or delays that do not fit its
            prediction.
    """
    path = Path(path)
    with open_text(path, "utf-8") as text:
        lines = text.read().splitlines()
    return [_instance(line, unit, path, row) for row, line in enumerate(lines, start=1) if line]


def _instance(line: str, unit: Unit, path: Path, row: int) -> Instance:
    try:
        held: dict[str, Any] = json.loads(line)
        source = held["source"]
        words: Sequence[str] = source if isinstance(source, list) else source.split(" ")
        prediction = held["prediction"]
        said = prediction.split() if unit == "word" else list(prediction.replace(" ", ""))
        made = Instance(
            int(held["index"]),
            tuple(words),
            tuple(said),
            tuple(map(float, held["delays"])),
            str(held.get("reference", "") or ""),
            tuple(map(float, held.get("elapsed", ()))),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            "expected an instance in JSON with index, source, prediction and delays.",
            "应为 JSON 格式的实例，含 index、source、prediction 和 delays。",
            file=path,
            row=row,
        ) from error
    if len(made.delays) != len(made.prediction) or len(words) != held.get(
        "source_length", len(words)
    ):
        raise DataError(
            f"{len(made.delays)} delays for {len(made.prediction)} {unit}s; expected one for each.",
            f"{len(made.prediction)} 个单位却有 {len(made.delays)} 个延迟；应当一一对应。",
            file=path,
            row=row,
            field="delays",
        )
    return made
