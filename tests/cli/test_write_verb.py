"""speaq write and its actions, from the command line."""

import csv

from speaq.experience.store import ExperienceStore


def test_it_writes_and_keeps(speaq, spoken, tmp_path):
    words = ("--topic", "sea", "--keywords", "ship", "--length", 8, "--seed", 1)
    code, out, err = speaq("write", "new:tiny", *words, "--store", "kept.sqlite")
    assert code == 0
    assert "ship" in out
    with ExperienceStore("kept.sqlite") as store:
        [episode] = store.episodes()
    assert episode.app == "write"
    assert episode.reply == out.strip()
    assert ("已存入" if spoken == "zh" else "kept as") in err


def test_what_cannot_be_written_is_one_sentence(speaq, spoken):
    code, out, err = speaq("write", "new:tiny", "--topic", " ")
    assert code != 0
    assert out == ""
    assert ("主题为空" if spoken == "zh" else "topic is empty") in err


def test_verse(speaq, spoken):
    words = ("--topic", "春", "--kind", "poem", "--form", "wujue", "--seed", 0)
    code, out, err = speaq("write", "new:tiny", *words)
    assert code == 0
    assert [len(line) for line in out.split()] == [12, 12]
    assert ("格式合格" if spoken == "zh" else "form kept") in err


def test_polish(speaq, spoken, tmp_path):
    (tmp_path / "a.txt").write_text("It is an dog. It is an dog. We go.\n", encoding="utf-8")
    code, out, err = speaq("write", "polish", "a.txt", "--out", "b.txt")
    assert (code, out) == (0, "")
    assert (tmp_path / "b.txt").read_text(encoding="utf-8").startswith("It is a dog.")
    assert ("已改" if spoken == "zh" else "mended") in err
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    assert speaq("write", "polish", "empty.txt")[0] != 0


def test_report(speaq, tmp_path):
    (tmp_path / "a.txt").write_text("春眠不觉晓。\n处处闻啼鸟。\n", encoding="utf-8")
    words = ("a.txt", "--training", "a.txt", "--model", "new:tiny")
    code, out, _ = speaq("write", "report", *words)
    assert code == 0
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert rows["texts"] == "2"
    assert rows["copied_characters"] == "6"
    assert float(rows["bits_per_byte"]) > 0


def test_digests_of_a_file_are_measured(speaq, spoken, tmp_path):
    with (tmp_path / "news.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.writer(stream)
        table.writerow(["text", "summary"])
        table.writerow(["The dam broke. It rained. A cat slept. All ran.", "The dam broke."])
        table.writerow(["大坝决口。下了雨。猫睡了。人跑了。", "大坝决口。"])
    code, out, _ = speaq("write", "digest", "new:tiny", "news.csv", "--length", 6)
    assert code == 0
    assert "rouge_l" in out
    assert ("不值得用模型" if spoken == "zh" else "not worth it") in out


def test_actions_and_options_are_listed(speaq):
    assert "repair-train" in speaq("write", "--help")[1]
    assert "--training" in speaq("write", "report", "--help")[1]
