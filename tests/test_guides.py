"""What the guides hold beside what nbval compares."""

import re
from pathlib import Path

import nbformat
import pytest

from tokenkit.commands import parser
from tokenkit.commands.options import MAGIC

FOLDER = Path(__file__).parent.parent / "notebooks"
INDEX = FOLDER / "00_index.ipynb"
GUIDES = sorted(set(FOLDER.glob("*.ipynb")) - {INDEX})


def test_the_index_has_a_line_for_every_guide_and_for_nothing_else():
    (cell,) = nbformat.read(INDEX, as_version=4).cells
    lines = re.findall(r"^\| \[.+\]\((.+)\) \| \S.+ \|$", cell.source, re.MULTILINE)
    assert lines == [guide.name for guide in GUIDES]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_no_saved_guide_holds_a_token_value(guide):
    assert not re.search(r"\bdapi[0-9a-f]{32}\b", guide.read_text(encoding="utf-8"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_no_saved_guide_holds_the_state_of_a_screen(guide):
    assert "widgets" not in nbformat.read(guide, as_version=4).metadata  # thousands of lines, new ones each time


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_every_guide_works_on_a_sandbox_with_a_clock_that_stands_still_and_stores_its_outputs(guide):
    cells = nbformat.read(guide, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert 'connect("sandbox"' in code[0].source
    assert "clock=" in code[0].source
    assert all(cell.execution_count for cell in code)
    assert any(cell.outputs for cell in code)


def test_every_command_of_a_notebook_is_shown_in_a_guide():
    cells = [
        cell.source for guide in GUIDES for cell in nbformat.read(guide, as_version=4).cells if cell.cell_type == "code"
    ]
    said = [line for cell in cells for line in re.findall(r"%tokens (.+)", cell)]
    said += [line for cell in cells if cell.startswith("%%tokens") for line in cell.splitlines()]
    missing = [
        command.path
        for command in parser.commands_at(MAGIC)
        if not any(f"{line} ".startswith(f"{command.path} ") for line in said)
    ]
    assert missing == [], "show the command in a guide, in most cases notebooks/02_magics.ipynb, and execute the guide"
