"""The errors speaq raises on purpose. Each is one sentence, in English and in Chinese.

SpeaqError
├── DataError       a file, row or field is not what was expected
├── SettingsError   a setting is unknown, out of range or contradicts another
├── ModelError      a model, tokenizer or value head cannot be used
│   ├── OfflineError    it would have to be downloaded
│   └── UnsafeFileError it could run code when opened
├── StorageError    the disk or the database refused
├── EvidenceError   the log says too little for what was asked
├── DivergenceError training left the finite numbers
└── MemoryShortageError  a batch did not fit
"""

from pathlib import Path

from speaq.core.language import say


class SpeaqError(Exception):
    """One sentence for the person, in both languages; `str` gives the one of the locale."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def __str__(self) -> str:
        return say(self.en, self.zh)


class DataError(SpeaqError):
    """Bad input data. `file`, `row` (counted from 1) and `field` say where, as far as is known."""

    def __init__(
        self,
        en: str,
        zh: str,
        *,
        file: Path | str | None = None,
        row: int | None = None,
        field: str | None = None,
    ) -> None:
        where_en, where_zh = [], []
        if file is not None:
            where_en.append(str(file))
            where_zh.append(str(file))
        if row is not None:
            where_en.append(f"row {row}")
            where_zh.append(f"第 {row} 行")
        if field is not None:
            where_en.append(f"field '{field}'")
            where_zh.append(f"字段“{field}”")
        super().__init__(
            ", ".join(where_en) + (": " if where_en else "") + en,
            "，".join(where_zh) + ("：" if where_zh else "") + zh,
        )
        self.file = file
        self.row = row
        self.field = field


class SettingsError(SpeaqError):
    """A setting that cannot be used; the sentence names the setting and the fix."""


class ModelError(SpeaqError):
    """A model, tokenizer or value head that cannot be used."""


class OfflineError(ModelError):
    """A model that would have to be downloaded, on a machine that may or can not."""


class UnsafeFileError(ModelError):
    """A file that could run code when opened."""


class StorageError(SpeaqError):
    """The disk or the database refused to keep something; nothing was acknowledged."""


class EvidenceError(SpeaqError):
    """The log holds too little evidence for what was asked."""


class DivergenceError(SpeaqError, FloatingPointError):
    """Training left the finite numbers; the last good checkpoint is kept."""


class MemoryShortageError(SpeaqError, MemoryError):
    """A batch did not fit into memory; the sentence names the setting that makes it smaller."""
