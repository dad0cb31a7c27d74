import pytest
import torch

from speaq.core.errors import ModelError, SettingsError
from speaq.models.decoding import guide
from speaq.models.guidance import Guidance
from speaq.models.head import HeadSettings
from speaq.models.sources import load

WAYS = {
    "greedy": {"do_sample": False},
    "sampling": {"do_sample": True, "temperature": 0.7, "top_k": 20, "top_p": 0.9},
    "beams": {"do_sample": False, "num_beams": 3},
}


@pytest.fixture
def prompts(tiny):
    """Two prompts of different length, padded on the left."""
    rows = [tiny.encode("Hello there"), tiny.encode("你好")]
    longest = max(map(len, rows))
    padding = tiny.tokenizer.pad_token_id
    tokens = [[padding] * (longest - len(row)) + row for row in rows]
    mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
    return {"input_ids": torch.tensor(tokens), "attention_mask": torch.tensor(mask)}


def generated(causal, prompts, way, processors=()):
    torch.manual_seed(3)
    return causal.generate(
        **prompts,
        **WAYS[way],
        max_new_tokens=8,
        return_dict_in_generate=True,
        output_scores=True,
        logits_processor=list(processors),
    )


@pytest.mark.parametrize("way", WAYS)
def test_beta_zero_changes_no_bit(tiny, with_random_head, prompts, way):
    model = with_random_head(tiny, HeadSettings("linear"))
    plain = generated(model.causal, prompts, way)
    with Guidance(model, 0.0) as guidance:
        guided = generated(model.causal, prompts, way, [guidance])
    assert torch.equal(plain.sequences, guided.sequences)
    for one, other in zip(plain.scores, guided.scores, strict=True):
        assert torch.equal(one, other)


def test_greedy_guidance_is_the_step_by_step_computation(tiny, with_random_head, prompts):
    model = with_random_head(tiny, HeadSettings("mlp", members=2, combine="min"))
    with Guidance(model, 2.0) as guidance:
        found = generated(model.causal, prompts, "greedy", [guidance]).sequences
    plain = generated(model.causal, prompts, "greedy").sequences
    assert not torch.equal(found, plain)
    start = prompts["input_ids"].shape[1]
    for row in range(2):
        tokens = prompts["input_ids"][row][prompts["attention_mask"][row] == 1][None]
        for expected in found[row, start:]:
            hidden = model.hidden_states(tokens)[:, -1]
            logits = guide(model.output_layer(hidden), model.require_head().advantages(hidden), 2.0)
            assert logits.argmax() == expected
            if expected == model.end_id:
                break
            tokens = torch.cat([tokens, expected.view(1, 1)], 1)


@pytest.mark.parametrize("kind", ["tied", "low-rank"])
@pytest.mark.parametrize("way", WAYS)
def test_guided_decoding_is_decoding_of_the_folded_model(
    tiny, with_random_head, prompts, way, kind
):
    """For beams this needs each row's constant too: sums of log-probabilities are compared."""
    model = with_random_head(tiny, HeadSettings(kind, members=2), scale=0.3)
    with Guidance(model, 2.0) as guidance, torch.no_grad():
        guided = generated(model.causal, prompts, way, [guidance])
    folded = generated(model.fold(2.0).causal, prompts, way)
    assert torch.equal(guided.sequences, folded.sequences)
    if way == "beams":
        torch.testing.assert_close(
            guided.sequences_scores, folded.sequences_scores, atol=1e-4, rtol=1e-4
        )


def test_a_tied_head_needs_no_scores_of_its_own(tiny, with_random_head, prompts, monkeypatch):
    model = with_random_head(tiny, HeadSettings("tied", members=2), scale=0.3)
    monkeypatch.setattr(type(model.require_head()), "advantages", None)
    plain = generated(model.causal, prompts, "greedy").sequences
    with Guidance(model, 2.0) as guidance:
        assert not torch.equal(
            generated(model.causal, prompts, "greedy", [guidance]).sequences, plain
        )
    assert torch.equal(generated(model.causal, prompts, "greedy").sequences, plain)


def test_the_pessimistic_head_is_not_averaged(tiny, with_random_head, prompts):
    settings = HeadSettings("tied", members=2, combine="min")
    model = with_random_head(tiny, settings, scale=0.3)
    with Guidance(model, 2.0) as guidance:
        found = generated(model.causal, prompts, "greedy", [guidance]).scores[0]
    longest = int(prompts["attention_mask"].sum(1).argmax())
    hidden = model.hidden_states(prompts["input_ids"][longest][None])[:, -1]
    lower = torch.stack([model.require_head().member_advantages(hidden, m) for m in (0, 1)]).amin(0)
    expected = torch.log_softmax(model.output_layer(hidden) + 2.0 * lower, -1)
    torch.testing.assert_close(found[longest], expected[0], atol=1e-4, rtol=1e-4)


def test_half_precision_keeps_small_advantages(with_random_head, prompts):
    """A step far smaller than the state, which bfloat16 would round away."""
    model = with_random_head(load("new:tiny", dtype=torch.bfloat16), HeadSettings(), scale=1e-4)
    plain = generated(model.causal, prompts, "greedy").scores[0].float()
    with Guidance(model, 1.0) as guidance:
        guided = generated(model.causal, prompts, "greedy", [guidance]).scores[0].float()
    longest = int(prompts["attention_mask"].sum(1).argmax())
    hidden = model.hidden_states(prompts["input_ids"][longest][None])[:, -1].float()
    advantages = model.require_head().advantages(hidden)[0].detach()
    moved = (guided - plain)[longest]
    expected = advantages - advantages.mean()
    tolerance = 0.1 * float(advantages.detach().std())
    torch.testing.assert_close(moved - moved.mean(), expected, atol=tolerance, rtol=0)


@pytest.mark.parametrize("kind", ["tied", "linear"])
def test_a_bound_is_heeded_whatever_the_head(tiny, with_random_head, prompts, kind):
    model = with_random_head(tiny, HeadSettings(kind), scale=0.3)
    with Guidance(model, 50.0, 0.5) as guidance, torch.no_grad():
        found = generated(model.causal, prompts, "greedy", [guidance]).scores[0]
    longest = int(prompts["attention_mask"].sum(1).argmax())
    hidden = model.hidden_states(prompts["input_ids"][longest][None])[:, -1]
    policy = model.output_layer(hidden).softmax(-1)[0]
    kept = policy >= 0.5 * policy.max()
    assert 1 < kept.sum() < len(kept)
    assert torch.equal(torch.isfinite(found[longest]), kept)


@pytest.mark.parametrize("kind", ["tied", "linear"])
def test_a_beta_that_overflows_is_refused(tiny, with_random_head, prompts, kind):
    model = with_random_head(tiny, HeadSettings(kind))
    with Guidance(model, 1e38) as guidance, pytest.raises(SettingsError, match="beta"):
        generated(model.causal, prompts, "greedy", [guidance])


def test_leaving_the_context_removes_the_hook(with_random_head):
    model = with_random_head(load("new:tiny"), HeadSettings())
    with pytest.raises(KeyError), Guidance(model, 1.0):
        raise KeyError
    assert len(model.output_layer._forward_pre_hooks) == 0


def test_a_guidance_that_was_not_entered_says_so(tiny, with_random_head):
    guidance = Guidance(with_random_head(tiny, HeadSettings()), 1.0)
    with pytest.raises(RuntimeError, match="entered"):
        guidance(torch.zeros(1, 1), torch.zeros(1, 258))


def test_no_head_or_no_number_is_refused_before_generating(tiny, with_random_head):
    with pytest.raises(ModelError, match="value head"):
        Guidance(tiny, 1.0)
    with pytest.raises(SettingsError, match="beta"):
        Guidance(with_random_head(tiny, HeadSettings()), float("nan"))
