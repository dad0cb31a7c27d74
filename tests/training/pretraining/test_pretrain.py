"""From text to a model: every objective learns; the losses are what they are said to be."""

import json
from dataclasses import replace

import pytest
import torch
from pretraining_runs import PACE, metrics

import speaq
from speaq.core.errors import SettingsError
from speaq.models.sources import load_encoder
from speaq.training.optimisers import OptimiserSettings
from speaq.training.pretraining.pretrain import pretrain
from speaq.training.pretraining.settings import ComputeSettings, ObjectiveSettings
from speaq.training.pretraining.task import VALIDATION


@pytest.mark.parametrize(
    ("kind", "model", "tokenizer"),
    [
        ("causal", "gpt2-tiny", "bytes"),
        ("masked", "bert-tiny", "chars"),
        ("span", "t5-tiny", "chars"),
        ("infill", "bart-tiny", "bytes"),
    ],
)
def test_every_objective_learns_and_leaves_an_ordinary_model(
    tmp_path, text, recipe, kind, model, tokenizer
):
    chosen = recipe(
        model=model,
        tokenizer=tokenizer,
        objective=ObjectiveSettings(kind=kind, context=24, holdout=0.2),
        pace=replace(PACE, steps=24, validate_every=8, checkpoint_every=24),
        compute=ComputeSettings(precision="float32", checkpointing=kind == "infill"),
    )
    made = pretrain([text], chosen, folder=tmp_path / "run")
    looks = [row[VALIDATION] for row in metrics(tmp_path / "run") if VALIDATION in row]
    assert len(looks) == 3 and looks[-1] < looks[0] - 0.05
    assert made.validation_loss == min(looks)
    facts = json.loads((made.model / "speaq.json").read_text())["facts"]
    assert facts["pretraining"]["tokens"] == len(made.tokens.tokens)
    if kind == "masked":
        encoder, read = load_encoder(made.model)
        assert encoder.config.vocab_size == len(read) and read.mask_token_id is not None
        assert "fill-mask" in (made.model / "README.md").read_text()
    else:
        opened = speaq.load(made.model, head="tied")
        assert opened.reads_source == (kind != "causal")
        assert opened.decode(opened.encode("cat 明月")) == "cat 明月"


def test_the_loss_logged_is_that_of_the_model_on_the_rows(tmp_path, text, recipe):
    """Recomputed by transformers from the folder: labels are the next tokens, nothing is off."""
    made = pretrain([text], recipe(), folder=tmp_path / "run")
    opened = speaq.load(made.model)
    tokens = torch.tensor(made.tokens.tokens.astype("int64"))
    held = tokens[len(tokens) - int(len(tokens) * 0.2) :]
    rows = [held[place : place + 17] for place in range(0, len(held) - 16, 16)]
    assert len(rows) > 20
    with torch.no_grad():
        # transformers shifts the labels itself, and has none for the last token of its own.
        losses = [opened.causal(input_ids=row[None], labels=row[None]).loss for row in rows]
    assert float(torch.stack(losses).mean()) == pytest.approx(made.validation_loss, rel=1e-5)


def test_pieces_and_checkpointing_change_nothing_but_rounding(tmp_path, text, recipe):
    losses = []
    for number, compute in enumerate(
        [
            ComputeSettings(precision="float32"),
            ComputeSettings(precision="float32", accumulate=4),
            ComputeSettings(precision="float32", checkpointing=True),
        ]
    ):
        made = pretrain([text], recipe(compute=compute), folder=tmp_path / f"run{number}")
        losses.append(made.validation_loss)
    assert losses == pytest.approx([losses[0]] * 3, rel=1e-5)


def test_bfloat16_learns_what_float32_learns(tmp_path, text, recipe):
    losses = [
        pretrain(
            [text],
            recipe(compute=ComputeSettings(precision=precision)),
            folder=tmp_path / precision,
        ).validation_loss
        for precision in ("float32", "bfloat16", "auto")
    ]
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.02)
    assert losses[2] == losses[0]  # the tests' environment says float32
    assert (tmp_path / "auto" / "precision.txt").read_text() == "float32\n"


def test_dropout_is_in_training_only(tmp_path, text, recipe):
    """It changes what is learnt; the validation loss is the same each time it is measured."""
    dry, wet = (
        pretrain(
            [text],
            recipe(compute=ComputeSettings(precision="float32", dropout=dropout)),
            folder=tmp_path / str(dropout),
        )
        for dropout in (0.0, 0.5)
    )
    assert dry.validation_loss != wet.validation_loss
    opened = speaq.load(wet.model)
    assert not opened.causal.training


def test_training_goes_on_from_a_model(tmp_path, text, recipe):
    first = pretrain([text], recipe(), folder=tmp_path / "first")
    more = recipe(model=str(first.model), tokenizer="", optimiser=OptimiserSettings(lr=1e-3))
    second = pretrain([text], more, folder=tmp_path / "second")
    rows = metrics(tmp_path / "second")
    assert rows[0]["loss"] < metrics(tmp_path / "first")[0]["loss"] - 0.3
    assert second.validation_loss < first.validation_loss
    both = [speaq.load(each.model).tokenizer.get_vocab() for each in (first, second)]
    assert both[0] == both[1]
    with pytest.raises(SettingsError, match="brings its own tokenizer"):
        pretrain([text], replace(more, tokenizer="bytes"), folder=tmp_path / "third")
