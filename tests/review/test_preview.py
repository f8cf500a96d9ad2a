"""Rows in short: a token is one cell, warnings come last, and what is not shown is counted."""

from dataclasses import replace

import pandas as pd
import pytest

from tokenkit.review.preview import Preview, Table, labelled, table, visible

TOKENS = pd.DataFrame(
    {
        "workspace": ["prod", "prod"],
        "warnings": ["used in the last 7 days", ""],
        "comment": ["nightly export", None],
        "owner": ["ann@example.com", None],
        "token_id": ["3f1c9a0b12cd4455", "0123456789abcdef"],
        "id": [1, 2],
        "owner_kind": ["user", "user"],
        "owner_active": [True, True],
        "status": ["active", "active"],
        "expiry_time": pd.to_datetime(["2026-03-01", None], utc=True),
        "effective_end": pd.to_datetime(["2026-03-01", None], utc=True),
        "last_used_day": pd.to_datetime(["2026-02-28", None], utc=True),
        "scopes": [["sql", "jobs"], None],
        "matched_as": ["", ""],
    }
)
CELLS = ["nightly export\nann@example.com · 3f1c9a0b12cd", "(no comment)\n0123456789ab"]


def test_a_token_is_one_cell_after_its_workspace_and_warnings_are_last():
    shown = table(TOKENS, caption="Tokens")
    assert shown.rows.to_dict("list") == {
        "workspace": ["prod", "prod"],
        "token": CELLS,
        "last used (UTC)": ["2026-02-28", "never"],
        "scopes": ["sql, jobs", "(not stated)"],
        "warnings": ["used in the last 7 days", ""],
    }
    assert (shown.caption, shown.total, shown.more) == ("Tokens", 2, "")
    without = table(TOKENS.drop(columns="workspace")).rows
    assert [*without] == ["token", "last used (UTC)", "scopes", "warnings"]
    assert table(TOKENS).caption == ""


def test_rows_that_lack_a_part_of_a_token_keep_their_columns():
    rows = pd.DataFrame({"token_id": ["a" * 20], "owner": ["ann"], "workspace": ["prod"]})
    assert table(rows).rows.to_dict("list") == {"token": ["a" * 12], "owner": ["ann"], "workspace": ["prod"]}


def test_the_first_rows_are_shown_and_the_others_are_counted():
    rows = pd.DataFrame({"principal": [f"p{number}" for number in range(2_025)], "tokens": range(2_025)})
    shown = table(rows)
    assert shown.rows["principal"].tolist() == [f"p{number}" for number in range(20)]
    assert shown.rows["tokens"].tolist()[:2] == ["0", "1"]
    assert (shown.total, shown.more) == (2_025, "… and 2,005 more")
    assert table(rows.head(20)).more == ""
    assert table(rows, limit=3).more == "… and 2,022 more"
    assert (len(table(rows.head(21)).rows), table(rows.head(21)).more) == (21, "")  # not "… and 1 more"
    assert (len(table(rows.head(22)).rows), table(rows.head(22)).more) == (20, "… and 2 more")


WIDE = pd.DataFrame(
    {
        "token": ["x" * 40],
        "warnings": ["y" * 40],
        "principal": ["z" * 40],
        "owner": ["o" * 40],
        "reason": ["r" * 40],
    }
)


@pytest.mark.parametrize(("width", "widths"), [(114, [20, 16, 30, 30, 10]), (208, [40] * 5)])
def test_texts_are_folded_to_the_widths_that_each_column_needs(width, widths):
    heading, first, *_ = Table("", WIDE, 1).text(width).splitlines()
    assert [len(part) for part in first.split()] == widths
    assert heading.split() == [*WIDE]


def test_a_table_is_text_with_its_caption_and_what_is_not_shown():
    shown = Table("Lost", pd.DataFrame({"owner": ["ann"], "tokens": ["3"]}), 2)
    assert replace(shown, see_all="see").text(80).endswith("\n… and 1 more; see")
    assert shown.text(80) == "Lost:\nowner  tokens\nann    3\n… and 1 more"
    assert Table("", pd.DataFrame({"owner": ["ann"]}), 1).text(80) == "owner\nann"
    assert Table("None", pd.DataFrame(), 0).text(80) == "None:"


def test_a_table_is_html_with_the_second_line_of_a_cell_smaller():
    shown = Table("Lost", pd.DataFrame({"token": ["a <b>\nann"], "days": ["3"]}), 2)
    left = 'style="text-align:left"'
    assert shown.html() == (
        f"<p>Lost:</p><table><thead><tr><th {left}>token</th><th {left}>days</th></tr></thead>"
        f'<tbody><tr><td {left}>a &lt;b&gt;<div style="font-size:smaller;opacity:.75">ann</div></td>'
        f"<td {left}>3</td></tr></tbody></table><p>… and 1 more</p>"
    )
    plain = Table("", pd.DataFrame({"days": ["3"]}), 1)
    assert plain.html() == (
        f"<table><thead><tr><th {left}>days</th></tr></thead><tbody><tr><td {left}>3</td></tr></tbody></table>"
    )


def test_a_preview_has_its_title_its_tables_and_its_closing_lines():
    shown = Preview("A title", (Table("", pd.DataFrame({"days": ["3"]}), 1),), ("one", "two"))
    assert shown.text(80) == "A title\n\ndays\n3\n\none\ntwo"
    assert repr(Preview("A title", (), ())) == "A title"
    html = shown._repr_html_()
    assert html.startswith("<p><b>A title</b></p><table>")
    assert html.endswith("</table><p>one</p><p>two</p>")


def test_a_text_is_visible_without_secrets_and_control_characters():
    assert visible("a\x1b[2J\nb") == "a\ufffd[2J\ufffdb"
    assert visible("key " + "dapi" + "0" * 32) == "key [redacted]"


def test_rows_of_workspaces_with_names_have_the_names_and_others_stay_as_they_are():
    rows = pd.DataFrame({"workspace": ["https://a", "https://b"], "owner": ["ann", "bob"]})
    named = labelled(rows, {"https://a": "prod"})
    assert named["workspace"].tolist() == ["prod", "https://b"]
    assert named["owner"].tolist() == ["ann", "bob"]
    assert labelled(rows, {}) is rows
    without = rows[["owner"]]
    assert labelled(without, {"https://a": "prod"}) is without


@pytest.mark.parametrize("height", [0, 6, 7, 30, 45])
def test_a_table_has_fewer_rows_if_it_would_be_too_long_but_never_fewer_than_three(height):
    rows = pd.DataFrame({"owner": [f"owner {number}" for number in range(50)], "tokens": range(50)})
    lines = table(rows, caption="Lost").text(80, height=height).splitlines()
    count = len(lines) - 3  # the caption, the headings and the others
    assert lines[2].split() == ["owner", "0", "0"]
    assert lines[-1] == f"… and {50 - count} more"
    assert count == {0: 3, 6: 3, 7: 4, 30: 20, 45: 20}[height]
