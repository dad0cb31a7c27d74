"""Raters with published rubrics: what the demo and the benchmarks of steering are judged by.

`manners`: a reply should be friendly, to the point and finished.

    friendly      0.5 · min(1, points / 4)   one point for every warm word (see `WARM`), for every
                                             "you" or "your", and for an exclamation mark
    to the point  0.3 · clip((24 - words per sentence) / 14, 0, 1)
                                             full marks up to 10 words a sentence, none from 24
    finished      0.2 if the last character ends a sentence

`brief`: a reply should be short and end.

    short         0.6 · clip((24 - words) / 18, 0, 1)   full marks up to 6 words, none from 24
    finished      0.4 if the last character ends a sentence

`farewell`: nothing counts but how a reply ends, so every token before is judged late.

    warm          0.6 · min(1, points / 2)   points of the last sentence, as in `manners`
    finished      0.4 if the last character ends a sentence

Sums are in [0, 1]; a reply without words scores 0. A person does not rate alike twice, so the
ratings that go into a log are the rubric's score plus normal noise; what a model has learnt is
measured by the rubric itself. The rubrics say nothing about truth or sense, and a model that
learns them learns manners only.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from speaq.core.seeds import generator
from speaq.experience.episode import Episode, Feedback

_WARM_TEXT = (
    "amazing awesome beautiful best bless bright calm care caring cheer cheerful comfort cozy "
    "cute dear delicious delight delighted delightful enjoy enjoyable excellent excited "
    "exciting fantastic favorite favourite fresh friend friendly friends fun gentle gently "
    "glad good grateful great happiness happy heart help helpful hope hug joy joyful kind "
    "kindly kindness laugh love lovely luck lucky nice peace peaceful perfect please pleased "
    "pleasure proud relax relaxing safe smile special success support sure sweet thank "
    "thankful thanks thoughtful together warm warmth welcome wish wonderful wow yay yes "
)
WARM = frozenset(_WARM_TEXT.split())
"""What counts as a warm word, in lower case."""

_YOU = frozenset(("you", "your", "yours", "yourself", "you're", "you'll", "you've"))
_WORD = re.compile(r"[a-z']+")
_SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)")


def rubric(reply: str) -> float:
    """`manners` of one English reply, in [0, 1]."""
    words = _words(reply)
    if not words:
        return 0.0
    finished = _finished(reply)
    sentences = max(1, len(_SENTENCE_END.findall(reply)) + (not finished))
    brevity = (24 - len(words) / sentences) / 14
    warmth = min(1.0, _points(reply) / 4)
    return 0.5 * warmth + 0.3 * min(1.0, max(0.0, brevity)) + 0.2 * float(finished)


def brief(reply: str) -> float:
    """`brief` of one English reply, in [0, 1]."""
    words = _words(reply)
    if not words:
        return 0.0
    short = min(1.0, max(0.0, (24 - len(words)) / 18))
    return 0.6 * short + 0.4 * float(_finished(reply))


def farewell(reply: str) -> float:
    """`farewell` of one English reply, in [0, 1]."""
    if not _words(reply):
        return 0.0
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", reply.strip()) if _words(part)]
    return 0.6 * min(1.0, _points(sentences[-1]) / 2) + 0.4 * float(_finished(reply))


RUBRICS: Mapping[str, Callable[[str], float]] = {
    "manners": rubric,
    "brief": brief,
    "farewell": farewell,
}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _points(text: str) -> int:
    return sum(word in WARM or word in _YOU for word in _words(text)) + ("!" in text)


def _finished(reply: str) -> bool:
    return reply.rstrip().endswith((".", "!", "?"))


def rubric_reward(episode: Episode) -> float:
    """`manners` as a reward: the score of the last reply, without noise."""
    return rubric(episode.reply)


def rated(
    episodes: Sequence[Episode],
    *,
    noise: float,
    seed: int,
    score: Callable[[str], float] = rubric,
) -> list[Episode]:
    """Episodes with a rating each: the rubric's score plus N(0, noise²), fixed by seed and id."""
    events = [
        Feedback(
            kind="score",
            value=score(each.reply) + noise * float(generator(seed, "rate", each.id).normal()),
            time=each.time,
            source="rater:rubric",
            id=f"rating-{each.id}",
        )
        for each in episodes
    ]
    return [
        replace(each, feedback=(*each.feedback, event))
        for each, event in zip(episodes, events, strict=True)
    ]
