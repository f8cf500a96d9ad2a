"""Long work off the kernel's thread, so that a click answers at once and the stop button is heard.

The job runs in a thread of its own; whatever it has to say to a widget is handed back to the kernel's loop, so widgets
are only ever touched from the one thread that also runs cells. Where there is no loop (a script, a test) the thread
says it itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import ipywidgets as widgets

from tokenkit import errors

Result = TypeVar("Result")


def deliverer() -> Callable[..., None]:
    """Return what calls a function with its arguments on the thread that called this."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return lambda function, *arguments: function(*arguments)
    context = contextvars.copy_context()

    def deliver(function: Callable[..., Any], *arguments: Any) -> None:  # noqa: ANN401 - whatever the function takes
        loop.call_soon_threadsafe(function, *arguments, context=context)

    return deliver


def in_background(
    job: Callable[[], Result],
    *,
    done: Callable[[Result], None],
    failed: Callable[[str], None],
    on: widgets.Widget | None = None,
) -> threading.Thread:
    """Run a job in a thread, then call ``done`` with its result, or ``failed`` with one line that says what to do.

    Args:
        job: What to run.
        done: Called with its result.
        failed: Called with the line.
        on: The screen that waits for it; if it has been closed by then, neither is called.
    """
    deliver = deliverer()

    def tell(report: Callable[[Any], None], outcome: Any) -> None:  # noqa: ANN401 - as the job returns it
        if on is None or on.comm is not None:
            report(outcome)

    def work() -> None:
        try:
            result = job()
        except Exception as problem:  # noqa: BLE001 - whoever clicked has no traceback to look at
            deliver(tell, failed, one_line(problem))
        else:
            deliver(tell, done, result)

    thread = threading.Thread(target=work, name="tokenkit-widget", daemon=True)
    thread.start()
    return thread


def one_line(problem: Exception) -> str:
    """Return an error as a line: tokenkit's own words, else its type as well, as it is a defect."""
    text = " ".join(str(problem).split())
    return text if isinstance(problem, errors.TokenKitError) else f"{type(problem).__name__}: {text}"
