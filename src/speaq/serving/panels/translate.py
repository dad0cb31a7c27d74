"""Translation on the page: while one types, with terms, warnings, alternatives, and files."""

import atexit
import html
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from speaq.apps.application import Answer
from speaq.apps.translate.application import Translate, TranslateRequest
from speaq.apps.translate.files.documents import read_document, suffixes
from speaq.apps.translate.live.as_typed import Typing
from speaq.apps.translate.texts.languages import name_of
from speaq.core.errors import DataError
from speaq.serving.counter import Counter
from speaq.serving.panels.panel import OWN, Judging, framed, id_kept, live, told

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Translate",
        "auto": "Detect",
        "source": "From",
        "target": "Into",
        "text": "Text",
        "said": "Translation",
        "hint": "Type or paste; the translation follows along",
        "send": "Translate",
        "long": "A long text is not followed along; press Translate.",
        "rules": "Terms",
        "glossary": "Glossary: a term = its translation, one a line",
        "keep": "Not translated: one term a line",
        "file": "A file",
        "made": "Translated file",
        "sure": "sure to",
        "similar": "Like in the memory",
        "others": "Other translations",
        "fine": "Nothing is lost, as far as can be seen.",
        "equals": "a line of the glossary must be written: term = translation.",
    },
    "zh": {
        "title": "翻译",
        "auto": "自动检测",
        "source": "原文语言",
        "target": "译文语言",
        "text": "原文",
        "said": "译文",
        "hint": "输入或粘贴文本，译文随之出现",
        "send": "翻译",
        "long": "文本较长，不随输入翻译；请按“翻译”。",
        "rules": "术语",
        "glossary": "术语表：术语 = 译法，每行一条",
        "keep": "不翻译的词：每行一个",
        "file": "文件",
        "made": "译好的文件",
        "sure": "把握",
        "similar": "翻译记忆中的相近句",
        "others": "其他译文",
        "fine": "未发现丢失的内容。",
        "equals": "术语表每行应写作：术语 = 译法。",
    },
}
_TYPED = 5000
"""Characters up to which the translation follows along."""
_SURE = ((0.6, "#2f855a"), (0.35, "#b7791f"), (0.0, "#c53030"))
"""Colours of how sure the model is, from what on."""


class TranslatePanel:
    """The panel's parts and what happens between them."""

    def __init__(self, counter: Counter) -> None:
        application = counter.application
        assert isinstance(application, Translate)
        self._counter = counter
        self._application = application
        self._folder = tempfile.TemporaryDirectory(prefix="speaq-translate-")
        # The page lives as long as the process; what was translated is not left behind.
        atexit.register(self._folder.cleanup)

    def title(self, language: str) -> str:
        """See `Panel`."""
        return _WORDS[language]["title"]

    def lay_out(self, language: Any, spoken: str) -> None:
        """See `Panel`."""
        words = _WORDS[spoken]
        self._answer_id, self._typing = gr.State(""), gr.State(Typing())
        self._done: Any = gr.State(())
        with gr.Row():
            self._source = gr.Dropdown(
                self._sources(spoken), value="auto", label=words["source"], min_width=140
            )
            targets = self._targets(spoken)
            self._target = gr.Dropdown(
                targets, value=targets[0][1], label=words["target"], min_width=140
            )
        with gr.Row():
            with gr.Column(min_width=300):
                self._text = gr.Textbox(
                    lines=8, max_lines=20, label=words["text"], placeholder=words["hint"]
                )
                self._send = gr.Button(words["send"], variant="primary")
            with gr.Column(min_width=300):
                self._said = framed(words["said"], "translated")
                self._about = gr.HTML("")
                Judging(self._counter, self._answer_id, language, spoken)
        with gr.Accordion(words["rules"], open=False) as self._rules, gr.Row():
            self._glossary = gr.Textbox(lines=4, label=words["glossary"])
            self._keep = gr.Textbox(lines=4, label=words["keep"])
        with gr.Accordion(words["file"], open=False) as self._files, gr.Row():
            self._file = gr.File(label=words["file"], file_types=suffixes(), type="filepath")
            self._made = gr.File(label=words["made"], interactive=False)
        self._connect(language)

    def _connect(self, language: Any) -> None:
        chosen = [self._source, self._target, language]
        self._text.input(
            self._follow,
            [self._text, self._typing, *chosen],
            [self._said, self._typing, self._done],
            trigger_mode="always_last",
            **OWN,
        )
        asked = [self._text, self._glossary, self._keep, *chosen]
        shown = [self._said, self._about, self._answer_id, self._done]
        # A click on the button leaves the text too: one event, or the text would be kept twice.
        gr.on(
            [self._send.click, self._text.blur],
            self._translate,
            [self._done, *asked],
            shown,
            **OWN,
        )
        self._file.upload(
            self._translate_file,
            [self._file, self._glossary, self._keep, *chosen],
            self._made,
            **OWN,
        )
        labelled = [
            self._source,
            self._target,
            self._text,
            self._send,
            self._rules,
            self._glossary,
            self._keep,
            self._files,
            self._file,
            self._made,
            self._said,
        ]
        language.change(self._relabel, language, labelled, **OWN)

    def _follow(
        self, text: str, typing: Typing, source: str, target: str, language: str
    ) -> tuple[str, Typing, Any]:
        """What is shown after a key; not an answer, so nothing is kept."""
        if not text.strip():
            return "", Typing(), ()
        if len(text) > _TYPED:
            # Nobody types so much: it was pasted, and the server has others to answer.
            return live(_note(_WORDS[language]["long"])), Typing(), ()
        request = TranslateRequest(text, source, target)
        body = ""
        with told(language):
            shown = self._counter.engine.call(lambda: typing.shown(self._application, request))
            body = _escaped(shown.certain) + _note(shown.guess)
        return live(body), typing, ()

    def _translate(
        self,
        done: Sequence[Any],
        text: str,
        glossary: str | None,
        keep: str | None,
        source: str,
        target: str,
        language: str,
    ) -> tuple[Any, Any, Any, Any]:
        """The whole answer, unless it is the one that is shown already."""
        asked = (text, glossary or "", keep or "", source, target)
        shown: tuple[Any, Any, Any, Any] = gr.skip(), gr.skip(), gr.skip(), gr.skip()
        if not text.strip():
            return "", "", "", ()
        if asked == tuple(done):
            return shown
        with told(language):
            request = TranslateRequest(
                text,
                source,
                target,
                alternatives=2,
                glossary=_terms(glossary),
                keep=tuple(_lines(keep)),
            )
            answer = self._counter.answer(request)
            body = _coloured(answer, _WORDS[language])
            shown = live(body), _about(answer, language), id_kept(answer), asked
        return shown

    def _translate_file(
        self,
        path: str,
        glossary: str | None,
        keep: str | None,
        source: str,
        target: str,
        language: str,
    ) -> str | None:
        made: str | None = None
        with told(language):
            file = Path(path)
            document = read_document(file.read_bytes(), file.name)
            whole = "\n".join(document.texts) or "\n"
            asked = TranslateRequest(whole, source, target)
            code = self._application.pair(asked)[0]
            said = [
                self._counter.answer(
                    TranslateRequest(
                        text, code, target, glossary=_terms(glossary), keep=tuple(_lines(keep))
                    )
                ).text
                for text in document.texts
            ]
            folder = Path(tempfile.mkdtemp(dir=self._folder.name))
            out = folder / f"{file.stem}.{target}{file.suffix}"
            out.write_bytes(document.made(said))
            made = str(out)
        return made

    def _sources(self, language: str) -> list[tuple[str, str]]:
        codes = dict.fromkeys(pair[0] for pair in self._application.translator.pairs)
        return [(_WORDS[language]["auto"], "auto"), *_named(list(codes), language)]

    def _targets(self, language: str) -> list[tuple[str, str]]:
        codes = list(dict.fromkeys(pair[1] for pair in self._application.translator.pairs))
        codes += ["zh-Hans", "zh-Hant"] if "zh" in codes else []
        return _named(codes, language) or _named(["en"], language)

    def _relabel(self, language: str) -> list[Any]:
        words = _WORDS[language]
        return [
            gr.update(label=words["source"], choices=self._sources(language)),
            gr.update(label=words["target"], choices=self._targets(language)),
            gr.update(label=words["text"], placeholder=words["hint"]),
            gr.update(value=words["send"]),
            gr.update(label=words["rules"]),
            gr.update(label=words["glossary"]),
            gr.update(label=words["keep"]),
            gr.update(label=words["file"]),
            gr.update(label=words["file"]),
            gr.update(label=words["made"]),
            gr.update(label=words["said"]),
        ]


_SCRIPTS = {"zh-Hans": ("simplified", "简体"), "zh-Hant": ("traditional", "繁体")}


def _named(codes: Sequence[str], language: str) -> list[tuple[str, str]]:
    chinese = language == "zh"
    made = []
    for code in codes:
        script = _SCRIPTS.get(code)
        name = name_of(code)[chinese]
        made.append((f"{name} ({script[chinese]})" if script else name, code))
    return made


def _terms(glossary: str | None) -> dict[str, str]:
    found = {}
    for row, line in enumerate(_lines(glossary), start=1):
        term, sign, target = line.partition("=")
        if not sign:
            raise DataError(_WORDS["en"]["equals"], _WORDS["zh"]["equals"], row=row)
        found[term.strip()] = target.strip()
    return found


def _lines(text: str | None) -> list[str]:
    """The lines that are not empty; None stands in a part of the page that nobody opened."""
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def _note(text: str) -> str:
    return f"<span style='opacity:.6'>{_escaped(text)}</span>"


def _escaped(text: str) -> str:
    return html.escape(text)


def _coloured(answer: Answer, words: Mapping[str, str]) -> str:
    """The translation, each sentence underlined by how sure the model is."""
    made, done = "", 0
    for each in answer.details["sentences"]:
        start, end = each["target_start"], each["target_end"]
        colour = next(colour for least, colour in _SURE if each["quality"] >= least)
        made += _escaped(answer.text[done:start])
        said = _escaped(answer.text[start:end])
        made += (
            f'<span style="border-bottom:2px solid {colour}" '
            f'title="{words["sure"]} {each["quality"]:.0%}">{said}</span>'
        )
        done = end
    return made + _escaped(answer.text[done:])


def _about(answer: Answer, language: str) -> str:
    """Warnings, other translations, and what the memory has like it."""
    words, details = _WORDS[language], answer.details
    lines = [f"⚠ {_escaped(each[language])}" for each in details["warnings"]] or [
        f"✓ {words['fine']}"
    ]
    others = [each for each in details["alternatives"] if each != answer.text]
    if others:
        lines.append(f"{words['others']}: " + " · ".join(map(_escaped, others)))
    similar = [each for one in details["sentences"] for each in one["similar"]]
    for each in similar:
        said = f"{each['source']} → {each['target']} ({each['similarity']:.0%})"
        lines.append(f"{words['similar']}: {_escaped(said)}")
    rows = "".join(f"<li>{line}</li>" for line in lines)
    return f'<ul style="font-size:.88rem;margin:.4rem 0;padding-left:1.1rem">{rows}</ul>'
