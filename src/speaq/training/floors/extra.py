"""The extra `classic`, imported when needed."""

import importlib
from typing import Any

from speaq.core.errors import SettingsError


def classic(module: str) -> Any:
    """A module of the extra, such as `sklearn.svm`.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"classical models need {error.name}; install it with: pip install 'speaq[classic]'",
            f"经典模型需要 {error.name}；请运行：pip install 'speaq[classic]'",
        ) from error
