"""Deep Q-learning over tokens (Mnih et al. 2015), with the switches that compose.

    y_k = Σ_{j<n} γ^j r_{k+j} + γ^n Q̄(s_{k+n}, a*),     a* = argmax_a Q̄   or, double, argmax_a Q

* `double` (van Hasselt et al. 2016): the online head chooses the token, the target values it.
* `steps` (n-step): counted in action tokens, across turns; a reward for a whole reply reaches its
  first token in one update. Uncorrected, so with n > 1 the fixed point follows the log's policy
  for n - 1 tokens before it turns greedy: Q* only if the log is greedy there, or n = 1.
* `dueling` (Wang et al. 2016): Q = V + A; without it V is left out, so that tokens the log never
  tried are worth 0 and not what the state is worth.
* `distribution`: what is bootstrapped is the whole distribution of returns, `categorical` over
  fixed atoms (C51, Bellemare et al. 2017) or by `quantile`s (QR-DQN, Dabney et al. 2018). It is
  read at the token taken and at a* only; no distribution is made over the vocabulary. The head,
  which folds and chooses a*, regresses on the mean of the distribution.
* `cql` (Kumar et al. 2020): α(ln Σ μ exp Q - Q(a)), with μ the policy where it is frozen and
  uniform where it is trained. Discrete CQL is this algorithm with `cql` > 0; there is no other
  file for it.

Prioritised replay (Schaul et al. 2016) is a switch of the replay, see `training.replay`: the loss
says how wrong each value was and heeds the importance weights.

Differences from the papers: one member may not bootstrap from another; a trained trunk also clones
the log (`cloning`), as its policy is what Q guides; advantages are not centred; a distribution is
bootstrapped from the token the head likes best, not from the one of its own best mean; priorities
are errors of the mean, also where Rainbow (Hessel et al. 2018) takes the cross-entropy.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from speaq.core.settings import require
from speaq.qlearning.algorithm import View, total
from speaq.qlearning.bootstrap import (
    conservative_penalty,
    greedy_tokens,
    live_states,
    look_ahead,
    spread,
    values_of,
)
from speaq.qlearning.critics import TiedCritic
from speaq.qlearning.distributions import project, quantile_loss, require_within
from speaq.qlearning.operations import cloning, ridge, weighted_mean


@dataclass(frozen=True)
class DQN:
    """Settings of deep Q-learning."""

    discount: float = 0.99
    """γ per action token."""
    double: bool = True
    """Whether the online head chooses the token the target values."""
    steps: int = 1
    """n of the n-step target; 0 looks ahead to the end of the episode."""
    dueling: bool = True
    """Whether Q = V + A; if not, Q = A."""
    distribution: Literal["", "categorical", "quantile"] = ""
    """How the distribution of returns is held; empty: only its mean is."""
    atoms: int = 51
    """Returns a distribution is made of."""
    low: float = 0.0
    """The lowest return, for categorical."""
    high: float = 1.0
    """The highest return, for categorical."""
    huber: float = 1.0
    """Error beyond which the loss grows linearly; 0 is the plain square, and for quantiles the
    plain quantile loss."""
    cql: float = 0.1
    """Weight of the conservative term. Without it, tokens the log never tried keep whatever
    value generalisation gives them, and the maximum finds the worst of these errors."""
    cql_states: int = 256
    """States per batch the conservative term is estimated on; 0 takes all."""
    ridge: float = 1.0
    """Prior on advantages on a frozen trunk, in episodes; see `operations.ridge`."""
    cloning: float = 1.0
    """Weight of cloning, where the policy is trained."""
    target_every: int = 5
    """Steps between updates of the target network."""
    target_rate: float = 0.1
    """Polyak rate of an update; 1 copies."""

    learns: ClassVar[str] = "values"
    heads_per_member: ClassVar[int] = 1
    gives_errors: ClassVar[bool] = True
    estimates: ClassVar[str] = "q"

    def __post_init__(self) -> None:
        rules = {
            "discount": (0 <= self.discount <= 1, "in [0, 1]"),
            "steps": (self.steps >= 0, "≥ 0"),
            "distribution": (
                self.distribution in ("", "categorical", "quantile"),
                "empty, categorical or quantile",
            ),
            "atoms": (self.atoms >= 2, "≥ 2"),
            "high": (self.high > self.low, f"> low = {self.low}"),
            "huber": (self.huber >= 0, "≥ 0"),
            "cql": (self.cql >= 0, "≥ 0"),
            "cql_states": (self.cql_states >= 0, "≥ 0"),
            "ridge": (self.ridge >= 0, "≥ 0"),
            "cloning": (self.cloning >= 0, "≥ 0"),
            "target_every": (self.target_every >= 1, "≥ 1"),
            "target_rate": (0 < self.target_rate <= 1, "in (0, 1]"),
        }
        require("dqn", self, rules)

    def extra_modules(self, members: int, hidden_size: int) -> dict[str, nn.Module]:
        """The critic that gives the distribution of returns, if there is one."""
        if not self.distribution:
            return {}
        critic = TiedCritic(members, self.atoms, hidden_size)
        # At zero, where it starts, a state value that takes no gradients is left out.
        critic.state_values.requires_grad_(self.dueling)
        return {"returns": critic}

    def select(self, returns: NDArray[np.float32]) -> NDArray[np.bool_]:
        """All episodes."""
        return np.ones(len(returns), bool)

    def loss(self, view: View) -> tuple[Tensor, dict[str, Tensor]]:
        """Error of Q(s_k, a_k) against y_k, plus the conservative term.

        Raises:
            DataError: a return is outside the atoms of a categorical distribution.
        """
        # The state after the last action has no centre; Q must mean one thing everywhere.
        view = replace(view, centres=None)
        batch, slow = view.batch, view.delayed()
        tokens = greedy_tokens(view if self.double else slow)
        terms: dict[str, Tensor] = {}
        if self.distribution:
            terms[self.distribution], goal, target = self._distributional(view, slow, tokens)
        else:
            best = values_of(slow, tokens, self.dueling)
            target = look_ahead(batch.rewards, batch.discounts, batch.action_mask, best, self.steps)
            goal = target
        q_values = view.q_values(view.head) if self.dueling else view.advantages(view.head)
        terms["q"] = td_loss(q_values, goal, view.members, self.huber)
        if self.cql:
            terms["cql"] = self.cql * conservative_penalty(view, self.cql_states)
        if self.ridge and not view.trains_policy:
            terms["ridge"] = self.ridge * ridge(view)
        if view.trains_policy and self.cloning:
            terms["cloning"] = self.cloning * cloning(view)
        return total(terms, q_values - target)

    def _distributional(
        self, view: View, slow: View, tokens: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Loss of the distribution at the actions taken, its mean, and the mean of its target.

        The n-step sum moves every atom alike, so an atom is looked ahead from as a value is.
        """
        batch, table = view.batch, view.head.output_table
        states = view.hidden[:, :-1].flatten(0, 1)
        critic, late = (cast(TiedCritic, each.extra["returns"]) for each in (view, slow))
        found = critic.at(states, table, batch.actions.flatten())  # (M, B·K, A)
        found = found.view(-1, *batch.actions.shape, self.atoms)
        with torch.no_grad():
            live = live_states(batch)
            ahead = spread(late.at(slow.hidden[live], table, tokens), live)  # (M, B, K+1, A)
        received = batch.rewards, batch.discounts, batch.action_mask
        if self.distribution == "quantile":
            samples = look_ahead(*received, ahead.movedim(-1, 0), self.steps).movedim(0, -1)
            losses = quantile_loss(found, samples, self.huber)
            return weighted_mean(losses, view.members), found.detach().mean(-1), samples.mean(-1)
        require_within("dqn", batch.returns()[batch.action_mask], self.low, self.high)
        atoms = torch.linspace(self.low, self.high, self.atoms, device=states.device)
        fixed = atoms[:, None, None].expand(-1, *live.shape)
        places = look_ahead(*received, fixed, self.steps).movedim(0, -1)  # (B, K, A)
        # What ended is spread evenly; its atoms all stand at the sum received.
        shares = arrival(torch.softmax(ahead, -1), batch.action_mask, self.steps)
        shares = project(places.expand_as(shares), shares, atoms)
        logprobs = torch.log_softmax(found, -1)
        losses = -(shares * logprobs).sum(-1)
        mean = (logprobs.detach().exp() * atoms).sum(-1)
        return weighted_mean(losses, view.members), mean, (shares * atoms).sum(-1)


def arrival(figures: Tensor, mask: Tensor, steps: int) -> Tensor:
    """Figures of the state each action's look-ahead ends in: (M, B, K+1, A) -> (M, B, K, A)."""
    nothing, everything = torch.zeros_like(mask, dtype=torch.float32), mask.float()
    return look_ahead(nothing, everything, mask, figures.movedim(-1, 0), steps).movedim(0, -1)


def td_loss(q_values: Tensor, target: Tensor, weights: Tensor, huber: float) -> Tensor:
    """Mean of ½e², or of δ(|e| - ½δ) where |e| > δ > 0, with e = Q - y: all (M, B, K) -> ()."""
    error = (q_values - target).abs()
    loss = 0.5 * error**2
    if huber:
        loss = torch.where(error > huber, huber * (error - 0.5 * huber), loss)
    return weighted_mean(loss, weights)
