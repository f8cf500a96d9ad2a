"""The options of commands that return rows: the selection of rows and columns, their order, and the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.commands import returned
from tokenkit.commands.reading import limited, names_of_columns, say_if_replaced, sorted_by, unknown_column
from tokenkit.commands.session import HELP, FrontEnd
from tokenkit.core.wording import of, pluralize
from tokenkit.output import files
from tokenkit.rest.token_management import OboToken
from tokenkit.review import columns, texts
from tokenkit.review.audit import Audit
from tokenkit.review.leaks import Leaks
from tokenkit.workspaces.workspace import Workspace

_MILLISECONDS = pd.DatetimeTZDtype("ms", "UTC")


def check(path: str, rows: Mapping[str, Any], sort: str | None, *, is_plan: bool) -> None:
    """Check the options before the command runs: reading a large workspace takes minutes, and an error after a change
    is too late.

    Args:
        path: The command.
        rows: The options.
        sort: The column to sort by.
        is_plan: Whether the command plans a change.

    Raises:
        UsageError: The file type of ``--to`` is unknown, no file can be created there, a column does not exist, or an
            option seems to limit what is changed. Of a listing, only a name that resembles a column is an error here,
            because the server may add columns.
        ConfigurationError: The file type requires a package that is not installed.
    """
    if is_plan and (ignored := [f"--{name}" for name in ("sort", "limit") if rows.get(name) is not None]):
        raise errors.UsageError(f"{ignored[0]} does not select what is changed. Use filters, or omit {ignored[0]}.")
    if rows.get("to"):
        files.check(rows["to"])
    names, path = rows.get("columns") or (), returned.name_of(path, rows)
    known = returned.columns_of(path, is_plan=is_plan)
    if is_plan:
        names_of_columns(names, known)
    else:
        _check_columns(names, known)
    _check_columns([sort.lstrip("-")] if sort else [], returned.sorted_columns_of(path))


def _check_columns(given: Sequence[str], known: tuple[str, ...]) -> None:
    for name in given if known else ():
        is_possible = returned.may_have_others(known) and not errors.similar(name, known)
        if not columns.named(name, known) and not is_possible:
            raise unknown_column(name, known)


def described(path: str, rows: Mapping[str, Any], *, is_plan: bool) -> pd.DataFrame:
    """Return the columns of the rows of a command, what they mean, and when tables show them, without running it."""
    names = returned.columns_of(returned.name_of(path, rows), is_plan=is_plan)
    shown = columns.when_shown(pd.DataFrame(columns=[*names]))
    meanings = [columns.spec_of(name).meaning for name in shown]
    return pd.DataFrame({"column": [*shown], "meaning": meanings, "in_tables": [*shown.values()]}, dtype=frames.TEXT)


def arranged(
    result: object, rows: Mapping[str, Any], front_end: FrontEnd, *, is_plan: bool = False, is_change: bool = False
) -> object:
    """Return the result of a command as the options ask for it; without options, the result itself.

    Args:
        result: The result.
        rows: The options.
        front_end: The front end.
        is_plan: Whether the command planned a change. Then a column that its rows lack is a warning.
        is_change: Whether the command changed something. Then every problem is a warning, and the result is returned.

    Raises:
        UsageError: A column does not exist, or the file cannot be written.
    """
    is_as_asked = not any(value is not None and value is not False for value in rows.values())
    if result is None or is_as_asked or HELP in (rows.get("columns") or ()):
        return result
    frame = as_frame(result, findings=bool(rows.get("findings")))
    if rows.get("sort"):
        frame = sorted_by(frame, rows["sort"])
    frame = _first(frame, rows.get("limit"), front_end)
    if chosen := rows.get("columns"):
        if is_plan:
            chosen = _in_result(chosen, frame, front_end)
        frame = frame[names_of_columns(chosen, frame.columns)]
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


def _in_result(chosen: Sequence[str], frame: pd.DataFrame, front_end: FrontEnd) -> Sequence[str]:
    """Return which columns a plan or its result has, which depends on the outcome; all of them if it has none of these.

    The others are named, because the result would otherwise seem complete.
    """
    found = [name for name in chosen if columns.named(name, frame.columns)]
    if absent := [name for name in chosen if name not in found]:
        instead = "" if found else " All its columns are shown."
        front_end.warn_last(f"Not in this result: {of(len(absent), 'column')} {', '.join(absent)}.{instead}")
    return found or [*frame.columns]


def _first(frame: pd.DataFrame, limit: int | None, front_end: FrontEnd) -> pd.DataFrame:
    """Return the first rows, and say of how many: the summary of a command is about all rows."""
    if limit is not None and limit < len(frame):
        front_end.hint(f"Showing the first {limit:,} of {pluralize(len(frame), 'row')}.")
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
