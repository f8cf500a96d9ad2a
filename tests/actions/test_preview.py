"""A plan in short: the same rows and closing lines for every front end."""

import re

import pandas as pd
import pytest
from rich.cells import cell_len

from tests.actions.test_permissions import ONLY_ENGINEERS
from tests.elements import texts
from tests.tables import last_column
from tokenkit.actions import preview
from tokenkit.actions.revocation import LAST_TOKEN


@pytest.fixture
def plan(ws):
    """A plan with warnings of several kinds and tokens that are left out."""
    return ws.revoke(ws.tokens())


def warnings_shown(in_short):
    return in_short.tables[0].rows["warnings"].tolist()


def test_expired_tokens_come_last_and_the_others_by_their_worst_warning(ws):
    plan = ws.revoke(ws.tokens("status == 'expired' or idle_days > 7"))
    rows = preview.worst_first_of(plan.preview(), list(plan.warnings()))
    expired = (rows["status"] == "expired").tolist()
    assert expired == sorted(expired)
    assert any(expired)
    assert (rows["warnings"] == "").any()
    plan = ws.revoke(ws.tokens(status="active"))
    in_short = preview.of(plan, limit=len(plan))
    order = list(plan.warnings())
    worst = [order.index(each.split("; ")[0]) if each else len(order) for each in warnings_shown(in_short)]
    assert order[:2] == ["used in the last 7 days", "a service principal's"]
    assert worst == sorted(worst)
    assert len(set(worst)) > 1
    with_own = ws.revoke(ws.tokens(), include_own=True)
    assert warnings_shown(preview.of(with_own))[0].startswith("this session signs in with it; yours")


def test_the_first_twenty_are_shown_with_short_ids_and_the_rest_is_counted(plan):
    in_short = preview.of(plan)
    (table,) = in_short.tables
    assert len(table.rows) == 20
    cells = table.rows["token"].str.split("\n")
    known = plan.preview().set_index(plan.preview()["token_id"].str.slice(stop=12))
    for comment, below in cells:
        owner, _, short_id = below.rpartition(" · ")
        assert owner == known.loc[short_id, "owner"]
        assert comment == preview.visible(known["comment"].fillna("(no comment)")[short_id])
    assert f"… and {len(plan) - 20:,} more" in in_short.text(80)
    assert f"… and {len(plan) - 20:,} more" in in_short._repr_html_()


@pytest.mark.parametrize("width", [30, 80, 120])
def test_no_warning_is_cut_in_a_terminal_and_their_counts_are_the_last_line(plan, width):
    text = preview.of(plan).text(width)
    flowing = last_column(text, "warnings")
    for warnings in warnings_shown(preview.of(plan)):
        assert "".join(warnings.split()) in "".join(flowing.split())
    counted = {warning: count for warning, count in plan.warnings().items() if warning != LAST_TOKEN}
    counts = ", ".join(f"{warning} ({count})" for warning, count in counted.items())
    assert text.splitlines()[-1] == f"Warnings: {counts}."
    assert " owners keep no active token: " in text.splitlines()[-2]
    assert text.splitlines()[-3].startswith("Left out: ")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_rows_fit_the_terminal(plan, width):
    rows = preview.of(plan).text(width).partition("\n\n")[2].partition("\n\n")[0].splitlines()
    assert max(map(len, rows)) <= width


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_columns_stand_below_each_other_whatever_width_their_letters_have(width):
    comments = ["夜間エクスポート 二", "plain text", "🚀 デプロイ ✅ " * 9, "한국어", ""]
    rows = pd.DataFrame({"comment": comments, "owner": ["|ann"] * 5, "host": "|x" * 9})
    lines = preview.table(rows).text(width).splitlines()
    with_owner = [line for line in lines[1:] if "|ann" in line]
    assert {cell_len(line.partition("|")[0]) for line in with_owner} == {cell_len(lines[0].partition("owner")[0])}
    assert max(map(cell_len, lines)) <= width


def test_html_has_every_warning_whole_and_their_counts_last(plan):
    page = plan._repr_html_()
    cells = re.findall('<td style="text-align:left">(.*?)</td>', page)
    for warnings in warnings_shown(preview.of(plan)):
        assert warnings.replace("'", "&#x27;") in cells
    assert page.rindex("<p>Warnings: ") > page.rindex("</table>")
    assert "…" not in page.replace("… and ", "")


def test_html_has_the_title_then_each_table_under_its_caption_then_the_closing_lines(ws):
    in_short = preview.of(ws.plan_permissions(ONLY_ENGINEERS, replace=True))
    page = in_short._repr_html_()
    assert texts(page, "b") == [in_short.title]
    assert texts(page, "th") == [name for table in in_short.tables for name in table.rows]
    cells = [cell for table in in_short.tables for row in table.rows.to_numpy() for cell in row]
    assert texts(page, "td") == [" ".join(cell.split()) for cell in cells]
    around = [line for table in in_short.tables for line in (f"{table.caption}:", table.more) if line]
    assert texts(page, "p") == [in_short.title, *around, *in_short.closing]


def test_as_many_rows_of_each_table_are_shown_as_asked_for(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    for limit in (3, 25):
        in_short = preview.of(plan, limit=limit)
        assert [len(table.rows) for table in in_short.tables] == [min(limit, table.total) for table in in_short.tables]
        assert [table.more for table in in_short.tables] == [
            f"… and {table.total - limit:,} more" if table.total > limit else "" for table in in_short.tables
        ]
    assert any(table.total > 25 for table in in_short.tables)


def test_a_permission_plan_names_who_loses_it_the_first_twenty_and_a_count(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    changing, losing, dying = preview.of(plan).tables
    assert changing.total == len(changing.rows) == len(plan.changes)
    assert losing.total == len(plan.losing_access) > 20
    assert len(losing.rows) == 20
    assert losing.rows["tokens"].astype(int).is_monotonic_decreasing
    assert set(losing.rows["principal"]) < set(plan.losing_access["principal"])
    assert dying.total == len(plan)
    text = plan._in_short().text(80)
    assert f"… and {len(plan.losing_access) - 20} more" in text
    assert all(name[:8] in text for name in losing.rows["principal"])
    last = text.splitlines()[-1]
    assert f"tokens that will be deleted or disabled by the workspace ({len(plan)})" in last
    (named,) = [line for line in plan._in_short().closing if "will lose permission" in line]
    first = ", ".join(losing.rows["principal"].head(5))
    assert named == (
        f"{len(plan.losing_access)} principals will lose permission to use tokens: {first} and "
        f"{len(plan.losing_access) - 5} more."
    )
    assert "\n".join(plan._in_short().closing).count(str(len(plan))) == 1


def test_a_plan_of_nothing_has_a_title_and_no_rows(ws):
    plan = ws.revoke([])
    assert plan._in_short().tables == ()
    assert (
        plan._in_short().text(80) == f"0 tokens on {ws.name} will be revoked for good; nothing changes before .apply()"
    )


def test_what_a_comment_holds_is_inert_in_a_terminal_and_in_html(ws, company):
    state = company.workspaces[0].state
    mine = state.tokens.infos()[0]["owner_id"]
    info = next(info for info in state.tokens.infos() if info["owner_id"] != mine)
    secret = "dapi" + "0123456789abcdef" * 2
    state.tokens.replace({**info, "comment": f"\x1b[2J\u202e\u200b<b>x {secret}\nWarnings: none."})
    plan = ws.revoke(info["token_id"])
    text, page = preview.of(plan).text(300), plan._repr_html_()
    assert not set(text) & {"\x1b", "\u202e", "\u200b"}
    assert len([line for line in text.splitlines() if line.startswith("Warnings: ")]) == 1
    assert "<b>x" not in page
    assert secret not in text + page


def test_a_fleet_s_plan_counts_its_warnings_over_all_workspaces(fleet):
    plan = fleet.revoke(fleet.tokens())
    (table,) = preview.of(plan).tables
    assert "workspace" in table.rows
    counts = plan.preview()["warnings"].str.split("; ").explode().value_counts()
    assert plan.warnings() == {name: counts[name] for name in plan.warnings()}
    assert set(plan.warnings()) == set(counts.index) - {""}
    warned = [each for each in table.rows["warnings"] if each and "expired already" not in each]
    worst = [list(plan.warnings()).index(each.split("; ")[0]) for each in warned]
    assert worst == sorted(worst)


def test_frames_without_warnings_keep_their_order_but_for_the_last_use():
    plain = pd.DataFrame({"token_id": ["a", "b"]})
    pd.testing.assert_frame_equal(preview.worst_first_of(plain, []), plain)
    days = pd.to_datetime([None, "2026-01-01", "2026-02-01"], utc=True)
    used = pd.DataFrame({"token_id": ["a", "b", "c"], "last_used_day": days})
    assert preview.worst_first_of(used, [])["token_id"].tolist() == ["c", "b", "a"]


def test_in_ipython_a_plan_shows_itself_in_short_and_as_one_line_elsewhere(ws, ipython, capsys):
    ipython.user_ns["plan"] = ws.revoke(ws.tokens())
    ipython.run_cell("plan")
    printed = capsys.readouterr().out
    assert printed.rstrip().splitlines()[-1].startswith("Warnings: used in the last 7 days")
    assert "\n" not in repr(ipython.user_ns["plan"])
