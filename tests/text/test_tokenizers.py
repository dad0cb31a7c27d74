"""Tokenizers of one's own: any text comes back, folders open, bad settings are refused."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from speaq.core.errors import DataError, ModelError, SettingsError
from speaq.text.tokenizers.fit import fit, pieces
from speaq.text.tokenizers.settings import TokenizerSettings
from speaq.text.tokenizers.training import save_tokenizer, train_tokenizer

ENDINGS = ("", "ing", "ed", "er")
ENGLISH = [f"The {a}{b} walks on the mat." for a in ("paint", "walk", "play") for b in ENDINGS] * 5
CHINESE = [f"今天天气{a}，我们去{b}散步。" for a in ("很好", "不错") for b in ("公园", "河边")] * 5
TEXTS = [*ENGLISH, *CHINESE]
SIZES = {"bpe": 420, "unigram": 520, "wordpiece": 120}


@pytest.fixture(scope="module", params=list(SIZES))
def made(request):
    chosen = TokenizerSettings(kind=request.param, vocabulary=SIZES[request.param])
    return chosen, train_tokenizer(TEXTS, chosen)


def test_tokenizers_stay_within_their_vocabulary_and_learn_pieces(made):
    chosen, tokenizer = made
    assert len(tokenizer) <= chosen.vocabulary
    assert sorted(tokenizer.get_vocab().values()) == list(range(len(tokenizer)))
    for text, most in (("The player walks on the mat.", 24), ("今天天气很好。", 8)):
        assert len(tokenizer.tokenize(text)) <= most


def test_a_folder_opens_with_transformers_and_says_the_same(made, tmp_path):
    chosen, tokenizer = made
    save_tokenizer(tokenizer, tmp_path / "tokenizer", chosen, "abc")
    again = AutoTokenizer.from_pretrained(tmp_path / "tokenizer", local_files_only=True)
    text = "The cat 今天 sat, 去公园 zzz"
    assert again(text, text)["input_ids"] == tokenizer(text, text)["input_ids"]
    assert again.special_tokens_map == tokenizer.special_tokens_map
    assert again.model_max_length == chosen.context
    save_tokenizer(tokenizer, tmp_path / "tokenizer", chosen, "abc")  # one of ours is replaced


def test_what_is_not_ours_is_not_replaced(made, tmp_path):
    chosen, tokenizer = made
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ModelError, match="overwritten"):
        save_tokenizer(tokenizer, tmp_path, chosen)
    assert [file.name for file in tmp_path.iterdir()] == ["letter.txt"]


@pytest.fixture(scope="module")
def lossless():
    return {
        kind: train_tokenizer(TEXTS, TokenizerSettings(kind=kind, vocabulary=SIZES[kind]))
        for kind in ("bpe", "unigram")
    }


# No special tokens, and not the mark that stands for a space; a unigram model of pieces drops the
# space before a text's first word, as SentencePiece does.
ANY = st.text(st.characters(exclude_characters="<▁", exclude_categories=["Cs"]), max_size=30)


@given(text=ANY)
@settings(max_examples=200)
def test_any_text_comes_back(lossless, text):
    bpe, unigram = lossless["bpe"], lossless["unigram"]
    assert bpe.decode(bpe(text)["input_ids"]) == text
    normal = unicodedata.normalize("NFC", text).lstrip(" ")
    found = unigram.decode(unigram(normal)["input_ids"], skip_special_tokens=True)
    assert found == normal


def test_rare_characters_are_spelt_in_bytes_or_unknown():
    texts = [*TEXTS * 20, "龘"]
    unigram = train_tokenizer(texts, TokenizerSettings("unigram", 520, coverage=0.999))
    wordpiece = train_tokenizer(texts, TokenizerSettings("wordpiece", 120, coverage=0.999))
    assert unigram.tokenize("龘")[-3:] == ["<0xE9>", "<0xBE>", "<0x98>"]
    assert wordpiece.tokenize("龘天") == ["[UNK]", "天"]
    assert fit(wordpiece, ["龘天"]).unknown == 1
    assert fit(unigram, ["龘天"]).unknown == 0


@pytest.mark.parametrize(
    ("kind", "purpose", "begin", "end"),
    [
        ("bpe", "auto", None, None),
        ("bpe", "read", "[CLS]", "[SEP]"),
        ("wordpiece", "auto", "[CLS]", "[SEP]"),
        ("unigram", "auto", None, "</s>"),
        ("unigram", "write", None, None),
        ("wordpiece", "translate", None, "</s>"),
    ],
)
def test_what_stands_around_a_text_follows_from_the_purpose(kind, purpose, begin, end):
    tokenizer = train_tokenizer(TEXTS, TokenizerSettings(kind, 600, purpose, masks=3))
    tokens = tokenizer.convert_ids_to_tokens(tokenizer("the cat")["input_ids"])
    special = set(tokenizer.all_special_tokens)
    assert (tokens[0] if tokens[0] in special else None) == begin
    assert (tokens[-1] if tokens[-1] in special else None) == end
    assert tokenizer.pad_token_id is not None
    masks = {f"<extra_id_{n}>" for n in range(3)}
    assert masks <= special or not masks & special
    assert (masks <= special) is (begin is None and end is not None)


def test_case_and_digits_as_asked():
    low = train_tokenizer(TEXTS, TokenizerSettings("bpe", 400, lower=True))
    assert low.tokenize("THE CAT") == low.tokenize("the cat")
    texts = ["year 2024 and 2024 more"] * 9
    together = train_tokenizer(texts, TokenizerSettings("bpe", 400))
    apart = train_tokenizer(texts, TokenizerSettings("bpe", 400, digits=True))
    assert together.tokenize(" 2024") == ["Ġ2024"]
    assert apart.tokenize(" 2024") == ["Ġ", "2", "0", "2", "4"]


def test_the_same_texts_give_the_same_tokenizer_also_from_an_iterator(made):
    chosen, tokenizer = made
    for texts in (TEXTS, iter(TEXTS), tuple(TEXTS)):
        again = train_tokenizer(texts, chosen)
        assert again.get_vocab() == tokenizer.get_vocab()
        assert again.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "bpp"}, "bpp"),
        ({"kind": "bpe", "vocabulary": 200}, "> 258"),
        ({"kind": "unigram", "vocabulary": 300}, "> 359"),
        ({"purpose": "sing"}, "sing"),
        ({"coverage": 0.1}, "coverage"),
        ({"min_count": 0}, "min_count"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(SettingsError, match=said):
        TokenizerSettings(**wrong)


@pytest.mark.parametrize(
    ("kind", "texts"),
    [("bpe", []), ("unigram", []), ("wordpiece", []), ("unigram", ["", " "]), ("wordpiece", [""])],
)
def test_no_text_is_refused(kind, texts):
    with pytest.raises(DataError, match="no text"):
        train_tokenizer(texts, TokenizerSettings(kind, 400))


def test_what_is_no_text_is_named_by_its_place():
    with pytest.raises(DataError, match="text 2 is int"):
        train_tokenizer(["a", 2], TokenizerSettings())


def test_a_vocabulary_too_small_for_the_characters_says_how_many_there_are():
    many = ["".join(chr(0x4E00 + n) for n in range(300))] * 2
    with pytest.raises(SettingsError, match="300 characters"):
        train_tokenizer(many, TokenizerSettings("wordpiece", 200, coverage=1.0))


def test_pieces_say_what_they_stand_for():
    tokenizer = train_tokenizer(TEXTS, TokenizerSettings("bpe", 420))
    found = pieces(tokenizer, "The mat今天🙂")
    assert [part for _, _, part in found[:2]] == ["The", " mat"]
    assert "今天" in {part for _, _, part in found}
    # Four bytes of one character each stand for all of it.
    assert [part for _, _, part in found][-4:] == ["🙂"] * 4


def test_fit_counts():
    tokenizer = train_tokenizer(TEXTS, TokenizerSettings("wordpiece", 120))
    found = fit(tokenizer, ["the cat", "今天"])
    assert (found.texts, found.characters, found.words) == (2, 9, 4)
    expected = len(tokenizer.tokenize("the cat")) + len(tokenizer.tokenize("今天"))
    assert found.tokens == expected
    assert found.characters_per_token == 9 / expected
    with pytest.raises(DataError):
        fit(tokenizer, [])
