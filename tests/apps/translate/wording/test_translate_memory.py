"""Glossaries and translation memories."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.apps.translate.wording.glossary import Glossary, Term, read_glossary, read_terms
from speaq.apps.translate.wording.memory import TranslationMemory, Unit
from speaq.apps.translate.wording.terms import find, forms, holds, stemmed
from speaq.core.errors import DataError, StorageError
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.text.units import units

_DE_EN = ("de", "en")


@pytest.mark.parametrize(
    ("term", "text", "language", "found"),
    [
        ("Hund", "Zwei Hunde bellen", "de", ["Hunde"]),
        ("Haus", "Die Häuser", "de", ["Häuser"]),
        ("dog", "Dogs bark at the dog", "en", ["Dogs", "dog"]),
        ("red ball", "red balls, red. Ball", "en", ["red balls"]),
        ("cheval", "le cheval", "fr", ["cheval"]),
        ("狗", "狗和狗", "zh", ["狗", "狗"]),
        ("US", "us and US", "en", ["US"]),
        ("Hund", "Hundert", "de", []),
        ("Junge", "Eine junge Frau und zwei Jungen", "de", ["Jungen"]),
        ("Hund", "zwei hunde", "de", ["hunde"]),
    ],
)
def test_terms_are_found_whatever_their_ending(
    term: str, text: str, language: str, found: list[str]
) -> None:
    places = find(stemmed(term, language), stemmed(text, language))
    assert [text[start:end] for start, end in places] == found
    assert holds(text, term, language) == bool(found)


def test_forms_have_the_stem_of_their_term() -> None:
    assert forms("dog", "en")[:2] == ["dog", "dogs"]
    assert "cities" in forms("city", "en")
    assert forms("狗", "zh") == ["狗"]


def test_the_longer_term_counts_and_inflection_leaves_a_choice() -> None:
    glossary = Glossary.of({"Hund": "hound", "roter Hund": "red dog"})
    found = glossary.matches("Ein roter Hund und zwei Hunde", "de", "en")
    assert [each.term.target for each in found] == ["red dog", "hound"]
    assert found[0].choices == ("red dog",)
    assert found[1].choices[:2] == ("hound", "hounds")


def test_a_glossary_of_a_pair_serves_the_opposite_pair_and_no_other() -> None:
    glossary = Glossary([Term("Hund", "dog", _DE_EN)])
    assert [each.term.target for each in glossary.matches("the dogs", "en", "de")] == ["Hund"]
    assert glossary.matches("Hund", "de", "fr") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "de\ten\nHund\tdog\nRad, klein\tsmall wheel\n"),
        ("a.csv", 'de,en\nHund,dog\n"Rad, klein",small wheel\n'),
        (
            "a.tmx",
            '<tmx version="1.4"><header srclang="de"/><body><tu><tuv xml:lang="de"><seg>Hund</seg>'
            '</tuv><tuv xml:lang="en"><seg>dog</seg></tuv></tu><tu><tuv xml:lang="de"><seg>Rad, '
            'klein</seg></tuv><tuv xml:lang="en"><seg>small wheel</seg></tuv></tu></body></tmx>',
        ),
    ],
)
def test_glossary_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    terms = read_glossary(tmp_path / name).terms
    assert [(each.source, each.target) for each in terms] == [
        ("Hund", "dog"),
        ("Rad, klein", "small wheel"),
    ]
    assert {each.pair for each in terms} == {_DE_EN}


@pytest.mark.parametrize(("text", "row"), [("Hund\tdog\nKatze\n", 2), ("Hund\t\n", 1)])
def test_bad_rows_of_a_glossary(tmp_path: Path, text: str, row: int) -> None:
    (tmp_path / "a.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_glossary(tmp_path / "a.tsv")
    assert refused.value.row == row


def test_kept_terms_are_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("Speaq\n\n 北京烤鸭 \n", encoding="utf-8")
    assert read_terms(tmp_path / "keep.txt") == ("Speaq", "北京烤鸭")


@pytest.fixture
def memory(tmp_path: Path):  # type: ignore[no-untyped-def]
    with TranslationMemory(tmp_path / "memory.sqlite") as opened:
        yield opened


def test_exact_is_verbatim_and_the_newest(memory: TranslationMemory) -> None:
    assert memory.add(_DE_EN, [Unit("Guten Tag!", "Good day!"), Unit("Hund", "dog")]) == 2
    assert memory.add(_DE_EN, [Unit("Guten Tag!", "Good day!"), Unit("Guten Tag!", "Hello!")]) == 1
    found = memory.exact(_DE_EN, "  Guten Tag!\n")
    assert found is not None and found.target == "Hello!"
    assert memory.exact(_DE_EN, "Guten Tag") is None
    assert memory.exact(("en", "de"), "Guten Tag!") is None


def test_what_was_added_is_there_when_opened_again(tmp_path: Path) -> None:
    with TranslationMemory(tmp_path / "m.sqlite") as one:
        one.add(("zh", "en"), [Unit("你好", "Hello")])
    with TranslationMemory(tmp_path / "m.sqlite") as two:
        assert two.pairs() == {("zh", "en"): 1}


def test_fuzzy_finds_what_is_like_it_with_its_differences(memory: TranslationMemory) -> None:
    memory.add(
        _DE_EN,
        [
            Unit("Der rote Hund läuft im Park.", "The red dog runs in the park."),
            Unit("Die Katze schläft auf dem Sofa.", "The cat sleeps on the sofa."),
        ],
    )
    [found] = memory.fuzzy(_DE_EN, "Der blaue Hund läuft im Park.")
    assert found.similarity == pytest.approx(5 / 6)
    assert found.differences == (("rote", "blaue"),)
    assert memory.fuzzy(_DE_EN, "Der blaue Vogel fliegt im Wald.") == []
    [close] = memory.fuzzy(_DE_EN, "der rote Hund läuft im Park")
    assert close.similarity == 0.99


def test_fuzzy_in_chinese_goes_by_characters(memory: TranslationMemory) -> None:
    memory.add(("zh", "en"), [Unit("我喜欢红色的小狗", "I like red puppies")])
    [found] = memory.fuzzy(("zh", "en"), "我喜欢黑色的小狗")
    assert found.similarity == pytest.approx(7 / 8)
    assert found.differences == (("红", "黑"),)


_SENTENCES = st.lists(st.sampled_from("abcde"), min_size=1, max_size=8).map(" ".join)


@given(st.lists(_SENTENCES, min_size=1, max_size=12, unique=True), _SENTENCES)
def test_no_text_that_is_alike_is_missed(texts: list[str], asked: str) -> None:
    from rapidfuzz.distance import Levenshtein

    with TranslationMemory(":memory:") as memory:
        memory.add(_DE_EN, [Unit(text, "x") for text in texts])
        found = {each.unit.source for each in memory.fuzzy(_DE_EN, asked, 0.75, 100)}
    wanted = {
        text
        for text in texts
        if Levenshtein.normalized_similarity(units(text), units(asked)) >= 0.75
    }
    assert found == wanted


def test_import_and_export_are_one_another_s_opposite(
    tmp_path: Path, memory: TranslationMemory
) -> None:
    held = [Unit("Hund & Katze", "dog & cat"), Unit("Maus", "mouse")]
    memory.add(_DE_EN, held)
    assert memory.export(_DE_EN, tmp_path / "out.tmx") == 2
    with TranslationMemory(tmp_path / "other.sqlite") as other:
        assert other.import_file(tmp_path / "out.tmx") == 2
        assert [(u.source, u.target) for u in other.units(_DE_EN)] == [
            (u.source, u.target) for u in held
        ]
        assert other.import_file(tmp_path / "out.tmx") == 0


def test_corrections_are_learnt_sentence_by_sentence(memory: TranslationMemory) -> None:
    def episode(prompt: str, correction: str) -> Episode:
        return Episode(
            turns=(Turn("observation", prompt), Turn("action", "?")),
            app="translate",
            tags={"source": "de", "target": "en"},
            feedback=(
                Feedback("thumb", False),
                Feedback("correction", "worse"),
                Feedback("correction", correction),
            ),
        )

    added = memory.learn(
        [
            episode("Hallo. Wie geht's?", "Hello. How are you?"),
            episode("Hallo. Na?", "Hi there, how is it going?"),
        ]
    )
    assert added == 3
    assert [(u.source, u.target) for u in memory.units(_DE_EN)] == [
        ("Hallo.", "Hello."),
        ("Wie geht's?", "How are you?"),
        ("Hallo. Na?", "Hi there, how is it going?"),
    ]


def test_half_a_unit_is_refused_and_nothing_is_kept(memory: TranslationMemory) -> None:
    with pytest.raises(DataError):
        memory.add(_DE_EN, [Unit("Hund", "dog"), Unit("Katze", " ")])
    assert memory.pairs() == {}


def test_a_file_that_is_no_memory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite").write_bytes(b"not a database, certainly" * 50)
    with pytest.raises(StorageError):
        TranslationMemory(tmp_path / "x.sqlite")
