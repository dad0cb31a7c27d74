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
    """The better precision for batches on this machine: bfloat16 where it is clearly faster.

    It is on accelerators. On CPUs no flag says so reliably: some emulate it several times slower
    than float32, and some multiply matrices in it four times faster while everything between the
    products gets slower. So a two-layer language model is timed in both, once per process, and
    bfloat16 has to win by a third to be worth its rounding. `SPEAQ_BATCH_DTYPE` overrides.
    """
    import torch

    if name := os.environ.get("SPEAQ_BATCH_DTYPE"):
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device().type != "cpu":
        return torch.bfloat16
    full, half = _forward_seconds(torch.float32, torch.bfloat16)
    return torch.bfloat16 if half * 4 / 3 < full else torch.float32


ROUNDS = 8
"""Forward passes in each precision, taking turns: a pass that another process disturbs can take ten
times as long, so the fastest of several speaks for the machine."""
PATIENCE = 4.0
"""Seconds after which no further round is begun."""


def _forward_seconds(*dtypes: "torch.dtype") -> list[float]:
    """Seconds of the fastest forward pass over (8, 64) tokens in each precision."""
    import time

    import torch
    from transformers import LlamaConfig, LlamaModel

    config = LlamaConfig(
        vocab_size=64,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=2,
        num_attention_heads=9,
        num_key_value_heads=3,
    )
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        models = [LlamaModel(config).to(dtype).eval() for dtype in dtypes]
        tokens = torch.zeros(8, 64, dtype=torch.long)
        best = [float("inf")] * len(models)
        begun = time.perf_counter()
        for _ in range(ROUNDS):
            for place, model in enumerate(models):
                start = time.perf_counter()
                model(input_ids=tokens, use_cache=False)
                best[place] = min(best[place], time.perf_counter() - start)
            if time.perf_counter() - begun > PATIENCE:
                break
    return best


def threads() -> int:
    """CPU threads to compute with: `SPEAQ_THREADS`, else the cores this process may use."""
    if text := os.environ.get("SPEAQ_THREADS"):
        return max(1, int(text))
    if platform.system() == "Linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
