"""From what was drawn to what is read: sentences are cut or mended as soon as they are whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from speaq.apps.write.budgets import finished
from speaq.apps.write.cutting import Cutter
from speaq.apps.write.keywords import counts
from speaq.apps.write.mending import Change, mended


class Repairs(Protocol):
    """What repairs a sentence beyond the rules; see `repair_model.py`."""

    def repaired(self, sentence: str) -> str:
        """The sentence without mistakes; the same where it is not sure."""
        ...


@dataclass
class Finisher:
    """Takes a text in pieces; gives out whole sentences that stay as they are.

    Args:
        language: `en` or `zh`.
        keep: keywords that must stand in the text.
        model: repairs sentences that the rules are done with; None: rules alone.
    """

    language: str
    keep: Sequence[str] = ()
    model: Repairs | None = None
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._cutter = Cutter(self.keep)

    def add(self, piece: str) -> Iterator[str]:
        """What became certain."""
        for sentence in self._cutter.add(piece):
            yield self._mended(sentence)

    def end(self, ended: bool, *, close: bool = False) -> Iterator[str]:
        """The rest.

        Args:
            ended: whether the writer ended the text, rather than was cut off.
            close: put a mark behind a last sentence that lacks one.
        """
        given = [self._mended(sentence) for sentence in self._cutter.end(ended)]
        if close and given and not finished(given[-1]):
            bare = given[-1].rstrip(" ,，、;；:：—-")
            mark = "。" if self.language == "zh" else "."
            self.changes.append(Change("mark", given[-1][-1], f"{bare[-1:]}{mark}"))
            given[-1] = bare + mark
        yield from given

    def _mended(self, sentence: str) -> str:
        bare = sentence.strip()
        gap = sentence[: len(sentence) - len(sentence.lstrip())]
        found = mended(bare, self.language)
        changes, text = list(found.changes), found.text
        if self.model is not None:
            repaired = self.model.repaired(text)
            if repaired != text:
                changes.append(Change("model", text, repaired))
                text = repaired
        if not all(
            counts(self.keep, text)[word] >= n for word, n in counts(self.keep, bare).items()
        ):
            return sentence  # a keyword is more than a mistake in it
        self.changes += changes
        return gap + text

    def told(self) -> dict[str, Any]:
        """What was cut and changed, as JSON values."""
        return {
            "cuts": [cut.told() for cut in self._cutter.cuts],
            "repairs": [each._asdict() for each in self.changes],
        }


def polished(text: str, language: str, model: Repairs | None = None) -> tuple[str, dict[str, Any]]:
    """A whole text, cut and mended, and what was done to it."""
    finisher = Finisher(language, model=model)
    made = "".join([*finisher.add(text), *finisher.end(ended=True)])
    return made, finisher.told()
