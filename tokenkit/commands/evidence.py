"""The rows of the audit log that a command reads: what used each token."""

from __future__ import annotations

from typing import TypedDict

import pandas as pd

from tokenkit import errors
from tokenkit.commands.session import FrontEnd
from tokenkit.workspaces.base import AnyWorkspace, ManagedSource, TokenSource

_DAYS = 30
_OF_THE_LOG = ("days", "warehouse_id", "start_warehouse")


class Log(TypedDict):
    """The options that select rows of the audit log."""

    days: int | None
    rows: str | None
    warehouse_id: str | None
    start_warehouse: bool


class Evidence(Log):
    """The options of a command that uses evidence."""

    usage: bool


def evidence_of(front_end: FrontEnd, source: TokenSource, options: Evidence) -> pd.DataFrame | None:
    """Return the evidence for a command; None without ``--usage``. Plans, audits and screens show its coverage.

    Raises:
        UsageError: Other options are given without ``--usage``, or the source is a saved listing, which has no log.
    """
    if not options["usage"]:
        if given := [name for name in Log.__annotations__ if options[name]]:  # type: ignore[literal-required]
            raise errors.UsageError(f"--{given[0].replace('_', '-')} requires --usage.")
        return None
    if not isinstance(source, ManagedSource):
        raise errors.UsageError("A saved listing has no audit log. Omit --from or --usage.")
    return read(front_end, source, options)


def read(front_end: FrontEnd, workspace: AnyWorkspace, log: Log) -> pd.DataFrame:
    """Return what used each token, from the rows that the options select.

    Raises:
        UsageError: ``--rows`` is given with an option that selects rows of the log.
        WarehouseStoppedError: The warehouse is stopped, and the user did not allow to start it.
    """
    if log["rows"] and (ignored := [name for name in _OF_THE_LOG if log[name] not in (None, False)]):  # type: ignore[literal-required]
        option = f"--{ignored[0].replace('_', '-')}"
        raise errors.UsageError(f"--rows reads all rows of the file. Omit {option}, or omit --rows to read the log.")
    days, rows, warehouse_id = _DAYS if log["days"] is None else log["days"], log["rows"], log["warehouse_id"]
    try:
        return workspace.usage(days, rows, warehouse_id, start_warehouse=log["start_warehouse"])
    except errors.WarehouseStoppedError as failure:
        stopped = failure
    return read_if_allowed(front_end, workspace, stopped)


def read_if_allowed(
    front_end: FrontEnd, workspace: AnyWorkspace, stopped: errors.WarehouseStoppedError
) -> pd.DataFrame:
    """Ask whether to start a stopped warehouse, and return what it was to read. Without a terminal, nobody is asked:
    ``--yes`` confirms a change, not its costs.

    Raises:
        WarehouseStoppedError: The user did not allow it.
    """
    reply = front_end.ask(
        f"Warehouse {stopped.warehouse_id} is stopped. Start it? A running warehouse costs money. [y/N] "
    )
    if reply is None or reply.strip().lower() not in {"y", "yes"}:
        raise stopped
    return workspace.usage(stopped.days, warehouse_id=stopped.warehouse_id, start_warehouse=True)
