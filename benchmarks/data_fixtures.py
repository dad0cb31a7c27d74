"""What small data files with known faults are made of, in every format and encoding.

Each fixture says how its files are to be recognised and which faults were put where; everything
else that a doctor finds in them is noise. The cases are in
`data_cases.py`; `data_doctor.py` and the tests use them.
"""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Fault = tuple[str, str, int]
"""Kind of finding, file, row."""
Rows = list[tuple[str, ...]]

EN: Rows = [
    ("The soup was warm and the waiter smiled at us all evening.", "positive"),
    ("Our room smelled of smoke and the window would not close.", "negative"),
    ("I would gladly come back for the breakfast alone.", "positive"),
    ("They lost my luggage and nobody apologised for it.", "negative"),
    ("A quiet garden, soft beds and very kind people.", "positive"),
    ("The shower was cold on every single morning we stayed.", "negative"),
    ("My children loved the pool and the small library.", "positive"),
    ("We waited two hours for a table that we had booked.", "negative"),
    ("Best coffee in town, and the view over the lake is lovely.", "positive"),
    ("The bill was wrong three times before they corrected it.", "negative"),
    ("Everything worked as promised and the price was fair.", "positive"),
    ("Dirty carpets, thin walls and a broken lift.", "negative"),
]
ZH: Rows = [
    ("汤很热，服务员整晚都笑着招呼我们。", "好评"),
    ("房间里有烟味，窗户也关不上。", "差评"),
    ("光是为了早餐我也愿意再来一次。", "好评"),
    ("他们弄丢了我的行李，没有人道歉。", "差评"),
    ("花园安静，床铺柔软，工作人员非常友善。", "好评"),
    ("住的每一天早上洗澡水都是冷的。", "差评"),
    ("孩子们很喜欢游泳池和小图书馆。", "好评"),
    ("订好的座位还是等了两个小时。", "差评"),
    ("城里最好的咖啡，湖景也很漂亮。", "好评"),
    ("账单错了三次才改对，太麻烦了。", "差评"),
    ("一切都和承诺的一样，价格公道。", "好评"),
    ("地毯很脏，隔音差，电梯还坏了。", "差评"),
]
PAIRS: Rows = [
    ("Where is the nearest train station?", "最近的火车站在哪里？"),
    ("I would like a cup of tea without sugar.", "我想要一杯不加糖的茶。"),
    ("The museum is closed on Mondays in winter.", "博物馆冬天星期一不开门。"),
    ("She has been learning to paint since last year.", "她从去年开始学画画。"),
    ("Please send the letter before the end of the week.", "请在周末之前把信寄出去。"),
    ("My brother repairs old bicycles in the garage.", "我哥哥在车库里修理旧自行车。"),
    ("It rained so hard that the road was flooded.", "雨下得太大，路都被淹了。"),
    ("Nobody knew why the meeting had been moved.", "没有人知道会议为什么改期。"),
    ("The children built a small house out of snow.", "孩子们用雪堆了一座小房子。"),
    ("We have enough bread for tomorrow's breakfast.", "我们的面包够明天早餐吃。"),
]
Sentence = list[tuple[str, str]]


def _tokens(text: str) -> Sentence:
    """`Anna/B-PER sings/O` as tokens and tags."""
    pieces = [piece.rsplit("/", 1) for piece in text.split()]
    return [(word, tag) for word, tag in pieces]


IOB2 = [
    _tokens("Anna/B-PER Weber/I-PER flew/O to/O Oslo/B-LOC yesterday/O"),
    _tokens("The/O river/O near/O Prague/B-LOC rose/O again/O"),
    _tokens("Tom/B-PER met/O Lisa/B-PER in/O New/B-LOC Haven/I-LOC"),
    _tokens("Nothing/O happened/O while/O Maria/B-PER slept/O"),
    _tokens("Old/O friends/O of/O Peter/B-PER Brown/I-PER live/O in/O Rome/B-LOC"),
    _tokens("Snow/O fell/O on/O Quebec/B-LOC all/O night/O long/O"),
]
IOBES = [
    _tokens("Anna/B-PER Weber/E-PER flew/O to/O Oslo/S-LOC yesterday/O"),
    _tokens("The/O river/O near/O Prague/S-LOC rose/O again/O"),
    _tokens("Tom/S-PER met/O Lisa/S-PER in/O New/B-LOC Haven/E-LOC"),
    _tokens("Nothing/O happened/O while/O Maria/S-PER slept/O"),
    _tokens("Old/O friends/O of/O Peter/B-PER Brown/E-PER live/O in/O Rome/S-LOC"),
    _tokens("Snow/O fell/O on/O Quebec/S-LOC all/O night/O long/O"),
]
CHARACTERS = [
    _tokens("王/B-人 芳/I-人 昨/O 天/O 去/O 了/O 杭/B-地 州/I-地"),
    _tokens("长/B-地 沙/I-地 的/O 雨/O 下/O 了/O 三/O 天/O"),
    _tokens("老/O 同/O 学/O 李/B-人 强/I-人 住/O 在/O 西/B-地 安/I-地"),
    _tokens("孩/O 子/O 们/O 都/O 喜/O 欢/O 张/B-人 敏/I-人 讲/O 故/O 事/O"),
]
SPANS: list[tuple[str, list[tuple[str, str]]]] = [
    ("Anna Weber flew to Oslo yesterday.", [("Anna Weber", "PER"), ("Oslo", "LOC")]),
    ("The river near Prague rose again.", [("Prague", "LOC")]),
    ("Tom met Lisa in New Haven.", [("Tom", "PER"), ("Lisa", "PER"), ("New Haven", "LOC")]),
    ("Old friends of Peter Brown live in Rome.", [("Peter Brown", "PER"), ("Rome", "LOC")]),
    ("Snow fell on Quebec all night long.", [("Quebec", "LOC")]),
]
ZH_SPANS: list[tuple[str, list[tuple[str, str]]]] = [
    ("王芳昨天去了杭州。", [("王芳", "人名"), ("杭州", "地名")]),
    ("长沙的雨下了三天。", [("长沙", "地名")]),
    ("老同学李强住在西安。", [("李强", "人名"), ("西安", "地名")]),
    ("孩子们都喜欢张敏讲故事。", [("张敏", "人名")]),
]
CONTEXTS: list[tuple[str, list[tuple[str, str]]]] = [
    (
        "The old mill on the Green River was built in 1820 by two brothers from Wales.",
        [("When was the mill built?", "1820"), ("Who built it?", "two brothers from Wales")],
    ),
    (
        "Penguins cannot fly, but they swim faster than most fish in the bay.",
        [("What can penguins not do?", "fly"), ("What are they faster than?", "most fish")],
    ),
]
ZH_CONTEXTS: list[tuple[str, list[tuple[str, str]]]] = [
    ("绿河边的老磨坊建于1820年，由威尔士来的两兄弟修建。",
     [("磨坊什么时候修建的？", "1820年"), ("谁修建了它？", "威尔士来的两兄弟")]),
    ("企鹅不会飞，但游得比海湾里的大多数鱼都快。",
     [("企鹅不会什么？", "飞"), ("企鹅比什么游得快？", "海湾里的大多数鱼")]),
]  # fmt: skip


@dataclass(frozen=True)
class Fixture:
    """Files, how they are to be recognised, and what was done to them."""

    name: str
    files: Mapping[str, bytes]
    format: str
    kind: str
    encoding: str
    faults: tuple[Fault, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    """Some of the columns and their roles, checked where given."""
    together: bool = False
    """The two files are one parallel text."""

    def write(self, folder: Path) -> list[Path]:
        """Put the files into a folder of their own and name them in order."""
        home = folder / self.name
        home.mkdir()
        for name, data in self.files.items():
            (home / name).write_bytes(data)
        return [home / name for name in self.files]


def put(rows: Sequence[Any], place: int, row: Any) -> list[Any]:
    """The rows with another one at a place, or behind the last."""
    return [*rows[:place], row, *rows[place + 1 :]]


def text_of(place: int, change: Callable[[str], str], rows: Rows = EN) -> Rows:
    """The rows with one text changed."""
    return put(rows, place, (change(rows[place][0]), *rows[place][1:]))


def table(
    rows: Rows,
    encoding: str = "utf-8",
    delimiter: str = ",",
    names: Sequence[str] = ("text", "label"),
) -> bytes:
    """A table; without names it has no header."""
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerows([names, *rows] if names else rows)
    return stream.getvalue().encode(encoding)


def json_lines(records: Sequence[Any], encoding: str = "utf-8") -> bytes:
    lines = (json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    return "".join(lines).encode(encoding)


def as_json(value: Any, encoding: str = "utf-8") -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode(encoding)


def parquet(records: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    stream = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(records)), stream)
    return stream.getvalue()


def conll(
    sentences: Sequence[Sentence],
    encoding: str = "utf-8",
    delimiter: str = " ",
    labels: Sequence[str] = (),
) -> bytes:
    blocks = []
    for place, sentence in enumerate(sentences):
        lines = [delimiter.join(row) for row in sentence]
        blocks.append("\n".join([*lines, *labels[place : place + 1]]) + "\n")
    return "\n".join(blocks).encode(encoding)


def first_lines(sentences: Sequence[Sentence], labelled: bool = False) -> list[int]:
    """The line of each sentence's first token."""
    lines, line = [], 1
    for sentence in sentences:
        lines.append(line)
        line += len(sentence) + labelled + 1
    return lines


def placed(text: str, mentions: Sequence[tuple[str, str]]) -> list[tuple[int, int, str]]:
    return [(text.index(m), text.index(m) + len(m), label) for m, label in mentions]


def triples(data: Sequence[tuple[str, list[tuple[str, str]]]]) -> list[dict[str, Any]]:
    return [{"text": t, "entities": [list(s) for s in placed(t, m)]} for t, m in data]


def objects(data: Sequence[tuple[str, list[tuple[str, str]]]]) -> list[dict[str, Any]]:
    return [
        {
            "text": text,
            "spans": [
                {"start": start, "end": end, "label": label, "word": text[start:end]}
                for start, end, label in placed(text, mentions)
            ],
        }
        for text, mentions in data
    ]


def mentions_of(data: Sequence[tuple[str, list[tuple[str, str]]]]) -> list[dict[str, Any]]:
    """CLUENER's way: the last character, not the one behind it."""
    made = []
    for text, mentions in data:
        label: dict[str, dict[str, list[list[int]]]] = {}
        for start, end, name in placed(text, mentions):
            label.setdefault(name, {})[text[start:end]] = [[start, end - 1]]
        made.append({"text": text, "label": label})
    return made


def squad(
    contexts: Sequence[tuple[str, list[tuple[str, str]]]],
    change: Callable[[int, dict[str, Any]], None] = lambda number, question: None,
) -> dict[str, Any]:
    """SQuAD 2.0; `change` may alter the questions, counted from 1."""
    number, paragraphs = 0, []
    for context, asked in contexts:
        questions = []
        for question, answer in asked:
            number += 1
            made: dict[str, Any] = {
                "id": f"q{number}",
                "question": question,
                "answers": [{"text": answer, "answer_start": context.index(answer)}],
                "is_impossible": False,
            }
            change(number, made)
            questions.append(made)
        paragraphs.append({"context": context, "qas": questions})
    return {"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}


def tmx(pairs: Rows, encoding: str = "utf-8", declared: str = "") -> bytes:
    units = "".join(
        f'<tu>\n<tuv xml:lang="en"><seg>{en}</seg></tuv>\n<tuv xml:lang="zh"><seg>{zh}</seg></tuv>'
        "\n</tu>\n"
        for en, zh in pairs
    )
    text = (
        f'<?xml version="1.0" encoding="{declared or encoding}"?>\n<tmx version="1.4">\n'
        f'<header srclang="en" segtype="sentence"/>\n<body>\n{units}</body>\n</tmx>\n'
    )
    return text.encode(encoding)


def lines(texts: Sequence[str], encoding: str = "utf-8") -> bytes:
    return "".join(f"{text}\n" for text in texts).encode(encoding)


def side(pairs: Rows, place: int) -> list[str]:
    return [pair[place] for pair in pairs]
