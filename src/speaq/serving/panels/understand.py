"""Understanding on the page: a text marked and drawn, and a knowledge graph to browse."""

from collections.abc import Mapping
from html import escape
from typing import Any

import gradio as gr

from speaq.apps.knowledge_graph import Entity, KnowledgeGraph
from speaq.apps.understand.application import Understand, UnderstandRequest
from speaq.apps.understand.graph_views import neighbourhood
from speaq.apps.understand.pictures import STYLE, picture
from speaq.apps.understand.results import from_json
from speaq.core.errors import DataError
from speaq.serving.counter import Counter
from speaq.serving.panels.panel import OWN, Judging, told

_WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Understand",
        "text": "Text",
        "hint": "Paste a text: classes, names and relations are marked",
        "tasks": "Tasks",
        "labels": "Own classes: a name = some words about it, one a line",
        "explore": "Try less likely classes (so that clicks can teach)",
        "more": "More",
        "send": "Understand",
        "graph": "Knowledge graph",
        "find": "An entity",
        "equals": "own classes must be written: name = some words about it.",
        "unknown": "nothing of that name is in the graph.",
        "also": "also",
    },
    "zh": {
        "title": "理解",
        "text": "文本",
        "hint": "粘贴一段文本：将标出类别、名称与关系",
        "tasks": "任务",
        "labels": "自定义类别：名称 = 说明，每行一个",
        "explore": "尝试可能性较小的类别（使点击可供学习）",
        "more": "更多",
        "send": "分析",
        "graph": "知识图谱",
        "find": "实体",
        "equals": "自定义类别每行应写作：名称 = 说明。",
        "unknown": "图谱中没有这个名称。",
        "also": "又作",
    },
}
_LISTED = 500
"""Entities that the list offers; others are found by typing their name."""


class UnderstandPanel:
    """The panel's parts and what happens between them."""

    def __init__(self, counter: Counter) -> None:
        application = counter.application
        assert isinstance(application, Understand)
        self._counter = counter
        self._application = application

    def title(self, language: str) -> str:
        """See `Panel`."""
        return _WORDS[language]["title"]

    def lay_out(self, language: Any, spoken: str) -> None:
        """See `Panel`."""
        words = _WORDS[spoken]
        tasks = list(self._application.skills.tasks)
        self._answer_id = gr.State("")
        self._text = gr.Textbox(lines=4, label=words["text"], placeholder=words["hint"])
        self._send = gr.Button(words["send"], variant="primary")
        with gr.Accordion(words["more"], open=False) as self._more:
            self._tasks = gr.CheckboxGroup(tasks, value=tasks, label=words["tasks"])
            self._labels = gr.Textbox(lines=3, label=words["labels"])
            self._explore = gr.Slider(0, 3, value=0, step=0.1, label=words["explore"])
        self._seen = gr.HTML("", apply_default_css=False, elem_classes="seen")
        Judging(self._counter, self._answer_id, language, spoken)
        self._browsed: list[Any] = []
        if self._application.graph is not None:
            self._lay_out_graph(self._application.graph, language, words)
        asked = [self._text, self._tasks, self._labels, self._explore, language]
        self._send.click(self._understand, asked, [self._seen, self._answer_id], **OWN)
        labelled = [
            self._text,
            self._send,
            self._more,
            self._tasks,
            self._labels,
            self._explore,
            *self._browsed,
        ]
        language.change(self._relabel, language, labelled, **OWN)

    def _lay_out_graph(
        self, graph: KnowledgeGraph, language: Any, words: Mapping[str, str]
    ) -> None:
        names = [each.name for each in list(graph.entities.values())[:_LISTED]]
        with gr.Accordion(words["graph"], open=False) as folded:
            find = gr.Dropdown(
                list(dict.fromkeys(names)),
                value=None,
                label=words["find"],
                allow_custom_value=True,
            )
            shown = gr.HTML("", apply_default_css=False, elem_classes="seen")
        find.change(self._browse, [find, language], shown, **OWN)
        self._browsed = [folded, find]

    def _understand(
        self,
        text: str,
        tasks: list[str] | None,
        labels: str | None,
        explore: float,
        language: str,
    ) -> tuple[Any, Any]:
        shown: tuple[Any, Any] = gr.skip(), gr.skip()
        own = self._application.skills.tasks
        with told(language):
            # What stands in a part of the page that nobody opened is None.
            some = () if not tasks or set(tasks) == set(own) else tuple(tasks)
            request = UnderstandRequest(text, some, _described(labels or ""), explore=explore)
            answer = self._counter.answer(request)
            seen = picture(from_json(answer.details))
            shown = f"<style>{STYLE}</style>{seen}", answer.id
        return shown

    def _browse(self, name: str | None, language: str) -> Any:
        graph = self._application.graph
        if not name or graph is None:
            return ""
        shown: Any = gr.skip()
        with told(language):
            found = graph.mentioned(name)
            if not found:
                words = [_WORDS[each]["unknown"] for each in ("en", "zh")]
                raise DataError(*words)
            parts = [_told(graph, each, _WORDS[language]["also"]) for each in found[:3]]
            shown = f"<style>{STYLE}</style>{''.join(parts)}"
        return shown

    def _relabel(self, language: str) -> list[Any]:
        words = _WORDS[language]
        made = [
            gr.update(label=words["text"], placeholder=words["hint"]),
            gr.update(value=words["send"]),
            gr.update(label=words["more"]),
            gr.update(label=words["tasks"]),
            gr.update(label=words["labels"]),
            gr.update(label=words["explore"]),
        ]
        if self._browsed:
            made += [gr.update(label=words["graph"]), gr.update(label=words["find"])]
        return made


def _described(lines: str) -> dict[str, str]:
    """`name = words` lines as descriptions by name.

    Raises:
        DataError: a line without `=`.
    """
    found = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, sign, words = line.partition("=")
        if not (sign and name.strip()):
            raise DataError(*(_WORDS[each]["equals"] for each in ("en", "zh")))
        found[name.strip()] = words.strip()
    return found


def _told(graph: KnowledgeGraph, entity: Entity, also: str) -> str:
    """An entity, its picture, and what is said of it with where."""
    rows = [f"<h4>{escape(entity.name)} <small>{escape(entity.label)}</small></h4>"]
    if len(entity.names) > 1:
        rows.append(f"<p>{also}: {escape(', '.join(entity.names[1:]))}</p>")
    relations = graph.around(entity.id)
    if relations:
        rows.append(neighbourhood(graph, entity))
    for each in relations:
        head, tail = graph.entities[each.head].name, graph.entities[each.tail].name
        rows.append(
            f"<p><strong>{escape(head)} — {escape(each.label)} → {escape(tail)}</strong></p>"
        )
        rows += [
            f"<blockquote>{escape(source.sentence)}<br>"
            f"<small>{escape(source.file)}:{source.start}–{source.end}</small></blockquote>"
            for source in each.sources[:5]
        ]
    return "".join(rows)
