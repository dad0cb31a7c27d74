"""Translating while the source is still being said: when to read, and when to write.

What is written stays. A session is asked for what the model should translate next, a source so far
with a forced beginning, and hears what the model made of it; so one sentence can be followed as it
is typed, and a thousand can be simulated in batches.

Wait-k (Ma et al. 2019) writes a word for each it reads, k behind. Here the model is any, trained on
prefixes or not; where it has no further word yet, the session reads on and catches up. Local
agreement (Liu et al. 2020) writes what two translations of ever longer beginnings agree on.
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from speaq.apps.translate.live.latency import Instance
from speaq.apps.translate.texts.languages import UNSPACED
from speaq.apps.translate.translating import Direction
from speaq.core.settings import require
from speaq.text.segmentation import words as chinese_words

Policy = Literal["wait-k", "agreement"]
_STOPS = ".!?。！？…"


@dataclass(frozen=True)
class LiveSettings:
    """When to write.

    Raises:
        SettingsError: an unknown policy, or k below 1.
    """

    policy: Policy = "wait-k"
    k: int = 5
    """Words that are read before the first is written."""
    beam: int = 1
    """Of the translations of beginnings; the rest of a whole sentence is found with it as well."""

    def __post_init__(self) -> None:
        require(
            "live",
            self,
            {
                "policy": (self.policy in ("wait-k", "agreement"), "wait-k | agreement"),
                "k": (self.k >= 1, "≥ 1"),
                "beam": (1 <= self.beam <= 32, "1 to 32"),
            },
        )


@dataclass
class Session:
    """One sentence on its way."""

    settings: LiveSettings
    source: str
    """Language, a plain code."""
    target: str
    read: list[str] = field(default_factory=list)
    """Words of the source so far."""
    written: list[str] = field(default_factory=list)
    """Words of the translation; characters in languages without spaces."""
    guess: str = ""
    """The model's last translation of what was read, which may still change."""
    ended: bool = False
    _before: list[str] = field(default_factory=list)
    _heard: bool = True
    """Whether the model was asked since the last word was read."""

    def hear_word(self, word: str) -> None:
        """Read one word of the source."""
        self.read.append(word)
        self._heard = False

    def end(self) -> None:
        """The source is whole."""
        self.ended = True
        self._heard = False

    def wanted(self) -> tuple[str, str] | None:
        """A source and the forced beginning of its translation; None: read on, or all is done."""
        if self._heard or not self.read or not (self.ended or self._allowed() > len(self.written)):
            return None
        glue = "" if self.source in UNSPACED else " "
        return glue.join(self.read), self.text()

    def said(self, translation: str) -> list[str]:
        """Hear the model's translation of what was wanted; returns the words to write."""
        self._heard = True
        self.guess = translation
        words = units_of(translation, self.target)
        rest = words[len(self.written) :]
        new = rest if self.ended else self._agreed(_open(words, self.target))
        self._before = words
        self.written += new
        return new

    def text(self) -> str:
        """What is written so far."""
        return ("" if self.target in UNSPACED else " ").join(self.written)

    def _allowed(self) -> int:
        behind = len(self.read) - self.settings.k + 1
        if self.settings.policy == "agreement":
            return len(self.written) + 1 if behind > 0 else 0
        return max(0, behind)

    def _agreed(self, words: list[str]) -> list[str]:
        start = len(self.written)
        if self.settings.policy == "wait-k":
            return words[start : self._allowed()]
        same = 0
        for one, two in zip(words, self._before, strict=False):
            if one != two:
                break
            same += 1
        return words[start:same]


def _open(words: list[str], target: str) -> list[str]:
    """Words of a sentence that goes on: no full stop at the end."""
    if not words:
        return words
    last = words[-1].rstrip(_STOPS)
    return [*words[:-1], last] if last else words[:-1]


def units_of(text: str, language: str) -> list[str]:
    """What is read and written at a time: words, or characters where none are written apart."""
    if language in UNSPACED:
        return [letter for letter in text if not letter.isspace()]
    return text.split()


def source_units(text: str, language: str) -> list[str]:
    """Words of a source as they come: of Chinese those of a dictionary, with signs of their own."""
    if language not in UNSPACED:
        return text.split()
    found, done = [], 0
    for word in chinese_words(text):
        start = text.index(word, done)
        found += [sign for sign in text[done:start] if not sign.isspace()]
        found.append(word)
        done = start + len(word)
    return found + [sign for sign in text[done:] if not sign.isspace()]


def follow(
    direction: Direction, session: Session, words: Iterable[str]
) -> Iterator[tuple[str, ...]]:
    """Read words as they come; yield the words to write whenever there are some.

    The end of `words` is the end of the sentence.
    """
    for word in words:
        session.hear_word(word)
        yield from _written(direction, session)
    session.end()
    yield from _written(direction, session)


def _written(direction: Direction, session: Session) -> Iterator[tuple[str, ...]]:
    wanted = session.wanted()
    if wanted is not None:
        [best] = direction.best([wanted[0]], prefixes=[wanted[1]])
        new = session.said(best[0].text)
        if new:
            yield tuple(new)


@dataclass
class _Run:
    """A session that is simulated."""

    session: Session
    words: list[str]
    delays: list[float] = field(default_factory=list)
    elapsed: list[float] = field(default_factory=list)


def simulate(
    direction: Direction,
    sources: Sequence[str],
    references: Sequence[str],
    settings: LiveSettings,
    *,
    batch: int = 64,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Instance]:
    """What a policy writes of whole sentences, and when: all in step, the model in batches.

    `elapsed` counts the milliseconds since the first batch, so it means something only for one
    sentence at a time.
    """
    made: list[Instance] = []
    for start in range(0, len(sources), batch):
        runs = [
            _Run(
                Session(settings, direction.source, direction.target),
                source_units(text, direction.source),
            )
            for text in sources[start : start + batch]
        ]
        _play(direction, runs, clock)
        for number, run in enumerate(runs, start=start):
            made.append(
                Instance(
                    number,
                    tuple(run.words),
                    tuple(run.session.written),
                    tuple(run.delays),
                    references[number] if references else "",
                    tuple(run.elapsed),
                )
            )
    return made


def _play(direction: Direction, runs: Sequence[_Run], clock: Callable[[], float]) -> None:
    begun = clock()
    for step in range(max((len(run.words) for run in runs), default=0)):
        for run in runs:
            if step < len(run.words):
                run.session.hear_word(run.words[step])
            if step == len(run.words) - 1:
                run.session.end()
        asking = [(run, wanted) for run in runs if (wanted := run.session.wanted()) is not None]
        found = direction.best(
            [wanted[0] for _, wanted in asking], prefixes=[wanted[1] for _, wanted in asking]
        )
        for (run, _), [best] in zip(asking, found, strict=True):
            new = run.session.said(best.text)
            run.delays += [float(len(run.session.read))] * len(new)
            run.elapsed += [1000 * (clock() - begun)] * len(new)


def prefix_pairs(
    pairs: Sequence[tuple[str, str]], source: str, target: str, *, seed: int = 0
) -> list[tuple[str, str]]:
    """A beginning of every pair, for training a model that is to translate beginnings.

    Of a source cut behind a random word the translation is as much of the target as that is of the
    source (Niehues et al. 2018). A model that never saw half a sentence finishes it on its own.

    Args:
        pairs: whole sentences and their translations.
        source: plain code.
        target: plain code.
        seed: of the cuts.
    """
    draw = random.Random(seed)
    made = []
    for one, two in pairs:
        words, said = source_units(one, source), units_of(two, target)
        if len(words) < 2 or len(said) < 2:
            continue
        count = draw.randint(1, len(words) - 1)
        share = max(1, round(count * len(said) / len(words)))
        glue_one = "" if source in UNSPACED else " "
        glue_two = "" if target in UNSPACED else " "
        made.append((glue_one.join(words[:count]), glue_two.join(_open(said[:share], target))))
    return [pair for pair in made if pair[1]]
