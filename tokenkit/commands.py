"""Everything that can be said after ``%tokens`` or ``tokenkit``, in one table.

A verb stands in ``VERBS`` once: its words, its options, its help, what it runs, and the doors it is offered at. The
parser, the completion, the reference page and the tests are derived from the table (``grammar``); a verb is added by
adding a row.

A verb's function takes the ``Session`` of the door it came through and the parsed options, and returns what Python
would: a frame, a record, a workspace. How that is shown is the door's business.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import pandas as pd

from tokenkit import errors
from tokenkit.review.filters import FILTERS, Filter
from tokenkit.workspace import SANDBOX, Workspace


class Session(Protocol):
    """What a verb needs of the door it came through."""

    def connect(self, target: str | None) -> Workspace:
        """Connect, and make it the workspace that later commands are for."""
        ...

    def workspace(self, profile: str | None) -> Workspace:
        """Return the workspace that a command is for: of the profile, else the one connected to."""
        ...

    def say(self, message: str) -> None:
        """Show the person a line that is not part of the answer."""
        ...


@dataclasses.dataclass(frozen=True)
class Option:
    """An option or a positional of a verb.

    Attributes:
        names: ``("--owner",)``, or ``("token_id",)`` for a positional.
        settings: What argparse is told: ``help``, ``metavar``, ``choices``, ``type`` ….
        completer: From the session to the values that TAB offers, where they are not fixed.
    """

    names: tuple[str, ...]
    settings: Mapping[str, Any]
    completer: Callable[[Session], Iterable[str]] | None = None


def option(*names: str, completer: Callable[[Session], Iterable[str]] | None = None, **settings: Any) -> Option:  # noqa: ANN401
    """Write an option the way argparse's ``add_argument`` is called."""
    return Option(names, settings, completer)


MAGIC, SHELL = "magic", "shell"


@dataclasses.dataclass(frozen=True)
class Verb:
    """One thing that can be said.

    Attributes:
        words: What is typed: ``list``, ``permissions show``.
        help: One line, beginning with a verb.
        run: What it does.
        options: What may follow, beside ``--profile`` where ``needs_workspace``.
        doors: Where it is offered.
        needs_workspace: Whether it works on a workspace, and so takes ``--profile``.
        configure: For a verb whose options stand elsewhere: adds them to its parser.
    """

    words: str
    help: str
    run: Callable[[Session, argparse.Namespace], object]
    options: tuple[Option, ...] = ()
    doors: tuple[str, ...] = (MAGIC, SHELL)
    needs_workspace: bool = True
    configure: Callable[[argparse.ArgumentParser], None] | None = None


def run_connect(session: Session, options: argparse.Namespace) -> Workspace:
    """Connect, and ask the workspace who we are, so that a wrong credential shows here and not later."""
    workspace = session.connect(options.target or options.profile)
    session.say(f"Connected to {workspace.name} as {workspace.me()}.")
    return workspace


def run_list(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """List the tokens that the filters keep."""
    workspace = session.workspace(options.profile)
    criteria = {each.name: getattr(options, each.name) for each in FILTERS}
    tokens = workspace.tokens(options.where, created_by=options.created_by, **criteria)
    session.say(f"{workspace.name}: {len(tokens):,} token{'' if len(tokens) == 1 else 's'}.")
    return _arranged(tokens, options)


def _arranged(tokens: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """Sort, cut and choose columns as the options say."""
    if options.sort:
        name, descending = options.sort.lstrip("-"), options.sort.startswith("-")
        _known_columns([name], tokens)
        tokens = tokens.sort_values(name, ascending=not descending, kind="stable")
    if options.limit is not None:
        tokens = tokens.head(options.limit)
    return tokens[_known_columns(options.columns.split(","), tokens)] if options.columns else tokens


def _known_columns(names: list[str], tokens: pd.DataFrame) -> list[str]:
    for name in names:
        if name not in tokens.columns:
            raise errors.UsageError(f"There is no column {name!r}. {errors.did_you_mean(name, tokens.columns)}")
    return names


def run_sandbox(session: Session, options: argparse.Namespace) -> int:  # noqa: ARG001 - each verb takes a session
    """Serve a make-believe workspace until interrupted."""
    from tokenkit.sandbox.__main__ import serve  # noqa: PLC0415 - a web server, for those who ask for one

    return serve(options)


def _sandbox_options(parser: argparse.ArgumentParser) -> None:
    from tokenkit.sandbox.__main__ import configure  # noqa: PLC0415

    configure(parser)


def run_lab(session: Session, options: argparse.Namespace) -> int:
    """Open JupyterLab on a copy of the guides, with a sandbox behind it."""
    from tokenkit.lab import serve  # noqa: PLC0415 - JupyterLab is an extra

    return serve(session.say, open_browser=not options.no_browser)


def natural(text: str) -> int:
    """Read a whole number from 0 up, for argparse."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def typed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader whose ``UsageError`` argparse passes on; it replaces the words of any other ``ValueError``."""

    def read_for_argparse(text: str) -> Any:  # noqa: ANN401 - as the reader
        try:
            return read(text)
        except errors.UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read_for_argparse


def _value_settings(filter_: Filter) -> dict[str, Any]:
    """Return what argparse is told of a filter's value."""
    if filter_.metavar is None:
        return {"action": "store_true", "default": None}
    return {"metavar": filter_.metavar, "type": typed(filter_.read), "choices": filter_.choices or None}


PROFILE = option("--profile", metavar="NAME", help=f"a profile of ~/.databrickscfg, a host, or {SANDBOX!r}")
_FILTER_OPTIONS = (
    option(
        "--created-by",
        metavar="USER",
        help="made by this user (asked of the server; the other filters are applied here)",
    ),
    *(
        option(
            f"--{each.name.replace('_', '-')}",
            help=each.help,
            **_value_settings(each),
        )
        for each in FILTERS
    ),
    option(
        "--where",
        metavar="EXPR",
        help="an expression over the columns, as in \"idle_days > 60 and owner_kind == 'user'\"",
    ),
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "connect",
        "connect to a workspace and say who we are there",
        run_connect,
        (
            option(
                "target", nargs="?", help=f"a profile, a host, or {SANDBOX!r}; what the environment names, if left out"
            ),
        ),
    ),
    Verb(
        "list",
        "list tokens with their owners, ages and ends",
        run_list,
        (
            *_FILTER_OPTIONS,
            option("--columns", metavar="NAMES", help="only these columns, separated by commas"),
            option(
                "--sort",
                metavar="COLUMN",
                help="sort by this column; -COLUMN for the other way round (--sort=-idle_days)",
            ),
            option("--limit", metavar="N", type=natural, help="only the first N"),
        ),
    ),
    Verb(
        "sandbox",
        "serve a make-believe workspace to try things on",
        run_sandbox,
        doors=(SHELL,),
        needs_workspace=False,
        configure=_sandbox_options,
    ),
    Verb(
        "lab",
        "open JupyterLab on a copy of the guides, with a sandbox behind it",
        run_lab,
        (option("--no-browser", action="store_true", help="print the address and open nothing"),),
        doors=(SHELL,),
        needs_workspace=False,
    ),
)
