"""The door for a shell: ``tokenkit``.

The answer goes to standard output and everything else to standard error, so that a pipe carries only the answer. Exit
codes:

===  ===========================================================================================
0    done; a token that was left out or skipped on purpose is no failure
1    not all of a change was done (a token failed, is unknown, is still listed or was not reached),
     ``audit --fail-on`` found something, or ``find-leaked`` found a value
2    called wrongly
3    the workspace said no or could not be read, or a report has values that cannot be compared
70   tokenkit itself failed, or the answer could not be printed
130  interrupted, also where a run was ended by it and its outcomes are printed
===  ===========================================================================================
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from tokenkit import errors, export, frames, grammar
from tokenkit.actions import preview
from tokenkit.actions.plan import remaining
from tokenkit.actions.preview import Preview
from tokenkit.connecting import connect
from tokenkit.fleet import Fleet
from tokenkit.frames import TokenInfo
from tokenkit.options import SHELL
from tokenkit.printable import printable
from tokenkit.prompt import ask_unseen
from tokenkit.redaction import redact
from tokenkit.rest.token_management import OboToken
from tokenkit.review.audit import Audit
from tokenkit.review.leaks import Leaks
from tokenkit.verbs.comparing import say_how_to_revoke
from tokenkit.verbs.fleets import fleet_of
from tokenkit.workspace import Workspace

_FINDINGS, _UNFINISHED, _USAGE, _UNREADABLE, _FAILED, _INTERRUPTED = 1, 1, 2, 3, 70, 130
# What of a listing fits 80 columns; --columns asks for others, and json and csv carry everything.
_TABLE_COLUMNS = ("workspace", "token_id", "owner", "comment", "status", "expiry_time", "last_used_day")
_NEVER_IN_A_TABLE = ("snapshot", "host", "run_started_at", "started_at", "why", "remedy")
_NOWHERE = Path(os.devnull)
_SHORT_ID = 12
_SHORT_WIDTH = 14
_BORDER = 2
_SCREEN_ROWS = 500


def main(words: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code."""
    if sys.stdout is None:
        return _fail("Standard output is closed.", _FAILED)
    sys.stdin = sys.stdin or _NOWHERE.open(encoding="utf-8")
    sys.stderr = sys.stderr or _NOWHERE.open("w", encoding="utf-8")
    try:
        code = _run(sys.argv[1:] if words is None else words)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as failure:  # noqa: BLE001 - a traceback could show values, and its exit code means findings
        _drop_output()
        return _fail(_unexpected(failure), _FAILED)
    return code


def _run(words: Sequence[str]) -> int:
    """Run one command, and return the exit code; of errors that are expected, too."""
    try:
        session = _ShellSession()
        if "_ARGCOMPLETE" in os.environ:
            _complete(session)
        verb, options = grammar.parse(words, SHELL)
        return _answered(session, verb.run(session, options), options) or (_UNREADABLE if session.has_failures else 0)
    except grammar.HelpAsked as help_text:
        with _until_read():
            sys.stdout.write(f"{help_text}\n".replace("\n\n\n", "\n\n"))
        return 0
    except (errors.UsageError, errors.ConfigurationError) as error:
        return _fail(str(error), _USAGE)
    except errors.TokenKitError as error:
        return _fail(str(error), _UNREADABLE)


def _answered(session: _ShellSession, answer: object, options: argparse.Namespace) -> int:
    """Print what a verb answered, and return the exit code."""
    if isinstance(answer, int):
        return answer
    code = _UNFINISHED if answer is None else _code_of(answer)
    if isinstance(answer, Audit):
        code = _FINDINGS if options.fail_on and answer.fails(options.fail_on) else 0
        answer = answer.summary if options.summary else answer.findings
    if isinstance(answer, Leaks):
        found = _FINDINGS if answer.looked_for and not options.exit_zero else 0
        code = found or (_UNREADABLE if len(answer.not_comparable) else 0)
    with _until_read():
        if isinstance(answer, OboToken) and options.show_value:
            sys.stdout.write(f"{answer.token_value}\n")
        elif answer is not None:
            _write(answer, options.output, chosen=bool(getattr(options, "columns", None)))
    if isinstance(answer, Leaks):
        say_how_to_revoke(session, answer, options)
    return code


def _fail(message: str, code: int) -> int:
    # What was typed stands in some messages, and standard error in many logs.
    _tell(f"tokenkit: {printable(redact(message))}")
    return code


def _tell(line: str) -> None:
    """Write a line to standard error. Where it cannot be written, the exit code and the answer have to do."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def _until_read() -> Iterator[None]:
    """Write an answer. `tokenkit audit | head` closes the pipe early, which changes nothing about the exit code."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()


def _unexpected(failure: Exception) -> str:
    """Return one line about what nobody foresaw, without what the failure is about: that may be a value."""
    if isinstance(failure, UnicodeEncodeError):
        encoding = failure.encoding
        return f"Standard output cannot hold the answer, as its encoding is {encoding}. Use PYTHONIOENCODING=utf-8."
    if isinstance(failure, OSError) and failure.strerror:
        return f"The system refused: {failure.strerror}."
    frame = traceback.extract_tb(failure.__traceback__)[-1]
    return f"Unexpected {type(failure).__name__} in {Path(frame.filename).name}, line {frame.lineno}. Please report it."


def _drop_output() -> None:
    """Where output cannot be written, let the rest of it go nowhere: Python would complain once more at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(_NOWHERE, os.O_WRONLY), sys.stdout.fileno())


class _ShellSession:
    """A session of one command."""

    returns_objects = False
    program = grammar.program(SHELL)

    def __init__(self) -> None:
        self._fleet: Fleet | None = None

    @property
    def has_failures(self) -> bool:
        """Whether a workspace of a fleet failed, so that the answer is partial."""
        return self._fleet is not None and len(self._fleet.errors) > 0

    @property
    def shows_progress(self) -> bool:
        return sys.stderr.isatty()

    def connect(self, target: str | None) -> Workspace:
        return connect(target)

    def workspace(self, profile: str | None) -> Workspace:
        return connect(profile)

    @property
    def in_hand(self) -> Workspace | None:
        return None

    def fleet(self, profiles: str | None, account: str | None, account_id: str | None) -> Fleet:
        self._fleet = fleet_of(profiles, account, account_id)
        return self._fleet

    def say(self, message: str) -> None:
        """Write to standard error, where a person sees it; quiet in a pipe."""
        if sys.stderr.isatty():
            self.warn(message)

    def warn(self, message: str) -> None:
        """Write to standard error in any case."""
        _tell(printable(message))

    def show(self, in_short: Preview) -> None:
        sys.stderr.write(f"{in_short.text()}\n")

    def ask(self, question: str) -> str | None:
        if not sys.stdin.isatty():
            return None
        sys.stderr.write(printable(question))
        sys.stderr.flush()
        return sys.stdin.readline()

    def ask_unseen(self, question: str) -> str | None:
        return ask_unseen(question) if sys.stdin.isatty() else None

    def keep(self, name: str, value: str, *, in_environment: bool) -> None:  # noqa: ARG002 - nothing is kept
        raise errors.UsageError("A shell's variables are out of reach of a command it runs.")

    def remember(self, listing: pd.DataFrame) -> None:
        """Do nothing: the process ends with the command."""

    def remembered(self) -> pd.DataFrame | None:
        return None


def _complete(session: _ShellSession) -> None:
    """Answer a shell that asks what the command line could become, and end the process."""
    import argcomplete  # noqa: PLC0415 - only completion needs it

    argcomplete.autocomplete(grammar.tree(SHELL, session), always_complete_options="long")


def _code_of(answer: object) -> int:
    """Return the exit code of a change: whether it was interrupted, or ended with tokens that were not done."""
    if not isinstance(answer, pd.DataFrame) or not {"outcome", "attempts"} <= set(answer.columns) or "run_id" in answer:
        return 0
    if answer.attrs.get("ended_by") == "interrupt":
        return _INTERRUPTED
    return _UNFINISHED if remaining(answer) else 0


def _write(answer: object, output: str, *, chosen: bool) -> None:
    """Print an answer in the form that was asked for; of one that went into a file, where that is."""
    if isinstance(answer, Path):
        sys.stdout.write(f"{printable(str(answer))}\n")
        return
    frame = as_frame(answer)
    if output == "json":
        sys.stdout.write(f"{export.json_text(frame)}\n")
    elif output == "csv":
        sys.stdout.write(export.csv_text(frame))
    else:
        _print_table(frame if chosen else _narrow(frame))


def _narrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a listing that fit a terminal; any other frame as it is."""
    if not set(frames.TOKEN_COLUMNS) <= set(frame.columns):
        return frame.drop(columns=[name for name in _NEVER_IN_A_TABLE if name in frame])
    return frame[[name for name in _TABLE_COLUMNS if name in frame.columns]]


def as_frame(answer: object) -> pd.DataFrame:
    """Return what a verb answered as rows."""
    if isinstance(answer, TokenInfo):
        return frames.frame([answer.as_dict()], frames.TOKENS)
    if isinstance(answer, OboToken):
        return as_frame(answer.token_info)
    if isinstance(answer, Workspace):
        return pd.DataFrame({"workspace": [answer.name], "host": [answer.host]})
    if isinstance(answer, Audit):
        return answer.findings
    if isinstance(answer, Leaks):
        return answer.tokens
    assert isinstance(answer, pd.DataFrame), type(answer)
    return answer


def _print_table(frame: pd.DataFrame) -> None:
    """Print a table as wide as the terminal; into a pipe, as wide as its content and with whole ids."""
    to = sys.stdout
    from rich import box  # noqa: PLC0415 - only a table needs it
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    on_screen = to.isatty()
    if on_screen and preview.WARNINGS in frame:
        to.write(f"{preview.table(frame, limit=_SCREEN_ROWS).text()}\n")
        return
    text = export.terminal_text(frame.head(_SCREEN_ROWS) if on_screen else frame)
    if not len(text):
        to.write("Nothing found.\n")
        return
    if not on_screen:
        to.write(export.plain_table(text))
        return
    if "token_id" in text.columns:
        text["token_id"] = text["token_id"].str.slice(stop=_SHORT_ID)
    console = Console(file=to)
    widths = {str(name): max(len(str(name)), int(text[name].str.len().max())) for name in text.columns}
    # What is short is shown whole; the long ones share what the terminal has left.
    long = [name for name, width in widths.items() if width > _SHORT_WIDTH]
    left = console.width - sum(width for name, width in widths.items() if name not in long) - _BORDER * len(widths)
    share = max(left // len(long), _SHORT_ID) if long else 0
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for name in widths:
        table.add_column(Text(name), no_wrap=True, overflow="ellipsis", max_width=share if name in long else None)
    for row in text.itertuples(index=False):
        table.add_row(*map(Text, row))
    console.print(table)
    if len(frame) > len(text):
        _tell(f"… and {len(frame) - len(text):,} more: add filters, --limit, or --output csv.")
