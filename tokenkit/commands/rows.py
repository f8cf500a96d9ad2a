"""The options of commands that return rows: the selection of rows and columns, their order, and the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tokenkit import errors, frames, review
from tokenkit.commands import returned
from tokenkit.commands.reading import limited, names_of_columns, say_if_replaced, sorted_by
from tokenkit.commands.session import HELP, FrontEnd
from tokenkit.core.wording import of, pluralize
from tokenkit.output import files
from tokenkit.rest.token_management import OboToken
from tokenkit.review import columns, texts
from tokenkit.workspaces.workspace import Workspace

_MILLISECONDS = pd.DatetimeTZDtype("ms", "UTC")


def check(path: str, rows: Mapping[str, Any], sort: str | None, *, is_plan: bool) -> None:
    """Check the options before the command runs: reading a large workspace takes minutes, and an error after a change
    is too late.

    Args:
        path: The command, as ``returned.name_of`` returns it.
        rows: The options.
        sort: The column to sort by.
        is_plan: Whether the command plans a change.

    Raises:
        UsageError: The file type of ``--to`` is unknown, no file can be created there, a column does not exist, or an
            option seems to limit what is changed. Of a listing, a name is an error here only if it resembles a column
            or is one of another command, because the server may add columns.
        ConfigurationError: The file type requires a package that is not installed.
    """
    if is_plan and (ignored := [f"--{name}" for name in ("sort", "limit") if rows.get(name) is not None]):
        raise errors.UsageError(f"{ignored[0]} does not select what is changed. Use filters, or omit {ignored[0]}.")
    if rows.get("to"):
        files.check(rows["to"])
    names, known = rows.get("columns") or (), returned.columns_of(path, is_plan=is_plan)
    _check_columns(names, known, may_have_others=returned.may_have_others(known) and not is_plan)
    if is_plan:
        names_of_columns(names, known)
    listed = returned.sorted_columns_of(path)
    _check_columns([sort.lstrip("-")] if sort else [], listed, may_have_others=returned.may_have_others(listed))


def _check_columns(given: Sequence[str], known: tuple[str, ...], *, may_have_others: bool) -> None:
    for name in given if known else ():
        if columns.named(name, known):
            continue
        is_similar, others = errors.similar(name, known), returned.commands_with(name)
        if others and not is_similar:
            named = ", ".join(f"`{other}`" for other in others)
            raise errors.UsageError(f"Unknown column {name!r}. It is a column of {named}.")
        if is_similar or not may_have_others:
            raise errors.UsageError(f"Unknown column {name!r}. {errors.did_you_mean(name, known)}")


def described(path: str, *, is_plan: bool) -> pd.DataFrame:
    """Return the columns of the rows of a command, what they mean, and when tables show them, without running it.

    Args:
        path: The command, as ``returned.name_of`` returns it.
        is_plan: Whether the command plans a change.
    """
    names = returned.columns_of(path, is_plan=is_plan)
    shown = columns.when_shown(pd.DataFrame(columns=[*names]), on_request=returned.ON_REQUEST)
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
    if chosen := rows.get("columns"):
        if is_plan:
            chosen = _in_result(chosen, frame, front_end)
        frame = frame[names_of_columns(chosen, frame.columns)]
    frame = _first(frame, rows.get("limit"), front_end)
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
    if isinstance(result, pd.DataFrame):
        return result
    if isinstance(result, OboToken):
        return frames.frame([result.token_info.as_dict()], frames.TOKENS)
    if isinstance(result, Workspace):
        return pd.DataFrame({"workspace": [result.name], "host": [result.host]})
    if isinstance(result, pd.Series):
        row = result.to_frame().T.infer_objects()
        # pandas 2 would infer nanoseconds, which do not reach the year 9999, and gives up.
        times = {
            str(name): row[name].astype(_MILLISECONDS) for name in row if isinstance(row[name].iloc[0], pd.Timestamp)
        }
        return row.assign(**times)
    if isinstance(result, review.audit.Audit):
        return result.findings if findings else result.summary
    assert isinstance(result, review.leaks.Leaks), type(result)
    return result.rows
