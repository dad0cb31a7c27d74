"""Understanding over HTTP and on the page."""

import httpx
import pytest

from speaq.apps.knowledge_graph import DocumentFacts, KnowledgeGraph, Mention, Statement
from speaq.apps.understand.application import Understand
from speaq.apps.understand.opening import open_skills

TEXT = "鲁迅在北京"
GRAPH = KnowledgeGraph().with_document(
    DocumentFacts(
        "a.txt",
        "1",
        (Mention("鲁迅", "person", 0, 2), Mention("北京", "place", 3, 5)),
        (Statement(0, 1, "lived in", 0, 5, TEXT),),
    )
)


@pytest.fixture
def app():
    return Understand(open_skills("rules"), graph=GRAPH)


def test_the_route_answers_and_clicks_join_it(serve_model, app):
    served = serve_model(None, applications=[app])
    with httpx.Client(base_url=served.url, timeout=60) as web:
        said = web.post(
            "/v1/understand", json={"text": "我很喜欢，花了300元", "explore": 1.0}
        ).json()
        (found,) = said["details"]["entities"]
        assert (found["text"], found["label"], found["start"]) == ("300元", "money", 7)
        web.post("/v1/feedback", json={"id": said["id"], "kind": "click", "value": 1.0})
        kept = served.store.get(said["id"])
        assert kept.feedback[0].kind == "click"
        assert 0 < float(kept.tags["propensity"]) <= 1
        assert kept.tags["label"] in ("positive", "neutral", "negative")
        refused = web.post("/v1/understand", json={"text": " "})
        assert refused.status_code == 400
        assert "empty" in refused.json()["error"]["message"]


def test_the_panel_shows_pictures_and_the_graph(app):
    from speaq.serving.panels.understand import UnderstandPanel, _described

    class Counter:
        application = app

        def answer(self, request):
            return next(iter(app.respond(request, "a1")))

    panel = UnderstandPanel(Counter())
    seen, answer_id = panel._understand("我很喜欢，花了300元", list(app.skills.tasks), "", 0, "zh")
    assert answer_id == "a1"
    assert "300元<small>money" in seen
    assert "a.txt:0–5" in panel._browse("鲁迅", "zh")
    assert panel.title("zh") == "理解"
    assert _described("a = about a\n\nb=") == {"a": "about a", "b": ""}
