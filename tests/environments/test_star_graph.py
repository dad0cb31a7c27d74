import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.environments.star_graph import StarGraph
from speaq.experience.episode import Episode, Turn


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 5), st.integers(2, 6), st.integers(0, 99))
def test_every_prompt_is_a_star_with_one_way_to_its_goal(degree, length, seed):
    graph = StarGraph(degree, length, seed)
    prompt = graph.prompt(seed)
    edges = re.findall(r"(\w)(\w)[,>]", prompt)
    centre, goal = prompt[-2], prompt[-1]
    assert len(edges) == degree * (length - 1)
    assert sum(start == centre for start, _ in edges) == degree
    assert len({end for _, end in edges}) == len(edges)  # every other node is entered once
    way = centre + graph.solution(prompt)
    assert way[-1] == goal and len(way) == length
    assert all(step in edges for step in pairwise(way))
    assert len(graph.arms(prompt)) == degree


def test_the_log_is_right_by_chance_and_its_rewards_are_the_graphs():
    graph = StarGraph(5, 5, seed=1)
    log = graph.log(2000)
    assert sum(each.reward for each in log) / 2000 == pytest.approx(graph.chance, abs=0.03)
    assert [each.reward for each in log[:50]] == [graph.reward(each) for each in log[:50]]
    assert len({each.prompt for each in log}) == 2000
    assert log[:20] == graph.log(20)
    # Where the right arm begins in the prompt says nothing.
    first = [each.prompt.index(each.prompt[-2] + graph.solution(each.prompt)[0]) for each in log]
    assert len(set(first)) > 15


def test_the_solution_earns_all_and_anything_else_nothing():
    graph = StarGraph(2, 4)
    prompt = graph.prompt(3)
    right = graph.solution(prompt)
    wrong = next(arm for arm in graph.arms(prompt) if arm != right)
    for reply, expected in (
        (right, 1.0),
        (wrong, 0.0),
        (right + right[-1], 0.0),
        (right[:-1], 0.0),
    ):
        episode = Episode((Turn("observation", prompt), Turn("action", reply)))
        assert graph.reward(episode) == expected
    assert graph.score([prompt, prompt], [right, wrong]) == 0.5


def test_held_out_prompts_are_others():
    graph = StarGraph()
    assert not {graph.prompt(i) for i in range(200)} & {graph.prompt(i, "test") for i in range(200)}


def test_hindsight_asks_the_same_walk_for_another_node():
    graph = StarGraph(3, 5, seed=2)
    log = graph.log(400)
    for depth in (1, 2, 4):
        asked = graph.hindsight(log, depth, seed=9)
        assert asked == graph.hindsight(log, depth, seed=9) != graph.hindsight(log, depth, seed=8)
        assert sum(each.reward for each in asked) / 400 == pytest.approx(0.5, abs=0.1)
        for old, new in zip(log, asked, strict=True):
            assert new.reply == old.reply and new.prompt[:-1] == old.prompt[:-1]
            goal = new.prompt[-1]
            assert goal in [arm[depth - 1] for arm in graph.arms(old.prompt)]
            assert new.reward == float(goal in old.reply)
    assert len({each.id for each in [*log, *asked]}) == 800
    # At full depth the question is the log's own, and so is what answers it.
    assert all(each.reward == graph.reward(each) for each in asked)


def test_fewer_letters_name_the_same_graphs():
    graph = StarGraph(2, 3, letters=0)
    assert {letter for i in range(50) for letter in graph.prompt(i) if letter.isalpha()} == set(
        "abcde"
    )
    with pytest.raises(SettingsError, match="at most 8"):
        StarGraph(2, 5, letters=8)


def test_a_token_is_a_sign():
    graph = StarGraph(2, 3)
    prompt = graph.prompt(0)
    ids = graph.tokenizer(prompt, add_special_tokens=False).input_ids
    assert len(ids) == len(prompt) and len(graph.tokenizer) == 56
    assert graph.tokenizer.decode(ids) == prompt


@pytest.mark.parametrize("degree, length", [(1, 5), (2, 1), (6, 10)])
def test_refuses_graphs_it_cannot_name(degree, length):
    with pytest.raises(SettingsError, match="star graph"):
        StarGraph(degree, length)
