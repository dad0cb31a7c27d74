"""Tokens on disk, written once; rows cut from them; vocabularies."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import DataError, ModelError, StorageError
from speaq.text.segmentation import segmenter
from speaq.training.pretraining.rows import Rows
from speaq.training.pretraining.token_file import TokenFile, token_file, word_starts
from speaq.training.pretraining.vocabulary import (
    END,
    end_of,
    open_tokenizer,
    sentinels_of,
    tokenizer_of,
)

TEXTS = [["床前明月光，", "疑是地上霜。"], ["hello there"], ["再见"]]


@pytest.fixture(scope="module")
def characters():
    return tokenizer_of("chars", [piece for text in TEXTS for piece in text], "masked")


def written(folder, tokenizer, places=None, texts=TEXTS, corpus="one"):
    return token_file(folder, lambda: iter(texts), tokenizer, corpus=corpus, places=places)


@pytest.mark.parametrize("name", ["bytes", "chars"])
def test_documents_follow_each_other_each_with_its_end(tmp_path, name):
    tokenizer = tokenizer_of(name, [piece for text in TEXTS for piece in text], "causal")
    file = written(tmp_path, tokenizer)
    ends = np.flatnonzero(file.tokens == end_of(tokenizer))
    assert len(ends) == file.documents == 3
    cut = np.split(file.tokens, ends + 1)[:-1]
    decoded = [tokenizer.decode(part[:-1].tolist()) for part in cut]
    assert decoded == ["".join(text) for text in TEXTS]
    assert file.longer(10) == sum(len(part) > 10 for part in cut)


def test_the_file_is_written_once_and_met_again(tmp_path, characters):
    first = written(tmp_path, characters)

    def never():
        raise AssertionError("read again")

    again = token_file(tmp_path, never, characters, corpus="one")
    assert isinstance(again.tokens, np.memmap) and not again.tokens.flags.writeable
    assert np.array_equal(first.tokens, again.tokens) and first.digest == again.digest
    written(tmp_path, characters, corpus="two")
    written(tmp_path, tokenizer_of("bytes", [], "causal"))
    assert len(list(tmp_path.glob("tokens-*"))) == 3


@pytest.mark.parametrize("name", ["tokens.bin", "starts.bin"])
def test_a_changed_file_is_refused(tmp_path, characters, name):
    written(tmp_path, characters, segmenter().places)
    [file] = tmp_path.glob(f"tokens-*/{name}")
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(StorageError, match="is not what was written there"):
        written(tmp_path, characters, segmenter().places)


def test_nothing_half_written_remains(tmp_path, characters):
    def broken():
        yield TEXTS[0]
        raise DataError("no", "不")

    with pytest.raises(DataError):
        token_file(tmp_path, broken, characters, corpus="one")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="no tokens"):
        written(tmp_path, characters, texts=[])


def test_where_words_begin_in_both_languages(tmp_path, characters):
    file = written(tmp_path, characters, segmenter().places)
    found = "".join("|" * s + characters.decode([t]) for t, s in zip(*vars_of(file), strict=True))
    assert "|床前|明月光|，|疑是|地上|霜|。" in found
    assert f"|hello| |there|{END}" in found


def vars_of(file):
    return file.tokens.tolist(), file.starts.tolist()


def test_word_starts_by_hand():
    # A token that holds the space before a word begins that word.
    text = "the dog's bone"
    places = [(0, 3), (4, 9), (10, 14)]
    offsets = [(0, 3), (3, 7), (7, 9), (9, 12), (12, 14)]
    assert word_starts(places, offsets, len(text)).tolist() == [1, 1, 0, 1, 0]
    # Tokens of one byte each share a character; it begins a word once.
    assert word_starts([(0, 2)], [(0, 1), (0, 1), (0, 1), (1, 2)], 2).tolist() == [1, 0, 0, 0]


def rows_of(count, length, stride, seed=3, first=0):
    file = TokenFile(np.arange(first + count, dtype=np.uint16), None, "", 1, 0)
    return Rows(
        file, (first, first + count), length=length, stride=stride, seed=seed, what=("a", "甲")
    )


@given(st.integers(30, 200), st.integers(2, 9), st.integers(0, 1), st.integers(0, 5))
def test_a_pass_reads_every_row_once_and_rows_lie_back_to_back(count, stride, more, first):
    rows = rows_of(count, stride + more, stride, first=first)
    places = [place for step in range(rows.count) for place in rows.draw(step, 1).indices]
    assert sorted(places) == list(range(rows.count))
    tokens, _ = rows.read(range(rows.count))
    assert tokens.min() >= first and tokens.max() < first + count
    stream = np.concatenate([tokens[:, :stride].ravel(), tokens[-1, stride:]])
    assert (np.diff(stream) == 1).all()
    # All but less than two strides of the tokens are in some row.
    assert count - len(stream) < 2 * stride
    later, _ = rows.read(range(rows.count, 2 * rows.count))
    assert later.shape == tokens.shape


def test_passes_differ_in_order_and_cut():
    rows = rows_of(400, 9, 8)
    passes = [
        [place % rows.count for place in rows.draw(step, rows.count).indices] for step in range(4)
    ]
    assert len({tuple(each) for each in passes}) == 4
    cuts = {int(rows.read([number * rows.count])[0][0, 0]) for number in range(12)}
    assert len(cuts) > 3


def test_what_is_drawn_depends_on_the_step_alone():
    whole = [rows_of(100, 5, 4).draw(step, 7).indices for step in range(20)]
    rows = rows_of(100, 5, 4)
    assert rows.draw(13, 7).indices == whole[13]
    assert rows.draw(2, 7).indices == whole[2]


def test_without_a_seed_rows_begin_at_the_first_token():
    rows = rows_of(40, 9, 8, seed=None, first=3)
    tokens, _ = rows.read(range(rows.count))
    assert tokens[:, 0].tolist() == [3, 11, 19, 27]


def test_too_short_a_corpus_is_refused_with_numbers():
    with pytest.raises(DataError, match=r"the a part of the corpus has 10 tokens and must have 16"):
        rows_of(10, 9, 8)


@pytest.mark.parametrize("name", ["bytes", "chars"])
@pytest.mark.parametrize("text", ["Tea?\n\tYes.", "喝茶吗？\n好的。"])
def test_text_comes_back_from_either_vocabulary(tmp_path, name, text):
    made = tokenizer_of(name, [text], "infill")
    ids = made(text, add_special_tokens=False).input_ids
    assert made.decode(ids) == text
    made.save_pretrained(tmp_path)
    again = open_tokenizer(tmp_path)
    assert again.get_vocab() == made.get_vocab() and again.decode(ids) == text
    assert again.mask_token_id == made.mask_token_id is not None


def test_unseen_characters_are_unknown_one_by_one():
    made = tokenizer_of("chars", ["abc"], "causal")
    ids = made("a月亮c").input_ids
    assert len(ids) == 4 and ids[1] == ids[2] == made.unk_token_id


def test_gaps_have_tokens_of_their_own_in_order():
    made = tokenizer_of("bytes", [], "span")
    ids = sentinels_of(made)
    assert len(ids) == 100 and made.convert_ids_to_tokens(ids[:2]) == [
        "<extra_id_0>",
        "<extra_id_1>",
    ]


def test_a_trained_tokenizer_gets_what_it_lacks(tmp_path):
    from tokenizers import Tokenizer, models

    core = Tokenizer(models.WordLevel({"</s>": 0, "<unk>": 1, "a": 2}, "<unk>"))
    core.save(str(tmp_path / "tokenizer.json"))
    made = tokenizer_of(str(tmp_path / "tokenizer.json"), [], "masked")
    assert (end_of(made), made.unk_token_id) == (0, 1)
    assert made.mask_token_id is not None and made.pad_token_id is not None


def test_tokenizers_that_cannot_be_used_are_refused(tmp_path):
    from tokenizers import Tokenizer, models

    with pytest.raises(ModelError, match="There is no tokenizer 'bytse'"):
        tokenizer_of("bytse", [], "causal")
    endless = tmp_path / "tokenizer.json"
    Tokenizer(models.WordLevel({"a": 0}, "a")).save(str(endless))
    with pytest.raises(ModelError, match="lacks an end token"):
        tokenizer_of(str(endless), [], "causal")
    endless.write_text(json.dumps({"no": "tokenizer"}))
    with pytest.raises(ModelError, match="cannot be opened as a tokenizer"):
        tokenizer_of(str(endless), [], "causal")
    many = "".join(map(chr, range(0x4E00, 0x4E00 + 20_000))) + "".join(
        map(chr, range(0x20000, 0x20000 + 31_000))
    )
    with pytest.raises(DataError, match="use tokenizer = bytes"):
        tokenizer_of("chars", [many], "causal")
