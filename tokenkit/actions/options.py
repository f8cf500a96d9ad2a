"""How a run is executed: the caller's options, the settings that the journal keeps, and the progress listener."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

import pandas as pd

from tokenkit import errors
from tokenkit.actions.journal import Run
from tokenkit.core.arguments import flag, whole_number
from tokenkit.core.printable import printable
from tokenkit.review.usage import checked

WORKERS = 16
MOST_WORKERS = 1_000


class Progress(Protocol):
    """A listener that shows the progress of a run. The thread that executes the run calls both methods."""

    def advance(self, done: int, total: int) -> None:
        """Report how many tokens have an outcome, of how many in total."""

    def end_early(self, message: str) -> None:
        """Report that the run ended early: what remains, why, and how to resume."""


class StderrProgress:
    """The listener for a terminal: it prints important messages to standard error."""

    def advance(self, done: int, total: int) -> None:
        """Print nothing."""

    def end_early(self, message: str) -> None:
        """Print the message."""
        sys.stderr.write(f"{printable(message)}\n")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The options of ``apply`` and ``resume``. Public methods accept them as keyword arguments.

    Attributes:
        progress: Whether to show a progress bar if the run takes more than two seconds, or a custom listener.
        stop: An event; once another thread sets it, no new request is sent.
        workers: The maximum number of requests in flight. A resumed run keeps its own number.
        despite_drift: Whether to change tokens that changed since the plan. A resumed run keeps its own choice.
        usage: Newer evidence of use: the result of ``usage``. A resumed run skips tokens that signed in since the plan.
        ignore_usage: Whether to resume a run that was planned with evidence of use without reading it again.
    """

    progress: bool | Progress = True
    stop: threading.Event | None = None
    workers: int = WORKERS
    despite_drift: bool = False
    usage: pd.DataFrame | None = None
    ignore_usage: bool = False

    def __post_init__(self) -> None:
        flag("despite_drift", self.despite_drift)
        flag("ignore_usage", self.ignore_usage)
        if self.usage is not None:
            checked(self.usage)
        whole_number("workers", self.workers, least=1, most=MOST_WORKERS)
        if not isinstance(self.progress, bool) and not all(
            callable(getattr(self.progress, name, None)) for name in ("advance", "end_early")
        ):
            raise errors.UsageError("progress must be True, False, or a listener with advance and end_early.")
        if self.stop is not None and not callable(getattr(self.stop, "is_set", None)):
            raise errors.UsageError("stop must be a threading.Event.")

    @property
    def shows_bar(self) -> bool:
        """Return whether to show a progress bar."""
        return self.progress is True

    @property
    def listener(self) -> Progress:
        """Return the listener; one that writes to standard error by default."""
        return StderrProgress() if isinstance(self.progress, bool) else self.progress


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """The settings of a run, stored in the journal so that ``resume`` uses the same ones.

    Attributes:
        workers: The maximum number of requests in flight.
        despite_drift: Whether to change tokens that changed since the plan.
        protect: The patterns that the plan protects in addition to ``config.toml``.
        usage: The evidence of use that the plan showed, by token id: sign-ins, programs and the last sign-in. Addresses
            are personal data and are not stored.
        usage_from: The source of that evidence, so that a staged run can read it again.
    """

    workers: int = WORKERS
    despite_drift: bool = False
    protect: Mapping[str, Sequence[str]] = field(default_factory=dict)
    usage: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    usage_from: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        whole_number("workers", self.workers, least=1, most=MOST_WORKERS)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as stored in the journal."""
        return asdict(self)

    @classmethod
    def of(cls, run: Run) -> RunSettings:
        """Return the settings of a run.

        Raises:
            JournalError: The run has settings that this version does not know.
        """
        settings = {name: value for name, value in run.settings.items() if name != DUE}
        if unknown := settings.keys() - {setting.name for setting in fields(cls)}:
            raise errors.JournalError(
                f"Run {run.run_id} has settings that this version does not know: {', '.join(sorted(unknown))}. "
                "Upgrade tokenkit to resume it."
            )
        return cls(**settings)


DUE = "due"
"""The setting that holds the end of a staged run's grace period."""
