"""The table of commands and the parser."""

import inspect
import shlex
from types import SimpleNamespace
from typing import get_type_hints

import click
import pytest

from tokenkit import errors
from tokenkit.commands import parser
from tokenkit.commands.options import COMBINED, MAGIC, OWNER, SHELL, WHERE
from tokenkit.commands.reference import page
from tokenkit.commands.table import COMMANDS, GROUPS
from tokenkit.review.filters import FILTERS
from tokenkit.version import __version__

FRONT_ENDS = (MAGIC, SHELL)
ROWS = [pytest.param(command, id=command.path) for command in COMMANDS]


def names(params):
    return {param.name for param in params}


def test_no_command_is_in_the_table_twice():
    paths = [command.path for command in COMMANDS]
    assert len(paths) == len(set(paths))


@pytest.mark.parametrize("command", ROWS)
def test_every_command_and_every_parameter_has_help_and_a_group(command):
    assert command.help[0].isupper()
    assert not command.help.endswith(".")
    assert command.function.__doc__
    assert command.group in GROUPS
    for front_end in command.front_ends:
        assert all(param.help for param in command.params_at(front_end))


@pytest.mark.parametrize("command", ROWS)
def test_the_function_of_a_command_takes_the_parameters_of_its_row(command):
    takes = inspect.signature(command.function).parameters
    keywords = {name for name, parameter in takes.items() if parameter.kind is parameter.KEYWORD_ONLY}
    required = {name for name in keywords if takes[name].default is inspect.Parameter.empty}
    filters = {filter_.name for filter_ in FILTERS}
    if command.path == "update":
        filters -= {"comment"}  # here it is the new comment
    untyped = {"criteria": filters, "settings": names(command.params)}
    for name, parameter in takes.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            alone = SimpleNamespace(__annotations__={name: parameter.annotation})  # the result may be a widget
            typed = get_type_hints(alone, command.function.__globals__)[name]  # Unpack of a TypedDict, or Any
            required |= untyped.get(name) or set(typed.__args__[0].__annotations__)
    everywhere = names(command.params)
    sometimes = everywhere.union(*map(names, command.only_in.values()))
    assert (required, keywords | required) == (everywhere, sometimes)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_overview_and_the_help_of_each_command_are_made_from_the_table(front_end):
    with pytest.raises(parser.HelpRequested) as asked:
        parser.parse([], front_end)
    overview = str(asked.value)
    for command in COMMANDS:
        assert (f"  {command.path} " in overview) == (front_end in command.front_ends)
        if front_end not in command.front_ends:
            continue
        with pytest.raises(parser.HelpRequested) as asked:
            parser.parse([*command.path.split(), "--help"], front_end)
        offered = command.params_at(front_end)
        for param in {*command.params_at(MAGIC), *command.params_at(SHELL)}:
            shown = param.opts[0] if isinstance(param, click.Option) else param.type.name
            assert (shown in str(asked.value)) == (param in offered)
        assert f"  {parser.program(front_end)} {command.example}" in str(asked.value)


def test_help_has_the_commands_by_group_and_a_command_its_subcommands():
    with pytest.raises(parser.HelpRequested) as asked:
        parser.parse(["--help"], SHELL)
    headings = [line for line in str(asked.value).splitlines() if line.endswith(":")]
    assert headings == [*(f"{group}:" for group in GROUPS), "Examples:"]
    with pytest.raises(parser.HelpRequested) as asked:
        parser.parse(["permissions", "--help"], SHELL)
    assert "  permissions add" in str(asked.value)
    assert "revoke" not in str(asked.value)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize(
    "line", ["list --help", "list --limit x --help", "list --nothing -h", "get -h", "revoke x --help"]
)
def test_help_is_shown_with_any_other_arguments(line, front_end):
    with pytest.raises(parser.HelpRequested, match="Usage: "):
        parser.parse(line.split(), front_end)


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_the_version_is_shown(front_end):
    with pytest.raises(parser.HelpRequested, match=f"^tokenkit {__version__}$"):
        parser.parse(["--version"], front_end)


@pytest.mark.parametrize("command", ROWS)
def test_every_command_on_a_workspace_takes_a_profile_or_several(command):
    if command.path not in {"sandbox", "lab", "completion"}:
        assert names(command.params_at(SHELL)) & {"profile", "profiles"}


def test_every_filter_is_an_option_of_list_and_none_by_default():
    call = parser.parse(["list"], SHELL)
    assert {filter_.name for filter_ in FILTERS} <= set(call.params)
    assert all(call.params[filter_.name] is None for filter_ in FILTERS)


def test_parameters_are_none_false_or_empty_by_default():
    assert parser.parse(["create-obo", "x"], SHELL).params == {
        "service_principal": "x",
        "comment": None,
        "lifetime": None,
        "scopes": None,
        "allow_unknown": False,
        "autoscope": None,
        "secret": None,
        "overwrite": False,
        "show_value": False,
    }
    call = parser.parse(["audit"], SHELL)
    log = {"usage": False, "days": None, "rows": None, "warehouse_id": None, "start_warehouse": False}
    assert call.params == {"rules": (), "skip": (), "thresholds": (), "waivers": None, "explain": None} | log
    assert call.named == {"profile": None, "from_file": None, "as_of": None}
    assert call.rows == {"findings": False, "sort": None, "limit": None, "columns": None, "to": None}
    assert call.printing == {"fail_on": None, "output": None, "quiet": False, "no_color": False, "now": None}
    assert parser.parse(["revoke"], MAGIC).params["token_ids"] == ()
    assert parser.parse(["report"], MAGIC).params["to"] == "audit.html"


def test_no_option_is_read_from_the_environment(monkeypatch):
    for name in ("LIST_LIMIT", "LIMIT", "LIST_OWNER", "PROFILE", "LIST_PROFILE", "YES", "REVOKE_YES"):
        for prefix in ("TOKENKIT_", "_TOKENKIT_", ""):
            monkeypatch.setenv(f"{prefix}{name}", "5")
    call = parser.parse(["list"], SHELL)
    assert (call.params["limit"], call.params["owner"], call.named["profile"]) == (None, None, None)
    assert parser.parse(["revoke", "x"], SHELL).params["yes"] is False


def test_arguments_are_not_expanded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").touch()
    monkeypatch.setenv("OWNER", "ann")
    call = parser.parse(["list", "--owner", "*", "--comment", "$OWNER", "--to", "~/a.*"], SHELL)
    assert call.params["owner"] == ("*",)
    assert (call.params["comment"], call.rows["to"]) == (("$OWNER",), "~/a.*")


def test_options_are_not_abbreviated():
    with pytest.raises(errors.UsageError, match="Did you mean --owner"):
        parser.parse(["list", "--own", "x"], SHELL)


def test_an_option_may_be_written_with_an_equals_sign():
    call = parser.parse(["list", "--where=a == 1", "--sort=-x"], MAGIC)
    assert (call.command.path, call.params["where"], call.params["sort"]) == ("list", "a == 1", "-x")


@pytest.mark.parametrize(
    ("argv", "comment"),
    [
        (["--comment=--"], "--"),
        (["--comment=--yes"], "--yes"),
        (["--comment", "- old"], "- old"),
        (["--comment", "-"], "-"),
    ],
)
def test_a_value_that_begins_with_a_hyphen_is_accepted_if_it_cannot_be_an_option(argv, comment):
    call = parser.parse(["update", "x", *argv], MAGIC)
    assert (call.params["comment"], call.params["yes"]) == (comment, False)


@pytest.mark.parametrize("argv", [["--comment", "--yes"], ["--comment"], ["--comment", "--"], ["--comment", "-x"]])
def test_an_option_is_not_the_value_of_another(argv):
    with pytest.raises(errors.UsageError, match=r"--comment requires a value\. Use = for a value that begins with -"):
        parser.parse(["update", "x", *argv], SHELL)


def test_arguments_after_two_hyphens_are_not_options():
    assert parser.parse(["revoke", "--yes", "--", "--limit"], SHELL).params["token_ids"] == ("--limit",)


@pytest.mark.parametrize("line", [["update", "x"], ["create-obo", "x"]])
def test_names_with_commas_can_have_spaces(line):
    call = parser.parse([*line, "--scopes", " sql, jobs,", "--scopes=files"], MAGIC)
    assert call.params["scopes"] == ["sql", "jobs", "files"]


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("command", ROWS)
def test_a_repeated_option_is_an_error_or_adds(command, front_end):
    if front_end not in command.front_ends:
        return
    params = command.params_at(front_end)
    positionals = [example(param) for param in params if isinstance(param, click.Argument) and param.required]
    for param in params:
        if not isinstance(param, click.Option) or param.is_flag:
            continue
        name = param.opts[-1]
        line = [*command.path.split(), *positionals, *[f"{name}={example(param)}"] * 2]
        if param.multiple:
            call = parser.parse(line, front_end)
            assert len((call.params | call.named | call.rows)[param.name]) == 2, name
        else:
            with pytest.raises(errors.UsageError, match=f"{name} was given more than once"):
                parser.parse(line, front_end)


def example(param):
    examples = {"90d": "90d", "30d": "30d", "RULE.NAME=VALUE": "unused.idle_days=45", "DATE": "2026-03-01"}
    examples["ENTRY"] = "group:analysts"
    return examples.get(param.type.name, param.type.name.split("|")[0] if "|" in param.type.name else "1")


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("command", ROWS)
def test_the_example_of_every_command_parses(command, front_end):
    if front_end in command.front_ends:
        assert parser.parse(shlex.split(command.example), front_end).command is command


def test_a_profile_without_its_option_is_recognized(tmp_path):
    (tmp_path / "databrickscfg").write_text("[prod]\nhost = https://a\n")
    with pytest.raises(errors.UsageError, match="Use --profile prod"):
        parser.parse(["list", "prod"], SHELL)
    with pytest.raises(
        errors.UsageError, match=r"Unexpected argument 'prod'\. Run `tokenkit fleet list --help` for details\."
    ):
        parser.parse(["fleet", "list", "prod"], SHELL)


def test_a_command_that_reads_no_file_says_which_do():
    with pytest.raises(
        errors.UsageError, match=r"^`get` requires .* list, .*scopes, .*explore, .* and find-leaked can read files\.$"
    ):
        parser.parse(["get", "x", "--from", "a.json"], SHELL)


def test_a_shell_command_in_a_notebook_is_an_error_that_names_the_shell():
    with pytest.raises(errors.UsageError, match="Run `tokenkit lab` in a terminal"):
        parser.parse(["lab"], MAGIC)


@pytest.mark.parametrize("argument", ["\0", "a\0b", "\udcff"])
def test_invalid_text_is_an_error_before_anything_else(argument):
    for argv in ([argument], ["list", "--owner", argument], ["snapshot", argument]):
        with pytest.raises(errors.UsageError, match="not valid text"):
            parser.parse(argv, SHELL)


@pytest.mark.parametrize("line", ["-V", "version", "--version"])
def test_the_version_has_the_names_of_other_tools(line):
    with pytest.raises(parser.HelpRequested, match=r"^tokenkit \d"):
        parser.parse([line], SHELL)


def test_help_of_a_command_is_what_its_option_shows():
    texts = []
    for line in ("help list", "list --help"):
        with pytest.raises(parser.HelpRequested) as help_text:
            parser.parse(line.split(), SHELL)
        texts.append(str(help_text.value))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fleet --profiles a,b list", "Options follow the command: tokenkit fleet list --profiles a,b"),
        ("--limit 5 list", "Options follow the command: tokenkit list --limit 5"),
        ("--profile admin", "Missing command. For example: tokenkit list --profile admin"),
        ("list --limit -3", "--limit: -3 is less than 1."),
        ("list --limit=-3", "--limit: -3 is less than 1."),
        ("list --limit 0", "--limit: 0 is less than 1."),
        ("audit --limit 0", "--limit: 0 is less than 1."),
        ("usage --days -1", "--days: -1 is less than 0."),
        ("list --output yaml", "'yaml' is not a valid value. Known: table, json, csv."),
    ],
)
def test_a_message_names_what_is_missing_or_invalid_once(line, message):
    with pytest.raises(errors.UsageError) as problem:
        parser.parse(line.split(), SHELL)
    assert message in str(problem.value)
    assert str(problem.value).count("table, json, csv") <= 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("report audit.html", "To write a file, use --to audit.html. Run"),
        ("access a.csv", "To write a file, use --to a.csv. Run"),
        ("list saved.json", "To write a file, use --to saved.json. To read a file, use --from saved.json. Run"),
        ("undo 20260301-a a.csv", "To write a file, use --to a.csv. Run"),
        ("list prod", "Unexpected argument 'prod'. Run"),
        ("sandbox a.db", "Unexpected argument 'a.db'. Run"),
    ],
)
def test_a_file_without_its_option_is_an_error_that_names_the_option(line, message):
    with pytest.raises(errors.UsageError) as error:
        parser.parse(line.split(), SHELL)
    assert message in str(error.value)


@pytest.mark.parametrize("command", [row for row in COMMANDS if OWNER in row.params and WHERE in row.params])
def test_help_says_once_below_the_filters_how_they_are_combined(command):
    with pytest.raises(parser.HelpRequested) as help_text:
        parser.parse([*command.path.split(), "--help"], SHELL)
    filters, options = str(help_text.value).partition("\nFilters:\n")[2].split("\nOptions:\n")
    assert " ".join(filters.split()).endswith(COMBINED)
    assert {"--owner", "--where", "--scope"} <= {*filters.split()}
    assert {"--owner", "--where"}.isdisjoint(options.partition("\nExample:\n")[0].split())
    assert page().count(COMBINED) == 1
