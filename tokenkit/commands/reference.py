"""Generates the page of all commands from their table: ``python -m tokenkit.commands.reference > docs/commands.md``."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from tokenkit.commands.options import BOTH, COMBINED, MAGIC, SHELL
from tokenkit.commands.parser import program
from tokenkit.commands.table import COMMANDS, Command

_HEAD = f"""# Commands

The same commands follow `%tokens` in a notebook and `tokenkit` in a shell. This page is generated from their
table.

{COMBINED}
"""
_NAMES = {MAGIC: "notebook", SHELL: "shell"}


def page() -> str:
    """Return the page as Markdown."""
    return _HEAD + "".join(map(_section, COMMANDS))


def _section(command: Command) -> str:
    where = "" if command.front_ends == BOTH else f" In a {_NAMES[command.front_ends[0]]} only."
    text = f"\n## {command.path}\n\n{command.sentence}{where}\n\n```text\n"
    text += f"{program(command.front_ends[-1])} {command.example}\n```\n"
    rows = "".join(_rows(command))
    return text + (f"\n| option | description |\n|---|---|\n{rows}" if rows else "")


def _rows(command: Command) -> Iterator[str]:
    at = {front_end: command.params_at(front_end) for front_end in command.front_ends}
    for param in dict.fromkeys(param for params in at.values() for param in params):
        offered = [front_end for front_end, params in at.items() if param in params]
        where = f" ({_NAMES[offered[0]]} only)" if len(offered) < len(at) else ""
        yield f"| `{_cell(_signature(param))}` | {_cell(str(param.help))}{where} |\n"


def _signature(param: click.Parameter) -> str:
    value = param.metavar or param.type.name
    if isinstance(param, click.Option):
        return param.opts[-1] if param.is_flag else f"{param.opts[-1]} {value}"
    return value


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
