"""A small language for environments in words: one token a word, and an untrained model of it.

Ordinary tokenizers cut the text of a toy task into many more pieces than it has moves, and a
model that knows English brings nothing. Here a reply of one word is two tokens, the word and the
end, so that the log can also hold the exact tokens and propensities of replies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from speaq.core.errors import DataError
from speaq.core.seeds import derive
from speaq.experience.episode import Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from speaq.models.language_model import LanguageModel

BEGIN, END = "<|begin|>", "<|end|>"


@dataclass(frozen=True)
class Words:
    """The words of one environment, in the order of their token ids; two marks follow."""

    listed: tuple[str, ...]

    @cached_property
    def ids(self) -> dict[str, int]:
        """The token id of each word and mark."""
        return {word: place for place, word in enumerate([*self.listed, BEGIN, END])}

    def encode(self, text: str) -> tuple[int, ...]:
        """Token ids of words with spaces in between.

        Raises:
            DataError: a word that is not one of these.
        """
        strange = [word for word in text.split() if word not in self.ids]
        if strange:
            raise DataError(
                f"'{strange[0]}' is not a word here; words are {' '.join(self.listed)}.",
                f"“{strange[0]}”不在词表中；词表为 {' '.join(self.listed)}。",
            )
        return tuple(self.ids[word] for word in text.split())

    def reply(self, text: str, logprobs: Sequence[float], reward: float | None = None) -> Turn:
        """An action turn with its exact tokens, the end included, as every reply here ends.

        Args:
            text: words.
            logprobs: ln of the propensity of each word. The end follows the last one for certain.
            reward: of the turn.
        """
        tokens = (*self.encode(text), self.ids[END])
        return Turn("action", text, token_ids=tokens, logprobs=(*logprobs, 0.0), reward=reward)

    @cached_property
    def fingerprint(self) -> str:
        """What `Episode.tokenizer` must say for `reply`'s tokens to be taken as they are."""
        from speaq.models.language_model import vocabulary_fingerprint

        return vocabulary_fingerprint(self.ids)

    @cached_property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """Splits at white space; an unknown word reads as the begin mark."""
        from tokenizers import Tokenizer, models, pre_tokenizers
        from transformers import PreTrainedTokenizerFast

        core = Tokenizer(models.WordLevel(self.ids, unk_token=BEGIN))
        core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        return PreTrainedTokenizerFast(
            tokenizer_object=core,
            bos_token=BEGIN,
            eos_token=END,
            pad_token=BEGIN,
            unk_token=BEGIN,
            clean_up_tokenization_spaces=False,
        )

    def model(
        self, name: str, seed: int, *, layers: int = 2, width: int = 64, context: int = 1024
    ) -> "LanguageModel":
        """An untrained Llama: `new:<name>`, the same weights for the same name, seed and size.

        Args:
            name: of the environment.
            seed: of the weights.
            layers: blocks of attention and feed-forward network.
            width: hidden size, a multiple of 16, which is the size of a head.
            context: longest text in tokens.
        """
        import torch
        from transformers import LlamaConfig, LlamaForCausalLM

        from speaq.models.fingerprint import fingerprint
        from speaq.models.language_model import LanguageModel, Origin

        config = LlamaConfig(
            vocab_size=len(self.ids),
            hidden_size=width,
            intermediate_size=3 * width,
            num_hidden_layers=layers,
            num_attention_heads=width // 16,
            num_key_value_heads=width // 16,
            max_position_embeddings=context,
            attention_dropout=0.0,
            bos_token_id=self.ids[BEGIN],
            eos_token_id=self.ids[END],
            pad_token_id=self.ids[BEGIN],
            tie_word_embeddings=False,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(seed, name, "model"))
            causal = LlamaForCausalLM(config)
        causal.eval()
        return LanguageModel(causal, self.tokenizer, Origin(f"new:{name}", fingerprint(causal)))
