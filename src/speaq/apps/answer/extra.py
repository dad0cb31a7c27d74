"""The extra `documents`, imported when needed."""

from typing import Any

from speaq.core.extras import extra


def documents_extra(module: str) -> Any:
    """A module of the extra: `pypdf` or `docx`.

    Raises:
        SettingsError: the extra is not installed; holds the command.
    """
    return extra(module, "documents", "this kind of document needs", "读取这种文档需要")
