"""Background jobs, so that clicks and the stop button respond while a job runs.

A job runs in a separate thread. Its result is passed to the kernel's event loop, so that only the thread that also runs
cells changes widgets. Without an event loop (in a script or a test), the job's thread passes its result itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import ipywidgets as widgets

from tokenkit import errors
from tokenkit.rest.transport import ON_WAIT

Result = TypeVar("Result")


def deliverer() -> Callable[..., None]:
    """Return a function that calls a function with its arguments on the current thread."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return lambda function, *arguments: function(*arguments)
    context = contextvars.copy_context()

    def deliver(function: Callable[..., Any], *arguments: Any) -> None:  # noqa: ANN401  # the arguments of the function
        loop.call_soon_threadsafe(function, *arguments, context=context)

    return deliver


def in_background(
    job: Callable[[], Result],
    *,
    done: Callable[[Result], None],
    failed: Callable[[str], None],
    on: widgets.Widget | None = None,
    waits: Callable[[str], None] | None = None,
) -> threading.Thread:
    """Run a job in a thread, then call ``done`` with its result, or ``failed`` with a one-line error message.

    Args:
        job: The function to run.
        done: Called with its result.
        failed: Called with the error message.
        on: The widget that waits for the job. If it is closed by then, no function is called.
        waits: Called with the error and the wait before a request is sent again. By default, a long wait is logged.
    """
    deliver = deliverer()

    def tell(report: Callable[[Any], None], outcome: Any) -> None:  # noqa: ANN401  # the result of the job
        if on is None or on.comm is not None:
            report(outcome)

    def say_wait(seconds: float, error: errors.TokenKitError) -> None:
        if waits is not None:
            when = f" in {round(seconds)} s" if round(seconds) else ""
            deliver(tell, waits, f"{error.happened} Trying again{when}.")

    def work() -> None:
        if waits is not None:
            ON_WAIT.set(say_wait)  # of this thread
        try:
            result = job()
        except Exception as problem:  # noqa: BLE001  # a click has no place to show a traceback
            deliver(tell, failed, one_line(problem))
        else:
            deliver(tell, done, result)

    thread = threading.Thread(target=work, name="tokenkit-widget", daemon=True)
    thread.start()
    return thread


def one_line(problem: Exception) -> str:
    """Return an error as one line. An error that is not tokenkit's is a bug, so its type is included."""
    text = " ".join(str(problem).split())
    return text if isinstance(problem, errors.TokenKitError) else f"{type(problem).__name__}: {text}"
