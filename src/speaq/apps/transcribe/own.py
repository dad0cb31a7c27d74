"""The engine trained here: acoustic model, n-grams, beam."""

from collections.abc import Iterator
from pathlib import Path

import torch

from speaq.apps.transcribe.acoustic import MARGIN, STEP, open_acoustic
from speaq.apps.transcribe.audio import Samples
from speaq.apps.transcribe.beam import BeamSettings, Spelt, beam_search
from speaq.apps.transcribe.ngrams import open_ngrams
from speaq.apps.transcribe.segments import Segment, Word
from speaq.apps.transcribe.spelling import Spelling
from speaq.core.devices import threads

_WORD = 15
"""Rows that a word is taken to last where words are units, which say only where one begins."""


class Own:
    """A folder of `speaq transcribe train` as an engine.

    Args:
        folder: the model folder.
        beam: how texts are looked for.
    """

    languages: tuple[str, ...] = ()

    def __init__(self, folder: Path, beam: BeamSettings | None = None) -> None:
        torch.set_num_threads(threads())
        self.acoustic, self.facts = open_acoustic(folder)
        self.ngrams = open_ngrams(folder)
        self.beam = beam or BeamSettings()
        self.rate = self.acoustic.settings.rate
        place = folder.resolve()
        stem = place.parent.name if place.name == "model" else place.name
        self.name = f"{stem}@{self.facts['data'][:8]}"

    def segments(self, samples: Samples, language: str, prompt: str) -> Iterator[Segment]:
        """See `Engine`."""
        best = self.spelt(samples)
        if words := words_of(best, self.acoustic.spelling):
            text = self.acoustic.spelling.read(best.text).strip()
            yield Segment(words[0].start, words[-1].end, text, words)

    def spelt(self, samples: Samples) -> Spelt:
        """The best text, with the rows its letters begin in."""
        scores = self.acoustic.heard(torch.from_numpy(samples)).numpy()
        return beam_search(scores, self.acoustic.spelling.symbols, self.beam, self.ngrams)[0]


def words_of(spelt: Spelt, spelling: Spelling) -> tuple[Word, ...]:
    """The words of a text with times: from the first unit's row to a row after the last's."""
    if spelling.words:
        ends = [*spelt.rows[1:], spelt.rows[-1] + _WORD] if spelt.rows else []
        return tuple(
            Word(_time(row), _time(min(end, row + _WORD)), spelling.read(symbol))
            for symbol, row, end in zip(spelt.text, spelt.rows, ends, strict=True)
        )
    found = []
    place = 0
    for word in spelt.text.split():
        place = spelt.text.index(word, place)
        first, last = spelt.rows[place], spelt.rows[place + len(word) - 1]
        found.append(Word(_time(first), _time(last + 1), word))
        place += len(word)
    return tuple(found)


def _time(row: int) -> float:
    """Seconds from the beginning of what was heard."""
    return max(0.0, row * STEP - MARGIN)
