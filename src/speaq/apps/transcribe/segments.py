"""What was said when: segments and words with times, and the subtitle formats SRT and WebVTT."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Word:
    """One word; in Chinese what the engine calls one."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    text: str
    probability: float | None = None
    """In the engine's opinion, where it has one."""


@dataclass(frozen=True)
class Segment:
    """A stretch of speech."""

    start: float
    end: float
    text: str
    words: tuple[Word, ...] = ()
    """Empty where the engine knows no times of words."""

    def record(self) -> dict[str, Any]:
        """As JSON values, times to the millisecond."""
        found = {"start": round(self.start, 3), "end": round(self.end, 3), "text": self.text}
        words = [
            {**asdict(word), "start": round(word.start, 3), "end": round(word.end, 3)}
            for word in self.words
        ]
        return {**found, "words": words} if words else found


def of_record(record: Mapping[str, Any]) -> Segment:
    """A segment from what `Segment.record` made of it."""
    words = tuple(Word(**word) for word in record.get("words", ()))
    return Segment(record["start"], record["end"], record["text"], words)


def srt(segments: Sequence[Segment]) -> str:
    """SubRip subtitles."""
    return "\n".join(
        f"{number}\n{_time(each.start, ',')} --> {_time(each.end, ',')}\n{_lines(each.text)}\n"
        for number, each in enumerate(segments, 1)
    )


def vtt(segments: Sequence[Segment]) -> str:
    """WebVTT subtitles. `&`, `<` and `>` have a meaning there and are written as entities."""
    cues = [
        f"{_time(each.start, '.')} --> {_time(each.end, '.')}\n{_escaped(_lines(each.text))}\n"
        for each in segments
    ]
    return "\n".join(["WEBVTT\n", *cues])


def _time(seconds: float, mark: str) -> str:
    whole = round(seconds * 1000)
    minutes, thousandths = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{thousandths // 1000:02}{mark}{thousandths % 1000:03}"


def _lines(text: str) -> str:
    """An empty line would end the cue."""
    return "\n".join(line for line in text.splitlines() if line.strip())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
