"""What the guides hold beside what nbval compares."""

import re
from pathlib import Path

import nbformat
import pytest

GUIDES = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_no_saved_guide_holds_a_token_value(guide):
    assert not re.search(r"\bdapi[0-9a-f]{32}\b", guide.read_text(encoding="utf-8"))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.stem)
def test_every_guide_works_on_a_sandbox_with_a_clock_that_stands_still_and_stores_its_outputs(guide):
    cells = nbformat.read(guide, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert 'connect("sandbox"' in code[0].source
    assert "clock=" in code[0].source
    assert all(cell.execution_count for cell in code)
    assert any(cell.outputs for cell in code)
