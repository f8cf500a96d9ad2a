"""Rows of a plan as cells."""

import pandas as pd

from tests.conftest import NOW
from tokenkit.actions import revocation, update
from tokenkit.review.values import SEVERITIES
from tokenkit.widgets import plan_table


def test_a_last_use_is_unknown_and_not_never_of_a_token_that_is_no_longer_listed():
    rows = pd.DataFrame(
        {
            "token_id": ["a" * 64, "b" * 64],
            "owner": ["ann", "bob"],
            "comment": ["nightly", None],
            "status": ["active", None],
            "last_used_day": pd.to_datetime([None, None], utc=True),
        }
    )
    table = plan_table.table(rows, caption="Tokens", now=NOW, most=5)
    assert [row[1][1] for row in table["rows"]] == ["never", ""]


def test_one_more_row_is_shown_instead_of_counted():
    rows = pd.DataFrame({"principal": list("abcd")})
    shown = {most: plan_table.table(rows, caption="", now=NOW, most=most) for most in (2, 3)}
    assert {most: (len(table["rows"]), table["more"]) for most, table in shown.items()} == {
        2: (2, "… and 2 more rows"),
        3: (4, ""),
    }


def test_the_severities_are_those_of_warnings_that_plans_have_and_that_screens_can_color():
    assert {*plan_table.WARNING_LEVELS} <= {*revocation._WARNINGS, update.ALL_APIS_ALLOWED}
    assert {*plan_table.WARNING_LEVELS.values()} <= {*SEVERITIES}


def test_an_outcome_that_needs_attention_has_a_severity_which_a_line_of_text_leaves_out():
    rows = pd.DataFrame({"token_id": list("abcd"), "outcome": ["failed", "unknown", "still listed", "revoked"]})
    cells = [row[1] for row in plan_table.table(rows, caption="Results", now=NOW, most=5)["rows"]]
    assert [cell[2] for cell in cells] == ["high", "high", "medium", ""]
    assert [plan_table.line([cell]) for cell in cells] == rows["outcome"].tolist()
