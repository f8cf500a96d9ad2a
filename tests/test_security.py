"""What SECURITY.md claims is held by tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_test_that_the_page_names_is_there():
    named = re.findall(r"`((?:tests|docs|tokenkit)/[\w./-]+)`", (ROOT / "SECURITY.md").read_text("utf-8"))
    assert len(named) > 20
    assert [each for each in named if not (ROOT / each).exists()] == []
