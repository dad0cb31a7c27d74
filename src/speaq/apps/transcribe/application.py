"""The application: a recording in, its words out with times; every transcript an episode."""

import base64
import binascii
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from speaq.apps.application import Answer, recorded
from speaq.apps.transcribe.audio import RATE, Samples, read_audio, resampled
from speaq.apps.transcribe.chinese import SCRIPTS, Script, written
from speaq.apps.transcribe.engines import Engine, open_engine
from speaq.apps.transcribe.segments import Segment, srt, vtt
from speaq.apps.transcribe.voice import Span, spoken
from speaq.core.errors import DataError, SettingsError
from speaq.core.files import digest
from speaq.core.settings import require
from speaq.experience.episode import Turn
from speaq.text.units import HAN

MOST_BASE64 = 32 << 20
"""Characters of a recording in a request: about 24 MB of audio, a quarter of an hour as WAV."""
_CHINESE = re.compile(rf"[{HAN}，。！？、；：]")


@dataclass(frozen=True)
class TranscribeRequest:
    """What is to be heard. Nobody but the command line and Python may name files, see `hear`.

    Raises:
        SettingsError: a field out of its range, or a recording that is too large.
    """

    audio: str = ""
    """The bytes of a WAV, FLAC, MP3, M4A or OGG file in base64."""
    name: str = "audio"
    """Of the recording, for the record."""
    language: str = ""
    """A code such as `en` or `zh`; empty: found out by engines that can."""
    prompt: str = ""
    """Words that are likely, for engines that can be told."""
    script: Script = "as heard"
    """For Chinese."""
    gate: bool = True
    """Give engines only the stretches in which somebody speaks."""
    format: Literal["text", "srt", "vtt"] = "text"
    """What the answer's text is."""

    def __post_init__(self) -> None:
        rules = {
            "script": (self.script in SCRIPTS, " | ".join(SCRIPTS)),
            "format": (self.format in ("text", "srt", "vtt"), "text | srt | vtt"),
        }
        require("transcribe", self, rules)
        if len(self.audio) > MOST_BASE64:
            raise SettingsError(
                f"the recording is larger than {MOST_BASE64 >> 20} MB in base64; cut it, or "
                "compress it as FLAC or OGG.",
                f"录音的 base64 超过 {MOST_BASE64 >> 20} MB；请切分，或压缩为 FLAC 或 OGG。",
            )

    def samples(self) -> Samples:
        """The recording, at `RATE`.

        Raises:
            DataError: not base64, or not audio.
        """
        try:
            content = base64.b64decode(self.audio, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError("expected base64.", "应为 base64 编码。", field="audio") from error
        return read_audio(content, name=self.name)


class Transcribe:
    """An engine as an application.

    Args:
        engine: what hears.
    """

    name = "transcribe"
    request = TranscribeRequest

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.model = engine.name

    @classmethod
    def open(cls, source: str) -> "Transcribe":
        """See `open_engine` for sources."""
        return cls(open_engine(source))

    def respond(self, request: TranscribeRequest, answer_id: str) -> Iterator[str | Answer]:
        """The text of each segment as it is heard, then the answer with all of them."""
        yield from self.hear(request.samples(), request, answer_id)

    def hear(
        self, samples: Samples, request: TranscribeRequest, answer_id: str
    ) -> Iterator[str | Answer]:
        """As `respond`, for samples at `RATE` that are at hand.

        Raises:
            SettingsError: the engine does not know the language.
        """
        self._require_language(request.language)
        begun = time.perf_counter()
        heard: list[Segment] = []
        for span in _spans(samples, request.gate):
            for each in self._in_span(samples, span, request):
                heard.append(each)
                if request.format == "text":
                    yield each.text if len(heard) == 1 else _joint(heard[-2].text, each.text)
        took = time.perf_counter() - begun
        yield self._answer(request, samples, heard, took, answer_id)

    def _in_span(
        self, samples: Samples, span: Span, request: TranscribeRequest
    ) -> Iterator[Segment]:
        stretch = resampled(samples[span.start : span.end], self.engine.rate)
        for each in self.engine.segments(stretch, request.language, request.prompt):
            yield _moved(each, span.start / RATE, request.script)

    def _require_language(self, language: str) -> None:
        known = self.engine.languages
        if language and known and language not in known:
            raise SettingsError(
                f"{self.model} does not understand '{language}'; it knows {', '.join(known)}.",
                f"{self.model} 不支持语言“{language}”；可用：{'、'.join(known)}。",
            )

    def _answer(
        self,
        request: TranscribeRequest,
        samples: Samples,
        heard: list[Segment],
        took: float,
        answer_id: str,
    ) -> Answer:
        seconds = len(samples) / RATE
        text = {"text": whole(heard), "srt": srt(heard), "vtt": vtt(heard)}[request.format]
        details: dict[str, Any] = {
            "duration": round(seconds, 3),
            "language": request.language,
            "segments": [each.record() for each in heard],
            "real_time_factor": round(took / seconds, 4),
        }
        mark = digest(np.ascontiguousarray(samples).tobytes())
        episode = recorded(
            app=self.name,
            model=self.model,
            # The recording itself is not kept: a voice says who somebody is.
            prompt=f"{request.name} ({seconds:.1f} s, {mark})",
            reply=Turn("action", text),
            answer_id=answer_id,
            tags={"language": request.language, "gate": str(request.gate)},
        )
        return Answer(episode, details)


def whole(segments: list[Segment]) -> str:
    """All that was said, without a space between Chinese characters."""
    text = ""
    for each in segments:
        text += _joint(text, each.text) if text else each.text
    return text


def _joint(before: str, after: str) -> str:
    chinese = _CHINESE.match(before[-1:]) and _CHINESE.match(after)
    return after if chinese else f" {after}"


def _spans(samples: Samples, gate: bool) -> list[Span]:
    if gate:
        return spoken(samples)
    most = 30 * RATE
    return [Span(start, min(start + most, len(samples))) for start in range(0, len(samples), most)]


def _moved(segment: Segment, seconds: float, script: Script) -> Segment:
    """A segment in the time of the whole recording, in the chosen script."""
    words = tuple(
        replace(
            word,
            start=word.start + seconds,
            end=word.end + seconds,
            text=written(word.text, script),
        )
        for word in segment.words
    )
    text = written(segment.text, script)
    return Segment(segment.start + seconds, segment.end + seconds, text, words)
