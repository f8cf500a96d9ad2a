"""Waiting for a condition instead of for a time."""

import contextlib
import signal
import threading
import time


def wait_until(condition, *, seconds=60):
    """Return once a condition holds; fail the test if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition that the test waits for never came true"
        time.sleep(0.001)


@contextlib.contextmanager
def interrupted(sandbox, method):
    """Press Ctrl-C once a sandbox has a request with a method."""
    over = threading.Event()

    def press():
        wait_until(lambda: over.is_set() or any(record.method == method for record in sandbox.requests))
        if not over.is_set():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    try:
        yield
    finally:
        over.set()
        presser.join()
