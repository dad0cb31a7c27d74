"""word2vec and GloVe: counts and losses against slow definitions, what they learn, resuming."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError, DivergenceError, SettingsError
from speaq.core.runs import RunFolder
from speaq.text.embeddings import glove, keeping, word2vec
from speaq.text.embeddings.cooccurrence import cooccurrences
from speaq.text.embeddings.glove import GloVeSettings, train_glove
from speaq.text.embeddings.word2vec import Word2VecSettings, train_word2vec
from speaq.text.embeddings.words import Words, count_words

PIECES = st.lists(st.lists(st.integers(0, 5), max_size=12), max_size=6)


@given(PIECES, st.integers(1, 8))
@settings(max_examples=200)
def test_cooccurrences_are_counted_as_defined(pieces, window):
    expected = np.zeros((6, 6))
    for piece in pieces:
        for here, first in enumerate(piece):
            for there, second in enumerate(piece):
                if here != there and abs(here - there) <= window:
                    expected[first, second] += 1 / abs(here - there)
    found = cooccurrences((np.array(piece, np.int64) for piece in pieces), 6, window)
    dense = np.zeros((6, 6))
    dense[found.rows, found.columns] = found.values
    assert np.allclose(dense, expected)
    assert len(found.values) == np.count_nonzero(expected)


def test_cooccurrences_do_not_depend_on_how_much_is_counted_at_once(monkeypatch):
    stream = np.random.default_rng(0)
    pieces = [stream.integers(0, 9, size=length) for length in stream.integers(0, 30, size=50)]
    whole = cooccurrences(iter(pieces), 9, 4)
    monkeypatch.setattr("speaq.text.embeddings.cooccurrence._AT_ONCE", 40)
    parts = cooccurrences(iter(pieces), 9, 4)
    assert np.array_equal(whole.rows, parts.rows) and np.array_equal(whole.columns, parts.columns)
    assert np.allclose(whole.values, parts.values)


def test_a_step_of_glove_is_adagrad_on_the_papers_loss():
    chosen = GloVeSettings(size=3, x_max=4.0, rate=0.1)
    tensors = glove.start(5, chosen, seed=1)
    slow = {name: tensors[name].clone().requires_grad_() for name in tensors if "sum" not in name}
    optimiser = torch.optim.Adagrad(slow.values(), lr=0.1)
    stream = torch.Generator().manual_seed(0)
    for _ in range(3):
        rows, columns = torch.randint(5, (2, 20), generator=stream)  # every word several times
        values = torch.rand(20, generator=stream) * 8 + 0.1
        loss = torch.zeros(())
        for i, j, x in zip(rows, columns, values, strict=True):
            weight = min(1.0, (float(x) / 4.0) ** 0.75)
            product = slow["words"][i] @ slow["context"][j]
            bias = slow["word_bias"][i, 0] + slow["context_bias"][j, 0]
            loss = loss + 0.5 * weight * (product + bias - torch.log(x)) ** 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        assert glove.step(tensors, rows, columns, values, chosen) == pytest.approx(loss.item())
        for name, tensor in slow.items():
            assert torch.allclose(tensors[name], tensor, atol=1e-6), name


TOPICS = {
    "en": (("cat", "dog", "horse"), ("car", "bus", "train"), "the {} eats and sleeps", "a {} goes"),
    "zh": (("猫咪", "小狗", "大象"), ("汽车", "火车", "飞机"), "{}吃饭睡觉", "{}开得很快"),
}


def topical(language):
    animals, things, eats, drives = TOPICS[language]
    stream = np.random.default_rng(0)
    return [
        eats.format(stream.choice(animals))
        if stream.random() < 0.5
        else drives.format(stream.choice(things))
        for _ in range(600)
    ]


LEARNERS = {
    "skipgram": (train_word2vec, Word2VecSettings("skipgram", 8, epochs=20, sample=0, window=3)),
    "cbow": (train_word2vec, Word2VecSettings("cbow", 8, epochs=20, sample=0, window=3)),
    "glove": (train_glove, GloVeSettings(8, window=3, epochs=30, batch=16)),
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("name", list(LEARNERS))
def test_words_used_alike_become_alike(tmp_path, language, name):
    train, chosen = LEARNERS[name]
    vectors = train(topical(language), tmp_path / "run", chosen)
    animals, things, *_ = TOPICS[language]
    within = [vectors.similarity(a, b) for words in (animals, things) for a in words for b in words]
    across = [vectors.similarity(a, b) for a in animals for b in things]
    assert min(within) > max(across)
    assert vectors.facts["method"] == name
    assert vectors.counts is not None and vectors.counts.sum() > 600


@pytest.mark.parametrize("name", list(LEARNERS))
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, name, monkeypatch):
    train, chosen = LEARNERS[name]
    texts = topical("en")
    whole = train(texts, tmp_path / "whole", chosen, seed=3)
    module = glove if name == "glove" else word2vec
    kept = keeping.keep

    def stop(run, epoch, tensors):
        kept(run, epoch, tensors)
        if epoch == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(module, "keep", stop)
    with pytest.raises(KeyboardInterrupt):
        train(texts, tmp_path / "cut", chosen, seed=3)
    monkeypatch.setattr(module, "keep", kept)
    again = train(texts, tmp_path / "cut", chosen, seed=3)
    assert np.array_equal(again.matrix, whole.matrix)
    assert len(RunFolder.reopen(tmp_path / "cut").checkpoints()) == 1
    other = train(texts, tmp_path / "other", chosen, seed=4)
    assert not np.array_equal(other.matrix, whole.matrix)
    with pytest.raises(SettingsError):
        train(texts[:-9], tmp_path / "whole", chosen, seed=3)


def test_glove_logs_a_falling_loss(tmp_path):
    train_glove(topical("zh"), tmp_path / "run", LEARNERS["glove"][1])
    losses = [row["loss"] for row in RunFolder.reopen(tmp_path / "run").metrics()]
    assert len(losses) == 30
    assert losses[-1] < 0.2 * losses[0]


def test_a_loss_that_is_no_number_stops_and_keeps_the_state(tmp_path, monkeypatch):
    texts = topical("en")
    chosen = GloVeSettings(4, epochs=3)
    real, calls = glove.step, []

    def broken(*arguments):
        calls.append(1)
        return real(*arguments) if len(calls) < 2 else float("nan")

    monkeypatch.setattr(glove, "step", broken)
    with pytest.raises(DivergenceError, match="pass 2"):
        train_glove(texts, tmp_path / "run", chosen)
    assert [f.name for f in RunFolder.reopen(tmp_path / "run").checkpoints()] == ["step-00000001"]


def test_the_vocabulary_is_the_commonest_words_in_a_fixed_order():
    texts = ["b b a a c", "a B d 好 好"]
    found = count_words(Words(texts), min_count=2)
    assert found.words == ("a", "b", "好")
    assert found.counts.tolist() == [3, 3, 2]
    assert (found.pieces, found.total) == (2, 10)
    assert count_words(Words(iter(texts[::-1])), 2, most=1).words == ("a",)
    with pytest.raises(DataError, match="4 words occurs 9 times"):
        count_words(Words(["a b c d"]), min_count=9)


def test_long_texts_are_learnt_from_to_the_end():
    assert [len(piece) for piece in Words(["好 " * 25_000])] == [10_000, 10_000, 5_000]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Word2VecSettings("skip"), "skip"),
        (lambda: Word2VecSettings(epochs=0), "epochs"),
        (lambda: GloVeSettings(x_max=0), "x_max"),
        (lambda: GloVeSettings(batch=0), "batch"),
    ],
)
def test_settings_that_cannot_be_are_refused(make, said):
    with pytest.raises(SettingsError, match=said):
        make()


def test_without_gensim_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    with pytest.raises(SettingsError, match=r"speaq\[embeddings\]"):
        train_word2vec(topical("en"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_neighbours_is_refused(tmp_path):
    with pytest.raises(DataError, match="near each other"):
        train_glove(["cat"] * 9, tmp_path / "run")
