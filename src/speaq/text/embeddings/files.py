"""Word vectors on disk: safetensors of our own, and the text formats of word2vec and GloVe."""

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from speaq.core.errors import DataError, StorageError
from speaq.core.files import replacing_file
from speaq.core.places import require_file
from speaq.text.embeddings.vectors import WordVectors

_MARK = "speaq word vectors 1"
NAME = "vectors.safetensors"
"""Of the vectors in a run folder."""
_TEXT = (".txt", ".vec", ".w2v")


def save_vectors(vectors: WordVectors, file: Path | str) -> None:
    """Write vectors, all or nothing: `.safetensors` keeps everything exactly, `.txt` and `.vec`
    are word2vec's text format, which most tools read.

    Raises:
        DataError: another ending, or a word that the text format cannot hold.
        StorageError: the disk refused.
    """
    file = Path(file)
    if file.suffix in _TEXT:
        with replacing_file(file) as temporary, temporary.open("w", encoding="utf-8") as stream:
            stream.write(f"{len(vectors.words)} {vectors.size}\n")
            for word, row in zip(vectors.words, vectors.matrix, strict=True):
                _require_one_word(word, file)
                stream.write(f"{word} {' '.join(f'{number:.6g}' for number in row)}\n")
        return
    if file.suffix != ".safetensors":
        raise _unknown_ending(file)
    text = "\n".join(vectors.words).encode("utf-8")
    tensors = {
        "vectors": np.ascontiguousarray(vectors.matrix, np.float32),
        "words": np.frombuffer(text, np.uint8),
    }
    if vectors.counts is not None:
        tensors["counts"] = np.asarray(vectors.counts, np.int64)
    facts = json.dumps(dict(vectors.facts), ensure_ascii=False)
    try:
        with replacing_file(file) as temporary:
            save_file(tensors, temporary, metadata={"format": _MARK, "facts": facts})
    except SafetensorError as error:
        raise StorageError(
            f"{file} could not be written ({error}); nothing half-written was left.",
            f"无法写入 {file}（{error}）；未留下不完整的文件。",
        ) from error


def load_vectors(file: Path | str) -> WordVectors:
    """Open vectors: `.safetensors` as written here, or a text file of word2vec or GloVe (`.txt`,
    `.vec`, each also `.gz`; with a first line of counts or without).

    Raises:
        DataError: no such file, another ending, or a file that is damaged; names the row.
    """
    file = Path(file)
    require_file(file)
    if file.suffix == ".safetensors":
        return _safe(file)
    if Path(file.name.removesuffix(".gz")).suffix in _TEXT:
        return _plain(file)
    raise _unknown_ending(file)


def open_vectors(path: Path | str) -> WordVectors:
    """The vectors of a run folder, or of a file as `load_vectors` reads it.

    Raises:
        DataError: as `load_vectors`.
    """
    path = Path(path)
    return load_vectors(path / NAME if path.is_dir() else path)


def _unknown_ending(file: Path) -> DataError:
    return DataError(
        f"vectors are files that end in .safetensors, {', '.join(_TEXT)}.",
        f"词向量文件的后缀应为 .safetensors、{'、'.join(_TEXT)}。",
        file=file,
    )


def _require_one_word(word: str, file: Path) -> None:
    if len(word.split()) != 1:
        raise DataError(
            f"'{word}' holds a space, which the text format cannot keep; use .safetensors.",
            f"“{word}”含空格，文本格式无法保存；请用 .safetensors。",
            file=file,
        )


def _safe(file: Path) -> WordVectors:
    try:
        with safe_open(file, framework="numpy") as stream:
            facts = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        if facts.get("format") != _MARK:
            raise KeyError("format")
        words = tensors["words"].tobytes().decode("utf-8").split("\n")
        return WordVectors(
            tuple(words), tensors["vectors"], tensors.get("counts"), json.loads(facts["facts"])
        )
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DataError(
            f"these are not word vectors written by speaq ({type(error).__name__}: {error}).",
            f"不是 speaq 写出的词向量（{type(error).__name__}：{error}）。",
            file=file,
        ) from error


def _plain(file: Path) -> WordVectors:
    words: dict[str, None] = {}
    rows: list[np.ndarray] = []
    for row, line in enumerate(_lines(file), start=1):
        word, *numbers = line.rstrip().split(" ")
        if row == 1 and len(numbers) == 1:
            continue  # word2vec's first line: how many words, how many numbers
        if not numbers:
            continue
        vector = _numbers(numbers, file, row)
        if rows and len(vector) != len(rows[0]):
            raise DataError(
                f"{len(vector)} numbers, but {len(rows[0])} in the rows before; the file may be "
                "cut off.",
                f"有 {len(vector)} 个数，而前面各行有 {len(rows[0])} 个；文件可能被截断。",
                file=file,
                row=row,
            )
        if word not in words:  # some published files repeat words; the first is the commoner
            words[word] = None
            rows.append(vector)
    if not rows:
        raise DataError("the file holds no vectors.", "文件中没有词向量。", file=file)
    return WordVectors(tuple(words), np.stack(rows), facts={"read": file.name})


def _numbers(numbers: list[str], file: Path, row: int) -> np.ndarray:
    try:
        return np.array(numbers, np.float32)
    except ValueError as error:
        raise DataError(
            f"expected a word and numbers ({error}).",
            f"应为词和若干数值（{error}）。",
            file=file,
            row=row,
        ) from error


def _lines(file: Path) -> Iterator[str]:
    packed = file.name.endswith(".gz")
    try:
        with (
            cast(BinaryIO, gzip.open(file, "rb")) if packed else file.open("rb") as stream,
            # Only line feeds end a row: published words hold all sorts of other separators.
            io.TextIOWrapper(stream, "utf-8", newline="\n") as text,
        ):
            yield from text
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile) as error:
        raise DataError(
            f"this is not a whole text file in UTF-8 ({type(error).__name__}).",
            f"不是完整的 UTF-8 文本文件（{type(error).__name__}）。",
            file=file,
        ) from error
