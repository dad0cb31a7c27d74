"""Audio in: a file or its bytes as one channel of samples at one rate."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.apps.transcribe.extra import speech
from speaq.core.errors import DataError

Samples = NDArray[np.float32]
"""(N,) one channel, in [-1, 1]."""

RATE = 16_000
"""Samples a second that engines hear, unless they say otherwise."""
LONGEST = 4 * 3600
"""Seconds of a recording."""
MOST_BYTES = 1 << 30


def read_audio(source: Path | str | bytes, rate: int = RATE, name: str = "") -> Samples:
    """The samples of a recording: channels averaged, resampled to `rate`.

    WAV, FLAC, OGG and MP3 are read by libsndfile, what it does not know (M4A, WebM) by FFmpeg's
    libraries inside PyAV. Resampling is soxr's best.

    Args:
        source: a file, or what is in one.
        rate: samples a second.
        name: of the file that bytes came from, for messages.

    Raises:
        DataError: no such file, not audio, no sound in it, or longer than `LONGEST`.
    """
    where = name or ("" if isinstance(source, bytes) else str(source))
    samples, found = _decoded(_content(source, where), where)
    if not len(samples):
        raise _refused("the recording holds no sound.", "录音中没有任何声音数据。", where)
    if len(samples) > LONGEST * found:
        hours = len(samples) / found / 3600
        raise _refused(
            f"the recording is {hours:.1f} hours long; at most {LONGEST // 3600} are taken.",
            f"录音长 {hours:.1f} 小时，最多 {LONGEST // 3600} 小时；请先切分。",
            where,
        )
    if not np.isfinite(samples).all():
        raise _refused(
            "the recording holds samples that are no numbers; it is damaged.",
            "录音中含有非数值的采样点，文件已损坏。",
            where,
        )
    return resampled(samples.mean(1, dtype=np.float32), rate, found)


def resampled(samples: Samples, rate: int, found: int = RATE) -> Samples:
    """Samples at another rate than the one they were found at."""
    if found != rate:
        samples = speech("soxr").resample(samples, found, rate, quality="VHQ")
    return np.ascontiguousarray(samples, dtype=np.float32)


def _content(source: Path | str | bytes, where: str) -> bytes:
    if not isinstance(source, bytes):
        path = Path(source)
        if not path.is_file():
            raise _refused("there is no such file.", "没有这个文件。", where)
        if path.stat().st_size > MOST_BYTES:
            raise _refused(
                f"the file is larger than {MOST_BYTES >> 20} MB; cut the recording.",
                f"文件超过 {MOST_BYTES >> 20} MB；请先切分录音。",
                where,
            )
        source = path.read_bytes()
    if not source:
        raise _refused("the file is empty.", "文件是空的。", where)
    return source


def _decoded(content: bytes, where: str) -> tuple[NDArray[np.float32], int]:
    """The samples (N, channels) of encoded audio, and how many there are a second."""
    soundfile = speech("soundfile")
    try:
        samples, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        return _by_ffmpeg(content, where)
    return samples, int(rate)


def _by_ffmpeg(content: bytes, where: str) -> tuple[NDArray[np.float32], int]:
    av = speech("av")
    pieces: list[NDArray[np.float32]] = []
    rate = 0
    try:
        with av.open(io.BytesIO(content)) as container:
            if not container.streams.audio:
                raise _refused("there is no sound in this file.", "该文件中没有音轨。", where)
            stream: Any = container.streams.audio[0]
            planar = av.AudioResampler(format="fltp", layout="mono")
            for frame in container.decode(stream):
                rate = frame.sample_rate
                pieces += [each.to_ndarray().T for each in planar.resample(frame)]
            pieces += [each.to_ndarray().T for each in planar.resample(None)] if rate else []
    except av.FFmpegError as error:
        raise _refused(
            "this is not audio that can be read (WAV, FLAC, MP3, M4A, OGG), or it is damaged.",
            "不是可读取的音频（WAV、FLAC、MP3、M4A、OGG），或文件已损坏。",
            where,
        ) from error
    return (np.concatenate(pieces) if pieces else np.zeros((0, 1), np.float32)), rate


def _refused(en: str, zh: str, where: str) -> DataError:
    return DataError(en, zh, file=where or None)
