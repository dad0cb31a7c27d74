"""A tokenizer of single signs, for environments that are spelt rather than told in words."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from speaq.environments.words import BEGIN, END

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def letter_tokenizer(signs: Sequence[str], longest: int | None = None) -> "PreTrainedTokenizerBase":
    """One token a sign, in this order; the two marks follow. No spaces are put between them.

    Args:
        signs: single characters; any other reads as the begin mark.
        longest: text in tokens; None: nothing is said of it.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(
        models.WordLevel({sign: n for n, sign in enumerate([*signs, BEGIN, END])}, unk_token=BEGIN)
    )
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), behavior="isolated")
    core.decoder = decoders.Fuse()
    limit: dict[str, Any] = {} if longest is None else {"model_max_length": longest}
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=BEGIN,
        unk_token=BEGIN,
        clean_up_tokenization_spaces=False,
        **limit,
    )
