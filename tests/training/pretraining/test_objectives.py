"""What a model is given and what it is to foretell, on random rows and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.text.segmentation import segmenter
from speaq.training.pretraining.denoising import Infilling, SpanCorruption
from speaq.training.pretraining.masking import Masking
from speaq.training.pretraining.objectives import NextToken, objective_of
from speaq.training.pretraining.settings import ObjectiveSettings
from speaq.training.pretraining.token_file import token_file
from speaq.training.pretraining.vocabulary import end_of, sentinels_of, tokenizer_of

LETTERS = "abcdefghijklmnopqrstuvwxyz. 床前明月光疑是地上霜。"
START = 1


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizer_of("chars", [LETTERS], "infill")


def streams(count, seed=0):
    return [np.random.default_rng([seed, row]) for row in range(count)]


def random_rows(tokenizer, count, length, seed=0):
    """Rows of plain tokens with some document ends in them."""
    stream = np.random.default_rng(seed)
    plain = [n for n in range(len(tokenizer)) if n not in tokenizer.all_special_ids]
    rows = stream.choice(plain, (count, length))
    rows[stream.random(rows.shape) < 0.05] = end_of(tokenizer)
    return rows


def test_every_token_is_foretold_from_those_before_it():
    rows = np.arange(18).reshape(2, 9)
    made = NextToken(8).examples(rows, None, streams(2))
    assert made["input_ids"].tolist() == rows[:, :-1].tolist()
    assert made["labels"].tolist() == rows[:, 1:].tolist()


def test_rows_share_the_token_that_is_only_foretold():
    objective = NextToken(8)
    assert (objective.length, objective.stride) == (9, 8)


# Masking.


def masked(tokenizer, rows, starts=None, rate=0.15, seed=0, whole_words=True):
    chosen = ObjectiveSettings(
        kind="masked", context=rows.shape[1], rate=rate, whole_words=whole_words
    )
    return Masking(chosen, tokenizer).examples(rows, starts, streams(len(rows), seed))


def test_labels_are_what_was_hidden_and_nothing_else_changes(tokenizer):
    rows = random_rows(tokenizer, 50, 80)
    made = masked(tokenizer, rows)
    given_, labels = made["input_ids"].numpy(), made["labels"].numpy()
    hidden = labels != -100
    assert (labels[hidden] == rows[hidden]).all()
    assert (given_[~hidden] == rows[~hidden]).all()
    assert not hidden[rows == end_of(tokenizer)].any()


def test_the_shares_are_those_of_the_paper(tokenizer):
    rows = random_rows(tokenizer, 2000, 80)
    made = masked(tokenizer, rows)
    hidden = made["labels"].numpy() != -100
    plain = rows != end_of(tokenizer)
    assert hidden.sum() / plain.sum() == pytest.approx(0.15, abs=0.002)
    after, before = made["input_ids"].numpy()[hidden], rows[hidden]
    assert (after == tokenizer.mask_token_id).mean() == pytest.approx(0.8, abs=0.01)
    size = len(tokenizer) - len(tokenizer.all_special_ids)
    assert (after == before).mean() == pytest.approx(0.1 + 0.1 / size, abs=0.01)
    assert not np.isin(after, [end_of(tokenizer), tokenizer.pad_token_id]).any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.05, 0.6), st.floats(0.2, 0.9))
def test_words_are_hidden_whole_or_not_at_all(tokenizer, seed, rate, density):
    rows = random_rows(tokenizer, 3, 60, seed)
    starts = np.random.default_rng(seed).random(rows.shape) < density
    starts[:, 0] = True
    made = masked(tokenizer, rows, starts, rate, seed)
    hidden = made["labels"].numpy() != -100
    for row in range(len(rows)):
        assert hidden[row].any()
        for place in range(1, 60):
            special = end_of(tokenizer) in rows[row, place - 1 : place + 1]
            if not starts[row, place] and not special:
                assert hidden[row, place] == hidden[row, place - 1]


def test_the_rate_holds_for_words_too(tokenizer):
    rows = random_rows(tokenizer, 3000, 60)
    starts = np.random.default_rng(1).random(rows.shape) < 0.4
    hidden = masked(tokenizer, rows, starts)["labels"].numpy() != -100
    assert hidden.sum() / (rows != end_of(tokenizer)).sum() == pytest.approx(0.15, abs=0.004)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("床前明月光。疑是地上霜。", ["床前", "明月光", "疑是", "地上"]),
        ("the dog saw a cat. it ran.", ["the", "dog", "saw", "cat", "ran"]),
    ],
)
def test_words_of_both_languages_stay_together(tokenizer, tmp_path, text, words):
    file = token_file(tmp_path, lambda: [[text]], tokenizer, corpus="", places=segmenter().places)
    rows = np.tile(file.tokens.astype(np.int64), (200, 1))
    starts = np.tile(file.starts.astype(bool), (200, 1))
    hidden = masked(tokenizer, rows, starts, rate=0.3)["labels"].numpy() != -100
    apart = masked(tokenizer, rows, starts, rate=0.3, whole_words=False)["labels"].numpy() != -100
    for word in words:
        span = slice(text.index(word), text.index(word) + len(word))
        assert (hidden[:, span].all(1) == hidden[:, span].any(1)).all()
        assert not (apart[:, span].all(1) == apart[:, span].any(1)).all()


def test_marks_around_a_row_are_there_and_never_hidden():
    made = tokenizer_of("chars", [LETTERS], "masked")
    made.add_special_tokens({"cls_token": "[CLS]"})
    objective = Masking(ObjectiveSettings(kind="masked", context=20, rate=0.5), made)
    assert objective.length == objective.stride == 18
    example = objective.examples(random_rows(made, 4, 18), None, streams(4))
    assert example["input_ids"].shape == (4, 20)
    assert (example["input_ids"][:, 0] == made.cls_token_id).all()
    assert (example["input_ids"][:, -1] == end_of(made)).all()
    assert (example["labels"][:, [0, -1]] == -100).all()


# Span corruption.


def put_back(source, target, sentinels):
    """The slow definition: each gap's sentinel replaced by what the target has behind it."""
    missing, current = {}, None
    for token in target[:-1]:
        if token in sentinels:
            current = missing.setdefault(token, [])
        else:
            current.append(token)
    whole = []
    for token in source[:-1]:
        whole += missing[token] if token in sentinels else [token]
    return whole, missing


@pytest.fixture(scope="module")
def with_sentinels():
    return tokenizer_of("chars", [LETTERS], "span")


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 300), st.floats(0.02, 0.9), st.floats(1, 8), st.integers(0, 1000))
def test_source_and_target_together_are_the_text(with_sentinels, context, rate, span, seed):
    chosen = ObjectiveSettings(kind="span", context=context, rate=rate, span=span)
    sentinels = sentinels_of(with_sentinels)
    end = end_of(with_sentinels)
    try:
        objective = SpanCorruption(chosen, sentinels, end, START)
    except SettingsError:
        return
    rows = random_rows(with_sentinels, 2, objective.length, seed)
    made = objective.examples(rows, None, streams(2, seed))
    assert made["input_ids"].shape[1] <= context
    for row in range(2):
        source, target = made["input_ids"][row].tolist(), made["labels"][row].tolist()
        assert source[-1] == target[-1] == end
        whole, missing = put_back(source, target, set(sentinels))
        assert whole == rows[row].tolist()
        assert list(missing) == sentinels[: len(missing)] and all(missing.values())
        assert made["decoder_input_ids"][row].tolist() == [START, *target[:-1]]


def test_the_length_is_as_in_the_paper(with_sentinels):
    chosen = ObjectiveSettings(kind="span", context=512)
    objective = SpanCorruption(chosen, sentinels_of(with_sentinels), 0, START)
    # T5 reads 568 tokens for 512, and foretells 114 of which 85 are hidden ones.
    assert (objective.length, objective.noise, objective.gaps) == (568, 85, 28)
    made = objective.examples(random_rows(with_sentinels, 1, 568), None, streams(1))
    assert made["input_ids"].shape == (1, 512) and made["labels"].shape == (1, 114)


def test_more_gaps_than_sentinels_are_refused(with_sentinels):
    chosen = ObjectiveSettings(kind="span", context=512)
    with pytest.raises(SettingsError, match="makes 28 gaps, and the tokenizer has 5 tokens"):
        SpanCorruption(chosen, sentinels_of(with_sentinels)[:5], 0, START)


# Infilling.


def infilled(tokenizer, rows, shuffle, seed=0, **more):
    chosen = ObjectiveSettings(kind="infill", context=rows.shape[1] + 1, shuffle=shuffle, **more)
    objective = Infilling(chosen, tokenizer, START)
    assert objective.length == rows.shape[1]
    return objective.examples(rows, None, streams(len(rows), seed))


@settings(max_examples=60, deadline=None)
@given(st.integers(7, 150), st.floats(0.05, 0.9), st.floats(1, 6), st.integers(0, 1000))
def test_the_source_is_the_text_with_gaps_and_the_target_all_of_it(
    tokenizer, length, rate, span, seed
):
    rows = random_rows(tokenizer, 2, length, seed)
    made = infilled(tokenizer, rows, False, seed, rate=rate, span=span)
    end, mask = end_of(tokenizer), tokenizer.mask_token_id
    sizes = made["attention_mask"].sum(1).tolist()
    for row, size in enumerate(sizes):
        source = made["input_ids"][row].tolist()
        assert set(source[size:]) <= {tokenizer.pad_token_id}
        assert source[size - 1] == end and size <= length + 1
        assert made["labels"][row].tolist() == [*rows[row].tolist(), end]
        assert made["decoder_input_ids"][row].tolist() == [START, *rows[row].tolist()]
        # What is not a gap stands in the text, in this order.
        kept = [token for token in source[: size - 1] if token != mask]
        rest = iter(rows[row].tolist())
        assert all(token in rest for token in kept)
        assert len(kept) == length - max(1, round(length * rate))


def test_gaps_are_of_poisson_length_empty_ones_too(tokenizer):
    rows = random_rows(tokenizer, 600, 200)
    objective = Infilling(
        ObjectiveSettings(kind="infill", context=201, shuffle=False), tokenizer, START
    )
    found = np.concatenate([objective._lengths(200, stream)[:-1] for stream in streams(600)])
    assert found.mean() == pytest.approx(3.0, abs=0.1)
    assert (found == 0).mean() == pytest.approx(np.exp(-3.0), abs=0.01)
    made = objective.examples(rows, None, streams(600))
    masks = (made["input_ids"] == tokenizer.mask_token_id).sum(1).float().mean()
    # 60 hidden tokens in gaps of 3, the last cut short.
    assert float(masks) == pytest.approx(20.5, abs=0.5)


def test_sentences_are_shuffled_whole_in_both_languages(tokenizer):
    text = "abc. de. 床前明月光。疑是。fgh."
    row = np.array([tokenizer(text).input_ids], np.int64)
    objective = Infilling(
        ObjectiveSettings(kind="infill", context=row.shape[1] + 1), tokenizer, START
    )
    objective._lengths = lambda length, stream: np.zeros(0, np.int64)
    orders = set()
    for seed in range(40):
        source = objective.examples(row, None, streams(1, seed))["input_ids"][0].tolist()
        found = tokenizer.decode(source[:-1])
        parts = ["abc.", " de.", " 床前明月光。", "疑是。", "fgh."]
        assert sorted(found) == sorted(text) and all(part in found for part in parts)
        orders.add(found)
    assert len(orders) > 20


@pytest.mark.parametrize("kind", ["causal", "masked", "span", "infill"])
def test_an_example_does_not_depend_on_the_batch_it_is_in(with_sentinels, tokenizer, kind):
    vocabulary = with_sentinels if kind == "span" else tokenizer
    objective = objective_of(ObjectiveSettings(kind=kind, context=40), vocabulary, START)
    rows = random_rows(vocabulary, 6, objective.length)
    whole = objective.examples(rows, None, streams(6))
    alone = objective.examples(rows[3:4], None, streams(6)[3:4])
    for name, tensor in alone.items():
        size = (
            int(alone["attention_mask"].sum()) if name == "input_ids" and kind == "infill" else None
        )
        if name != "attention_mask":
            assert tensor[0, :size].tolist() == whole[name][3, :size].tolist()


@pytest.mark.parametrize(
    ("name", "value"), [("context", 4), ("rate", 1.0), ("span", 0.5), ("holdout", 1.0)]
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(SettingsError, match=f"objective setting {name} = {value} must be"):
        ObjectiveSettings(**{name: value})
