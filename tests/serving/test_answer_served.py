"""Answers over HTTP and on the page: asked, streamed, judged."""

from contextlib import closing
from pathlib import Path

import httpx
import pytest

from speaq.apps.answer.application import Answering, Question
from speaq.apps.answer.building import index
from speaq.apps.answer.index import IndexSettings
from speaq.apps.answer.settings import AnswerSettings
from speaq.apps.application import answered
from speaq.experience.store import ExperienceStore
from speaq.serving.counter import Counter
from speaq.serving.engine import Engine
from speaq.serving.panels.answer import AnswerPanel, passages, view

TEXT = "The pump <P-7> was built in 1998 by Anna Keller.\n\n专业版的保修期是三年。\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    place = tmp_path / "index"
    index(place, [tmp_path / "a.txt"], IndexSettings(), AnswerSettings(domain="technical"))
    return place


def test_asked_over_http_and_judged(serve_model, folder: Path) -> None:
    served = serve_model(None, applications=[Answering.open(str(folder))])
    with httpx.Client(base_url=served.url, timeout=30) as web:
        asked = {"question": "When was the pump built?"}
        said = web.post("/v1/answer", json=asked).json()
        assert "1998" in said["text"] and said["details"]["citations"][0]["line"] == 1
        judged = web.post("/v1/feedback", json={"id": said["id"], "kind": "thumb", "value": True})
        assert judged.status_code == 200
        follow = {"question": "Who built it?", "history": [[asked["question"], said["text"]]]}
        assert "pump" in web.post("/v1/answer", json=follow).json()["details"]["asked"]
        refused = web.post("/v1/answer", json={"question": "x" * 5_000})
        assert refused.status_code == 400 and "characters" in refused.text
    kept = served.store.get(said["id"])
    assert kept.feedback[0].value is True and kept.tags["passage"] == "a.txt:1:0:0"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_panel_shows_where_an_answer_stands(folder: Path, language: str) -> None:
    application = Answering.open(str(folder))
    question = {"en": "When was the pump built?", "zh": "专业版的保修期多长？"}[language]
    answer = answered(application, Question(question))
    shown = view(answer, language)
    assert "<mark>" in shown and "a.txt:" in shown and answer.details["notice"] in shown
    assert "bm25" in passages(answer, language)
    assert "<P-7>" not in shown + passages(answer, language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_panel_asks_and_goes_on(folder: Path, tmp_path: Path, language: str) -> None:
    engine = Engine(1, 4)
    with ExperienceStore(tmp_path / "s.sqlite") as store, closing(engine):
        counter = Counter(Answering.open(str(folder)), store, engine)
        panel = AnswerPanel(counter)
        *_, (said, found, answer_id, history) = panel._ask(
            "When was the pump built?", "", (), language
        )
        assert "1998" in said and "a.txt" in found and store.get(answer_id) is not None
        *_, (_, _, second, _) = panel._ask("Who built it?", "", history, language)
        assert store.get(second).prompt == "Who built it?"
        assert len(panel._relabel(language)) == 7 and panel.title(language)
