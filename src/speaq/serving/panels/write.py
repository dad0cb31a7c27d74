"""Writing on the page: topic, keywords and kind in; the text, what was cut, and why, out."""

import html
from collections import Counter as Counts
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import gradio as gr

from speaq.apps.application import Answer
from speaq.apps.write.application import Writing
from speaq.apps.write.forms import FORMS
from speaq.apps.write.keywords import pattern
from speaq.apps.write.request import KINDS, WriteRequest
from speaq.serving.counter import Counter
from speaq.serving.panels.panel import OWN, Judging, framed, live, told

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Write",
        "topic": "Topic",
        "topic_hint": "What is it about?",
        "keywords": "Keywords, sure to stand in the text",
        "keywords_hint": "separated by commas",
        "kind": "Kind",
        "article": "article",
        "story": "story",
        "review": "product review",
        "poem": "poem",
        "digest": "news digest",
        "polish": "polish a text",
        "form": "Verse",
        "free": "free",
        "style": "Style",
        "length": "Words, or Chinese characters",
        "stars": "Stars of a review",
        "more": "More",
        "beta": "Guidance β",
        "temperature": "Temperature",
        "source": "Text to shorten or to polish",
        "send": "Write",
        "text": "Text",
        "cut": "Cut",
        "mended": "Mended",
        "keyword": "keyword",
        "rhymes": "rhymes",
        "rhymes_not": "does not rhyme",
        "lead": "First sentences",
        "textrank": "TextRank",
        "worth": "worth {:+.3f}; better: {}",
    },
    "zh": {
        "title": "写作",
        "topic": "主题",
        "topic_hint": "写什么？",
        "keywords": "关键词（保证出现）",
        "keywords_hint": "用逗号或顿号分开",
        "kind": "体裁",
        "article": "文章",
        "story": "故事",
        "review": "商品评价",
        "poem": "诗",
        "digest": "新闻摘要",
        "polish": "润色文本",
        "form": "格律",
        "free": "不限",
        "style": "风格",
        "length": "字数（英文为词数）",
        "stars": "评价星级",
        "more": "更多",
        "beta": "引导强度 β",
        "temperature": "温度",
        "source": "待概括或润色的原文",
        "send": "开始写",
        "text": "正文",
        "cut": "已删",
        "mended": "已改",
        "keyword": "关键词",
        "rhymes": "押韵",
        "rhymes_not": "不押韵",
        "lead": "原文前几句",
        "textrank": "TextRank",
        "worth": "价值 {:+.3f}；更好：{}",
    },
}
_ASKED = (
    "topic",
    "keywords",
    "kind",
    "form",
    "stars",
    "length",
    "source",
    "style",
    "temperature",
    "beta",
)
"""The fields, in the order in which the page hands them over."""
_NOTE = '<li style="margin:.15rem 0"><b>{}</b> {}</li>'


class WritePanel:
    """The panel's parts and what happens between them."""

    def __init__(self, counter: Counter) -> None:
        application = counter.application
        assert isinstance(application, Writing)
        self._counter = counter
        self._guided = application.language_model.head is not None

    def title(self, language: str) -> str:
        """See `Panel`."""
        return _WORDS[language]["title"]

    def lay_out(self, language: Any, spoken: str) -> None:
        """See `Panel`."""
        words = _WORDS[spoken]
        self._answer_id = gr.State("")
        with gr.Row():
            with gr.Column(min_width=300):
                self._lay_out_question(words)
            with gr.Column(min_width=300):
                self._said = framed(words["text"], "written")
                self._about = gr.HTML("")
                Judging(self._counter, self._answer_id, language, spoken)
        self._connect(language)

    def _lay_out_question(self, words: Mapping[str, str]) -> None:
        self._topic = gr.Textbox(
            label=words["topic"], placeholder=words["topic_hint"], elem_id="topic"
        )
        self._keywords = gr.Textbox(
            label=words["keywords"], placeholder=words["keywords_hint"], elem_id="keywords"
        )
        with gr.Row():
            self._kind = gr.Dropdown(
                _kinds(words), value="article", label=words["kind"], min_width=130
            )
            self._form = gr.Dropdown(
                _forms(words), value="", label=words["form"], min_width=110, visible=False
            )
            self._stars = gr.Dropdown(
                list(range(6)), value=0, label=words["stars"], min_width=110, visible=False
            )
            self._length = gr.Slider(
                10, 400, value=80, step=10, label=words["length"], min_width=160
            )
        self._source = gr.Textbox(lines=6, max_lines=20, label=words["source"], visible=False)
        with gr.Accordion(words["more"], open=False) as self._more:
            self._style = gr.Textbox(label=words["style"])
            self._temperature = gr.Slider(0, 2, value=0.8, step=0.05, label=words["temperature"])
            self._beta = gr.Slider(
                0, 8, value=0, step=0.25, label=words["beta"], visible=self._guided
            )
        self._send = gr.Button(words["send"], variant="primary", elem_id="write")

    def _connect(self, language: Any) -> None:
        self._kind.change(
            _fitting, self._kind, [self._topic, self._form, self._stars, self._source], **OWN
        )
        asked = [
            self._topic,
            self._keywords,
            self._kind,
            self._form,
            self._stars,
            self._length,
            self._source,
            self._style,
            self._temperature,
            self._beta,
            language,
        ]
        shown = [self._said, self._about, self._answer_id]
        self._send.click(self._write, asked, shown, concurrency_limit=8, **OWN)
        self._topic.submit(self._write, asked, shown, concurrency_limit=8, **OWN)
        labelled = [
            self._topic,
            self._keywords,
            self._kind,
            self._form,
            self._stars,
            self._length,
            self._source,
            self._more,
            self._style,
            self._temperature,
            self._beta,
            self._send,
            self._said,
        ]
        language.change(_relabel, language, labelled, **OWN)

    def _write(self, *asked: Any) -> Iterator[tuple[Any, Any, Any]]:
        """Show sentences as they become certain, then the whole with what was done to it."""
        language = asked[-1]
        words = _WORDS[language]
        written = ""
        with told(language):
            request = _request(dict(zip(_ASKED, asked[:-1], strict=True)))
            yield live("…"), "", ""
            for said in self._counter.answers(request):
                if isinstance(said, Answer):
                    body = _marked(said, request.words, words)
                    yield live(body), _notes(said, language), said.id
                    return
                if said:
                    written += said
                    yield live(html.escape(written.lstrip())), "", ""
        # Refused: the dots, or what was begun, would look as if more came.
        yield "", "", ""


def _request(asked: Mapping[str, Any]) -> WriteRequest:
    """What is asked; what the kind does not show was not asked."""
    kind = next(each for each in KINDS if each == asked["kind"])
    from_source = kind in ("digest", "polish")
    return WriteRequest(
        topic="" if from_source else asked["topic"],
        keywords=() if kind == "polish" else _split(asked["keywords"]),
        kind=kind,
        style=asked["style"] or "",
        length=int(asked["length"]),
        stars=asked["stars"] if kind == "review" else 0,
        form=asked["form"] if kind == "poem" else "",
        source=asked["source"] if from_source else "",
        temperature=asked["temperature"],
        beta=asked["beta"],
    )


def _split(keywords: str) -> tuple[str, ...]:
    for mark in "，、；;\n":
        keywords = keywords.replace(mark, ",")
    return tuple(each.strip() for each in keywords.split(",") if each.strip())


def _fitting(kind: str) -> list[Any]:
    """The fields that a kind has."""
    from_source = kind in ("digest", "polish")
    return [
        gr.update(visible=not from_source),
        gr.update(visible=kind == "poem"),
        gr.update(visible=kind == "review"),
        gr.update(visible=from_source),
    ]


def _kinds(words: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(words[kind], kind) for kind in KINDS]


def _forms(words: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(words["free"], ""), *((form, form) for form in FORMS)]


def _relabel(language: str) -> list[Any]:
    words = _WORDS[language]
    return [
        gr.update(label=words["topic"], placeholder=words["topic_hint"]),
        gr.update(label=words["keywords"], placeholder=words["keywords_hint"]),
        gr.update(label=words["kind"], choices=_kinds(words)),
        gr.update(label=words["form"], choices=_forms(words)),
        gr.update(label=words["stars"]),
        gr.update(label=words["length"]),
        gr.update(label=words["source"]),
        gr.update(label=words["more"]),
        gr.update(label=words["style"]),
        gr.update(label=words["temperature"]),
        gr.update(label=words["beta"]),
        gr.update(value=words["send"]),
        gr.update(label=words["text"]),
    ]


def _marked(answer: Answer, keywords: Sequence[str], words: Mapping[str, str]) -> str:
    """The text with its keywords marked."""
    places = sorted(
        found.span() for word in keywords for found in pattern(word).finditer(answer.text)
    )
    made, done = "", 0
    for start, end in places:
        if start < done:
            continue
        said = html.escape(answer.text[start:end])
        made += html.escape(answer.text[done:start])
        made += f'<mark title="{words["keyword"]}">{said}</mark>'
        done = end
    return made + html.escape(answer.text[done:])


def _notes(answer: Answer, language: str) -> str:
    """What was cut and mended, rhyme, other digests, and which tokens were worth least."""
    words, details = _WORDS[language], answer.details
    notes = []
    for cut in details.get("cuts", ()):
        why = cut["why_zh" if language == "zh" else "why"]
        notes.append((f"{words['cut']} ({why})", cut["text"]))
    for each in details.get("repairs", ()):
        notes.append((words["mended"], f"{each['before']} → {each['after']}"))
    if "verse" in details:
        verse = details["verse"]
        rhymes = words["rhymes" if verse["rhymes"] else "rhymes_not"]
        notes.append((verse["form"], f"{' '.join(verse['rhyme_characters'])} · {rhymes}"))
    if "digests" in details:
        notes += [(words[way], details["digests"][way]) for way in ("lead", "textrank")]
        notes.append(("", details["verdict_zh" if language == "zh" else "verdict"]))
    for place in sorted(details.get("credit", ()), key=lambda one: one["advantage"])[:3]:
        better = place["instead"][0]["text"] if place["instead"] else ""
        notes.append((place["text"], words["worth"].format(place["advantage"], better)))
    rows = "".join(
        _NOTE.format(html.escape(a), html.escape(b) + (f" ×{times}" if times > 1 else ""))
        for (a, b), times in Counts(notes).items()
    )
    return f'<ul style="font-size:.88rem;padding-left:1.1rem">{rows}</ul>' if rows else ""
