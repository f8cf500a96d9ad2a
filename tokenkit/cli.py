"""The front end for a shell: ``tokenkit``.

The result goes to standard output and all messages go to standard error, so that a pipe contains only the result. Exit
codes:

===  ===========================================================================================
0    success; tokens that were left out or skipped on purpose are not failures
1    a change is incomplete (a token failed, is unknown, is still listed or was not reached), or
     its final listing could not be read, ``undo`` could restore nothing, ``revoke`` or ``update``
     could change none of the token IDs that were given, ``audit --fail-on`` has findings, or
     ``find-leaked`` found a value
2    usage error
3    the workspace returned an error or cannot be read, ``audit --fail-on`` has no findings but could
     not check a rule of that severity, a report has values that cannot be compared, or some of the
     token IDs given to ``get`` or ``usage`` do not exist
70   internal error of tokenkit, or the result cannot be printed
130  interrupted, also if a run was interrupted and its outcomes are printed
===  ===========================================================================================
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenkit import errors
from tokenkit.commands import completion, defaults, parser
from tokenkit.commands.options import SHELL
from tokenkit.commands.session import FrontEnd
from tokenkit.core.installation import warn_of_other_distribution
from tokenkit.core.printable import printable
from tokenkit.core.prompt import ask_unseen
from tokenkit.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tokenkit.commands.parser import Call
    from tokenkit.fleets.fleet import Fleet
    from tokenkit.review.preview import Preview
    from tokenkit.workspaces.base import AnyWorkspace
    from tokenkit.workspaces.workspace import Workspace

_USAGE, _UNREADABLE, _FAILED, _INTERRUPTED = 2, 3, 70, 130
_NOWHERE = Path(os.devnull)
_LONGEST_LINE = 4_000
_OBJECTS_PER_COLLECTION = 200_000
"""More than the 120,000 that the imports and a listing make, almost none of which are garbage. To visit them takes 50
ms with Python's 700 (2,000 as of 3.13), 25 ms with 50,000, and 4 ms with this (measured)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command, and return the exit code."""
    if argv is None:  # the process is one command: what its imports make stays, and is not visited again and again
        gc.set_threshold(_OBJECTS_PER_COLLECTION)
    if sys.stdout is None:
        return _fail("Standard output is closed.", _FAILED)
    sys.stdin = sys.stdin or _NOWHERE.open(encoding="utf-8")
    sys.stderr = sys.stderr or _NOWHERE.open("w", encoding="utf-8")
    try:
        code = _run(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as failure:  # noqa: BLE001 - a traceback can show values, and Python would exit with 1, which means findings
        _drop_output()
        return _fail(_unexpected(failure), _FAILED)
    return code


def _run(argv: Sequence[str]) -> int:
    """Run one command, print expected errors, and return the exit code."""
    session = _ShellSession()
    try:
        if (code := completion.completed_for_shell(session)) is not None:
            return code
        # What a run did must be known, also if it was interrupted or its result cannot be shown.
        with contextlib.closing(session):
            warn_of_other_distribution()
            call = parser.parse(argv, SHELL)
            session.apply(call.printing)
            return _print_result(session, call, call.run(session)) or (_UNREADABLE if session.has_failures else 0)
    except parser.HelpRequested as help_text:
        with _allow_closed_pipe():
            sys.stdout.write(f"{help_text}\n")
        return 0
    except (errors.UsageError, errors.ConfigurationError) as error:
        return _fail(str(error), _USAGE)
    except errors.TokenKitError as error:
        return _fail(str(error), _UNREADABLE)


def _print_result(session: _ShellSession, call: Call, result: object) -> int:
    """Print the result of a command, and return the exit code."""
    from tokenkit.commands import printing  # noqa: PLC0415 - needs pandas, as the command that just ran

    code = printing.exit_code(result, call)
    with _allow_closed_pipe():
        printing.write_result(session, call, result, labels=session.labels, is_colored=session.is_colored)
    printing.say_what_failed(session, call, result, code)
    return code


def _fail(message: str, code: int) -> int:
    _write_message(f"tokenkit: {_one_line(message)}")
    return code


def _one_line(message: str) -> str:
    """Return a message on one line, redacted and printable. Messages can quote user input, and logs keep them."""
    line = printable(redact(message))
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} … {line[-half:]}"  # the end contains the next step


def _write_message(line: str) -> None:
    """Write a line to standard error. Errors are ignored: the exit code and the result still report the outcome."""
    with contextlib.suppress(OSError, AttributeError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


@contextlib.contextmanager
def _allow_closed_pipe() -> Iterator[None]:
    """Allow a closed pipe, as in `tokenkit audit | head`, without a change of the exit code."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()


def _unexpected(failure: Exception) -> str:
    """Return a one-line message about an unexpected exception, without its own message, which may contain a value."""
    if isinstance(failure, UnicodeEncodeError):
        encoding = failure.encoding
        return f"Standard output cannot encode the result: its encoding is {encoding}. Set PYTHONIOENCODING=utf-8."
    if isinstance(failure, OSError) and failure.strerror:
        return f"Operating system error: {failure.strerror}."
    import traceback  # noqa: PLC0415 - only for this

    frame = traceback.extract_tb(failure.__traceback__)[-1]
    return f"Unexpected {type(failure).__name__} in {Path(frame.filename).name}, line {frame.lineno}. Please report it."


def _drop_output() -> None:
    """Discard the remaining output if it cannot be written; otherwise Python reports an error at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(_NOWHERE, os.O_WRONLY), sys.stdout.fileno())


class _ShellSession(FrontEnd):
    """The front end of one command. Messages about the result are printed after it: a long table would hide them."""

    program = parser.program(SHELL)

    def __init__(self) -> None:
        self._fleet: Fleet | None = None
        self._summary: list[str] = []
        self._conclusions: list[str] = []
        self._is_quiet = False
        self._is_partial = False
        self._is_colorless = bool(os.getenv("NO_COLOR"))

    def apply(self, printing: Mapping[str, Any]) -> None:
        """Apply the options ``--quiet``, ``--no-color`` and ``--now``."""
        self.now = printing.get("now")
        self._is_quiet = bool(printing.get("quiet"))
        self._is_colorless |= bool(printing.get("no_color"))

    @property
    def is_colored(self) -> bool:
        """Whether tables have colors: on a terminal, unless ``NO_COLOR`` or ``--no-color`` is set."""
        return sys.stdout.isatty() and not self._is_colorless and os.getenv("TERM") != "dumb"

    @property
    def labels(self) -> Mapping[str, str]:
        """The names of the workspaces of a fleet, by address."""
        return {} if self._fleet is None else self._fleet.labels

    @property
    def has_failures(self) -> bool:
        """Whether a workspace of a fleet failed, or something that was asked for is missing: the result is partial."""
        if self._fleet is None or self._is_partial:
            return self._is_partial
        from tokenkit.fleets.members import DISCOVER  # noqa: PLC0415 - as above

        return bool((self._fleet.errors["operation"] != DISCOVER).any())

    @property
    def shows_progress(self) -> bool:
        return sys.stderr.isatty() and not self._is_quiet

    @property
    def has_summary(self) -> bool:
        return bool(self._summary) and sys.stderr.isatty()

    def connect(self, target: str | None) -> Workspace:
        from tokenkit.workspaces.connect import connect  # noqa: PLC0415 - as above

        workspace = connect(target, clock=self.now)
        self._check_now([workspace.host])
        return workspace

    def holder_of(self, run_id: str) -> AnyWorkspace:
        from tokenkit.fleets.connect import holder_of  # noqa: PLC0415 - as above

        holder = holder_of(run_id, clock=self.now)
        self._check_now(holder.hosts)
        return holder

    def fleet(self, profiles: str | None, account: str | None, account_id: str | None) -> Fleet:
        from tokenkit.commands.fleet import fleet_of  # noqa: PLC0415 - as above

        self._fleet = fleet_of(profiles, account, account_id, now=self.now)
        self._check_now(self._fleet.hosts)
        return self._fleet

    def _check_now(self, hosts: Iterable[str]) -> None:
        """Check that all hosts are this machine's, if ``--now`` was given."""
        from tokenkit.rest.hosts import is_loopback  # noqa: PLC0415 - as above

        others = [] if self.now is None else [host for host in hosts if not is_loopback(host)]
        if others:
            raise errors.UsageError(f"--now is for a sandbox on this machine, not for {others[0]}. Remove --now.")

    def known(self, column: str, profiles: Sequence[str] = ()) -> list[str]:
        """Return the values of a column of the newest snapshot, on this computer, of each selected workspace; without a
        selection, of the one that the environment or the default profile names, or of any.
        """
        from tokenkit.commands import recorded  # noqa: PLC0415 - only for completion

        named = os.getenv("DATABRICKS_CONFIG_PROFILE") or os.getenv("DATABRICKS_HOST")
        if not named:
            with contextlib.suppress(errors.ConfigurationError):  # running the command reports it
                named = defaults.read().profile
        return recorded.values(column, profiles or ([named] if named else []))

    def say(self, message: str) -> None:
        """Write to standard error after the result, if it is a terminal."""
        if sys.stderr.isatty() and not self._is_quiet:
            self._summary.append(message)

    def say_below(self, message: str) -> None:
        """Write to standard error before the other messages about the result, if it is a terminal."""
        if sys.stderr.isatty() and not self._is_quiet:
            self._summary.insert(0, message)

    def warn_last(self, message: str) -> None:
        """Write to standard error after the result."""
        self._summary.append(message)

    def warn_partial(self, message: str) -> None:
        self._is_partial = True
        self.warn_last(message)

    def hint(self, message: str) -> None:
        """Write to standard error after the result, without ``--quiet``."""
        if not self._is_quiet:
            self.warn_last(message)

    def sum_up(self) -> None:
        """Write the collected messages."""
        for message in self._summary:
            self.warn(message)
        self._summary.clear()

    def conclude(self, message: str) -> None:
        """Write to standard error as the last message."""
        self._conclusions.append(message)

    def close(self) -> None:
        """Write the collected messages, and the last ones."""
        self.sum_up()
        for message in self._conclusions:
            self.warn(message)
        self._conclusions.clear()

    def warn(self, message: str) -> None:
        """Write to standard error."""
        _write_message(_one_line(message))

    def show(self, in_short: Preview, *, is_asked: bool = True) -> None:
        if self._is_quiet and not is_asked:
            return
        self.sum_up()
        height = shutil.get_terminal_size().lines if sys.stderr.isatty() and is_asked else None
        sys.stderr.write(f"{in_short.text(height=height)}\n")

    def ask(self, question: str) -> str | None:
        if not sys.stdin.isatty():
            return None
        self.sum_up()
        sys.stderr.write(printable(question))
        sys.stderr.flush()
        reply = ""
        try:
            reply = sys.stdin.readline()
        finally:
            if not reply:  # Ctrl-C or Ctrl-D: the cursor is still behind the question
                sys.stderr.write("\n")
        return reply

    def ask_unseen(self, question: str) -> str | None:
        return ask_unseen(question) if sys.stdin.isatty() else None
