"""The base classes of all plans, and the workspace data that a plan needs.

A plan is frozen. It holds token ids and a snapshot of each token, and later changes of the workspace do not alter it.
``apply()`` reads the workspace again before it sends anything, and skips tokens that changed since the plan (drift) or
are now protected. At the end it reads the listing once more, and reports tokens that are still listed.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa

from tokenkit import frames
from tokenkit.actions import preview
from tokenkit.actions.journal import Entry, Journal, Run, new_run_id
from tokenkit.actions.kind import RunKind
from tokenkit.actions.options import Progress, RunOptions
from tokenkit.core.arguments import optional
from tokenkit.core.wording import pluralize, shown_of
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.review.access import Identities
from tokenkit.review.preview import Preview

_NAMED = 3
"""The number of owners that a summary names."""


@dataclass(frozen=True, kw_only=True)
class PlanContext:
    """The workspace data and functions that a plan needs.

    Attributes:
        host: The workspace's address.
        workspace_id: Returns the workspace's id; sends a request if it is not known yet.
        name: The workspace's name in messages.
        origin: The source of the credentials, such as ``profile prod``.
        api: The Token Management API, with retries.
        one_shot: The same API without retries, for the executor, which has its own.
        tokens: Returns the current listing with owners and derived columns.
        identities: Returns the workspace's current principals; takes the groups whose members must be known.
        caller: Returns the caller's id and name.
        signs_in_with: Returns the possible ids of the token that this session signs in with.
        now: Returns the current time.
        usage: Returns what used each token, read again from the source of earlier evidence.
        folder: The folder of the journal and the configuration.
    """

    host: str
    workspace_id: Callable[[], str]
    name: str
    origin: str
    api: TokenManagementAPI
    one_shot: TokenManagementAPI
    tokens: Callable[[], pd.DataFrame]
    identities: Callable[[Collection[str]], Identities]
    caller: Callable[[], tuple[int, str]]
    signs_in_with: Callable[[], Collection[str]]
    now: Callable[[], pd.Timestamp]
    usage: Callable[[Mapping[str, Any]], pd.DataFrame]
    folder: Path

    def now_ms(self) -> int:
        """Return the current time in epoch milliseconds, as in the journal."""
        return round(self.now().timestamp() * 1000)

    def new_run(self, kind: str, *, reason: str | None, settings: Mapping[str, Any], run_id: str | None = None) -> Run:
        """Return a new run, which is not in the journal yet.

        Args:
            kind: The kind of change.
            reason: The reason, for the journal.
            settings: The other data that ``resume`` needs.
            run_id: The id of a run that is a part of another; a new id by default.
        """
        _, caller = self.caller()
        return Run(
            run_id=run_id or new_run_id(self.now()),
            kind=kind,
            host=self.host,
            workspace_id=self.workspace_id(),
            workspace=self.name,
            origin=self.origin,
            caller=caller,
            reason=reason,
            started_at=self.now(),
            settings=settings,
        )


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a plan will do, as a phrase and in numbers, for the person who confirms it.

    Attributes:
        doing: A phrase such as ``revoke 12 tokens for good``; empty if there is nothing to do.
        count: The number to type.
        warnings: The warnings, the most severe first, each with its number of tokens or principals.
        left_out: The reasons why tokens are not in the plan, each with its number of tokens.
        resembling: The owners whose names resemble a protected one, as phrases, each with its number of tokens.
        evidence: The coverage of the evidence of use; empty without evidence.
        explained: The warnings that a sentence explains, which a preview shows instead of the number of tokens.
        outline: The whole change in sentences, if it is more than a number of tokens, and when a staged one is due.
        warned: The ids of the tokens of warnings that are about tokens and are not in the preview's own column.
    """

    doing: str
    count: int
    warnings: Mapping[str, int]
    left_out: Mapping[str, int] = field(default_factory=dict)
    resembling: Mapping[str, int] = field(default_factory=dict)
    evidence: str = ""
    explained: Mapping[str, str] = field(default_factory=dict)
    outline: Sequence[str] = ()
    warned: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def unprotected(self) -> list[str]:
        """The sentences about owners whose names resemble a protected one, the most tokens first; a few are named."""
        owners = Counter(self.resembling)
        shown = shown_of(len(owners), _NAMED)
        sentences = [
            f"{what[:1].upper()}{what[1:]} ({pluralize(count, 'token')})." for what, count in owners.most_common(shown)
        ]
        more = len(owners) - shown
        return [*sentences, *([f"… and {pluralize(more, 'more owner')} with such a name."] if more else [])]


class Plan(ABC):
    """A change that is prepared but not made, in one workspace or several.

    Its ``repr`` is one line. ``print`` and IPython show a short preview with its warnings.

    Attributes:
        token_ids: The ids of the tokens that are affected.
        run_id: The run of the last ``apply()``, for ``tokenkit.resume``; None before.
        hosts: Of several workspaces, those in which the plan changes something, as in the column ``workspace``.
        is_partial: Whether the plan lacks workspaces that failed or are not in the fleet.
    """

    token_ids: tuple[str, ...]
    run_id: str | None = None
    hosts: tuple[str, ...] = ()
    is_partial: bool = False

    def __len__(self) -> int:
        return len(self.token_ids)

    @property
    def can_be_undone(self) -> bool:
        """Whether a part of the change can be undone once it is applied."""
        return False

    @abstractmethod
    def preview(self) -> pd.DataFrame:
        """Return a row for each token that is affected."""

    @abstractmethod
    def summary(self) -> Summary:
        """Return what the plan will do, the number to confirm, and the warnings."""

    @abstractmethod
    def apply(self, *, progress: bool | Progress = True, stop: threading.Event | None = None) -> pd.DataFrame:
        """Make the change, and return the outcome of each token.

        Args:
            progress: Whether to show a progress bar if it takes more than two seconds, or a custom listener.
            stop: An event; once another thread sets it, no new request is sent.
        """

    def principals(self) -> Mapping[str, pd.DataFrame]:
        """Return the frames about principals that a preview shows before the tokens, by caption."""
        return {}

    @abstractmethod
    def set_reason(self, reason: str | None) -> None:
        """Set the reason, for the journal. An existing run keeps its own reason.

        Args:
            reason: The reason, for the journal; None for no reason.
        """

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._headline(self._title())}>"

    def __str__(self) -> str:
        return repr(self._in_short())

    def _headline(self, title: str) -> str:
        return f"{title}; nothing changes before .apply()"

    @abstractmethod
    def _title(self) -> str:
        """Return what the plan will do, for the start of its ``repr``."""

    def _subject(self) -> str:
        """Return the title of the preview, which has more lines than the ``repr``."""
        return self._title()

    def _in_short(self) -> Preview:
        return preview.of(self, title=self._headline(self._subject()))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002, FBT001 - as IPython calls it
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return self._in_short()._repr_html_()


class WorkspacePlan(Plan):
    """A plan for one workspace, which can be recorded and executed as a run."""

    KIND: ClassVar[RunKind]
    """The kind of run of the plan."""

    def __init__(self, context: PlanContext, token_ids: Sequence[str], *, reason: str | None) -> None:
        self._context = context
        self.token_ids = tuple(token_ids)
        self._reason = optional("reason", reason, str)

    def set_reason(self, reason: str | None) -> None:
        """Set the reason, for the journal.

        Args:
            reason: The reason, for the journal; None for no reason.
        """
        self._reason = reason

    def record(self, journal: Journal, options: RunOptions, *, run_id: str | None = None) -> Run:
        """Write the plan to a journal as a run with every token ``pending``, and return the run.

        Args:
            journal: The journal.
            options: How the run is executed.
            run_id: The id of a run that is a part of another; a new id by default.
        """
        run, _ = self._record(journal, self._settings(options), run_id)
        return run

    def _record(
        self, journal: Journal, settings: Mapping[str, Any], run_id: str | None = None
    ) -> tuple[Run, Sequence[Entry]]:
        self._check()
        run = self._context.new_run(self.KIND.name, reason=self._reason, settings=settings, run_id=run_id)
        entries = self._entries()
        journal.create_run(run, entries, is_one_change=self.KIND.is_one_change)
        self.run_id = run.run_id
        return run, entries

    def _check(self) -> None:
        """Reject a plan that must no longer be recorded."""

    @abstractmethod
    def _settings(self, options: RunOptions) -> Mapping[str, Any]:
        """Return the other data that ``resume`` needs."""

    @abstractmethod
    def _entries(self) -> Sequence[Entry]:
        """Return an entry for each token."""

    def _apply(self, options: RunOptions) -> pd.DataFrame:
        """Record the plan as a new run and execute it."""
        run_id = new_run_id(self._context.now())
        with Journal(self._context.folder) as journal, journal.lock_run(run_id):
            run, entries = self._record(journal, self._settings(options), run_id)
            return self._execute(run, entries, journal, options)

    @abstractmethod
    def _execute(self, run: Run, entries: Sequence[Entry], journal: Journal, options: RunOptions) -> pd.DataFrame:
        """Execute the recorded run."""


def entries_of(tokens: pd.DataFrame) -> list[Entry]:
    """Return an entry for each row of a listing with ``owner``, with the token's API representation as the snapshot."""
    return [
        Entry(token_id=document["token_id"], owner=owner, snapshot=document)
        for document, owner in zip(documents(tokens), json_values(tokens["owner"]), strict=True)
    ]


def documents(tokens: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the API representation of each row of a listing."""
    columns = {name: json_values(tokens[name]) for name in frames.TOKENS.names}
    return [
        {name: value for name, value in zip(columns, values, strict=True) if value is not None}
        for values in zip(*columns.values(), strict=True)
    ]


def json_values(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a column for JSON: times in milliseconds, missing values as None."""
    if column.dtype == object:  # a user's own column
        return [None if absent else value for value, absent in zip(column.tolist(), column.isna(), strict=True)]
    values = pa.array(column)
    if pa.types.is_timestamp(values.type):
        values = values.cast(frames.TIME).cast(pa.int64())
    return values.to_pylist()


def planned_tokens(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return the tokens of entries as they were when planned: the columns of a listing, and ``owner``."""
    tokens = frames.frame([entry.snapshot for entry in entries], frames.TOKENS)
    return tokens.assign(owner=pd.Series([entry.owner for entry in entries], dtype=frames.TEXT))
