"""Texts packed into full rows: which tokens a row holds, and which rows a step learns from.

The tokens of all documents, each with its end token behind it, are one stream; rows are cut from
it back to back, so that none is padded. Every pass over the corpus cuts at another place and
shuffles the rows anew. A row of a pass has one number for both, its place: pass · rows + row.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from speaq.core.errors import DataError
from speaq.core.seeds import generator
from speaq.training.pretraining.token_file import TokenFile
from speaq.training.replay import Draw


class Rows:
    """The rows of a part of a corpus; a replay for the loop.

    Args:
        file: the corpus.
        part: first token and the one behind the last.
        length: L tokens of a row.
        stride: tokens from one row to the next; 1 less than `length` where a row's last token is
            only foretold.
        seed: of cuts and order; None cuts at the first token and shuffles nothing.
        what: of the part, for a message.

    Raises:
        DataError: fewer tokens than two rows hold, or without a seed than one.
    """

    def __init__(
        self,
        file: TokenFile,
        part: tuple[int, int],
        *,
        length: int,
        stride: int,
        seed: int | None,
        what: tuple[str, str],
    ) -> None:
        self.file = file
        self.first, self.length, self.stride, self.seed = part[0], length, stride, seed
        spare = 0 if seed is None else stride - 1
        self.count = max(0, (part[1] - part[0] - spare - length) // stride + 1)
        if not self.count:
            needed = length + spare
            raise DataError(
                f"the {what[0]} part of the corpus has {max(0, part[1] - part[0])} tokens and "
                f"must have {needed}; use a smaller context, or more text.",
                f"语料的{what[1]}部分有 {max(0, part[1] - part[0])} 个词元，至少应有 {needed} 个；"
                "请减小 context 或增加文本。",
            )
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def draw(self, step: int, batch_size: int) -> Draw:
        """See `speaq.training.replay.Replay`: passes over all rows, back to back."""
        taken: list[int] = []
        while len(taken) < batch_size:
            number, start = divmod(step * batch_size + len(taken), self.count)
            chosen = self._pass(number)[start : start + batch_size - len(taken)]
            taken += (number * self.count + chosen).tolist()
        return Draw(taken)

    def _pass(self, number: int) -> NDArray[np.int64]:
        if self._order is None or self._order[0] != number:
            order = generator(self.seed or 0, "rows", number).permutation(self.count)
            self._order = number, order
        return self._order[1]

    def learned(self, indices: Sequence[int], errors: Tensor | None) -> None:
        """Nothing to remember."""

    def state(self) -> dict[str, Tensor]:
        """Nothing: the step says it all."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Nothing to take up."""

    def read(self, places: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
        """Tokens (B, L) of the rows at `places`, and where in them words begin if that is known."""
        starts = [self._start(place) for place in places]
        tokens = self._cut(self.file.tokens, starts).astype(np.int64)
        if self.file.starts is None:
            return tokens, None
        return tokens, self._cut(self.file.starts, starts).astype(bool)

    def _start(self, place: int) -> int:
        number, row = divmod(place, self.count)
        shift = 0
        if self.seed is not None:
            shift = int(generator(self.seed, "cut", number).integers(self.stride))
        return self.first + shift + row * self.stride

    def _cut(self, stream: NDArray[Any], starts: Sequence[int]) -> NDArray[Any]:
        return np.stack([stream[start : start + self.length] for start in starts])
