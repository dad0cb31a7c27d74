"""A language model that is a table: its hidden state is the one-hot vector of the whole prefix.

On it a linear value head can hold any Q and the output layer any policy, so nothing that a test
finds wanting can be blamed on the function that was fitted.
"""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from speaq.core.seeds import generator
from speaq.environments.token_tree import Table, TokenTree
from speaq.models.language_model import LanguageModel, Origin


class PrefixTrunk(nn.Module):
    """Tokens (B, T) -> one-hot vectors of their prefixes (B, T, nodes); zeros off the tree."""

    after: Tensor

    def __init__(self, tree: TokenTree) -> None:
        super().__init__()
        self.register_buffer("after", torch.from_numpy(tree.children), persistent=False)

    def forward(self, input_ids: Tensor, **_: Any) -> SimpleNamespace:
        """See the class; takes and ignores what `transformers` trunks are given."""
        node = torch.zeros_like(input_ids[:, 0])
        steps = [node]
        for token in input_ids[:, 1:].T:
            node = torch.where(node >= 0, self.after[node, token], -1)
            steps.append(node)
        nodes = torch.stack(steps, 1)
        hidden = nn.functional.one_hot(nodes.clamp(min=0), len(self.after)).float()
        return SimpleNamespace(last_hidden_state=hidden * (nodes >= 0)[..., None])


class TabularModel(nn.Module):
    """A `transformers`-like model over a tree whose policy is a table."""

    def __init__(self, tree: TokenTree, policy: Table) -> None:
        super().__init__()
        self.base_model = PrefixTrunk(tree)
        self.output = nn.Linear(tree.nodes, tree.vocabulary, bias=False)
        # Where nobody decides no logit is ever read: chance numbers there keep the tokens'
        # vectors apart, so that tied heads too can hold any value.
        apart = generator(tree.seed, "tabular", "output").normal(size=policy.shape)
        likely = np.log(np.where(policy > 0, policy, 1e-9))
        logits = np.where(tree.decisions[:, None], likely, apart)
        with torch.no_grad():
            self.output.weight.copy_(torch.from_numpy(logits.T))
        self.config = SimpleNamespace(
            max_position_embeddings=1 + 2 * tree.depth, is_encoder_decoder=False
        )

    def get_output_embeddings(self) -> nn.Linear:
        """The policy's table, (V, nodes)."""
        return self.output

    def forward(self, input_ids: Tensor, **_: Any) -> SimpleNamespace:
        """Tokens (B, T) -> `.logits` (B, T, V)."""
        return SimpleNamespace(logits=self.output(self.base_model(input_ids).last_hidden_state))


def tabular_model(tree: TokenTree, policy: Table) -> LanguageModel:
    """A language model without a head whose policy on `tree` is exactly `policy`."""
    return LanguageModel(
        causal=cast(Any, TabularModel(tree, policy)),
        tokenizer=cast(Any, SimpleNamespace(eos_token_id=tree.end)),
        origin=Origin(f"token-tree:{tree.seed}"),
    )
