"""The options of commands that return rows: the selection of rows and columns, their order, and the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions.result import RESULT
from tokenkit.commands import returned
from tokenkit.commands.reading import limited, names_of_columns, say_if_replaced, sorted_by, unknown_column
from tokenkit.commands.session import HELP, FrontEnd
from tokenkit.core.wording import pluralize
from tokenkit.output import files
from tokenkit.rest.token_management import OboToken
from tokenkit.review import columns, texts
from tokenkit.review.audit import Audit
from tokenkit.review.leaks import Leaks
from tokenkit.workspaces.workspace import Workspace

_MILLISECONDS = pd.DatetimeTZDtype("ms", "UTC")


def check(path: str, rows: Mapping[str, Any], sort: str | None) -> None:
    """Check the options before the command runs, because reading a large workspace takes minutes.

    Args:
        path: The command.
        rows: The options.
        sort: The column to sort by.

    Raises:
        UsageError: The file type of ``--to`` is unknown, no file can be created there, or a column does not exist. Of a
            listing, only a name that resembles a column is an error here, because the server may add columns.
        ConfigurationError: The file type requires a package that is not installed.
    """
    if rows.get("to"):
        files.check(rows["to"])
    _check_columns([name for name in rows.get("columns") or () if name != HELP], returned.columns_of(path))
    _check_columns([sort.lstrip("-")] if sort else [], returned.sorted_columns_of(path))


def _check_columns(given: Sequence[str], known: tuple[str, ...]) -> None:
    for name in given if known else ():
        is_possible = returned.may_have_others(known) and not errors.similar(name, known)
        if not columns.named(name, known) and not is_possible:
            raise unknown_column(name, known)


def of_change(rows: Mapping[str, Any]) -> pd.DataFrame | None:
    """Check the options of a command that is about to change something, because an error afterwards is too late.

    Returns:
        The result without rows, instead of running the command, for ``--columns help``; otherwise None.

    Raises:
        UsageError: A column does not exist, or an option seems to limit what is changed.
    """
    if ignored := [f"--{name}" for name in ("sort", "limit") if rows.get(name) is not None]:
        raise errors.UsageError(f"{ignored[0]} does not select what is changed. Use filters, or omit {ignored[0]}.")
    if rows.get("columns") == [HELP]:
        return frames.frame([], RESULT)
    # What is shown depends on the outcome: tokens, or the entries of permissions.
    known = dict.fromkeys([*RESULT.names, *(spec.name for spec in columns.COLUMNS)])
    for name in rows.get("columns") or []:
        if not columns.named(name, known):
            raise unknown_column(name, known)
    return None


def arranged(result: object, rows: Mapping[str, Any], front_end: FrontEnd, *, is_change: bool = False) -> object:
    """Return the result of a command as the options ask for it; without options, the result itself.

    Args:
        result: The result.
        rows: The options.
        front_end: The front end.
        is_change: Whether the command changed something. Then a problem is a warning, and the result is returned.

    Raises:
        UsageError: A column does not exist, or the file cannot be written.
    """
    if result is None or not any(value is not None and value is not False for value in rows.values()):
        return result
    frame = as_frame(result, findings=bool(rows.get("findings")))
    if rows.get("columns") == [HELP]:
        return _described(frame)
    if rows.get("sort"):
        frame = sorted_by(frame, rows["sort"])
    frame = _first(frame, rows.get("limit"), front_end)
    if chosen := rows.get("columns"):
        if is_change:  # what is shown depends on the outcome
            chosen = [name for name in chosen if len(columns.named(name, frame.columns)) == 1]
        frame = frame[names_of_columns(chosen, frame)]
    if (to := rows.get("to")) is None:
        return frame
    say_if_replaced(front_end, to)
    try:
        return files.save({"rows": texts.written(frame)}, to, progress=front_end.shows_progress)
    except errors.TokenKitError as problem:
        if not is_change:
            raise
        front_end.warn_last(str(problem))
        return frame


def _first(frame: pd.DataFrame, limit: int | None, front_end: FrontEnd) -> pd.DataFrame:
    """Return the first rows, and say of how many: the summary of a command is about all rows."""
    if limit is not None and limit < len(frame):
        front_end.say(f"Showing the first {limit:,} of {pluralize(len(frame), 'row')}.")
    return limited(frame, limit)


def as_frame(result: object, *, findings: bool = False) -> pd.DataFrame:
    """Return the result of a command as a frame.

    Args:
        result: The result.
        findings: Whether the rows of an audit are its findings, and not its summary.
    """
    if isinstance(result, OboToken):
        return frames.frame([result.token_info.as_dict()], frames.TOKENS)
    if isinstance(result, Workspace):
        return pd.DataFrame({"workspace": [result.name], "host": [result.host]})
    if isinstance(result, Audit):
        return result.findings if findings else result.summary
    if isinstance(result, Leaks):
        return result.tokens
    if isinstance(result, pd.Series):
        row = result.to_frame().T.infer_objects()
        # pandas 2 would infer nanoseconds, which do not reach the year 9999, and gives up.
        times = {
            str(name): row[name].astype(_MILLISECONDS) for name in row if isinstance(row[name].iloc[0], pd.Timestamp)
        }
        return row.assign(**times)
    assert isinstance(result, pd.DataFrame), type(result)
    return result


def _described(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a frame, with an example of each, and when tables show it."""
    rows = frame.head(_EXAMPLES)
    shown = columns.when_shown(rows)
    examples = [next(filter(None, map(columns.cell, rows[name].array)), "") for name in shown]
    return pd.DataFrame({"column": [*shown], "example": examples, "in_tables": [*shown.values()]})


_EXAMPLES = 100
