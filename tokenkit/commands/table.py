"""The table of all commands of ``%tokens`` and ``tokenkit``.

``COMMANDS`` has one row for each command: its path, its parameters, its help, the function that it runs, and the front
ends that offer it. The parser, completion, the reference page and the tests are derived from the table. To add a
command, add a row.

The module is long because it is one table: the rows are its length, and a command that is in another file would be
missing where the table is read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import click

from tokenkit.commands import options
from tokenkit.commands.options import BOTH, MAGIC, SHELL, Argument, Value, flag, imported, listed, one_of, option
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.rest.profiles import SANDBOX
from tokenkit.review.values import SEVERITIES
from tokenkit.sandbox.__main__ import SETTINGS, Setting

LOOK, CHANGE_TOKENS, WATCH, FLEETS, TRY = "Look", "Change", "Watch", "Fleet", "Try"
GROUPS = (LOOK, CHANGE_TOKENS, WATCH, FLEETS, TRY)
"""The groups of commands, in the order of the help."""


@dataclasses.dataclass(frozen=True)
class Workspaces:
    """The workspaces that a command runs on.

    Attributes:
        params: The options that select them.
        session: The function that makes a session of a front end and the values of the options, as
            ``module.function`` of this package.
    """

    params: tuple[click.Parameter, ...]
    session: str

    def open(self, front_end: FrontEnd, named: Mapping[str, Any]) -> AbstractContextManager[Session[Any]]:
        """Return the session of a command."""
        opened: AbstractContextManager[Session[Any]] = imported(self.session)(front_end, **named)
        return opened


def _setting_option(setting: Setting) -> click.Option:
    """Return an option of ``python -m tokenkit.sandbox``."""
    if setting.type is bool:
        return flag(setting.name, setting.help)
    numbers = {int: click.INT, float: click.FLOAT}
    value = one_of(setting.choices) if setting.choices else numbers.get(setting.type, Value(setting.metavar))
    return click.Option(
        [setting.name],
        type=value,
        metavar=setting.metavar or None,
        help=setting.help,
        default=setting.default,
        multiple=setting.is_repeated,
    )


NONE = Workspaces((), "session.in_one")
ONE = Workspaces((options.PROFILE,), "session.in_one")
ONE_OR_SAVED = Workspaces((*options.FROM, options.PROFILE), "saved.in_one_or_saved")
FLEET = Workspaces(options.OF_FLEET, "fleet.in_fleet")


@dataclasses.dataclass(frozen=True)
class Command:
    """One command.

    Attributes:
        path: The command and its subcommand: ``list``, ``permissions show``.
        group: The group in the help.
        help: One imperative sentence without a period.
        run: The function that the command runs, as ``module.function`` of this package. It is imported when it runs,
            so that help and completion start without it. It takes a session, and the parameters as keywords.
        params: The parameters.
        example: A realistic example, without the name of the program.
        front_ends: The front ends that offer the command.
        only_in: Additional parameters of one front end.
        workspaces: The workspaces that the command runs on, and the options that select them.
        rows: Options that select rows and columns of the result, and the file that they are written to.
        printing: Options of the shell that set how the result is printed, and the exit code.
        is_record: Whether a terminal shows the result as one field a line.
    """

    path: str
    group: str
    help: str
    run: str
    params: tuple[click.Parameter, ...] = ()
    example: str = ""
    front_ends: tuple[str, ...] = BOTH
    only_in: Mapping[str, tuple[click.Parameter, ...]] = dataclasses.field(default_factory=dict)
    workspaces: Workspaces = ONE
    rows: tuple[click.Parameter, ...] = ()
    printing: tuple[click.Parameter, ...] = options.PRINTING
    is_record: bool = False

    @property
    def can_change(self) -> bool:
        """Whether the command can change tokens or permissions."""
        return self.group == CHANGE_TOKENS or any(param.name == "yes" for param in self.params)

    def is_plan(self, params: Mapping[str, Any]) -> bool:
        """Return whether the command with these parameters plans a change, which it may make."""
        return self.can_change and bool(params.get("narrow", True)) and params.get("run_id", "") is not None

    @property
    def sentence(self) -> str:
        """The help as a full sentence."""
        if self.workspaces is FLEET:
            return f"In multiple workspaces: {self.help[:1].lower()}{self.help[1:]}."
        return f"{self.help}."

    @property
    def function(self) -> Callable[..., object]:
        """The function that the command runs."""
        return imported(self.run)

    def params_at(self, front_end: str) -> tuple[click.Parameter, ...]:
        """Return all parameters of the command at a front end."""
        of_shell = self.shell_params if front_end == SHELL else ()
        return (*self.params, *self.only_in.get(front_end, ()), *self.rows, *self.workspaces.params, *of_shell)

    @property
    def shell_params(self) -> tuple[click.Parameter, ...]:
        """The options of the shell alone: how to print, and the time, which a notebook gives to ``connect``."""
        return self.printing if self.workspaces is NONE else (*self.printing, options.NOW)


_LOSING = "the tokens of principals that lose permission are deleted"
COMMANDS: tuple[Command, ...] = (
    Command(
        "connect",
        LOOK,
        "Connect to a workspace and show the signed-in identity",
        "reading.connect",
        (
            Argument(
                "target",
                options.TARGET,
                required=False,
                help=f"a profile, a host, or {SANDBOX!r} (default: the workspace of the environment)",
            ),
        ),
        example="connect prod",
        is_record=True,
    ),
    Command(
        "list",
        LOOK,
        "List tokens with their owners, ages and ends",
        "reading.list_tokens",
        options.SELECTION,
        example="list --idle 60d --status active --sort=-idle_days",
        workspaces=ONE_OR_SAVED,
        rows=options.COLUMNS_AND_FILE,
    ),
    Command(
        "get",
        LOOK,
        "Show tokens with their owners and findings",
        "reading.get",
        (options.REQUIRED_IDS,),
        "get 3f1c9a0b",
        rows=options.COLUMNS_AND_FILE,
        is_record=True,
    ),
    Command(
        "create-obo",
        CHANGE_TOKENS,
        "Create a token that acts as a service principal, without printing its value",
        "changing.create_obo",
        (
            Argument("service_principal", Value("SERVICE_PRINCIPAL"), help="its application ID or display name"),
            option("--comment", options.TEXT, "the purpose of the token"),
            option("--lifetime", options.LIFETIME, "the lifetime of the token (default: the maximum, at most 2 years)"),
            listed("--scopes", "the scopes of the token, separated by commas (default: all permissions of its owner)"),
            options.ALLOW_UNKNOWN,
            flag("--autoscope", "record the scopes that the token uses", callback=lambda _, __, given: given or None),
            option("--secret", Value("SCOPE/KEY"), "store the value in this Databricks secret"),
            flag("--overwrite", "replace an existing secret"),
        ),
        example="create-obo terraform --lifetime 90d --secret ops/terraform-token",
        only_in={
            MAGIC: (
                option("--variable", options.NAME, "store the value in this variable"),
                option("--env", options.NAME, "store the value in this environment variable"),
            ),
            SHELL: (flag("--show-value", "print only the value"),),
        },
    ),
    Command(
        "update",
        CHANGE_TOKENS,
        "Change the comment or the scopes of tokens",
        "changing.update",
        (
            options.TOKEN_IDS,
            *options.SELECTION_WITHOUT_COMMENT,
            options.ALLOW_NONE,
            option("--comment", options.ANY_TEXT, "the new comment; '' removes it"),
            listed("--scopes", "the new scopes, separated by commas"),
            options.ALLOW_UNKNOWN,
            *options.CHANGE,
        ),
        rows=options.COLUMNS_AND_FILE,
        example='update 3f1c9a0b --comment "nightly export, data team"',
    ),
    Command(
        "revoke",
        CHANGE_TOKENS,
        "Revoke tokens permanently, after a preview",
        "changing.revoke",
        (
            options.TOKEN_IDS,
            *options.SELECTION,
            flag("--include-own", "include your own tokens, which are excluded by default"),
            options.ALLOW_NONE,
            *options.EVIDENCE,
            *options.CHANGE,
        ),
        rows=options.COLUMNS_AND_FILE,
        example="revoke --owner 'jane@example.com' --reason 'offboarding'",
    ),
    Command(
        "scopes",
        CHANGE_TOKENS,
        "Compare the granted scopes of tokens with the scopes in use, and narrow them",
        "changing.scopes",
        (
            *options.FILTERED,
            flag("--all show_all", "show also tokens whose scopes cannot be narrowed"),
            flag("--narrow", "reduce each token to the smallest set of scopes that covers its use"),
            options.ALLOW_NONE,
            *options.CHANGE,
        ),
        example="scopes --owner '*@example.com' --narrow --dry-run",
        rows=options.ROWS,
        workspaces=ONE_OR_SAVED,
    ),
    Command(
        "usage",
        LOOK,
        "Show what used each token, from the audit log",
        "usage.usage",
        (options.IDS_OF_LOG, options.OWNER, *options.LOG),
        example="usage 3f1c9a0b --days 90 --warehouse-id 1234567890abcdef",
        rows=options.ROWS,
    ),
    Command(
        "permissions show",
        LOOK,
        "Show who can use tokens",
        "reading.permissions_show",
        example="permissions show",
        rows=options.ROWS,
    ),
    Command(
        "permissions levels",
        LOOK,
        "Show the permission levels that can be granted",
        "reading.permissions_levels",
        example="permissions levels",
        rows=options.ROWS,
    ),
    Command(
        "permissions set",
        CHANGE_TOKENS,
        f"Replace the permissions to use tokens; {_LOSING}",
        "changing.permissions_set",
        (options.ENTRIES, options.ALLOW_PROTECTED, *options.CHANGE),
        example="permissions set group:data-engineers user:ann@example.com --dry-run",
        rows=options.COLUMNS_AND_FILE,
    ),
    Command(
        "permissions add",
        CHANGE_TOKENS,
        "Grant permission to use tokens, or change a permission level; no token is deleted",
        "changing.permissions_add",
        (options.ENTRIES, options.ALLOW_PROTECTED, *options.CHANGE),
        example="permissions add group:analysts",
        rows=options.COLUMNS_AND_FILE,
    ),
    Command(
        "permissions remove",
        CHANGE_TOKENS,
        f"Remove entries of the permissions to use tokens, and keep the others; {_LOSING}",
        "changing.permissions_remove",
        (options.REMOVED_ENTRIES, options.ALLOW_PROTECTED, *options.CHANGE),
        example="permissions remove group:contractors --dry-run",
        rows=options.COLUMNS_AND_FILE,
    ),
    Command(
        "access",
        LOOK,
        "List the principals that can use or own tokens, with the groups that grant permission",
        "reading.access",
        (option("--where", options.EXPRESSION, "an expression over the columns"), *options.EVIDENCE),
        example="access --where tokens_without_permission",
        rows=options.ROWS,
    ),
    Command(
        "explore",
        LOOK,
        "Filter, select and change tokens in an interactive widget (notebook only)",
        "screens.explore",
        (
            option("--where", options.EXPRESSION, "only tokens that match this expression over the columns"),
            *options.EVIDENCE,
            flag("--plain", "use plain ipywidgets, for front ends that do not load custom JavaScript"),
        ),
        example="explore --where \"status == 'active'\"",
        workspaces=ONE_OR_SAVED,
    ),
    Command(
        "audit",
        LOOK,
        "Find risky tokens, with the reasons and the remedies",
        "auditing.audit",
        (*options.RULES, *options.EVIDENCE, options.EXPLAIN),
        example="audit --skip expires-soon --waivers waivers.toml",
        workspaces=ONE_OR_SAVED,
        rows=(flag("--findings", "show one row per finding, not one per rule"), *options.ROWS),
        printing=(
            option(
                "--fail-on",
                one_of(SEVERITIES),
                "exit with 1 on findings of this severity or higher that are not waived, or else with 3 if a rule of "
                "it could not be checked",
            ),
            *options.PRINTING,
        ),
    ),
    Command(
        "report",
        LOOK,
        "Audit the tokens, and write the findings to a file to share",
        "auditing.report",
        (
            *options.RULES,
            *options.EVIDENCE,
            option(
                "--to",
                options.FILE,
                "the file to write: .html, .xlsx (Excel), .csv or .json (default: audit.html)",
                default="audit.html",
            ),
        ),
        example="report --waivers waivers.toml --to audit.html",
        workspaces=ONE_OR_SAVED,
    ),
    Command(
        "journal",
        LOOK,
        "Show the runs that changed something from this computer, and what remains of them",
        "history.journal",
        (
            option(
                "--run run_id", options.RUN, "show the tokens of this run, or the entries of permissions it changed"
            ),
            flag("--runs", "show one row per run, with the number of remaining tokens (default)"),
            flag("--tokens", "show one row per token of every run"),
        ),
        example="journal --run 20260301-093000-1a2b3c4d",
        rows=options.ROWS,
    ),
    Command(
        "resume",
        CHANGE_TOKENS,
        "Finish a run that was interrupted, or staged in Python or the explorer; without a run, list unfinished runs",
        "changing.resume",
        (
            options.UNFINISHED_ID,
            *options.EVIDENCE,
            flag("--ignore-usage", "resume without reading the run's evidence of use again"),
            *options.CONFIRMED,
        ),
        example="resume 20260301-093000-1a2b3c4d",
        rows=options.COLUMNS_AND_FILE,
    ),
    Command(
        "undo",
        CHANGE_TOKENS,
        "Restore the comments and scopes that an update changed",
        "changing.undo",
        (options.UPDATE_ID, *options.CHANGE),
        example="undo 20260301-093000-1a2b3c4d",
        rows=options.COLUMNS_AND_FILE,
    ),
    Command(
        "snapshot",
        WATCH,
        "Save the listing as a Parquet file for later comparison",
        "comparing.snapshot",
        (
            Argument(
                "path",
                options.PATH,
                required=False,
                help="a folder, or a file that ends in .parquet (default: the folder of the journal)",
            ),
        ),
        example="snapshot",
        rows=options.COLUMNS_AND_FILE,
    ),
    Command(
        "changes",
        WATCH,
        "Show what changed since a snapshot, and why tokens were removed",
        "comparing.changes",
        (
            Argument(
                "before",
                Value("BEFORE", is_file=True),
                required=False,
                help="the file of a snapshot, or 'latest' (default: the latest snapshot of the workspace)",
            ),
            Argument(
                "after",
                Value("AFTER", is_file=True),
                required=False,
                help="the file of a later snapshot (default: the current state of the workspace)",
            ),
            options.SINCE,
        ),
        example="changes --since 7d",
        rows=options.ROWS,
        workspaces=ONE_OR_SAVED,
    ),
    Command(
        "find-leaked",
        WATCH,
        "Find leaked tokens by their values, from a hidden prompt, a file or a report; only hashes are compared",
        "comparing.find_leaked",
        (
            Argument("rejected", Value("VALUE"), nargs=-1, help="rejected: never type a token value in a command"),
            option(
                "--file",
                options.FILE,
                "a report, any text to search for values, or a list with one value per line; - reads standard input",
            ),
            option(
                "--report",
                options.FILE,
                "a report of gitleaks, trufflehog, GitHub or GitLab secret detection, ggshield or detect-secrets; "
                "- reads standard input",
            ),
        ),
        example="find-leaked --report gitleaks.json",
        workspaces=ONE_OR_SAVED,
        rows=options.ROWS,
        printing=(flag("--exit-zero", "exit with 0 even if a value was found"), *options.PRINTING),
    ),
    Command(
        "sandbox",
        TRY,
        "Serve a simulated workspace for testing",
        "standalone.sandbox",
        tuple(map(_setting_option, SETTINGS)),
        example="sandbox --tokens 500 --json",
        front_ends=(SHELL,),
        workspaces=NONE,
        printing=(),
    ),
    Command(
        "lab",
        TRY,
        "Open JupyterLab with a copy of the guides, connected to a sandbox",
        "standalone.lab",
        (
            flag("--no-browser", "print the URL, and do not open a browser"),
            option("--port", options.COUNT, "the port of JupyterLab (default: a free one)"),
        ),
        example="lab --no-browser",
        front_ends=(SHELL,),
        workspaces=NONE,
        printing=(),
    ),
    Command(
        "completion",
        TRY,
        "Print the script for shell completion; owners and token IDs are those of the newest snapshot (`snapshot`)",
        "completion.script",
        (Argument("shell", one_of(("bash", "zsh", "fish")), help="the shell that reads the script"),),
        example="completion bash",
        front_ends=(SHELL,),
        workspaces=NONE,
        printing=(),
    ),
)

_FOLDER = Argument(
    "path", options.FOLDER, required=False, help="the folder of snapshots (default: the folder of the journal)"
)
_PERMISSIONS = ("permissions show", "permissions set", "permissions add", "permissions remove")
_AS_ONE = ("list", *_PERMISSIONS, "access", "explore", "audit", "revoke", "journal", "resume", "find-leaked")
# Where a command over a fleet differs from the command over one workspace.
_OVER_FLEETS: dict[str, dict[str, Any]] = {path: {} for path in _AS_ONE} | {
    "snapshot": {"help": "Save the listings as one data set of Parquet files", "params": (_FOLDER,)},
    "changes": {
        "help": "Show what changed in each workspace since its latest snapshot, and why tokens were removed",
        "params": (_FOLDER, options.SINCE),
        "run": "comparing.changes_of_fleet",
    },
}
COMMANDS += tuple(
    dataclasses.replace(
        command,
        path=f"fleet {command.path}",
        group=FLEETS,
        example=f"fleet {command.example} --profiles prod,dev",
        workspaces=FLEET,
    )
    for command in (dataclasses.replace(row, **_OVER_FLEETS.get(row.path, {})) for row in COMMANDS)
    if command.path in _OVER_FLEETS
)
