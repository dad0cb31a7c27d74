"""Training examples out of data files, whatever their format.

Instruction data are recognised by their columns: `conversations` (ShareGPT), `instruction` and
`output` (Alpaca), `messages` (OpenAI); relations by marks in the text, `<e1>...</e1>` and
`<e2>...</e2>`, or by columns `head` and `tail` that hold [start, end]. Everything else is read by
`speaq.text.files.data_files`.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal, cast, get_args

from speaq.core.errors import DataError, SettingsError
from speaq.models.chat import Message
from speaq.text.files import data_files
from speaq.text.files import examples as shapes
from speaq.text.files.conllu import read_trees
from speaq.text.files.layouts import Role
from speaq.text.files.readers import Row, open_bytes, read_rows, suffix_of
from speaq.text.tagging import Stretch, convert, encode
from speaq.text.units import HAN
from speaq.training.supervised.examples import (
    Answer,
    Dialogue,
    Example,
    Labelled,
    Parsed,
    Question,
    Related,
    Span,
    Tagged,
    written,
)
from speaq.training.supervised.preparing import Examples

Task = Literal[
    "auto",
    "classification",
    "multi-label",
    "pairs",
    "relations",
    "tagging",
    "parsing",
    "reading",
    "writing",
]
_TYPES: dict[str, type] = {
    "classification": Labelled,
    "multi-label": Labelled,
    "pairs": Labelled,
    "relations": Related,
    "tagging": Tagged,
    "parsing": Parsed,
    "reading": Question,
    "writing": Dialogue,
}
_SPEAKERS = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "model": "assistant",
    "system": "system",
    "tool": "tool",
    "observation": "tool",
    "function": "tool",
    "function_call": "assistant",
}
_MARKED = re.compile(r"<(/?)e([12])>")
_PIECE = re.compile(rf"[{HAN}]|[^\W_{HAN}]+|[^\w\s]|_")
_TABLES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


def read_training(
    paths: str | Path | Sequence[str | Path],
    task: Task = "auto",
    columns: Mapping[Role, str] | None = None,
) -> list[Example]:
    """The examples of a file, or of a source and its translation.

    Args:
        paths: one file or two.
        task: what they are for; auto takes what the file looks like.
        columns: names of columns by role, where they are not found by themselves.

    Raises:
        DataError: no such file, an empty one, a bad row, or examples of another task.
    """
    files = [paths] if isinstance(paths, str | Path) else list(paths)
    if task == "parsing":
        return [
            Parsed(each.words, each.parts, each.heads, each.relations, each.row)
            for file in files
            for each in read_trees(file)
        ]
    made = _special(Path(files[0]), task) if len(files) == 1 else None
    if made is None:
        found = data_files.read_examples(*files, columns=columns)
        made = [example for each in found if (example := _converted(each, task)) is not None]
    if not made:
        raise DataError("the file holds no examples.", "文件中没有样本。", file=files[0])
    wanted = _TYPES.get(task)
    if wanted is not None and not isinstance(made[0], wanted):
        held = next(name for name, kind in _TYPES.items() if isinstance(made[0], kind))
        raise DataError(
            f"the file looks like {held}, not like {task}; name its columns, or leave out the "
            "task.",
            f"该文件看起来用于 {held}，而不是 {task}；请指明列名，或去掉 task。",
            file=files[0],
        )
    return made


def _special(path: Path, task: Task) -> list[Example] | None:
    """The examples of a file of instructions or relations; None if it is neither."""
    if not path.is_file() or suffix_of(path) not in _TABLES:
        return None
    first = next(iter(islice(read_rows(path), 1)), None) if _rows_of_records(path) else None
    if first is None:
        return None
    make = _maker(first[1])
    if make is None:
        return None
    made = []
    for row in read_rows(path):
        try:
            made.append(make(row))
        except DataError as error:
            raise error if error.file else _placed(error, path, row[0]) from error
    return made


def _rows_of_records(path: Path) -> bool:
    """Whether a JSON file is a list of records rather than, say, SQuAD's one object."""
    if suffix_of(path) != ".json":
        return True
    with open_bytes(path) as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] == b"["


def _placed(error: DataError, path: Path, row: int) -> DataError:
    return DataError(error.en, error.zh, file=path, row=row)


def _maker(record: Mapping[str, Any]) -> Callable[[Row], Example] | None:
    if isinstance(record.get("conversations"), list):
        return lambda row: Dialogue(_said(row, "conversations", "from", "value"), row[0])
    if isinstance(record.get("messages"), list):
        return lambda row: Dialogue(_said(row, "messages", "role", "content"), row[0])
    if {"instruction", "output"} <= set(record):
        return _instruction
    text = record.get("text") or record.get("sentence")
    if isinstance(text, str) and {mark[1] for mark in _MARKED.findall(text)} == {"1", "2"}:
        return _marked
    if {"text", "head", "tail", "label"} <= set(record):
        return _related
    return None


def _said(row: Row, column: str, who: str, what: str) -> tuple[Message, ...]:
    messages = []
    for number, each in enumerate(row[1][column], 1):
        speaker = _SPEAKERS.get(str(each.get(who))) if isinstance(each, Mapping) else None
        text = each.get(what) if isinstance(each, Mapping) else None
        if speaker is None or not isinstance(text, str):
            raise DataError(
                f"message {number} must hold '{who}' (one of {', '.join(_SPEAKERS)}) and a text "
                f"'{what}'.",
                f"第 {number} 条消息须含 '{who}'（{'、'.join(_SPEAKERS)} 之一）与文本 '{what}'。",
                row=row[0],
                field=column,
            )
        messages.append(Message(cast(Any, speaker), text))
    return tuple(messages)


def _instruction(row: Row) -> Dialogue:
    number, record = row
    messages = []
    if record.get("system"):
        messages.append(Message("system", str(record["system"])))
    for asked, answered in record.get("history") or ():
        messages += [Message("user", str(asked)), Message("assistant", str(answered))]
    given = [str(record[name]) for name in ("instruction", "input") if record.get(name)]
    messages += [Message("user", "\n".join(given)), Message("assistant", str(record["output"]))]
    return Dialogue(tuple(messages), number)


def _marked(row: Row) -> Related:
    number, record = row
    text = str(record.get("text") or record.get("sentence"))
    label = record.get("label") or record.get("relation")
    plain, done = "", 0
    at: dict[str, int] = {}
    for mark in _MARKED.finditer(text):
        plain += text[done : mark.start()]
        done = mark.end()
        at[mark.group(1) + mark.group(2)] = len(plain)
    if set(at) != {"1", "/1", "2", "/2"} or not isinstance(label, str):
        raise DataError(
            "expected one <e1>...</e1>, one <e2>...</e2> and a label.",
            "应有一处 <e1>...</e1>、一处 <e2>...</e2> 和一个标签。",
            row=number,
        )
    return Related(plain + text[done:], (at["1"], at["/1"]), (at["2"], at["/2"]), label, number)


def _related(row: Row) -> Related:
    number, record = row
    spans = []
    for name in ("head", "tail"):
        value = record.get(name)
        if not isinstance(value, list) or [type(each) for each in value] != [int, int]:
            raise DataError(
                "expected [start, end] in characters.",
                "应为字符位置 [开始, 结束]。",
                row=number,
                field=name,
            )
        spans.append((value[0], value[1]))
    return Related(str(record["text"]), spans[0], spans[1], str(record["label"]), number)


def _converted(example: shapes.Example, task: Task) -> Example | None:
    """What a file's example is to a trainer; None for one that is not labelled."""
    row = example.place.row
    try:
        return _as_example(example, task, row)
    except DataError as error:
        raise DataError(error.en, error.zh, file=example.place.file, row=row) from error


def _as_example(example: shapes.Example, task: Task, row: int) -> Example | None:
    match example:
        case shapes.Labelled(text=text, labels=labels):
            return Labelled(text, labels, None, row) if labels or task == "multi-label" else None
        case shapes.Pair(first=first, second=second, label=label):
            if task == "writing":
                return written(first, second, row)
            return Labelled(first, (label,), second, row) if label else None
        case shapes.Tagged(tokens=tokens, tags=tags, label=label):
            if task == "classification":
                return Labelled(" ".join(tokens), (label,), None, row)
            return Tagged(tokens, tuple(convert(tags)), row)
        case shapes.Spans():
            return tagged_spans(example)
        case shapes.Parallel(source=source, target=target):
            return written(source, target, row)
        case shapes.Question(question=question, context=context, id=name):
            answers = tuple(Answer(each.start, each.text) for each in example.answers)
            return Question(question, context, answers, name, row)
        case shapes.Text():
            raise DataError(
                "the file holds texts without labels; speaq pretrain learns from those.",
                "文件只含无标签的文本；这类数据请用 speaq pretrain。",
            )


def pieces(text: str) -> list[Span]:
    """The places of what is tagged in a text: words, marks, and single Chinese characters."""
    return [match.span() for match in _PIECE.finditer(text)]


def tagged_spans(example: shapes.Spans) -> Tagged:
    """Stretches of characters as tags of words, or of single Chinese characters.

    Raises:
        DataError: a stretch that begins or ends inside of a word, or crosses another.
    """
    places = pieces(example.text)
    starts = {start: n for n, (start, _) in enumerate(places)}
    ends = {end: n + 1 for n, (_, end) in enumerate(places)}
    found: list[Stretch] = []
    for span in sorted(example.spans, key=lambda each: (each.start, -each.end)):
        if span.start not in starts or span.end not in ends:
            raise DataError(
                f"the stretch {span.start}-{span.end} ('{example.text[span.start : span.end]}') "
                "begins or ends inside of a word; speaq data clean mends it.",
                f"片段 {span.start}-{span.end}（“{example.text[span.start : span.end]}”）"
                "的边界落在词内；speaq data clean 可修正。",
                field="spans",
            )
        first, last = starts[span.start], ends[span.end]
        # Of stretches inside of each other the longest is kept.
        if not found or first >= found[-1].end:
            found.append(Stretch(first, last, span.label))
    words = tuple(example.text[start:end] for start, end in places)
    return Tagged(words, tuple(encode(found, len(words))), example.place.row)


def examples_of(
    training: Sequence[str | Path],
    validation: Sequence[str | Path],
    test: Sequence[str | Path],
    task: str,
    out_of_scope: str,
) -> Examples:
    """The examples of a task's files.

    Args:
        training: one file, or a source and its translation.
        validation: likewise, or nothing.
        test: likewise, or nothing.
        task: see `Task`.
        out_of_scope: the label of texts of no class; they are taken out, and those of the test
            and validation files kept apart.

    Raises:
        SettingsError: an unknown task.
        DataError: what `read_training` raises.
    """
    if task not in get_args(Task):
        near = difflib.get_close_matches(task, get_args(Task), n=1, cutoff=0.0)[0]
        raise SettingsError(
            f"there is no task '{task}'; did you mean '{near}'?",
            f"没有任务“{task}”；是否想用“{near}”？",
        )
    known = cast(Task, task)
    parts = [read_training(files, known) if files else [] for files in (training, validation, test)]
    if not out_of_scope:
        return Examples(parts[0], parts[1], parts[2])
    outside: list[Labelled] = []
    inside: list[list[Example]] = []
    for number, part in enumerate(parts):
        stray = [e for e in part if isinstance(e, Labelled) and out_of_scope in e.labels]
        inside.append(
            [e for e in part if not (isinstance(e, Labelled) and out_of_scope in e.labels)]
        )
        outside += stray if number else []
    return Examples(inside[0], inside[1], inside[2], outside)
