"""Where numbers are computed: device, precision and threads, chosen rather than inherited."""

import os
import platform
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def device() -> "torch.device":
    """The accelerator if there is one, else the CPU. `SPEAQ_DEVICE` overrides."""
    import torch

    if name := os.environ.get("SPEAQ_DEVICE"):
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


@cache
def batch_dtype() -> "torch.dtype":
    """The faster precision for batches on this machine, float32 or bfloat16.

    bfloat16 wins on accelerators and on CPUs with native instructions for it (AVX-512 BF16, AMX);
    elsewhere torch emulates it several times slower than float32. The answer is measured once per
    process with a small matrix product, since no flag says it reliably.
    """
    import torch

    if device().type != "cpu":
        return torch.bfloat16
    seconds = {dtype: _product_seconds(dtype) for dtype in (torch.float32, torch.bfloat16)}
    return min(seconds, key=lambda dtype: seconds[dtype])


def _product_seconds(dtype: "torch.dtype") -> float:
    """Seconds of the fastest of three (256, 512) x (512, 512) products."""
    import time

    import torch

    left, right = torch.ones(256, 512, dtype=dtype), torch.ones(512, 512, dtype=dtype)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        torch.mm(left, right)
        best = min(best, time.perf_counter() - start)
    return best


def threads() -> int:
    """CPU threads to compute with: `SPEAQ_THREADS`, else the cores this process may use."""
    if text := os.environ.get("SPEAQ_THREADS"):
        return max(1, int(text))
    if platform.system() == "Linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
