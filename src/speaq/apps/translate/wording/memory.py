"""Translation memory: what was translated before, found again exactly or nearly, in one file.

Exact is the same text but for the space around it; its translation is given verbatim, the newest
first. Fuzzy is 1 - d / n, d the Levenshtein distance in words (characters in Chinese) and n the
length of the longer text; candidates are found by the words that any text so alike must share.
"""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from types import TracebackType
from typing import Any

from speaq.apps.translate.texts.languages import plain
from speaq.apps.translate.texts.scripts import extra
from speaq.apps.translate.texts.segments import segments
from speaq.core.errors import DataError, SettingsError, StorageError
from speaq.core.files import replacing_file
from speaq.experience.episode import Episode
from speaq.text.files.data_files import open_data
from speaq.text.files.examples import Parallel
from speaq.text.files.layouts import Layout
from speaq.text.files.tmx import write_tmx
from speaq.text.units import units

LEAST = 0.75
"""Less alike texts are no help."""
_TABLES = """
CREATE TABLE IF NOT EXISTS unit (
    id INTEGER PRIMARY KEY, source_language TEXT NOT NULL, target_language TEXT NOT NULL,
    source TEXT NOT NULL, target TEXT NOT NULL, length INTEGER NOT NULL, time REAL NOT NULL,
    origin TEXT NOT NULL, UNIQUE (source_language, target_language, source, target)
);
CREATE TABLE IF NOT EXISTS word (
    word TEXT NOT NULL, unit INTEGER NOT NULL REFERENCES unit (id), PRIMARY KEY (word, unit)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Unit:
    """A text and its translation."""

    source: str
    target: str
    origin: str = ""
    """Where it is from: a file, or the answer that was corrected."""


@dataclass(frozen=True, slots=True)
class Found:
    """A unit that is like a text."""

    unit: Unit
    similarity: float
    """1.0: exact. Texts that differ in signs or capitals only come close to it."""
    differences: tuple[tuple[str, str], ...] = ()
    """(the memory's words, the text's words) where they differ."""

    def record(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "source": self.unit.source,
            "target": self.unit.target,
            "origin": self.unit.origin,
            "similarity": round(self.similarity, 4),
            "differences": [list(each) for each in self.differences],
        }


class TranslationMemory:
    """Units by pair of languages, in an SQLite file. Threads share one object.

    Args:
        path: made if missing.

    Raises:
        StorageError: the file cannot be opened, or is none of these.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self._file = sqlite3.connect(self.path, check_same_thread=False, timeout=30)
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.executescript(_TABLES)
        except sqlite3.Error as error:
            raise _refused(self.path, error) from error

    def add(self, pair: tuple[str, str], found: Iterable[Unit]) -> int:
        """Keep units; on disk when this returns.

        Returns:
            How many were new.

        Raises:
            DataError: one side of a unit is empty; none was kept.
            StorageError: the file refused; none was kept.
        """
        kept = [Unit(each.source.strip(), each.target.strip(), each.origin) for each in found]
        for row, each in enumerate(kept, start=1):
            if not (each.source and each.target):
                raise DataError(
                    "a unit of a translation memory has a text on both sides.",
                    "翻译记忆的单元两侧都须有文本。",
                    file=self.path,
                    row=row,
                )
        with self._lock:
            try:
                with self._file:
                    return sum(self._insert(pair, each) for each in kept)
            except sqlite3.Error as error:
                raise _refused(self.path, error) from error

    def _insert(self, pair: tuple[str, str], unit: Unit) -> int:
        words = units(unit.source)
        values = (*pair, unit.source, unit.target, len(words), time.time(), unit.origin)
        with closing(
            self._file.execute(
                "INSERT OR IGNORE INTO unit (source_language, target_language, source, target, "
                "length, time, origin) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        ) as done:
            if done.rowcount < 1:
                return 0
            number = done.lastrowid
        self._file.executemany(
            "INSERT OR IGNORE INTO word VALUES (?, ?)", [(word, number) for word in words]
        )
        return 1

    def exact(self, pair: tuple[str, str], text: str) -> Unit | None:
        """The newest unit with this very text, but for space around it."""
        rows = self._rows(
            "SELECT source, target, origin FROM unit WHERE source_language = ? AND "
            "target_language = ? AND source = ? ORDER BY time DESC, id DESC LIMIT 1",
            (*pair, text.strip()),
        )
        return Unit(*rows[0]) if rows else None

    def fuzzy(
        self, pair: tuple[str, str], text: str, least: float = LEAST, most: int = 3
    ) -> list[Found]:
        """Units at least so like a text, the likest first; the exact one among them.

        Raises:
            SettingsError: `rapidfuzz` is not installed, or `least` is not in (0, 1].
        """
        if not 0 < least <= 1:
            raise SettingsError(
                f"least = {least} is no similarity; expected more than 0, up to 1.",
                f"least = {least} 不是有效的相似度；应大于 0 且不超过 1。",
            )
        words = units(text)
        if not words:
            return []
        distance = extra("rapidfuzz.distance", "a fuzzy memory", "模糊翻译记忆").Levenshtein
        found = []
        for row in self._candidates(pair, words, least):
            alike = distance.normalized_similarity(words, units(row[0]), score_cutoff=least)
            if row[0] != text.strip():
                alike = min(alike, 0.99)
            if alike >= least:
                found.append((alike, Unit(*row[:3])))
        found.sort(key=lambda each: -each[0])
        return [Found(unit, alike, _differences(unit.source, text)) for alike, unit in found[:most]]

    def _candidates(
        self, pair: tuple[str, str], words: Sequence[str], least: float
    ) -> list[tuple[str, str, str]]:
        """Units that share one of the rarest words: without all of them no text is so like this.

        A text of similarity s differs in at most (1 - s) · n / s of n words, so of one word more
        it has at least one.
        """
        counts = Counter(words)
        marks = ", ".join("?" * len(counts))
        known = dict(
            self._rows(f"SELECT word, count(*) FROM word WHERE word IN ({marks}) GROUP BY word",
                       tuple(counts))
        )  # fmt: skip
        needed, asked = int((1 - least) / least * len(words)) + 1, []
        for word in sorted(counts, key=lambda each: known.get(each, 0)):
            asked.append(word)
            needed -= counts[word]
            if needed <= 0:
                break
        marks = ", ".join("?" * len(asked))
        longest = len(words) / least
        return self._rows(
            "SELECT DISTINCT source, target, origin, time FROM unit JOIN word ON unit.id = "
            f"word.unit WHERE source_language = ? AND target_language = ? AND word IN ({marks}) "
            "AND length BETWEEN ? AND ? ORDER BY time DESC",
            (*pair, *asked, len(words) * least - 1e-9, longest + 1e-9),
        )

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        with self._lock:
            try:
                return self._file.execute(query, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise _refused(self.path, error) from error

    def units(self, pair: tuple[str, str]) -> list[Unit]:
        """All units of a pair, in the order they were added."""
        rows = self._rows(
            "SELECT source, target, origin FROM unit WHERE source_language = ? AND "
            "target_language = ? ORDER BY id",
            pair,
        )
        return [Unit(*row) for row in rows]

    def pairs(self) -> dict[tuple[str, str], int]:
        """How many units there are of each pair."""
        rows = self._rows(
            "SELECT source_language, target_language, count(*) FROM unit GROUP BY 1, 2", ()
        )
        return {(row[0], row[1]): row[2] for row in rows}

    def import_file(self, path: str | Path, pair: tuple[str, str] | None = None) -> int:
        """Add the units of a TMX, TSV or CSV.

        Args:
            path: the file.
            pair: its languages where it does not say them.

        Returns:
            How many were new.

        Raises:
            DataError: no such file, a bad row, no units, or languages that nobody says.
        """
        data = open_data(path)
        if data.faults:
            raise data.faults[0]
        said = tuple(plain(code) for code in data.layout.languages)
        pair = pair or ((said[0], said[1]) if len(said) == 2 else None)
        found = [each for each in data.examples if isinstance(each, Parallel)]
        if pair is None or not found:
            raise DataError(
                "expected texts with their translations, and the two languages: in the file, or "
                "by --source and --target.",
                "应为文本及其译文，并需两种语言：写在文件中，或用 --source 和 --target 给出。",
                file=path,
            )
        name = Path(path).name
        return self.add(pair, (Unit(each.source, each.target, name) for each in found))

    def export(self, pair: tuple[str, str], path: Path) -> int:
        """Write a pair's units as TMX 1.4; return how many."""
        found = self.units(pair)
        layout = Layout("tmx", "parallel", languages=pair)
        with replacing_file(path) as temporary:
            write_tmx(
                ({"source": each.source, "target": each.target} for each in found),
                layout,
                temporary,
            )
        return len(found)

    def learn(self, episodes: Iterable[Episode]) -> int:
        """Add the corrections of translations that people sent; return how many were new.

        The last correction of an answer counts. It is taken sentence by sentence where it has as
        many as the source, else whole.
        """
        added = 0
        for episode in episodes:
            said = [each.value for each in episode.feedback if each.kind == "correction"]
            pair = (episode.tags.get("source", ""), episode.tags.get("target", ""))
            if episode.app == "translate" and said and isinstance(said[-1], str) and all(pair):
                found = _aligned(episode.prompt, said[-1], pair)
                added += self.add(pair, (Unit(*each, episode.id) for each in found))
        return added

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> "TranslationMemory":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _aligned(source: str, target: str, pair: tuple[str, str]) -> list[tuple[str, str]]:
    sides = [
        [each.text for each in segments(text, code) if each.sentence]
        for text, code in ((source, pair[0]), (target, pair[1]))
    ]
    if len(sides[0]) == len(sides[1]):
        return list(zip(*sides, strict=True))
    return [(source, target)] if source.strip() and target.strip() else []


def _differences(memory: str, text: str) -> tuple[tuple[str, str], ...]:
    """Where two texts differ, in words as they are written."""
    one, two = memory.split(), text.split()
    if len(one) < 2 and len(two) < 2:
        one, two = list(memory), list(text)
    glue = " " if len(memory.split()) > 1 else ""
    codes = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    return tuple(
        (glue.join(one[a:b]), glue.join(two[c:d])) for code, a, b, c, d in codes if code != "equal"
    )


def _refused(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(
        f"the translation memory {path} cannot be used ({error}); nothing was changed.",
        f"无法使用翻译记忆 {path}（{error}）；未作任何更改。",
    )
