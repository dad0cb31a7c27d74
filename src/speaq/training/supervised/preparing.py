"""What precedes training: examples for validation, steps, and what a run says of itself."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from speaq.core.errors import DataError
from speaq.core.files import digest
from speaq.core.language import say
from speaq.core.seeds import generator
from speaq.training.loop import LoopSettings
from speaq.training.supervised.classifying import wanted_labels
from speaq.training.supervised.examples import (
    Dialogue,
    Example,
    Labelled,
    Parsed,
    Question,
    Related,
    Tagged,
)
from speaq.training.supervised.labels import require_examples
from speaq.training.supervised.settings import FineTuneSettings

HELD_OUT = 0.1
"""Share of the training examples that validates where no validation examples are given."""


@dataclass(frozen=True)
class Examples:
    """The examples of one task."""

    training: Sequence[Example]
    validation: Sequence[Example] = ()
    """Empty: a tenth of the training examples, chosen by the seed."""
    test: Sequence[Example] = ()
    outside: Sequence[Labelled] = ()
    """Texts of no class, for judging how well these are told from the others."""


def with_validation(examples: Examples, seed: int, notes: list[str]) -> Examples:
    """The examples with some held out for validation where none are given."""
    require_examples(examples.training, "training")
    if examples.validation:
        return examples
    count = len(examples.training)
    if count < 2:
        raise DataError(
            "one training example cannot be shared between training and validation.",
            "只有一个训练样本，无法再分出验证数据。",
        )
    held = max(1, round(count * HELD_OUT))
    order = generator(seed, "held out").permutation(count)
    out = set(order[:held].tolist())
    notes.append(
        say(
            f"No validation data: {held} of {count} training examples validate instead.",
            f"没有验证数据：{count} 个训练样本中的 {held} 个用于验证。",
        )
    )
    # A class that was held out altogether could not be learnt.
    kept = [each for n, each in enumerate(examples.training) if n not in out]
    shown = {label for each in kept for label in labels_in(each)}
    chosen = [examples.training[n] for n in sorted(out)]
    back = [each for each in chosen if not set(labels_in(each)) <= shown]
    validation = [each for each in chosen if set(labels_in(each)) <= shown]
    return replace(examples, training=[*kept, *back], validation=validation or back)


def labels_in(example: Example) -> tuple[str, ...]:
    """The classes of an example, or the tags of its words; none where it has neither."""
    if isinstance(example, Tagged):
        return example.tags
    return wanted_labels(example) if isinstance(example, Labelled | Related) else ()


def texts_of(example: Example) -> list[str]:
    """The texts of an example."""
    match example:
        case Labelled(text=text, second=second):
            return [text] if second is None else [text, second]
        case Tagged(words=words) | Parsed(words=words):
            return [" ".join(words)]
        case Question(question=question, context=context):
            return [question, context]
        case Related(text=text):
            return [text]
        case Dialogue(messages=messages):
            return [message.text for message in messages]


def stepped(loop: LoopSettings, settings: FineTuneSettings, examples: int) -> LoopSettings:
    """The loop with as many steps as the epochs need; warm-up takes a tenth of them at most."""
    if not settings.epochs:
        return loop
    steps = max(1, math.ceil(settings.epochs * math.ceil(examples / loop.batch_size)))
    return replace(loop, steps=steps, warmup=min(loop.warmup, steps // 10))


def resolved_settings(
    source: str | Path,
    tasks: Mapping[str, Examples],
    settings: FineTuneSettings,
    loop: LoopSettings,
    seed: int,
) -> dict[str, Any]:
    """What a run's folder says of how it came about."""
    data = {
        name or "data": digest(*(repr(each) for each in (*parts.training, *parts.validation)))
        for name, parts in tasks.items()
    }
    return {
        "source": str(source),
        "seed": seed,
        **data,
        "fine_tune": {**asdict(settings), "freeze": list(settings.freeze)},
        "loop": asdict(loop),
    }


def left_out(part: str, count: int, total: int, why: str) -> str:
    """The note that some examples were not used."""
    return say(
        f"{count} of {total} {part} examples are left out; the first: {why}",
        f"{total} 个 {part} 样本中有 {count} 个未使用；第一个的原因：{why}",
    )
