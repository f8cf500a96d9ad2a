"""How far a long answer is, for whoever waits for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator


def shown(
    blocks: Iterator[bytes], received: Callable[[], int], total: int | None, name: str, *, due: Callable[[], bool]
) -> Iterator[bytes]:
    """Pass blocks on, with a progress bar on a terminal or in a notebook once one is due.

    Args:
        blocks: The body, as it comes.
        received: How many bytes have come, as they are on the wire.
        total: How many will; None where nobody knows.
        name: What stands before the bar.
        due: Whether it takes longer by now than somebody waits without a word.
    """
    bar = None
    try:
        for block in blocks:
            if bar is None and due():
                from tqdm.auto import tqdm  # noqa: PLC0415 - only a slow answer needs it

                bar = tqdm(
                    total=total,
                    desc=name,
                    unit="B",
                    unit_scale=True,
                    leave=False,
                    disable=None,  # where nobody watches
                    file=sys.stderr,
                )
            if bar is not None:
                bar.update(received() - bar.n)
            yield block
    finally:
        if bar is not None:
            bar.close()
