"""One page of rows: what is ticked comes back as ids of the page that was clicked on, whatever is shown by then."""

import json

import pandas as pd
import pytest

from tests.widgets.conftest import tick
from tokenkit.widgets import style, table
from tokenkit.widgets.table import PageTable

A, B = [f"{n:064x}" for n in range(1, 6)], [f"{n:064x}" for n in range(100, 103)]


def rows(ids):
    return pd.DataFrame({"Owner": [f"owner {each[-3:]}" for each in ids]})


@pytest.fixture
def heard():
    return []


def hear(heard):
    return lambda ticked, changed: heard.append((list(ticked), set(changed)))


@pytest.fixture
def shown(heard):
    made = PageTable("Tokens", hear(heard))
    made.show(rows(A), A)
    return made


def on_page(shown):
    """Return the ids that the browser shows as ticked, by the number of the page that it was sent last."""
    selected = shown._table.selected_rows
    number = sum(1 << position for position in selected if position < style.STOWAWAYS)
    assert number == shown._number
    return [shown._ids[position - style.STOWAWAYS] for position in selected if position >= style.STOWAWAYS]


def test_positions_become_ids_of_the_page(shown, heard):
    tick(shown, 2, 0)
    assert heard == [([A[2], A[0]], {A[2], A[0]})]


def test_what_is_unticked_is_reported_as_changed_and_no_more(shown, heard):
    tick(shown, 2, 0)
    shown._table.selected_rows = shown._table.selected_rows[:-1]
    assert heard[1:] == [([], {A[0]})]


def test_a_click_on_the_page_before_that_arrives_late_selects_what_was_clicked_and_ticks_nothing_else(shown, heard):
    late = [*shown._table.selected_rows, style.STOWAWAYS + 1]
    shown.show(rows(B), B)
    assert heard == []
    shown._table.selected_rows = late
    assert heard == [([A[1]], {A[1]})]
    assert on_page(shown) == []
    tick(shown, 1)
    assert heard[1:] == [([B[1]], {B[1]})]


def test_a_late_click_does_not_take_back_what_was_selected_or_unselected_meanwhile(shown, heard):
    tick(shown, 0)
    late = [*shown._table.selected_rows, style.STOWAWAYS + 1]
    shown.show(rows(A), A, {A[2], A[3]})  # as another button did, before the click was heard
    shown._table.selected_rows = late
    assert heard[1:] == [([A[1]], {A[1]})]
    assert on_page(shown) == [A[1], A[2], A[3]]


def test_a_click_on_a_page_that_nobody_remembers_is_dropped_and_its_tick_taken_away(shown, heard):
    late = [*shown._table.selected_rows, style.STOWAWAYS + 1]
    for _ in range(100):
        shown.show(rows(B), B)
    shown._table.selected_rows = late
    assert heard == []
    assert on_page(shown) == []


def test_two_rows_of_one_id_are_ticked_and_unticked_together(heard):
    twins = PageTable("Tokens", hear(heard))
    twins.show(rows([*A[:2], A[0]]), [*A[:2], A[0]])
    tick(twins, 2)
    assert on_page(twins) == [A[0], A[0]]
    twins._table.selected_rows = twins._table.selected_rows[:-1]
    assert on_page(twins) == []
    assert heard == [([A[0]], {A[0]}), ([], {A[0]})]


def test_what_is_ticked_already_is_shown_ticked_and_not_reported(shown, heard):
    shown.show(rows(B), B, {B[1], A[0]})
    assert [each - style.STOWAWAYS for each in shown._table.selected_rows if each >= style.STOWAWAYS] == [1]
    assert heard == []


def test_each_update_repeats_the_options_that_keep_every_row_and_escape_every_cell(shown):
    many = [f"{n:064x}" for n in range(500)]
    shown.show(pd.DataFrame({"Comment": ["<b>é</b>" * 20] * 500}), many)
    state = shown._table.get_state()
    assert state["_dt_args"]["paging"] is False
    assert "downsampling_warning" not in state["_dt_args"]
    assert len(json.loads(state["_dt_args"]["data_json"])) == 500 + style.STOWAWAYS
    assert "<b>" not in json.dumps(state["_dt_args"].get("table_html", ""))


def test_long_text_is_cut_and_only_a_part_of_the_id_is_sent(shown):
    shown.show(pd.DataFrame({"Comment": ["x" * 5000]}), A[:1])
    sent = shown._table.get_state()["_dt_args"]["data_json"]
    assert "x" * 81 not in sent
    assert "…" in sent or "\\u2026" in sent
    assert A[0] not in sent


def test_the_plain_list_reports_ids_too_and_an_old_list_is_about_its_own_page(heard):
    plain = PageTable("Tokens", hear(heard), plain=True)
    plain.show(rows(A), A, {A[4]})
    old = plain.widget.children[0]
    assert old.value == (A[4],)
    old.value = (A[4], A[1])
    plain.show(rows(B), B)
    plain.widget.children[0].value = (B[2],)
    old.value = (A[0],)
    assert heard == [([A[1]], {A[1]}), ([B[2]], {B[2]}), ([A[0]], {A[0], A[4], A[1]})]


def test_a_table_becomes_a_plain_list_and_a_table_again_with_the_same_ticks(shown):
    shown.show(rows(A), A, {A[2]})
    shown.switch(plain=True)
    assert shown.widget.children[0].value == (A[2],)
    shown.switch(plain=False)
    assert style.STOWAWAYS + 2 in shown._table.selected_rows
    assert shown.widget.children == (shown._table,)


def test_what_was_ticked_on_the_page_is_ticked_after_each_switch(shown):
    tick(shown, 3, 1)
    shown.switch(plain=True)
    assert set(shown.widget.children[0].value) == {A[1], A[3]}
    shown.widget.children[0].value = (A[1], A[4])
    shown.switch(plain=False)
    assert on_page(shown) == [A[1], A[4]]


@pytest.mark.parametrize("plain", [False, True])
def test_a_page_without_rows_is_shown_and_what_is_seen_next_too(plain):
    shown = PageTable("Tokens", plain=plain)
    shown.show(rows([]), [])
    shown.show(rows(B), B)
    shown.show(rows([]), [])
    assert len(shown.widget.children) == 1


def test_without_itables_there_is_the_plain_list(monkeypatch):
    monkeypatch.setattr(table.importlib.util, "find_spec", lambda _: None)
    plain = PageTable("Tokens")
    plain.show(rows(A), A)
    assert plain.plain
    assert plain.widget.children[0].disabled
