"""Everything that can be said after ``%tokens`` or ``tokenkit``, in one table.

A verb stands in ``VERBS`` once: its words, its options, its help, what it runs, and the doors it is offered at. The
parser, the completion, the reference page and the tests are derived from the table (``grammar``); a verb is added by
adding a row.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from tokenkit.connecting import SANDBOX
from tokenkit.options import (
    ALLOW_NONE,
    ALLOW_PROTECTED,
    ALLOW_UNKNOWN,
    BOTH,
    CHANGE,
    COLUMNS,
    CONFIRMED,
    ENTRIES,
    FILTERED,
    FROM,
    MAGIC,
    OF_FLEET,
    RULES,
    SELECTION,
    SHELL,
    TO,
    TOKEN_ID,
    WHERE,
    Option,
    names,
    option,
    profiles,
    token_ids,
    typed,
)
from tokenkit.review.durations import lifetime
from tokenkit.review.rule import SEVERITIES
from tokenkit.verbs import auditing, changing, comparing, fleets, programs, reading, saved, screens
from tokenkit.verbs.session import Session


@dataclasses.dataclass(frozen=True)
class Verb:
    """One thing that can be said.

    Attributes:
        words: What is typed: ``list``, ``permissions show``.
        help: One line, beginning with a verb.
        run: What it does.
        options: What may follow, beside ``--profile`` where ``needs_workspace``.
        example: What somebody would really type after the program's name.
        doors: Where it is offered.
        needs_workspace: Whether it works on a workspace, and so takes ``where``.
        where: The options that say which workspace; ``--profile`` where there are none.
        configure: For a verb whose options stand elsewhere: adds them to its parser.
    """

    words: str
    help: str
    run: Callable[[Session, argparse.Namespace], object]
    options: tuple[Option, ...] = ()
    example: str = ""
    doors: tuple[str, ...] = BOTH
    needs_workspace: bool = True
    where: tuple[Option, ...] = ()
    configure: Callable[[argparse.ArgumentParser], None] | None = None


VERBS: tuple[Verb, ...] = (
    Verb(
        "connect",
        "connect to a workspace and say who we are there",
        reading.connect,
        (
            option(
                "target",
                nargs="?",
                help=f"a profile, a host, or {SANDBOX!r}; what the environment names, if left out",
                completer=profiles,
            ),
        ),
        example="connect prod",
    ),
    Verb(
        "list",
        "list tokens with their owners, ages and ends",
        saved.or_saved(reading.list_tokens),
        (*SELECTION, COLUMNS, TO, *FROM),
        example="list --idle 60d --status active --sort=-idle_days",
    ),
    Verb("get", "show what the workspace knows of one token", reading.get, (TOKEN_ID,), example="get 3f1c9a0b"),
    Verb(
        "create-obo",
        "make a token that acts as a service principal; its value is not printed",
        changing.create_obo,
        (
            option("service_principal", metavar="SERVICE_PRINCIPAL", help="its application id, or its display name"),
            option("--comment", metavar="TEXT", help="what the token is for"),
            option(
                "--lifetime",
                metavar="90d",
                type=typed(lifetime),
                help="how long it lives (2 years or the workspace's maximum, if left out)",
            ),
            option(
                "--scopes",
                action="extend",
                metavar="NAMES",
                type=names,
                help="what it may do, separated by commas (all that its owner may, if left out)",
            ),
            ALLOW_UNKNOWN,
            option("--autoscope", action="store_true", default=None, help="record which scopes it really uses"),
            option("--secret", metavar="SCOPE/KEY", help="put the value into this Databricks secret"),
            option("--overwrite", action="store_true", help="replace the secret if it exists"),
            option("--variable", metavar="NAME", help="put the value into this variable", doors=(MAGIC,)),
            option("--env", metavar="NAME", help="put the value into this environment variable", doors=(MAGIC,)),
            option("--show-value", action="store_true", help="print the value and nothing else", doors=(SHELL,)),
        ),
        example="create-obo terraform --lifetime 90d --secret ops/terraform-token",
    ),
    Verb(
        "update",
        "give tokens another comment or other scopes",
        changing.update,
        (
            token_ids("+"),
            option("--comment", metavar="TEXT", help="the new comment"),
            option(
                "--scopes", action="extend", metavar="NAMES", type=names, help="the new scopes, separated by commas"
            ),
            ALLOW_UNKNOWN,
            *CHANGE,
        ),
        example='update 3f1c9a0b --comment "nightly export, data team"',
    ),
    Verb(
        "revoke",
        "revoke tokens for good, after a preview",
        changing.revoke,
        (
            token_ids("*"),
            *SELECTION,
            option("--include-own", action="store_true", help="also your own tokens, which are left out otherwise"),
            ALLOW_NONE,
            *CHANGE,
        ),
        example="revoke --owner 'jane@example.com' --reason 'left the company'",
    ),
    Verb(
        "scopes",
        "show what tokens may do and what they are known to do, and narrow them to it",
        saved.or_saved(changing.scopes),
        (
            *FILTERED,
            *FROM,
            option("--narrow", action="store_true", help="give each the smallest set of scopes that covers its use"),
            ALLOW_NONE,
            *CHANGE,
        ),
        example="scopes --owner '*@example.com' --narrow --dry-run",
    ),
    Verb(
        "permissions show",
        "show who may use tokens",
        reading.permissions_show,
        example="permissions show",
    ),
    Verb(
        "permissions levels",
        "show the levels that can be granted",
        reading.permissions_levels,
        example="permissions levels",
    ),
    Verb(
        "permissions set",
        "replace who may use tokens; whoever loses the right loses their tokens",
        changing.permissions_set,
        (ENTRIES, ALLOW_PROTECTED, *CHANGE),
        example="permissions set group:data-engineers user:ann@example.com --dry-run",
    ),
    Verb(
        "permissions add",
        "add to who may use tokens, or change a level",
        changing.permissions_add,
        (ENTRIES, ALLOW_PROTECTED, *CHANGE),
        example="permissions add group:analysts",
    ),
    Verb(
        "access",
        "show everybody who may use tokens or holds one, by which groups, and how many",
        reading.access,
        (dataclasses.replace(WHERE, settings={**WHERE.settings, "help": "an expression over the columns"}),),
        example="access --where holds_without_right",
    ),
    Verb(
        "explore",
        "filter, select and change tokens on a screen; in a notebook only",
        saved.or_saved(screens.explore),
        (
            *FROM,
            option("--where", metavar="EXPR", help="only tokens for which this expression over the columns holds"),
            option("--plain", action="store_true", help="a plain list, where the table does not appear"),
        ),
        example="explore --where \"status == 'active'\"",
    ),
    Verb(
        "audit",
        "find the dangerous tokens, and say why and what to do",
        saved.or_saved(auditing.audit),
        (
            *RULES,
            *FROM,
            option(
                "--fail-on",
                choices=SEVERITIES,
                help="exit with 1 on findings of this severity or worse that are not accepted",
                doors=(SHELL,),
            ),
            option(
                "--summary", action="store_true", help="print a row for each rule, not each finding", doors=(SHELL,)
            ),
        ),
        example="audit --skip expires-soon --accept accepted.toml",
    ),
    Verb(
        "report",
        "audit the tokens, and write what was found into a page to send around",
        saved.or_saved(auditing.report),
        (
            *RULES,
            *FROM,
            option(
                "--to",
                metavar="FILE",
                default="audit.html",
                help="the file: .html (a page), .xlsx (Excel), .csv or .json (default: audit.html)",
            ),
        ),
        example="report --accept accepted.toml --to audit.html",
    ),
    Verb(
        "journal",
        "show what was done to the workspace's tokens from here",
        reading.journal,
        (
            option("--run", metavar="RUN_ID", dest="run_id", help="only this run"),
            option("--runs", action="store_true", help="a row for each run: what it was, and how much is left"),
        ),
        example="journal --runs",
    ),
    Verb(
        "resume",
        "finish a run that was stopped, killed or staged",
        changing.resume,
        (option("run_id", metavar="RUN_ID", help="as the run and `journal --runs` name it"), *CONFIRMED),
        example="resume 20260301-093000-1a2b3c4d",
    ),
    Verb(
        "undo",
        "put back the comments and scopes that an update changed",
        changing.undo,
        (option("run_id", metavar="RUN_ID", help="as the run and `journal --runs` name it"), *CHANGE),
        example="undo 20260301-093000-1a2b3c4d",
    ),
    Verb(
        "snapshot",
        "save the listing as a Parquet file, to compare with later",
        comparing.snapshot,
        (
            option(
                "path",
                nargs="?",
                metavar="PATH",
                help="a folder, or a file that ends in .parquet; beside the journal, if left out",
            ),
        ),
        example="snapshot",
    ),
    Verb(
        "changes",
        "show what changed since a snapshot, and why tokens are gone",
        saved.or_saved(comparing.changes),
        (
            *FROM,
            option(
                "before",
                nargs="?",
                default=comparing.LATEST,
                metavar="BEFORE",
                help="a snapshot's file; the workspace's newest, if left out or the word latest",
            ),
            option("after", nargs="?", metavar="AFTER", help="a later one; the workspace as it is now, if left out"),
        ),
        example="changes prod-20260301T093000Z.parquet",
    ),
    Verb(
        "find-leaked",
        "find whose tokens leaked, by values that are asked for unseen or stand in a file; only hashes are compared",
        saved.or_saved(comparing.find_leaked),
        (
            *FROM,
            option("refused", nargs="*", metavar="VALUE", help="refused: a value does not belong into a command"),
            option(
                "--file",
                metavar="FILE",
                help="a report, any text to search for values, or a list of them, a line each; - is the standard input",
            ),
            option(
                "--report",
                metavar="FILE",
                help="a report of gitleaks, trufflehog, GitHub or GitLab secret detection, ggshield or detect-secrets; "
                "- is the standard input",
            ),
            option(
                "--exit-zero",
                action="store_true",
                help="do not exit with 1 when a value was found",
                doors=(SHELL,),
            ),
        ),
        example="find-leaked --report gitleaks.json",
    ),
    Verb(
        "sandbox",
        "serve a make-believe workspace to try things on",
        programs.sandbox,
        example="sandbox --tokens 500 --json",
        doors=(SHELL,),
        needs_workspace=False,
        configure=programs.sandbox_options,
    ),
    Verb(
        "lab",
        "open JupyterLab on a copy of the guides, with a sandbox behind it",
        programs.lab,
        (option("--no-browser", action="store_true", help="print the address and open nothing"),),
        example="lab --no-browser",
        doors=(SHELL,),
        needs_workspace=False,
    ),
)

_FOLDER = option("path", nargs="?", metavar="FOLDER", help="the folder of snapshots; beside the journal, if left out")
_PERMISSIONS = ("permissions show", "permissions set", "permissions add")
_AS_ONE = ("list", *_PERMISSIONS, "access", "explore", "audit", "revoke", "journal", "resume", "find-leaked")
# What a verb over fleets has otherwise than that of one workspace.
_OVER_FLEETS: dict[str, dict[str, Any]] = {words: {} for words in _AS_ONE} | {
    "snapshot": {"help": "save the listings as one data set of Parquet files", "options": (_FOLDER,)},
    "changes": {
        "help": "show what changed in each since its newest snapshot, and why tokens are gone",
        "options": (_FOLDER,),
        "run": comparing.changes_of_fleet,
        "example": "changes",
    },
}
VERBS += tuple(
    dataclasses.replace(
        verb,
        words=f"fleet {verb.words}",
        help=f"in many workspaces at once: {verb.help}",
        run=fleets.across(verb.run),
        example=f"fleet {verb.example} --profiles prod,dev",
        where=OF_FLEET,
        options=tuple(each for each in verb.options if each not in FROM),
    )
    for verb in (dataclasses.replace(each, **_OVER_FLEETS.get(each.words, {})) for each in VERBS)
    if verb.words in _OVER_FLEETS
)
