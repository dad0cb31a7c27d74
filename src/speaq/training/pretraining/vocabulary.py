"""The tokenizer of a model that begins from nothing: bytes, characters, or a trained one.

bytes     the 256 bytes: any text in any script
chars     the characters of the corpus: for small corpora
a path    a tokenizer.json of `tokenizers`, or a folder that transformers loads
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speaq.core.errors import DataError, ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

END, PADDING, MASK, UNKNOWN = "<|end|>", "<|pad|>", "<|mask|>", "<|unknown|>"
SENTINELS = 100
"""Gaps that a text may have; as many as T5's tokenizer names."""
_MOST_CHARACTERS = 50_000
_NAMES = {
    "eos_token": ("<|end|>", "<|endoftext|>", "</s>", "<eos>"),
    "sep_token": ("[SEP]", "<sep>"),
    "cls_token": ("[CLS]", "<cls>"),
    "pad_token": ("<|pad|>", "<pad>", "[PAD]"),
    "mask_token": ("<|mask|>", "<mask>", "[MASK]"),
    "unk_token": ("<|unknown|>", "<unk>", "[UNK]"),
}
"""What special tokens are called in a tokenizer.json, which does not say what they are for."""


def sentinel(number: int) -> str:
    """The token that stands for a gap of a text, by T5's name."""
    return f"<extra_id_{number}>"


def tokenizer_of(name: str, pieces: Iterable[str], kind: str) -> "PreTrainedTokenizerBase":
    """The tokenizer `name`; see the module's table.

    Args:
        name: bytes, chars or a path.
        pieces: the corpus, of which `chars` takes the characters.
        kind: of the objective. Special tokens that it needs are added, but for an end token, of
            which only the tokenizer's maker can say what it is.

    Raises:
        ModelError: no such tokenizer, or one without an end token.
        DataError: more characters than a vocabulary of characters should have.
    """
    if name == "bytes":
        made = _fast(_bytes())
    elif name == "chars":
        made = _fast(_characters(pieces))
    else:
        made = open_tokenizer(Path(name))
    _with_marks(made, kind)
    require_marks(made, name, kind)
    return made


def end_of(tokenizer: "PreTrainedTokenizerBase") -> int:
    """The token that ends a document: the end token, or what separates texts for an encoder."""
    found = tokenizer.eos_token_id
    end: int = tokenizer.sep_token_id if found is None else found
    return end


def sentinels_of(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """The tokens for gaps, first gap first; empty if it has none."""
    known = tokenizer.get_vocab()
    ids = [known.get(sentinel(number)) for number in range(SENTINELS)]
    return [number for number in ids if number is not None]


def _bytes() -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={mark: i for i, mark in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    return core


def _characters(pieces: Iterable[str]) -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, models

    found: set[str] = set()
    for piece in pieces:
        found.update(piece)
    if len(found) > _MOST_CHARACTERS:
        raise DataError(
            f"the corpus has {len(found)} different characters; use tokenizer = bytes.",
            f"语料有 {len(found)} 个不同的字符；请使用 tokenizer = bytes。",
        )
    names = [UNKNOWN, *sorted(found)]
    vocabulary = {name: number for number, name in enumerate(names)}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=UNKNOWN))
    core.decoder = decoders.Fuse()
    return core


def _fast(core: "Tokenizer") -> "PreTrainedTokenizerBase":
    from transformers import PreTrainedTokenizerFast

    unknown = {"unk_token": UNKNOWN} if core.token_to_id(UNKNOWN) is not None else {}
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        bos_token=END,
        eos_token=END,
        clean_up_tokenization_spaces=False,
        **unknown,
    )


def _with_marks(tokenizer: "PreTrainedTokenizerBase", kind: str) -> None:
    """Add the special tokens that the objective needs and the tokenizer lacks."""
    added: dict[str, Any] = {}
    if tokenizer.pad_token_id is None:
        added["pad_token"] = PADDING
    if kind in ("masked", "infill") and tokenizer.mask_token_id is None:
        added["mask_token"] = MASK
    if kind == "span" and not sentinels_of(tokenizer):
        added["extra_special_tokens"] = [sentinel(number) for number in range(SENTINELS)]
    if added:
        tokenizer.add_special_tokens(added)


def open_tokenizer(path: Path) -> "PreTrainedTokenizerBase":
    """The tokenizer in a folder that transformers loads, or in a tokenizer.json.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    if not path.exists():
        raise ModelError(
            f"There is no tokenizer '{path}'; use bytes, chars, a tokenizer.json or a folder.",
            f"没有分词器“{path}”；可用 bytes、chars、tokenizer.json 文件或目录。",
        )
    try:
        if path.is_dir():
            return AutoTokenizer.from_pretrained(
                path, local_files_only=True, trust_remote_code=False
            )
        # Of a file of another kind `tokenizers` says so by an exception without a type.
        if not {"model", "pre_tokenizer"} <= set(json.loads(path.read_text(encoding="utf-8"))):
            raise ValueError("it has no model")
        plain = PreTrainedTokenizerFast(tokenizer_file=str(path))
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} cannot be opened as a tokenizer: {str(error).splitlines()[0]}",
            f"无法将 {path} 作为分词器打开：{str(error).splitlines()[0]}",
        ) from error
    known = plain.get_vocab()
    marks = {
        role: next((name for name in names if name in known), None)
        for role, names in _NAMES.items()
    }
    return PreTrainedTokenizerFast(
        tokenizer_file=str(path),
        clean_up_tokenization_spaces=False,
        **{role: name for role, name in marks.items() if name},
    )


def require_marks(tokenizer: "PreTrainedTokenizerBase", name: str, kind: str) -> None:
    """Refuse a tokenizer without the special tokens that an objective needs.

    Raises:
        ModelError: names the first one.
    """
    needed: dict[str, int | None] = {
        "an end token (eos_token or sep_token)": end_of(tokenizer),
        "a padding token (pad_token)": tokenizer.pad_token_id,
    }
    if kind in ("masked", "infill"):
        needed["a mask token (mask_token)"] = tokenizer.mask_token_id
    if kind == "span":
        needed[f"tokens for gaps ({sentinel(0)}, …)"] = next(iter(sentinels_of(tokenizer)), None)
    for what, found in needed.items():
        if found is None:
            raise ModelError(
                f"The tokenizer '{name}' lacks {what}, which objective kind = {kind} needs.",
                f"分词器“{name}”缺少{what}，而 objective 的 kind = {kind} 需要它。",
            )
