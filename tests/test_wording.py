"""How counts are written."""

import ast
import re
from pathlib import Path

import pytest

import tokenkit
from tokenkit.wording import counted, of


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        ((0, "token"), "0 tokens"),
        ((1, "token"), "1 token"),
        ((2_000, "token"), "2,000 tokens"),
        ((1, "never expires", "never expire"), "1 never expires"),
        ((2, "never expires", "never expire"), "2 never expire"),
    ],
)
def test_a_count_stands_with_its_noun_in_the_right_number(arguments, written):
    assert counted(*arguments) == written
    assert of(*arguments) == written.partition(" ")[2]


_COUNTED = re.compile(r"\{[^{}]*\} (?:more )?(tokens|findings|runs|values|workspaces|principals|owners|rows)\b")


def test_no_message_writes_a_plural_after_any_number():
    """A noun after a number in braces is written by ``counted``; where it cannot be 1, a condition stands beside it."""
    package = Path(tokenkit.__file__).parent
    suspects = {
        f"{path.relative_to(package)}: {found[0]}"
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr) and (found := _COUNTED.search(ast.unparse(node)))
    }
    # Of more than one in any case: their conditions say so. The last is on a button beside "Select page".
    assert {suspect for suspect in suspects if "len(matches)" not in suspect} <= {
        "connecting.py: {workspaces:,} workspaces",
        "excel.py: {ROWS:,} rows",
        "widgets/explorer.py: {self._model.matching:,} tokens",
    }
