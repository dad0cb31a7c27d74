"""Last hidden states of a frozen trunk, computed once and read from disk by every pass."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from speaq.core.files import replacing_file
from speaq.core.progress import bar
from speaq.training.supervised.batches import Row, by_length, collate
from speaq.training.supervised.trunk import Trunk

ROWS_AT_ONCE = 64
LARGEST = 8 << 30
"""Bytes; more is not kept, and computed anew in every pass."""


class HiddenStates:
    """States of rows in one memory-mapped file, (all tokens, D) float32, row after row."""

    def __init__(self, file: Path, rows: Sequence[Row], size: int) -> None:
        self.starts = np.cumsum([0, *(len(row.tokens) for row in rows)])
        self.file = file
        shape = (int(self.starts[-1]), size)
        self.states = np.memmap(file, np.float32, "r", shape=shape)

    def gather(self, indices: Sequence[int]) -> Tensor:
        """The states of some rows, padded with 0: (B, T, D)."""
        spans = [(int(self.starts[i]), int(self.starts[i + 1])) for i in indices]
        longest = max(end - start for start, end in spans)
        made = np.zeros((len(spans), longest, self.states.shape[1]), np.float32)
        for b, (start, end) in enumerate(spans):
            made[b, : end - start] = self.states[start:end]
        return torch.from_numpy(made)

    def forget(self) -> None:
        """Remove the file; what is open of it goes with this object."""
        self.file.unlink(missing_ok=True)


def fits(rows: Sequence[Row], size: int) -> bool:
    """Whether the states of these rows are small enough to be kept."""
    return sum(len(row.tokens) for row in rows) * size * 4 <= LARGEST


@torch.no_grad()
def compute(trunk: Trunk, rows: Sequence[Row], file: Path) -> HiddenStates:
    """The states of `rows`, in `file`; what a run that was interrupted left there is made anew."""
    trunk.model.eval()
    starts = np.cumsum([0, *(len(row.tokens) for row in rows)])
    file.unlink(missing_ok=True)
    with replacing_file(file) as temporary, bar("hidden states", len(rows)) as progress:
        states = np.memmap(temporary, np.float32, "w+", shape=(int(starts[-1]), trunk.size))
        for chosen in by_length([len(row.tokens) for row in rows], ROWS_AT_ONCE):
            batch = collate([rows[index] for index in chosen], trunk.padding, trunk.device)
            hidden = trunk.hidden(batch).float().cpu().numpy()
            for b, index in enumerate(chosen):
                start, end = int(starts[index]), int(starts[index + 1])
                states[start:end] = hidden[b, : end - start]
            progress.advance(len(chosen))
        states.flush()
        del states
    return HiddenStates(file, rows, trunk.size)
