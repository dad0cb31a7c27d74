"""What finds entities in a text: a fine-tuned tagger, a conditional random field, or rules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray

from speaq.apps.understand.results import Entity
from speaq.apps.understand.units import sentences_of
from speaq.core.errors import ModelError
from speaq.core.files import replacing_file
from speaq.text.segmentation import Place
from speaq.text.tagging import stretches
from speaq.training.floors.extra import classic
from speaq.training.floors.tags import Field, features
from speaq.training.supervised.batches import by_length, collate
from speaq.training.supervised.examples import Tagged
from speaq.training.supervised.files import pieces
from speaq.training.supervised.labels import OUTSIDE
from speaq.training.supervised.result import Tuned
from speaq.training.supervised.tagging import Tagging, TagHead

_ROWS = 64


class Finder(Protocol):
    """A finder of entities."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The kinds of entity."""

    def entities(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """The entities of each text, in order, none overlapping another."""


class _Piece(NamedTuple):
    """A stretch of a text that is tagged at once."""

    text: int
    places: tuple[Place, ...]
    words: tuple[str, ...]


def _pieces(texts: Sequence[str], longest: int) -> Iterator[_Piece]:
    """Sentences of the texts, those of more than `longest` words cut."""
    for number, text in enumerate(texts):
        for start, end in sentences_of(text):
            places = [(start + a, start + b) for a, b in pieces(text[start:end])]
            for at in range(0, len(places), longest):
                some = tuple(places[at : at + longest])
                yield _Piece(number, some, tuple(text[a:b] for a, b in some))


def _gathered(
    texts: Sequence[str],
    read: Sequence[_Piece],
    tags: Sequence[Sequence[str]],
    sure: Sequence[NDArray[np.float64]],
) -> list[tuple[Entity, ...]]:
    found: list[list[Entity]] = [[] for _ in texts]
    for piece, named, scores in zip(read, tags, sure, strict=True):
        for each in stretches(named):
            start, end = piece.places[each.start][0], piece.places[each.end - 1][1]
            score = float(scores[each.start : each.end].mean())
            words = texts[piece.text][start:end]
            found[piece.text].append(Entity(words, start, end, each.label, score))
    return [tuple(each) for each in found]


@dataclass(frozen=True)
class NeuralFinder:
    """A fine-tuned tagger. A score is the mean over the words of their tag's probability."""

    tuned: Tuned
    task: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Finder`."""
        names = self.tuned.skills[self.task].kind.labels
        return tuple(dict.fromkeys(tag.partition("-")[2] for tag in names if tag != OUTSIDE))

    def entities(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """See `Finder`."""
        skill = self.tuned.skills[self.task]
        kind = cast(Tagging, skill.kind)
        limit = min(kind.max_tokens or self.tuned.trunk.limit, self.tuned.trunk.limit)
        read = list(_pieces(texts, max(8, limit // 3)))
        if not read:
            return [() for _ in texts]
        examples = [Tagged(each.words, (OUTSIDE,) * len(each.words)) for each in read]
        rows, _ = kind.rows(self.tuned.trunk, examples)
        tags, sure = self._tagged(kind, cast(TagHead, skill.head), rows)
        for n, each in enumerate(read):
            short = len(each.words) - len(tags[n])
            tags[n] = (tags[n] + [OUTSIDE] * short)[: len(each.words)]
        return _gathered(texts, read, tags, sure)

    @torch.no_grad()
    def _tagged(
        self, kind: Tagging, head: TagHead, rows: Sequence[Any]
    ) -> tuple[list[list[str]], list[NDArray[np.float64]]]:
        trunk = self.tuned.trunk
        trunk.model.eval()
        head.eval()
        tags: list[list[str]] = [[] for _ in rows]
        sure: list[NDArray[np.float64]] = [np.zeros(0) for _ in rows]
        for chosen in by_length([len(row.tokens) for row in rows], _ROWS):
            batch = collate([rows[n] for n in chosen], trunk.padding, trunk.device)
            logits = head(trunk.hidden(batch).float(), batch).float()
            probable = torch.softmax(logits, -1).cpu().double().numpy()
            best = head.chain.best(logits, batch.place_mask)
            for row, (n, path) in enumerate(zip(chosen, best, strict=True)):
                tags[n] = [kind.labels[tag] for tag in path]
                sure[n] = probable[row, np.arange(len(path)), path]
        return tags, sure


@dataclass(frozen=True)
class FieldFinder:
    """A conditional random field. A score is the mean of the tags' marginal probabilities."""

    field: Field

    @property
    def labels(self) -> tuple[str, ...]:
        """See `Finder`."""
        tagger = self._tagger()
        names = sorted({tag.partition("-")[2] for tag in tagger.labels()} - {""})
        tagger.close()
        return tuple(names)

    def _tagger(self) -> Any:
        tagger = classic("pycrfsuite").Tagger()
        tagger.open_inmemory(self.field.model)
        return tagger

    def entities(self, texts: Sequence[str]) -> list[tuple[Entity, ...]]:
        """See `Finder`."""
        read = list(_pieces(texts, 256))
        tagger = self._tagger()
        tags, sure = [], []
        for each in read:
            named = tagger.tag(features(each.words))
            tags.append(named)
            # Marginals of words outside of all spans are of no use, and cost time.
            sure.append(
                np.array(
                    [
                        tagger.marginal(tag, n) if tag != OUTSIDE else 1.0
                        for n, tag in enumerate(named)
                    ]
                )
            )
        tagger.close()
        return _gathered(texts, read, tags, sure)


def save_field(field: Field, file: Path) -> None:
    """Write a field into a file of CRFsuite's own format, all or nothing."""
    with replacing_file(file) as temporary:
        temporary.write_bytes(field.model)


def open_field(file: Path) -> FieldFinder:
    """Open what `save_field`, or CRFsuite, wrote.

    Raises:
        ModelError: not such a file.
    """
    held = file.read_bytes()
    if held[:4] != b"lCRF":
        raise ModelError(f"{file} is no model of CRFsuite.", f"{file} 不是 CRFsuite 的模型文件。")
    return FieldFinder(Field(held))
