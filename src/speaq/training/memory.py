"""Running out of memory, said in one sentence that names the setting to change."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from speaq.core.errors import MemoryShortageError

_SIGNS = ("can't allocate memory", "out of memory", "not enough memory")
"""In what PyTorch says when an allocation fails; on a CPU it has no type of its own for that."""


@contextmanager
def memory_errors(en: str, zh: str) -> Iterator[None]:
    """Turn a failed allocation into a `MemoryShortageError`.

    Args:
        en: the setting that helps, such as "accumulate = 2 needs half of it".
        zh: the same in Chinese.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        typed = isinstance(error, (torch.OutOfMemoryError, MemoryError))
        if not typed and not any(sign in str(error) for sign in _SIGNS):
            raise
        raise MemoryShortageError(
            f"the memory is not enough for a batch; {en}. The last checkpoint is kept.",
            f"内存不足以处理一个批次；{zh}。最近的检查点已保留。",
        ) from error
