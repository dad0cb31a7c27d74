"""What does not belong into a text: looping, meaningless, doubled and unfinished sentences.

What is cut is decided sentence by sentence and never taken back, so that a text can be streamed:
each sentence is certain as soon as the next one begins. What must stand in the text (keywords) is
kept whatever it stands in. Every cut is logged with its reason.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from speaq.apps.write.budgets import finished
from speaq.apps.write.keywords import counts
from speaq.text.segmentation import is_chinese
from speaq.text.sentences import places
from speaq.text.units import HAN, units

Kind = Literal["loop", "meaningless", "duplicate", "unfinished"]
REASONS: dict[Kind, tuple[str, str]] = {
    "loop": ("the same words over and over", "同样的词语反复出现"),
    "meaningless": ("no words that mean anything", "没有意义的文字"),
    "duplicate": ("said before in the same words", "与前文重复"),
    "unfinished": ("the text ended inside of the sentence", "句子没有写完"),
}
_UNIT = re.compile(rf"[{HAN}]|[^\W_{HAN}]+(?:['’][^\W_{HAN}]+)*")
_LETTERS = re.compile(r"[^\W_]")
_WORD = re.compile(r"[A-Za-z]+")
_DANGLING = re.compile(
    r"(?:[,，、]|\b(?:the|a|an|and|or|but|of|to|in|on|at|for|with|from|by|as|that|which|"
    r"is|are|was|were|his|her|their|my|your|its|our))\s*\Z",
    re.IGNORECASE,
)
_RUN = re.compile(r"([^\w])\1+")
_CLAUSE = re.compile(r"[,，;；、](?=[^,，;；、]*\Z)")
_LONGEST_PERIOD = 12
_PHRASE = 8
"""Units of a phrase that is not said twice in a row on purpose."""
_SHORT = 4
"""Fewer units are said twice on purpose: yes, 好的."""
_NEAR = 0.8
"""Part of the three-unit runs two sentences share to be the same in other words."""


@dataclass(frozen=True)
class Cut:
    """What was taken out of a text, or closed, and why."""

    kind: Kind
    text: str

    def told(self) -> dict[str, str]:
        """The same as JSON values."""
        en, zh = REASONS[self.kind]
        return {"kind": self.kind, "text": self.text, "why": en, "why_zh": zh}


@dataclass
class Cutter:
    """Takes a text in pieces and gives out what is certain of it.

    Args:
        keep: keywords that must stand in the text.
    """

    keep: Sequence[str] = ()
    cuts: list[Cut] = field(default_factory=list)
    _waiting: str = ""
    _given: str = ""
    _gap: str = ""
    _seen: list[list[str]] = field(default_factory=list)

    def add(self, piece: str) -> list[str]:
        """Sentences that became certain, each with the space before it."""
        self._waiting += piece
        found = places(self._waiting)
        if len(found) < 2:
            return []
        given = self._all(found[:-1])
        self._waiting = self._waiting[found[-2][1] :]
        return given

    def end(self, ended: bool) -> list[str]:
        """What is left.

        Args:
            ended: whether the writer ended the text, rather than was cut off.
        """
        found = places(self._waiting)
        if not found:
            return []
        given = self._all(found[:-1])
        start, stop = found[-1]
        last = self._waiting[start:stop]
        open_ended = not finished(last) and (not ended or bool(_DANGLING.search(last)))
        gap = self._waiting[found[-2][1] if len(found) > 1 else 0 : start]
        self._waiting = ""
        said = self._closed(last) if open_ended else last
        return [*given, *self._one(gap, said)]

    def _all(self, found: Sequence[tuple[int, int]]) -> list[str]:
        given, before = [], 0
        for start, end in found:
            given += self._one(self._waiting[before:start], self._waiting[start:end])
            before = end
        return given

    def _one(self, gap: str, sentence: str) -> list[str]:
        """A sentence with its gap, or nothing where it is cut."""
        self._gap = max(self._gap, gap, key=lambda each: (each.count("\n"), len(each)))
        if not sentence:
            return []
        said = unlooped(sentence)
        if said != sentence:
            self.cuts.append(Cut("loop", sentence))
        kind = self._fault(said)
        if kind is not None and not self._needed(said):
            self.cuts.append(Cut(kind, said))
            return []
        self._seen.append(units(said))
        given = (self._gap if self._given else "") + said
        self._given += given
        self._gap = ""
        return [given]

    def _fault(self, sentence: str) -> Kind | None:
        if meaningless(sentence):
            return "meaningless"
        return "duplicate" if self._said(units(sentence)) else None

    def _said(self, these: list[str]) -> bool:
        if len(these) < _SHORT:
            return False
        return any(these == each or _alike(these, each) for each in self._seen)

    def _needed(self, sentence: str) -> bool:
        """Whether a keyword that was not given out yet stands in it."""
        given, here = counts(self.keep, self._given), counts(self.keep, sentence)
        return any(here[word] and not given[word] for word in self.keep)

    def _closed(self, sentence: str) -> str:
        """An unfinished sentence: cut if it may be, else brought to an end; empty if cut."""
        self.cuts.append(Cut("unfinished", sentence))
        if self._given.strip() and not self._needed(sentence):
            return ""
        clause = _CLAUSE.search(sentence)
        short = sentence[: clause.start()] if clause else sentence
        if clause is None or counts(self.keep, short) != counts(self.keep, sentence):
            short = sentence
        bare = short
        while (found := _DANGLING.search(bare)) and bare[: found.start()].strip():
            if counts(self.keep, bare[: found.start()]) != counts(self.keep, sentence):
                break
            bare = bare[: found.start()].rstrip()
        return bare.rstrip(" ,，、;；:：—-") + ("。" if is_chinese(bare) else ".")


def unlooped(sentence: str) -> str:
    """A sentence in which a phrase that is said over and over is said once.

    A single word counts from eight times on, two from four, more from three; a phrase of eight
    units from two.
    """
    while (loop := _loop(sentence)) is not None:
        sentence = sentence[: loop[0]] + sentence[loop[1] :]
    return sentence


def _loop(sentence: str) -> tuple[int, int] | None:
    """Where the repetitions of a phrase stand, the first time left out."""
    found = list(_UNIT.finditer(sentence))
    said = [each.group().lower() for each in found]
    for period in range(1, _LONGEST_PERIOD + 1):
        same = 0
        for place in range(period, len(said) + 1):
            if place < len(said) and said[place] == said[place - period]:
                same += 1
                continue
            times = same // period + 1
            if times > 1 and (same >= _wanted(period)):
                start = place - same
                stop = start + (times - 1) * period
                return found[start - 1].end(), found[stop - 1].end()
            same = 0
    return None


def _wanted(period: int) -> int:
    """Units said again that make a loop of a phrase of so many."""
    if period >= _PHRASE:
        return period
    return 7 if period == 1 else max(6, 2 * period)


def meaningless(sentence: str) -> bool:
    """Whether a sentence says nothing: damaged characters, few letters, endless words, words
    without vowels, hardly two words that differ."""
    if "\ufffd" in sentence:
        return True
    signs = _RUN.sub(r"\1", "".join(sentence.split()))
    if len(signs) >= 8 and len(_LETTERS.findall(sentence)) < 0.4 * len(signs):
        return True
    words = _WORD.findall(sentence)
    if any(len(word) > 40 for word in words):
        return True
    mute = [word for word in words if len(word) > 3 and not re.search("[aeiouyAEIOUY]", word)]
    if len(mute) >= 3 and len(mute) > 0.4 * len(words):
        return True
    said = units(sentence)
    return len(said) >= 16 and len(set(said)) < 0.25 * len(said)


def _alike(one: list[str], other: list[str]) -> bool:
    """Whether two sentences of some length are nearly the same."""
    if min(len(one), len(other)) < _PHRASE:
        return False
    ours, theirs = _runs(one), _runs(other)
    return len(ours & theirs) >= _NEAR * len(ours | theirs)


def _runs(said: list[str]) -> set[tuple[str, ...]]:
    return {tuple(said[n : n + 3]) for n in range(len(said) - 2)}
