"""The table of verbs, and what is derived from it."""

import shlex
from pathlib import Path

import pandas as pd
import pytest

from tokenkit import errors, grammar
from tokenkit.commands import VERBS
from tokenkit.options import MAGIC, SHELL
from tokenkit.review.filters import FILTERS

DOORS = (MAGIC, SHELL)


def test_no_verb_stands_in_the_table_twice():
    words = [verb.words for verb in VERBS]
    assert len(words) == len(set(words))


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_every_verb_and_every_option_has_help(verb):
    assert verb.help[0].islower()
    assert not verb.help.endswith(".")
    assert verb.run.__doc__
    for each in verb.options:
        assert each.settings.get("help"), each.names


@pytest.mark.parametrize("door", DOORS)
def test_the_overview_and_the_help_of_each_verb_are_made_from_the_table(door):
    overview = grammar.overview(door)
    for verb in VERBS:
        assert (f"  {verb.words} " in overview) == (door in verb.doors)
        if door in verb.doors:
            with pytest.raises(grammar.HelpAsked) as asked:
                grammar.parse([*verb.words.split(), "--help"], door)
            for each in verb.options:
                name = each.names[0]
                shown = name if name.startswith("-") else each.settings.get("metavar", name)
                assert (shown in str(asked.value)) == (door in each.doors)


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.needs_workspace], ids=lambda verb: verb.words)
def test_every_verb_on_a_workspace_takes_a_profile(verb):
    parser = grammar.parser_of(verb, SHELL)
    assert "--profile" in parser.format_help()


def test_every_filter_is_an_option_of_list():
    _, options = grammar.parse(["list"], SHELL)
    assert {each.name for each in FILTERS} <= set(vars(options))
    assert all(getattr(options, each.name) is None for each in FILTERS)


def test_words_are_not_abbreviated():
    with pytest.raises(errors.UsageError, match="Did you mean --owner"):
        grammar.parse(["list", "--own", "x"], SHELL)


def test_an_option_may_be_written_with_an_equals_sign():
    verb, options = grammar.parse(["list", "--where=a == 1", "--sort=-x"], MAGIC)
    assert (verb.words, options.where, options.sort) == ("list", "a == 1", "-x")


def test_a_value_of_two_dashes_is_none():
    """Python's argparse gives an empty list for it."""
    with pytest.raises(errors.UsageError, match="--owner has no value"):
        grammar.parse(["list", "--owner=--"], MAGIC)


@pytest.mark.parametrize("line", [["update", "x"], ["create-obo", "x"]])
def test_words_with_commas_between_may_have_spaces_too(line):
    _, options = grammar.parse([*line, "--scopes", " sql, jobs,"], MAGIC)
    assert options.scopes == ["sql", "jobs"]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_no_option_that_is_given_twice_is_silently_replaced(verb, door):
    if door not in verb.doors:
        return
    actions = grammar.parser_of(verb, door)._actions
    positionals = ["x" for action in actions if not action.option_strings and action.nargs in {None, "+"}]
    for action in actions:
        if not action.option_strings or action.nargs == 0:
            continue
        name = action.option_strings[-1]
        twice = [f"{name}={value}" for value in _two_values(action)]
        line = [*verb.words.split(), *positionals, *twice]
        if type(action).__name__ in {"_AppendAction", "_ExtendAction"}:
            assert len(getattr(grammar.parse(line, door)[1], action.dest)) == 2, name
        else:
            with pytest.raises(errors.UsageError, match=f"{name} is given twice"):
                grammar.parse(line, door)


def _two_values(action):
    if action.choices:
        return [*action.choices][:2]
    examples = {"90d": "90d", "30d": "30d", "RULE.NAME=VALUE": "unused.idle_days=45", "DATE": "2026-03-01"}
    value = examples.get(action.metavar, "1")
    return [value, value]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_the_example_of_every_verb_parses(verb, door):
    if door in verb.doors:
        parsed, _ = grammar.parse(shlex.split(verb.example), door)
        assert parsed is verb


class Remembering:
    """A session that has listed something."""

    def remembered(self):
        return pd.DataFrame(
            {"owner": ["ann", "bob"], "token_id": ["aa" * 32, "ab" * 32], "created_by_username": ["ann", "cy"]}
        )


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("", {"list", "revoke", "permissions", "connect"}),
        ("rev", {"revoke"}),
        ("permissions ", {"show", "levels", "set", "add"}),
        ("fleet per", {"permissions"}),
        ("fleet permissions ", {"show", "set", "add"}),
        ("list --ow", {"--owner"}),
        ("list --status ", {"active", "expired"}),
        ("list --status ex", {"expired"}),
        ("list --owner ", {"ann", "bob"}),
        ("list --created-by c", {"cy"}),
        ("get a", {"aa" * 32, "ab" * 32}),
        ("revoke aa", {"aa" * 32}),
        ("update ab", {"ab" * 32}),
        ("list --profile ", {"prod", "sandbox"}),
        ("connect ", {"prod", "sandbox"}),
        ("create-obo x --va", {"--variable"}),
    ],
)
def test_tab_offers_verbs_options_profiles_statuses_owners_and_ids(line, offered, tmp_path):
    (tmp_path / "databrickscfg").write_text("[prod]\nhost = https://a\n")
    words = line.split()
    prefix = "" if not line or line.endswith(" ") else words.pop()
    found = set(grammar.complete(words, prefix, MAGIC, Remembering()))
    assert offered <= found
    assert not prefix or all(each.startswith(prefix) for each in found)
    assert "sandbox" not in found or line.endswith(("connect ", "--profile "))  # no verb of a shell's


def test_the_reference_page_is_made_from_the_table():
    page = Path(__file__).parent.parent / "docs" / "verbs.md"
    assert page.read_text(encoding="utf-8") == grammar.reference(), "run: python -m tokenkit.grammar > docs/verbs.md"
    for verb in VERBS:
        assert f"\n## {verb.words}\n" in grammar.reference()


@pytest.mark.parametrize("word", ["\0", "a\0b", "\udcff"])
def test_what_is_no_text_is_refused_before_anything_is_done_with_it(word):
    for words in ([word], ["list", "--owner", word], ["snapshot", word]):
        with pytest.raises(errors.UsageError, match="no text"):
            grammar.parse(words, SHELL)
