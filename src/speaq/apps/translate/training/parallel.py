"""Parallel text to learn from: read in any form the doctor reads, cleaned, its languages known.

Carriage returns and other invisible signs inside of a line cost a whole model dearly (they shift
every line behind them where two files are cut apart at them), so training always reads clean text;
pairs that are no translations, and repeated ones, are left out and counted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from speaq.apps.translate.texts.languages import detected, plain
from speaq.core.errors import DataError, SettingsError
from speaq.core.seeds import generator
from speaq.text.cleaning import CleaningSettings, clean
from speaq.text.doctor.findings import DoctorSettings
from speaq.text.doctor.pairs import check_parallel
from speaq.text.files.data_files import DataFile, open_data, open_groups
from speaq.text.files.examples import Parallel

_SEEN = 300
"""Pairs by which a file's languages are recognised."""
_LINE = CleaningSettings(width="keep", markup=False, lines=False)


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation."""

    source: str
    target: str
    languages: tuple[str, str]
    """Plain codes."""


def read_pairs(
    files: Sequence[Path | str],
    *,
    source: str = "",
    target: str = "",
    every_row: bool = False,
    tell: Callable[[str, str], None] | None = None,
) -> list[Pair]:
    """The pairs of TSV, TMX, CSV, JSON or Parquet files, or of texts and their translations.

    Args:
        files: a text and its translation (`train.de train.en`) are recognised by their names.
        source: the code of the source language, where files and names do not say it.
        target: the code of the target language, likewise.
        every_row: nothing is left out or cleaned but for space around it, as where a known set is
            measured.
        tell: hears, in English and Chinese, what was left out.

    Raises:
        DataError: a file without pairs, or whose languages cannot be told.
    """
    found: list[Pair] = []
    for data in open_groups([Path(each) for each in files]):
        names = data.layout.names
        if data.layout.kind != "parallel" and source and target and len(names) > 1:
            # Short or repetitive pairs may look like labels; who names both languages knows better.
            data = open_data(*data.paths, columns={"source": names[0], "target": names[1]})
        if data.layout.kind != "parallel":
            raise DataError(
                "expected sentences and their translations (two columns, TMX, or two files such "
                "as train.de train.en); where two columns are no such pairs by their names or "
                "looks, name the languages with --source and --target.",
                "应为句子及其译文（两列、TMX，或 train.de train.en 这样的两个文件）；"
                "若两列从名称与内容看不出是译文，请用 --source 与 --target 指明语言。",
                file=data.name,
            )
        if every_row:
            rows = [each for each in data.examples if isinstance(each, Parallel)]
            kept = [(each.source.strip(), each.target.strip()) for each in rows]
        else:
            kept = _kept(data, tell)
        languages = _languages(data, kept, source, target)
        found += [Pair(one, other, languages) for one, other in kept]
    return found


def _kept(data: DataFile, tell: Callable[[str, str], None] | None) -> list[tuple[str, str]]:
    """What is worth learning from, clean."""
    if data.faults and data.layout.format == "parallel":
        raise data.faults[0]
    cleaned = [
        replace(each, source=clean(each.source, _LINE), target=clean(each.target, _LINE))
        for each in data.examples
        if isinstance(each, Parallel)
    ]
    whole = [each for each in cleaned if each.source and each.target]
    entries = tuple(
        replace(entry, example=each) for entry, each in zip(data.entries, cleaned, strict=True)
    )
    odd = {
        finding.place.row
        for finding in check_parallel([replace(data, entries=entries)], DoctorSettings())
    }
    kept = {(each.source, each.target): None for each in whole if each.place.row not in odd}
    if tell is not None and len(kept) < len(cleaned):
        lost = len(cleaned) - len(kept)
        tell(
            f"{data.name}: {lost} of {len(cleaned)} pairs left out (empty, repeated, copies of "
            "the source, or of unlikely length).",
            f"{data.name}：{len(cleaned)} 对中有 {lost} 对未用"
            "（为空、重复、与源文相同或长度不相称）。",
        )
    if not kept:
        raise DataError("the file holds no pairs.", "文件中没有句对。", file=data.name)
    return list(kept)


def _languages(
    data: DataFile, pairs: Sequence[tuple[str, str]], source: str, target: str
) -> tuple[str, str]:
    said = [plain(code) for code in data.layout.languages]
    seen = pairs[:: max(1, len(pairs) // _SEEN)]
    found = []
    for side, asked in enumerate((source, target)):
        code = plain(asked) or (said[side] if len(said) == 2 else "")
        found.append(code or _usual(pair[side] for pair in seen))
    if not all(found):
        raise SettingsError(
            f"the languages of {data.name} cannot be told; name them by --source and --target.",
            f"无法判断 {data.name} 的语言；请用 --source 与 --target 指明。",
        )
    return found[0], found[1]


def _usual(texts: Iterable[str]) -> str:
    counts = Counter(code for text in texts if (code := detected(text)))
    return counts.most_common(1)[0][0] if counts else ""


def both_ways(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs and the same ones from target to source."""
    return [*pairs, *(Pair(p.target, p.source, p.languages[::-1]) for p in pairs)]


def apart(training: Sequence[Pair], *held: Sequence[Pair]) -> list[Pair]:
    """The training pairs whose source is in none of the held-out parts."""
    known = {(pair.source, pair.languages) for part in held for pair in part}
    return [pair for pair in training if (pair.source, pair.languages) not in known]


_SHARE, _MOST = 20, 1000


def divided(pairs: Sequence[Pair], seed: int) -> tuple[list[Pair], list[Pair]]:
    """The pairs to learn from, and a twentieth of the sources, at most 1,000, to validate on."""
    sources = list(dict.fromkeys(pair.source for pair in pairs))
    count = min(_MOST, max(1, len(sources) // _SHARE))
    drawn = generator(seed, "translation", "validation").permutation(len(sources))[:count]
    held = {sources[place] for place in drawn.tolist()}
    validation = [pair for pair in pairs if pair.source in held]
    return [pair for pair in pairs if pair.source not in held], validation
