"""The extra `transcribe`, imported when needed."""

from typing import Any

from speaq.core.extras import extra


def speech(module: str) -> Any:
    """A module of the extra, such as `soundfile`.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    return extra(module, "transcribe", "transcription needs", "语音转写需要")
