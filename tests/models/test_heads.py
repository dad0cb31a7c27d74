import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from speaq.core.errors import ModelError, SettingsError
from speaq.models.head import HeadSettings, ValueHead

KINDS = ("tied", "linear", "low-rank", "mlp")
V, D = 11, 6


def random_head(settings: HeadSettings, seed: int = 0) -> ValueHead:
    torch.manual_seed(seed)
    head = ValueHead(settings, torch.randn(V, D))
    with torch.no_grad():
        for weight in head.parameters():
            weight.normal_()
    return head


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_head_is_zero_everywhere(kind):
    head = ValueHead(HeadSettings(kind, members=3), torch.randn(V, D))
    hidden = torch.randn(5, D)
    assert head.advantages(hidden).abs().max() == 0
    assert head.values(hidden).abs().max() == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_head_learns_from_its_first_step(kind):
    """Zero output must not mean zero gradient: some parameter of the advantage must move."""
    head = ValueHead(HeadSettings(kind), torch.randn(V, D))
    head.advantages_at(torch.randn(5, D), torch.arange(5)).sum().backward()
    moved = [n for n, p in head.named_parameters() if p.grad is not None and p.grad.abs().max() > 0]
    assert moved


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(KINDS), st.integers(1, 3), st.sampled_from(["mean", "min"]), st.integers(0, 99)
)
def test_gathered_advantages_are_those_of_the_full_row(kind, members, combine, seed):
    head = random_head(HeadSettings(kind, members, combine, rank=2, value_width=0), seed)
    hidden, actions = torch.randn(7, D), torch.randint(V, (7,))
    rows = torch.stack([head.member_advantages(hidden, m) for m in range(members)])
    at = head.advantages_at(hidden, actions)
    torch.testing.assert_close(at, rows[:, torch.arange(7), actions], atol=1e-4, rtol=1e-4)
    combined = rows.mean(0) if combine == "mean" else rows.amin(0)
    torch.testing.assert_close(head.advantages(hidden), combined, atol=1e-4, rtol=1e-4)


def test_centred_advantages_average_to_zero_under_the_policy():
    head = random_head(HeadSettings("tied", 2))
    hidden, policy = torch.randn(4, D), torch.randn(4, V).softmax(-1)
    centres = policy @ head.output_table
    every = torch.stack(
        [head.advantages_at(hidden, torch.full((4,), a), centres) for a in range(V)], -1
    )  # (M, N, V)
    torch.testing.assert_close((every * policy).sum(-1), torch.zeros(2, 4), atol=1e-4, rtol=0)
    rows = torch.stack([head.member_advantages(hidden, m) for m in range(2)])
    shift = rows - every  # one number per state
    torch.testing.assert_close(shift, shift[..., :1].expand_as(shift), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_parameters_of_the_advantage_leave_values_alone(kind):
    head = random_head(HeadSettings(kind))
    hidden = torch.randn(3, D)
    before, advantages = head.values(hidden), head.advantages(hidden)
    with torch.no_grad():
        for weight in head.advantage_parameters():
            weight.add_(1.0)
    assert torch.equal(head.values(hidden), before)
    assert not torch.equal(head.advantages(hidden), advantages)


@pytest.mark.parametrize("combine", ["mean", "min"])
def test_only_the_members_named_speak(combine):
    head = random_head(HeadSettings("linear", 3, combine))
    hidden = torch.randn(2, D)
    use = torch.tensor([[True, False], [True, True], [False, False]])
    rows = torch.stack([head.member_advantages(hidden, m) for m in range(3)])
    both = rows[:2, 0].mean(0) if combine == "mean" else rows[:2, 0].amin(0)
    torch.testing.assert_close(head.advantages(hidden, use), torch.stack([both, rows[1, 1]]))


@pytest.mark.parametrize("kind", ["tied", "linear", "low-rank"])
@pytest.mark.parametrize("members", [1, 3])
def test_output_delta_times_hidden_is_the_advantage(kind, members):
    head = random_head(HeadSettings(kind, members, rank=2))
    hidden = torch.randn(9, D)
    torch.testing.assert_close(
        hidden @ head.output_delta().T, head.advantages(hidden), atol=1e-4, rtol=1e-4
    )


def test_what_is_not_linear_says_that_it_cannot_fold():
    for settings_ in (HeadSettings("mlp"), HeadSettings("tied", 2, "min")):
        with pytest.raises(SettingsError, match="cannot be folded"):
            random_head(settings_).output_delta()


def test_min_of_one_member_is_linear():
    head = random_head(HeadSettings("linear", 1, "min"))
    hidden = torch.randn(2, D)
    torch.testing.assert_close(hidden @ head.output_delta().T, head.advantages(hidden))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"kind": "quadratic"}, "quadratic"),
        ({"combine": "median"}, "median"),
        ({"members": 0}, "members"),
        ({"rank": 0}, "rank"),
    ],
)
def test_bad_settings_are_named(arguments, named):
    with pytest.raises(SettingsError, match=named):
        HeadSettings(**arguments)


def test_building_a_head_leaves_the_global_stream_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    ValueHead(HeadSettings("mlp"), torch.zeros(V, D))
    assert torch.equal(torch.rand(3), expected)


def test_a_model_that_changes_its_logits_takes_no_head(tiny):
    """Soft-capping, say: an advantage added before it would be neither exact nor foldable."""
    capped = copy.copy(tiny)
    capped.causal = copy.deepcopy(tiny.causal)
    plain = capped.causal.forward

    def forward(*args, **kwargs):
        output = plain(*args, **kwargs)
        output.logits = 0.1 * torch.tanh(output.logits / 0.1)
        return output

    capped.causal.forward = forward
    with pytest.raises(ModelError, match="after the output layer"):
        capped.with_head(HeadSettings())


def test_a_model_without_head_says_so(tiny):
    with pytest.raises(ModelError, match="speaq learn"):
        copy.copy(tiny).require_head()
