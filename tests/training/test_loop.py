"""The loop: stopped anywhere and continued, it ends with the bits of a run that never stopped."""

import copy
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from speaq.core.errors import DivergenceError, SettingsError, StorageError
from speaq.core.runs import RunFolder
from speaq.models.head import HeadSettings
from speaq.qlearning.ilql import ILQL
from speaq.qlearning.learner import Learner
from speaq.training.encoding import Encoded
from speaq.training.features import cache_features
from speaq.training.loop import LoopSettings, train
from speaq.training.replay import batch_indices

SETTINGS = LoopSettings(
    steps=12, batch_size=4, checkpoint_every=4, log_every=3, schedule="cosine", warmup=3
)


class StoppedError(Exception):
    pass


def log_of(count=7):
    stream = np.random.default_rng(0)
    made = []
    for number in range(count):
        size = int(stream.integers(1, 5))
        made.append(
            Encoded(
                id=str(number),
                group=str(number),
                tokens=stream.integers(0, 250, size + 2),
                actions=np.arange(2, size + 2),
                turn_ids=np.zeros(size, np.int64),
                rewards=stream.normal(size=size).astype(np.float32),
                behaviour_logprobs=np.zeros(size, np.float32),
                truncated=False,
            )
        )
    return made


@pytest.fixture
def learner(tiny, tmp_path, monkeypatch):
    """`learner(trunk)`: a fresh task, always the same one."""
    monkeypatch.setattr("speaq.models.language_model.batch_dtype", lambda: torch.float32)

    def build(trunk):
        model = copy.copy(tiny)
        model.causal = copy.deepcopy(tiny.causal).requires_grad_(trunk == "full")
        # Dropout makes the random stream part of the result.
        for layer in model.causal.model.layers:
            layer.self_attn.attention_dropout = 0.1
        model.with_head(HeadSettings(kind="tied", members=2))
        model.causal.train(trunk == "full")
        log = log_of()
        features = None
        if trunk == "frozen":
            features = cache_features(model, log, tmp_path / "features", 1.0)
        seen = torch.ones(1, len(log), dtype=torch.bool)
        return Learner(model, ILQL(cql_states=5), log, features, seen)

    return build


def run_to_end(task, folder, settings=SETTINGS):
    run = RunFolder(folder, {})
    train(task, 7, settings, run, seed=1)
    return run


def stop_in(monkeypatch, step):
    """Break off in the middle of `step`, counted from 1."""
    real, calls = Learner.loss, []

    def loss(self, indices, weights=None):
        calls.append(1)
        if len(calls) == step:
            raise StoppedError
        return real(self, indices, weights)

    monkeypatch.setattr(Learner, "loss", loss)


def state(run):
    [last] = run.checkpoints()
    return (last / "state.safetensors").read_bytes()


@pytest.mark.parametrize("trunk", ["frozen", "full"])
@pytest.mark.parametrize("stops", [[1], [5], [8, 2], [12]])
def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(
    learner, tmp_path, monkeypatch, trunk, stops
):
    whole = run_to_end(learner(trunk), tmp_path / "whole")
    for stop in stops:
        with monkeypatch.context() as patch:
            stop_in(patch, stop)
            with pytest.raises(StoppedError):
                run_to_end(learner(trunk), tmp_path / "cut")
    task = learner(trunk)
    cut = run_to_end(task, tmp_path / "cut")
    assert state(cut) == state(whole)
    assert list(cut.metrics()) == list(whole.metrics())
    saved = load_file(cut.checkpoints()[-1] / "state.safetensors")
    assert torch.equal(saved["module.head.projection"], task.head.projection)


def test_a_finished_run_is_loaded_and_not_trained_again(learner, tmp_path, monkeypatch):
    run = run_to_end(learner("frozen"), tmp_path / "run")
    before = state(run)
    stop_in(monkeypatch, 1)
    task = learner("frozen")
    run_to_end(task, tmp_path / "run")
    assert state(run) == before
    assert task.head.projection.any()


def test_the_schedule_and_the_random_stream_matter(learner, tmp_path):
    """Else the test above could not see that they were not restored."""
    one = run_to_end(learner("full"), tmp_path / "one")
    flat = LoopSettings(steps=12, batch_size=4, checkpoint_every=4, log_every=3)
    other = run_to_end(learner("full"), tmp_path / "other", flat)
    task = learner("full")
    task.model.causal.eval()
    quiet = run_to_end(task, tmp_path / "quiet")
    assert len({state(one), state(other), state(quiet)}) == 3


def test_metrics_after_the_checkpoint_are_rewound(learner, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_in(patch, 8)
        with pytest.raises(StoppedError):
            run_to_end(learner("frozen"), tmp_path / "run")
    run = RunFolder(tmp_path / "run", {})
    assert [row["step"] for row in run.metrics()] == [3, 6]  # the checkpoint is at 4
    with (tmp_path / "run" / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 7, "lo')
    run_to_end(learner("frozen"), tmp_path / "run")
    assert [row["step"] for row in run.metrics()] == [3, 6, 9, 12]


def test_only_the_last_checkpoint_is_kept(learner, tmp_path):
    run = run_to_end(learner("frozen"), tmp_path / "run")
    assert [folder.name for folder in run.checkpoints()] == ["step-00000012"]
    assert json.loads((run.checkpoint(12) / "step.json").read_text()) == {"step": 12}


class Parabola:
    """A task of one number; `spoil(task, calls)` may change the loss."""

    def __init__(self, spoil=lambda loss, calls: loss):
        self.place = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.ones_(self.place.weight)
        self.spoil, self.calls, self.updates = spoil, 0, []

    def modules(self):
        return {"place": self.place}

    def parameters(self):
        return {"trunk": [], "head": list(self.place.parameters())}

    def loss(self, indices, weights=None):
        self.calls += 1
        loss = (self.place.weight**2).sum()
        return self.spoil(loss, self.calls), {}

    def after_step(self, step):
        self.updates.append(step)


def nan_loss(loss, calls):
    return loss * float("nan") if calls == 7 else loss


def nan_gradient(loss, calls):
    """The root of 0 has a finite value and no finite slope."""
    return loss + (loss * 0).sqrt() if calls == 7 else loss


@pytest.mark.parametrize(
    ("spoil", "what"), [(nan_loss, "loss is nan"), (nan_gradient, "gradient is nan")]
)
@pytest.mark.parametrize("clip_norm", [0.0, 1.0])
def test_a_loss_that_is_not_finite_keeps_the_last_good_weights(tmp_path, spoil, what, clip_norm):
    task, run = Parabola(spoil), RunFolder(tmp_path, {})
    settings = LoopSettings(steps=12, checkpoint_every=1, clip_norm=clip_norm)
    with pytest.raises(FloatingPointError, match=f"the {what} at step 7"):
        train(task, 5, settings, run, seed=0)
    assert run.checkpoints()[-1].name == "step-00000006"
    saved = load_file(run.checkpoints()[-1] / "state.safetensors")
    assert torch.isfinite(saved["module.place.weight"]).all()
    assert torch.isfinite(task.place.weight).all()


def test_what_is_not_sound_is_never_kept(tmp_path):
    """The check comes before the checkpoint it is about, with that step's episodes."""
    task, run, seen = Parabola(), RunFolder(tmp_path, {}), []

    def require_sound(indices):
        seen.append(list(indices))
        if len(seen) == 3:
            raise DivergenceError("no", "不")

    settings = LoopSettings(steps=12, checkpoint_every=2, batch_size=4)
    with pytest.raises(DivergenceError):
        train(task, 5, settings, run, seed=0, require_sound=require_sound)
    assert [each.name for each in run.checkpoints()] == ["step-00000004"]
    assert seen == [batch_indices(0, step, 4, 5) for step in (1, 3, 5)]


def test_after_step_is_called_once_per_step(tmp_path):
    task = Parabola()
    train(task, 5, LoopSettings(steps=6), RunFolder(tmp_path, {}), seed=0)
    assert task.updates == [1, 2, 3, 4, 5, 6]
    assert float(task.place.weight.detach()) < 1


def test_a_full_disk_keeps_the_checkpoint_before(learner, tmp_path):
    import resource

    task, folder = learner("frozen"), tmp_path / "run"
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    run = RunFolder(folder, {})

    class Filling(Learner):
        def after_step(self, step):
            super().after_step(step)
            if step == 6:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, old[1]))

    task.__class__ = Filling
    try:
        with pytest.raises(StorageError, match="could not be written"):
            train(task, 7, SETTINGS, run, seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert [each.name for each in run.checkpoints()] == ["step-00000004"]
    assert not list((folder / "checkpoints").glob(".*"))
    whole = run_to_end(learner("frozen"), tmp_path / "whole")
    assert state(run_to_end(learner("frozen"), folder)) == state(whole)


def test_leftovers_of_killed_writers_are_cleared(learner, tmp_path):
    left = tmp_path / "run" / "checkpoints" / ".step-00000004.0badcafe.part"
    left.mkdir(parents=True)
    (left / "state.safetensors").write_bytes(b"half")
    beside = tmp_path / "run" / ".metrics.jsonl.0badcafe.part"
    beside.write_text("half")
    run_to_end(learner("frozen"), tmp_path / "run")
    assert not left.exists() and not beside.exists()


def test_rates_by_hand():
    settings = LoopSettings(steps=10, warmup=4, schedule="cosine")
    assert settings.rate(0) == pytest.approx(0.25)
    assert settings.rate(5) == pytest.approx(0.55)
    assert settings.rate(10) == pytest.approx(0.1)
    assert LoopSettings().rate(7) == 1.0


@pytest.mark.parametrize("name", ["steps", "batch_size", "lr", "head_lr", "checkpoint_every"])
def test_settings_out_of_range_are_refused(name):
    with pytest.raises(SettingsError, match=f"{name} = 0"):
        LoopSettings(**{name: 0})
    with pytest.raises(SettingsError, match="one of constant, linear, cosine, exponential"):
        LoopSettings(schedule="stairs")


def test_a_run_that_left_nothing_gives_its_folder_to_another(tmp_path):
    RunFolder(tmp_path / "run", {"data": "wrong"})
    run = RunFolder(tmp_path / "run", {"data": "right"})
    assert (run.path / "settings.yaml").read_text() == "data: right\n"
    run.log(1, {"loss": 1.0})
    with pytest.raises(SettingsError, match="other settings"):
        RunFolder(tmp_path / "run", {"data": "wrong"})
    assert RunFolder(tmp_path / "run", {"data": "right"}).path == run.path
