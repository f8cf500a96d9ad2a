"""From the table of verbs to parsers: what was typed becomes a verb and its options, or one line on what is wrong."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from tokenkit import errors
from tokenkit.commands import PROFILE, SHELL, VERBS, Option, Verb

_PROGRAM = {SHELL: "tokenkit"}


class HelpAsked(Exception):  # noqa: N818 - a request, not an error
    """Somebody asked for help: the text to show."""


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        raise HelpAsked(parser.format_help())


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises instead of ending the process."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(**settings, add_help=False, allow_abbrev=False)
        self.add_argument("-h", "--help", action=_Help, nargs=0, help="show this and stop")

    def error(self, message: str) -> NoReturn:
        """Turn what argparse found wrong into one line."""
        raise errors.UsageError(f"{message[:1].upper()}{message[1:].rstrip('.')}. See {self.prog} --help.")


def program(door: str) -> str:
    """Return what a door's commands begin with."""
    return _PROGRAM.get(door, "%tokens")


def verbs_at(door: str) -> tuple[Verb, ...]:
    """Return the verbs that a door offers."""
    return tuple(verb for verb in VERBS if door in verb.doors)


def parse(words: Sequence[str], door: str, *, more: Sequence[Option] = ()) -> tuple[Verb, argparse.Namespace]:
    """Return the verb that was typed and its options.

    Args:
        words: The command, split as a shell splits it, without the program's name.
        door: ``MAGIC`` or ``SHELL``.
        more: Options that the door adds to every verb on a workspace, such as the shell's ``--output``.

    Raises:
        UsageError: No such verb or option, with the near one; a value that the option cannot take.
        HelpAsked: ``--help``, or nothing at all, was typed.
    """
    if not words or words[0] in {"-h", "--help", "help"}:
        raise HelpAsked(overview(door))
    verb, rest = _verb(list(words), door)
    parser = parser_of(verb, door, more=more)
    options, unknown = parser.parse_known_args(rest)
    for word in unknown:
        if word.startswith("-"):
            name = word.partition("=")[0]
            known = [string for action in parser._actions for string in action.option_strings]  # noqa: SLF001 - argparse has no other way to ask
            raise errors.UsageError(f"There is no option {name}. {errors.did_you_mean(name, known)}")
        raise errors.UsageError(f"There is no use for {word!r} here. See {parser.prog} --help.")
    return verb, options


def _verb(words: list[str], door: str) -> tuple[Verb, list[str]]:
    offered = {tuple(verb.words.split()): verb for verb in verbs_at(door)}
    for length in (2, 1):
        if verb := offered.get(tuple(words[:length])):
            return verb, words[length:]
    if elsewhere := [verb for verb in VERBS if verb.words.split()[0] == words[0] and door not in verb.doors]:
        other = program(elsewhere[0].doors[0])
        raise errors.UsageError(f"{words[0]!r} is not for a notebook; in a terminal, {other} {words[0]} does it.")
    seconds = [key[1] for key in offered if len(key) == 2 and key[0] == words[0]]
    if seconds and len(words) > 1:
        raise errors.UsageError(f"There is no {words[0]} {words[1]!r}. {errors.did_you_mean(words[1], seconds)}")
    if seconds:
        raise errors.UsageError(f"Say what of {words[0]}: {', '.join(seconds)}.")
    firsts = dict.fromkeys(key[0] for key in offered)
    raise errors.UsageError(f"There is no verb {words[0]!r}. {errors.did_you_mean(words[0], firsts)}")


def parser_of(verb: Verb, door: str, *, more: Sequence[Option] = ()) -> Parser:
    """Return the parser of one verb at one door."""
    parser = Parser(prog=f"{program(door)} {verb.words}", description=f"{verb.help[:1].upper()}{verb.help[1:]}.")
    if verb.configure is not None:
        verb.configure(parser)
    shared = (PROFILE, *more) if verb.needs_workspace else ()
    for each in (*verb.options, *shared):
        parser.add_argument(*each.names, **each.settings)
    return parser


def overview(door: str) -> str:
    """Return a line for each verb."""
    verbs = verbs_at(door)
    width = max(len(verb.words) for verb in verbs)
    lines = "\n".join(f"  {verb.words:{width}}  {verb.help}" for verb in verbs)
    return f"usage: {program(door)} VERB …\n\n{lines}\n\n{program(door)} VERB --help tells more of one."
