"""Applications behind HTTP: one queue, one store, answers kept before they are given."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from speaq.apps.application import Answer, answered, named_source, new_id, recorded
from speaq.core.errors import DataError, SettingsError
from speaq.experience.episode import Turn
from speaq.experience.store import ExperienceStore
from speaq.serving.app import application
from speaq.serving.settings import ServingSettings


@dataclass(frozen=True)
class Shouting:
    text: str
    times: int = 1

    def __post_init__(self):
        if self.times < 1:
            raise DataError("expected at least 1.", "至少为 1。", field="times")


class Shout:
    """Says in capitals what it hears, a word at a time."""

    name = "shout"
    model = "capitals"
    request = Shouting

    @classmethod
    def open(cls, source: str) -> "Shout":
        return cls()

    def respond(self, request: Shouting, answer_id: str) -> Iterator[str | Answer]:
        if request.text == "burst":
            raise ZeroDivisionError("secret")
        words = request.text.upper().split() * request.times
        yield from words
        reply = Turn("action", " ".join(words))
        episode = recorded(
            app=self.name,
            model=self.model,
            prompt=request.text,
            reply=reply,
            answer_id=answer_id,
            tags={},
        )
        yield Answer(episode, {"words": len(words)})


@pytest.fixture
def shouting(serve_model, tiny):
    return serve_model(tiny, applications=[Shout()])


@pytest.fixture
def web(shouting):
    with httpx.Client(base_url=shouting.url, timeout=30) as client:
        yield client


def test_an_answer_is_in_the_store_under_its_id(web, shouting):
    said = web.post("/v1/shout", json={"text": "good morning", "times": 2, "user": "p1"}).json()
    assert said["text"] == "GOOD MORNING GOOD MORNING"
    assert said["details"] == {"words": 4}
    kept = shouting.store.get(said["id"])
    assert (kept.app, kept.prompt, kept.reply, kept.subject) == (
        "shout",
        "good morning",
        said["text"],
        "p1",
    )


def test_a_stream_gives_the_pieces_and_then_the_whole(web, shouting):
    lines = web.post("/v1/shout", json={"text": "one two", "stream": True}).text.split("\n\n")
    events = [line.removeprefix("data: ") for line in lines if line]
    assert [json.loads(each).get("text") for each in events[:-1]] == ["ONE", "TWO", "ONE TWO"]
    assert events[-1] == "[DONE]"
    assert shouting.store.get(json.loads(events[-2])["id"]).reply == "ONE TWO"


def test_feedback_finds_an_application_s_answer(web, shouting):
    said = web.post("/v1/shout", json={"text": "hello"}).json()
    told = web.post("/v1/feedback", json={"id": said["id"], "value": 0.5, "kind": "score"})
    assert told.json()["stored"]
    [event] = shouting.store.get(said["id"]).feedback
    assert (event.kind, event.value) == ("score", 0.5)


def test_who_refuses_to_be_learnt_from_is_marked_so(web, shouting):
    said = web.post("/v1/shout", json={"text": "hello", "store": False}).json()
    assert shouting.store.get(said["id"]).consent == ()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"text": "a", "loud": True}, 400),
        ({"times": 1}, 400),
        ({"text": "a", "times": "many"}, 400),
        ({"text": "a\x00"}, 400),
        ({"text": "a", "times": 0}, 400),
        ({"text": "burst"}, 500),
    ],
)
def test_what_cannot_be_taken_is_refused_in_one_sentence(web, shouting, body, status):
    refused = web.post("/v1/shout", json=body)
    assert refused.status_code == status
    assert refused.json()["error"]["message"]
    assert "secret" not in refused.text
    assert web.post("/v1/shout", json={"text": "still here"}).status_code == 200


def test_the_applications_are_listed(web):
    [listed] = web.get("/v1/applications").json()["data"]
    assert (listed["id"], listed["model"]) == ("shout", "capitals")


def test_applications_are_served_without_a_language_model(serve_model):
    alone = serve_model(None, applications=[Shout()])
    with httpx.Client(base_url=alone.url, timeout=30) as client:
        assert client.get("/v1/models").json()["data"] == []
        said = client.post("/v1/shout", json={"text": "hi"}).json()
        assert client.post("/v1/feedback", json={"id": said["id"], "value": True}).is_success
        assert client.post("/v1/feedback", json={"id": "nobody", "value": True}).status_code == 404
        assert client.post("/v1/chat/completions", json={}).status_code == 404


def test_nothing_to_serve_or_the_same_twice_is_refused(tmp_path):
    settings = ServingSettings(journal=tmp_path / "open", page=False)
    with ExperienceStore(tmp_path / "store.sqlite") as store:
        with pytest.raises(SettingsError, match="nothing to serve"):
            application(None, store, beta=0.0, settings=settings)
        with pytest.raises(SettingsError, match="named twice"):
            application(None, store, beta=0.0, settings=settings, applications=[Shout(), Shout()])


def test_an_application_is_named_with_its_source():
    assert named_source("translate=runs/a=b") == ("translate", "runs/a=b")
    for word in ("translate", "=runs", "translate="):
        with pytest.raises(SettingsError, match="NAME=FOLDER"):
            named_source(word)


def test_the_whole_answer_comes_last():
    assert answered(Shout(), Shouting("a b")).text == "A B"
    assert new_id("shout") != new_id("shout")
