"""Keeps the workers of a run on one processor: all of them together can use no more.

One thread of an interpreter runs at a time, and a worker lets go of the interpreter at every call of the system, for
microseconds. Where others wait on another processor, one of them is woken there and takes it, and the first has to be
woken in its turn: at 64 workers, twelve times a request, which costs a virtual machine a fifth of its rate. On the same
processor the first is back before anybody else was woken. ``python -m benchmarks.revoking`` shows what comes of it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sys


def stay_on_one() -> None:
    """Keep the calling thread, and no other, on the processor that this process has chosen for such threads.

    Nothing is done where the system has no such thing (macOS, Windows) or refuses it, or where threads of this
    interpreter do run at the same time.
    """
    together = not getattr(sys, "_is_gil_enabled", lambda: True)()
    if together or sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {_chosen()})


@functools.cache
def _chosen() -> int:
    """One of the processors that this process may use; another process will most likely choose another."""
    return random.choice(sorted(os.sched_getaffinity(0)))  # noqa: S311 - no secret
