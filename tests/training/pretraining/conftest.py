"""A corpus in two languages, a model that a step takes milliseconds of, and a recipe for both."""

import json
from dataclasses import replace

import pytest
from pretraining_runs import PACE, StoppedError

from speaq.training.optimisers import OptimiserSettings
from speaq.training.pretraining.settings import (
    ComputeSettings,
    ObjectiveSettings,
    Recipe,
)
from speaq.training.pretraining.task import Pretraining

ENGLISH = "the cat sat on the mat. the dog ran after the cat. "
CHINESE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。"


@pytest.fixture(scope="session")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("config") / "config.json"
    values = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    file.write_text(json.dumps({"model_type": "llama", "num_attention_heads": 2, **values}))
    return str(file)


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text((ENGLISH + CHINESE) * 25)
    return file


@pytest.fixture
def recipe(config, monkeypatch):
    """`recipe(pace=..., ...)`: a short run; drawing its curves would take longer than learning."""
    monkeypatch.setattr("speaq.training.pretraining.pretrain.plot_curves", lambda run: None)

    def made(**changes):
        usual = Recipe(
            model=config,
            tokenizer="chars",
            objective=ObjectiveSettings(context=16, holdout=0.2),
            optimiser=OptimiserSettings(lr=5e-3),
            pace=PACE,
            compute=ComputeSettings(precision="float32", dropout=0.1),
        )
        return replace(usual, **changes)

    return made


@pytest.fixture
def stop_in(monkeypatch):
    """`stop_in(patch, step)`: break off in the middle of `step`, counted from 1."""
    real = Pretraining.loss

    def stop(patch, step):
        calls = []

        def loss(self, indices, weights=None):
            calls.append(1)
            if len(calls) == step:
                raise StoppedError
            return real(self, indices, weights)

        patch.setattr(Pretraining, "loss", loss)

    return stop
