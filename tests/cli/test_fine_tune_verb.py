"""speaq fine-tune and speaq floor, in English and Chinese, from file to folder."""

import json

import pytest

from speaq.core.runs import RunFolder

NEW = "new:encoder?layers=1&hidden=32&heads=2&context=40&dropout=0"
QUICK = ("--loop.batch-size", 8, "--loop.lr", 3e-3, "--loop.head-lr", 3e-3, "--epochs", 15)


def table(path, language="en", count=6):
    sentence, encoding = ("I like {} {}", "utf-8") if language == "en" else ("我喜欢{}{}", "gbk")
    words = [("red", "colour"), ("blue", "colour"), ("fig", "fruit"), ("plum", "fruit")]
    if language == "zh":
        words = [("红色", "颜色"), ("蓝色", "颜色"), ("苹果", "水果"), ("李子", "水果")]
    rows = "".join(f"{sentence.format(w, n)},{label}\n" for n in range(count) for w, label in words)
    path.write_text("text,label\n" + rows, encoding=encoding)
    return path


def conll(path):
    rows = [f"give O\nme O\n{w} B-{k}\n\n" for w, k in (("red", "c"), ("blue", "c"), ("fig", "f"))]
    path.write_text("".join(rows * 8), encoding="utf-8")
    return path


@pytest.mark.parametrize("spoken", ["en", "zh"], indirect=True)
def test_a_table_becomes_a_model_beside_its_floor(spoken, speaq, tmp_path):
    train, test = table(tmp_path / "a.csv", spoken), table(tmp_path / "b.csv", spoken, 3)
    words = ("fine-tune", NEW, train, "--test", test, "--folder", "run", *QUICK, "--patience", 0)
    code, out, err = speaq(*words)
    assert code == 0
    assert "test: accuracy 1.0000" in out
    verdict, held = (
        ("does not win: 1 against 1 of", "2 of 24 training examples validate instead")
        if spoken == "en"
        else ("没有胜出：1", "24 个训练样本中的 2 个用于验证")
    )
    assert verdict in out and held in err
    facts = json.loads((tmp_path / "run" / "model" / "speaq.json").read_text(encoding="utf-8"))
    assert facts["metrics"]["test"]["accuracy"] == 1.0
    # The same command goes on from where it ended; another setting is another run.
    assert speaq(*words)[0] == 0
    code, _, err = speaq(*words, "--dropout", 0.3)
    assert code == 2 and "run" in err


def test_settings_come_from_yaml_and_the_loop_suits_what_is_trained(speaq, tmp_path):
    table(tmp_path / "a.csv")
    (tmp_path / "s.yaml").write_text("fine_tune:\n  strategy: lora\n  epochs: 1\nfloor: false\n")
    assert speaq("fine-tune", NEW, "a.csv", "--config", "s.yaml", "--folder", "one")[0] == 0
    settings = RunFolder.reopen(tmp_path / "one")
    text = (settings.path / "settings.yaml").read_text()
    assert "strategy: lora" in text and "lr: 0.0005" in text
    assert speaq("fine-tune", NEW, "a.csv", "--epochs", 1, "--no-floor", "--folder", "two")[0] == 0
    assert "lr: 0.0005" in (tmp_path / "two" / "settings.yaml").read_text()


def test_several_tasks_and_writing(speaq, tmp_path):
    table(tmp_path / "a.csv")
    conll(tmp_path / "t.conll")
    code, out, _ = speaq(
        "fine-tune", NEW, "what=a.csv", "words=t.conll", "--folder", "many", *QUICK
    )
    assert code == 0
    assert "what: accuracy" in out and "words: f1" in out and "alone" in out
    talk = [{"instruction": w, "input": "", "output": w.upper()} for w in "abcdefgh"]
    (tmp_path / "talk.json").write_text(json.dumps(talk))
    code, out, _ = speaq(
        "fine-tune", "new:gpt2-tiny", "talk.json", "--epochs", 1, "--folder", "talk",
        "--decoding.max-new-tokens", 4,
    )  # fmt: skip
    assert code == 0
    assert "chrf" in out and "lead-3" in out and "signature nrefs:1" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a.csv", "--task", "tagging"), "looks like classification, not like tagging"),
        (("what=a.csv", "a.csv"), "either all files have a task's name"),
        (("nothing.csv",), "there is no such file"),
        ((), "name a training file"),
        (("a.csv", "--last-layers", "0"), "last_layers"),
        (("one.csv",), "nothing to tell apart"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(words, said, speaq, tmp_path):
    table(tmp_path / "a.csv")
    (tmp_path / "one.csv").write_text("text,label\na b,x\nc d,x\ne f,x\n")
    code, _, err = speaq("fine-tune", NEW, *words, "--epochs", 1, "--no-floor", "--folder", "run")
    assert code == 2 and said in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_floors_alone(speaq, tmp_path):
    table(tmp_path / "a.csv", "zh")
    code, out, err = speaq("floor", "a.csv", "--compact", "small.npz")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "model",
        "naive-bayes",
        "svm",
        "compact",
    ]
    assert (tmp_path / "small.npz").stat().st_size < 10_000 and "validate instead" in err
    conll(tmp_path / "t.conll")
    assert "crf" in speaq("floor", "t.conll", "--test", "t.conll")[1]
    rows = "".join(f"{n},{n % 4}\n" for n in range(80))
    (tmp_path / "s.csv").write_text("ds,y\n" + rows)
    code, out, _ = speaq(
        "floor", "s.csv", "--column", "y", "--series.season", 4, "--series.horizon", 4
    )
    assert code == 0 and "mse 0, mae 0, mase 0" in out
    code, _, err = speaq("floor", "s.csv", "--column", "z")
    assert code == 2 and "row 2, field 'z'" in err


def test_a_class_that_training_never_showed_has_no_floor(speaq, tmp_path):
    table(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("text,label\nI like tea,drink\n")
    code, out, err = speaq("floor", "a.csv", "--test", "b.csv")
    assert (code, out) == (2, "") and "'drink' (1)" in err
