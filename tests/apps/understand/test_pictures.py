"""Pictures and lines: aligned in Chinese, escaped, fetching nothing."""

import re
import xml.etree.ElementTree as ElementTree

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from speaq.apps.understand.pictures import entity_picture, page, picture
from speaq.apps.understand.results import Entity, Label, Labels, Tie, Understanding, Word
from speaq.apps.understand.terminal import arc_lanes, drawn, entity_lines, tree_lines

TEXT = "鲁迅 wrote 狂人日记。"
ENTITIES = (Entity("鲁迅", 0, 2, "作者", 0.9), Entity("狂人日记", 9, 13, "work", 0.8))
WORDS = (
    Word("鲁迅", 0, 2, "PROPN", 1, "nsubj"),
    Word("wrote", 3, 8, "VERB", -1, "root"),
    Word("狂人日记", 9, 13, "PROPN", 1, "obj"),
    Word("。", 13, 14, "PUNCT", 1, "punct"),
)
FOUND = Understanding(
    TEXT,
    {"tone": Labels((Label("好", 0.7),), (Label("好", 0.7), Label("bad", 0.3)))},
    ENTITIES,
    (Tie(0, 1, "wrote <it>", 0.9),),
    WORDS,
)


def test_bars_stand_under_their_entities_by_cells():
    text, bars, labels = entity_lines(TEXT, ENTITIES).splitlines()
    assert text == TEXT
    assert bars == "╰──╯       ╰──────╯"
    assert labels.startswith("作者")
    assert cell_len(labels[: labels.index("work")]) == bars.rindex("╰") == 11


def test_long_texts_are_wrapped_and_no_entity_is_lost():
    text = "很长的句子" * 20 + "北京"
    lines = entity_lines(text, [Entity("北京", 100, 102, "地点")], 40).splitlines()
    assert max(map(cell_len, lines)) <= 40
    assert "地点" in lines[-1]


@given(st.text(alphabet="ab 北京\n", max_size=60), st.integers(4, 20))
def test_wrapping_keeps_every_character_that_is_seen(text, width):
    lines = entity_lines(text, (), width)
    assert "".join(lines.split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in lines.splitlines())


def test_trees_are_drawn_in_equal_columns():
    lines = tree_lines(WORDS).splitlines()
    assert len(lines) == 4
    starts = {
        cell_len(line[: line.index(word.pos)]) for line, word in zip(lines, WORDS, strict=True)
    }
    assert len(starts) == 1
    assert [line[:4].count("►") for line in lines] == [1, 0, 1, 1]


@given(st.lists(st.integers(-1, 6), min_size=7, max_size=7))
def test_arcs_of_one_lane_never_overlap(heads):
    words = [Word("x", n, n + 1, "", head if head != n else -1) for n, head in enumerate(heads)]
    lanes = arc_lanes(words)
    spans = [(min(n, words[n].head), max(n, words[n].head), lane) for n, lane in lanes.items()]
    for i, (a, b, lane) in enumerate(spans):
        for c, d, other in spans[i + 1 :]:
            assert lane != other or b <= c or d <= a


def test_a_picture_is_well_formed_and_fetches_nothing():
    made = picture(FOUND)
    ElementTree.fromstring(made)
    whole = page("狂 <b>", made, "zh")
    assert "<title>狂 &lt;b&gt;</title>" in whole
    assert "wrote &lt;it&gt;" in made
    assert not re.search(r"(?:src|href)\s*=|@import|url\(", whole)


def test_text_is_escaped_and_entities_keep_their_words():
    made = entity_picture("<i>北京</i>", [Entity("北京", 3, 5, "<p>")])
    assert "<i>" not in made and "&lt;i&gt;" in made
    assert "北京<small>&lt;p&gt;</small>" in made


def test_the_terminal_shows_everything():
    lines = drawn(FOUND)
    for part in ("好 0.70", "作者", "wrote <it>", "nsubj"):
        assert part in lines
