"""Examples out of files of every kind, and the row that is to blame where one cannot be read."""

import json

import pytest

from speaq.core.errors import DataError, SettingsError
from speaq.models.chat import Message
from speaq.training.supervised.examples import (
    Answer,
    Dialogue,
    Labelled,
    Question,
    Related,
    Tagged,
    written,
)
from speaq.training.supervised.files import examples_of, read_training


def put(path, content, encoding="utf-8"):
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding=encoding)
    return path


def lines(path, *records):
    return put(path, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in records))


@pytest.mark.parametrize("encoding", ["utf-8", "gbk"])
def test_classes(encoding, tmp_path):
    rows = "".join(f"酒店很好第{n}次,好评\n房间太小第{n}次,差评\n" for n in range(4))
    found = read_training(put(tmp_path / "a.csv", "文本,标签\n" + rows, encoding))
    assert found[0] == Labelled("酒店很好第0次", ("好评",), None, 2)
    assert len(found) == 8


def test_pairs_become_two_texts_or_an_answer(tmp_path):
    file = lines(
        tmp_path / "p.jsonl",
        {"premise": "a man runs", "hypothesis": "he moves", "label": "yes"},
        {"premise": "一个人在跑", "hypothesis": "他不动", "label": "no"},
    )
    assert read_training(file)[1] == Labelled("一个人在跑", ("no",), "他不动", 2)
    assert read_training(file, "writing")[0] == written("a man runs", "he moves", 1)


def test_tags_of_other_schemes_become_iob2(tmp_path):
    file = put(tmp_path / "t.conll", "北 B-LOC\n京 E-LOC\n好 O\n\n上 B-LOC\n海 E-LOC\n")
    found = read_training(file)
    assert found[0] == Tagged(("北", "京", "好"), ("B-LOC", "I-LOC", "O"), found[0].row)


def test_spans_become_tags_of_words_and_of_characters(tmp_path):
    file = lines(
        tmp_path / "s.jsonl",
        {"text": "I flew to New York.", "entities": [[10, 18, "city"]]},
        {"text": "我去北京GPT大会", "entities": [[2, 4, "city"], [4, 9, "event"]]},
    )
    english, chinese = read_training(file)
    assert english.words == ("I", "flew", "to", "New", "York", ".")
    assert english.tags == ("O", "O", "O", "B-city", "I-city", "O")
    assert chinese.words == ("我", "去", "北", "京", "GPT", "大", "会")
    assert chinese.tags == ("O", "O", "B-city", "I-city", "B-event", "I-event", "I-event")
    cut = lines(tmp_path / "c.jsonl", {"text": "New York", "entities": [[0, 6, "city"]]})
    with pytest.raises(DataError, match=r"row 1: .*begins or ends inside of a word"):
        read_training(cut)


def test_questions(tmp_path):
    asked = {"id": "1", "question": "哪里？", "answers": [{"text": "北京", "answer_start": 1}]}
    none = {"id": "2", "question": "谁？", "answers": [], "is_impossible": True}
    data = {"data": [{"paragraphs": [{"context": "在北京。", "qas": [asked, none]}]}]}
    found = read_training(put(tmp_path / "q.json", data))
    assert found[0] == Question("哪里？", "在北京。", (Answer(1, "北京"),), "1", found[0].row)
    assert found[1].answers == ()


def test_instructions_of_three_kinds_say_the_same(tmp_path):
    talk = (Message("system", "简短"), Message("user", "你好"), Message("assistant", "好"))
    sharegpt = [{"from": "system", "value": "简短"}, {"from": "human", "value": "你好"},
                {"from": "gpt", "value": "好"}]  # fmt: skip
    openai = [{"role": each.speaker, "content": each.text} for each in talk]
    alpaca = {"instruction": "你好", "input": "", "output": "好", "system": "简短"}
    files = [
        put(tmp_path / "a.json", [{"conversations": sharegpt}]),
        lines(tmp_path / "b.jsonl", {"messages": openai}),
        put(tmp_path / "c.json", [alpaca]),
    ]
    for file in files:
        assert read_training(file) == [Dialogue(talk, 1)]
    history = lines(
        tmp_path / "d.jsonl",
        {"instruction": "c", "input": "d", "output": "e", "history": [["a", "b"]]},
    )
    [found] = read_training(history)
    assert [each.text for each in found.messages] == ["a", "b", "c\nd", "e"]
    assert (found.source, found.answer) == ("a\nb\nc\nd", "e")


def test_a_conversation_without_an_answer_names_its_row(tmp_path):
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    file = lines(tmp_path / "m.jsonl", good, {"messages": [{"role": "user", "content": "a"}]})
    with pytest.raises(DataError, match=r"m.jsonl, row 2: .*no answer to learn"):
        read_training(file)
    odd = lines(tmp_path / "o.jsonl", good, {"messages": [{"role": "nobody", "content": "a"}]})
    with pytest.raises(DataError, match=r"o.jsonl, row 2: .*message 1 must hold 'role'"):
        read_training(odd)


def test_relations_by_marks_and_by_places(tmp_path):
    marked = lines(
        tmp_path / "r.jsonl",
        {"text": "The <e2>cat</e2> ate the <e1>fish</e1>.", "label": "eat(e2,e1)"},
    )
    placed = lines(
        tmp_path / "s.jsonl",
        {"text": "The cat ate the fish.", "head": [16, 20], "tail": [4, 7], "label": "eat(e2,e1)"},
    )
    wanted = [Related("The cat ate the fish.", (16, 20), (4, 7), "eat(e2,e1)", 1)]
    assert read_training(marked) == read_training(placed) == wanted
    bad = lines(
        tmp_path / "b.jsonl",
        {"text": "The cat", "head": [0, 3], "tail": [4, 99], "label": "x"},
    )
    with pytest.raises(DataError, match=r"row 1.*does not lie in a text of 7"):
        read_training(bad)


def test_translations_of_two_files(tmp_path):
    source = put(tmp_path / "t.en", "a cat\na dog\n")
    target = put(tmp_path / "t.zh", "一只猫\n一条狗\n")
    assert read_training([source, target])[1] == written("a dog", "一条狗", 2)


def test_out_of_scope_texts_are_kept_apart(tmp_path):
    rows = "text,label\n" + "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(8))
    train = put(tmp_path / "a.csv", rows + "what,oos\n")
    test = put(tmp_path / "b.csv", rows + "why,oos\nwho,oos\n")
    parts = examples_of([train], [], [test], "auto", "oos")
    assert {each.labels[0] for each in parts.training} == {"a", "b"}
    assert len(parts.test) == 8
    assert [each.text for each in parts.outside] == ["why", "who"]


def test_empty_and_unlabelled_files_and_unknown_tasks_are_refused(tmp_path):
    with pytest.raises(DataError):
        read_training(put(tmp_path / "e.csv", ""))
    with pytest.raises(DataError, match="texts without labels"):
        read_training(put(tmp_path / "e.txt", "just text\nmore text\n"))
    with pytest.raises(DataError, match="no such file"):
        read_training(tmp_path / "missing.csv")
    with pytest.raises(SettingsError, match="did you mean 'classification'"):
        examples_of(["x"], [], [], "classificatoin", "")
