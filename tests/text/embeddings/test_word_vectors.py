"""What is asked of word vectors, against slow definitions, and files that come back."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError
from speaq.text.embeddings.files import load_vectors, save_vectors
from speaq.text.embeddings.vectors import WordVectors

ROYAL = WordVectors(
    ("man", "woman", "king", "queen", "apple"),
    np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [0.5, -1, -1]], np.float32),
)
WANG = WordVectors(
    ("男", "女", "国王", "女王", "苹果"), ROYAL.matrix, np.array([9, 8, 4, 3, 1]), {"method": "我"}
)


def random_vectors(seed, count=30, size=7):
    matrix = np.random.default_rng(seed).normal(size=(count, size)).astype(np.float32)
    return WordVectors(tuple(f"w{place}" for place in range(count)), matrix)


def cosine(a, b):
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("method", ["add", "mul"])
def test_analogies(method):
    assert ROYAL.analogy("man", "king", "woman", method=method)[0][0] == "queen"
    assert WANG.analogy("男", "国王", "女", method=method)[0][0] == "女王"


@given(st.integers(0, 10**6), st.permutations(range(30)))
@settings(max_examples=50)
def test_analogies_rank_as_defined(seed, places):
    vectors = random_vectors(seed)
    a, b, c = (vectors.words[place] for place in places[:3])

    def score(word, method):
        x = vectors.vector(word)
        to_a, to_b, to_c = (cosine(x, vectors.vector(each)) for each in (a, b, c))
        if method == "add":
            return to_b - to_a + to_c
        return (to_b + 1) / 2 * (to_c + 1) / 2 / ((to_a + 1) / 2 + 0.001)

    for method in ("add", "mul"):
        rest = [word for word in vectors.words if word not in (a, b, c)]
        expected = sorted(rest, key=lambda word: -score(word, method))
        found = vectors.analogy(a, b, c, 30, method)
        assert [word for word, _ in found] == expected
        assert found[0][1] == pytest.approx(score(expected[0], method), rel=1e-4)


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=50)
def test_nearest_words_rank_by_cosine(seed, count):
    vectors = random_vectors(seed)
    found = vectors.near("w3", count)
    rest = [word for word in vectors.words if word != "w3"]
    rest.sort(key=lambda word: -cosine(vectors.vector("w3"), vectors.vector(word)))
    assert [word for word, _ in found] == rest[:count]
    assert found[0][1] == pytest.approx(vectors.similarity("w3", rest[0]), abs=1e-6)
    assert [word for word, _ in vectors.near_all(["w4", "w3"], count)[1]] == rest[:count]
    assert vectors.near_vector(vectors.vector("w3") * 5, 1)[0][0] == "w3"


def test_words_are_found_in_lower_case_or_suggested():
    assert ROYAL.near("King")[0][0] == "queen"
    with pytest.raises(DataError, match="did you mean 'queen'"):
        ROYAL.near("quean")
    with pytest.raises(DataError) as refused:
        WANG.near("女皇")
    assert "女皇" in refused.value.zh


def test_a_mean_leaves_out_what_is_not_known():
    assert np.allclose(ROYAL.mean(["man", "zzz", "king"]), [1, 0, 0.5])
    assert np.array_equal(ROYAL.mean(["zzz"]), [0, 0, 0])


@pytest.mark.parametrize(
    ("words", "matrix"),
    [
        (("a",), np.zeros((2, 3))),
        (("a", "a"), np.zeros((2, 3))),
        (("a", "b"), np.array([[1.0], [np.nan]])),
        (("a",), np.zeros(3)),
    ],
)
def test_what_cannot_be_vectors_is_refused(words, matrix):
    with pytest.raises(DataError):
        WordVectors(words, matrix)


@pytest.mark.parametrize("vectors", [ROYAL, WANG])
@pytest.mark.parametrize("name", ["v.safetensors", "v.txt", "v.vec"])
def test_vectors_come_back_from_files(tmp_path, vectors, name):
    save_vectors(vectors, tmp_path / name)
    again = load_vectors(tmp_path / name)
    assert again.words == vectors.words
    assert np.allclose(again.matrix, vectors.matrix, atol=1e-6)
    if name == "v.safetensors":
        assert np.array_equal(again.matrix, vectors.matrix)
        assert (again.counts is None) == (vectors.counts is None)
        assert again.facts == vectors.facts


def test_files_of_other_tools_are_read(tmp_path):
    glove = tmp_path / "glove.6B.txt.gz"
    glove.write_bytes(gzip.compress("the 0.1 0.2\n猫 1 -2e-1\n\x85 3 4\n".encode()))
    found = load_vectors(glove)
    assert found.words == ("the", "猫", "\x85")
    assert np.allclose(found.matrix, [[0.1, 0.2], [1, -0.2], [3, 4]])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", "the 1 2\ncat 3\n", "row 2"),
        ("a.txt", "the 1 2\ncat 3 x\n", "row 2"),
        ("a.txt", "", "no vectors"),
        ("a.safetensors", "nonsense", "not word vectors"),
        ("a.bin", "", "safetensors"),
        ("none.txt", None, "no such file"),
    ],
)
def test_damaged_files_are_refused_by_row(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        load_vectors(tmp_path / name)


def test_a_word_with_a_space_is_not_written_as_text(tmp_path):
    with pytest.raises(DataError):
        save_vectors(WordVectors(("New York",), np.ones((1, 2), np.float32)), tmp_path / "v.txt")
    assert list(tmp_path.iterdir()) == []
