"""The parser of commands: the table of commands as a tree of click commands.

The tree only parses: it returns a ``Call``, which a front end runs. Commands do not run inside click, because click's
``main`` prints help, exits the process if a pipe is closed, and reads the environment. Errors of click become a
one-line ``UsageError``, with the same text for every release of click.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, NoReturn

import click
from click.shell_completion import CompletionItem

from tokenkit import errors
from tokenkit.commands import defaults, returned
from tokenkit.commands.options import (
    COLUMNS,
    COMBINED,
    COUNT,
    FILTERED,
    FROM,
    LIMIT,
    MAGIC,
    OF_FLEET,
    PRINTING,
    PROFILE,
    SHELL,
    imported,
    label,
)
from tokenkit.commands.session import HELP, FrontEnd
from tokenkit.commands.spelling import counterparts
from tokenkit.commands.table import COMMANDS, GROUPS, ONE, ONE_OR_SAVED, Command
from tokenkit.core.spelling import spelling
from tokenkit.rest import credentials
from tokenkit.version import __version__

_PROGRAMS = {SHELL: "tokenkit", MAGIC: "%tokens"}
_WIDTHS = {MAGIC: 100}  # of help; in a shell, the width of the terminal. A kernel may inherit an invisible terminal.
_FEW = 3
_LEADING = {name: option for option in (PROFILE, *OF_FLEET, *PRINTING) for name in option.opts}
"""The options that may also precede the command."""
_NAMING_VARIABLES = ("DATABRICKS_CONFIG_PROFILE", "DATABRICKS_HOST", "DATABRICKS_RUNTIME_VERSION")
"""What names a workspace in the environment; in a notebook of Databricks it is the notebook's own."""
_OTHER_NAMES = {
    "ls": "list",
    "show": "get",
    "describe": "get",
    "rm": "revoke",
    "delete": "revoke",
    "remove": "revoke",
    "whoami": "connect",
    "login": "connect",
    "auth": "connect",
    "create": "create-obo",
    "edit": "update",
    "users": "access",
    "history": "journal",
    "log": "journal",
    "diff": "changes",
    "check": "audit",
    "scan": "find-leaked",
}
"""The commands that people mean by the names of other tools."""
_EXAMPLES = ("connect prod", "list --idle 60d --profile prod", "audit --profile prod", "revoke 3f1c9a0b --dry-run")
_HELP = click.Option(["-h", "--help"], is_flag=True, expose_value=False, help="show this help and exit")
_VERSION = click.Option(["--version"], is_flag=True, expose_value=False, help="show the version and exit")


class HelpRequested(Exception):  # noqa: N818 - a request, not an error
    """The user requested help or the version. The message is the text to show."""


@dataclasses.dataclass(frozen=True)
class Call:
    """A command with the values of its parameters.

    Attributes:
        command: The row of the table.
        params: The arguments of its function.
        named: The options that select the workspaces.
        rows: The options that select rows and columns of the result.
        printing: The options of the shell's output.
        argv: The command line, without the name of the program, beginning with the command.
    """

    command: Command
    params: dict[str, Any]
    named: Mapping[str, Any]
    rows: Mapping[str, Any]
    printing: Mapping[str, Any]
    argv: Sequence[str] = ()

    def run(self, front_end: FrontEnd) -> Any:  # noqa: ANN401 - the type of the result depends on the command
        """Run the command, and return its result. After Ctrl-C, say whether something may have changed.

        Raises:
            UsageError: A change does not name its workspace, and is not confirmed or relies on the default profile.
        """
        front_end.has_begun_to_change = False
        try:
            return self._run(front_end)
        except KeyboardInterrupt:
            is_unchanged = self.is_change and not front_end.has_begun_to_change
            front_end.warn(f"Interrupted.{' Nothing was changed.' * is_unchanged}")
            raise

    def _run(self, front_end: FrontEnd) -> Any:  # noqa: ANN401 - as above
        usual = defaults.read()  # a mistake in the file is an error before the first request
        if HELP in (self.rows.get("columns") or ()):
            return imported("rows.described")(self.shape, is_plan=self.is_plan)
        sort = self.params.get("sort") or self.rows.get("sort")
        if sort or any(value is not None for value in self.rows.values()):
            imported("rows.check")(self.shape, self.rows, sort, is_plan=self.is_plan)
        named = self._named_by_default(front_end, usual.profile or None)
        if self.params.get("yes") and not self.params.get("dry_run"):
            self._check_workspace_is_named(front_end)
        chosen_by = "" if named is self.named else f"profile of {defaults.where()}"
        try:
            with (
                spelling(counterparts(front_end.program, self.command.path, self._selection(named))),
                self.command.workspaces.open(front_end, named) as opened,
            ):
                session = dataclasses.replace(
                    opened, argv=self.argv, path=self.command.path, rows=self.rows, chosen_by=chosen_by
                )
                return self.command.function(session, **self.params)
        except errors.ConfigurationError as error:
            if not chosen_by:
                raise
            problem = f"{chosen_by}: {error}"  # which would not be understood without the file that names it
        raise errors.ConfigurationError(problem)

    @property
    def shape(self) -> str:
        """The command as the table of its columns names it: ``audit --findings``."""
        return returned.name_of(self.command.path, {**self.params, **self.rows})

    @property
    def is_plan(self) -> bool:
        """Whether the command plans a change, which it makes if it is confirmed and not only shown."""
        return self.command.is_plan(self.params)

    @property
    def is_change(self) -> bool:
        """Whether the command changes something if it is confirmed."""
        return self.is_plan and not self.params.get("dry_run")

    def _is_named(self, front_end: FrontEnd) -> bool:
        """Return whether the command line, the environment or a connection names the workspace."""
        given = (*self.named.values(), self.params.get("target"))
        is_connected = front_end.connected is not None and "target" not in self.params
        return any(value is not None for value in given) or any(map(os.getenv, _NAMING_VARIABLES)) or is_connected

    def _named_by_default(self, front_end: FrontEnd, profile: str | None) -> Mapping[str, Any]:
        """Return the options that select the workspace: for a command that only reads, with the default profile.

        A change never runs on the default profile, nor on the workspace that it would run on without one: the commands
        that only read show another.
        """
        is_of_run = bool(self.params.get("run_id"))  # the journal names its workspace
        if not profile or "profile" not in self.named or is_of_run or self._is_named(front_end):
            return self.named
        if self.is_plan:
            raise errors.UsageError(
                f"{defaults.where()} sets profile = {profile!r}, which is only for commands that read. A change names "
                f"its workspace: add --profile {shlex.quote(profile)}."
            )
        return {**self.named, "profile": profile}

    def _selection(self, named: Mapping[str, Any]) -> list[str]:
        """Return the options that select the workspaces, as the command line has them."""
        names = {str(param.name): param.opts[0] for param in self.command.workspaces.params}
        return [arg for name, value in named.items() if value is not None for arg in (names[name], str(value))]

    def _check_workspace_is_named(self, front_end: FrontEnd) -> None:
        # A run belongs to the workspace that the journal names.
        if self.command.workspaces is ONE and not self.params.get("run_id") and not self._is_named(front_end):
            raise errors.UsageError(
                "--yes requires the workspace on the command line or in the environment, because nothing is confirmed. "
                "Add --profile NAME, or set DATABRICKS_CONFIG_PROFILE or DATABRICKS_HOST."
            )


def program(front_end: str) -> str:
    """Return the name of the program at a front end: ``tokenkit`` or ``%tokens``."""
    return _PROGRAMS[front_end]


def commands_at(front_end: str) -> list[Command]:
    """Return the commands that a front end offers."""
    return [command for command in COMMANDS if front_end in command.front_ends]


def parse(argv: Sequence[str], front_end: str) -> Call:
    """Return the command of a command line, with the values of its parameters.

    Args:
        argv: The command line, split as a shell splits it, without the name of the program.
        front_end: ``MAGIC`` or ``SHELL``.

    Raises:
        UsageError: The command or option does not exist, or a value is invalid.
        HelpRequested: The command line is empty, or has ``--help`` or ``--version``.
    """
    if not all(map(_is_text, argv)):
        raise errors.UsageError("The command is not valid text: it contains a null character or invalid UTF-8.")
    root = tree(front_end)
    try:
        argv = _with_command_first(argv)
        with root.make_context(program(front_end), argv, terminal_width=_WIDTHS.get(front_end)) as context:
            call: Call = root.invoke(context)
    except click.UsageError as error:
        problem = _problem(error)
    else:
        return dataclasses.replace(call, argv=argv)
    raise errors.UsageError(problem)


def tree(front_end: str) -> click.Group:
    """Return the tree of the commands of a front end."""
    return _Group("", front_end, commands_at(front_end))


class _Command(click.Command):
    """A row of the table at a front end.

    Attributes:
        row: The row.
    """

    def __init__(self, row: Command, front_end: str) -> None:
        super().__init__(
            row.path.rpartition(" ")[2],
            params=[*row.params_at(front_end), _HELP],
            help=row.sentence,
            short_help=row.help,
            add_help_option=False,
            context_settings={"allow_extra_args": True},
        )
        self.row = row
        self._front_end = front_end

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments. Completion parses incomplete command lines."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        if not {"-h", "--help"}.isdisjoint(args):
            raise HelpRequested(ctx.get_help().rstrip())
        self._check_options(ctx, args)
        # The columns are known without the arguments and the workspace that the command itself requires.
        ctx.resilient_parsing = _asks_for_columns(args)
        rest = super().parse_args(ctx, args)
        if rest:
            if "profile" in ctx.params and rest[0] in credentials.profiles():
                raise errors.UsageError(f"{rest[0]!r} is a profile. Use --profile {rest[0]}.")
            ctx.fail(f"Unexpected argument {rest[0]!r}.{self._file_options(rest[0])}")
        return rest

    def _file_options(self, argument: str) -> str:
        """Return which options take a file, if an argument seems to be one."""
        suffix = PurePath(argument).suffix
        verbs = {"--to": "write" if suffix else "", "--from": "read" if suffix in {".json", ".parquet"} else ""}
        uses = [
            f"To {verb} a file, use {name} {shlex.quote(argument)}."
            for name, verb in verbs.items()
            if verb and any(name in param.opts for param in self.params)
        ]
        return " ".join(["", *uses])

    def _check_options(self, ctx: click.Context, args: Sequence[str]) -> None:
        """Reject two mistakes that click accepts: an option as the value of another option, and a repeated option."""
        options = {name: param for param in self.params if isinstance(param, click.Option) for name in param.opts}
        given: set[click.Option] = set()
        rest = iter(args)
        for arg in rest:
            if arg == "--":
                return
            name, equals, _ = arg.partition("=")
            if not _is_option(arg):
                continue
            if name not in options:
                self._raise_unknown_option(name, options)
            option = options[name]
            if option.is_flag:
                continue
            if option in given and not option.multiple:
                ctx.fail(f"{name} was given more than once.")
            given.add(option)
            value = "" if equals else next(rest, "--")
            is_number = option.type in (COUNT, LIMIT) and value[1:].isdigit()  # a negative one, which is too low
            if not equals and _is_option(value) and not is_number:
                ctx.fail(f"{name} requires a value. Use = for a value that begins with -, as in --sort=-idle_days.")

    def _raise_unknown_option(self, name: str, options: Mapping[str, object]) -> NoReturn:
        if name in FROM[0].opts:
            *most, last = (row.path for row in commands_at(self._front_end) if row.workspaces is ONE_OR_SAVED)
            raise errors.UsageError(
                f"`{self.row.path}` requires a workspace. Only {', '.join(most)} and {last} can read files."
            )
        holders = [
            f"`{row.path}`"
            for row in commands_at(self._front_end)
            if any(name in param.opts for param in row.params_at(self._front_end))
        ]
        elsewhere = f", which belongs to {' and '.join(holders)}" if 0 < len(holders) <= _FEW else ""
        raise errors.UsageError(f"Unknown option {name}{elsewhere}. {errors.did_you_mean(name, options)}")

    def invoke(self, ctx: click.Context) -> Call:
        """Return the call, for the front end to run."""
        named, rows, printing = (
            {str(param.name): ctx.params.pop(str(param.name)) for param in params if param.name in ctx.params}
            for params in (self.row.workspaces.params, self.row.rows, self.row.shell_params)
        )
        return Call(self.row, ctx.params, named, rows, printing)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help of the command: arguments, filters, options and an example."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        sections: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Filters": [], "Options": []}
        for param in self.params:
            is_argument, is_filter = isinstance(param, click.Argument), param in FILTERED
            if record := param.get_help_record(ctx):
                sections["Arguments" if is_argument else "Filters" if is_filter else "Options"].append(record)
        for heading, rows in sections.items():
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
                    if heading == "Filters" and len(rows) > 1:
                        formatter.write_text(COMBINED)
        with formatter.section("Example"):
            formatter.write(f"  {program(self._front_end)} {self.row.example}\n")  # on one line, for copying

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the possible options, also for an empty prefix."""
        return super().shell_complete(ctx, incomplete or "--")


class _Group(click.Group):
    """All commands, or the subcommands of one command."""

    def __init__(self, path: str, front_end: str, rows: Sequence[Command]) -> None:
        super().__init__(
            path.rpartition(" ")[2],
            params=[_HELP] if path else [_HELP, _VERSION],
            add_help_option=False,
            options_metavar="",
            subcommand_metavar="COMMAND …",
        )
        self._path = path
        self._front_end = front_end
        self.rows = rows
        below: dict[str, list[Command]] = {}
        for row in rows:
            below.setdefault(row.path.removeprefix(path).split()[0], []).append(row)
        for name, inside in below.items():
            is_command = inside[0].path == f"{path} {name}".strip()
            self.add_command(
                _Command(inside[0], front_end) if is_command else _Group(f"{path} {name}".strip(), front_end, inside)
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the name of the command or subcommand."""
        if not ctx.resilient_parsing:
            self._check(ctx, args)
        return super().parse_args(ctx, args)

    def _check(self, ctx: click.Context, args: Sequence[str]) -> None:
        """Raise ``HelpRequested`` or ``UsageError`` unless the first argument is a command."""
        first = args[0] if args else "--help"
        start = program(self._front_end)
        if not args and self._path:
            *most, last = self.commands
            raise errors.UsageError(f"Missing subcommand for `{self._path}`: {', '.join(most)} or {last}.")
        if first == "help" and not self._path and args[1:]:
            parse([*args[1:], "--help"], self._front_end)
        if first in {"-h", "--help"} or (first == "help" and not self._path):
            raise HelpRequested(ctx.get_help().rstrip())
        if first in {"--version", "-V", "version"} and not self._path:
            raise HelpRequested(f"tokenkit {__version__}")
        named = next((arg for arg in args if arg in self.commands), None)
        if first.startswith("-") and named:
            others = [arg for arg in args if arg != named]
            raise errors.UsageError(
                f"Options follow the command: {start} {shlex.join([*self._path.split(), named, *others])}"
            )
        if first in _LEADING:
            given = " ".join(args)
            raise errors.UsageError(f"Missing command. For example: {start} {self._example()} {given}")
        if first.startswith("-"):
            raise errors.UsageError(f"Options follow the command: {start} {self._path or 'COMMAND'} … {first} …")
        if first not in self.commands:
            raise errors.UsageError(self._unknown(first, args[1:]))

    def _example(self) -> str:
        """Return a command that only reads."""
        own = [row for row in COMMANDS if row.path.startswith(f"{self._path} ".lstrip()) and not row.can_change]
        return next((row.path for row in own if row.path.endswith("list")), own[0].path)

    def _unknown(self, first: str, rest: Sequence[str]) -> str:
        """Return the message about a word that is not a command here: where it is one, or a similar one."""
        start, path = program(self._front_end), f"{self._path} {first}".strip()
        if not self._path and (elsewhere := [row for row in COMMANDS if row.path.split()[0] == first]):
            other = program(elsewhere[0].front_ends[0])
            return f"`{first}` is not available in a notebook. Run `{shlex.join([other, first, *rest])}` in a terminal."
        alone = next((row for row in commands_at(self._front_end) if row.path == first), None)
        if alone is not None and self._path == "fleet":
            named = " --profile NAME" if PROFILE in alone.workspaces.params else ""
            others = ", ".join(self.commands)
            return f"`{path}` does not exist. Run `{start} {first} …{named}`. The commands of fleet are {others}."
        if (meant := _OTHER_NAMES.get(first, "")) in self.commands:
            return f"Unknown command {path!r}. Run `{shlex.join([start, *self._path.split(), meant, *rest])}`."
        return f"Unknown command {path!r}. {errors.did_you_mean(first, self.commands)}"

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands by group."""
        for heading in GROUPS:
            rows = [(row.path, row.help) for row in self.rows if row.group == heading]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)
        start = program(self._front_end)
        if not self._path:
            with formatter.section("Examples"):
                for example in _EXAMPLES:
                    formatter.write(f"  {start} {example}\n")
        formatter.write(f"\nRun `{start} COMMAND --help` for details, or `{start} --version` for the version.\n")


def _with_command_first(argv: Sequence[str]) -> list[str]:
    """Move the options that may precede the command behind it: ``--profile prod list`` is ``list --profile prod``."""
    rest, moved = list(argv), []
    while rest and (option := _LEADING.get(rest[0].partition("=")[0])):
        moved.append(rest.pop(0))
        if not option.is_flag and "=" not in moved[-1] and rest:
            moved.append(rest.pop(0))
    end = next((position for position, arg in enumerate(rest) if arg.startswith("-")), len(rest))
    return [*rest[:end], *moved, *rest[end:]] if end else [*rest, *moved]


def _is_text(arg: str) -> bool:
    # Python decodes invalid UTF-8 in arguments as lone surrogates.
    return "\0" not in arg and not any("\ud800" <= character <= "\udfff" for character in arg)


def _is_option(arg: str) -> bool:
    """Return whether an argument is an option. A text with spaces is a value, such as a reason."""
    return arg.startswith("-") and arg != "-" and " " not in arg.partition("=")[0]


def _asks_for_columns(args: Sequence[str]) -> bool:
    """Return whether the arguments have ``--columns help``."""
    (name,) = COLUMNS.opts
    return f"{name}={HELP}" in args or (name, HELP) in itertools.pairwise(args)


def _problem(error: click.UsageError) -> str:
    """Return an error of click as one line."""
    message, param = error.message, error.param if isinstance(error, click.BadParameter) else None
    if param is not None:
        is_missing = isinstance(error, click.MissingParameter)
        message = f"Missing argument: {label(param)}" if is_missing else f"{label(param)}: {message}"
    end = "" if message.endswith((".", "?")) else "."
    where = f" Run `{error.ctx.command_path} --help` for details." if error.ctx else ""
    return f"{message}{end}{where}"
