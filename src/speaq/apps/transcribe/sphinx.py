"""The classic chain as one engine: pocketsphinx, hidden Markov models and trigrams of words."""

from collections.abc import Iterator

import numpy as np

from speaq.apps.transcribe.audio import RATE, Samples
from speaq.apps.transcribe.extra import speech
from speaq.apps.transcribe.segments import Segment, Word

_FRAME = 0.01


class Sphinx:
    """pocketsphinx with the US-English model of its wheel."""

    name = "pocketsphinx-en-us"
    rate = RATE
    languages: tuple[str, ...] = ("en",)

    def __init__(self) -> None:
        kit = speech("pocketsphinx")
        self._decoder = kit.Decoder(samprate=self.rate, loglevel="FATAL")

    def segments(self, samples: Samples, language: str, prompt: str) -> Iterator[Segment]:
        """See `Engine`. Markers of silence and noise are no words."""
        decoder = self._decoder
        decoder.start_utt()
        loud = (samples.clip(-1, 1) * 32767).astype(np.int16)
        decoder.process_raw(loud.tobytes(), full_utt=True)
        decoder.end_utt()
        if decoder.hyp() is None:
            return
        words = tuple(
            Word(each.start_frame * _FRAME, (each.end_frame + 1) * _FRAME, _spelling(each.word))
            for each in decoder.seg()
            if not each.word.startswith(("<", "["))
        )
        if words:
            text = " ".join(word.text for word in words)
            yield Segment(words[0].start, words[-1].end, text, words)


def _spelling(word: str) -> str:
    """The second pronunciation of a word is written `word(2)`."""
    return word.partition("(")[0]
