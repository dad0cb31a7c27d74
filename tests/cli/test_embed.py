"""Word vectors on the command line."""

from collections.abc import Callable
from pathlib import Path

import pytest

from speaq.text.embeddings.files import load_vectors

Speaq = Callable[..., tuple[int, str, str]]
LINES = {
    "en": "the cat eats and sleeps\na dog eats and sleeps\nthe car goes fast\na bus goes fast\n"
    * 9,
    "zh": "小猫吃饭睡觉\n小狗吃饭睡觉\n汽车开得很快\n火车开得很快\n" * 9,
}
WORDS = {"en": ("cat", "dog", "car"), "zh": ("小猫", "小狗", "汽车")}
QUICK = ("--word2vec.epochs", 3, "--glove.epochs", 3, "--word2vec.size", 8, "--glove.size", 8)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("method", ["word2vec", "glove"])
def test_vectors_are_learnt_and_asked(
    speaq: Speaq, spoken: str, language: str, method: str
) -> None:
    Path("corpus.txt").write_text(LINES[language], encoding="utf-8")
    words = ("embed", "train", "corpus.txt", "--method", method, "--text-format", *QUICK)
    code, out, err = speaq(*words)
    assert code == 0, err
    assert ("holds the vectors" if spoken == "en" else "个词的向量") in out
    run = Path("runs") / method
    vectors = load_vectors(run / "vectors.safetensors")
    assert load_vectors(run / "vectors.txt").words == vectors.words
    first, second, third = WORDS[language]
    code, out, err = speaq("embed", "near", run, first, second, "--count", 2)
    assert code == 0, err
    lines = out.splitlines()
    assert (lines[0], lines[3], len(lines)) == (first, second, 6)
    assert lines[1].split()[1] == vectors.near(first)[0][0]
    code, out, _ = speaq("embed", "analogy", run, first, second, third, "--count", 1)
    assert out.split()[1] == vectors.analogy(first, second, third)[0][0]
    assert speaq(*words)[0] == 0  # nothing is left to do


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("train", "none.txt"), "none.txt"),
        (("train", "short.txt"), "occurs 5 times"),
        (("train", "short.txt", "--method", "contextual", "--encoder", "none"), "none"),
        (("near", "none.safetensors", "cat"), "none.safetensors"),
        (("nearest",), "near"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    speaq: Speaq, words: tuple[object, ...], said: str
) -> None:
    Path("short.txt").write_text("too short\n")
    code, out, err = speaq("embed", *words)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and said in err
