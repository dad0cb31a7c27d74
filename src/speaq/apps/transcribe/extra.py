"""The extra `transcribe`, imported when needed."""

import importlib
from typing import Any

from speaq.core.errors import SettingsError


def speech(module: str) -> Any:
    """A module of the extra, such as `soundfile`.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"transcription needs {error.name}; install it with: pip install 'speaq[transcribe]'",
            f"语音转写需要 {error.name}；请运行：pip install 'speaq[transcribe]'",
        ) from error
