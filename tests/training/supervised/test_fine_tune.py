"""Fine-tuning from end to end: it learns, resumes, stops, refuses; its folder is ordinary."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from small_tasks import LOOP, NEW, model_folder, questions, relations, tags, texts
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from speaq.core.errors import DataError, DivergenceError, MemoryShortageError, ModelError
from speaq.core.runs import RunFolder
from speaq.training.supervised.examples import Labelled, Tagged
from speaq.training.supervised.fine_tune import fine_tune
from speaq.training.supervised.hidden_states import compute
from speaq.training.supervised.learner import Learner, scores
from speaq.training.supervised.preparing import Examples, with_validation
from speaq.training.supervised.result import open_tuned
from speaq.training.supervised.settings import FineTuneSettings

SHORT = FineTuneSettings(epochs=0, patience=0)


def learn(examples, tmp_path, source=NEW, loop=LOOP, settings=SHORT, **rest):
    parts = examples if isinstance(examples, Examples) else Examples(examples, examples)
    return fine_tune(source, parts, settings=settings, loop=loop, folder=tmp_path / "run", **rest)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_texts_are_learnt(language, tmp_path):
    made = learn(texts(language), tmp_path)
    assert made.metrics["validation"]["accuracy"] == 1.0
    assert made.metrics["validation"]["ece"] < 0.1


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_spans_are_learnt(language, crf, tmp_path):
    made = learn(tags(language), tmp_path, settings=replace(SHORT, crf=crf))
    assert made.metrics["validation"]["f1"] > 0.95


def test_passages_are_learnt_and_refused(tmp_path):
    made = learn(questions(), tmp_path, loop=replace(LOOP, steps=120))
    assert made.metrics["validation"]["em"] > 0.9
    assert made.metrics["validation"]["false_answers"] < 0.1


def test_relations_are_learnt_with_their_direction(tmp_path):
    made = learn(relations(), tmp_path, loop=replace(LOOP, steps=120))
    assert made.metrics["validation"]["accuracy"] > 0.9
    assert not made.ordinary  # no class of transformers reads two marks


def test_several_labels_are_learnt(tmp_path):
    both = [
        Labelled(f"{a.text} and {b.text}", tuple(sorted({*a.labels, *b.labels})))
        for a in texts("en", 1)
        for b in texts("en", 1)
    ]
    made = learn(both, tmp_path, several=True, loop=replace(LOOP, steps=120))
    assert made.metrics["validation"]["micro_f1"] > 0.95


@pytest.mark.parametrize("kind", ["bert", "roberta", "distilbert", "electra", "gpt2", "llama"])
def test_the_folder_answers_without_speaq_as_with_it(kind, tmp_path):
    examples = texts("en", 2)
    source = model_folder(kind, tmp_path / kind)
    loop = replace(LOOP, steps=12)
    first = replace(SHORT, pooling="last" if kind in ("gpt2", "llama") else "first")
    made = learn(examples, tmp_path, source, loop, first)
    found = made.model.answers(examples)
    again = open_tuned(made.folder)
    assert [each.labels for each in again.answers(examples)] == [each.labels for each in found]
    if kind in ("distilbert", "electra"):
        assert not made.ordinary  # another activation than ours stands in their heads
        assert AutoModel.from_pretrained(made.folder).config.model_type == kind
        return
    assert made.ordinary
    model = AutoModelForSequenceClassification.from_pretrained(made.folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(made.folder)
    temperature = json.loads((made.folder / "speaq.json").read_text())["tasks"][""]["temperature"]
    for example, answer in zip(examples, found, strict=True):
        with torch.no_grad():
            logits = model(**tokenizer(example.text, return_tensors="pt")).logits[0]
        best = int(logits.argmax())
        assert model.config.id2label[best] == answer.labels[0]
        sure = float(torch.softmax(logits / temperature, 0)[best])
        assert sure == pytest.approx(answer.confidence, abs=1e-3)


def test_tags_and_passages_answer_through_pipelines_too(tmp_path):
    made = learn(tags("en"), tmp_path / "tags")
    assert made.ordinary
    tagger = pipeline("token-classification", str(made.folder))
    said = {each["word"]: each["entity"] for each in tagger("i like the red and apple")}
    assert said["red"] == "B-colour" and said["apple"] == "B-fruit"
    read = learn(questions(), tmp_path / "read", loop=replace(LOOP, steps=12))
    assert read.ordinary
    facts = json.loads((read.folder / "speaq.json").read_text())
    assert facts["class"] == "BertForQuestionAnswering"


@pytest.mark.parametrize("strategy", ["full", "last", "head", "lora"])
def test_what_is_frozen_stays_and_what_is_saved_is_what_was_learnt(strategy, tmp_path):
    source = model_folder("bert", tmp_path / "bert")
    settings = replace(SHORT, strategy=strategy, last_layers=1, lora_rank=4)
    loop = replace(LOOP, steps=12)
    examples = texts("zh", 2)
    made = learn(examples, tmp_path, source, loop, settings)
    before = AutoModel.from_pretrained(source).state_dict()
    after = AutoModel.from_pretrained(made.folder).state_dict()
    moved = {
        name
        for name in before
        if not name.startswith("pooler") and not torch.equal(before[name], after[name])
    }
    layers = {int(name.split(".")[2]) for name in moved if name.startswith("encoder.layer.")}
    assert layers == {"full": {0, 1, 2}, "lora": {0, 1, 2}, "last": {2}, "head": set()}[strategy]
    assert any(name.startswith("embeddings") for name in moved) == (strategy == "full")
    answers = made.model.answers(examples)
    again = open_tuned(made.folder).answers(examples)
    assert [each.labels for each in again] == [each.labels for each in answers]
    np.testing.assert_allclose(
        [each.confidence for each in again], [each.confidence for each in answers], atol=1e-4
    )
    # States of a frozen trunk are not left behind.
    assert not list((tmp_path / "run").glob("*states*"))


def test_cached_states_give_the_scores_of_the_trunk(small, tmp_path):
    trunk = small()
    examples = [*texts("en", 2), Labelled("red " * 9, ("colour",))]
    made = learn(examples, tmp_path, settings=replace(SHORT, strategy="head"))
    skill = made.model.skills[""]
    rows, _ = skill.kind.rows(trunk, examples)
    states = compute(trunk, rows, tmp_path / "states.bin")
    cached = scores(trunk, skill.kind, skill.head, rows, states)
    np.testing.assert_allclose(
        cached, scores(trunk, skill.kind, skill.head, rows), rtol=1e-4, atol=1e-5
    )


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("strategy", ["full", "lora", "head"])
def test_a_run_that_was_stopped_ends_with_the_same_bits(strategy, tmp_path, monkeypatch):
    settings = replace(SHORT, strategy=strategy, lora_rank=2, validations=3, dropout=0.3)
    loop = replace(LOOP, steps=30, checkpoint_every=7)
    whole = learn(texts("en"), tmp_path / "whole", loop=loop, settings=settings)
    plain = Learner.after_step

    def stop(self, step):
        if step == 18:
            raise StoppedError
        plain(self, step)

    monkeypatch.setattr(Learner, "after_step", stop)
    with pytest.raises(StoppedError):
        learn(texts("en"), tmp_path / "part", loop=loop, settings=settings)
    monkeypatch.setattr(Learner, "after_step", plain)
    part = learn(texts("en"), tmp_path / "part", loop=loop, settings=settings)
    for name in ("model.safetensors", "heads.safetensors"):
        one, other = load_file(whole.folder / name), load_file(part.folder / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    metrics = [
        list(RunFolder.reopen(tmp_path / each / "run").metrics()) for each in ("whole", "part")
    ]
    assert metrics[0] == metrics[1]


def test_the_best_weights_are_kept_and_training_ends_when_it_is_enough(tmp_path, monkeypatch):
    said = iter([(0.5, 1.0), (0.9, 2.0), (0.9, 1.5), (0.9, 1.9), (0.4, 0.1), (0.99, 0.0)])
    kept = []

    def validated(self, job):
        kept.append({name: w.detach().clone() for name, w in job.head.named_parameters()})
        return next(said)

    monkeypatch.setattr(Learner, "validated", validated)
    settings = replace(SHORT, patience=2, validations=8)
    made = learn(texts("en"), tmp_path, settings=settings)
    # Third: as good as the second at a lower loss; two in a row bring nothing, so six is not met.
    assert len(kept) == 5
    head = made.model.skills[""].head
    assert all(torch.equal(w.detach(), kept[2][name]) for name, w in head.named_parameters())


def test_a_tenth_validates_where_nothing_else_does():
    examples = texts("en", 10)
    notes = []
    parts = with_validation(Examples(examples), 3, notes)
    assert len(parts.validation) == 8 and len(parts.training) == 72
    assert not set(map(id, parts.validation)) & set(map(id, parts.training))
    assert "8 of 80 training examples validate instead" in notes[0]
    again = with_validation(Examples(examples), 3, [])
    assert again.validation == parts.validation
    # The only example of a class is never held out.
    rare = [*texts("en", 10), Labelled("nothing", ("rare",))]
    for seed in range(30):
        assert ("rare",) in {e.labels for e in with_validation(Examples(rare), seed, []).training}


def test_out_of_scope_texts_are_measured(tmp_path):
    parts = Examples(texts("en"), texts("en"), texts("en"), outside=texts("zh", 1))
    made = learn(parts, tmp_path)
    outside = made.metrics["outside"]
    assert outside["coverage"] >= 0.95
    assert 0 <= outside["recall"] <= 1 and 0 <= outside["recall_at_coverage"] <= 1


def test_bad_data_are_refused_in_both_languages(tmp_path):
    with pytest.raises(DataError, match="the training data hold no example") as caught:
        learn([], tmp_path)
    assert "训练数据中没有任何样本" in caught.value.zh
    with pytest.raises(DataError, match="nothing to tell apart"):
        learn([Labelled("a", ("x",)), Labelled("b", ("x",))], tmp_path)
    unknown = Examples(texts("en"), [Labelled("a", ("animal",))])
    with pytest.raises(DataError, match=r"validation data do not occur in training: 'animal'"):
        learn(unknown, tmp_path)
    with pytest.raises(DataError, match="of several types: Labelled, Tagged"):
        learn(Examples(texts("en"), [Tagged(("a",), ("O",))]), tmp_path)
    assert not (tmp_path / "run").exists()


def test_an_encoder_decoder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="encoder–decoder"):
        learn(texts("en"), tmp_path, source="new:t5-tiny")


def test_a_loss_that_is_no_number_names_step_and_batch(tmp_path, monkeypatch):
    from speaq.training.supervised.classifying import Classifying

    plain, calls = Classifying.loss, []

    def broken(self, head, hidden, batch):
        calls.append(1)
        return plain(self, head, hidden, batch) * (float("nan") if len(calls) == 25 else 1.0)

    monkeypatch.setattr(Classifying, "loss", broken)
    with pytest.raises(DivergenceError, match=r"at step \d+ \(batch: \d+, .*lower the learning"):
        learn(texts("en"), tmp_path)
    kept = load_file(RunFolder.reopen(tmp_path / "run").checkpoints()[-1] / "state.safetensors")
    assert all(torch.isfinite(each).all() for name, each in kept.items() if "cost" not in name)


def test_out_of_memory_names_the_setting_that_halves_it(tmp_path, monkeypatch):
    def full(self, batch):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate")

    monkeypatch.setattr("speaq.training.supervised.trunk.Trunk.hidden", full)
    with pytest.raises(MemoryShortageError, match="batch_size = 4") as caught:
        learn(texts("en"), tmp_path)
    assert "batch_size = 4" in caught.value.zh


def test_the_card_and_the_facts_say_what_was_measured(tmp_path, monkeypatch):
    made = learn(texts("en"), tmp_path, floor=True)
    facts = json.loads((made.folder / "speaq.json").read_text(encoding="utf-8"))
    assert facts["metrics"]["validation"]["accuracy"] == 1.0
    assert facts["tasks"][""]["labels"] == ["colour", "fruit"]
    assert facts["tasks"][""]["threshold"] > 0
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: text-classification" in card
    assert "| validation | accuracy | 1 |" in card
    assert "does not win: 1 against 1 of" in card
    monkeypatch.setenv("SPEAQ_LANG", "zh")
    chinese = learn(texts("zh"), tmp_path / "zh")
    assert "微调而来" in (chinese.folder / "README.md").read_text(encoding="utf-8")


def test_a_folder_that_is_no_model_is_not_overwritten(tmp_path):
    (tmp_path / "run" / "model").mkdir(parents=True)
    (tmp_path / "run" / "model" / "mine.txt").write_text("mine")
    with pytest.raises(ModelError, match="is not a model folder"):
        learn(texts("en"), tmp_path, loop=replace(LOOP, steps=2))
    assert (tmp_path / "run" / "model" / "mine.txt").read_text() == "mine"


def test_damaged_folders_are_refused(tmp_path):
    made = learn(texts("en"), tmp_path, loop=replace(LOOP, steps=2))
    with pytest.raises(ModelError, match="was not written by speaq fine-tune"):
        open_tuned(tmp_path)
    (made.folder / "heads.safetensors").write_bytes(b"no")
    with pytest.raises(ModelError, match="is damaged"):
        open_tuned(made.folder)
