"""Waiting for a child that trains, or killing it: what the benchmarks of killed training share."""

import os
import signal
import time


def finished(child: int, wait: float | None) -> bool:
    """Whether the child ended by itself, within `wait` seconds if given; else it is killed.

    Raises:
        RuntimeError: the child failed.
    """
    until = None if wait is None else time.perf_counter() + wait
    while True:
        done, status = os.waitpid(child, 0 if until is None else os.WNOHANG)
        if done:
            if status:
                raise RuntimeError(f"training failed with status {status}")
            return True
        if until is not None and time.perf_counter() >= until:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            return status == 0
        time.sleep(0.001)
