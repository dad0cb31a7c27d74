"""The maze: its rules, its optima by walking, its log as stated."""

import math
import re
from collections import Counter
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import DataError, SettingsError
from speaq.core.registry import load
from speaq.environments.maze import (
    CELLS,
    GOAL,
    LONGEST,
    MOVES,
    PLAN,
    STARTS,
    T_SHAPES,
    WORDS,
    BeliefSearch,
    Maze,
)
from speaq.environments.rollout import roll_out
from speaq.experience.episode import check
from speaq.experience.rewards import feedback
from speaq.models.decoding import Decoding
from speaq.training.encoding import encode_episodes

HOPS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}


@pytest.fixture(scope="module")
def log():
    return Maze(seed=1).log(1240)


def by_hand(start, moves):
    """Observations, rewards and how it ended, one move at a time on the plan itself."""
    row, column = start
    told = []
    for number, move in enumerate(moves, 1):
        cost = -1.0
        if move in HOPS:
            there = row + HOPS[move][0], column + HOPS[move][1]
            if PLAN[there[0]][there[1]] != "#":
                row, column = there
        else:
            cost = -4.0
        if (row, column) == (8, 6):
            return [*told, ("", 0.0, True, False)]
        walls = ["above"] * (PLAN[row - 1][column] == "#") + ["below"] * (
            PLAN[row + 1][column] == "#"
        )
        walls += ["left"] * (PLAN[row][column - 1] == "#")
        walls += ["right"] * (PLAN[row][column + 1] == "#")
        told.append((" ".join(["walls", *walls, "at", str(row), str(column)]), cost, False, False))
        if number == 100:
            told[-1] = (*told[-1][:3], True)
            break
    return told


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from([*MOVES, "up up", "north", ""]), min_size=1, max_size=110),
)
def test_steps_follow_the_plan(start, moves):
    for observed in ("full", "partly"):
        maze = Maze(observed, start=start)
        maze.reset()
        for move, (seen, cost, ended, cut) in zip(moves, by_hand(start, moves), strict=False):
            text, *rest, _ = maze.step(move)
            assert rest == [cost, ended, cut]
            if not ended:
                assert text == (seen if observed == "full" else seen[: seen.index(" at")])
            if ended or cut:
                with pytest.raises(RuntimeError, match="reset"):
                    maze.step("up")
                break


def walk(start):
    """Moves on the shortest way, by trying everything."""
    ways, met = [(start, 0)], {start}
    for cell, length in ways:
        if cell == GOAL:
            return length
        for move in HOPS.values():
            there = cell[0] + move[0], cell[1] + move[1]
            if PLAN[there[0]][there[1]] != "#" and there not in met:
                met.add(there)
                ways.append((there, length + 1))
    raise AssertionError(start)


def test_fully_observed_the_optimum_is_the_published_figure():
    """Arriving costs nothing, so a way of d moves costs d - 1."""
    assert len(STARTS) == 25 and len(CELLS) == 26
    assert Maze().optimum() == pytest.approx(-fmean(walk(start) - 1 for start in STARTS))
    assert Maze().optimum() == pytest.approx(-6.84)
    assert Maze().reset(options={"start": (1, 1)})[1]["distance"] == walk((1, 1))


def remembering(start, first):
    """Down where one can; in a passage on, at first `first`; at its end back. And what it earns."""
    maze = Maze("partly", start=start)
    seen, _ = maze.reset()
    total, last, ended = 0.0, first, False
    while not ended:
        walls = set(seen.split("walls")[1].split())
        if "below" not in walls:
            move = "down"
        elif "left" in walls:
            move = "right"
        elif "right" in walls:
            move = "left"
        else:
            move = last
        last = move if move in ("left", "right") else last
        seen, reward, ended, cut, _ = maze.step(move)
        total += reward
        assert not cut
    return total


def test_partly_observed_the_optimum_is_reached_by_remembering_which_way_one_goes():
    """A passage that runs left and right looks alike in eight places; a wrong guess costs twice
    the way to its end. Search over beliefs and walking agree."""
    for first in ("left", "right"):
        earned = fmean(remembering(start, first) for start in STARTS)
        assert earned == pytest.approx(Maze("partly").optimum()) == pytest.approx(-7.24)


def test_the_searchs_own_policy_earns_what_the_search_says_and_forgetting_earns_less():
    maze = Maze("partly")
    best = BeliefSearch(maze).best
    total = 0.0
    for start in STARTS:
        maze.reset(options={"start": start})
        belief = next(group for group in maze.told_apart(STARTS) if start in group)
        ended, moves = False, 0
        while not ended and moves < LONGEST:
            move = best[belief]
            after = [(cell, by_hand(cell, [move])[0]) for cell in belief]
            _, reward, ended, _, facts = maze.step(move)
            total, moves = total + reward, moves + 1
            left = tuple(_there(cell, move) for cell, told in after if not told[2])
            belief = next((g for g in maze.told_apart(left) if facts["at"] in g), ())
    assert total / len(STARTS) == pytest.approx(maze.optimum())


def _there(cell, move):
    there = cell[0] + HOPS[move][0], cell[1] + HOPS[move][1]
    return cell if PLAN[there[0]][there[1]] == "#" else there


def test_the_log_is_of_the_stated_quality(log):
    returns = [sum(turn.reward for turn in each.actions) for each in log]
    error = stdev(returns) / math.sqrt(len(returns))
    assert Maze().quality() == pytest.approx(-82.2, abs=0.05)
    assert fmean(returns) == pytest.approx(Maze().quality(), abs=3 * error)
    solvers = [each for each in log if each.tags["policy"] == "solver"]
    assert len(solvers) / len(log) == pytest.approx(0.15, abs=0.03)
    assert fmean(each.truncated for each in log) > 0.6
    best = [r for each, r in zip(log, returns, strict=True) if " at 1 " in each.prompt]
    assert sum(r > -13 for r in best) < 0.05 * len(best)  # from the far rows hardly one is good


def test_the_logs_propensities_are_the_shares_of_its_moves(log):
    """Random episodes try all four moves alike; solvers know the way in one T alone."""
    for each in log[:300]:
        check(each)
        chances = {round(math.exp(turn.logprobs[0]), 6) for turn in each.actions}
        assert chances <= ({0.25} if each.tags["policy"] == "random" else {0.25, 1.0})
    counts = Counter(
        turn.text
        for each in log
        for turn in each.actions
        if turn.logprobs[0] < -1 and each.tags["policy"] == "random"
    )
    total = counts.total()
    assert all(counts[move] / total == pytest.approx(0.25, abs=0.01) for move in MOVES)
    for each in (each for each in log if each.tags["policy"] == "solver"):
        known = {
            tuple(map(int, re.search(r"at (\d+) (\d+)", seen.text).groups()))
            for seen, said in zip(each.turns[::2], each.turns[1::2], strict=False)
            if said.logprobs[0] == 0
        }
        assert any(known <= shape for shape in T_SHAPES)


def test_playing_the_log_again_tells_and_earns_the_same(log):
    maze = Maze()
    for each in log[:40]:
        start = tuple(map(int, each.prompt.split()[-2:]))
        seen, _ = maze.reset(options={"start": start})
        for said, heard in zip(each.turns[::2], each.turns[1::2], strict=False):
            assert said.text == seen
            seen, reward, ended, cut, _ = maze.step(heard.text)
            assert reward == heard.reward
        assert (ended, cut) == (not each.truncated, each.truncated)
        assert ended or each.turns[-1].text == seen


def test_logs_and_starts_come_from_their_seeds(log):
    assert Maze(seed=1).log(30) == log[:30] != Maze(seed=2).log(30)
    partly = Maze("partly", seed=1).log(5)
    assert [t.text for each in partly for t in each.actions] == [
        t.text for each in log[:5] for t in each.actions
    ]
    assert not any("at" in turn.text.split() for each in partly for turn in each.turns)
    maze = Maze()
    assert maze.reset(seed=3) == maze.reset(seed=3)
    assert len({maze.reset(seed=seed)[0] for seed in range(200)}) == 25
    assert Maze(start=(5, 3)).reset(seed=3)[0] == "goal 8 6 walls below left at 5 3"


def test_its_model_reads_logs_token_by_token_and_plays(log):
    """TD skips what the maze says: only moves and their ends are actions."""
    maze = Maze()
    model = maze.model(seed=1)
    encoded = encode_episodes(model, log[:3], feedback)
    for each, episode in zip(encoded, log, strict=False):
        moves = [turn.text for turn in episode.actions]
        said = [token for move in moves for token in (WORDS.ids[move], model.end_id)]
        assert each.action_tokens.tolist() == said
        assert each.rewards[1::2].tolist() == [turn.reward for turn in episode.actions]
        assert not each.rewards[::2].any()
        expected = [p for turn in episode.actions for p in turn.logprobs]
        np.testing.assert_allclose(each.behaviour_logprobs, expected, rtol=1e-6)
    assert len(model.tokenizer) == len(WORDS.ids) == 24
    assert max(len(each.tokens) for each in encoded) < model.causal.config.max_position_embeddings
    played = roll_out(model, [Maze(start=(7, 6))], Decoding(max_new_tokens=2), seed=0, most_turns=3)
    assert played[0].prompt == "goal 8 6 walls left right at 7 6"


def test_words_it_does_not_know_are_refused():
    with pytest.raises(DataError, match="'north' is not a word here"):
        WORDS.encode("north")


def test_refuses_settings_by_name():
    with pytest.raises(SettingsError, match="observed = some"):
        Maze("some")
    with pytest.raises(SettingsError, match="start"):
        Maze(start=(0, 0))
    with pytest.raises(SettingsError, match=r"cannot start at \(8, 6\)"):
        Maze().reset(options={"start": (8, 6)})
    with pytest.raises(RuntimeError, match="reset"):
        Maze().step("up")


def test_it_is_found_by_name():
    assert load("environments", "maze") is Maze
