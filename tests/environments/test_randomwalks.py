"""Random walks: the same graph as the reference's, a known optimum, an honest reward."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.core.registry import load
from speaq.environments.randomwalks import RandomWalks
from speaq.experience.rewards import feedback
from speaq.training.encoding import encode_episodes

SOLVABLE = {1000: 0.352, 1002: 0.790, 1008: 0.297, 1011: 0.552, 1018: 0.419}
UNSOLVABLE = (1001, 1003, 1007, 1009, 1010, 1012, 1015, 1021, 1024, 1025, 1033)


@pytest.fixture(scope="module")
def walks():
    return RandomWalks(1000)


def shortest_walk(environment, start):
    """By trying everything, breadth first: independent of the environment's own search."""
    paths = [start]
    while paths:
        longer = []
        for path in paths:
            here = environment.letters.index(path[-1])
            for there, letter in enumerate(environment.letters):
                if environment.edges[here, there] and letter not in path:
                    if letter == "a":
                        return path + letter
                    longer.append(path + letter)
        paths = longer
    raise AssertionError(f"no way from {start}")


@pytest.mark.parametrize(("seed", "optimality"), SOLVABLE.items())
def test_the_log_is_the_references(seed, optimality):
    rewards = [episode.reward for episode in RandomWalks(seed).log()]
    assert len(rewards) == 1000
    assert mean(rewards) == pytest.approx(optimality, abs=5e-4)


def test_exactly_the_unsolvable_seeds_are_refused():
    refused = []
    for seed in range(1000, 1040):
        try:
            RandomWalks(seed, walks=0)
        except SettingsError as error:
            assert f"seed {seed} has no solution: from" in str(error)
            refused.append(seed)
    assert tuple(refused) == UNSOLVABLE


def test_shortest_paths_earn_one_and_are_known(walks):
    assert walks.starts == list("bcdefghijklmnopqrstu")
    for start in walks.starts:
        walk = shortest_walk(walks, start)
        assert len(walk) == walks.shortest[start]
        assert walks.optimality(walk) == 1.0


def test_longer_and_failed_walks_earn_less(walks):
    start = max(walks.starts, key=lambda letter: -walks.shortest[letter])
    best = shortest_walk(walks, start)
    assert walks.optimality(best + "bcd") == 1.0  # what follows the goal does not count
    assert walks.optimality(best[:-1]) == 0.0
    assert walks.optimality("") == 0.0
    assert walks.optimality("a") == 0.0
    assert walks.optimality(start + "?") == 0.0
    nowhere = next(
        letter for place, letter in enumerate(walks.letters) if not walks.edges[1, place]
    )
    assert walks.optimality("b" + nowhere + "a") == 0.0


@given(st.integers(0, 999))
def test_rewards_follow_the_formula(number):
    environment = RandomWalks(1000)
    episode = environment.log()[number]
    walk = episode.prompt + episode.reply
    arrived = walk.endswith("a")
    assert len(walk) <= 10 and ("a" in walk) == arrived
    spare = 10 - environment.shortest[walk[0]]
    assert episode.reward == (pytest.approx((10 - len(walk)) / spare) if arrived else 0.0)
    assert arrived or len(walk) == 10


def test_stepping_a_walk_earns_what_the_log_says(walks):
    for episode in walks.log()[:50]:
        seen, facts = walks.reset(options={"start": episode.prompt})
        assert (seen, facts["shortest"]) == (episode.prompt, walks.shortest[episode.prompt])
        assert walks.step(episode.reply)[1:4] == (episode.reward, True, False)


def test_a_walk_is_one_step(walks):
    walks.reset(options={"start": "b"})
    assert walks.step("b")[1:4] == (0.0, True, False)
    with pytest.raises(RuntimeError, match="reset"):
        walks.step("c")


def test_starts_are_drawn_by_seed_or_named(walks):
    assert walks.reset(seed=3) == walks.reset(seed=3)
    assert len({walks.reset(seed=i)[0] for i in range(50)}) > 10
    with pytest.raises(SettingsError, match="cannot start at 'a'"):
        walks.reset(options={"start": "a"})


def test_the_same_seed_is_the_same_log(walks):
    assert walks.log() == RandomWalks(1000).log()
    assert walks.log() != RandomWalks(1002).log()


def test_one_token_for_each_letter(walks):
    tokenizer = walks.tokenizer
    assert len(tokenizer) == 23
    ids = tokenizer("bcau", add_special_tokens=False).input_ids
    assert ids == [1, 2, 0, 20]
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == "bcau"


def test_the_model_is_of_the_references_size_and_reads_walks(walks):
    model = walks.model(seed=1)
    assert sum(weight.numel() for weight in model.causal.parameters()) == 1_655_280
    [encoded] = encode_episodes(model, walks.log()[:1], feedback)
    walk = walks.log()[0].prompt + walks.log()[0].reply
    assert encoded.tokens.tolist() == [*model.encode(walk), model.end_id]
    assert encoded.actions.tolist() == list(range(1, len(walk) + 1))


def test_it_is_found_by_name():
    assert load("environments", "randomwalks") is RandomWalks


def test_more_nodes_than_letters_are_refused():
    with pytest.raises(SettingsError, match="nodes = 27"):
        RandomWalks(0, nodes=27)
