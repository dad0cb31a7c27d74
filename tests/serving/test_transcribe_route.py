"""OpenAI's client transcribes through the server; the generic route takes base64."""

import base64
import io
from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest
import soundfile

from speaq.apps.forecast.application import Forecast
from speaq.apps.transcribe.application import Transcribe
from speaq.apps.transcribe.audio import RATE
from speaq.apps.transcribe.segments import Segment, Word
from speaq.apps.transcribe.voice import Span


class Listener:
    """Hears the same two words in whatever it is given."""

    name = "listener"
    rate = RATE
    languages: tuple[str, ...] = ("en", "zh")

    def segments(self, samples, language: str, prompt: str) -> Iterator[Segment]:
        words = (Word(0.0, 0.4, "good"), Word(0.5, 0.9, "morning"))
        yield Segment(0.0, 0.9, "good morning", words)


@pytest.fixture
def serving(serve_model, monkeypatch):
    whole = "speaq.apps.transcribe.application.spoken"
    monkeypatch.setattr(whole, lambda samples: [Span(0, len(samples))])
    return serve_model(None, applications=[Transcribe(Listener()), Forecast(None)])


def recording() -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros(RATE, "f4"), RATE, format="WAV")
    return stream.getvalue()


def test_openai_s_client_gets_text_subtitles_and_words(serving):
    client = serving.client().audio.transcriptions
    sent = ("早.wav", recording())
    plain = client.create(model="any", file=sent, language="en")
    assert plain.text == "good morning"
    subtitles = client.create(model="any", file=sent, response_format="srt")
    assert subtitles == "1\n00:00:00,000 --> 00:00:00,900\ngood morning\n"
    told = client.create(
        model="any",
        file=sent,
        response_format="verbose_json",
        timestamp_granularities=["word"],
    )
    assert (told.duration, told.segments[0].end) == (1.0, 0.9)
    assert [(word.word, word.start) for word in told.words] == [("good", 0.0), ("morning", 0.5)]


def test_a_transcript_is_in_the_store_and_can_be_judged(serving):
    with httpx.Client(base_url=serving.url, timeout=30) as web:
        said = web.post("/v1/audio/transcriptions", files={"file": ("a.wav", recording())})
        name = said.headers["x-speaq-id"]
        assert serving.store.get(name).prompt.startswith("a.wav (1.0 s")
        judged = {"id": name, "kind": "correction", "value": "good evening"}
        assert web.post("/v1/feedback", json=judged).json()["stored"]
        sound = base64.b64encode(recording()).decode()
        generic = web.post("/v1/transcribe", json={"audio": sound}).json()
        assert generic["text"] == "good morning"
        assert generic["details"]["segments"][0]["words"][1]["text"] == "morning"


def test_silence_is_an_answer_without_words(serve_model):
    """No word of it is in the store, where a reply without words would be no reply."""
    serving = serve_model(None, applications=[Transcribe(Listener())])
    sound = base64.b64encode(recording()).decode()
    with httpx.Client(base_url=serving.url, timeout=30) as web:
        said = web.post("/v1/transcribe", json={"audio": sound})
        assert (said.status_code, said.json()["text"]) == (200, "")
        assert web.post("/v1/feedback", json={"id": said.json()["id"], "value": True}).is_error
        sent = {"file": ("a.wav", recording())}
        assert web.post("/v1/audio/transcriptions", files=sent).json() == {"text": ""}
    assert serving.store.episodes(None) == []


@pytest.mark.parametrize(
    ("form", "file", "said"),
    [
        ({"response_format": "docx"}, recording(), "response_format"),
        ({}, b"no audio at all", "not audio"),
        ({}, None, "no file"),
        ({"language": "tlh"}, recording(), "does not understand"),
    ],
)
def test_what_cannot_be_transcribed_is_refused(serving, form, file, said):
    files = {"file": ("a.wav", file)} if file is not None else {"other": ("a", b"x")}
    with httpx.Client(base_url=serving.url, timeout=30) as web:
        refused = web.post("/v1/audio/transcriptions", data=form, files=files)
    assert refused.status_code == 400
    assert said in refused.json()["error"]["message"]


def test_openai_s_client_is_told_what_was_wrong(serving):
    with pytest.raises(openai.BadRequestError, match="not audio"):
        serving.client().audio.transcriptions.create(model="any", file=("a.wav", b"x" * 99))


def test_a_forecast_by_http(serving):
    table = "\n".join(["v", *(str(n % 7) for n in range(140))])
    asked = {"csv": table, "horizon": 7, "season": 7, "levels": [0.8]}
    with httpx.Client(base_url=serving.url, timeout=60) as web:
        said = web.post("/v1/forecast", json=asked).json()
        assert said["details"]["forecasts"][0]["mean"] == pytest.approx(list(range(7)), abs=0.01)
        assert serving.store.get(said["id"]).app == "forecast"
        series = {"series": {"a": [1, None, 2]}, "horizon": 7}
        refused = web.post("/v1/forecast", json=series)
        assert refused.status_code == 400
        assert "'a' has 3 values" in refused.json()["error"]["message"] or "lacks" in refused.text
