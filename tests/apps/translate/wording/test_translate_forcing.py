"""Glossary terms in place of the words that stand for them."""

import math

import pytest
from word_translator import WordTranslator

from speaq.apps.translate.translating import Direction
from speaq.apps.translate.wording.aligning import aligned, words_of
from speaq.apps.translate.wording.forcing import force
from speaq.apps.translate.wording.glossary import Glossary
from speaq.apps.translate.wording.terms import forms, holds


class Told:
    """A hypothesis."""

    def __init__(self, text: str, score: float) -> None:
        self.text = text
        self.score = score
        self.token_logprobs = (score,) * len(text.split())
        self.token_ids = tuple(range(len(self.token_logprobs)))


class Owing:
    """A model in which a word is unlikely once the source lacks the word that it stands for."""

    name = "owing"
    pairs = (("de", "en"),)

    def __init__(self, **meant: str) -> None:
        self.meant = meant

    def logprobs(self, texts, translations, *, source, target):
        return [
            [self._word(word, text) for word in said.lower().split()] + [-0.1]
            for text, said in zip(texts, translations, strict=True)
        ]

    def _word(self, word, text):
        wanted = self.meant.get(word.strip(".,"))
        return -0.1 if wanted is None or wanted in text.split() else -4.0

    def ends(self, translations, *, target):
        return WordTranslator().ends(translations, target=target)


def forced(model, source, hypotheses, terms):
    matches = Glossary.of(terms).matches(source, "de", "en")
    told = [Told(text, score) for text, score in hypotheses]
    return force(Direction(model, "de", "en"), source, told, matches)


def test_the_word_that_owes_to_the_term_is_replaced_wherever_it_stands():
    model = Owing(dog="Hund", tree="Baum")
    said = forced(model, "Am Baum bellt ein Hund", [("A dog barks by the tree", -0.1)],
                  {"Hund": "hound", "Baum": "oak"})  # fmt: skip
    assert said.text == "A hound barks by the oak"
    assert said.honoured == (True, True)


def test_words_beside_it_that_owe_as_much_go_with_it_but_no_sign_is_crossed():
    model = Owing(soccer="Fußball", ball="Fußball")
    for text, wanted in (
        ("He kicks a soccer ball there", "He kicks a football there"),
        ("He likes soccer, ball and all", "He likes football, ball and all"),
    ):
        source = "Er tritt einen Fußball dort"
        assert forced(model, source, [(text, -0.1)], {"Fußball": "football"}).text == wanted


def test_no_article_is_replaced_for_a_term_that_the_model_left_out():
    said = forced(Owing(a="Baum"), "Ein Hund am Baum", [("A dog is there", -0.1)], {"Baum": "oak"})
    assert "oak" in said.text and said.text.startswith("A ")


def test_of_the_best_translations_the_one_that_says_the_term_is_taken():
    model = Owing(dog="Hund", tree="Baum")
    both = [("A dog barks", -0.2), ("A dog barks by the tree", -0.5)]
    assert forced(model, "Ein Hund bellt am Baum", both, {"Baum": "oak"}).text == (
        "A dog barks by the oak"
    )
    # One that is much less likely is not worth it.
    far = [("A dog barks", -0.2), ("tree tree tree", -5.0)]
    assert forced(model, "Ein Hund bellt am Baum", far, {"Baum": "oak"}).text != "oak tree tree"


def test_terms_that_stand_already_stay_and_cost_nothing():
    model = WordTranslator()
    source = "Ein Hund"
    said = forced(model, source, [("A dog", -0.1)], {"Hund": "dog"})
    assert (said.text, said.honoured, said.of.text) == ("A dog", (True,), "A dog")
    two = forced(Owing(dog="Hund"), "Hund Hund", [("dog hound", -0.1)], {"Hund": "hound"})
    assert two.text == "hound hound"


@pytest.mark.parametrize("text", ["", "Yes", "?"])
def test_more_terms_than_words_are_put_in(text):
    said = forced(Owing(), "Hund Katze Baum", [(text, -0.1)],
                  {"Hund": "hound", "Katze": "tomcat", "Baum": "oak"})  # fmt: skip
    assert said.honoured == (True, True, True)


def test_what_words_owe():
    direction = Direction(Owing(dog="Hund"), "de", "en")
    matches = Glossary.of({"Hund": "hound"}).matches("Ein Hund bellt", "de", "en")
    [found] = aligned(direction, "Ein Hund bellt", ["The dog barks"], matches)
    assert found.words == ((0, 3), (4, 7), (8, 13))
    assert found.owed[0] == pytest.approx((-math.inf, 3.9, 0))


def test_chinese_words_are_replaced_whole():
    text = "一个男孩骑自行车。"
    assert "自行车" in [text[start:end] for start, end in words_of(text, "zh")]


@pytest.mark.parametrize(
    ("term", "plural"),
    [("gentleman", "gentlemen"), ("lady", "ladies"), ("wolf", "wolves"), ("child", "children")],
)
def test_plurals_that_change_the_word(term, plural):
    assert plural in forms(term, "en")[:3]
    assert holds(f"Two {plural} there", term, "en")
    assert not holds(f"Two {plural}hood", term, "en")
