"""Removes the frames in which an exception was raised.

The frames of requests, urllib3 and the official SDK have the signed request in local variables. ``%xmode Verbose``,
debuggers and error trackers show the local variables of any exception, including an interrupt. So an exception that a
decorated function raises has no frame of that function or of the functions that it called.

The decorated functions are those with a credential in their arguments or variables, up to the public ones: ``connect``,
``fleet``, and the calls that create a token or write a secret. In addition to variables, a traceback shows the values
of names and attributes in its source lines. Therefore no line names ``os.environ`` (``os.getenv`` reads it), and the
value of a new token is a property, which is not evaluated.
"""

from __future__ import annotations

import contextlib
from types import TracebackType


class without_frames(contextlib.ContextDecorator):  # noqa: N801 - a decorator
    """Removes the traceback, the context and the cause of exceptions that leave a function."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if failure is not None:
            failure.__traceback__ = failure.__context__ = failure.__cause__ = None
