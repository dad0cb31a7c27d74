import math

import pytest
import torch

from speaq.environments.logs import generate_log
from speaq.experience.store import ExperienceStore
from speaq.models.decoding import Decoding, log_probabilities

PROMPTS = ["Hello? ", "你好吗？", "Why? "]
DECODING = Decoding(temperature=0.8, top_p=0.95, max_new_tokens=7)


@pytest.fixture(scope="module")
def log(tiny):
    return generate_log(tiny, PROMPTS, 3, DECODING, seed=1)[0]


def test_each_prompt_has_its_replies_in_order(log):
    assert [each.prompt for each in log] == [prompt for prompt in PROMPTS for _ in range(3)]
    assert all(each.reward is None and not each.feedback for each in log)


def test_the_same_call_gives_the_same_episodes(tiny, log):
    again = generate_log(tiny, PROMPTS, 3, DECODING, seed=1)[0]
    assert [each.id for each in again] == [each.id for each in log]
    assert [each.turns for each in again] == [each.turns for each in log]


def test_an_episode_is_the_same_whatever_else_is_asked(tiny, log):
    """So that a log made a few prompts at a time, or interrupted, is the log made at once."""
    alone = generate_log(tiny, PROMPTS[1:2], 3, DECODING, seed=1)[0]
    assert [each.id for each in alone] == [each.id for each in log[3:6]]
    assert [each.reply for each in alone] == [each.reply for each in log[3:6]]


def test_ids_differ_by_prompt_place_seed_and_guidance(tiny, with_random_head, log):
    from speaq.models.head import HeadSettings

    guided = with_random_head(tiny, HeadSettings())
    ids = [each.id for each in log]
    ids += [each.id for each in generate_log(tiny, PROMPTS, 3, DECODING, seed=2)[0]]
    ids += [each.id for each in generate_log(guided, PROMPTS, 3, DECODING, seed=1, beta=0.5)[0]]
    assert len(set(ids)) == 27


def test_storing_a_log_twice_keeps_it_once(tiny, log, tmp_path):
    with ExperienceStore(tmp_path / "log.sqlite") as store:
        store.append(*log)
        store.append(*generate_log(tiny, PROMPTS, 3, DECODING, seed=1)[0])
        assert store.count() == 9


@torch.no_grad()
def test_propensities_are_those_of_the_model_reading_the_reply(tiny, log):
    for each in log:
        turn = each.turns[-1]
        prompt = tiny.encode(each.prompt)
        logits = tiny.causal(input_ids=torch.tensor([prompt + list(turn.token_ids)])).logits[0]
        read = log_probabilities(logits[len(prompt) - 1 : -1], DECODING)
        expected = read.gather(1, torch.tensor(turn.token_ids)[:, None])[:, 0].tolist()
        assert turn.logprobs == pytest.approx(expected, abs=1e-4)
        assert all(math.isfinite(p) for p in turn.logprobs)


def test_an_episode_says_how_it_was_drawn(tiny, log):
    assert log[0].tags == {
        "temperature": "0.8",
        "top_k": "0",
        "top_p": "0.95",
        "max_new_tokens": "7",
        "beta": "0",
        "finished": log[0].tags["finished"],
    }
    assert {each.tokenizer for each in log} == {tiny.tokenizer_fingerprint}
    for each in log:
        ids = each.turns[-1].token_ids
        assert (each.tags["finished"] == "yes") == (ids[-1] == tiny.end_id)
        assert each.reply == tiny.decode(ids)
        assert not each.truncated
