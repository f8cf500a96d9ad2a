"""Exceptions that leave without the frames in which they arose.

A frame of requests, urllib3 or the official SDK holds the signed request in its local variables, and ``%xmode
Verbose``, debuggers and error trackers show local variables, of any exception: of an interrupt as well. So whatever
leaves a function that is decorated here, an error of ours or not, names neither that function nor anything below it.
"""

from __future__ import annotations

import contextlib
from types import TracebackType


class without_frames(contextlib.ContextDecorator):  # noqa: N801 - reads as the decorator that it is
    """Takes the traceback, and the exceptions that came before it, off whatever leaves a function."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if failure is not None:
            failure.__traceback__ = failure.__context__ = failure.__cause__ = None
