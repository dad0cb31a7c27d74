"""The model card of a fine-tuned folder, written from its facts only."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from speaq.core.language import say

_PIPELINES = {
    "classification": "text-classification",
    "tagging": "token-classification",
    "parsing": "token-classification",
    "reading": "question-answering",
    "writing": "text-generation",
}


def card(facts: Mapping[str, Any], name: str) -> str:
    """The README.md of a folder, in the person's language."""
    kinds = [said["kind"] for said in facts["tasks"].values()]
    front: dict[str, Any] = {"library_name": "transformers", "base_model": facts["origin"]}
    if len(set(kinds)) == 1:
        front["pipeline_tag"] = _PIPELINES[kinds[0]]
    front["tags"] = ["speaq"]
    sections = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---",
        f"# {name}",
        *_what(facts),
        *_tasks(facts),
        *_measures(facts),
        *_floor(facts),
        *_how(facts),
        *_limits(facts),
    ]
    return "\n\n".join(sections) + "\n"


def _what(facts: Mapping[str, Any]) -> Iterator[str]:
    yield say(
        f"Fine-tuned from `{facts['origin']}`; the folder holds `{facts['class']}`.",
        f"由 `{facts['origin']}` 微调而来；目录中是 `{facts['class']}`。",
    )


def _tasks(facts: Mapping[str, Any]) -> Iterator[str]:
    yield say("## What it answers", "## 它回答什么")
    for name, said in facts["tasks"].items():
        labels = said.get("labels") or ()
        shown = ", ".join(map(str, labels[:20])) + (", …" if len(labels) > 20 else "")
        title = f"**{name}**: " if name else ""
        yield f"- {title}{said['kind']}" + (f" ({len(labels)}): {shown}" if labels else "")


def _measures(facts: Mapping[str, Any]) -> Iterator[str]:
    metrics = facts.get("metrics") or {}
    if not metrics:
        return
    yield say("## Metrics", "## 指标")
    head = say("| data | metric | value |", "| 数据 | 指标 | 数值 |")
    rows = [
        f"| {part} | {name} | {_number(value)} |"
        for part, values in metrics.items()
        for name, value in values.items()
        if isinstance(value, int | float | str)
    ]
    yield "\n".join([head, "|---|---|---|", *rows])


def _floor(facts: Mapping[str, Any]) -> Iterator[str]:
    floor = facts.get("floor")
    if not floor:
        return
    yield say("## Beside classical models", "## 与经典模型对比")
    lines = [say("| model | value | seconds |", "| 模型 | 数值 | 秒 |"), "|---|---|---|"]
    lines += [
        f"| {row['method']} | {_number(row['value'])} | {_number(row['seconds'])} |"
        for row in floor["rows"]
    ]
    yield "\n".join(lines)
    yield say(floor["verdict_en"], floor["verdict_zh"])


def _how(facts: Mapping[str, Any]) -> Iterator[str]:
    yield say("## How it was made", "## 如何得到")
    yield "\n".join(
        f"- {name}: `{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"
        for name, value in facts["how"].items()
    )


def _limits(facts: Mapping[str, Any]) -> Iterator[str]:
    yield say("## Limits", "## 局限")
    lines = [
        say(
            "- It knows the labels and the kind of text of its training data, and no others.",
            "- 它只了解训练数据中的标签与文本类型。",
        ),
        say(
            "- It inherits what its origin knows, gets wrong and is biased about.",
            "- 它继承了来源模型的知识、错误与偏见。",
        ),
    ]
    for said in facts["tasks"].values():
        if said["kind"] == "classification" and not said["several"]:
            lines.append(
                say(
                    f"- Confidence is the probability at temperature {said['temperature']:.3g}, "
                    f"fitted on validation data; below {said['threshold']:.3g} the answer is best "
                    'taken for "none of these".',
                    f"- 置信度为温度 {said['temperature']:.3g} 下的概率（在验证数据上拟合）；"
                    f"低于 {said['threshold']:.3g} 时宜视为“以上皆非”。",
                )
            )
    yield "\n".join(lines)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
