"""From the table of verbs: parsers, completion, the reference page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from tokenkit import errors
from tokenkit.commands import VERBS, Verb
from tokenkit.options import FROM, MAGIC, PROFILE, SHELL, Option, option
from tokenkit.rest import credentials
from tokenkit.verbs.session import Session

OUTPUT = option(
    "--output",
    choices=("table", "json", "csv"),
    default="table",
    help="how to print the answer (default: table)",
    doors=(SHELL,),
)
_PROGRAMS = {SHELL: "tokenkit", MAGIC: "%tokens"}


class HelpAsked(Exception):  # noqa: N818 - a request, not an error
    """Somebody asked for help: the text to show."""


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> NoReturn:
        raise HelpAsked(parser.format_help().rstrip())


class _Once(argparse.Action):
    """Takes the one value of an option. A second one would silently replace the first."""

    _is_given = False

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if option_string and self._is_given:
            parser.error(f"{option_string} is given twice")
        self._is_given = True
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises instead of ending the process."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own
        settings = {"add_help": False, "allow_abbrev": False} | settings
        super().__init__(**settings)
        self.register("action", None, _Once)
        self.add_argument("-h", "--help", action=_Help, nargs=0, help="show this and stop")

    def error(self, message: str) -> NoReturn:
        """Turn what argparse found wrong into one line."""
        if message.endswith("expected one argument"):
            message += "; one that begins with - is written with =, as in --sort=-idle_days"
        end = "" if message.endswith("?") else "."
        raise errors.UsageError(f"{message[:1].upper()}{message[1:].rstrip('.')}{end} See {self.prog} --help.")

    @property
    def option_names(self) -> list[str]:
        """The options that it knows, by all their names."""
        return list(self._option_string_actions)


def program(door: str) -> str:
    """Return what a door's commands begin with."""
    return _PROGRAMS[door]


def verbs_at(door: str) -> tuple[Verb, ...]:
    """Return the verbs that a door offers."""
    return tuple(verb for verb in VERBS if door in verb.doors)


def options_at(verb: Verb, door: str) -> tuple[Option, ...]:
    """Return the options of a verb at a door, those that all verbs on a workspace share included."""
    return tuple(each for each in (*verb.options, *_shared(verb)) if door in each.doors)


def _shared(verb: Verb) -> tuple[Option, ...]:
    return (*(verb.where or (PROFILE,)), OUTPUT) if verb.needs_workspace else ()


def parse(words: Sequence[str], door: str) -> tuple[Verb, argparse.Namespace]:
    """Return the verb that was typed and its options.

    Args:
        words: The command, split as a shell splits it, without the program's name.
        door: ``MAGIC`` or ``SHELL``.

    Raises:
        UsageError: No such verb or option, with the near one; a value that the option cannot take.
        HelpAsked: ``--help``, or nothing at all, was typed.
    """
    if not words or words[0] in {"-h", "--help", "help"}:
        raise HelpAsked(overview(door))
    if not all(map(_is_text, words)):
        raise errors.UsageError("There is something in the command that is no text: a null character, or no UTF-8.")
    if lacking := [word for word in words if word.startswith("--") and word.endswith("=--")]:
        raise errors.UsageError(f"{lacking[0][:-3]} has no value: -- is none.")  # argparse would make it a list
    verb, rest = _verb(list(words), door)
    parser = parser_of(verb, door)
    options, unknown = parser.parse_known_args(rest)
    for word in unknown:
        if word.startswith("-"):
            name = word.partition("=")[0]
            if name == "--from":
                raise errors.UsageError(f"{verb.words} asks the workspace, as it is now: {_of_saved(door)} read files.")
            raise errors.UsageError(f"There is no option {name}. {errors.did_you_mean(name, parser.option_names)}")
        if verb.needs_workspace and not verb.where and word in credentials.profiles():
            raise errors.UsageError(f"{word!r} is a profile: write --profile {word}.")
        raise errors.UsageError(f"There is no use for {word!r} here. See {parser.prog} --help.")
    return verb, options


def _of_saved(door: str) -> str:
    """Return the verbs that take ``--from``."""
    words = [verb.words for verb in verbs_at(door) if FROM[0] in verb.options and not verb.words.startswith("fleet ")]
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _is_text(word: str) -> bool:
    # What a shell hands over as bytes that are no UTF-8, Python reads as halves of surrogate pairs.
    return "\0" not in word and not any("\ud800" <= character <= "\udfff" for character in word)


def _verb(words: list[str], door: str) -> tuple[Verb, list[str]]:
    offered = {tuple(verb.words.split()): verb for verb in verbs_at(door)}
    begun = {key[:length] for key in offered for length in range(len(key) + 1)}
    stem = max((tuple(words[:length]) for length in range(len(words) + 1) if tuple(words[:length]) in begun), key=len)
    rest = words[len(stem) :]
    if verb := offered.get(stem):
        return verb, rest
    following = dict.fromkeys(key[len(stem)] for key in offered if key[: len(stem)] == stem)
    said = " ".join(stem)
    if not stem:
        if words[0].startswith("-"):
            raise errors.UsageError(f"Options come after the verb: {program(door)} VERB {words[0]} …")
        if elsewhere := [verb for verb in VERBS if verb.words.split()[0] == words[0]]:
            other = program(elsewhere[0].doors[0])
            raise errors.UsageError(f"{words[0]!r} is not for a notebook; in a terminal, {other} {words[0]} does it.")
        raise errors.UsageError(f"There is no verb {words[0]!r}. {errors.did_you_mean(words[0], following)}")
    if not rest:
        raise errors.UsageError(f"Say what of {said}: {', '.join(following)}.")
    if rest[0] in {"-h", "--help"}:
        raise HelpAsked(overview(door, stem))
    raise errors.UsageError(f"There is no verb {f'{said} {rest[0]}'!r}. {errors.did_you_mean(rest[0], following)}")


def parser_of(verb: Verb, door: str) -> Parser:
    """Return the parser of one verb at one door."""
    parser = Parser(prog=f"{program(door)} {verb.words}", **_described(verb, door))
    _fill(parser, verb, door)
    return parser


def _described(verb: Verb, door: str) -> dict[str, Any]:
    example = f"for example:\n  {program(door)} {verb.example}"
    return {
        "description": f"{verb.help[:1].upper()}{verb.help[1:]}.",
        "epilog": example,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def _fill(parser: argparse.ArgumentParser, verb: Verb, door: str, session: Session | None = None) -> None:
    if verb.configure is not None:
        verb.configure(parser)
    for each in options_at(verb, door):
        action = parser.add_argument(*each.names, **each.settings)
        if each.completer is not None and session is not None:
            offer, here = each.completer, session
            action.completer = lambda offer=offer, here=here, **_: offer(here)  # type: ignore[attr-defined]


def overview(door: str, stem: Sequence[str] = ()) -> str:
    """Return a line for each verb, or for each that begins with some words."""
    verbs = [verb for verb in verbs_at(door) if verb.words.split()[: len(stem)] == list(stem)]
    width = max(len(verb.words) for verb in verbs)
    lines = "\n".join(f"  {verb.words:{width}}  {verb.help}" for verb in verbs)
    return f"usage: {program(door)} VERB …\n\n{lines}\n\n{program(door)} VERB --help tells more of one."


def tree(door: str, session: Session) -> argparse.ArgumentParser:
    """Return one parser of all verbs, with what completes each option, as argcomplete reads it."""
    root = Parser(prog=program(door))
    branches: dict[tuple[str, ...], Any] = {(): root.add_subparsers()}
    for verb in verbs_at(door):
        *stem, last = verb.words.split()
        for length, word in enumerate(stem):
            if tuple(stem[: length + 1]) not in branches:
                branch = branches[tuple(stem[:length])].add_parser(word)
                branches[tuple(stem[: length + 1])] = branch.add_subparsers()
        _fill(branches[tuple(stem)].add_parser(last, help=verb.help), verb, door, session)
    return root


def complete(words: Sequence[str], prefix: str, door: str, session: Session) -> list[str]:
    """Return what the word that is being typed could become.

    Args:
        words: The words before it, without the program's name.
        prefix: As much of it as is typed.
        door: ``MAGIC`` or ``SHELL``.
        session: What knows profiles, owners and ids.
    """
    from argcomplete.finders import CompletionFinder  # noqa: PLC0415 - only completion needs it

    finder = CompletionFinder(tree(door, session), always_complete_options="long")
    # The documented entry, rl_complete, speaks of one line of readline's; this is what it calls.
    found = finder._get_completions([program(door), *words], prefix, "", None)  # noqa: SLF001
    return sorted({each.rstrip() for each in found} - {"-h"})


def reference() -> str:
    """Return the reference of all verbs as Markdown."""
    parts = [
        "# Verbs\n\nThe same words follow `%tokens` in a notebook and `tokenkit` in a shell. This page is made from "
        "the table "
        "of verbs; a test holds it to that.\n"
    ]
    for verb in VERBS:
        where = "" if len(verb.doors) == 2 else f" In a {verb.doors[0]} only."
        parts.append(f"\n## {verb.words}\n\n{verb.help[:1].upper()}{verb.help[1:]}.{where}\n\n```text\n")
        parts.append(f"{program(verb.doors[-1])} {verb.example}\n```\n")
        rows = _reference_rows(verb)
        if rows:
            parts.append("\n| option | what |\n|---|---|\n" + "".join(rows))
    return "".join(parts)


def _reference_rows(verb: Verb) -> list[str]:
    parser = Parser(prog=verb.words)
    if verb.configure is not None:
        verb.configure(parser)
    doors = {}
    for each in (*verb.options, *_shared(verb)):
        action = parser.add_argument(*each.names, **each.settings)
        doors[action.dest] = each.doors
    rows = []
    for action in parser._actions[1:]:  # noqa: SLF001 - argparse has no other way to ask; the first is --help
        names = ", ".join(action.option_strings)
        value = "|".join(action.choices) if action.choices else action.metavar or action.dest.upper()
        takes_value = action.nargs != 0
        written = " ".join(filter(None, (names, str(value) if takes_value or not names else "")))
        only = doors.get(action.dest, verb.doors)
        where = "" if len(only) == 2 or only == verb.doors else f" ({only[0]} only)"
        text = str(action.help).replace("%(default)s", str(action.default)).replace("|", "\\|")
        rows.append(f"| `{written.replace('|', chr(92) + '|')}` | {text}{where} |\n")
    return rows


if __name__ == "__main__":
    sys.stdout.write(reference())
