"""Waiting for a condition instead of for a time."""

import time


def wait_until(condition, *, seconds=60):
    """Return once a condition holds; fail the test if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition that the test waits for never came true"
        time.sleep(0.001)
