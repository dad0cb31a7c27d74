"""A rater with a published rubric: what the demo and the steering benchmark are judged by.

A reply should be friendly, to the point and finished:

    friendly      0.5 · min(1, points / 4)   one point for every warm word (see `WARM`), for every
                                             "you" or "your", and for an exclamation mark
    to the point  0.3 · clip((24 - words per sentence) / 14, 0, 1)
                                             full marks up to 10 words a sentence, none from 24
    finished      0.2 if the last character ends a sentence

The sum is in [0, 1]. A person does not rate alike twice, so the ratings that go into a log are
the rubric's score plus normal noise; what a model has learnt is measured by the rubric itself.
The rubric says nothing about truth or sense, and a model that learns it learns manners only.
"""

import re
from collections.abc import Sequence
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
    """Score of one English reply, in [0, 1]."""
    words = _WORD.findall(reply.lower())
    if not words:
        return 0.0
    points = sum(word in WARM or word in _YOU for word in words) + ("!" in reply)
    finished = reply.rstrip().endswith((".", "!", "?"))
    sentences = max(1, len(_SENTENCE_END.findall(reply)) + (not finished))
    brevity = (24 - len(words) / sentences) / 14
    return 0.5 * min(1.0, points / 4) + 0.3 * min(1.0, max(0.0, brevity)) + 0.2 * float(finished)


def rubric_reward(episode: Episode) -> float:
    """The rubric as a reward: the score of the last reply, without noise."""
    return rubric(episode.reply)


def rated(episodes: Sequence[Episode], *, noise: float, seed: int) -> list[Episode]:
    """Episodes with a rating each: the rubric's score plus N(0, noise²), fixed by seed and id."""
    events = [
        Feedback(
            kind="score",
            value=rubric(each.reply) + noise * float(generator(seed, "rate", each.id).normal()),
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
