"""The types of the parameters of commands, and the options that several commands share.

A type parses a value with a function of the lower layers, which raises ``UsageError``, and lists the completions of the
value. Empty values are rejected: an unset variable of a shell would otherwise select nothing, or everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from tokenkit import errors
from tokenkit.commands import returned
from tokenkit.core.wording import comma_list
from tokenkit.rest import credentials
from tokenkit.rest.profiles import SANDBOX
from tokenkit.review.criteria import CRITERIA, Criterion
from tokenkit.review.durations import date, duration_or_date, lifetime
from tokenkit.review.values import CAN_MANAGE, CAN_USE, RULE_IDS, unknown_level

if TYPE_CHECKING:  # generic since click 8.4
    _ParamType = click.ParamType[Any]
else:
    _ParamType = click.ParamType

MAGIC, SHELL = "magic", "shell"
BOTH = (MAGIC, SHELL)


@dataclass(eq=False)
class Value(_ParamType):
    """The type of the value of a parameter.

    Attributes:
        name: The placeholder in help: ``NAME``, ``90d``.
        read: Parses the text, or raises ``UsageError``.
        offer: Returns the completions. The context has the front end and the command.
        is_file: Whether files are the completions.
        is_list: Whether the text is several values, separated by commas.
        may_be_empty: Whether an empty text is valid.
    """

    name: str
    read: Callable[[str], Any] = str
    _: KW_ONLY
    offer: Callable[[click.Context], Iterable[str]] = lambda _: ()
    is_file: bool = False
    is_list: bool = False
    may_be_empty: bool = False

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Return the parsed text, or a default unchanged."""
        if not isinstance(value, str):
            return value
        try:
            found = self.read(value)
        except errors.UsageError as error:
            self.fail(str(error), param, ctx)
        if isinstance(found, str) and not found.strip() and not self.may_be_empty:
            raise click.UsageError(f"Missing value for {label(param) if param else self.name}.", ctx)
        return found

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the completions of the text."""
        if self.is_file:
            return [CompletionItem(incomplete, type="file")]
        before = "".join(incomplete.rpartition(",")[:2]) if self.is_list else ""
        given = {*comma_list(before), *(ctx.params.get(str(param.name)) or () if param.multiple else ())}
        values = (f"{before}{value}" for value in self.offer(ctx) if value not in given)
        return [CompletionItem(value) for value in values if value.startswith(incomplete)]

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:  # noqa: ARG002
        """Return the placeholder in help."""
        return self.name


def label(param: click.Parameter) -> str:
    """Return the name of a parameter in help and messages."""
    return param.opts[-1] if isinstance(param, click.Option) else param.type.name


class Argument(click.Argument):
    """A positional argument with help; click has it since 8.5."""

    def __init__(self, name: str, value: Value, *, help: str, **settings: Any) -> None:  # noqa: A002, ANN401
        super().__init__([name], type=value, **settings)
        self.help: str = help

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """Return the row of the argument in help."""
        return self.get_usage_pieces(ctx)[0], self.help


def option(names: str, value: Value, help: str, **settings: Any) -> click.Option:  # noqa: A002, ANN401 - click's own
    """Return an option with a value: ``"--from from_file"`` sets the parameter ``from_file``."""
    return click.Option(names.split(), type=value, help=help, **settings)


def several(names: str, value: Value, help: str) -> click.Option:  # noqa: A002
    """Return a repeatable option."""
    return option(names, value, f"{help} (repeatable)", multiple=True)


def listed(names: str, help: str) -> click.Option:  # noqa: A002
    """Return an option for comma-separated names; its value is None by default."""
    return option(names, NAMES, help, multiple=True, callback=_joined)


def _joined(_: click.Context, __: click.Parameter, given: Iterable[list[str]]) -> list[str] | None:
    return [*chain(*given)] or None


def flag(names: str, help: str, **settings: Any) -> click.Option:  # noqa: A002, ANN401
    """Return an option without a value: ``"--all show_all"`` sets the parameter ``show_all``."""
    return click.Option(names.split(), is_flag=True, help=help, **settings)


def one_of(choices: Sequence[str]) -> Value:
    """Return the type of a value that is one of several choices."""

    def read(text: str) -> str:
        if text not in choices:
            raise errors.UsageError(f"{text!r} is not a valid value. {errors.did_you_mean(text, choices)}")
        return text

    return Value("|".join(choices), read, offer=lambda _: choices)


def _whole_number(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.removeprefix("-").isdigit()):
            raise errors.UsageError(f"{text!r} is not a whole number.")
        if int(text) < least:
            raise errors.UsageError(f"{text} is less than {least}.")
        return int(text)

    return read


def _names(text: str) -> list[str]:
    found = comma_list(text)
    if not found:  # an unset variable of a shell; without the option, the command may select more
        raise errors.UsageError("expected at least one name.")
    return found


def entry_of(text: str) -> dict[str, str]:
    """Return an entry of an access control list, without a level if the text has none: ``group:data-engineers``,
    ``user:ann@example.com=CAN_MANAGE``, ``service-principal:terraform``.

    Raises:
        UsageError: The text does not have this form.
    """
    kinds = {"user": "user_name", "group": "group_name", "service-principal": "service_principal_name"}
    kind, colon, rest = text.partition(":")
    if not colon or kind not in kinds:
        near = errors.did_you_mean(kind, kinds) if colon else ""
        raise errors.UsageError(
            f"Invalid entry {text!r}. Write group:NAME, user:NAME or service-principal:NAME. {near}".rstrip()
        )
    name, _, level = rest.partition("=")
    if not name:
        raise errors.UsageError(f"Missing name in {text!r}. Write {kind}:NAME.")
    if level and level.upper() not in (CAN_USE, CAN_MANAGE):
        raise unknown_level(level)
    return {kinds[kind]: name} | ({"permission_level": level.upper()} if level else {})


def _profiles(_: click.Context) -> list[str]:
    return [*credentials.profiles(), SANDBOX]


def _known(column: str) -> Callable[[click.Context], list[str]]:
    """Return a function that lists the values of a column, as the front end knows them of the selected workspaces."""

    def offer(context: click.Context) -> list[str]:
        profile, profiles = context.params.get("profile"), context.params.get("profiles")
        found: list[str] = context.obj.known(column, [profile] if profile else comma_list(profiles or ""))
        return found

    return offer


def _listed_ids(context: click.Context) -> list[str]:
    """Return the known ids without those of tokens that a run on this computer revoked."""
    revoked: set[str] = imported("recorded.revoked")()
    return [token_id for token_id in _known("token_id")(context) if token_id not in revoked]


def imported(name: str) -> Callable[..., Any]:
    """Return the function ``module.function`` of this package. Its module is imported when it is called, so that the
    start is not delayed.
    """
    module, _, function = name.partition(".")
    found: Callable[..., Any] = getattr(import_module(f"{__package__}.{module}"), function)
    return found


def later(name: str) -> Callable[..., Any]:
    """Return a function that imports and calls ``module.function`` of this package."""
    return lambda *args: imported(name)(*args)  # noqa: PLW0108 - imports when it is called


def _column_names(context: click.Context) -> Sequence[str]:
    # click leaves positional arguments before an option without its value unparsed.
    run = {"run_id": context.args[0]} if context.args else {}
    is_plan = context.command.row.is_plan({**context.params, **run})  # type: ignore[attr-defined]
    return returned.columns_of(_path(context), is_plan=is_plan)


def _sorted_columns(context: click.Context) -> Sequence[str]:
    return returned.sorted_columns_of(_path(context))


def _path(context: click.Context) -> str:
    """Return the command, as the table of its columns names it: ``fleet list``."""
    return returned.name_of(context.command_path.partition(" ")[2], context.params)


def _runs(function: str) -> Value:
    return Value("RUN_ID", offer=lambda _: imported(f"recorded.{function}")())


NAME, TEXT, EXPRESSION = Value("NAME"), Value("TEXT"), Value("EXPR")
COLUMN = Value("COLUMN", offer=_sorted_columns)
COLUMN_NAMES = Value("NAMES", _names, offer=_column_names, is_list=True)
ANY_TEXT = Value("TEXT", may_be_empty=True)
FILE, FOLDER, PATH = (Value(name, is_file=True) for name in ("FILE", "FOLDER", "PATH"))
COUNT, LIMIT = (Value("N", _whole_number(least)) for least in (0, 1))
NAMES = Value("NAMES", _names)
LIFETIME = Value("90d", lifetime)
MOMENT = Value("DATE", date)
AGE = Value("7d|DATE", duration_or_date)
ID, ID_OF_LOG = Value("ID", offer=_listed_ids), Value("ID", offer=_known("token_id"))
RUN = _runs("run_ids")
TARGET = Value("TARGET", offer=_profiles)
PROFILE_NAME = Value("NAME", offer=_profiles)
RULE = Value("RULE", offer=lambda _: RULE_IDS)
THRESHOLD = Value("RULE.NAME=VALUE", later("auditing.threshold_of"), offer=later("auditing.threshold_names"))


def _filter_option(filter_: Criterion) -> click.Option:
    name = f"--{filter_.name.replace('_', '-')}"
    settings: dict[str, Any] = {"callback": lambda _, __, given: given or None}  # None without the option
    if filter_.metavar is None:
        return flag(name, filter_.help, **settings)
    offer = _known(filter_.columns[0]) if filter_.names_principals else (lambda _: ())
    value = one_of(filter_.choices) if filter_.choices else Value(filter_.metavar, filter_.read, offer=offer)
    return option(name, value, f"{filter_.help} (repeatable)", multiple=True, **settings)


PROFILE = option("--profile", PROFILE_NAME, f"a profile of ~/.databrickscfg, a host, or {SANDBOX!r}")
OUTPUT = option("--output", one_of(("table", "json", "csv")), "the output format (default: table)")
QUIET = flag("--quiet", "show errors and warnings only, besides the result")
NO_COLOR = flag("--no-color", "show tables without colors; NO_COLOR in the environment does the same")
PRINTING = (OUTPUT, QUIET, NO_COLOR)
WHERE = option(
    "--where", EXPRESSION, "an expression over the columns, as in \"idle_days > 60 and owner_kind == 'user'\""
)
FILTERED = (*map(_filter_option, CRITERIA), WHERE)
COMBINED = "Different filters, --where and IDs are combined with AND. A repeated filter matches any of its values (OR)."
OWNER = next(param for param in FILTERED if param.name == "owner")
SELECTION = (
    *FILTERED,
    option("--sort", COLUMN, "sort by this column; -COLUMN sorts in descending order (--sort=-idle_days)"),
    option("--limit", LIMIT, "only the first N tokens; a change does not count those that it leaves out"),
)
SELECTION_WITHOUT_COMMENT = tuple(param for param in SELECTION if param.name != "comment")
COLUMNS = option(
    "--columns",
    COLUMN_NAMES,
    "show only these columns, separated by commas; 'help' lists them",
    multiple=True,
    callback=_joined,
)
TO = option("--to", FILE, "write the rows to this file: .csv, .json or .xlsx (Excel)")
COLUMNS_AND_FILE = (COLUMNS, TO)
ROWS = (
    option("--sort", COLUMN, "sort by this column; -COLUMN sorts in descending order (--sort=-tokens)"),
    option("--limit", LIMIT, "only the first N rows"),
    *COLUMNS_AND_FILE,
)
FROM = (
    option(
        "--from from_file",
        FILE,
        "read a saved listing, not a workspace: a snapshot, or JSON of `list`, the API or the Databricks CLI",
    ),
    option("--as-of", MOMENT, "the reference time for ages, if the file has none (default: now)"),
)
TOKEN_IDS, REQUIRED_IDS, IDS_OF_LOG = (
    Argument("token_ids", value, help="token IDs or their prefixes", nargs=-1, required=required)
    for value, required in ((ID, False), (ID, True), (ID_OF_LOG, False))
)
ALLOW_NONE = flag("--allow-none", "succeed if the owner or creator is unknown, for scheduled jobs")
ALLOW_UNKNOWN = flag("--allow-unknown", "accept a scope that looks like a misspelled known scope")
CONFIRMED = (flag("--dry-run", "show the plan without changing anything"), flag("--yes", "skip the confirmation"))
CHANGE = (option("--reason", TEXT, "the reason, for the journal"), *CONFIRMED)
_OF_A_RUN = "the ID of a run, as in `journal`, or its unique beginning or end"
UPDATE_ID = Argument("run_id", _runs("updates"), help=_OF_A_RUN)
UNFINISHED_ID = Argument("run_id", _runs("unfinished"), help=_OF_A_RUN, required=False)
_PRINCIPAL = "group:NAME, user:NAME or service-principal:NAME (or application ID)"
ENTRIES, REMOVED_ENTRIES = (
    Argument("entries", Value("ENTRY", entry_of), help=help_, nargs=-1, required=True)
    for help_ in (f"{_PRINCIPAL}; append =CAN_MANAGE (default: CAN_USE)", _PRINCIPAL)
)
ALLOW_PROTECTED = several("--allow-protected", ID, "allow the change to affect this protected token")
RULES = (
    several("--rule rules", RULE, "only this rule, by its ID or its ID in the Security Analysis Tool (IA-4)"),
    several("--skip", RULE, "skip this rule"),
    several("--threshold thresholds", THRESHOLD, "set a threshold, as in unused.idle_days=45"),
    option("--waivers", FILE, "a TOML file of waivers"),
)
LOG = (
    option("--days", COUNT, "the days of the audit log to read, up to 365 (default: 30)"),
    option("--rows", FILE, "rows of system.access.audit from an earlier query: Parquet or JSON lines"),
    option("--warehouse-id", TEXT, "the SQL warehouse to use (default: DATABRICKS_WAREHOUSE_ID)"),
    flag("--start-warehouse", "start the warehouse if it is stopped, which costs money"),
)
EVIDENCE = (flag("--usage", "use evidence from the audit log about what used each token"), *LOG)
SINCE = option("--since", AGE, "compare with the newest snapshot that is at least this old, not with the latest one")
NOW = option("--now", MOMENT, "the current time, to practice with a sandbox on this machine")
EXPLAIN = option("--explain", RULE, "explain this rule: why it matters, the remedy and the thresholds")
OF_FLEET = (
    option(
        "--profiles",
        Value("NAMES", offer=_profiles, is_list=True),
        "profiles or hosts, separated by commas; prod-* is all that begin with it",
    ),
    option("--account", PROFILE_NAME, "an account with all its workspaces: a profile, or the host of its console"),
    option("--account-id", Value("ID"), "the account ID, if --account is a host"),
)
