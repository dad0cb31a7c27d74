"""Views without a trunk: hidden states are given, so that losses can be judged exactly."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from speaq.models.head import HeadSettings, ValueHead
from speaq.qlearning.algorithm import View
from speaq.qlearning.targets import target_of
from speaq.training.batch import Batch, collate
from speaq.training.encoding import Encoded


@pytest.fixture
def encoded() -> Callable[..., Encoded]:
    """`encoded(tokens, actions, rewards)`: an episode with the given places of action."""

    def build(
        tokens: Sequence[int],
        actions: Sequence[int],
        rewards: Sequence[float],
        *,
        truncated: bool = False,
        name: str = "e",
        turns: Sequence[int] | None = None,
    ) -> Encoded:
        return Encoded(
            id=name,
            group=name,
            tokens=np.array(tokens, np.int64),
            actions=np.array(actions, np.int64),
            turn_ids=np.array(turns if turns is not None else [0] * len(actions), np.int64),
            rewards=np.array(rewards, np.float32),
            behaviour_logprobs=np.full(len(actions), np.nan, np.float32),
            truncated=truncated,
        )

    return build


@pytest.fixture
def view_of() -> Callable[..., View]:
    """`view_of(algorithm, batch, hidden, head)`: what a learner hands to a loss."""

    def build(
        algorithm: Any,
        batch: Batch,
        hidden: torch.Tensor,
        head: ValueHead,
        *,
        centres: torch.Tensor | None = None,
        extra: dict[str, torch.nn.Module] | None = None,
        output_table: torch.Tensor | None = None,
        trains_policy: bool = False,
    ) -> View:
        made = algorithm.extra_modules(batch.member_mask.shape[0], hidden.shape[-1])
        return View(
            batch=batch,
            hidden=hidden,
            centres=centres,
            head=head,
            target=target_of(head) if algorithm.target_every else None,
            extra=made if extra is None else extra,
            output_table=head.output_table if output_table is None else output_table,
            episodes=float(batch.member_mask.float().sum(1).mean()),
            trains_policy=trains_policy,
        )

    return build


@pytest.fixture
def ragged() -> Callable[..., tuple[Batch, torch.Tensor]]:
    """`ragged(seed, lengths, members)`: random episodes of those lengths, and hidden states."""

    def build(
        seed: int, lengths: Sequence[int], members: int = 1, hidden: int = 5, vocabulary: int = 7
    ) -> tuple[Batch, torch.Tensor]:
        stream = np.random.default_rng(seed)
        episodes = []
        for number, count in enumerate(lengths):
            prefix = int(stream.integers(1, 4))
            episodes.append(
                Encoded(
                    id=str(number),
                    group=str(number),
                    tokens=stream.integers(0, vocabulary, prefix + count),
                    actions=np.arange(prefix, prefix + count),
                    turn_ids=np.zeros(count, np.int64),
                    rewards=stream.normal(size=count).astype(np.float32),
                    behaviour_logprobs=np.full(count, np.nan, np.float32),
                    truncated=bool(stream.integers(2)),
                )
            )
        seen = stream.integers(0, 2, (members, len(lengths))).astype(bool)
        batch = collate(episodes, 0.9, torch.from_numpy(seen))
        states = torch.from_numpy(
            stream.normal(size=(len(lengths), max(lengths) + 1, hidden)).astype(np.float32)
        )
        return batch, states

    return build


@pytest.fixture
def random_head() -> Callable[..., ValueHead]:
    """`random_head(kind, members, hidden=5, vocabulary=7)`: a head that is not zero."""

    def build(
        kind: Any, members: int, hidden: int = 5, vocabulary: int = 7, seed: int = 0
    ) -> ValueHead:
        stream = torch.Generator().manual_seed(seed)
        table = torch.randn(vocabulary, hidden, generator=stream)
        head = ValueHead(HeadSettings(kind=kind, members=members, value_width=3), table)
        with torch.no_grad():
            for weight in head.parameters():
                weight.copy_(torch.randn(weight.shape, generator=stream))
        return head

    return build
