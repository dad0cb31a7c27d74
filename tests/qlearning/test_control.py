"""Deep Q-learning of Gymnasium environments: the same loss, the same loop."""

import itertools
from collections import Counter

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit
from hypothesis import given
from hypothesis import strategies as st

from speaq.core.errors import SettingsError
from speaq.qlearning.acting import Acting, evaluate, solve
from speaq.qlearning.control import Control, ControlSettings
from speaq.qlearning.dqn import DQN
from speaq.qlearning.transitions import Step, Transitions
from speaq.training.loop import LoopSettings
from speaq.training.replay import Prioritised, ReplaySettings

PLAIN = {"cql": 0.0, "ridge": 0.0, "huber": 0.0, "target_every": 1, "target_rate": 1.0}
UNIFORM, PRIORITISED = ReplaySettings(), ReplaySettings("prioritised")
SMALL = ControlSettings(widths=(8,), capacity=50, starts=20, every=3, epsilon_steps=60)
LENGTH = 4


class Corridor(gymnasium.Env):
    """Places 0 to 4. Action 6 leads on, 5 back; 0 loses 1 and ends, 4 earns 1 and ends. Standing
    still is action 7 and earns 0.2, so that a long life is worth something too."""

    def __init__(self):
        self.observation_space = Discrete(LENGTH + 1)
        self.action_space = Discrete(3, start=5)
        self.place = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(1, LENGTH))
        return self.place, {}

    def step(self, action):
        self.place += {5: -1, 6: 1, 7: 0}[action]
        reward = {0: -1.0, LENGTH: 1.0}.get(self.place, 0.2 if action == 7 else 0.0)
        return self.place, reward, self.place in (0, LENGTH), False, {}


def optimal(discount):
    """Q* of the corridor without end by value iteration: (5, 3)."""
    q = np.zeros((LENGTH + 1, 3))
    for _ in range(500):
        value = q.max(1)
        for place, (number, move) in itertools.product(range(1, LENGTH), enumerate((-1, 1, 0))):
            after = place + move
            earned = {0: -1.0, LENGTH: 1.0}.get(after, 0.2 if move == 0 else 0.0)
            q[place, number] = earned + (discount * value[after] if 0 < after < LENGTH else 0.0)
    return q


def slow_ahead(steps, start, n, discount):
    """Σ γ^j r, the discount of what follows, and the observation it follows from."""
    total, factor = 0.0, 1.0
    for step in steps[start : start + n]:
        total += factor * step.reward
        factor *= discount
        if step.terminated or step.truncated:
            break
    return total, 0.0 if step.terminated else factor, step.after


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 20), st.integers(1, 5))
def test_transitions_are_their_definition(seed, capacity, count, n):
    stream = np.random.default_rng(seed)
    memory, kept, places = Transitions(capacity, 2), [], []
    for number in range(count):
        ends = stream.random() < 0.3, stream.random() < 0.2
        step = Step(
            np.float32([number, 0]), int(stream.integers(3)), float(np.float32(stream.normal())),
            np.float32([number, 1]), *ends,
        )  # fmt: skip
        kept.append(step)
        places.append(memory.add(step))
    kept, places = kept[-capacity:], places[-capacity:]
    assert sorted(places) == list(range(len(memory)))
    found = memory.gather(np.array(places), n, 0.9)
    for row, step in enumerate(kept):
        total, factor, after = slow_ahead(kept, row, n, 0.9)
        assert float(found.rewards[row]) == pytest.approx(total, abs=1e-6)
        assert float(found.discounts[row]) == pytest.approx(factor)
        assert found.after[row].tolist() == after.tolist()
        assert found.before[row].tolist() == step.observation.tolist()
        assert int(found.actions[row]) == step.action


def learnt(folder, environment, algorithm, replay=UNIFORM):
    settings = ControlSettings(widths=(), capacity=400, starts=400, epsilon_to=1.0)
    loop = LoopSettings(
        steps=600, batch_size=64, lr=0.02, head_lr=0.02, value_lr=0.02, clip_norm=0,
        schedule="cosine", weight_decay=0, checkpoint_every=1000,
    )  # fmt: skip
    return solve(environment, algorithm, settings, loop, folder, replay=replay, seed=3)


@pytest.mark.parametrize(
    ("algorithm", "replay"),
    [
        (DQN(discount=0.6, double=False, dueling=False, **PLAIN), UNIFORM),
        (DQN(discount=0.6, **PLAIN), PRIORITISED),
        (
            DQN(discount=0.6, distribution="categorical", atoms=5, low=-1.0, high=1.0, **PLAIN),
            UNIFORM,
        ),
    ],
    ids=["plain", "double, dueling, prioritised", "categorical"],
)
def test_a_corridor_cut_off_by_a_time_limit_is_solved_exactly(tmp_path, algorithm, replay):
    """Three steps and it is cut; a value of what would have followed stands in."""
    environment = TimeLimit(Corridor(), 3)
    control = learnt(tmp_path, environment, algorithm, replay).control
    inside = np.eye(LENGTH + 1, dtype=np.float32)[1:LENGTH]
    best = optimal(0.6)[1:LENGTH]
    assert np.abs(control.q_values(inside) - best).max() < 1e-2
    # Near the goal one goes there; farther away one stands and takes what there is.
    assert best.argmax(1).tolist() == [2, 1, 1]
    earned = evaluate(TimeLimit(Corridor(), 20), control, 12, seed=0)
    assert {round(each, 6) for each in earned} == {1.0, 4.0}


def test_epsilon_falls_and_the_best_action_is_taken_the_more(tmp_path):
    settings = ControlSettings(epsilon_from=1.0, epsilon_to=0.2, epsilon_steps=100)
    assert [settings.epsilon(taken) for taken in (0, 50, 100, 900)] == pytest.approx(
        [1.0, 0.6, 0.2, 0.2]
    )
    control = Control(Corridor(), DQN(**PLAIN), ControlSettings(widths=()), 0)
    control.head.state_values.offset.data += 1.0
    control.head.table.data[0, 1, -1] = 1.0  # action 6, wherever
    for epsilon, least, most in ((0.0, 1.0, 1.0), (1.0, 0.2, 0.5)):
        chosen = ControlSettings(
            widths=(), starts=200, epsilon_from=epsilon, epsilon_to=epsilon, capacity=200
        )
        control.memory = Transitions(200, LENGTH + 1)
        Acting(Corridor(), control, chosen, None, 0).draw(0, 1)
        taken = control.memory.gather(np.arange(200), 1, 1.0).actions.tolist()
        assert least <= Counter(taken)[1] / 200 <= most


LOOP = LoopSettings(steps=40, batch_size=8, checkpoint_every=10, log_every=10)


def tensors(control):
    return [
        t.clone() for module in control.modules().values() for t in module.state_dict().values()
    ]


@pytest.mark.parametrize("replay", [UNIFORM, PRIORITISED], ids=lambda each: each.kind)
def test_a_resumed_run_is_the_same_run(tmp_path, monkeypatch, replay):
    """Killed inside an episode, with the ring already once around."""
    algorithm = DQN(discount=0.9, steps=2, **{**PLAIN, "target_every": 3})

    def run(folder):
        environment = TimeLimit(Corridor(), 30)
        return solve(environment, algorithm, SMALL, LOOP, tmp_path / folder, replay=replay)

    whole = run("whole")
    draw = Acting.draw
    monkeypatch.setattr(Acting, "draw", dying(draw, 25))
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr(Acting, "draw", draw)
    again = run("killed")
    assert whole.returns == again.returns and len(whole.returns) > 5
    for one, other in zip(tensors(whole.control), tensors(again.control), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def dying(draw, last):
    def wrapped(self, step, batch_size):
        if step == last:
            raise KeyboardInterrupt
        return draw(self, step, batch_size)

    return wrapped


def test_another_seed_is_another_run(tmp_path):
    runs = [
        solve(Corridor(), DQN(**PLAIN), SMALL, LOOP, tmp_path / str(number), seed=seed)
        for number, seed in enumerate((0, 0, 1))
    ]
    assert runs[0].returns == runs[1].returns != runs[2].returns


def acting_of(prioritised=None, capacity=4):
    settings = ControlSettings(widths=(), capacity=capacity, starts=capacity, every=1)
    control = Control(Corridor(), DQN(**PLAIN), settings, 0)
    return Acting(Corridor(), control, settings, prioritised, 0)


def test_a_new_step_takes_the_oldest_place_and_not_its_priority():
    acting = acting_of(Prioritised(0, 0, steps=9, exponent=0.5, floor=1e-12))
    first = acting.draw(0, 400)
    assert Counter(first.indices) == {0: 100, 1: 100, 2: 100, 3: 100}
    acting.learned([0, 1, 2, 3], torch.tensor([1.0, 4.0, 9.0, 16.0]))
    drawn = acting.draw(1, 1300)  # one more step, in the place of the oldest
    assert Counter(drawn.indices) == pytest.approx({0: 400, 1: 200, 2: 300, 3: 400}, abs=1)
    assert drawn.weights is not None and float(drawn.weights.max()) == 1
    assert acting.control.memory.taken == 5 and len(acting.control.memory) == 4


def test_targets_are_read_from_the_slow_copies():
    """Of trunk, head and critic; they move together every `target_every` steps."""
    algorithm = DQN(distribution="quantile", atoms=3, target_every=2, target_rate=1.0)
    control = Control(Corridor(), algorithm, SMALL, 0)
    before = [tensor.clone() for tensor in tensors(control)]
    names = list(control.modules())
    assert names == ["trunk", "head", "returns", "target_trunk", "target", "target_returns"]
    with torch.no_grad():
        for parameters in control.parameters().values():
            for parameter in parameters:
                parameter += 1.0
    slow = [control.slow_trunk, control.target, *control.target_extra.values()]
    fast = [control.trunk, control.head, *control.extra.values()]
    control.after_step(1)
    half = len(before) // 2
    for old, new in zip(before[half:], tensors(control)[half:], strict=True):
        assert torch.equal(old, new)
    control.after_step(2)
    for one, other in zip(slow, fast, strict=True):
        for late, now in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(late, now) and not late.requires_grad


def test_gradients_of_targets_do_not_reach_the_trunk():
    """With rewards and values of 0 the targets alone could pull; and they do not."""
    acting = acting_of(capacity=20)
    settings = ControlSettings(**{**vars(SMALL), "starts": 20})
    control = Control(Corridor(), DQN(discount=0.9, double=True, **PLAIN), settings, 0)
    control.memory = acting.control.memory
    acting.draw(0, 1)
    control.target.state_values.offset.data += 5.0
    control.loss(list(range(20)))[0].backward()
    assert all(weight.grad is None for weight in control.slow_trunk.parameters())
    # Only the state before an action is moved: heads start at 0, so no gradient goes further.
    assert control.head.state_values.offset.grad.any()


@pytest.mark.parametrize("distribution", ["", "categorical", "quantile"])
@pytest.mark.parametrize("replay", [UNIFORM, PRIORITISED], ids=lambda each: each.kind)
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("double", [False, True])
def test_every_combination_of_switches_runs(tmp_path, double, steps, replay, distribution):
    algorithm = DQN(
        double=double, steps=steps, distribution=distribution, atoms=5, high=100.0, **PLAIN
    )
    loop = LoopSettings(steps=4, batch_size=8, checkpoint_every=9, log_every=1)
    environment = gymnasium.make("CartPole-v1")
    control = solve(environment, algorithm, SMALL, loop, tmp_path, replay=replay).control
    assert all(torch.isfinite(tensor).all() for tensor in tensors(control))
    assert len(evaluate(environment, control, 2, seed=0)) == 2


def test_other_actions_than_discrete_ones_are_refused():
    environment = Corridor()
    environment.action_space = Box(-1, 1)
    with pytest.raises(SettingsError, match="needs discrete actions"):
        Control(environment, DQN(), SMALL, 0)


def test_looking_ahead_to_the_end_is_refused():
    with pytest.raises(SettingsError, match="steps = 0"):
        Control(Corridor(), DQN(steps=0), SMALL, 0)


@pytest.mark.parametrize(
    "wrong", [{"widths": (0,)}, {"every": 0}, {"epsilon_to": 1.5}, {"starts": 0}], ids=str
)
def test_refuses_settings_by_name(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        ControlSettings(**wrong)
