"""Encoded episodes as rows of a replay memory, and back."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speaq.training.encoding import Encoded


def row_of(encoded: Encoded) -> dict[str, NDArray[Any]]:
    """The episode's fields as one-dimensional arrays: texts in UTF-8, truth values as one item."""
    row: dict[str, NDArray[Any]] = {}
    for each in fields(Encoded):
        value = getattr(encoded, each.name)
        if isinstance(value, str):
            value = np.frombuffer(value.encode("utf-8", "surrogatepass"), np.uint8)
        row[each.name] = np.atleast_1d(np.asarray(value))
    return row


def encoded_of(row: Mapping[str, NDArray[Any]]) -> Encoded:
    """The episode of a row that `row_of` made."""
    found: dict[str, Any] = {}
    for each in fields(Encoded):
        value: Any = row[each.name]
        if each.type is str:
            value = value.tobytes().decode("utf-8", "surrogatepass")
        elif each.type is bool:
            value = bool(value[0])
        found[each.name] = value
    return Encoded(**found)
