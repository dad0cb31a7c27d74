"""Optional libraries, imported when they are needed."""

import importlib
from typing import Any

from speaq.core.errors import SettingsError


def extra(module: str, name: str, en: str, zh: str) -> Any:
    """A module of the extra `name`, such as `sklearn.svm` of `classic`.

    Args:
        module: what to import.
        name: of the extra in the package's metadata.
        en: what needs it, as a sentence begins: `classical models need`.
        zh: the same in Chinese.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"{en} {error.name}; install it with: pip install 'speaq[{name}]'",
            f"{zh} {error.name}；请运行：pip install 'speaq[{name}]'",
        ) from error
