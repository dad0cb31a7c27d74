"""Learning to write: only answers have a loss, and what is learnt is written."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tasks import LOOP

from speaq.core.errors import DataError, SettingsError
from speaq.models.chat import Message
from speaq.models.decoding import Decoding
from speaq.models.sources import load
from speaq.training.batch import collate
from speaq.training.supervised.examples import Dialogue, written
from speaq.training.supervised.preparing import Examples
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.writing import (
    Writer,
    answer_loss,
    answers,
    encoded_dialogues,
    fine_tune_writer,
    last_prompt,
)

FREE = FineTuneSettings(epochs=0, patience=0)
SHORT = Decoding(temperature=0, max_new_tokens=8)
MODELS = ("new:tiny", "new:gpt2-tiny", "new:marian-tiny", "new:t5-tiny")
TALK = Dialogue(
    (
        Message("system", "short"),
        Message("user", "红"),
        Message("assistant", "red"),
        Message("user", "梨"),
        Message("assistant", "pear"),
    )
)


def batch_of(model, dialogues):
    encoded = encoded_dialogues(model, dialogues, 0, "training", [])
    return collate(encoded, 1.0, torch.ones(1, len(encoded), dtype=torch.bool))


def by_hand(model, dialogue, smoothing):
    """Cross-entropy of every answer's tokens, with the logits of the model itself."""
    [encoded] = encoded_dialogues(model, [dialogue], 0, "training", [])
    tokens = torch.from_numpy(encoded.tokens)[None]
    if model.reads_source:
        source = torch.from_numpy(encoded.source)[None]
        logits = model.causal(input_ids=source, decoder_input_ids=tokens).logits
    else:
        logits = model.causal(input_ids=tokens).logits
    places = torch.from_numpy(encoded.actions)
    return torch.nn.functional.cross_entropy(
        logits[0, places - 1], tokens[0, places], label_smoothing=smoothing
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("source", MODELS)
def test_the_loss_is_the_cross_entropy_of_the_answers(source, smoothing):
    model = load(source)
    dialogue = written("你好 cat", "hello") if model.reads_source else TALK
    found = answer_loss(model, batch_of(model, [dialogue]), smoothing)
    torch.testing.assert_close(found, by_hand(model, dialogue, smoothing), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("source", ["new:tiny", "new:marian-tiny"])
def test_gradients_are_those_of_the_cross_entropy(source):
    dialogue = written("你好 cat", "hello")
    grads = []
    for loss in (
        lambda model: answer_loss(model, batch_of(model, [dialogue]), 0.1),
        lambda model: by_hand(model, dialogue, 0.1),
    ):
        model = load(source)
        loss(model).backward()
        grads.append({name: w.grad for name, w in model.causal.named_parameters()})
    for name, wanted in grads[1].items():
        if wanted is not None:
            torch.testing.assert_close(grads[0][name], wanted, rtol=1e-3, atol=1e-5)


def test_only_what_the_assistant_says_is_learnt():
    model = load("new:tiny")
    [encoded] = encoded_dialogues(model, [TALK], 0, "training", [])
    said = model.decode(encoded.action_tokens.tolist())
    assert said == "redpear"
    assert (encoded.action_tokens == model.end_id).sum() == 2
    assert model.decode(list(last_prompt(model, TALK))).endswith("梨")


@pytest.mark.parametrize("source", ["new:gpt2-tiny", "new:marian-tiny"])
def test_a_rule_is_learnt_and_written(source, tmp_path):
    pairs = [written(f"{a}猫", a.upper()) for a in "abcdef"]
    settings = replace(FREE, label_smoothing=0.05, validations=0.1)
    loop = replace(LOOP, steps=60, batch_size=6, lr=2e-3)
    made = fine_tune_writer(
        source,
        Examples(pairs, pairs),
        settings=settings,
        loop=loop,
        decoding=SHORT,
        folder=tmp_path / "run",
    )
    assert made.metrics["validation"]["exact"] == 1.0
    assert made.metrics["validation"]["chrf"] == pytest.approx(100)
    again = load(tmp_path / "run" / "model")
    assert answers(again, pairs[:4], SHORT) == answers(made.model, pairs[:4], SHORT)
    assert again.facts["metrics"]["validation exact"] == made.metrics["validation"]["exact"]
    assert again.origin.history[-1]["step"] == "fine-tune"


def test_adapters_leave_an_ordinary_model(tmp_path):
    pairs = [written(a, a.upper()) for a in "abcdefgh"]
    made = fine_tune_writer(
        "new:tiny",
        Examples(pairs, pairs),
        settings=replace(FREE, strategy="lora", lora_rank=2),
        loop=replace(LOOP, steps=5),
        decoding=SHORT,
        folder=tmp_path / "run",
        floor=True,
    )
    names = [name for name, _ in made.model.causal.named_parameters()]
    assert not any("lora" in name for name in names)
    assert made.model.facts["floor"]["rows"][1]["method"] == "lead-3"
    assert load(made.folder).causal.config.model_type == "llama"


def test_dialogues_that_do_not_fit_are_left_out_and_counted():
    model = load("new:tiny")
    long = written("x" * 2000, "y"), written("x", "y" * 2000)
    notes = []
    kept = encoded_dialogues(model, [*long, written("x", "y")], 0, "training", notes)
    # What was said first goes; an answer never.
    assert len(kept) == 2 and len(kept[0].tokens) == model.context_length
    assert "1 of 3 training examples are left out" in notes[0]
    with pytest.raises(DataError, match="replies must leave room"):
        encoded_dialogues(model, [long[1]], 0, "training", [])
    translator = load("new:marian-tiny")
    assert len(encoded_dialogues(translator, [*long, written("x", "y")], 0, "t", [])) == 1


def test_a_tied_output_layer_is_no_head_of_its_own(tmp_path):
    pairs = [written("a", "b"), written("c", "d")]
    with pytest.raises(SettingsError, match="tied to the embeddings"):
        fine_tune_writer(
            "new:tiny",
            Examples(pairs, pairs),
            settings=replace(FREE, strategy="head"),
            loop=replace(LOOP, steps=2),
            folder=tmp_path / "run",
        )


class StoppedError(Exception):
    pass


def test_a_run_that_was_stopped_ends_with_the_same_bits(tmp_path, monkeypatch):
    pairs = [written(a, a.upper()) for a in "abcdefgh"]
    plain = Writer.after_step

    def run(name):
        made = fine_tune_writer(
            "new:marian-tiny",
            Examples(pairs, pairs),
            settings=replace(FREE, validations=0.2),
            loop=replace(LOOP, steps=10, batch_size=4, checkpoint_every=3),
            decoding=SHORT,
            folder=tmp_path / name,
        )
        return {k: v.clone() for k, v in made.model.causal.state_dict().items()}

    def stop(self, step):
        if step == 8:
            raise StoppedError
        plain(self, step)

    whole = run("whole")
    monkeypatch.setattr(Writer, "after_step", stop)
    with pytest.raises(StoppedError):
        run("part")
    monkeypatch.setattr(Writer, "after_step", plain)
    part = run("part")
    assert all(torch.equal(whole[name], part[name]) for name in whole)


def test_the_validation_loss_is_the_mean_over_tokens(tmp_path):
    model = load("new:tiny")
    pairs = [written("a", "b" * size) for size in (1, 5, 9)]
    encoded = encoded_dialogues(model, pairs, 0, "training", [])
    from speaq.core.runs import RunFolder

    writer = Writer(model, encoded, encoded, FREE, LOOP, RunFolder(tmp_path / "r", {}), 0)
    each = [float(by_hand(model, pair, 0.0).detach()) for pair in pairs]
    wanted = np.average(each, weights=[2, 6, 10])  # with their end tokens
    assert writer.validated() == pytest.approx(wanted, rel=1e-4)
