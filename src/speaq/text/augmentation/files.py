"""Augmenting data files: texts, classes, spans and tagged tokens, each written as it was read;
and files of pairs to learn repairing from.

Only examples to learn from get copies: what belongs to a dev or test part is left as it is.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from speaq.core.errors import DataError, SettingsError
from speaq.core.files import replacing_file
from speaq.core.language import say
from speaq.core.progress import track
from speaq.text.augmentation.edits import Augmenter, mentions_of
from speaq.text.augmentation.noise import NoiseSettings, noisy_pairs
from speaq.text.augmentation.synonyms import Synonyms
from speaq.text.files.data_files import DataFile, Entry
from speaq.text.files.examples import Example, Labelled, Span, Spans, Tagged, Text
from speaq.text.files.readers import suffix_of
from speaq.text.files.shapes import record_of
from speaq.text.marked import Marked
from speaq.text.segmentation import Place
from speaq.text.sentences import sentences as split
from speaq.text.tagging import Scheme, Stretch, encode, recognise, stretches

HELD_OUT = ("dev", "test", "trial")
"""Parts that are never augmented."""
_APART = "\x1f"
"""Between tokens: the unit separator, which no token holds."""


def augmented(data: DataFile, augmenter: Augmenter, seed: int) -> Iterator[Mapping[str, Any]]:
    """The records of a file, each followed by those of its copies.

    Args:
        data: texts, classes, spans or tagged tokens.
        augmenter: with the edit `mention` it needs no mentions: those of the file serve.
        seed: of the draws.

    Raises:
        DataError: a bad row, another kind of data, or nothing to learn from in it.
    """
    if data.faults:
        raise data.faults[0]
    entries = [entry for entry in data.entries if entry.example.place.part not in HELD_OUT]
    if not entries:
        raise DataError(
            "there is nothing to augment; rows of a dev or test part stay as they are.",
            "没有可扩增的样本；验证集与测试集的行保持不变。",
            file=data.name,
        )
    marked = {id(entry): _marked(entry.example, data) for entry in entries}
    if "mention" in augmenter.settings.edits:
        augmenter = replace(augmenter, mentions=mentions_of(list(marked.values())))
    if data.layout.kind == "tagged":
        augmenter = _for_tokens(augmenter)
    scheme = recognise(e.example.tags for e in entries if isinstance(e.example, Tagged)) or "IOB2"
    title = say("augmenting", "扩增")
    for place, entry in enumerate(track(data.entries, title, len(data.entries))):
        yield entry.record
        if id(entry) in marked:
            for copy in augmenter.copies(marked[id(entry)], seed, place):
                yield _record(entry, copy, data, scheme)


def require_like(out: Path, file: Path) -> None:
    """Refuse a name that does not say the format that will be written.

    Raises:
        SettingsError: the endings differ, or the file would be replaced.
    """
    ending = suffix_of(file)
    if out.suffix.lower() != ending or out.resolve() == file.resolve():
        raise SettingsError(
            f"'{out}' must be another file that ends in '{ending}', as '{file}' does.",
            f"“{out}”必须是另一个以“{ending}”结尾的文件，与“{file}”一致。",
        )


def write_pairs(
    texts: Iterable[str],
    file: Path,
    settings: NoiseSettings,
    seed: int,
    *,
    sentences: bool = False,
) -> int:
    """Write a text with mistakes and the clean one as a JSON object a line, all or nothing.

    Args:
        texts: clean ones.
        file: where.
        settings: which mistakes.
        seed: of the draws.
        sentences: a pair for each sentence rather than for each text.

    Returns:
        how many.

    Raises:
        DataError: there is no text.
        StorageError: the disk refused.
    """
    source = (each for text in texts for each in split(text)) if sentences else texts
    count = 0
    with replacing_file(file) as temporary:
        with temporary.open("w", encoding="utf-8") as stream:
            for pair in noisy_pairs(source, settings, seed):
                record = {
                    "source": pair.noisy,
                    "target": pair.clean,
                    "mistakes": list(pair.mistakes),
                }
                stream.write(json.dumps(record, ensure_ascii=False) + "\n")
                count += 1
        if not count:
            raise DataError("there is no text to put mistakes into.", "没有可加入错误的文本。")
    return count


def _marked(example: Example, data: DataFile) -> Marked:
    """The text of an example and its spans.

    Raises:
        DataError: it has two texts, or a span outside of its text.
    """
    match example:
        case Text(text=text) | Labelled(text=text):
            return Marked(text)
        case Spans(text=text, spans=spans):
            try:
                return Marked(text, spans)
            except DataError as error:
                raise DataError(
                    error.en, error.zh, file=data.name, row=example.place.row
                ) from error
        case Tagged(tokens=tokens, tags=tags):
            starts = [0]
            for token in tokens:
                starts.append(starts[-1] + len(token) + 1)
            found = [
                Span(starts[each.start], starts[each.end] - 1, each.label)
                for each in stretches(tags)
            ]
            return Marked(_APART.join(tokens), tuple(found))
    raise DataError(
        f"examples of kind '{data.layout.kind}' cannot be augmented; texts, classes, spans and "
        "tagged tokens can.",
        f"无法扩增“{data.layout.kind}”类样本；可扩增文本、分类、区间和逐词标注。",
        file=data.name,
    )


def _for_tokens(augmenter: Augmenter) -> Augmenter:
    """The same for tokens that are given: they are the words, and stay apart."""
    known = augmenter.synonyms

    def synonyms(word: str) -> list[str]:
        return [_APART.join(each.split()) for each in known(word)] if known is not None else []

    own: Synonyms | None = synonyms if known is not None else None
    return replace(augmenter, synonyms=own, cut=_tokens, joint=_APART)


def _tokens(text: str) -> list[Place]:
    """The places of the tokens that are words rather than punctuation."""
    found = []
    start = 0
    for token in text.split(_APART):
        if any(sign.isalnum() for sign in token):
            found.append((start, start + len(token)))
        start += len(token) + 1
    return found


def _record(entry: Entry, copy: Marked, data: DataFile, scheme: Scheme) -> Mapping[str, Any]:
    old = entry.example
    new: Example
    if isinstance(old, Tagged):
        tokens, tags = _tagged(copy, scheme)
        new = replace(old, tokens=tokens, tags=tags)
    elif isinstance(old, Spans):
        new = replace(old, text=copy.text, spans=copy.spans)
    else:
        assert isinstance(old, Text | Labelled)
        new = replace(old, text=copy.text)
    record = record_of(new, old, entry.record, data.layout)
    if isinstance(new, Tagged) and data.layout.format == "conll":
        # What else was said of each token, such as its part of speech, nobody knows of new ones.
        width = len(data.layout.names)
        record |= {"columns": [["_"] * width for _ in new.tokens], "apart": []}
    return record


def _tagged(copy: Marked, scheme: Scheme) -> tuple[tuple[str, ...], tuple[str, ...]]:
    tokens: list[str] = []
    place_of: dict[int, int] = {}
    start = 0
    for token in copy.text.split(_APART):
        if token:
            place_of[start] = len(tokens)
            tokens.append(token)
        start += len(token) + 1
    found = [
        Stretch(
            place_of[span.start],
            place_of[span.start] + copy.text[span.start : span.end].count(_APART) + 1,
            span.label,
        )
        for span in copy.spans
    ]
    return tuple(tokens), tuple(encode(found, len(tokens), scheme))
