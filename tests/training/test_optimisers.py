"""Optimisers against slow definitions of their steps, and several of them as one."""

import copy

import pytest
import torch

from speaq.core.errors import SettingsError
from speaq.training.optimisers import OptimiserSettings, optimiser_of


class Model(torch.nn.Module):
    """A table of embeddings, a matrix between hidden states, a bias, an output layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = torch.nn.Embedding(7, 4)
        self.hidden = torch.nn.Linear(4, 6)
        self.lm_head = torch.nn.Linear(6, 7, bias=False)


def gradients(model, seed):
    stream = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        weight.grad = torch.randn(weight.shape, generator=stream)


def stepped(settings, steps=3):
    model = Model()
    optimiser = optimiser_of(settings, model)
    for step in range(steps):
        gradients(model, step)
        optimiser.step()
    return dict(model.named_parameters())


def by_definition(rule, decay, steps=3):
    """`rule(state, gradient, weight, decay, step)` gives the new weight; vectors do not decay."""
    model = Model()
    states = {name: {} for name, _ in model.named_parameters()}
    for step in range(steps):
        gradients(model, step)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                own = decay if weight.dim() > 1 else 0.0
                weight.copy_(rule(states[name], weight.grad, weight, own, step + 1))
    return dict(model.named_parameters())


def adam(state, gradient, weight, decay, step, lr=0.1, decoupled=True):
    if not decoupled:
        gradient = gradient + decay * weight
    state["m"] = 0.9 * state.get("m", 0) + 0.1 * gradient
    state["v"] = 0.95 * state.get("v", 0) + 0.05 * gradient**2
    m, v = state["m"] / (1 - 0.9**step), state["v"] / (1 - 0.95**step)
    if decoupled:
        weight = weight * (1 - lr * decay)
    return weight - lr * m / (v.sqrt() + 1e-8)


def sgd(state, gradient, weight, decay, step, lr=0.1):
    gradient = gradient + decay * weight
    state["b"] = gradient if step == 1 else 0.9 * state["b"] + gradient
    return weight - lr * (gradient + 0.9 * state["b"])


@pytest.mark.parametrize(
    ("kind", "rule"),
    [
        ("adamw", adam),
        ("adam", lambda *given: adam(*given, decoupled=False)),
        ("sgd", sgd),
    ],
)
def test_steps_are_those_of_the_definition(kind, rule):
    found = stepped(OptimiserSettings(kind=kind, lr=0.1, weight_decay=0.3, momentum=0.9))
    wanted = by_definition(rule, 0.3)
    for name, weight in wanted.items():
        assert torch.allclose(found[name], weight, atol=1e-5), name


def test_muon_makes_the_step_of_a_hidden_matrix_orthogonal_and_of_adams_size():
    settings = OptimiserSettings(kind="muon", lr=0.1, weight_decay=0.0)
    before = dict(Model().named_parameters())
    after = stepped(settings, steps=1)
    step = (before["hidden.weight"] - after["hidden.weight"]).detach()
    sizes = torch.linalg.svdvals(step) / (0.1 * 0.2 * 6**0.5)
    # Five iterations in bfloat16 bring singular values near 1, not to it.
    assert ((sizes > 0.6) & (sizes < 1.25)).all()
    others = by_definition(adam, 0.0, steps=1)
    for name in ("table.weight", "lm_head.weight", "hidden.bias"):
        assert torch.allclose(after[name], others[name], atol=1e-5), name


def test_only_what_requires_gradients_is_trained():
    model = Model()
    model.table.requires_grad_(False)
    optimiser = optimiser_of(OptimiserSettings(kind="muon"), model)
    held = {weight for group in optimiser.param_groups for weight in group["params"]}
    assert held == {model.hidden.weight, model.hidden.bias, model.lm_head.weight}


def test_several_as_one_give_back_and_take_up_their_state():
    settings = OptimiserSettings(kind="muon", lr=0.1)
    model = Model()
    optimiser = optimiser_of(settings, model)
    gradients(model, 0)
    optimiser.step()
    kept, weights = copy.deepcopy(optimiser.state_dict()), copy.deepcopy(model.state_dict())
    count = sum(len(group["params"]) for group in optimiser.param_groups)
    assert sorted(kept["state"]) == list(range(count)) == list(range(4))
    fresh = Model()
    fresh.load_state_dict(weights)
    other = optimiser_of(settings, fresh)
    other.load_state_dict(kept)
    for each, owner in ((optimiser, model), (other, fresh)):
        gradients(owner, 1)
        each.step()
    for one, two in zip(model.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_table_and_an_output_layer_that_are_one_are_moved_once():
    model = Model()
    model.lm_head = torch.nn.Linear(4, 7, bias=False)
    model.lm_head.weight = model.table.weight
    optimiser = optimiser_of(OptimiserSettings(kind="adamw"), model)
    held = [weight for group in optimiser.param_groups for weight in group["params"]]
    assert len(held) == len(set(held)) == 3


@pytest.mark.parametrize(
    ("name", "value"), [("lr", 0.0), ("kind", "lion"), ("beta2", 1.0), ("momentum", -0.1)]
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(SettingsError, match=f"optimiser setting {name} = {value} must be"):
        OptimiserSettings(**{name: value})
