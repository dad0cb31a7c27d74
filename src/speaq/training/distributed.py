"""Several processes that train one model: who this one is, sums over all, and sharded tensors.

The command is the same under `torchrun`: it tells each process its rank. Without it there is one
process, and everything here gives back what it was given.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from speaq.core.devices import device, threads

Found = TypeVar("Found")

_PARALLEL: ContextVar[str] = ContextVar("parallel", default="ddp")


@contextmanager
def processes(parallel: str = "ddp") -> Iterator[None]:
    """Join the processes that `torchrun` started, if it did; leave them at the end.

    Gloo joins CPUs, NCCL the GPUs of CUDA; each process takes the GPU of its own number.

    Args:
        parallel: ddp, each process holds the whole model; or fsdp, each holds a part. What is
            learnt is the same. Where processes are joined already, they go on as they are.
    """
    if "TORCHELASTIC_RUN_ID" not in os.environ or dist.is_initialized():
        yield
        return
    if device().type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("nccl")
    else:
        dist.init_process_group("gloo")
    if rank():
        os.environ["SPEAQ_PROGRESS"] = "0"  # one bar for all
    told = _PARALLEL.set(parallel)
    try:
        yield
    finally:
        _PARALLEL.reset(told)
        dist.destroy_process_group()


def parallel() -> str:
    """How the processes that are joined share a model: ddp or fsdp."""
    return _PARALLEL.get()


def own_threads() -> int:
    """CPU threads for this process: its part of those that all on this machine may use."""
    return max(1, threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def world() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """The number of this process, from 0; number 0 writes the files."""
    return dist.get_rank() if dist.is_initialized() else 0


def wait() -> None:
    """Until all processes are here."""
    if dist.is_initialized():
        dist.barrier()


def first_then_others(work: Callable[[], Found]) -> Found:
    """What `work` gives; the first process does it before the others, who find it done."""
    if rank() == 0:
        found = work()
        wait()
        return found
    wait()
    return work()


def summed(values: Sequence[float]) -> list[float]:
    """Each value, added up over all processes."""
    if not dist.is_initialized():
        return list(values)
    where = device() if dist.get_backend() == "nccl" else torch.device("cpu")
    total = torch.tensor(values, dtype=torch.float64, device=where)
    dist.all_reduce(total)
    added: list[float] = total.tolist()
    return added


def whole(tensor: Tensor) -> Tensor:
    """A sharded tensor put together, on every process; any other as it is."""
    if not dist.is_initialized():
        return tensor
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def spread(tensor: Tensor, like: Tensor) -> Tensor:
    """A whole tensor, sharded as `like` is; as it is where `like` is whole, or of another shape."""
    if not dist.is_initialized():
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    if not isinstance(like, DTensor) or like.shape != tensor.shape:
        return tensor
    return distribute_tensor(tensor.to(like.device), like.device_mesh, like.placements)
