"""How a data file is laid out: its format, encoding, columns, and what its rows are examples of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from speaq.text.files.examples import Kind

Format = Literal["csv", "jsonl", "json", "parquet", "text", "conll", "squad", "parallel", "tmx"]

Role = Literal[
    "text", "label", "tokens", "tags", "spans", "first", "second", "source", "target",
    "id", "question", "context", "answers", "answer_start", "impossible", "part",
]  # fmt: skip
"""What a column is for."""

SpanStyle = Literal["", "triples", "objects", "mentions"]
"""`[start, end, label]`; `{"start": ..., "end": ..., "label": ...}`; CLUENER's
`{label: {mention: [[start, last]]}}`."""

JsonShape = Literal["", "list", "one", "data", "parts", "classes"]
"""A list of records; one record; `{"data": [...]}`; lists by part; lists of texts by class."""


@dataclass(frozen=True)
class Layout:
    """How a file is read, and how it is written again."""

    format: Format
    kind: Kind = "text"
    columns: Mapping[Role, str] = field(default_factory=dict)
    """The name of the column for each role it has; `a.b` is field `b` of the object `a`."""
    encoding: str = "utf-8"
    broken: bool = False
    """Some bytes are no text in this encoding; they are read as U+FFFD."""
    delimiter: str = ""
    """Between the columns of a table or of CoNLL lines."""
    quoted: bool = True
    """Whether quotation marks of a table may hold a delimiter."""
    header: bool = True
    names: tuple[str, ...] = ()
    """The columns of a table in order; those of a table without a header are 1, 2, ..."""
    spans: SpanStyle = ""
    shape: JsonShape = ""
    languages: tuple[str, ...] = ()
    """Of parallel texts, source first, where the file or its name says so."""
    tag_column: int = -1
    """Of CoNLL lines."""


def get(record: Mapping[str, Any], path: str) -> Any:
    """The value at a column, None where there is none."""
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    inner = record.get(head)
    return get(inner, rest) if dot and isinstance(inner, Mapping) else None


def put(record: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the record with another value at a column."""
    if path in record or "." not in path:
        return {**record, path: value}
    head, _, rest = path.partition(".")
    inner = record.get(head)
    return {**record, head: put(inner if isinstance(inner, Mapping) else {}, rest, value)}
