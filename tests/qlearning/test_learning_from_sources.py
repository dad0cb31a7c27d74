"""The whole loop on encoder–decoder models: log, learn, gate, guide, fold, save, measure."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from speaq.environments.logs import generate_log
from speaq.evaluation.gate import gate
from speaq.evaluation.measure import divergence, measure
from speaq.experience.episode import Episode, Turn
from speaq.models.decoding import Decoding
from speaq.models.head import HeadSettings
from speaq.models.sampling import sample
from speaq.models.sources import load
from speaq.qlearning.crossfit import plan
from speaq.qlearning.dae import DirectAdvantage
from speaq.qlearning.learn import learn
from speaq.qlearning.student import LearnSettings, finished, student_of
from speaq.training.loop import LoopSettings

DECODING = Decoding(max_new_tokens=6)
PROMPTS = [first + second for first in "abcdefgh" for second in "abcd"]


def rated(model, samples=8):
    """A log, and its rating: how often a letter is said that the model says now and then."""
    log, _ = generate_log(model, PROMPTS, samples, DECODING, seed=0)
    letter = Counter("".join(each.reply for each in log)).most_common(3)[-1][0]

    def wanted(episode):
        return float(episode.reply.count(letter))

    return [replace(each, reward=wanted(each)) for each in log], wanted


@pytest.mark.parametrize("family", ["t5", "marian"])
def test_what_was_rated_well_is_said_more_often(two_halves, family, tmp_path):
    base = two_halves(family)
    log, wanted = rated(base)
    loop = LoopSettings(steps=60, batch_size=64, head_lr=2e-2, value_lr=1e-2, schedule="cosine")
    model = learn(base, log, "dae", loop=loop, folder=tmp_path / "run").model
    grid, cache = [0.1, 0.2, 0.5, 1], tmp_path / "run" / "features"
    report = gate(model, log, grid, decoding=DECODING, folder=cache)
    beta = report.best_beta
    assert beta > 0
    model.save(tmp_path / "guided")
    again = load(tmp_path / "guided")
    again.fold(beta).save(tmp_path / "folded")

    def measured(policy, beta=0.0):
        return measure(
            policy, PROMPTS, wanted, base=again, samples=8, decoding=DECODING, beta=beta, seed=9
        )

    (plain, _), (guided, replies), (folded, same) = (
        measured(again),
        measured(again, beta),
        measured(load(tmp_path / "folded")),
    )
    assert guided.low > plain.reward
    assert [each.reply for each in replies] == [each.reply for each in same]
    assert folded.kl == pytest.approx(guided.kl, rel=1e-3)
    assert plain.kl == 0
    row = next(row.estimate for row in report.rows if row.estimate.beta == beta)
    assert row.low < guided.reward < row.high


def test_cloning_a_whole_model_learns_to_copy(two_halves, tmp_path):
    """Only what comes through the encoder tells one reply from another."""
    log = [
        Episode((Turn("observation", word), Turn("action", word)), id=word, time=0.0, reward=1.0)
        for word in PROMPTS
    ]
    base = two_halves("marian")
    loop = LoopSettings(steps=150, batch_size=16, lr=4e-3)
    settings = LearnSettings(trunk="full")
    run = learn(base, log, "bc", settings=settings, loop=loop, folder=tmp_path / "run")
    prompts = [base.encode_prompt(word) for word in PROMPTS]
    greedy = Decoding(temperature=0, max_new_tokens=4)

    def copied(model):
        drawn = sample(model, prompts, 1, greedy, seed=0)
        return sum(model.decode(each.token_ids) == PROMPTS[each.prompt] for each in drawn)

    assert copied(base) < 4
    assert copied(run.model) > 24
    assert run.metrics[-1]["bc"] < run.metrics[0]["bc"] / 4


@pytest.mark.parametrize("family", ["t5", "marian"])
@torch.no_grad()
def test_adapters_are_merged_for_policy_and_values(two_halves, family):
    base = two_halves(family)
    settings, split = LearnSettings(trunk="lora", lora_rank=2), plan(["a"], 0, 0, 1)
    student = student_of(base, DirectAdvantage(), "lora", settings, HeadSettings(), split, 0)
    stream = torch.Generator().manual_seed(1)
    trained = [
        *(weight for name, weight in student.causal.named_parameters() if "lora_" in name),
        *student.require_head().parameters(),
    ]
    for weight in trained:
        weight.copy_(0.2 * torch.randn(weight.shape, generator=stream))
    assert any(
        "encoder" in name and "lora_B" in name for name, _ in student.causal.named_parameters()
    )

    source, tokens = torch.tensor([[4, 5, 1]]), torch.tensor([[*base.opening, 6, 7]])
    hidden = student.hidden_states(tokens, source=source)
    logits = student.output_layer(hidden)
    advantages = student.require_head().advantages(hidden[0])
    merged = finished(student, DirectAdvantage(), "lora", split, {}, 1)
    assert not any("lora_" in name for name, _ in merged.causal.named_parameters())
    after = merged.hidden_states(tokens, source=source)
    assert (after - base.hidden_states(tokens, source=source)).abs().max() > 0.1
    torch.testing.assert_close(merged.output_layer(after), logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        merged.require_head().advantages(after[0]), advantages, atol=1e-4, rtol=1e-4
    )


def test_adapters_learn_values_and_policy_from_sources(two_halves, tmp_path):
    base = two_halves("t5")
    log, wanted = rated(base, samples=4)
    loop = LoopSettings(steps=30, batch_size=32, lr=5e-3, head_lr=2e-2, value_lr=1e-2)
    settings = LearnSettings(trunk="lora", lora_rank=4)
    run = learn(base, log, "ilql", settings=settings, loop=loop, folder=tmp_path / "run")
    moved = divergence(run.model, base, log[:8], DECODING)
    assert moved > 0.01
    one, other = (
        measure(run.model, PROMPTS, wanted, base=base, samples=8, decoding=DECODING, beta=beta)[0]
        for beta in (0.0, 4.0)
    )
    assert other.reward > one.reward
