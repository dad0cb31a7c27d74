"""The verbs that translate, on a translator that knows a few words."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from word_translator import WordTranslator

from speaq.apps.translate.live.latency import read_log
from speaq.apps.translate.model.translator import Translator
from speaq.apps.translate.wording.memory import TranslationMemory
from speaq.cli import main
from speaq.experience.episode import Feedback
from speaq.experience.store import ExperienceStore

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def speaq(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """`speaq("text", ...)` in a folder of its own: exit code, output, what was said beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Translator, "open", classmethod(lambda cls, source: WordTranslator()))

    def run(*words: object, said: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(said))
        capsys.readouterr()
        code = main(["translate", *map(str, words)])
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return run


def test_the_actions_are_listed(speaq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = speaq()
    assert code == 0
    assert all(name in out for name in ("text", "file", "live", "latency", "memory"))
    monkeypatch.setenv("SPEAQ_LANG", "zh")
    assert "译文" in speaq("--help")[1]
    code, _, said = speaq("txet")
    assert code == 2 and "“text”" in said


def test_a_text_of_the_command_line_or_of_standard_input(speaq: Run) -> None:
    assert speaq("text", "model", "Ein", "Hund") == (0, "A dog\n", "")
    assert speaq("text", "model", said="Ein Hund.\nZwei Hunde.\n") == (
        0,
        "A dog.\nTwo dogs.\n",
        "",
    )
    _, out, _ = speaq("text", "model", "Hallo 42 ist", "--details")
    assert json.loads(out)["sentences"][0]["how"] == "model"


def test_warnings_go_beside_the_translation(speaq: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, _, warned = speaq("text", "model", "Hund 42")
    assert code == 0 and "42" in warned and "not in the translation" in warned
    monkeypatch.setenv("SPEAQ_LANG", "zh")
    assert "未出现在译文中" in speaq("text", "model", "Hund 42")[2]


def test_glossary_memory_and_store(speaq: Run, tmp_path: Path) -> None:
    Path("terms.tsv").write_text("Hund\thound\n", encoding="utf-8")
    Path("old.tsv").write_text("source\ttarget\nGuten Tag.\tG'day.\n", encoding="utf-8")
    named = ["--source", "de", "--target", "en"]
    code, out, _ = speaq("memory", "memory.sqlite", "--add", "old.tsv", *named)
    assert code == 0 and "de → en: 1 units" in out
    code, out, _ = speaq(
        "text", "model", "Guten Tag. Ein Hund.", "--glossary", "terms.tsv", "--memory",
        "memory.sqlite", "--store", "s.sqlite",
    )  # fmt: skip
    assert out == "G'day. A hound.\n"
    with ExperienceStore("s.sqlite") as store:
        [episode] = store.episodes(None)
        assert episode.reply == out.strip()
        store.add_feedback(episode.id, Feedback("correction", "Hi. The hound.", 1.0))
    code, out, _ = speaq("memory", "memory.sqlite", "--corrections", "s.sqlite")
    assert "s.sqlite: 2 new." in out
    code, _, _ = speaq("memory", "memory.sqlite", "--export", "out.tmx", *named)
    assert "The hound." in Path("out.tmx").read_text(encoding="utf-8")
    with TranslationMemory("memory.sqlite") as memory:
        assert memory.pairs() == {("de", "en"): 3}
    code, _, said = speaq("text", "model", "Hund", "--memory", "none.sqlite")
    assert code == 2 and "none.sqlite" in said
    assert speaq("memory", "memory.sqlite", "--export", "x.tmx")[0] == 2


def test_files(speaq: Run, tmp_path: Path) -> None:
    Path("a.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nEin Hund\n", encoding="utf-8")
    Path("b.txt").write_text("Zwei Hunde", encoding="utf-8")
    code, out, _ = speaq("file", "model", "a.srt", "b.txt")
    assert code == 0 and out.count("written to") == 2
    assert Path("a.en.srt").read_text(encoding="utf-8").endswith("A dog\n")
    assert Path("b.en.txt").read_text(encoding="utf-8") == "Two dogs"
    assert speaq("file", "model", "b.txt", "--out", "c.txt", "--store", "s.sqlite")[0] == 0
    with ExperienceStore("s.sqlite") as store:
        assert [each.reply for each in store.episodes(None)] == ["Two dogs"]
    assert speaq("file", "model", "b.txt", "--out", "b.txt")[0] == 2
    assert speaq("file", "model", "a.srt", "b.txt", "--out", "one.txt")[0] == 2
    assert speaq("file", "model", "none.txt")[0] == 2


def test_live_writes_as_words_come_and_leaves_a_log(speaq: Run) -> None:
    said = "Ein roter Hund läuft.\nZwei Hunde"
    code, out, _ = speaq("live", "model", "--k", 2, "--log", "live.log", said=said)
    assert code == 0
    assert [line.strip() for line in out.splitlines()] == ["A red dog runs.", "Two dogs"]
    one, two = read_log(Path("live.log"))
    assert one.delays[0] == 2 and one.source == ("Ein", "roter", "Hund", "läuft.")
    assert two.prediction == ("Two", "dogs")
    code, out, _ = speaq("latency", "live.log")
    assert json.loads(out)["al"] > 0
    assert speaq("live", "model", "--k", 0)[0] == 2


def test_beginnings_for_training(speaq: Run) -> None:
    rows = (
        "source\ttarget\nEin Hund läuft im Park\tA dog runs in the park\nHallo Welt\tHello world\n"
    )
    Path("pairs.tsv").write_text(rows, encoding="utf-8")
    named = ["--source", "de", "--target", "en"]
    code, out, _ = speaq("prefixes", "pairs.tsv", *named, "--out", "more.tsv")
    assert code == 0 and "2 pairs and 2 beginnings" in out
    made = Path("more.tsv").read_text(encoding="utf-8")
    assert made.startswith(rows)
    assert len(made.splitlines()) == 5


def test_what_is_not_there_is_named(speaq: Run, tmp_path: Path) -> None:
    code, _, err = speaq("memory", "none.sqlite")
    assert code == 2 and "--add" in err and not (tmp_path / "none.sqlite").exists()
    code, _, err = speaq("text", "model", "Hund", "--glossary", "none.tsv")
    assert code == 2 and "none.tsv: there is no such file" in err
    code, _, err = speaq("file", "model", ".")
    assert code == 2 and "this is a folder" in err
