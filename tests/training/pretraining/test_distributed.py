"""Two processes under torchrun, with whole and with sharded weights, give what one gives."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from pretraining_runs import PACE, bits, metrics
from safetensors.torch import load_file

from speaq.training.descent import Descent
from speaq.training.distributed import own_threads
from speaq.training.optimisers import OptimiserSettings
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import ComputeSettings, ObjectiveSettings
from speaq.training.replay import Draw

# Run by every process: a pretraining whose optimiser steps say what the weights are made of.
PROCESS = """
import json, os, sys, warnings
from pathlib import Path
import torch
from torch.distributed.tensor import DTensor
warnings.simplefilter("error", UserWarning)
torch.set_num_threads(1)
from speaq.cli.options import filled
from speaq.training.descent import Descent
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import Recipe
text, folder, recipe, stop = sys.argv[1:]
counts = []
clip = Descent.clip
def counted(self, limit):
    weights = [weight for group in self.optimiser.param_groups for weight in group["params"]]
    sharded = [weight for weight in weights if isinstance(weight, DTensor)]
    here = sum(w.to_local().numel() if isinstance(w, DTensor) else w.numel() for w in weights)
    counts.append((len(sharded), len(weights), here, sum(w.numel() for w in weights)))
    if len(counts) == int(stop):
        raise SystemExit(3)
    return clip(self, limit)
Descent.clip = counted
pretrain([text], filled(Recipe, json.loads(recipe), None), folder=folder)
(Path(folder) / f"counts-{os.environ['RANK']}.json").write_text(json.dumps(counts[0]))
"""


def together(text: Path, folder: Path, recipe: object, stop: int = 0) -> int:
    """Run PROCESS twice at once; the exit code of torchrun."""
    known = asdict(recipe)
    known["objective"].pop("rate")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    # A port of its own for each run: with 0 the store takes a free one.
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--no-python"]
    command += [sys.executable, "-c", PROCESS, str(text), str(folder), json.dumps(known), str(stop)]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))
    if not stop:
        assert done.returncode == 0, done.stderr[-3000:]
    return done.returncode


def weights(folder: Path) -> dict[str, torch.Tensor]:
    [state] = (folder / "checkpoints").glob("*/state.safetensors")
    return load_file(state)


def compared(one: Path, two: Path) -> None:
    whole, found = weights(one), weights(two)
    assert set(whole) == set(found)
    for name, tensor in whole.items():
        assert torch.allclose(tensor, found[name], rtol=1e-3, atol=2e-4), name
    for row, wanted in zip(metrics(two), metrics(one), strict=True):
        assert row == pytest.approx(wanted, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parallel", "kind", "optimiser"),
    [("ddp", "masked", "adamw"), ("fsdp", "masked", "adamw"), ("fsdp", "causal", "muon")],
)
def test_two_processes_give_the_result_of_one(tmp_path, text, recipe, parallel, kind, optimiser):
    """Masked rows hold unlike numbers of terms, so that a mean of means would be wrong."""
    model = {"masked": "bert-tiny", "causal": recipe().model}[kind]
    chosen = recipe(
        model=model,
        objective=ObjectiveSettings(kind=kind, context=24, holdout=0.2),
        # Muon rounds to bfloat16 on the way, which a small rate keeps out of the comparison.
        optimiser=OptimiserSettings(kind=optimiser, lr=1e-3),
        pace=replace(PACE, batch_size=8, steps=8),
        compute=ComputeSettings(precision="float32", accumulate=2, parallel=parallel),
    )
    pretrain([text], chosen, folder=tmp_path / "one")
    together(text, tmp_path / "two", chosen)
    compared(tmp_path / "one", tmp_path / "two")
    for rank in range(2):
        counts = json.loads((tmp_path / "two" / f"counts-{rank}.json").read_text())
        sharded, all_, here, in_all = counts
        assert all_ > 10
        if parallel == "fsdp":
            assert sharded == all_ and here == pytest.approx(in_all / 2, rel=0.05)
        else:
            assert sharded == 0 and here == in_all
    model_files = [tmp_path / name / "model" / "model.safetensors" for name in ("one", "two")]
    one, two = map(load_file, model_files)
    assert all(torch.allclose(one[name], two[name], rtol=1e-3, atol=2e-4) for name in one)


@pytest.mark.slow
def test_a_sharded_run_resumes_bit_for_bit_and_goes_on_in_one_process(tmp_path, text, recipe):
    chosen = recipe(
        pace=replace(PACE, batch_size=8, steps=8),
        compute=ComputeSettings(precision="float32", parallel="fsdp"),
    )
    together(text, tmp_path / "whole", chosen)
    assert together(text, tmp_path / "cut", chosen, stop=6) != 0
    [kept] = (tmp_path / "cut" / "checkpoints").iterdir()
    assert kept.name == "step-00000004"
    shutil.copytree(tmp_path / "cut", tmp_path / "alone")
    together(text, tmp_path / "cut", chosen)
    assert bits(tmp_path / "cut") == bits(tmp_path / "whole")
    pretrain([text], chosen, folder=tmp_path / "alone")
    compared(tmp_path / "whole", tmp_path / "alone")


@pytest.mark.slow
def test_the_command_is_the_same_and_tells_its_result_once(tmp_path, text, recipe):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0", "--no-python"]
    command += [str(Path(sys.executable).parent / "speaq"), "pretrain", str(text)]
    options = {"model": recipe().model, "folder": tmp_path / "run", "pace.steps": 4}
    options |= {"pace.batch-size": 4, "objective.context": 16, "compute.parallel": "fsdp"}
    command += [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("the model is in") == 1
    assert (tmp_path / "run" / "model" / "model.safetensors").is_file()


def test_a_process_takes_its_part_of_the_threads(monkeypatch):
    monkeypatch.setenv("SPEAQ_THREADS", "8")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert own_threads() == 2
    monkeypatch.delenv("LOCAL_WORLD_SIZE")
    assert own_threads() == 8


def test_the_processes_drop_unlike_units(monkeypatch):
    """Else two processes would train one thinned model on twice the rows."""
    drawn = []

    class Task:
        layer = torch.nn.Linear(1, 1)

        def loss(self, indices, weights=None):
            drawn.append(torch.rand(1).item())
            return self.layer.weight.sum(), {}

    descent = Descent(torch.optim.SGD(Task.layer.parameters(), lr=0.1))
    monkeypatch.setattr("speaq.training.descent.world", lambda: 2)
    for number in (0, 1, 0):
        monkeypatch.setattr("speaq.training.descent.rank", lambda number=number: number)
        torch.manual_seed(5)
        descent.gradients(Task(), Draw([0, 1]))
    assert drawn[0] == drawn[2] != drawn[1]
