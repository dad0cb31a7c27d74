"""Where somebody speaks: silence and noise never reach an engine, which would make words of them.

The detector is Silero's, whose weights are in the wheel of faster-whisper.
"""

from dataclasses import dataclass

from speaq.apps.transcribe.audio import RATE, Samples
from speaq.apps.transcribe.extra import speech


@dataclass(frozen=True)
class Span:
    """A stretch of samples at `RATE`, the end not included."""

    start: int
    end: int


SHORTEST = 100
"""Milliseconds of a voice."""
PAUSE = 500
"""Milliseconds of silence that part two spans."""
MARGIN = 200
"""Milliseconds before and after a voice that belong to its span."""


def spoken(samples: Samples, longest: float = 30.0) -> list[Span]:
    """The stretches in which somebody speaks, in order.

    Args:
        samples: at `RATE`.
        longest: seconds after which a stretch is cut at its best pause.
    """
    vad = speech("faster_whisper.vad")
    options = vad.VadOptions(
        min_speech_duration_ms=SHORTEST,
        max_speech_duration_s=longest,
        min_silence_duration_ms=PAUSE,
        speech_pad_ms=MARGIN,
    )
    found = vad.get_speech_timestamps(samples, options, sampling_rate=RATE)
    return [Span(int(each["start"]), int(each["end"])) for each in found]
