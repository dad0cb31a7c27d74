"""The loop on the command line, on small made-up files with an untrained model."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from answers import ok, refused
from safetensors.torch import load_file

from speaq.experience.store import ExperienceStore
from speaq.models.sources import load
from speaq.models.versions import Registry

Speaq = Callable[..., tuple[int, str, str]]
WriteLog = Callable[[str, str, int], Path]
QUICK = ("--loop.steps", 6, "--loop.batch-size", 16, "--loop.checkpoint-every", 2, "--seed", 3)


@pytest.mark.slow
def test_from_a_file_to_a_live_model(speaq: Speaq, spoken: str, write_log: WriteLog) -> None:
    write_log("log.csv", spoken, 40)
    assert "40" in ok(speaq("import", "log.csv"))
    ok(speaq("import", "log.csv"))
    with ExperienceStore("experience.sqlite") as store:
        assert store.count() == 40

    ok(speaq("learn", "new:tiny", "experience.sqlite", "--folder", "run", *QUICK))
    model = load("run/model")
    assert model.require_head().members == 6
    assert model.origin.history[-1]["episodes"] == 40

    # 40 episodes are fewer than the gate's least effective sample size.
    table = ok(speaq("evaluate", "run/model", "experience.sqlite", "--betas", 1, 1000))
    assert ("none of these" if spoken == "en" else "不同意") in table
    report = json.loads(Path("run/model/gate.json").read_text(encoding="utf-8"))
    assert [row["verdict"] for row in report["rows"]] == ["base", "refuse", "refuse"]
    assert load("run/model").facts["gate"]["best_beta"] == 0
    assert Path("run/model/plots/gate.png").stat().st_size > 1000

    refused(speaq("fold", "run/model", "folded"))
    ok(speaq("fold", "run/model", "folded", "--beta", 1))
    assert load("folded").head is None

    refused(speaq("promote", "folded"))
    assert Registry("registry").live() is None
    refused(speaq("promote", "v1", "--force"))
    assert "v1" in ok(speaq("promote", "v1", "--force", "--reason", "a test 测试"))
    last = Registry("registry").history()[-1]
    assert (last["forced"], last["reason"]) == (True, "a test 测试")
    ok(speaq("promote", "folded", "--force", "--reason", "again"))
    assert Registry("registry").live() == "v2"
    ok(speaq("promote", "--back"))
    listed = ok(speaq("promote", "--list"))
    assert listed.splitlines()[0].startswith("* v1")


def test_a_lax_gate_opens_the_way_without_force(speaq: Speaq, write_log: WriteLog) -> None:
    write_log("log.csv", "en", 40)
    ok(speaq("learn", "new:tiny", "log.csv", "--folder", "run", "--loop.steps", 60))
    ok(speaq("evaluate", "run/model", "log.csv", "--betas", 2, "--least-episodes", 5))
    assert "beta = 2" in ok(speaq("fold", "run/model", "folded"))
    assert load("folded").origin.history[-1]["beta"] == 2
    assert "v1" in ok(speaq("promote", "folded", "--registry", "versions"))
    assert not Registry("versions").history()[-1]["forced"]


def test_learning_continues_in_its_folder(
    speaq: Speaq, write_log: WriteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log("log.csv", "en", 40)
    command = ("learn", "new:tiny", "log.csv", *QUICK, "--algorithm", "mc")
    ok(speaq(*command, "--folder", "whole"))

    from speaq.qlearning.learner import Learner

    after = Learner.after_step

    def stop(self: Learner, step: int) -> None:
        after(self, step)
        if step == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "after_step", stop)
        code, _, err = speaq(*command, "--folder", "broken")
        assert code == 130
        assert "same command" in err
    assert not Path("broken/model").exists()
    ok(speaq(*command, "--folder", "broken"))
    head = "model/value_head.safetensors"
    ours, theirs = load_file(Path("broken", head)), load_file(Path("whole", head))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert any(tensor.abs().sum() > 0 for tensor in ours.values())

    err = refused(speaq(*command, "--folder", "whole", "--loop.lr", 1))
    assert "loop" in err


def test_settings_come_from_yaml_and_the_command_line_wins(
    speaq: Speaq, write_log: WriteLog
) -> None:
    write_log("log.csv", "en", 40)
    Path("settings.yaml").write_text(
        "model: new:tiny\nlog: log.csv\nalgorithm: ilql\nfolder: run\n"
        "options: {expectile: 0.8, cql: 1e-4}\nlearn: {folds: 2}\n"
        "loop: {steps: 3, batch_size: 8}\nhead: {kind: low-rank, rank: 2}\n"
    )
    ok(speaq("learn", "--config", "settings.yaml", "--loop.steps", 2))
    step = load("run/model").origin.history[-1]
    assert step["algorithm"] == "ilql"
    assert step["options"]["expectile"] == 0.8
    assert step["options"]["cql"] == 1e-4
    assert step["learn"]["folds"] == 2
    assert (step["loop"]["steps"], step["loop"]["batch_size"]) == (2, 8)
    assert step["head"]["rank"] == 2


def test_cloning_has_training_defaults_of_its_own(
    speaq: Speaq, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speaq.cli.learn import _options

    imitation = _options(["m", "l", "--algorithm", "bc", "--loop.steps", "7"])
    values = _options(["m", "l"])
    assert imitation.loop.steps == 7
    assert imitation.loop.batch_size < values.loop.batch_size
    assert imitation.loop.lr != values.loop.lr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("loop: {stps: 3}", ("loop.stps", "'steps'")),
        ("algorythm: mc", ("algorythm", "'algorithm'")),
        ("loop: {steps: many}", ("loop.steps", "int", "'many'")),
        ("loop: {steps: true}", ("loop.steps", "int", "True")),
        ("loop: 3", ("loop", "3")),
        ("learn: {trunk: frosted}", ("learn.trunk", "frozen", "'frosted'")),
        ("learn: {temperature: 0}", ("temperature",)),
        ("options: [1, 2]", ("options", "str")),
        ("- a list", ("name: value",)),
        ("loop: {steps: 3", ("not YAML",)),
    ],
)
def test_a_bad_settings_file_is_refused_by_name(
    speaq: Speaq, text: str, words: tuple[str, ...]
) -> None:
    Path("settings.yaml").write_text(text)
    err = refused(speaq("learn", "new:tiny", "log.csv", "--config", "settings.yaml"))
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("learn", "new:tiny", "none.csv"), ("none.csv",)),
        (("learn", "new:tinny", "log.csv"), ("tiny",)),
        (("learn", "new:tiny", "log.csv", "--algorithm", "ilqq"), ("ilql",)),
        (("learn", "new:tiny", "log.csv", "--options", "discont=1"), ("discount",)),
        (("learn", "new:tiny", "log.csv", "--options", "discount"), ("name=value",)),
        (("learn", "new:tiny", "log.csv", "--loop.steps", 0), ("steps",)),
        (("learn", "new:tiny", "log.csv", "--reward", "mod:fun"), ("mod",)),
        (("learn", "new:tiny", "log.csv", "--config", "no.yaml"), ("no.yaml",)),
        (("evaluate", "new:tiny", "log.csv"), ("value head",)),
        (("fold", "new:tiny", "out"), ("value head",)),
        (("promote",), ("--back",)),
        (("promote", "v1", "--back"), ("--back",)),
        (("promote", "nowhere"), ("nowhere",)),
        (("promote", "--back"), ("no earlier",)),
        (("import", "none.csv"), ("none.csv",)),
        (("import", "log.csv", "--score", "stars"), ("stars",)),
        (("import", "bad.csv"), ("bad.csv", "row 3", "score", "five")),
        (("generate", "new:tiny", "none.txt"), ("none.txt",)),
        (("generate", "new:tiny", "empty.txt"), ("empty.txt",)),
        (("generate", "new:tiny", "log.csv", "--prompt", "ask"), ("ask",)),
        (("generate", "new:tiny", "p.txt", "--samples", 0), ("samples",)),
        (("generate", "new:tiny", "p.txt", "--beta", 1), ("value head",)),
        (("generate", "new:tiny", "p.txt", "--top-p", 2), ("top_p",)),
    ],
    ids=lambda part: " ".join(map(str, part)),
)
def test_bad_input_is_one_sentence(
    speaq: Speaq, write_log: WriteLog, command: tuple[object, ...], words: tuple[str, ...]
) -> None:
    write_log("log.csv", "en", 10)
    Path("bad.csv").write_text("prompt,response,score\na,b,1\nc,d,five\n")
    Path("empty.txt").write_text("\n\n")
    Path("p.txt").write_text("Hello?\n")
    before = sorted(Path.cwd().iterdir())
    err = refused(speaq(*command))
    for word in words:
        assert word in err
    left = {path.name for path in Path.cwd().iterdir()} - {path.name for path in before}
    assert left <= {"runs", "registry", "experience.sqlite"}
    assert not list(Path.cwd().rglob("model"))


def test_bad_rows_are_left_out_only_on_request(speaq: Speaq, spoken: str) -> None:
    Path("bad.csv").write_text("prompt,response,score\na,b,1\nc,d,five\n", encoding="utf-8")
    code, _, err = speaq("import", "bad.csv", "--skip-bad")
    assert code == 0
    assert "five" in err
    with ExperienceStore("experience.sqlite") as store:
        assert [episode.prompt for episode in store.episodes()] == ["a"]


def test_generated_replies_carry_their_propensities_and_come_once(speaq: Speaq) -> None:
    Path("p.txt").write_text("Hello?\n\n你好吗？\nHello?\n", encoding="utf-8")
    command = ("generate", "new:tiny", "p.txt", "--samples", 3, "--max-new-tokens", 4)
    assert ok(speaq(*command)).startswith("6 new")
    assert ok(speaq(*command)).startswith("0 new")
    with ExperienceStore("experience.sqlite") as store:
        episodes = store.episodes()
    assert sorted({episode.prompt for episode in episodes}) == ["Hello?", "你好吗？"]
    for episode in episodes:
        turn = episode.actions[-1]
        assert turn.token_ids is not None
        assert turn.logprobs is not None
        assert len(turn.logprobs) == len(turn.token_ids) <= 4
    assert ok(speaq(*command, "--seed", 1)).startswith("6 new")


def test_answers_nobody_rated_are_left_out_and_counted(speaq: Speaq, write_log: WriteLog) -> None:
    write_log("log.csv", "en", 40)
    Path("p.txt").write_text("Hello?\n", encoding="utf-8")
    ok(speaq("import", "log.csv"))
    ok(speaq("generate", "new:tiny", "p.txt", "--samples", 2, "--max-new-tokens", 2))
    code, _, err = speaq("learn", "new:tiny", "experience.sqlite", "--folder", "run", *QUICK)
    assert code == 0
    assert "2 of 42" in err
    assert load("run/model").origin.history[-1]["episodes"] == 40


def test_a_reward_of_ones_own_is_found_in_the_working_folder(
    speaq: Speaq, write_log: WriteLog
) -> None:
    write_log("log.csv", "en", 40)
    Path("my_reward.py").write_text("def short(episode):\n    return -len(episode.reply)\n")
    ok(
        speaq(
            *("learn", "new:tiny", "log.csv", "--folder", "run", *QUICK),
            *("--reward", "my_reward:short"),
        )
    )
    assert load("run/model").origin.history[-1]["learn"]["reward"] == "my_reward:short"
