"""The progress bar, for terminals and notebooks."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

_LIVE_SECONDS = 0.1
_LOG_SECONDS = 10  # in the log of a job, every update is a line


@contextlib.contextmanager
def progress_bar(
    total: int | None,
    description: str,
    *,
    unit: str,
    shown: bool | None = True,
    delay_seconds: float = 2,
) -> Iterator[Callable[[int], None]]:
    """Show a progress bar after a delay, and yield a function that advances it by a number of units.

    Args:
        total: The number of units; None if unknown.
        description: The label of the bar.
        unit: The name of a unit. ``B`` is scaled to kB, MB and so on.
        shown: Whether to show the bar; None shows it only if standard error is a terminal, or in a notebook.
        delay_seconds: The time before the bar is shown.
    """
    if shown is False or total == 0:
        yield lambda _: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - most operations are shorter

    is_widget = any(kind.__module__ == "tqdm.notebook" for kind in tqdm.__mro__)
    is_live = is_widget or sys.stderr.isatty()
    with tqdm(
        total=total,
        desc=description,
        unit=unit,
        unit_scale=unit == "B",
        delay=delay_seconds,
        leave=False,
        mininterval=_LIVE_SECONDS if is_live else _LOG_SECONDS,
        maxinterval=_LOG_SECONDS,
        disable=None if shown is None else False,
        file=sys.stderr,
    ) as bar:
        yield lambda count: bar.update(count) and None
