"""The output of the shell: tables and records for a terminal, TSV in a pipe, JSON and CSV; and the exit codes.

It is imported when a command ran: it needs pandas, and the help of a command must not wait for that.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tokenkit import review
from tokenkit.actions.result import ENDED_BY, NOTHING_CHANGED, RUN, is_confirmed, remaining
from tokenkit.commands import defaults
from tokenkit.commands.parser import Call
from tokenkit.commands.rows import arranged, as_frame
from tokenkit.commands.session import FrontEnd
from tokenkit.core import table
from tokenkit.core.printable import printable
from tokenkit.core.wording import of, pluralize, shown_of
from tokenkit.frames import TEXT
from tokenkit.output import export
from tokenkit.rest.token_management import OboToken
from tokenkit.review import columns, preview, texts
from tokenkit.review.values import SEVERITIES, Severity

if TYPE_CHECKING:
    from tokenkit.review.audit import Audit

FINDINGS, UNFINISHED, UNREADABLE, INTERRUPTED = 1, 1, 3, 130
_SCREEN_ROWS = 500
_LONG_ERROR = 40


def write_result(
    front_end: FrontEnd, call: Call, result: object, *, labels: Mapping[str, str], is_colored: bool
) -> None:
    """Write the result of a command to standard output.

    Args:
        front_end: The shell.
        call: The command.
        result: What it returned; None and exit codes are not shown.
        labels: The names of workspaces in tables, by address.
        is_colored: Whether tables have colors.
    """
    if isinstance(result, str):
        sys.stdout.write(f"{result}\n")
    elif isinstance(result, OboToken) and call.params["show_value"]:
        sys.stdout.write(f"{result.token_value}\n")
    elif result is not None and not isinstance(result, int):
        shown = arranged(result, call.rows, front_end, is_plan=call.is_plan, is_change=call.is_change)
        if isinstance(shown, Path):
            sys.stdout.write(f"{printable(str(shown))}\n")
        else:
            rows = as_frame(shown, findings=bool(call.rows.get("findings")))
            # Values that matched no token were found, and may still be valid: the messages say so.
            is_rows = isinstance(result, pd.DataFrame)  # then the reviews are not imported
            is_unmatched = not is_rows and isinstance(result, review.leaks.Leaks) and not result.is_all_clear
            empty = "No token matched." if is_unmatched else rows.attrs.get(preview.EMPTY) or "Nothing found."
            _write(front_end, rows, call, labels, empty=empty, is_colored=is_colored)


def exit_code(result: object, call: Call) -> int:
    """Return the exit code of a result."""
    if isinstance(result, int):
        return result
    return UNFINISHED if result is None else _code_of(result, call)


def say_what_failed(front_end: FrontEnd, call: Call, result: object, code: int) -> None:
    """Say after the result what failed."""
    if code and isinstance(result, review.audit.Audit):
        fail_on = call.printing["fail_on"]
        front_end.warn(_failed(result, fail_on) if code == FINDINGS else _undecided(result, call))


def _code_of(result: object, call: Call) -> int:
    """Return the exit code of a result: of a change, which may be interrupted or incomplete, an audit or leaks."""
    if isinstance(result, pd.DataFrame):
        return _code_of_rows(result)
    if isinstance(result, review.audit.Audit):
        fail_on = call.printing["fail_on"]
        if fail_on and result.fails(fail_on):
            return FINDINGS
        return UNREADABLE if fail_on and _not_checked(result, call) else 0
    if isinstance(result, review.leaks.Leaks):
        found = FINDINGS if result.looked_for and not call.printing["exit_zero"] else 0
        return found or (UNREADABLE if len(result.not_comparable) else 0)
    return 0


def _code_of_rows(rows: pd.DataFrame) -> int:
    """Return the exit code of rows, which can be the result of a change."""
    if not {"outcome", "attempts"} <= set(rows.columns) or "run_id" in rows:
        return UNFINISHED if NOTHING_CHANGED in rows.attrs else 0
    if rows.attrs.get(ENDED_BY) == "interrupt":
        return INTERRUPTED
    return UNFINISHED if remaining(rows) or not is_confirmed(rows) else 0


def _failed(audit: Audit, fail_on: Severity) -> str:
    """Return in a line what failed an audit."""
    counts = audit.findings.loc[audit.findings["severity"].isin(_severities(fail_on)), "rule"].value_counts(sort=False)
    rules = ", ".join(f"{rule} ({count:,})" for rule, count in counts.items())
    severity = fail_on if fail_on == SEVERITIES[0] else f"{fail_on} or higher"
    found = f"{pluralize(int(counts.sum()), 'finding')} of severity {severity}"
    return f"{audit.name}: failed by --fail-on {fail_on}: {found}: {rules}."


def _not_checked(audit: Audit, call: Call) -> list[str]:
    """Return the rules that lack data and could have failed the audit, or were named, so that they are relied on."""
    rules = audit.summary[audit.summary["not_checked"] != ""]
    severe = rules["severity"].isin(_severities(call.printing["fail_on"]))
    return rules.loc[severe | bool(call.params.get("rules")), "rule"].tolist()


def _severities(fail_on: Severity) -> Sequence[Severity]:
    """Return a severity and those above it."""
    return SEVERITIES[: SEVERITIES.index(fail_on) + 1]


def _undecided(audit: Audit, call: Call) -> str:
    """Return in a line why an audit has no findings, but does not pass."""
    names = _not_checked(audit, call)
    reason = f"{', '.join(names)} {of(len(names), 'was', 'were')} not checked"
    skip = " ".join(f"--skip {name}" for name in names)
    without = "" if call.params.get("rules") else f" To leave {of(len(names), 'it', 'them')} out, add {skip}."
    return f"{audit.name}: --fail-on {call.printing['fail_on']} is undecided: {reason}.{without}"


def _write(
    front_end: FrontEnd, frame: pd.DataFrame, call: Call, labels: Mapping[str, str], *, empty: str, is_colored: bool
) -> None:
    """Print rows in the selected format. Instead of a table without rows, a person reads a text."""
    of_command = defaults.read()
    output, chosen = call.printing["output"] or of_command.output, [*frame.columns] if call.rows.get("columns") else []
    if not chosen and call.command.path in {"list", "fleet list"}:
        chosen = [name for given in of_command.columns for name in columns.named(given, frame.columns)[:1]]
    if output == "json":
        sys.stdout.write(f"{export.json_text(texts.written(frame))}\n")
    elif output == "csv":
        sys.stdout.write(export.csv_text(texts.written(frame)))
    else:
        frame, is_terminal = preview.labelled(frame, labels), sys.stdout.isatty()
        # A change says itself that there is nothing to do, and so does the message below the result.
        says_empty = not len(frame) and not call.is_plan and not front_end.has_summary
        if not is_terminal:  # a program reads the rows
            sys.stdout.write(export.tsv_text(texts.written(frame[list(chosen) or columns.shown_names(frame)])))
            if says_empty:
                front_end.say(empty)
        elif len(frame):
            sys.stdout.write(f"{_drawn(front_end, frame, call, chosen, is_colored=is_colored)}\n")
        elif says_empty:
            sys.stdout.write(f"{empty}\n")


def _drawn(front_end: FrontEnd, frame: pd.DataFrame, call: Call, chosen: Sequence[str], *, is_colored: bool) -> str:
    """Return rows as a table of the terminal's width, or each as lines."""
    width, caption = shutil.get_terminal_size().columns, frame.attrs.get(preview.CAPTION, "")
    if call.command.is_record:
        return "\n\n".join(table.record(row, width, is_colored=is_colored) for row in columns.records(frame))
    see_all = _how_to_see_all(front_end, frame, call)
    if preview.is_of_plan(frame) and not chosen:
        return preview.table(frame, caption=caption, limit=_SCREEN_ROWS, see_all=see_all).text(width)
    frame, shared = _with_shared_errors(frame)
    rows = frame.head(shown_of(len(frame), _SCREEN_ROWS))
    found = columns.columns(rows, chosen)
    drawn = table.table(found, width, is_colored=is_colored)
    drawn = f"{caption}:\n{drawn}" if caption else drawn
    omitted = [column.name for column in table.omitted(found, width)]
    if omitted and not call.command.can_change:  # what is said of a change is its warnings and the next step
        front_end.say_below(f"Columns that do not fit: {', '.join(omitted)}. Use --columns NAMES, or a wider terminal.")
    more = len(frame) - len(rows)
    below = [f"… and {more:,} more; {see_all}"] if more else []
    return "\n".join([drawn, *below, *([table.record(shared, width)] if shared else [])])


def _how_to_see_all(front_end: FrontEnd, frame: pd.DataFrame, call: Call) -> str:
    """Return how to see all rows of a long result. A change is not made again for it: the journal has its tokens."""
    if run_id := frame.attrs.get(RUN):
        return f"to see all: {front_end.program} journal --run {run_id} --output csv"
    filters = "filters, " if "where" in call.params else ""
    return f"use {filters}--to FILE or --output csv"


def _with_shared_errors(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return rows with a short name in place of each long error that several tokens have, and these errors by name.

    The id of its own token, which an error can contain, is left out.
    """
    if "error" not in frame:
        return frame, {}
    errors, ids = frame["error"].fillna(""), frame["token_id"].fillna("") if "token_id" in frame else [""] * len(frame)
    texts = [error.replace(token_id, "…") if token_id else error for error, token_id in zip(errors, ids, strict=True)]
    found = pd.Series(texts, frame.index, dtype=TEXT)
    counts = found[found.str.len() > _LONG_ERROR].value_counts()
    counts = counts[counts > 1]
    names = {text: f"error {number}" for number, text in enumerate(counts.index, start=1)}
    shared = {f"{names[text]} ({pluralize(count, 'token')})": columns.cell(text) for text, count in counts.items()}
    return frame.assign(error=frame["error"].mask(found.isin(list(names)), found.map(names))), shared
