"""Keeps the workers of a run on one processor, because together they cannot use more.

An interpreter runs one thread at a time. A worker releases the interpreter at every system call, for microseconds. If
other workers wait on another processor, the system wakes one of them there, and the first must be woken in turn. At 64
workers, this moves the interpreter lock between the processors twelve times per deletion. On one processor it is three
times. In the same hour, 64 workers revoked 38 to 43 times as fast as a sequential loop of the official SDK without
pinning, and 51 to 54 times as fast with it (two cores, 50 ms per request, ``benchmarks/README.md``).

Set ``TOKENKIT_PIN_WORKERS=0`` to turn it off, for example if another program keeps the chosen processor busy.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sys


def pin_thread_to_one_cpu() -> None:
    """Pin only the calling thread to the processor that this process chose for its workers.

    Does nothing if pinning is turned off, is not supported (macOS, Windows) or not permitted by the system, or if this
    interpreter can run threads in parallel.
    """
    is_parallel = not getattr(sys, "_is_gil_enabled", lambda: True)()
    if is_parallel or sys.platform != "linux" or os.getenv("TOKENKIT_PIN_WORKERS") == "0":
        return
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {_chosen_cpu()})


@functools.cache
def _chosen_cpu() -> int:
    """Return one of the processors that this process can use. Another process will probably choose another one."""
    return random.choice(sorted(os.sched_getaffinity(0)))  # noqa: S311 - no secret
