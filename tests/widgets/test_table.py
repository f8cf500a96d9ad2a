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


@pytest.fixture
def shown(heard):
    made = PageTable("Tokens", lambda chosen, among: heard.append((set(chosen), list(among))))
    made.show(rows(A), A)
    return made


def test_positions_become_ids_of_the_page(shown, heard):
    tick(shown, 2, 0)
    assert heard == [({A[2], A[0]}, A)]


def test_a_click_on_the_page_before_that_arrives_late_selects_what_was_clicked(shown, heard):
    late = [*shown._table.selected_rows, style.STOWAWAYS + 1]
    shown.show(rows(B), B)
    assert heard == []
    shown._table.selected_rows = late
    assert heard == [({A[1]}, A)]


def test_a_click_on_a_page_that_nobody_remembers_is_dropped(shown, heard):
    late = [*shown._table.selected_rows, style.STOWAWAYS + 1]
    for _ in range(100):
        shown.show(rows(B), B)
    shown._table.selected_rows = late
    assert heard == []


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
    plain = PageTable("Tokens", lambda chosen, among: heard.append((set(chosen), list(among))), plain=True)
    plain.show(rows(A), A, {A[4]})
    old = plain.widget.children[0]
    assert old.value == (A[4],)
    old.value = (A[4], A[1])
    plain.show(rows(B), B)
    plain.widget.children[0].value = (B[2],)
    old.value = (A[0],)
    assert heard == [({A[4], A[1]}, A), ({B[2]}, B), ({A[0]}, A)]


def test_a_table_becomes_a_plain_list_and_a_table_again_with_the_same_ticks(shown):
    shown.show(rows(A), A, {A[2]})
    shown.switch(plain=True)
    assert shown.widget.children[0].value == (A[2],)
    shown.switch(plain=False)
    assert style.STOWAWAYS + 2 in shown._table.selected_rows
    assert shown.widget.children == (shown._table,)


def test_without_itables_there_is_the_plain_list(monkeypatch):
    monkeypatch.setattr(table.importlib.util, "find_spec", lambda _: None)
    plain = PageTable("Tokens")
    plain.show(rows(A), A)
    assert plain.plain
    assert plain.widget.children[0].disabled
