"""The writer behind HTTP and on the page."""

import json
import subprocess
import sys
import textwrap

import httpx
import pytest

from speaq.apps.write.application import Writing
from speaq.models.sources import load
from speaq.serving.panels.write import WritePanel, _notes, _request


@pytest.fixture(scope="module")
def application():
    return Writing(load("new:tiny"))


@pytest.fixture
def running(serve_model, application):
    return serve_model(None, applications=[application])


@pytest.fixture
def web(running):
    with httpx.Client(base_url=running.url, timeout=60) as client:
        yield client


def test_an_answer_is_kept_judged_and_holds_its_keywords(web, running):
    asked = {"topic": "春天", "keywords": ["月亮"], "length": 8, "seed": 1}
    said = web.post("/v1/write", json=asked).json()
    assert "月亮" in said["text"]
    assert said["details"]["keywords"]["月亮"] >= 1
    assert running.store.get(said["id"]).reply == said["text"]
    judged = web.post("/v1/feedback", json={"id": said["id"], "kind": "thumb", "value": True})
    assert judged.status_code == 200


def test_a_stream_adds_up(web):
    asked = {"topic": "sea", "length": 12, "seed": 2, "polish": False, "stream": True}
    lines = web.post("/v1/write", json=asked).text.splitlines()
    events = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    *pieces, whole = [json.loads(event) for event in events[:-1]]
    assert events[-1] == "[DONE]"
    assert "".join(piece["text"] for piece in pieces).strip() == whole["text"]


@pytest.mark.parametrize(("language", "said"), [("en", "topic is empty"), ("zh", "主题为空")])
def test_what_is_refused_is_said_in_the_persons_language(web, language, said):
    refused = web.post("/v1/write", json={"topic": ""}, headers={"Accept-Language": language})
    assert refused.status_code in (400, 422)
    assert said in refused.json()["error"]["message"]


def test_the_panel_asks_for_what_its_kind_has():
    fields = {
        "topic": "tea", "keywords": "月亮、moon, 山", "kind": "poem", "form": "五绝", "stars": 3,
        "length": 80.0, "source": "old", "style": "", "temperature": 0.8, "beta": 0.0,
    }  # fmt: skip
    poem = _request(fields)
    assert (poem.keywords, poem.form, poem.stars, poem.source) == (
        ("月亮", "moon", "山"), "五绝", 0, "",
    )  # fmt: skip
    polish = _request({**fields, "kind": "polish"})
    assert (polish.topic, polish.keywords, polish.source) == ("", (), "old")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_notes_are_escaped_and_in_the_persons_language(application, language):
    from speaq.apps.application import answered
    from speaq.apps.write.request import WriteRequest

    source = "<b>It is an dog. <b>It is an dog. We go home."
    answer = answered(application, WriteRequest(kind="polish", source=source))
    notes = _notes(answer, language)
    assert "<b>It" not in notes
    assert ("已改" if language == "zh" else "Mended") in notes


# Its own process: gradio leaves event loops behind for the collector, which is an error here.
PAGE = """
    import json, sys
    import gradio as gr
    from speaq.apps.write.application import Writing
    from speaq.experience.store import ExperienceStore
    from speaq.models.sources import load
    from speaq.serving.counter import Counter
    from speaq.serving.engine import Engine
    from speaq.serving.panels.write import WritePanel

    with ExperienceStore(sys.argv[1]) as store:
        panel = WritePanel(Counter(Writing(load("new:tiny")), store, Engine(1, 1)))
        with gr.Blocks() as blocks:
            language = gr.Radio(["en", "zh"], value="en")
            panel.lay_out(language, "en")
        print(json.dumps(blocks.get_config_file(), default=str))
"""


def test_the_panel_is_laid_out(tmp_path):
    built = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PAGE), tmp_path / "store.sqlite"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Keywords, sure to stand in the text" in built.stdout
    assert WritePanel.title(WritePanel.__new__(WritePanel), "zh") == "写作"
