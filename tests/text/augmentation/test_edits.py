"""Random edits: spans keep their words through ten thousand of them, labels their meaning."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError, SettingsError
from speaq.text.augmentation.edits import (
    EDITS,
    AugmentationSettings,
    Augmenter,
    mentions_of,
)
from speaq.text.augmentation.lines import Line
from speaq.text.augmentation.synonyms import NearWords, SynonymList, first_of, read_synonyms
from speaq.text.embeddings.vectors import WordVectors
from speaq.text.files.examples import Span
from speaq.text.marked import Marked, join
from speaq.text.segmentation import segmenter, words

SYNONYMS = SynonymList(
    [
        ("good", "great", "fine"),
        ("film", "movie"),
        ("quickly", "fast"),
        ("好吃", "美味", "可口"),
        ("快", "迅速"),
        ("公园", "花园"),
    ]
)
ENGLISH = [
    "The film is not good, but Tom Hanks (the actor) was great in New York.",
    "Don't send 3.5 kg of good tea to Dr. Wu at 10 Downing Street; he can't eat it quickly!",
    'She said: "a good film, made in São Paulo by U.N. people".',
]
CHINESE = [
    "配送很快，菜也好吃，但是不去北京大学旁边的公园。",
    "我用Python在上海的公园写代码，2024年的天气真好！",
    "“味道不错”，张三丰和李四说，快去南京市长江大桥。",
]


def marks(text, stream):
    """The text with spans drawn at random: anywhere, overlapping, within words, over marks."""
    spans = []
    for _ in range(stream.integers(0, 5)):
        start, end = sorted(stream.choice(len(text) + 1, 2, replace=False).tolist())
        spans.append(Span(start, min(end, start + 12), "ABC"[stream.integers(3)]))
    return Marked(text, tuple(spans))


def test_ten_thousand_random_edits_keep_every_span_on_its_words():
    stream = np.random.default_rng(0)
    keep = Augmenter(AugmentationSettings(share=0.3), SYNONYMS)
    drop = Augmenter(AugmentationSettings(share=0.3, drop_spans=True), SYNONYMS)
    changed = dropped = 0
    for round_ in range(10_000):
        marked = marks((ENGLISH + CHINESE)[round_ % 6], stream)
        augmenter = drop if round_ % 4 == 0 else keep
        made = augmenter.edited(marked, stream)
        before, after = Counter(marked.covered()), Counter(made.covered())
        if augmenter is keep:
            assert after == before
        else:
            assert after <= before
            dropped += sum(before.values()) - sum(after.values())
        changed += made.text != marked.text
    assert changed > 8000
    assert dropped > 100


ALPHABET = "ab Z.,!'好吃的不快公园good film\n"
TEXTS = st.text(st.sampled_from(ALPHABET), max_size=40)
BORDERS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.sampled_from("XY")))


@given(TEXTS, BORDERS, st.sampled_from(EDITS), st.booleans(), st.integers(0, 99))
@settings(max_examples=500)
def test_spans_of_any_text_cover_their_words_or_go_with_them(text, borders, edit, drop, seed):
    spans = {(min(a, b), max(a, b), label) for a, b, label in borders}
    marked = Marked(text, tuple(Span(a, b, label) for a, b, label in spans if a < b <= len(text)))
    chosen = AugmentationSettings((edit,), share=0.3, drop_spans=drop)
    made = Augmenter(chosen, SYNONYMS).edited(marked, np.random.default_rng(seed))
    before, after = Counter(marked.covered()), Counter(made.covered())
    assert after <= before if drop else after == before


@given(TEXTS, BORDERS)
@settings(max_examples=300)
def test_a_line_gives_its_text_back(text, borders):
    spans = [Span(min(a, b), max(a, b), label) for a, b, label in borders]
    marked = Marked(text, tuple(span for span in spans if span.start < span.end <= len(text)))
    assert Line.of(marked, segmenter().places).marked() == marked
    assert join([marked, Marked("好"), marked]).text == text + "好" + text


LEFT_OF = ("好吃，但快", "菜，但快", "菜好吃，快", "菜好吃，但")


def every(kind, text, count=300, share=0.1, spans=(), synonyms=SYNONYMS, **more):
    """All texts that one edit of a kind makes."""
    augmenter = Augmenter(AugmentationSettings((kind,), share), synonyms, **more)
    stream = np.random.default_rng(0)
    return {augmenter.edited(Marked(text, spans), stream).text for _ in range(count)}


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("replace", "A good film.", {"A great film.", "A fine film.", "A good movie."}),
        ("replace", "GOOD, Film", {"GREAT, Film", "FINE, Film", "GOOD, Movie"}),
        ("replace", "很好吃。", {"很美味。", "很可口。"}),
        ("replace", "公园，快", {"花园，快", "公园，迅速"}),
        ("delete", "the good film", {"good film", "the film", "the good"}),
        ("delete", "It is not good.", {"is not good.", "It not good.", "It is not."}),
        ("delete", "Hm, a film!", {"a film!", "Hm, film!", "Hm, a!"}),
        ("delete", "菜好吃，但快。", {f"{rest}。" for rest in LEFT_OF}),
        ("delete", "菜不快，好。", {"不快，好。", "菜不快。"}),
        ("swap", "a good film.", {"good a film.", "film good a.", "a film good."}),
        ("swap", "菜好吃。", {"好吃菜。"}),
        ("swap", "用A好B", {"A用好B", "好A用B", "BA好用", "用好AB", "用B好A", "用AB好"}),
        ("insert", "good!", {"great good!", "good great!", "fine good!", "good fine!"}),
        ("insert", "快。", {"迅速快。", "快迅速。"}),
    ],
)
def test_what_each_edit_makes(kind, text, expected):
    if kind == "swap" and "A" in text:
        # Latin words that meet are kept apart; Chinese ones are not.
        expected = {t.replace("AB", "A B").replace("BA", "B A") for t in expected}
    assert every(kind, text) == expected


@pytest.mark.parametrize(("text", "marks_"), [("so it is", ".;?:!,"), ("是的吗", "。；？：！，")])
def test_without_synonyms_marks_are_put_in(text, marks_):
    found = every("insert", text, synonyms=None)
    assert {sign for made in found for sign in made if sign in marks_} == set(marks_)
    assert all(words(made) == words(text) for made in found)


def test_a_last_word_is_never_deleted_and_nothing_is_done_to_no_words():
    assert every("delete", "好吃", share=1.0) == {"好吃"}
    for kind in EDITS:
        assert every(kind, "…!?", count=20) == {"…!?"}
        assert every(kind, "", count=20) == {""}


def test_spans_move_as_one_and_are_never_entered():
    text = "I saw New York City"
    found = every("swap", text, spans=(Span(6, 19, "LOC"),))
    assert found == {"saw I New York City", "New York City saw I", "I New York City saw"}
    for made in every("insert", "good New York", spans=(Span(5, 13, "LOC"),)):
        assert "New York" in made


def test_mentions_are_exchanged_for_others_of_their_label():
    first = Marked("Ann met Bob in 北京", (Span(0, 3, "P"), Span(8, 11, "P"), Span(15, 17, "L")))
    second = Marked("上海 is big", (Span(0, 2, "L"),))
    mentions = mentions_of([first, second])
    assert mentions == {"P": ["Ann", "Bob"], "L": ["北京", "上海"]}
    augmenter = Augmenter(AugmentationSettings(("mention",)), mentions=mentions)
    stream = np.random.default_rng(0)
    made = [augmenter.edited(first, stream) for _ in range(50)]
    assert {each.text for each in made} == {
        "Bob met Bob in 北京",
        "Ann met Ann in 北京",
        "Ann met Bob in 上海",
    }
    for each in made:
        assert all(words in mentions[label] for words, label in each.covered())
        assert len(each.spans) == 3


@pytest.mark.parametrize("text", [ENGLISH[0], CHINESE[0]])
def test_copies_differ_and_depend_on_seed_and_place_only(text):
    augmenter = Augmenter(AugmentationSettings(copies=8, share=0.2), SYNONYMS)
    copies = augmenter.copies(Marked(text), seed=1, place=3)
    assert len({text, *(copy.text for copy in copies)}) == 9
    assert augmenter.copies(Marked(text), seed=1, place=3) == copies
    assert augmenter.copies(Marked(text), seed=1, place=4) != copies
    assert augmenter.copies(Marked(text), seed=2, place=3) != copies
    assert augmenter.copies(Marked("!!"), seed=1) == []


def test_the_share_says_how_many_words_change():
    text = " ".join(f"word{place}x" for place in range(20))
    for share, most in ((0.01, 1), (0.1, 2), (0.5, 10)):
        lengths = {len(words(made)) for made in every("delete", text, 30, share)}
        assert lengths == {20 - most}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"edits": ()}, "edits"),
        ({"edits": ("exchange",)}, "exchange"),
        ({"share": 0}, "share"),
        ({"copies": 0}, "copies"),
    ],
)
def test_settings_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(SettingsError, match=said):
        AugmentationSettings(**wrong)


def test_lists_of_synonyms_are_read_in_both_languages(tmp_path):
    file = tmp_path / "list.txt"
    file.write_bytes("# mine\n快,迅速，飞快\nNew York\tNYC\n\n好吃 = 美味\n".encode("gbk"))
    known = read_synonyms(file)
    assert known("快") == ["迅速", "飞快"]
    assert known("new york") == ["NYC"]
    assert known("美味") == ["好吃"]
    assert known("慢") == []


@pytest.mark.parametrize(
    ("content", "said"), [("a,b\nalone\n", "row 2"), ("", "no synonyms"), (None, "no such file")]
)
def test_bad_lists_are_refused_by_row(tmp_path, content, said):
    file = tmp_path / "list.txt"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=said):
        read_synonyms(file)


def test_near_words_leave_out_forms_of_the_word_stop_words_and_the_far():
    found = {
        "walk": [1, 0, 0], "walked": [1, 0.01, 0], "the": [1, 0.02, 0], "stroll": [1, 0.3, 0],
        "走": [1, 0.1, 0], "车": [0, 1, 0], "步行": [1, 0.2, 0.1], "walk3": [1, 0, 0.1],
    }  # fmt: skip
    vectors = WordVectors(tuple(found), np.array(list(found.values()), np.float32))
    near = NearWords(vectors, least=0.6)
    assert near("Walk") == ["stroll"]
    assert near("走") == ["步行"]
    assert near("unknown") == []
    assert list(first_of(SYNONYMS, near)("good")) == ["great", "fine"]
    assert list(first_of(SYNONYMS, near)("walk")) == ["stroll"]
