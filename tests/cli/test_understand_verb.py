"""speaq understand from the command line."""

import json

import pytest

from speaq.cli import understand
from speaq.core.errors import DataError, SettingsError
from speaq.experience.store import ExperienceStore


def test_train_text_and_evaluate(tmp_path, capsys):
    skills, file = tmp_path / "skills", tmp_path / "tone.csv"
    rows = [f"{('lovely', 'awful')[n % 2]} {n},{('good', 'bad')[n % 2]}" for n in range(40)]
    file.write_text("\n".join(["text,label", *rows]))
    understand.main(["train", str(skills), f"tone={file}"])
    assert "tone (svm): accuracy 1.0000" in capsys.readouterr().out
    store = tmp_path / "store.sqlite"
    understand.main(["text", str(skills), "a lovely day", "--json", "--store", str(store)])
    said = json.loads(capsys.readouterr().out)
    assert said["labels"]["tone"]["given"][0]["label"] == "good"
    with ExperienceStore(str(store)) as kept:
        assert kept.get(said["id"]).tags["label"] == "good"
    understand.main(["evaluate", str(skills), "tone", str(file)])
    assert "accuracy 1.0000" in capsys.readouterr().out


def test_pictures_and_lines_of_rules(tmp_path, capsys):
    page = tmp_path / "seen.html"
    understand.main(["text", "rules", "花了300元", "--html", str(page)])
    assert "money" in capsys.readouterr().out
    assert "300元<small>money" in page.read_text(encoding="utf-8")


def test_a_graph_is_built_exported_and_asked(tmp_path, capsys):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("花了300元。write to a@b.cn", encoding="utf-8")
    graph = str(tmp_path / "g.jsonl")
    exported = [str(tmp_path / name) for name in ("g.graphml", "g.ttl", "g.csv")]
    docs = str(tmp_path / "docs")
    understand.main(["graph", graph, "--documents", docs, "--export", *exported])
    assert (tmp_path / "g.graphml").is_file() and (tmp_path / "g.ttl").is_file()
    assert (tmp_path / "g.entities.csv").is_file()
    capsys.readouterr()
    understand.main(["graph", graph, "--entity", "300元"])
    assert "300元 (money)" in capsys.readouterr().out
    with pytest.raises(DataError):
        understand.main(["graph", graph, "--entity", "nobody"])


def test_words_that_are_no_tasks_are_refused(tmp_path):
    with pytest.raises(SettingsError):
        understand.main(["train", str(tmp_path / "x"), "tone.csv"])
    with pytest.raises(DataError):
        understand.main(["text", "rules"])
