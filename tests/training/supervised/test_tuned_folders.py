"""What fine-tuning leaves: folders that answer without speaq as with it, and say what they are."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from small_tasks import LOOP, SHORT, learn, model_folder, questions, tags, texts
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from speaq.core.errors import ModelError
from speaq.training.supervised.result import open_tuned


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
