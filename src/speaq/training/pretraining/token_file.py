"""The tokens of a corpus in one memory-mapped file, written once and checked by its digest.

folder/
├── tokens.bin    every document's tokens, each document followed by an end token
├── starts.bin    one byte per token: 1 where a word begins; only for whole-word masking
└── tokens.json   how many, their width, digests of both files

The folder is named by a digest of corpus and tokenizer, so a stale one cannot be met.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speaq.core.errors import DataError, StorageError
from speaq.core.files import digest, file_digest, replacing_folder
from speaq.core.language import say
from speaq.core.progress import bar
from speaq.training.pretraining.vocabulary import end_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Places = Callable[[str], Sequence[tuple[int, int]]]
"""Cuts a text into words: where each begins and ends (exclusive), in characters, in order."""

Flags = NDArray[np.uint8]

_FORMAT = "1"
_BATCH = 64
"""Pieces that are tokenised at once, in parallel."""


@dataclass(frozen=True)
class TokenFile:
    """A corpus as tokens."""

    tokens: NDArray[Any]
    """(N,) uint16 or uint32, memory-mapped."""
    starts: Flags | None
    """(N,) 1 where a word begins, memory-mapped."""
    digest: str
    """Of the tokens' bytes."""
    documents: int
    end_id: int

    def longer(self, context: int) -> int:
        """How many documents have more tokens than `context`, the end token included."""
        ends = np.flatnonzero(self.tokens == self.end_id)
        return int((np.diff(ends, prepend=-1) > context).sum())


def token_file(
    folder: Path,
    documents: Callable[[], Iterable[Iterable[str]]],
    tokenizer: "PreTrainedTokenizerBase",
    *,
    corpus: str,
    places: Places | None = None,
) -> TokenFile:
    """The corpus as tokens, from `folder` if it is there already, else written to it.

    Args:
        folder: where files of tokens are kept.
        documents: the documents, each as the pieces it is made of; asked for only to write.
        tokenizer: a fast one.
        corpus: digest of what `documents` gives.
        places: cuts a text into words, to note where they begin; None notes nothing.

    Raises:
        DataError: no tokens at all.
        StorageError: the disk refused, or a file is not what was written.
    """
    rules = tokenizer.backend_tokenizer.to_str()
    name = digest(_FORMAT, corpus, rules, str(end_of(tokenizer)), str(places is not None))
    path = folder / f"tokens-{name[:16]}"
    if not path.is_dir():
        with replacing_folder(path) as temporary:
            _write(temporary, documents(), tokenizer, places)
    return _opened(path, end_of(tokenizer))


def _opened(path: Path, end_id: int) -> TokenFile:
    facts = json.loads((path / "tokens.json").read_text(encoding="utf-8"))
    for file, wanted in facts["digests"].items():
        if not (path / file).is_file() or file_digest(path / file) != wanted:
            raise StorageError(
                f"{path / file} is not what was written there; remove {path}, then run the same "
                "command again.",
                f"{path / file} 与当初写入的内容不符；请删除 {path} 后重新运行同一命令。",
            )
    starts = None
    if "starts.bin" in facts["digests"]:
        starts = np.memmap(path / "starts.bin", np.uint8, mode="r")
    return TokenFile(
        np.memmap(path / "tokens.bin", np.dtype(facts["dtype"]), mode="r"),
        starts,
        facts["digests"]["tokens.bin"],
        facts["documents"],
        end_id,
    )


def _write(
    folder: Path,
    documents: Iterable[Iterable[str]],
    tokenizer: "PreTrainedTokenizerBase",
    places: Places | None,
) -> None:
    dtype = np.uint16 if len(tokenizer) <= 1 << 16 else np.uint32
    count = written = 0
    with ExitStack() as open_:
        running = open_.enter_context(bar(say("tokens", "词元"), None))
        out = open_.enter_context((folder / "tokens.bin").open("wb"))
        flags = None
        if places is not None:
            flags = open_.enter_context((folder / "starts.bin").open("wb"))
        for ids, starts, ends in _encoded(documents, tokenizer, places):
            np.asarray(ids, dtype).tofile(out)
            if flags is not None:
                starts.tofile(flags)
            count += ends
            written += len(ids)
            running.advance(len(ids))
    if not written:
        raise DataError("the corpus holds no tokens.", "语料中没有词元。")
    facts = {
        "dtype": np.dtype(dtype).name,
        "documents": count,
        "digests": {file.name: file_digest(file) for file in sorted(folder.glob("*.bin"))},
    }
    (folder / "tokens.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _encoded(
    documents: Iterable[Iterable[str]],
    tokenizer: "PreTrainedTokenizerBase",
    places: Places | None,
) -> Iterator[tuple[list[int], Flags, bool]]:
    """Tokens, whether each begins a word, and whether a document ends, piece by piece."""
    end = end_of(tokenizer)
    core = tokenizer.backend_tokenizer
    pieces = chain.from_iterable(_marked(pieces) for pieces in documents)
    while group := list(islice(pieces, _BATCH)):
        found = core.encode_batch([text for text, _ in group], add_special_tokens=False)
        for (text, last), encoding in zip(group, found, strict=True):
            ids = [*encoding.ids, end] if last else encoding.ids
            starts = np.ones(len(ids), np.uint8)
            if places is not None:
                begins = word_starts(places(text), encoding.offsets, len(text))
                starts[: len(begins)] = begins
            yield ids, starts, last


def _marked(pieces: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """The pieces of a document, each with whether it is the last."""
    before: str | None = None
    for piece in pieces:
        if before is not None:
            yield before, False
        before = piece
    if before is not None:
        yield before, True


def word_starts(
    places: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]], length: int
) -> Flags:
    """For each token 1 where it begins a word, 0 where it goes on with one.

    What is in no word, such as a space or a comma, is one of its own. A token belongs where its
    last character is, for many tokenizers put a space in front of the word that follows.

    Args:
        places: of the words, in order.
        offsets: (start, end) of each token, in characters of the text.
        length: of the text, in characters.
    """
    first = np.ones(length + 1, np.int64)
    for start, end in places:
        first[start + 1 : end] = 0
    unit = np.cumsum(first)
    last = np.array([max(start, end - 1) for start, end in offsets], np.int64)
    mine = unit[last]
    begins = np.ones(len(mine), np.uint8)
    begins[1:] = mine[1:] != mine[:-1]
    return begins
