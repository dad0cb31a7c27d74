"""The state of learning between two passes, kept so that an interrupted run continues."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from speaq.core.errors import StorageError
from speaq.core.files import replacing_folder
from speaq.core.runs import RunFolder

_FILE = "state.safetensors"


def keep(run: RunFolder, epoch: int, tensors: Mapping[str, np.ndarray]) -> None:
    """Keep the state after `epoch` passes; the one before goes once the new one stands.

    Raises:
        StorageError: the disk refused; the state before is kept.
    """
    older = run.checkpoints()
    try:
        with replacing_folder(run.checkpoint(epoch)) as folder:
            save_file(
                {name: np.ascontiguousarray(a) for name, a in tensors.items()}, folder / _FILE
            )
    except SafetensorError as error:
        raise StorageError(
            f"{run.checkpoint(epoch)} could not be written ({error}); the state before it is kept.",
            f"无法写入 {run.checkpoint(epoch)}（{error}）；之前的状态仍在。",
        ) from error
    forget(older)


def kept(run: RunFolder) -> tuple[int, dict[str, np.ndarray]]:
    """The last state and after how many passes it was kept; (0, {}) if there is none."""
    found = run.checkpoints()
    if not found:
        return 0, {}
    epoch = int(found[-1].name.removeprefix("step-"))
    return epoch, load_file(found[-1] / _FILE)


def forget(folders: list[Path]) -> None:
    """Remove states that a newer one replaces."""
    for folder in folders:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
