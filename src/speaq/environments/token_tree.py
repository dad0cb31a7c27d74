"""Token trees: text so small that every value of every state is known exactly.

A tree of prefixes over a vocabulary of V tokens. The root is the prompt, one token 0. In a
*decision* the policy says a token; after some depths the other side answers with one of a few
tokens, each as likely, before the policy speaks again. An episode ends at the last depth, or
earlier where the policy says the end token V - 1. Rewards are random with known means, or fixed.

Every prefix is a node with a number; a hidden state that is the one-hot vector of that number
lets a linear value head hold any Q at all. So what an algorithm converges to can be compared with
the optimum it claims, number by number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import SettingsError
from speaq.core.seeds import generator

Table = NDArray[np.float64]  # (nodes, V), 0 outside decisions
StateValue = Callable[[int, Table], float]


@dataclass(frozen=True, slots=True)
class Walk:
    """One episode through a tree: T tokens, K of them actions."""

    tokens: tuple[int, ...]
    """The prompt, actions and answers."""
    actions: tuple[int, ...]
    """(K,) places of the actions in `tokens`."""
    rewards: tuple[float, ...]  # (K,)
    logprobs: tuple[float, ...]
    """(K,) ln of the policy the walk was drawn from."""
    truncated: bool = False


@dataclass(frozen=True)
class TokenTree:
    """A tree and its exact values. All discounts are per action."""

    vocabulary: int = 4
    """V, 2 to 16; token V - 1 ends the episode."""
    depth: int = 3
    """Actions of the longest episode, 1 to 6."""
    answers: int = 0
    """How many tokens, from 0 on, the other side answers with; 0: it is silent."""
    answers_after: tuple[int, ...] = ()
    """Depths (1 is the first action) after which the other side answers."""
    noise: float = 0.0
    """A reward is its mean plus or minus this, each as likely."""
    final_only: bool = False
    """Rewards 0, ½ or 1, and only on the action that ends the episode."""
    seed: int = 0

    def __post_init__(self) -> None:
        checks = {
            "vocabulary": (2 <= self.vocabulary <= 16, "2 to 16"),
            "depth": (1 <= self.depth <= 6, "1 to 6"),
            "answers": (0 <= self.answers < self.vocabulary, "less than the vocabulary"),
            "noise": (self.noise >= 0, "≥ 0"),
        }
        for name, (good, wanted) in checks.items():
            if not good:
                raise SettingsError(
                    f"token-tree setting {name} = {vars(self)[name]} must be {wanted}.",
                    f"token-tree 的 {name} = {vars(self)[name]} 必须为 {wanted}。",
                )

    @cached_property
    def _nodes(self) -> tuple[dict[tuple[int, ...], int], list[int], list[bool]]:
        """Numbers by prefix (parents first), and of each node its depth and whether it decides."""
        numbers: dict[tuple[int, ...], int] = {(0,): 0}
        depths, decides = [0], [True]
        ready: list[tuple[int, ...]] = [(0,)]
        for prefix in ready:  # grows while it is walked
            node = numbers[prefix]
            if not decides[node] and (prefix[-1] == self.end or depths[node] == self.depth):
                continue
            said = range(self.vocabulary if decides[node] else self.answers)
            for token in said:
                child = (*prefix, token)
                numbers[child] = len(numbers)
                ready.append(child)
                depth = depths[node] + decides[node]
                over = decides[node] and (token == self.end or depth == self.depth)
                asks = decides[node] and self.answers > 0 and depth in self.answers_after
                depths.append(depth)
                decides.append(not over and not asks)
        return numbers, depths, decides

    @property
    def end(self) -> int:
        """The token that ends an episode."""
        return self.vocabulary - 1

    @property
    def nodes(self) -> int:
        """How many prefixes there are."""
        return len(self._nodes[0])

    @cached_property
    def decisions(self) -> NDArray[np.bool_]:
        """(nodes,) where the policy speaks."""
        return np.array(self._nodes[2])

    @cached_property
    def children(self) -> NDArray[np.int64]:
        """(nodes, V) the node after each token, -1 where that token cannot come."""
        numbers = self._nodes[0]
        children = np.full((len(numbers), self.vocabulary), -1)
        for prefix, number in numbers.items():
            if number:
                children[numbers[prefix[:-1]], prefix[-1]] = number
        return children

    @cached_property
    def rewards(self) -> Table:
        """(nodes, V) mean reward of each action."""
        stream = generator(self.seed, "token-tree", "rewards")
        rewards = stream.normal(size=(self.nodes, self.vocabulary))
        if self.final_only:
            last = np.isin(self.children, np.nonzero(~(self.children >= 0).any(1))[0])
            rewards = np.where(last, stream.integers(0, 3, rewards.shape) / 2, 0.0)
        return np.where(self.decisions[:, None], rewards, 0.0)

    @cached_property
    def policy(self) -> Table:
        """(nodes, V) a known policy, in quarters of a token's even share: no action is rare."""
        stream = generator(self.seed, "token-tree", "policy")
        shares = stream.integers(1, 3, (self.nodes, self.vocabulary)).astype(float)
        return np.where(self.decisions[:, None], shares / shares.sum(1, keepdims=True), 0.0)

    def uniform(self) -> Table:
        """The policy that tries every token alike."""
        return np.where(self.decisions[:, None], 1 / self.vocabulary, 0.0) * np.ones(
            self.vocabulary
        )

    def backed_up(self, values: Table) -> Table:
        """Value of what follows each action: values (nodes,) -> (nodes, V).

        Answers are averaged; what ended is worth 0.
        """
        known = np.zeros(self.nodes)
        for node in reversed(range(self.nodes)):
            after = self.children[node]
            if self.decisions[node]:
                known[node] = values[node]
            elif (after >= 0).any():
                known[node] = known[after[after >= 0]].mean()
        reached = np.where(self.children >= 0, known[self.children], 0.0)
        return np.where(self.decisions[:, None], reached, 0.0)

    def solve(self, state_value: StateValue, discount: float) -> Table:
        """Q (nodes, V) with Q = r + γ E V(s'), V(s) = `state_value`(node, Q(s, ·))."""
        q_values = self.rewards.copy()
        # A pass settles one more depth, the last first.
        for _ in range(self.depth):
            values = np.array(
                [
                    state_value(node, q_values[node]) if self.decisions[node] else 0.0
                    for node in range(self.nodes)
                ]
            )
            q_values = self.rewards + discount * self.backed_up(values)
        return q_values

    def of_policy(self, policy: Table, discount: float = 1.0) -> Table:
        """Q^π."""
        return self.solve(lambda node, q: float(policy[node] @ q), discount)

    def optimal(self, discount: float = 1.0) -> Table:
        """Q*."""
        return self.solve(lambda node, q: float(q.max()), discount)

    def soft(self, reference: Table, eta: float, discount: float = 1.0) -> Table:
        """Q of the policy that earns most after paying η for each nat of KL from `reference`."""
        return self.solve(lambda node, q: soft_value(reference[node], q, eta), discount)

    def ahead(self, policy: Table, steps: int, discount: float = 1.0) -> Table:
        """Fixed point of n-step Q-learning on a log of `policy`: n - 1 of its steps, then the best.

        Q = r + γ E[r' + γ E[... + γ E max_a Q]] with the n - 1 inner actions drawn from `policy`.
        """
        q_values = self.rewards.copy()
        for _ in range(self.depth):
            reach = q_values.max(1)
            for _ in range(steps - 1):
                reach = (policy * (self.rewards + discount * self.backed_up(reach))).sum(1)
            q_values = self.rewards + discount * self.backed_up(reach)
        return q_values

    def expected_return(self, policy: Table, discount: float = 1.0) -> float:
        """What `policy` earns from the prompt on."""
        return float(policy[0] @ self.of_policy(policy, discount)[0])

    def every_walk(self, policy: Table) -> Iterator[tuple[Walk, float]]:
        """Every possible episode with its probability under `policy`; they sum to 1."""
        return self._walks(policy, 0, Walk((0,), (), (), ()), 1.0)

    def _walks(
        self, policy: Table, node: int, walk: Walk, chance: float
    ) -> Iterator[tuple[Walk, float]]:
        after = [(token, int(child)) for token, child in enumerate(self.children[node])]
        after = [(token, child) for token, child in after if child >= 0]
        if not after:
            yield walk, chance
        elif self.decisions[node]:
            luck = (self.noise, -self.noise) if self.noise else (0.0,)
            for (token, child), extra in product(after, luck):
                share = policy[node, token]
                if share > 0:
                    longer = self._act(walk, token, self.rewards[node, token] + extra, share)
                    yield from self._walks(policy, child, longer, chance * share / len(luck))
        else:
            for token, child in after:
                longer = Walk((*walk.tokens, token), walk.actions, walk.rewards, walk.logprobs)
                yield from self._walks(policy, child, longer, chance / len(after))

    def log(self, policy: Table, episodes: int, seed: int = 0) -> list[Walk]:
        """Episodes drawn from `policy`."""
        walks, chances = zip(*self.every_walk(policy), strict=True)
        drawn = generator(seed, "token-tree", "log").choice(len(walks), episodes, p=chances)
        return [walks[place] for place in drawn]

    def in_proportion(self, policy: Table) -> list[Walk]:
        """Every possible episode, each as often as is its share: a log without sampling error.

        Raises:
            ValueError: the shares have no small common denominator.
        """
        walks, chances = zip(*self.every_walk(policy), strict=True)
        times = np.array(chances) / min(chances)
        if not np.allclose(times, times.round()) or times.sum() > 20_000:
            raise ValueError("the walks of this policy cannot be repeated in proportion")
        return [walk for walk, n in zip(walks, times.round(), strict=True) for _ in range(int(n))]

    @staticmethod
    def _act(walk: Walk, token: int, reward: float, share: float) -> Walk:
        return Walk(
            tokens=(*walk.tokens, token),
            actions=(*walk.actions, len(walk.tokens)),
            rewards=(*walk.rewards, float(reward)),
            logprobs=(*walk.logprobs, float(np.log(share))),
        )


def soft_value(reference: Table, q_values: Table, eta: float) -> float:
    """η ln Σ_a π(a) exp(Q(a)/η): (V,), (V,) -> number."""
    best = q_values.max()
    return float(best + eta * np.log(reference @ np.exp((q_values - best) / eta)))
