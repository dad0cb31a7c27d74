"""The index: finding, adding, removing, merging, and what is left on the disk."""

from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.apps.answer.adding_up import best_scores
from speaq.apps.answer.building import index
from speaq.apps.answer.documents import Part
from speaq.apps.answer.index import Index, IndexSettings
from speaq.apps.answer.segments import Document
from speaq.apps.answer.terms import terms
from speaq.core.errors import DataError, ModelError

WORDS = ["水泵", "阀门", "三年", "pumps", "valve", "running", "保修", "the"]


def parts_of(texts: dict[str, str]) -> list[tuple[Document, list[Part]]]:
    return [(Document(name, "", ""), [Part(text)]) for name, text in texts.items()]


def ranked(index: Index, question: str, best: int = 100) -> list[tuple[str, int, float]]:
    found = index.bm25(question, best)
    named = [(index.passage(each), each.score) for each in found]
    return sorted((p.file, p.start, round(score, 4)) for p, score in named)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The pumps are running", ["pump", "run"]),
        ("水泵", ["水", "泵", "水泵"]),
        ("P-7的价格", ["p", "7", "的", "价", "格", "的价", "价格"]),
        ("to be", ["to", "be"]),
    ],
)
def test_terms(text: str, wanted: list[str]) -> None:
    assert terms().of(text) == wanted


def test_scores_are_those_of_the_formula(tmp_path: Path) -> None:
    texts = {"a": "pump pump valve", "b": "valve brass seal", "c": "brass pump seal wheel red"}
    made = Index.create(tmp_path, IndexSettings())
    made.add(parts_of(texts))
    held = {name: Counter(terms().of(text)) for name, text in texts.items()}
    average = np.mean([sum(each.values()) for each in held.values()])

    def score(name: str, term: str) -> float:
        count, length = held[name][term], sum(held[name].values())
        frequency = sum(term in each for each in held.values())
        idf = log(1 + (3 - frequency + 0.5) / (frequency + 0.5))
        return idf * count / (count + 1.5 * (0.25 + 0.75 * length / average))

    wanted = sorted((name, 0, round(score(name, "pump"), 4)) for name in ("a", "c"))
    assert ranked(made, "pump") == wanted


texts_of = st.dictionaries(
    st.sampled_from("abcdef"), st.lists(st.sampled_from(WORDS), min_size=1, max_size=8)
)


STEPS = st.lists(st.tuples(st.booleans(), texts_of), max_size=5)


@settings(max_examples=8, deadline=None)
@given(STEPS, st.sampled_from(WORDS))
def test_what_was_changed_step_by_step_is_as_if_made_at_once(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[bool, dict[str, list[str]]]],
    word: str,
) -> None:
    made = Index.create(tmp_path_factory.mktemp("steps"), IndexSettings())
    now: dict[str, str] = {}
    for adds, texts in steps:
        if not texts:
            continue
        said = {name: " ".join(words) for name, words in texts.items()}
        if adds:
            made.add(parts_of(said))
            now |= said
        else:
            assert made.remove(said) == len(set(said) & set(now))
            now = {name: text for name, text in now.items() if name not in said}
    fresh = Index.create(tmp_path_factory.mktemp("fresh"), IndexSettings())
    if now:
        fresh.add(parts_of(now))
    assert made.count == fresh.count
    assert ranked(made, word) == ranked(fresh, word)
    assert ranked(Index(made.folder), word) == ranked(fresh, word)


def test_small_segments_are_merged_with_their_vectors(tmp_path: Path) -> None:
    made = Index.create(tmp_path, IndexSettings())

    def encode(texts):  # type: ignore[no-untyped-def]
        return np.array([[len(text), 1] for text in texts], np.float32)

    for n in range(12):
        made.add(parts_of({f"n{n}": "水" * (n + 1)}), encode)
    made.remove(["n3"])
    assert len(made.segments) < 9 and made.count == 11
    for found in made.dense(np.array([1, 0], np.float32), 100):
        passage = made.passage(found)
        assert found.score == len(passage.text) and passage.file == f"n{len(passage.text) - 1}"
        assert made.part(found).text == passage.text


def test_what_was_removed_is_not_on_the_disk(indexed: Path, documents: Path) -> None:
    held = "五千元".encode()
    assert any(held in file.read_bytes() for file in indexed.rglob("*") if file.is_file())
    assert Index(indexed).remove(["保修.txt"]) == 1
    assert not any(held in file.read_bytes() for file in indexed.rglob("*") if file.is_file())
    assert "保修.txt" not in [each.name for each in Index(indexed).documents()]
    with pytest.raises(DataError, match="not in the index"):
        Index(indexed).parts("保修.txt")
    assert Index(indexed).remove(["保修.txt"]) == 0


def test_a_passage_is_a_stretch_of_its_part(indexed: Path) -> None:
    opened = Index(indexed)
    for question in ("专业版的价格", "pump filter", "office open", "发票", "red button"):
        for found in opened.bm25(question, 10):
            passage, part = opened.passage(found), opened.part(found)
            assert part.text[passage.start : passage.end] == passage.text
            if not passage.field:
                assert passage.line == part.text.count("\n", 0, passage.start) + 1


def test_a_bad_document_leaves_the_index_as_it_was(indexed: Path, documents: Path) -> None:
    before = ranked(Index(indexed), "pump filter 保修")
    (documents / "pump.md").write_text("All is new here.")
    (documents / "z.pdf").write_bytes(b"%PDF-1.4 nothing")
    with pytest.raises(DataError, match="damaged"):
        index(indexed, [documents])
    assert ranked(Index(indexed), "pump filter 保修") == before
    assert not list(indexed.glob(".*part"))


def test_an_encoder_that_fails_leaves_nothing_half_indexed(tmp_path: Path) -> None:
    made = Index.create(tmp_path, IndexSettings())

    def broken(texts):  # type: ignore[no-untyped-def]
        raise ModelError("no", "不")

    with pytest.raises(ModelError):
        made.add(parts_of({"a": "pump"}), broken)
    assert made.count == 0 and sorted(f.name for f in tmp_path.iterdir()) == [".lock", "index.json"]


def test_another_process_sees_what_was_added_after_refresh(indexed: Path, tmp_path: Path) -> None:
    opened = Index(indexed)
    (tmp_path / "new.txt").write_text("The gasket is green.")
    index(indexed, [tmp_path / "new.txt"])
    assert not opened.bm25("gasket", 1)
    opened.refresh()
    assert opened.passage(opened.bm25("gasket", 1)[0]).file == "new.txt"


def test_settings_of_an_index_stay(indexed: Path) -> None:
    with pytest.raises(DataError, match="other settings"):
        Index.create(indexed, IndexSettings(k1=1.2))


@pytest.mark.parametrize("manifest", [None, "{", "[]", '{"segments": []}'])
def test_no_index_or_a_damaged_one_is_said(tmp_path: Path, manifest: str | None) -> None:
    if manifest is not None:
        (tmp_path / "index.json").write_text(manifest)
    with pytest.raises(ModelError, match="no index" if manifest is None else "damaged"):
        Index(tmp_path)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 8), st.booleans())
def test_what_is_left_out_could_not_have_won(seed: int, best: int, some_gone: bool) -> None:
    stream = np.random.default_rng(seed)
    size = 400
    floor = stream.uniform(0.5, 2, size).astype(np.float32)
    alive = stream.random(size) < 0.8 if some_gone else None
    postings = []
    for share in stream.choice([0.005, 0.01, 0.3, 0.9], stream.integers(1, 6)):
        places = np.flatnonzero(stream.random(size) < share).astype(np.int32)
        if len(places):
            counts = stream.integers(1, 9, len(places)).astype(np.uint16)
            postings.append((places, counts, float(np.log(1 / share)) + 0.01))
    plain = best_scores(postings, floor, alive, best, many=size + 1)
    pruned = best_scores(postings, floor, alive, best, many=0)
    wanted = np.sort(plain)[::-1][:best]
    np.testing.assert_allclose(np.sort(pruned)[::-1][:best], wanted, rtol=1e-5)
    sure = wanted[wanted > (plain[plain < wanted[-1]].max(initial=0) + 1e-4)]
    for score in sure:
        assert np.argmin(np.abs(plain - score)) == np.argmin(np.abs(pruned - score))


def test_an_index_that_could_not_be_filled_is_none(tmp_path: Path) -> None:
    """Its settings would be held against the next one."""
    (tmp_path / "a.txt").write_text("The pump runs.", encoding="utf-8")
    place = tmp_path / "index"
    with pytest.raises(ModelError):
        index(place, [tmp_path / "a.txt"], IndexSettings(encoder=str(tmp_path / "nowhere")))
    assert not place.exists()
    assert index(place, [tmp_path / "a.txt"], IndexSettings()) == (1, 1)
