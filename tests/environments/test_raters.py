import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.environments.raters import RUBRICS, WARM, brief, farewell, rated, rubric, rubric_reward
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.rewards import action_rewards, resolve


def episodes(count):
    return [
        Episode((Turn("observation", "Hi"), Turn("action", "Thanks, dear friend!")), id=f"e{n}")
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("", 0.0),
        ("...", 0.0),  # nothing was said
        ("Stone", 0.3),  # to the point
        ("Stone.", 0.3 + 0.2),  # and finished
        ("A happy stone", 0.125 + 0.3),  # one point of four
        ("HAPPY, happy stone.", 0.25 + 0.5),
        ("Happy, lovely stone!", 0.375 + 0.5),  # the exclamation mark is a point
        ("Stone! Stone! Stone!", 0.125 + 0.5),  # but only one
        ("Thanks, your friends!", 1.0),
        ("Thank you, dear friend, you're welcome!", 1.0),  # no more than full marks
        ("Unhappy lovelyish youth.", 0.5),  # whole words only
        (" ".join(["stone"] * 17) + ".", 0.15 + 0.2),
        (" ".join(["stone"] * 24) + ". \n", 0.2),
        (" ".join(["stone"] * 400), 0.0),
        (" ".join(["stone"] * 10) + ". " + " ".join(["stone"] * 10), 0.3),  # ten a sentence
        ("1.5 stones", 0.3),  # a point inside a number ends no sentence
    ],
)
def test_the_rubric_by_hand(reply, score):
    assert rubric(reply) == pytest.approx(score)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("...", 0.0),
        ("Stone.", 1.0),
        ("Stone", 0.6),
        (" ".join(["stone"] * 15) + "?", 0.3 + 0.4),
        (" ".join(["stone"] * 24), 0.0),
    ],
)
def test_brief_by_hand(reply, score):
    assert brief(reply) == pytest.approx(score)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("!!", 0.0),
        ("Stone.", 0.4),
        ("Thanks, dear friend. Stone", 0.0),  # only the end counts
        ("Stone. Thank you", 0.6),
        ("Stone. Good luck! ", 0.6 + 0.4),
        ("Stone. A happy stone. ...", 0.3 + 0.4),  # dots alone are no sentence
    ],
)
def test_farewell_by_hand(reply, score):
    assert farewell(reply) == pytest.approx(score)


@given(st.text())
def test_a_score_is_between_none_and_all(reply):
    assert all(0 <= score(reply) <= 1 for score in RUBRICS.values())


def test_another_rubric_may_rate():
    (one,) = rated(episodes(1), noise=0.0, seed=0, score=brief)
    assert one.feedback[0].value == brief("Thanks, dear friend!")


def test_warm_words_are_as_they_are_compared():
    assert all(word == word.lower() and word.isalpha() for word in WARM)


def test_without_noise_the_rating_is_the_rubric():
    (one,) = rated(episodes(1), noise=0.0, seed=0)
    (event,) = one.feedback
    assert (event.value, event.source) == (1.0, "rater:rubric")
    assert action_rewards(one, resolve("feedback")) == [rubric_reward(one)]


def test_ratings_depend_on_seed_and_episode_only():
    some = episodes(4)
    values = [each.feedback[0].value for each in rated(some, noise=0.3, seed=0)]
    backwards = [each.feedback[0].value for each in rated(some[::-1], noise=0.3, seed=0)]
    other = [each.feedback[0].value for each in rated(some, noise=0.3, seed=1)]
    assert values == backwards[::-1]
    assert not set(values) & set(other)
    assert len(set(values)) == 4


def test_the_noise_has_the_size_that_was_asked_for():
    errors = [
        each.feedback[0].value - rubric_reward(each)
        for each in rated(episodes(2000), noise=0.25, seed=3)
    ]
    assert statistics.fmean(errors) == pytest.approx(0, abs=0.02)
    assert statistics.stdev(errors) == pytest.approx(0.25, abs=0.015)


def test_rating_twice_is_the_same_event():
    (one,) = rated(episodes(1), noise=0.3, seed=0)
    assert one.with_feedback(*one.feedback) == one


def test_what_was_said_before_is_kept():
    before = Feedback("click", True, id="c")
    (one,) = rated([replace(episodes(1)[0], feedback=(before,))], noise=0.0, seed=0)
    assert [event.kind for event in one.feedback] == ["click", "score"]
