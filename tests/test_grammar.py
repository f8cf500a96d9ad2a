"""The table of verbs, and what is derived from it."""

import pytest

from tokenkit import errors, grammar
from tokenkit.commands import MAGIC, SHELL, VERBS
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
                assert each.names[0] in str(asked.value)


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
