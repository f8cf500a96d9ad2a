"""The page of all commands."""

import re
from pathlib import Path

from tokenkit.commands import reference
from tokenkit.commands.options import MAGIC, SHELL
from tokenkit.commands.table import COMMANDS


def test_the_page_is_generated_from_the_table():
    page = Path(__file__).parent.parent.parent / "docs" / "commands.md"
    assert page.read_text(encoding="utf-8") == reference.page(), (
        "run: python -m tokenkit.commands.reference > docs/commands.md"
    )


def test_the_readme_names_every_command():
    readme = (Path(__file__).parent.parent.parent / "README.md").read_text(encoding="utf-8")
    named = {
        " ".join([*before, last])
        for *before, choices in map(str.split, re.findall(r"`([^`]+)`", readme.replace("```", "")))
        for last in choices.split("|")
    }
    missing = {command.path for command in COMMANDS} - named
    assert missing == set(), "name the command in the README, in the paragraph that begins with: The same commands"


def test_every_command_has_a_section_with_its_parameters_and_their_front_ends():
    sections = dict(text.split("\n", 1) for text in reference.page().split("\n## ")[1:])
    assert list(sections) == [command.path for command in COMMANDS]
    for command in COMMANDS:
        for front_end, only in [(MAGIC, "notebook only"), (SHELL, "shell only")]:
            for param in command.params_at(front_end) if front_end in command.front_ends else ():
                line = next(
                    row
                    for row in sections[command.path].splitlines()
                    if f"| {param.help}" in row or f"{param.help} (" in row
                )
                elsewhere = [at for at in command.front_ends if at != front_end and param not in command.params_at(at)]
                assert (only in line) == bool(elsewhere), line
