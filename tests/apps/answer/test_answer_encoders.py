"""Dense vectors, fusion, and an encoder of one's own."""

from pathlib import Path

import numpy as np
import pytest

from speaq.apps.answer.building import index
from speaq.apps.answer.dual_encoder import DualSettings, Pair, pairs_of, tune
from speaq.apps.answer.index import Index, IndexSettings
from speaq.apps.answer.searching import Search
from speaq.core.errors import EvidenceError, SettingsError
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.store import ExperienceStore

SMALL = "new:encoder?layers=1&hidden=16&heads=2&vocabulary=200&context=64"
THINGS = ["茶", "汤", "tea", "soup", "bread", "面包", "milk", "牛奶", "plum", "李子", "fig", "梨"]
PAIRS = [Pair(f"{thing} {n}?", f"{thing} is {n}.") for thing in THINGS for n in range(2)]


def test_an_encoder_learns_which_belong_together_and_serves_an_index(tmp_path: Path) -> None:
    run = tmp_path / "run"
    before, after = tune(SMALL, PAIRS, run, DualSettings(epochs=12, batch_size=8, lr=3e-3))
    assert 0 <= before <= 1 and after >= before
    again = tune(SMALL, PAIRS, run, DualSettings(epochs=12, batch_size=8, lr=3e-3))
    assert again[1] == after
    (tmp_path / "faq.csv").write_text(
        "question,answer\n" + "".join(f"{p.question},{p.text}\n" for p in PAIRS), encoding="utf-8"
    )
    settings = IndexSettings(encoder=str(run / "model"))
    index(tmp_path / "index", [tmp_path / "faq.csv"], settings)
    search = Search(Index(tmp_path / "index"))
    # Each row has two vectors, one of its question and one of its answer.
    assert len(search.index.segments[0].vectors) == 2 * len(PAIRS)
    np.testing.assert_allclose(
        np.linalg.norm(search.index.segments[0].vectors, axis=1), 1, rtol=1e-5
    )
    [best] = search.find("milk 1?", 1, "dense")
    assert best.passage.question == "milk 1?" and best.scores["dense"] == pytest.approx(1, abs=1e-4)
    fused = search.find("milk 1?", 3)
    assert {"bm25", "dense"} == set(fused[0].scores)
    assert fused[0].score == pytest.approx(2 / 61) and fused[0].passage.text == "milk is 1."


def test_fusion_is_by_reciprocal_rank(indexed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    search = Search(Index(indexed))
    lexical = search.index.bm25("pump filter office", 3)
    monkeypatch.setattr(search.index, "settings", IndexSettings(encoder="any"))
    monkeypatch.setattr(search, "_vector", lambda question: None)
    monkeypatch.setattr(search.index, "dense", lambda vector, best: lexical[::-1])
    found = search.find("pump filter office", 3, "fused")
    ranks = {(s.segment, s.place): n for n, s in enumerate(lexical, 1)}
    for each in found:
        rank = ranks[each.at.segment, each.at.place]
        assert each.score == pytest.approx(1 / (60 + rank) + 1 / (60 + len(lexical) + 1 - rank))


def test_methods_that_cannot_be_are_refused(indexed: Path) -> None:
    search = Search(Index(indexed))
    with pytest.raises(SettingsError, match="needs dense vectors"):
        search.find("pump", 1, "dense")
    with pytest.raises(SettingsError, match="'best'"):
        search.find("pump", 1, "best")  # type: ignore[arg-type]


def test_pairs_come_from_tables_and_from_what_people_liked(tmp_path: Path) -> None:
    rows = "".join(f"{p.question},{p.text}\n" for p in PAIRS)
    (tmp_path / "faq.csv").write_text(f"question,answer\n{rows}", encoding="utf-8")
    with ExperienceStore(tmp_path / "log.sqlite") as store:
        for said, liked in (("Good.", True), ("Bad.", False)):
            turns = (Turn("observation", "Why?"), Turn("action", said))
            store.append(
                Episode(turns, feedback=(Feedback("thumb", liked),), tags={"passage": "p"})
            )
    found = pairs_of([tmp_path / "faq.csv"], str(tmp_path / "log.sqlite"))
    assert set(found) == {*PAIRS, Pair("Why?", "Good.")}
    with pytest.raises(EvidenceError, match="1 pairs"):
        pairs_of([], str(tmp_path / "log.sqlite"))
