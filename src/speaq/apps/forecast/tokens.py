"""Numbers as words of a language model, so that everything that learns from logs learns here too.

A window is scaled by its own past, (x - last) / deviation, and each number becomes the nearest of
evenly spaced bins, one word a bin, as in Chronos (Ansari et al. 2024), which divides by the mean
size instead and so needs a series that stays around one level. A small causal model then foretells
word after word; its samples are paths, their quantiles the band.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.devices import device
from speaq.core.errors import DataError, ModelError
from speaq.core.files import digest
from speaq.core.runs import RunFolder
from speaq.core.seeds import derive
from speaq.core.settings import require
from speaq.environments.words import BEGIN, END, Words
from speaq.models.decoding import Decoding
from speaq.models.sampling import sample
from speaq.training.curves import plot_curves
from speaq.training.loop import LoopSettings, train

if TYPE_CHECKING:
    from speaq.models.language_model import LanguageModel

Values = NDArray[np.float64]


@dataclass(frozen=True)
class TokenSettings:
    """The words and the model."""

    look_back: int = 96
    """Values that are read."""
    bins: int = 128
    """Words for numbers."""
    limit: float = 6.0
    """Largest distance from the last value, in deviations of what is read; beyond it is cut."""
    layers: int = 2
    width: int = 64

    def __post_init__(self) -> None:
        rules = {
            "look_back": (self.look_back >= 2, "≥ 2"),
            "bins": (self.bins >= 3, "≥ 3"),
            "limit": (self.limit > 0, "> 0"),
            "layers": (self.layers >= 1, "≥ 1"),
            "width": (self.width >= 16 and self.width % 16 == 0, "a multiple of 16"),
        }
        require("tokens", self, rules)

    @property
    def centres(self) -> Values:
        """The number that each word stands for, in scaled units."""
        return np.linspace(-self.limit, self.limit, self.bins)

    @cached_property
    def words(self) -> Words:
        """The vocabulary: v0 is the lowest."""
        return Words(tuple(f"v{number}" for number in range(self.bins)))

    def places(self, scaled: Values) -> NDArray[np.int64]:
        """The nearest bin of each scaled number."""
        step = 2 * self.limit / (self.bins - 1)
        found = np.rint((scaled + self.limit) / step).astype(np.int64)
        return found.clip(0, self.bins - 1)


def scales(past: Values) -> tuple[Values, Values]:
    """Last value and deviation (..., 1) of pasts (..., L); of a constant past 1."""
    apart = past.std(-1, keepdims=True)
    return past[..., -1:], np.where(apart > 0, apart, 1.0)


def said(places: Sequence[int] | NDArray[np.int64]) -> str:
    """Bins as words."""
    return " ".join(f"v{place}" for place in places)


def prompt_of(past: Values, settings: TokenSettings) -> str:
    """What the model reads of a past (at least L)."""
    past = past[-settings.look_back :]
    last, apart = scales(past)
    return said(settings.places((past - last) / apart))


@dataclass
class Foretelling:
    """The task of the training loop: the next word, in windows of look-back and horizon."""

    model: "LanguageModel"
    series: Sequence[Values]
    settings: TokenSettings
    horizon: int
    _places: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        length = self.settings.look_back + self.horizon
        self._places = [
            (number, start)
            for number, values in enumerate(self.series)
            for start in range(len(values) - length + 1)
        ]
        if not self._places:
            longest = max(map(len, self.series))
            raise DataError(
                f"the longest series has {longest} values, and {length} are needed: look_back and "
                "horizon together. Give a longer series, or make one of them smaller.",
                f"最长的序列有 {longest} 个值，而至少需要 {length} 个"
                "（look_back 与 horizon 之和）；请给出更长的序列，或减小其中之一。",
            )

    def __len__(self) -> int:
        return len(self._places)

    def modules(self) -> Mapping[str, nn.Module]:
        """See `Task`."""
        return {"model": self.model.plain}

    def parameters(self) -> Mapping[str, Sequence[nn.Parameter]]:
        """See `Task`."""
        return {"trunk": list(self.model.plain.parameters())}

    def loss(
        self, indices: Sequence[int], weights: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Task`: nats for each foretold word."""
        rows = np.stack([self._row(index) for index in indices])
        tokens = torch.from_numpy(rows).to(self.model.output_table.device)
        begin = self.settings.look_back - 1
        logits = self.model.output_layer(self.model.hidden_states(tokens[:, :-1]))
        nats = nn.functional.cross_entropy(
            logits[:, begin:].flatten(0, 1), tokens[:, begin + 1 :].flatten()
        )
        return nats, {}

    def after_step(self, step: int) -> None:
        """Nothing follows the weights."""

    def _row(self, index: int) -> NDArray[np.int64]:
        number, start = self._places[index]
        read = self.settings.look_back
        window = self.series[number][start : start + read + self.horizon]
        last, apart = scales(window[:read])
        places = self.settings.places((window - last) / apart)
        return np.append(places, self.settings.words.ids[END])


def default_loop() -> LoopSettings:
    """What suits some ten thousand windows on a CPU."""
    return LoopSettings(
        steps=600,
        batch_size=32,
        lr=2e-3,
        weight_decay=1e-2,
        warmup=50,
        schedule="cosine",
        checkpoint_every=200,
        log_every=20,
    )


def train_tokens(
    series: Sequence[Values],
    horizon: int,
    folder: Path,
    settings: TokenSettings,
    loop: LoopSettings,
    seed: int = 0,
) -> "LanguageModel":
    """A language model of series; the same call on the same folder continues.

    The model goes to `model` in the folder; `speaq learn`, `evaluate` and `fold` take it as any
    other.

    Raises:
        SettingsError: the folder holds another run.
    """
    data = digest(*(np.ascontiguousarray(values).tobytes() for values in series))
    facts = {
        "data": data,
        "horizon": horizon,
        "tokens": asdict(settings),
        "loop": asdict(loop),
        "seed": seed,
    }
    run = RunFolder(folder, facts)
    room = settings.look_back + horizon + 2
    model = settings.words.model(
        "forecast", seed, layers=settings.layers, width=settings.width, context=room
    ).to(device())
    task = Foretelling(model, series, settings, horizon)
    model.plain.train()
    train(task, len(task), loop, run, seed)
    model.plain.eval()
    plot_curves(run)
    model.facts["forecast"] = {"horizon": horizon, **asdict(settings)}
    model.save(run.path / "model")
    return model


def paths(
    model: "LanguageModel",
    pasts: Values,
    samples: int,
    *,
    seed: int,
    beta: float = 0.0,
    temperature: float = 1.0,
) -> Values:
    """Sampled futures (n, samples, horizon) of pasts (n, at least look-back).

    Args:
        model: of `train_tokens`, or what was learnt from it or folded.
        pasts: one a row.
        samples: of each.
        seed: of the draws.
        beta: of its value head.
        temperature: 0 takes the likeliest word always.
    """
    settings, horizon = settings_of(model)
    read = pasts[:, pasts.shape[1] - settings.look_back :]
    last, apart = scales(read)
    prompts = [model.encode_prompt(prompt_of(past, settings)) for past in read]
    decoding = Decoding(temperature=temperature, max_new_tokens=horizon)
    drawn = sample(model, prompts, samples, decoding, seed=derive(seed, "paths"), beta=beta)
    scaled = np.stack([futures(each.token_ids, settings, horizon) for each in drawn])
    return scaled.reshape(len(pasts), samples, horizon) * apart[:, None] + last[:, None]


def futures(tokens: Sequence[int], settings: TokenSettings, horizon: int) -> Values:
    """The scaled numbers (horizon,) of a reply; a reply that ends early stays where it was."""
    marks = (settings.words.ids[END], settings.words.ids[BEGIN])
    numbers = [settings.centres[token] for token in tokens if token not in marks]
    last = numbers[-1] if numbers else 0.0
    return np.array([*numbers, *[last] * (horizon - len(numbers))])[:horizon]


def settings_of(model: "LanguageModel") -> tuple[TokenSettings, int]:
    """The words and the horizon of a model.

    Raises:
        ModelError: it was not trained on series.
    """
    facts: dict[str, Any] = dict(model.facts.get("forecast", {}))
    if not facts:
        raise ModelError(
            f"{model.name} was not trained on series; train one with speaq forecast tokens.",
            f"{model.name} 不是用序列训练的；请用 speaq forecast tokens 训练。",
        )
    horizon = int(facts.pop("horizon"))
    return TokenSettings(**facts), horizon
