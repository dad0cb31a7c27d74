"""The extra `documents`, imported when needed."""

import importlib
from typing import Any

from speaq.core.errors import SettingsError


def documents_extra(module: str) -> Any:
    """A module of the extra: `pypdf` or `docx`.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"this kind of document needs {error.name}; install it with: "
            "pip install 'speaq[documents]'",
            f"读取这种文档需要 {error.name}；请运行：pip install 'speaq[documents]'",
        ) from error
