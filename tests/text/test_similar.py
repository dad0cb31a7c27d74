"""Near-duplicates against their definition, tried on all pairs."""

import re
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.text.doctor.similar import Clusters, folded, jaccard, key, near_pairs, shingles

WORDS = ["river", "garden", "seven", "lamp", "under", "cold", "winter", "paper", "tree", "song"]
HANZI = "春夏秋冬山水花鸟天地人日月星云风雨雪江河湖海"


def slow(items, threshold) -> set[tuple[int, int]]:
    found = set()
    for one, two in combinations(range(len(items)), 2):
        sides = list(zip(items[one], items[two], strict=True))
        digits = [re.findall(r"\d+", "\x1f".join(items[n])) for n in (one, two)]
        sizes = [sum(len(shingles(text)) for text in items[n]) for n in (one, two)]
        alike = min(jaccard(shingles(a), shingles(b)) for a, b in sides)
        if alike >= threshold and min(sizes) >= 8 and digits[0] == digits[1]:
            found.add((one, two))
    return found


ENGLISH = st.lists(st.sampled_from(WORDS), min_size=2, max_size=9).map(" ".join)
CHINESE = st.lists(st.sampled_from(HANZI), min_size=4, max_size=20).map("".join)


@st.composite
def collections(draw):
    """Texts, and texts made of them by small changes, so that some are alike."""
    made = draw(st.lists(st.one_of(ENGLISH, CHINESE), min_size=2, max_size=12))
    for _ in range(draw(st.integers(0, 8))):
        text = draw(st.sampled_from(made))
        place = draw(st.integers(0, len(text)))
        made.append(text[:place] + draw(st.sampled_from("x好7")) + text[place + 1 :])
    return made


@settings(max_examples=150, deadline=None)
@given(collections(), st.sampled_from([0.3, 0.5, 0.8, 0.95]))
def test_all_pairs_and_no_others_are_found(texts, threshold) -> None:
    items = [[text] for text in texts]
    found = {(near.first, near.second) for near in near_pairs(items, threshold)}
    assert found == slow(items, threshold)


@settings(max_examples=60, deadline=None)
@given(collections(), st.randoms(use_true_random=False))
def test_every_field_has_to_be_alike(texts, random) -> None:
    items = [[text, random.choice(texts)] for text in texts]
    found = {(near.first, near.second) for near in near_pairs(items, 0.6)}
    assert found == slow(items, 0.6)


def test_long_texts_meet_too() -> None:
    base = " ".join(f"{word}{other}" for word in WORDS for other in WORDS)
    texts = [base, base.replace("seven", "eleven", 3), base[::-1], base[: len(base) // 2]]
    assert [(n.first, n.second) for n in near_pairs([[t] for t in texts], 0.8)] == [(0, 1)]


def test_other_numbers_are_another_matter() -> None:
    texts = ["please set an alarm for 7 tomorrow", "please set an alarm for 8 tomorrow"]
    assert not list(near_pairs([[text] for text in texts], 0.5))


def test_width_case_blanks_and_edges_do_not_count() -> None:
    assert folded("  ＡＢＣ  is\tGood!! ") == folded("abc is good")
    assert folded("很好。") == folded("很好")
    assert folded("???") == "???"
    assert key(["a.", "b"]) != key(["a", "b c"])


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12))
def test_clusters_are_the_connected_components(pairs) -> None:
    clusters = Clusters(10)
    for one, two in pairs:
        clusters.join(one, two)
    reach = {n: {n} for n in range(10)}
    for _ in range(10):
        for one, two in pairs:
            both = reach[one] | reach[two]
            for n in both:
                reach[n] = reach[n] | both
    assert {frozenset(group) for group in clusters.groups()} == set(map(frozenset, reach.values()))
