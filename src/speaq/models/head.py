"""The value head: Q(s, a) = V(s) + A(s, a), read from the trunk's last hidden state.

The state value is a small network of its own; it cancels in every softmax over actions, so it may
be as rich as it likes. The advantage has one form for every kind, a projection of the hidden
state times a table of token vectors, A(s, a) = f(h) · E[a]:

    kind        f(h)            E                           learnt numbers per member
    tied        M h             the model's output table    D²        (generalises over tokens)
    linear      h               own (V, D)                  V·D
    low-rank    U h             own (V, R)                  R·(V + D)
    mlp         relu(W h + b)   own (V, 2D)                 2D·(V + D)   (guides, cannot fold)

The first three fold into the output layer (see `folding`). All start at zero, so that an
untrained head changes no probability and tokens never seen in the log stay neutral.

A head is an ensemble of `members` such pairs, combined by mean or, pessimistically, by min.
"""

import math
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from speaq.core.errors import SettingsError
from speaq.core.shapes import check

Kind = Literal["tied", "linear", "low-rank", "mlp"]
Combine = Literal["mean", "min"]


@dataclass(frozen=True)
class HeadSettings:
    """What kind of value head to put on a trunk."""

    kind: Kind = "tied"
    """tied, linear and low-rank fold into the model; mlp only guides."""
    members: int = 1
    """Size of the ensemble."""
    combine: Combine = "mean"
    """How members are combined for guiding; min is pessimistic and cannot fold."""
    rank: int = 16
    """Rank of the low-rank head; ignored by the others."""
    value_width: int = 64
    """Hidden units of the state value V(s); 0 makes it linear in the hidden state."""

    def __post_init__(self) -> None:
        if self.kind not in ("tied", "linear", "low-rank", "mlp"):
            raise SettingsError(
                f"head kind '{self.kind}' is unknown; use tied, linear, low-rank or mlp.",
                f"未知的价值头类型“{self.kind}”；可用 tied、linear、low-rank 或 mlp。",
            )
        if self.combine not in ("mean", "min"):
            raise SettingsError(
                f"head members cannot be combined by '{self.combine}'; use mean or min.",
                f"价值头成员不能以“{self.combine}”组合；可用 mean 或 min。",
            )
        if self.members < 1 or self.rank < 1 or self.value_width < 0:
            raise SettingsError(
                "head members and rank must be at least 1, value_width at least 0.",
                "价值头的 members 与 rank 至少为 1，value_width 至少为 0。",
            )


class StateValues(nn.Module):
    """State values of M members: a network with one hidden layer, or a linear map at width 0.

    Zero at the start, whatever the state.
    """

    def __init__(self, members: int, hidden: int, width: int) -> None:
        super().__init__()
        self.width = width
        if width:
            self.inner = nn.Parameter(_uniform(members, width, hidden))
            self.inner_bias = nn.Parameter(torch.zeros(members, 1, width))
        self.outer = nn.Parameter(torch.zeros(members, 1, width or hidden))
        self.offset = nn.Parameter(torch.zeros(members, 1))

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states (N, D) -> values (M, N)."""
        if not self.width:
            return (self.outer[:, 0] @ hidden.T) + self.offset
        inner = torch.relu(hidden @ self.inner.transpose(1, 2) + self.inner_bias)  # (M, N, W)
        return (inner * self.outer).sum(-1) + self.offset


class ValueHead(nn.Module):
    """An ensemble of state values and advantages over a trunk of hidden size D.

    Args:
        settings: kind, members, combination.
        output_table: (V, D), the model's output embeddings. Shared with the model, never trained
            or saved here.
    """

    output_table: Tensor

    def __init__(self, settings: HeadSettings, output_table: Tensor) -> None:
        super().__init__()
        self.settings = settings
        vocabulary, hidden = output_table.shape
        self.register_buffer("output_table", output_table.detach(), persistent=False)
        members = settings.members
        features = {"tied": hidden, "linear": hidden, "low-rank": settings.rank, "mlp": 2 * hidden}
        width = features[settings.kind]
        if settings.kind == "tied":
            self.projection = nn.Parameter(torch.zeros(members, width, hidden))
        elif settings.kind != "linear":
            self.projection = nn.Parameter(_uniform(members, width, hidden))
        if settings.kind == "mlp":
            self.projection_bias = nn.Parameter(torch.zeros(members, 1, width))
        if settings.kind != "tied":
            self.table = nn.Parameter(torch.zeros(members, vocabulary, width))
        self.state_values = StateValues(members, hidden, settings.value_width)

    @property
    def members(self) -> int:
        """Size of the ensemble, M."""
        return self.settings.members

    def features(self, hidden: Tensor) -> Tensor:
        """f(h): (N, D) -> (M, N, F)."""
        check(hidden=(hidden, "N D"))
        if self.settings.kind == "linear":
            return hidden.expand(self.members, *hidden.shape)
        projected = hidden @ self.projection.transpose(1, 2)  # (M, N, F)
        if self.settings.kind == "mlp":
            return torch.relu(projected + self.projection_bias)
        return projected

    def member_table(self, member: int) -> Tensor:
        """E of one member: (V, F)."""
        return self.output_table if self.settings.kind == "tied" else self.table[member]

    def values(self, hidden: Tensor) -> Tensor:
        """V(s): hidden (N, D) -> (M, N)."""
        values: Tensor = self.state_values(hidden)
        return values

    def advantages_at(
        self, hidden: Tensor, actions: Tensor, centres: Tensor | None = None
    ) -> Tensor:
        """A(s, a) at the actions taken: (N, D), (N,) -> (M, N). A gather; nothing over V.

        Args:
            hidden: (N, D).
            actions: (N,) tokens.
            centres: (N, D), Σ_a π(a|s)·W[a]. With them a tied head's advantage is centred,
                Σ_a π(a|s)·A(s, a) = 0; what is subtracted is one number per state and cancels in
                every softmax. Other heads cannot use them.
        """
        features = self.features(hidden)
        if self.settings.kind == "tied":
            vectors = self.output_table[actions]
            return (features * (vectors if centres is None else vectors - centres)).sum(-1)
        return torch.stack(
            [(features[m] * self.table[m, actions]).sum(-1) for m in range(self.members)]
        )

    def advantage_parameters(self) -> list[nn.Parameter]:
        """The parameters of A, without those of V."""
        return [p for name, p in self.named_parameters() if not name.startswith("state_values")]

    def member_advantages(self, hidden: Tensor, member: int) -> Tensor:
        """A(s, ·) of one member: (N, D) -> (N, V)."""
        return self.features(hidden)[member] @ self.member_table(member).T

    def advantages(self, hidden: Tensor, use: Tensor | None = None) -> Tensor:
        """A(s, ·) of the ensemble, combined as set: (N, D) -> (N, V).

        Args:
            hidden: (N, D).
            use: (M, N) bool, which members speak about which state; at least one each. None: all.
        """
        features = self.features(hidden)  # (M, N, F)
        if self.settings.combine == "min":
            scores = torch.stack(
                [features[m] @ self.member_table(m).T for m in range(self.members)]
            )
            return (scores if use is None else scores.where(use[..., None], torch.inf)).amin(0)
        weights = features.new_ones(features.shape[:2]) if use is None else use.to(features.dtype)
        features = features * (weights / weights.sum(0))[..., None]
        if self.settings.kind == "tied":
            return features.sum(0) @ self.output_table.T
        return torch.stack([features[m] @ self.member_table(m).T for m in range(self.members)]).sum(
            0
        )

    def output_delta(self) -> Tensor:
        """ΔW (V, D) with A(s, ·) = ΔW h for the mean of the members.

        Raises:
            SettingsError: the head is an mlp, or combines by min: neither is linear in h.
        """
        if self.settings.kind == "mlp" or (self.settings.combine == "min" and self.members > 1):
            what = "an mlp head" if self.settings.kind == "mlp" else "the min of several members"
            raise SettingsError(
                f"{what} is not linear in the hidden state and cannot be folded; it can guide. "
                "Use a tied, linear or low-rank head combined by mean.",
                "该价值头对隐状态不是线性的，无法合并进输出层，只能用于引导；"
                "请改用 tied、linear 或 low-rank，并以 mean 组合。",
            )
        if self.settings.kind == "tied":
            delta: Tensor = self.output_table @ self.projection.mean(0)
        elif self.settings.kind == "linear":
            delta = self.table.mean(0)
        else:
            delta = torch.einsum("mvr,mrd->vd", self.table, self.projection) / self.members
        return delta

    def description(self) -> dict[str, str]:
        """What a file of this head must say to be loaded again."""
        vocabulary, hidden = self.output_table.shape
        facts = {**asdict(self.settings), "vocabulary": vocabulary, "hidden": hidden}
        return {name: str(value) for name, value in facts.items()}


def _uniform(*shape: int) -> Tensor:
    """Torch's default scale for a layer whose input is the last axis, from a fixed stream.

    A fixed stream rather than the global one: building a head must not disturb a run's seeds.
    """
    bound = 1 / math.sqrt(shape[-1])
    stream = torch.Generator().manual_seed(sum(shape))
    return (torch.rand(*shape, generator=stream) * 2 - 1) * bound
