"""Questions that lean on those before them, made to stand alone.

"And in spring?" names nothing to look for. Such a question takes along the rarest words of the
question before it, and a name from its answer; what was taken is shown, and no model is asked.
"""

import re
from collections.abc import Callable, Sequence

from speaq.text.segmentation import is_chinese, segmenter
from speaq.text.stop_words import stop_words
from speaq.text.units import HAN

Exchange = tuple[str, str]
"""A question and its answer."""

_PRONOUN = re.compile(
    r"\b(?:it|its|he|him|his|she|her|hers|they|them|their|this|these|those)\b"
    rf"|[它他她]|[这那其此](?![{HAN}]*(?:么样|些年))",
    re.IGNORECASE,
)
_CONTINUES = re.compile(
    r"^\s*(?:and|or|but|so|then|what about|how about)\b|^\s*(?:why|when|where|how)(?: so)?\W*$"
    r"|^(?:那|还有|为什么[？?]*$|然后)|呢[？?。\s]*$",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+)*")
_TAKEN = 5
"""Words that are taken along, at most."""
_BRIEF = 80
"""Characters of an answer that a name is taken along from."""
_SHORT = 2
"""A question of so few words leans on the one before it."""


def leans(question: str) -> bool:
    """Whether a question cannot be understood without the ones before it."""
    if _CONTINUES.search(question) or len(segmenter().words(question)) <= _SHORT:
        return True
    # A pronoun may stand for a name in the question itself; the first word is always large.
    names = _NAME.findall(question.strip()[1:])
    return bool(_PRONOUN.search(question)) and not names


def standing_alone(
    question: str, history: Sequence[Exchange], rarity: Callable[[str], float]
) -> str:
    """The question, with what it leans on put before it; itself where it leans on nothing.

    Args:
        question: as it was asked.
        history: earlier questions with their answers, oldest first.
        rarity: how rare a word is in the documents; 0 where they do not hold it.
    """
    if not history or not leans(question):
        return question
    before, answer = history[-1]
    if leans(before) and len(history) > 1:
        before = standing_alone(before, history[:-1], rarity)
    own = _words(question)
    known = {word.lower() for word in own}
    weights = {w: rarity(w) for w in dict.fromkeys(_words(before)) if w.lower() not in known}
    rare = sorted((w for w in weights if weights[w] > 0), key=lambda word: -weights[word])
    if any(rarity(word) > 0 for word in own):
        # It asks for another thing of the same subject, so the old thing would mislead.
        rare = _subject(before, list(weights), rare)
    taken = [word for word in weights if word in rare[:_TAKEN]]
    if len(answer) < _BRIEF:
        names = [name for name in _NAME.findall(answer) if name.lower() not in stop_words("en")]
        taken += [name for name in names[:1] if name.lower() not in known and name not in taken]
    if not taken:
        return question
    between = "，" if is_chinese(question) else ", "
    return f"{_joined(taken, question)}{between}{question}"


def _subject(question: str, words: Sequence[str], rare: Sequence[str]) -> list[str]:
    """What a question was about: its names; else in Chinese the first word that the documents
    know, in English the two rarest."""
    names = [name for name in _NAME.findall(question.strip()[1:]) if name in words]
    if names:
        return names
    if is_chinese(question):
        return [word for word in words if word in rare][:1]
    return list(rare[:2])


def _joined(words: Sequence[str], question: str) -> str:
    return "、".join(words) if is_chinese(question) else " ".join(words)


def _words(text: str) -> list[str]:
    """The words of a text that are not stop words, in order."""
    left_out = stop_words()
    return [word for word in segmenter().words(text) if word.lower() not in left_out]
