"""What LibreTranslate's clients send and expect, and the page's panel of translation."""

import io
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import httpx
import pytest

from speaq.apps.translate.application import Translate
from speaq.core.errors import SpeaqError


class Says:
    """A translation of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.score = -0.1
        self.token_ids = tuple(range(len(text.split())))
        self.token_logprobs = (-0.1,) * len(self.token_ids)


class Capitals:
    """Translates into capitals; of Chinese it says what it is."""

    name = "capitals"
    pairs = (("de", "en"), ("zh", "en"), ("en", "zh"))

    def translate(self, texts: Any, *, n_best: int = 1, prefixes: Any = None, **more: Any) -> Any:
        assert more["source"] and more["target"]
        marks = ["", "!", "!!", "!!!"][:n_best]
        chinese = more["target"] == "zh"
        return [
            [Says("汉语" if chinese else text.upper() + mark) for mark in marks] for text in texts
        ]

    def logprobs(self, texts: Any, translations: Any, *, source: str, target: str) -> Any:
        return [[-0.1] * len(each.split()) for each in translations]

    def ends(self, translations: Any, *, target: str) -> Any:
        return [[word.end() for word in re.finditer(r"\S+", each)] for each in translations]


@pytest.fixture
def running(serve_model: Any) -> Any:
    return serve_model(None, applications=[Translate(Capitals())])


@pytest.fixture
def web(running: Any) -> Any:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield client


def test_a_text_in_json_as_the_page_of_libretranslate_sends_it(web: Any, running: Any) -> None:
    body = {
        "q": "Ein Hund läuft durch den Schnee.",
        "source": "auto",
        "target": "en",
        "format": "text",
        "alternatives": 3,
        "api_key": "",
    }
    said = web.post("/translate", json=body).json()
    assert said["translatedText"] == "EIN HUND LÄUFT DURCH DEN SCHNEE."
    assert said["detectedLanguage"]["language"] == "de"
    assert said["detectedLanguage"]["confidence"] > 50
    assert said["alternatives"] == [said["translatedText"] + mark for mark in ("!", "!!", "!!!")]
    [episode] = running.store.episodes(None)
    assert (episode.app, episode.prompt) == ("translate", body["q"])


def test_a_form_as_command_line_clients_send_it(web: Any) -> None:
    form = {"q": "Hallo Welt", "source": "de", "target": "en"}
    assert web.post("/translate", data=form).json() == {"translatedText": "HALLO WELT"}
    assert web.post("/translate", params=form).json() == {"translatedText": "HALLO WELT"}
    assert web.post("/translate", files={"x": b""}, data=form).json() == {
        "translatedText": "HALLO WELT"
    }


def test_a_list_of_texts_as_weblate_sends_it(web: Any) -> None:
    body = {"q": ["Ein Hund", "Zwei Hunde"], "source": "auto", "target": "en", "alternatives": 1}
    said = web.post("/translate", json=body).json()
    assert said["translatedText"] == ["EIN HUND", "ZWEI HUNDE"]
    assert [each["language"] for each in said["detectedLanguage"]] == ["de", "de"]
    assert said["alternatives"] == [["EIN HUND!"], ["ZWEI HUNDE!"]]


def test_html_keeps_its_tags(web: Any) -> None:
    body = {"q": "<p class='x'>Hund</p>", "source": "de", "target": "en", "format": "html"}
    assert web.post("/translate", json=body).json()["translatedText"] == "<p class='x'>HUND</p>"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("zh", "汉语"),
        ("zh-CN", "汉语"),
        ("zh-Hans", "汉语"),
        ("zh-Hant", "漢語"),
        ("zh-TW", "漢語"),
    ],
)
def test_chinese_by_any_of_its_names(web: Any, target: str, text: str) -> None:
    body = {"q": "a dog", "source": "en", "target": target}
    assert web.post("/translate", json=body).json()["translatedText"] == text
    body = {"q": "一只狗", "source": target, "target": "en"}
    assert web.post("/translate", json=body).json()["translatedText"] == "一只狗"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"q": "", "source": "de", "target": "en"},
        {"q": "a", "target": "en"},
        {"q": "a", "source": "de"},
        {"q": "a", "source": "de", "target": "xx"},
        {"q": "a", "source": "de", "target": "en", "format": "pdf"},
        {"q": "a", "source": "de", "target": "en", "alternatives": "many"},
        {"q": 5, "source": "de", "target": "en"},
        {"q": ["a", ""], "source": "de", "target": "en"},
        {"q": "a\x00", "source": "de", "target": "en"},
        ["a"],
    ],
)
def test_errors_have_libretranslate_s_shape(web: Any, body: Any) -> None:
    refused = web.post("/translate", json=body)
    assert refused.status_code == 400
    assert list(refused.json()) == ["error"] and isinstance(refused.json()["error"], str)
    chinese = web.post("/translate", json=body, headers={"Accept-Language": "zh-CN"}).json()
    assert chinese["error"] != refused.json()["error"]
    assert web.post("/translate", content=b"{").status_code == 400


def test_detection(web: Any) -> None:
    found = web.post("/detect", json={"q": "一只狗在雪地里奔跑"}).json()
    assert found[0] == {"confidence": 100.0, "language": "zh"}
    found = web.post("/detect", data={"q": "Ein Hund läuft durch den Schnee"}).json()
    assert found[0]["language"] == "de"
    assert web.post("/detect", json={}).status_code == 400


def test_languages_and_settings(web: Any) -> None:
    listed = {each["code"]: each for each in web.get("/languages").json()}
    assert listed["de"] == {"code": "de", "name": "German", "targets": ["en"]}
    assert listed["en"]["targets"] == ["zh", "zh-Hans", "zh-Hant"]
    assert {"zh", "zh-Hans", "zh-Hant"} <= set(listed)
    chinese = web.get("/languages", headers={"Accept-Language": "zh"}).json()
    assert "德语" in [each["name"] for each in chinese]
    settings = web.get("/frontend/settings").json()
    assert settings["keyRequired"] is False and settings["suggestions"] is True
    assert ".docx" in settings["supportedFilesFormat"]
    assert web.get("/health").json() == {"status": "ok"}


def test_a_suggestion_is_feedback_on_the_answer_it_is_about(web: Any, running: Any) -> None:
    web.post("/translate", json={"q": "Hund", "source": "auto", "target": "en"})
    better = {"q": "Hund", "s": "dog", "source": "de", "target": "en"}
    assert web.post("/suggest", data=better).json() == {"success": True}
    [episode] = running.store.episodes(None)
    [event] = episode.feedback
    assert (event.kind, event.value) == ("correction", "dog")
    fresh = {"q": "Katze", "s": "cat", "source": "de", "target": "en"}
    assert web.post("/suggest", json=fresh).json() == {"success": True}
    assert [each.prompt for each in running.store.episodes(None)] == ["Hund", "Katze"]
    assert web.post("/suggest", json={"q": "Hund"}).status_code == 400


def test_a_file_is_translated_and_fetched(web: Any, running: Any) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\nEin Hund\n"
    sent = {"file": ("Über.srt", io.BytesIO(srt.encode()), "text/plain")}
    said = web.post("/translate_file", files=sent, data={"source": "de", "target": "en"}).json()
    fetched = web.get(said["translatedFileUrl"])
    assert fetched.text == srt.replace("Ein Hund", "EIN HUND")
    assert "attachment" in fetched.headers["content-disposition"]
    assert len(running.store.episodes(None)) == 1
    for files in ({}, {"file": ("a.xyz", b"x", "text/plain")}, {"file": ("a.srt", b"x", "x/y")}):
        data = {"source": "de", "target": "en"}
        refused = web.post("/translate_file", files=files, data=data)
        assert refused.status_code == 400 and refused.json()["error"]
    assert web.get("/download_file/nothing.txt").status_code == 404


def test_the_native_route_says_more(web: Any) -> None:
    said = web.post(
        "/v1/translate",
        json={"text": "Hund {x} 42", "source": "de", "target": "en", "glossary": {"Hund": "dog"}},
    ).json()
    assert said["text"].count("{x}") == 1 and "dog" in said["text"]
    [sentence] = said["details"]["sentences"]
    assert sentence["terms"][0]["honoured"] and sentence["kept"] == ["{x}"]
    assert web.post("/v1/translate", json={"text": ""}).status_code == 400


def panel(folder: Path, running: Any) -> Any:
    from speaq.serving.counter import Counter
    from speaq.serving.engine import Engine
    from speaq.serving.panels.translate import TranslatePanel

    engine = Engine(2, 8)
    return TranslatePanel(Counter(Translate(Capitals()), running.store, engine)), engine


def test_the_panel_follows_answers_and_translates_files(tmp_path: Path, running: Any) -> None:
    from speaq.apps.translate.live.as_typed import Typing

    made, engine = panel(tmp_path, running)
    try:
        box, *_ = made._follow("Ein Hund. ", Typing(), "de", "en", "en")
        assert "EIN HUND." in box
        box, *_ = made._follow("Ein Hund. " * 1000, Typing(), "de", "en", "en")
        assert "press Translate" in box
        assert running.store.episodes(None) == []
        asked = ("<b>42 & {x}</b>", "", "Hund", "de", "en", "zh")
        box, about, answer_id, done = made._translate((), *asked)
        assert "&lt;b&gt;42" in box and "<b>" not in box
        assert "未发现" in about and running.store.get(answer_id) is not None
        # A click on the button also leaves the text, and asks for the same again.
        assert "value" not in made._translate(done, *asked)[0]
        assert len(running.store.episodes(None)) == 1
        # What stands in a folded part of the page is None.
        assert "HUND" in made._translate(done, "Hund", None, None, "de", "en", "en")[0]
        (tmp_path / "a.txt").write_text("Ein Hund", encoding="utf-8")
        out = made._translate_file(str(tmp_path / "a.txt"), "", "", "de", "en", "en")
        assert Path(out).read_text(encoding="utf-8") == "EIN HUND"
        assert [code for _, code in made._targets("zh")] == ["en", "zh", "zh-Hans", "zh-Hant"]
    finally:
        engine.close()


def test_the_panel_s_glossary_is_read_by_lines() -> None:
    from speaq.serving.panels.translate import _terms

    assert _terms("Hund = dog\n\n狗=dog") == {"Hund": "dog", "狗": "dog"}
    with pytest.raises(SpeaqError, match="term = translation"):
        _terms("Hund dog")


# Its own process: gradio leaves event loops behind for the collector, which is an error here.
_PAGE = """
    import json, sys
    import gradio as gr
    from speaq.apps.translate.application import Translate
    from speaq.experience.store import ExperienceStore
    from speaq.serving.counter import Counter
    from speaq.serving.engine import Engine
    from speaq.serving.panels.translate import TranslatePanel

    class Silent:
        name, pairs = "silent", (("de", "en"), ("en", "zh"))

    with ExperienceStore(sys.argv[1]) as store:
        engine = Engine(1, 1)
        panel = TranslatePanel(Counter(Translate(Silent()), store, engine))
        with gr.Blocks(analytics_enabled=False) as blocks:
            language = gr.Radio(["en", "zh"])
            panel.lay_out(language, "zh")
        relabelled = panel._relabel("en")
        print(json.dumps([str(blocks.get_config_file()), str(relabelled)]))
        engine.close()
"""


def test_the_panel_is_drawn_and_relabelled(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(_PAGE)]
    built = subprocess.run(
        [*command, str(tmp_path / "s.sqlite")], capture_output=True, text=True, timeout=300
    )
    assert built.returncode == 0, built.stderr
    drawn, relabelled = json.loads(built.stdout.splitlines()[-1])
    assert "输入或粘贴文本，译文随之出现" in drawn and "中文 (简体)" in drawn
    assert "the translation follows along" in relabelled and "Chinese (traditional)" in relabelled
