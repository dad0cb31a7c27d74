"""Questions on the page: the answer, where it stands, and how the passages were found."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from speaq.apps.answer.application import Answering, Question
from speaq.apps.application import Answer
from speaq.serving.counter import Counter
from speaq.serving.panels.panel import OWN, Judging, framed, live, told

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Answer",
        "domain": "Documents",
        "any": "All",
        "question": "Question",
        "hint": "Ask the documents; a follow-up may say “it”",
        "send": "Ask",
        "anew": "New subject",
        "sure": "Probability that the documents hold it:",
        "asked": "Asked as",
        "found": "What was found",
        "score": "score",
        "covered": "of the question's terms",
        "listed": "Documents in the index",
        "page": "page {}",
        "said": "Answer",
    },
    "zh": {
        "title": "问答",
        "domain": "文档",
        "any": "全部",
        "question": "问题",
        "hint": "就文档提问；追问时可以说“它”",
        "send": "提问",
        "anew": "换个话题",
        "sure": "文档中有答案的概率：",
        "asked": "理解为",
        "found": "检索结果",
        "score": "得分",
        "covered": "的问题词",
        "listed": "索引中的文档",
        "page": "第 {} 页",
        "said": "回答",
    },
}
_SHOWN = 200
"""Documents that the page lists."""

History = tuple[tuple[str, str], ...]


class AnswerPanel:
    """The panel's parts and what happens between them."""

    def __init__(self, counter: Counter) -> None:
        application = counter.application
        assert isinstance(application, Answering)
        self._counter = counter
        self._application = application

    def title(self, language: str) -> str:
        """See `Panel`."""
        return _WORDS[language]["title"]

    def lay_out(self, language: Any, spoken: str) -> None:
        """See `Panel`."""
        words = _WORDS[spoken]
        self._answer_id, self._history = gr.State(""), gr.State(())
        several = len(self._application.domains) > 1
        self._domain = gr.Dropdown(
            self._domains(spoken), value="", label=words["domain"], visible=several
        )
        self._question = gr.Textbox(
            lines=2, label=words["question"], placeholder=words["hint"], elem_id="answer-question"
        )
        with gr.Row():
            self._send = gr.Button(words["send"], variant="primary", min_width=120)
            self._anew = gr.Button(words["anew"], min_width=120)
        self._said = framed(words["said"], "answer-said")
        Judging(self._counter, self._answer_id, language, spoken)
        with gr.Accordion(words["found"], open=False) as self._found:
            self._passages = gr.HTML("", elem_classes="listed")
        with gr.Accordion(words["listed"], open=False) as self._listed:
            self._documents = gr.HTML(self._documents_in(), elem_classes="listed")
        self._connect(language)

    def _connect(self, language: Any) -> None:
        asked = [self._question, self._domain, self._history, language]
        shown = [self._said, self._passages, self._answer_id, self._history]
        self._send.click(self._ask, asked, shown, **OWN)
        self._question.submit(self._ask, asked, shown, **OWN)
        self._anew.click(
            lambda: ("", "", "", "", ()),
            None,
            [self._question, *shown],
            **OWN,
        )
        labelled = [
            self._domain,
            self._question,
            self._send,
            self._anew,
            self._found,
            self._listed,
            self._said,
        ]
        language.change(self._relabel, language, labelled, **OWN)

    def _domains(self, language: str) -> list[tuple[str, str]]:
        return [(_WORDS[language]["any"], ""), *((n, n) for n in self._application.domains)]

    def _documents_in(self) -> str:
        rows = []
        for name, domain in self._application.domains.items():
            held = domain.search.index.documents()
            rows += [f"{name} · {document.name}" for document in held]
        shown = [html.escape(each) for each in rows[:_SHOWN]]
        rest = [f"… {len(rows) - _SHOWN}"] if len(rows) > _SHOWN else []
        return "<br>".join([*shown, *rest])

    def _ask(
        self, question: str, domain: str, history: History, language: str
    ) -> Iterator[tuple[str, str, str, History]]:
        """The answer as it comes, then with what stands beside it."""
        text = ""
        with told(language):
            earlier = tuple((asked, said) for asked, said in history)
            request = Question(question, domain, earlier)
            for said in self._counter.answers(request):
                if isinstance(said, Answer):
                    # That nothing was found says nothing that a follow-up could lean on.
                    found = said.text if said.details["citations"] else ""
                    after = (*earlier, (question, found))
                    yield view(said, language), passages(said, language), said.id, after
                    return
                text += said
                yield live(html.escape(text)), "", "", history
        yield "", "", "", history

    def _relabel(self, language: str) -> list[Any]:
        words = _WORDS[language]
        return [
            gr.update(label=words["domain"], choices=self._domains(language)),
            gr.update(label=words["question"], placeholder=words["hint"]),
            gr.update(value=words["send"]),
            gr.update(value=words["anew"]),
            gr.update(label=words["found"]),
            gr.update(label=words["listed"]),
            gr.update(label=words["said"]),
        ]


def view(answer: Answer, language: str) -> str:
    """An answer with its citations, the passage around each opening on a click."""
    words, details = _WORDS[language], answer.details
    lines = [f"<div><strong>{html.escape(answer.text)}</strong></div>"]
    shown = {each["number"]: each for each in details.get("passages", [])}
    for cited in details["citations"]:
        around = _marked(shown[cited["number"]], cited)
        lines.append(
            f"<details><summary>[{cited['number']}] {_place(cited, words)}</summary>{around}"
            "</details>"
        )
    beside = [f"{words['sure']} {details['probability']:.0%}"] if "probability" in details else []
    if details["asked"] != answer.episode.prompt:
        beside.append(f"{words['asked']}: {html.escape(details['asked'])}")
    beside += [html.escape(details["notice"])] if details["notice"] else []
    lines.append(f'<small style="opacity:.75">{" · ".join(beside)}</small>')
    return live("".join(lines))


def passages(answer: Answer, language: str) -> str:
    """The passages with their scores, best first: the test of the search."""
    words = _WORDS[language]
    made = []
    for each in answer.details.get("passages", []):
        through = f" · {html.escape(each['through'])}" if each["through"] else ""
        covered = f"{each['covered']:.0%} {words['covered']}{through}"
        scores = ", ".join(f"{name} {score:.3g}" for name, score in each["scores"].items())
        made.append(
            f"<details><summary>{each['number']}. {_place(each, words)} · {words['score']} "
            f"{each['score']:.3g} ({scores}) · {covered}</summary>"
            f"{_passage(html.escape(each['text']))}</details>"
        )
    return "".join(made)


def _place(cited: Mapping[str, Any], words: Mapping[str, str]) -> str:
    name = html.escape(cited["file"])
    if cited["page"]:
        return f"{name} {words['page'].format(cited['page'])}"
    return f"{name}:{cited['line']}"


def _marked(passage: Mapping[str, Any], cited: Mapping[str, Any]) -> str:
    """A passage with the citation marked in it."""
    start, end = (cited[name] - passage["start"] for name in ("start", "end"))
    text = passage["text"]
    before, inside, after = (html.escape(t) for t in (text[:start], text[start:end], text[end:]))
    return _passage(f"{before}<mark>{inside}</mark>{after}")


def _passage(inner: str) -> str:
    return f'<div class="passage">{inner}</div>'
