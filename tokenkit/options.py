"""What may follow a verb: options and positionals, and those that several verbs share.

Completers offer what TAB completes where the values are not fixed; ``typed`` lets a reader's own words reach whoever
typed.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tokenkit import errors
from tokenkit.connecting import SANDBOX
from tokenkit.rest import credentials
from tokenkit.review.filters import FILTERS, Filter
from tokenkit.verbs import auditing
from tokenkit.verbs.saved import moment
from tokenkit.verbs.session import Session

MAGIC, SHELL = "magic", "shell"
BOTH = (MAGIC, SHELL)


@dataclasses.dataclass(frozen=True)
class Option:
    """An option or a positional of a verb.

    Attributes:
        names: ``("--owner",)``, or ``("token_id",)`` for a positional.
        settings: What argparse is told: ``help``, ``metavar``, ``choices``, ``type`` ….
        completer: From the session to the values that TAB offers, where they are not fixed.
        doors: Where it is offered.
    """

    names: tuple[str, ...]
    settings: Mapping[str, Any]
    completer: Callable[[Session], Iterable[str]] | None = None
    doors: tuple[str, ...] = BOTH


def option(
    *names: str,
    completer: Callable[[Session], Iterable[str]] | None = None,
    doors: tuple[str, ...] = BOTH,
    **settings: Any,  # noqa: ANN401 - as argparse takes them
) -> Option:
    """Write an option the way argparse's ``add_argument`` is called."""
    return Option(names, settings, completer, doors)


def natural(text: str) -> int:
    """Read a whole number from 0 up, for argparse."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number")
    return int(text)


def names(text: str) -> list[str]:
    """Read words with commas between, for argparse."""
    found = [each.strip() for each in text.split(",") if each.strip()]
    if not found:  # a variable that is not set; what an option that is left out means may be much
        raise argparse.ArgumentTypeError("expected at least one name")
    return found


def typed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a reader whose ``UsageError`` argparse passes on; it replaces the words of any other ``ValueError``."""

    def read_for_argparse(text: str) -> Any:  # noqa: ANN401 - as the reader
        try:
            return read(text)
        except errors.UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read_for_argparse


def profiles(_: Session) -> list[str]:
    """Offer what ``connect`` takes by name."""
    return [*credentials.profiles(), SANDBOX]


def _remembered(column: str) -> Callable[[Session], list[str]]:
    """Return a completer that offers what the last listing has in a column."""

    def offer(session: Session) -> list[str]:
        listing = session.remembered()
        return [] if listing is None or column not in listing else listing[column].dropna().unique().tolist()

    return offer


def _filter_option(filter_: Filter) -> Option:
    settings: dict[str, Any] = {"action": "store_true", "default": None}
    if filter_.metavar is not None:
        settings = {
            "action": "append",
            "metavar": filter_.metavar,
            "type": typed(filter_.read),
            "choices": filter_.choices or None,
        }
    completer = _remembered(filter_.columns[0]) if filter_.names_principals else None
    again = "" if filter_.metavar is None else "; may be given again, to add to it"
    return option(f"--{filter_.name.replace('_', '-')}", help=f"{filter_.help}{again}", completer=completer, **settings)


PROFILE = option(
    "--profile", metavar="NAME", help=f"a profile of ~/.databrickscfg, a host, or {SANDBOX!r}", completer=profiles
)
WHERE = option(
    "--where",
    metavar="EXPR",
    help="an expression over the columns, as in \"idle_days > 60 and owner_kind == 'user'\"",
)
FILTERED = (
    *(_filter_option(each) for each in FILTERS),
    WHERE,
)
SELECTION = (
    *FILTERED,
    option("--sort", metavar="COLUMN", help="sort by this column; -COLUMN for the other way round (--sort=-idle_days)"),
    option("--limit", metavar="N", type=natural, help="only the first N"),
)
COLUMNS = option(
    "--columns", action="extend", metavar="NAMES", type=names, help="show only these columns, separated by commas"
)
TO = option("--to", metavar="FILE", help="write them into this file instead: .csv, .json or .xlsx (Excel)")
FROM = (
    option(
        "--from",
        metavar="FILE",
        dest="from_file",
        help="read a saved listing instead of a workspace: a snapshot, or JSON of the API or the official CLI",
    ),
    option(
        "--as-of",
        metavar="DATE",
        type=typed(moment),
        help="the moment that ages count from, if the file has none (now, if left out)",
    ),
)
TOKEN_ID = option(
    "token_id", metavar="ID", help="a token's id, or the beginning of it", completer=_remembered("token_id")
)
ALLOW_NONE = option(
    "--allow-none",
    action="store_true",
    help="succeed where the owner or creator is unknown, as in a job that runs every night",
)
ALLOW_UNKNOWN = option(
    "--allow-unknown", action="store_true", help="also take a scope that looks like a known one misspelt"
)
CONFIRMED = (
    option("--dry-run", action="store_true", help="show what would happen, and stop"),
    option("--yes", action="store_true", help="do not ask"),
)
CHANGE = (option("--reason", metavar="TEXT", help="why, for the journal"), *CONFIRMED)


def token_ids(nargs: str) -> Option:
    """Return the positional for several ids, as many as ``nargs`` says to argparse."""
    return dataclasses.replace(TOKEN_ID, names=("token_ids",), settings={**TOKEN_ID.settings, "nargs": nargs})


ENTRIES = option(
    "entries",
    nargs="+",
    metavar="ENTRY",
    help="group:NAME, user:NAME or service-principal:NAME (or its application id), with =CAN_MANAGE if not CAN_USE",
)
ALLOW_PROTECTED = option(
    "--allow-protected",
    action="append",
    metavar="ID",
    help="let the change cost this protected token; may be given again",
)
RULES = (
    option(
        "--rule",
        action="append",
        dest="rules",
        metavar="RULE",
        help="only this rule, by its id or the Security Analysis Tool's (IA-4); may be given again",
        completer=auditing.rule_ids,
    ),
    option(
        "--skip",
        action="append",
        metavar="RULE",
        help="leave this rule out; may be given again",
        completer=auditing.rule_ids,
    ),
    option(
        "--threshold",
        action="append",
        dest="thresholds",
        metavar="RULE.NAME=VALUE",
        type=typed(auditing.threshold_of),
        help="compare with this instead, as in unused.idle_days=45; may be given again",
        completer=auditing.threshold_names,
    ),
    option("--accept", metavar="FILE", help="a TOML file of findings that are accepted, each until a day"),
)
OF_FLEET = (
    option("--profiles", metavar="NAMES", help="profiles or hosts, separated by commas"),
    option(
        "--account",
        metavar="NAME",
        help="a profile of an account, or the host of its console: all its workspaces",
        completer=profiles,
    ),
    option("--account-id", metavar="ID", help="which account, where --account is a host"),
)
