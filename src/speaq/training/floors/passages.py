"""The floor of reading: the sentence of the text that BM25 likes best for the question.

It knows where an answer stands, and not what part of the sentence it is; so its F1 says how much
of the task is finding, and its exact match is near zero.
"""

from collections.abc import Sequence

from speaq.text.sentences import sentences
from speaq.training.floors.search import index
from speaq.training.supervised.examples import Question
from speaq.training.supervised.reading import Passage


def best_sentences(examples: Sequence[Question]) -> list[Passage]:
    """The sentence of each context that shares most with its question; the first if none does.

    Raises:
        SettingsError: the extra `classic` is missing.
    """
    made = []
    for example in examples:
        found = sentences(example.context) or [example.context]
        hits = index(found).search(example.question, best=1)
        text = found[hits[0].place] if hits else found[0]
        start = max(0, example.context.find(text))
        made.append(Passage(text, start, hits[0].score if hits else 0.0))
    return made
