"""Dependency trees: the best one, reading CoNLL-U, and a parser that learns them."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError
from speaq.text.files.conllu import is_tree, read_trees
from speaq.training.loop import LoopSettings
from speaq.training.supervised.examples import Parsed
from speaq.training.supervised.files import read_training
from speaq.training.supervised.fine_tune import fine_tune
from speaq.training.supervised.preparing import Examples
from speaq.training.supervised.result import open_tuned
from speaq.training.supervised.settings import FineTuneSettings
from speaq.training.supervised.trees import best_tree


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 5), st.integers(0, 10_000))
def test_the_best_tree_is_that_of_trying_them_all(words, seed):
    scores = np.random.default_rng(seed).normal(size=(words, words + 1))
    found = best_tree(scores)
    assert is_tree(found)

    def total(heads):
        return sum(scores[n, head] for n, head in enumerate(heads))

    trees = [heads for heads in product(range(words + 1), repeat=words) if is_tree(heads)]
    assert total(found) == pytest.approx(max(map(total, trees)))


@pytest.mark.parametrize(
    ("heads", "one"),
    [((0,), True), ((2, 0), True), ((0, 0), False), ((2, 1), False), ((2, 3, 2), False),
     ((0, 5), False), ((0, 2), False)],
)  # fmt: skip
def test_what_is_a_tree(heads, one):
    assert is_tree(heads) is one


SENTENCE = """# text = 我们爱你
1-2\t我们\t_\t_\t_\t_\t_\t_\t_\t_
1\t我们\t_\tPRON\t_\t_\t2\tnsubj\t_\t_
2\t爱\t_\tVERB\t_\t_\t0\troot\t_\t_
2.1\t_\t_\t_\t_\t_\t_\t_\t_\t_
3\t你\t_\tPRON\t_\t_\t2\tobj\t_\t_

"""


def test_a_sentence_of_conllu_is_its_words_and_its_tree(tmp_path):
    file = tmp_path / "a.conllu"
    file.write_text(SENTENCE, encoding="utf-8")
    (tree,) = read_trees(file)
    assert tree.words == ("我们", "爱", "你")
    assert tree.heads == (2, 0, 2)
    assert (tree.parts[1], tree.relations[2], tree.row) == ("VERB", "obj", 3)


@pytest.mark.parametrize(
    ("old", "new", "row"),
    [
        ("\t2\tobj", "\t3\tobj", 3),
        ("\t2\tobj", "\t_\tobj", 6),
        ("\t0\troot", "\t1\troot", 3),
        ("\t2\tobj\t_\t_", "\t2\tobj", 6),
    ],
)
def test_what_is_no_tree_is_refused_with_its_line(tmp_path, old, new, row):
    file = tmp_path / "a.conllu"
    file.write_text(SENTENCE.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError) as refused:
        read_trees(file)
    assert refused.value.row == row


NOUNS, VERBS = ["dog", "cat", "bird"], ["sees", "likes", "finds"]


def conllu(subject, verb, thing):
    rows = [("the", "DET", 2, "det"), (subject, "NOUN", 3, "nsubj"), (verb, "VERB", 0, "root"),
            ("a", "DET", 5, "det"), (thing, "NOUN", 3, "obj")]  # fmt: skip
    return "".join(
        f"{n}\t{w}\t_\t{part}\t_\t_\t{head}\t{name}\t_\t_\n"
        for n, (w, part, head, name) in enumerate(rows, 1)
    )


def test_a_parser_learns_and_comes_back_from_disk(tmp_path):
    file = tmp_path / "train.conllu"
    file.write_text("\n".join(conllu(*each) for each in product(NOUNS, VERBS, NOUNS)))
    examples = read_training(file, "parsing")
    torch.manual_seed(0)
    made = fine_tune(
        "new:encoder?layers=1&hidden=32&heads=2&vocabulary=64&context=32&dropout=0",
        Examples(examples, examples[:6], examples[:3]),
        settings=FineTuneSettings(epochs=0, patience=0, validations=0.2, dropout=0.0),
        loop=LoopSettings(steps=50, batch_size=9, lr=5e-3, head_lr=5e-3, warmup=5),
        folder=tmp_path / "run",
    )
    assert made.metrics["test"] == {"uas": 1.0, "las": 1.0, "pos": 1.0}
    (parse,) = open_tuned(made.folder).answers([Parsed(("the", "bird", "likes", "a", "dog"))])
    assert parse.heads == (2, 3, 0, 5, 3)
    assert parse.parts == ("DET", "NOUN", "VERB", "DET", "NOUN")
    assert parse.relations == ("det", "nsubj", "root", "det", "obj")
    assert min(parse.sure) > 0.5


def test_words_beyond_the_limit_still_get_an_answer(tmp_path):
    file = tmp_path / "train.conllu"
    file.write_text("\n".join(conllu(*each) for each in product(NOUNS, VERBS, NOUNS)))
    examples = read_training(file, "parsing")
    made = fine_tune(
        "new:encoder?layers=1&hidden=16&heads=2&vocabulary=64&context=8&dropout=0",
        Examples(examples, examples[:3]),
        settings=FineTuneSettings(epochs=0, patience=0),
        loop=LoopSettings(steps=2, batch_size=8),
        folder=tmp_path / "run",
    )
    words = ("the", "dog", "sees") * 5
    (parse,) = made.model.answers([Parsed(words)])
    assert len(parse.heads) == len(parse.parts) == len(words)
    assert is_tree(parse.heads)
