"""The JSON schema of an episode: whole round trips, and refusals that name the field."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import DataError
from speaq.experience.episode import Episode, Feedback, Turn
from speaq.experience.records import fingerprint, from_record, to_json, to_record

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def turns(draw):
    if draw(st.booleans()):
        speaker = draw(st.sampled_from(["user", "system", "tool", "assistant"]))
        return Turn("observation", draw(text), speaker=speaker)
    count = draw(st.integers(0, 3))
    words = draw(text)
    parts = st.lists(st.tuples(st.integers(1, len(words)), finite), max_size=3).map(tuple)
    tokens = st.lists(st.integers(0, 50_000), min_size=count, max_size=count)
    logprobs = st.lists(st.floats(-50, 0), min_size=count, max_size=count)
    return Turn(
        "action",
        words,
        token_ids=tuple(draw(tokens)) if count else None,
        logprobs=tuple(draw(logprobs)) if count and draw(st.booleans()) else None,
        reward=draw(st.none() | finite),
        token_rewards=draw(st.none() | parts),
    )


events = st.builds(
    Feedback, kind=text.filter(str.strip), value=finite | text | st.booleans(), time=finite,
    source=text, id=st.text(st.characters(exclude_categories=["Cs"])),
)  # fmt: skip
episodes = st.builds(
    Episode,
    turns=st.lists(turns(), max_size=3).map(lambda some: (*some, Turn("action", "end"))),
    id=text.filter(str.strip),
    time=finite,
    app=st.text(max_size=5),
    model=st.text(max_size=5),
    feedback=st.lists(events, max_size=2).map(tuple),
    reward=st.none() | finite,
    truncated=st.booleans(),
    subject=st.none() | st.text(max_size=5),
    consent=st.none() | st.lists(text, max_size=2).map(tuple),
    tags=st.dictionaries(text, text, max_size=2),
)


@given(episodes)
def test_a_record_is_the_episode_again(episode):
    assert from_record(json.loads(to_json(to_record(episode)))) == episode


@given(st.lists(episodes, max_size=3, unique_by=lambda each: each.id), st.randoms())
def test_the_fingerprint_ignores_order_only(some, random):
    shuffled = list(some)
    random.shuffle(shuffled)
    assert fingerprint(shuffled) == fingerprint(some)
    if some:
        changed = replace(some[0], feedback=(*some[0].feedback, Feedback("thumb", True)))
        assert fingerprint([changed, *some[1:]]) != fingerprint(some)
        assert fingerprint([*some, some[0]]) != fingerprint(some)


def record(**changes):
    whole = {"id": "e", "turns": [{"role": "action", "text": "hi"}]}
    return {key: value for key, value in (whole | changes).items() if value is not ...}


def action(**changes):
    return record(turns=[{"role": "action", "text": "hi"} | changes])


def said(**changes):
    return record(feedback=[{"kind": "score", "value": 1} | changes])


WRONG = [
    (record(trun=1), "trun", "did you mean 'turns'"),
    (record(id=...), "id", "missing"),
    (record(id=" "), "id", "empty"),
    (record(turns=...), "turns", "missing"),
    (record(turns="hi"), "turns", "expected a list"),
    (record(turns=[]), "turns", "role 'action'"),
    (record(turns=["hi"]), "turns[0]", "expected an object"),
    (action(txt="hi"), "turns[0].txt", "did you mean"),
    (action(text=3), "turns[0].text", "expected text, found int 3"),
    (action(text=""), "turns[0].text", "empty"),
    (action(role="actor"), "turns[0].role", "none of observation, action"),
    (action(speaker="me"), "turns[0].speaker", "none of user"),
    (action(reward="good"), "turns[0].reward", "expected a number"),
    (action(reward=math.nan), "turns[0].reward", "not a finite"),
    (action(token_ids=[1.5]), "turns[0].token_ids", "whole numbers"),
    (action(token_ids=[-1]), "turns[0].token_ids", "whole numbers"),
    (action(token_ids=[1, 2], logprobs=[-1]), "turns[0].logprobs", "one per token"),
    (action(token_ids=[1], logprobs=[0.5]), "turns[0].logprobs", "positive"),
    (action(token_ids=[1], logprobs=["x"]), "turns[0].logprobs", "expected a number"),
    (action(token_rewards=1), "turns[0].token_rewards", "expected a list"),
    (action(token_rewards=[1]), "turns[0].token_rewards", "expected pairs"),
    (action(token_rewards=[[1]]), "turns[0].token_rewards", "expected pairs"),
    (action(token_rewards=[[True, 1]]), "turns[0].token_rewards", "expected pairs"),
    (action(token_rewards=[[1, "x"]]), "turns[0].token_rewards", "expected a number"),
    (action(token_rewards=[[0, 1]]), "turns[0].token_rewards", "after 0 characters"),
    (action(token_rewards=[[3, 1]]), "turns[0].token_rewards", "after 3 characters .* has 2"),
    (record(reward=math.inf), "reward", "not a finite"),
    (record(reward=True), "reward", "expected a number"),
    (record(reward=10**400), "reward", "not a finite"),
    (record(time="now"), "time", "expected a number"),
    (record(truncated="no"), "truncated", "true or false"),
    (record(consent="learn"), "consent", "expected a list"),
    (record(tags={"a": 1}), "tags.a", "expected text"),
    (record(app=7), "app", "expected text"),
    (said(value=math.nan), "feedback[0].value", "not a finite"),
    (said(value=None), "feedback[0].value", "expected a number"),
    (said(kind=""), "feedback[0].kind", "empty"),
    (said(vlaue=1), "feedback[0].vlaue", "did you mean"),
]


@pytest.mark.parametrize(("wrong", "field", "says"), WRONG, ids=[f"{f}-{s}" for _, f, s in WRONG])
def test_a_wrong_record_is_refused_with_file_row_and_field(wrong, field, says):
    with pytest.raises(DataError, match=says) as caught:
        from_record(wrong, file="log.jsonl", row=7)
    error = caught.value
    assert (error.file, error.row, error.field) == ("log.jsonl", 7, field)
    assert error.en.startswith(f"log.jsonl, row 7, field '{field}': ")
    assert error.zh.startswith(f"log.jsonl，第 7 行，字段“{field}”：")


def test_only_actions_earn_inside_of_their_text():
    turns = [
        {"role": "observation", "text": "hi", "token_rewards": [[1, 1.0]]},
        {"role": "action", "text": "hi"},
    ]
    with pytest.raises(DataError, match="of a turn \\(observation\\)"):
        from_record(record(turns=turns))


def test_half_an_emoji_survives():
    episode = Episode((Turn("action", "cut \ud83d"),), id="e", time=1.0)
    line = to_json(to_record(episode))
    assert from_record(json.loads(line.encode())) == episode


def test_a_fingerprint_of_nan_is_refused():
    with pytest.raises(DataError, match="not finite"):
        fingerprint([Episode((Turn("action", "a", reward=math.nan),))])
