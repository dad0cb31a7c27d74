"""Tokenizers of encoder–decoder models that read one vocabulary and write another.

The model's folder holds the source's tokenizer, as any model's does, and the target's in its
subfolder `target`; `transformers` opens each.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TARGET = "target"
"""The subfolder of the tokenizer that is written with."""


class TwoTokenizers:
    """Two tokenizers as one: what is given as `text` is read, `text_target` is written, and ids
    are those of what is written unless they are asked for by a token's name.

    Both have the same ids for the end, for padding and for what is unknown.

    Args:
        source: of what is read.
        target: of what is written.
    """

    def __init__(
        self, source: "PreTrainedTokenizerBase", target: "PreTrainedTokenizerBase"
    ) -> None:
        self.source = source
        self.target = target

    def __call__(self, text: Any = None, *, text_target: Any = None, **how: Any) -> Any:
        """Tokens of what is read, or of what is written."""
        return self.source(text, **how) if text is not None else self.target(text_target, **how)

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """Ids of what is read, where marks such as those of languages stand."""
        return self.source.convert_tokens_to_ids(tokens)

    def save_pretrained(self, folder: Path | str) -> None:
        """Write both."""
        self.source.save_pretrained(folder)
        self.target.save_pretrained(Path(folder) / TARGET)

    def __len__(self) -> int:
        return len(self.target)

    def __getattr__(self, name: str) -> Any:
        # Looked for by `copy` before there is anything to ask.
        if name.startswith("__") or "target" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.target, name)


def open_tokenizer(folder: Path, **how: Any) -> Any:
    """The tokenizer of a model's folder; both, where it reads one vocabulary and writes another."""
    from transformers import AutoTokenizer

    source = AutoTokenizer.from_pretrained(folder, **how)
    if not (folder / TARGET / "tokenizer.json").is_file():
        return source
    return TwoTokenizers(source, AutoTokenizer.from_pretrained(folder / TARGET, **how))
