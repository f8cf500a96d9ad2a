"""The progress bar of a long response."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from tokenkit.core.progress import progress_bar


def with_progress_bar(
    blocks: Iterator[bytes], received: Callable[[], int], total: int | None, name: str, *, due: Callable[[], bool]
) -> Iterator[bytes]:
    """Yield blocks, and show a progress bar on a terminal or in a notebook once it is due.

    Args:
        blocks: The blocks of the body.
        received: Returns the number of received bytes before decompression.
        total: The expected number of bytes; None if unknown.
        name: The label of the bar.
        due: Returns whether the response takes long enough for a progress bar.
    """
    advance, shown = None, 0
    with contextlib.ExitStack() as ending:
        for block in blocks:
            if advance is None and due():
                bar = progress_bar(total, name, unit="B", shown=None, delay_seconds=0)
                advance = ending.enter_context(bar)
            if advance is not None:
                now = received()
                advance(now - shown)
                shown = now
            yield block
