"""The extra `classic`, imported when needed."""

from typing import Any

from speaq.core.extras import extra


def classic(module: str) -> Any:
    """A module of the extra, such as `sklearn.svm`.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    return extra(module, "classic", "classical models need", "经典模型需要")
