"""The model card: what a folder holds and how it came about, written from facts only."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from speaq.core.language import say
from speaq.models.language_model import LanguageModel

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def card(model: LanguageModel, causal: "PreTrainedModel", fingerprint: str) -> str:
    """The README.md of a model folder, in the person's language.

    Args:
        model: its origin, history, head and facts are told; facts that no section knows are
            printed as they are.
        causal: what the folder holds; `model`'s own, or a copy with its LoRA merged.
        fingerprint: of the weights in the folder.
    """
    front = {
        "library_name": "transformers",
        "pipeline_tag": "text2text-generation" if model.reads_source else "text-generation",
        "base_model": model.origin.source,
        "tags": ["speaq"],
    }
    sections = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---",
        f"# {model.name}",
        *_what(model, causal, fingerprint),
        *_history(model),
        *_metrics(model.facts.get("metrics")),
        *_gate(model.facts.get("gate")),
        *_others(model.facts),
        *_limits(model),
    ]
    return "\n\n".join(sections) + "\n"


def _what(model: LanguageModel, causal: "PreTrainedModel", fingerprint: str) -> Iterator[str]:
    yield say("## What it is", "## 这是什么")
    size = sum(weight.numel() for weight in causal.parameters())
    table, (vocabulary, hidden) = model.output_table.dtype, model.plain_layer.weight.shape
    kind = causal.config.model_type
    precision = str(table).removeprefix("torch.")
    yield say(
        f"A {kind} language model: {size:,} numbers in {precision}, hidden size {hidden:,}, "
        f"{vocabulary:,} tokens. Origin: `{model.origin.source}`. Weights: `{fingerprint}`.",
        f"{kind} 语言模型：{size:,} 个参数（{precision}），隐状态维度 {hidden:,}，"
        f"词表 {vocabulary:,}。来源：`{model.origin.source}`。权重指纹：`{fingerprint}`。",
    )
    if model.head is not None:
        settings = model.head.settings
        yield say(
            f"`value_head.safetensors` holds a {settings.kind} value head of {settings.members} "
            f"member(s), combined by {settings.combine}; without speaq the folder is the policy "
            "it guides, unguided.",
            f"`value_head.safetensors` 是 {settings.kind} 价值头，成员数 {settings.members}，"
            f"以 {settings.combine} 组合；不使用 speaq 时，此目录即未经引导的策略模型。",
        )


def _history(model: LanguageModel) -> Iterator[str]:
    if not model.origin.history:
        return
    yield say("## How it was made", "## 如何得到")
    for number, step in enumerate(model.origin.history, 1):
        rest = {name: value for name, value in step.items() if name != "step"}
        rows = "\n".join(f"   - {name}: `{_short(value)}`" for name, value in rest.items())
        yield f"{number}. **{step.get('step', '?')}**\n{rows}"


def _metrics(metrics: Any) -> Iterator[str]:
    if not isinstance(metrics, Mapping) or not metrics:
        return
    yield say("## Metrics", "## 指标")
    head = say("| metric | value | interval |", "| 指标 | 数值 | 区间 |")
    rows = []
    for name, value in metrics.items():
        if isinstance(value, Mapping) and {"value", "low", "high"} <= set(value):
            interval = f"[{_number(value['low'])}, {_number(value['high'])}]"
            rows.append(f"| {name} | {_number(value['value'])} | {interval} |")
        else:
            rows.append(f"| {name} | {_number(value)} | |")
    yield "\n".join([head, "|---|---|---|", *rows])


def _gate(report: Any) -> Iterator[str]:
    if not isinstance(report, Mapping) or not report.get("rows"):
        return
    yield say("## Gate: what was predicted before release", "## 闸门：发布前的预测")
    data, level = report.get("data", "?"), report.get("level")
    percent = f"{level:.0%}" if isinstance(level, float) else "?"
    yield say(
        f"From {report.get('episodes', '?')} logged episodes (data `{data}`), off-policy; "
        f"intervals at {percent}.",
        f"依据 {report.get('episodes', '?')} 条日志片段（数据 `{data}`）离线估计；"
        f"置信度 {percent}。",
    )
    head = say(
        "| β | predicted | interval | effective episodes | KL, nats | verdict |",
        "| β | 预测 | 区间 | 有效片段数 | KL（nats） | 结论 |",
    )
    lines = [head, "|---|---|---|---|---|---|"]
    for row in report["rows"]:
        reason = row.get(say("reason_en", "reason_zh"), "")
        lines.append(
            f"| {_number(row.get('beta'))} | {_number(row.get('predicted'))} "
            f"| [{_number(row.get('low'))}, {_number(row.get('high'))}] "
            f"| {_number(row.get('ess'))} | {_number(row.get('kl'))} "
            f"| {row.get('verdict', '?')}: {reason} |"
        )
    yield "\n".join(lines)


def _others(facts: Mapping[str, Any]) -> Iterator[str]:
    rest = {name: value for name, value in facts.items() if name not in ("metrics", "gate")}
    if rest:
        yield say("## Other facts", "## 其他记录")
        yield "\n".join(f"- {name}: `{_short(value)}`" for name, value in rest.items())


def _limits(model: LanguageModel) -> Iterator[str]:
    yield say("## Limits", "## 局限")
    lines = [
        say(
            "- It inherits what its origin knows, gets wrong and is biased about.",
            "- 它继承了来源模型的知识、错误与偏见。",
        )
    ]
    if model.origin.history:
        lines.append(
            say(
                "- It was made to earn the reward of the log named above. What that reward does "
                "not see was not improved, and may have got worse.",
                "- 它以上述日志中的奖励为目标；奖励看不到的方面没有改进，也可能变差。",
            )
        )
    if model.facts.get("gate"):
        lines.append(
            say(
                "- The gate speaks about prompts like those of its log, and about no others.",
                "- 闸门的预测只适用于与其日志相似的提示。",
            )
        )
    else:
        lines.append(
            say(
                "- No gate has judged it: nothing is known about what it would earn.",
                "- 尚未经过闸门评估：其收益未知。",
            )
        )
    yield "\n".join(lines)


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
