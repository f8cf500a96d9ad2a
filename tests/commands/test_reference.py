"""The pages of all commands and of all columns."""

import re
from pathlib import Path

import pytest

from tokenkit.commands import columns_reference, reference, returned
from tokenkit.commands.options import MAGIC, SHELL
from tokenkit.commands.table import COMMANDS

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.mark.parametrize(("generator", "name"), [(reference, "commands.md"), (columns_reference, "columns.md")])
def test_the_page_is_generated_from_the_table(generator, name):
    assert (DOCS / name).read_text(encoding="utf-8") == generator.page(), (
        f"run: python -m {generator.__name__} > docs/{name}"
    )


def test_every_column_of_a_command_is_on_the_page_of_columns():
    named = {*re.findall(r"^\| `(\w+)` \|", columns_reference.page(), re.MULTILINE)}
    rows = [command for command in COMMANDS if command.rows and not command.path.startswith("fleet ")]
    paths = [*returned.without_listing(), *(row.path for row in rows)]
    every = [name for path in paths for plan in (True, False) for name in returned.columns_of(path, is_plan=plan)]
    assert {*every} == named


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
