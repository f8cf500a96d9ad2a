"""The explorer without a browser: what is selected is what is revoked, errors are a line, no state holds a secret."""

import json

import ipywidgets as widgets
import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.widgets.conftest import settle, tick
from tokenkit.sandbox import Fault
from tokenkit.widgets.explorer import explore
from tokenkit.widgets.style import STOWAWAYS

SECRET = "dapi" + "0123456789abcdef" * 2


@pytest.fixture
def explorer(ws):
    return ws.explore(page_size=20)


@pytest.fixture
def somebody(explorer, person):
    return person(explorer.widget)


@pytest.fixture
def victims(explorer):
    """Six active tokens of other people, on the first page."""
    page = explorer._model.on_page()
    return page[(page["status"] == "active") & (page["owner"] != "admin@example.com")]["token_id"].tolist()[:6]


def tick_ids(explorer, ids):
    page = explorer._model.on_page()["token_id"].tolist()
    tick(explorer._table, *(page.index(each) for each in ids))


def revoke(somebody, count):
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", str(count))
    somebody.press("Revoke")


def test_it_shows_itself_as_one_line_that_never_changes(explorer):
    assert repr(explorer) == f"<Explorer of 160 tokens on {explorer._source.name}>"
    bundle = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == repr(explorer)
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_what_is_filtered_and_selected_are_frames_with_the_listings_own_columns(explorer, somebody, ws, victims):
    listing = ws.tokens()
    somebody.choose("Status", "expired")
    assert set(explorer.filtered["token_id"]) == set(listing.loc[listing["status"] == "expired", "token_id"])
    somebody.press("Clear filters")
    tick_ids(explorer, victims[:2])
    assert set(explorer.selected["token_id"]) == set(victims[:2])
    assert list(explorer.selected.columns) == list(listing.columns)
    assert explorer.selected.dtypes.equals(listing.dtypes)


def test_the_counts_beside_the_choices_follow_the_other_filters(explorer, somebody):
    somebody.choose("Kind of owner", "service principal")
    labels = [label for label, _ in somebody.named(widgets.Dropdown, "Status").options]
    counts = explorer.filtered["status"].value_counts()
    assert labels == ["any", *(f"{status} ({counts[status]})" for status in ("active", "expired") if status in counts)]


def test_a_range_of_days_is_typed_and_what_is_no_number_is_one_line(explorer, somebody):
    somebody.choose("Idle for", "between …")
    somebody.type("Idle for, from", "10")
    somebody.type("Idle for, to", "20")
    assert explorer.filtered["idle_days"].between(10, 21, inclusive="left").all()
    kept = len(explorer.filtered)
    somebody.type("Idle for, to", "soon")
    assert any("'soon' is not a whole number of days" in line for line in somebody.reads())
    assert len(explorer.filtered) == kept
    somebody.press("Clear filters")
    assert len(explorer.filtered) == 160
    assert not [box for box in somebody.parts(widgets.Text) if box.description.startswith("Idle")]


def test_findings_of_the_audit_are_a_filter_a_column_and_stand_in_the_details(explorer, somebody, ws):
    findings = ws.audit().findings
    rule = findings.dropna(subset="token_id")["rule"].iloc[0]
    somebody.choose("Rule found", rule)
    assert set(explorer.filtered["token_id"]) == set(findings.loc[findings["rule"] == rule, "token_id"].dropna())
    tick(explorer._table, 0)
    assert any(line.startswith(rule) for line in somebody.reads())


def test_the_details_are_of_what_was_ticked_last_even_of_several_at_once(explorer, somebody, victims):
    tick_ids(explorer, [victims[4], victims[2], victims[3]])
    assert victims[3] in somebody.reads()
    somebody.press("←")
    assert victims[2] in somebody.reads()


def test_the_selected_tokens_are_revoked_and_no_others(explorer, somebody, ids, victims):
    before = ids()
    tick_ids(explorer, victims[:3])
    revoke(somebody, 3)
    assert before - ids() == set(victims[:3])
    assert any(line == "3 revoked." for line in somebody.reads())
    assert explorer.selected.empty
    assert not set(victims[:3]) & set(explorer.filtered["token_id"])


def turn_round(somebody):
    (button,) = [each for each in somebody.parts(widgets.ToggleButton) if "cending" in each.description]
    button.value = not button.value


BETWEEN = {
    "a filter": lambda somebody: somebody.choose("Status", "expired"),
    "a search": lambda somebody: somebody.type("Search", "zzz"),
    "an order": lambda somebody: somebody.choose("Sort by", "Owner"),
    "the other order": turn_round,
    "another page": lambda somebody: somebody.press("Next →"),
    "a refresh": lambda somebody: somebody.press("Refresh"),
    "the plain list": lambda somebody: setattr(somebody.named(widgets.ToggleButton, "Plain list"), "value", True),
}


@pytest.mark.parametrize("between", BETWEEN)
def test_nothing_between_selecting_and_confirming_changes_who_is_revoked(explorer, somebody, ids, victims, between):
    before = ids()
    tick_ids(explorer, victims[1:4])
    BETWEEN[between](somebody)
    somebody.press("Revoke …")
    somebody.press("Preview")
    BETWEEN[between](somebody) if between != "another page" else somebody.press("← Previous")
    somebody.type("Type", "3")
    somebody.press("Revoke")
    assert before - ids() == set(victims[1:4])


def test_tokens_that_appear_while_somebody_looks_do_not_move_the_selection(explorer, somebody, company, ids, victims):
    tick_ids(explorer, victims[:2])
    state = company.workspaces[0].state
    owner = next(info for info in state.tokens.infos() if info["token_id"] == victims[0])
    state.tokens.delete(next(iter(set(explorer.filtered["token_id"]) - set(victims))))
    state.tokens.mint(
        owner_id=owner["owner_id"], created_by_id=owner["owner_id"], created_by_username="x", creation_time=1,
        expiry_time=-1,
    )  # fmt: skip
    somebody.press("Refresh")
    before = ids()
    revoke(somebody, 2)
    assert before - ids() == set(victims[:2])


def test_what_is_ticked_after_the_preview_is_not_in_it(explorer, somebody, ids, victims):
    before = ids()
    tick_ids(explorer, victims[:2])
    somebody.press("Revoke …")
    somebody.press("Preview")
    tick_ids(explorer, victims[2:5])
    somebody.type("Type", "2")
    somebody.press("Revoke")
    assert before - ids() == set(victims[:2])
    assert set(explorer.selected["token_id"]) == set(victims[2:5])


@pytest.mark.parametrize("typed", ["", "2", "three", "33", "3 tokens"])
def test_any_other_number_lets_nobody_revoke(explorer, somebody, ids, victims, typed):
    before = ids()
    tick_ids(explorer, victims[:3])
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", typed)
    assert somebody.named(widgets.Button, "Revoke").disabled
    somebody.named(widgets.Button, "Revoke").click()
    settle()
    assert ids() == before


def test_the_preview_says_what_to_mind_and_what_is_left_out(explorer, somebody, ws, victims):
    own = ws.tokens(owner="admin@example.com")["token_id"]
    explorer.select([*own, *victims[:1]])
    somebody.press("Revoke …")
    somebody.press("Preview")
    said = somebody.reads()
    assert any("Left out: 1 token (yours" in line for line in said)
    assert any(line.startswith("Revoke 1 token for good on ") for line in said)
    somebody.type("Type", "1")
    somebody.press("Revoke")
    assert explorer.selected.empty  # what was left out is not offered for another try


def test_what_failed_stays_selected_and_works_at_another_try(explorer, somebody, company, ids, victims):
    company.faults.add(Fault(method="DELETE", path=f"*/{victims[1]}", status=400, times=1))
    tick_ids(explorer, victims[:3])
    revoke(somebody, 3)
    assert any(line == "2 revoked, 1 failed." for line in somebody.reads())
    assert explorer.selected["token_id"].tolist() == [victims[1]]
    revoke(somebody, 1)
    assert not set(victims[:3]) & ids()


def ticked_on_page(explorer):
    shown = explorer._table
    return [shown._ids[each - STOWAWAYS] for each in shown._table.selected_rows if each >= STOWAWAYS]


def test_the_boxes_show_what_is_selected_after_a_run_even_if_the_tokens_cannot_be_read_again(
    explorer, somebody, company, victims
):
    def unreadable():
        raise tokenkit.UsageError("The tokens cannot be read.")

    company.faults.add(Fault(method="DELETE", path=f"*/{victims[1]}", status=400, times=1))
    tick_ids(explorer, victims[:3])
    object.__setattr__(explorer._source, "read", unreadable)
    revoke(somebody, 3)
    assert "The tokens cannot be read." in somebody.reads()
    assert ticked_on_page(explorer) == explorer.selected["token_id"].tolist() == [victims[1]]


def test_a_second_action_during_a_run_is_refused_and_changes_no_selection(explorer, somebody, company, ids, victims):
    before = ids()
    company.faults.add(Fault(method="DELETE", latency_ms=500))
    tick_ids(explorer, victims[:2])
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", "2")
    somebody.named(widgets.Button, "Revoke").click()
    tick_ids(explorer, victims[2:4])
    somebody.named(widgets.Button, "Revoke …").click()
    somebody.named(widgets.Button, "Preview").click()
    assert any("Another change is in progress" in line for line in somebody.reads())
    settle()
    assert before - ids() == set(victims[:2])
    assert set(explorer.selected["token_id"]) == set(victims[2:4])


def test_a_stop_half_way_leaves_the_rest_and_says_how_to_go_on(explorer, somebody, company, ids, ws):
    tokens = explorer.filtered
    others = tokens[tokens["owner"] != "admin@example.com"]["token_id"]
    company.faults.add(Fault(method="DELETE", latency_ms=200))
    explorer.select(others)
    before = ids()
    somebody.press("Revoke …")
    somebody.press("Preview")
    somebody.type("Type", str(len(others)))
    somebody.named(widgets.Button, "Revoke").click()
    while len(before - ids()) < 5:
        pass
    somebody.named(widgets.Button, "Stop").click()
    settle()
    company.faults.clear()
    gone = before - ids()
    assert 5 <= len(gone) < len(others)
    assert any("are left; tokenkit.resume(" in line for line in somebody.reads())
    assert set(explorer.selected["token_id"]) == set(others) - gone
    run_id = ws.journal()["run_id"].iloc[0]
    tokenkit.resume(run_id, workspace=ws, progress=False)
    assert not set(others) & ids()


def test_comments_and_scopes_are_updated_for_the_selected(explorer, somebody, company, victims):
    tick_ids(explorer, victims[:2])
    somebody.press("Update …")
    somebody.type("New comment", "asked on Monday")
    somebody.type("New scopes", "sql, jobs")
    somebody.press("Preview")
    somebody.type("Type", "2")
    somebody.press("Update")
    infos = {info["token_id"]: info for info in company.workspaces[0].state.tokens.infos()}
    assert [infos[each]["comment"] for each in victims[:2]] == ["asked on Monday"] * 2
    assert infos[victims[0]]["scopes"] == ["sql", "jobs"]
    assert infos[victims[2]].get("comment") != "asked on Monday"


def test_a_staged_revocation_revokes_nothing_yet_and_says_how_it_is_carried_out(explorer, somebody, ids, ws, victims):
    before = ids()
    tick_ids(explorer, victims[:2])
    somebody.press("Stage …")
    somebody.type("Grace", "7d")
    somebody.press("Preview")
    somebody.type("Type", "2")
    somebody.press("Stage")
    assert ids() == before
    run_id = ws.journal()["run_id"].iloc[0]
    assert any(run_id in line for line in somebody.reads())


@pytest.mark.parametrize(
    ("opener", "answers", "words"),
    [
        ("Stage …", {"Grace": "soon"}, "soon"),
        ("Update …", {}, "Say what to change"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_changed(explorer, somebody, ids, victims, opener, answers, words):
    before = ids()
    tick_ids(explorer, victims[:1])
    somebody.press(opener)
    for name, answer in answers.items():
        somebody.type(name, answer)
    somebody.press("Preview")
    if opener == "Stage …":
        somebody.type("Type", "1")
        somebody.press("Stage")
    assert any(words in line for line in somebody.reads())
    assert ids() == before


def test_a_workspace_that_does_not_answer_is_one_line_and_the_tokens_stay_on_the_screen(explorer, somebody, company):
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=403))
    somebody.press("Refresh")
    assert any("403" in line or "admin" in line for line in somebody.reads())
    assert len(explorer.filtered) == 160
    assert not somebody.named(widgets.Button, "Refresh").disabled


def test_tokens_that_are_gone_after_a_refresh_leave_the_selection_and_it_says_so(explorer, somebody, company, victims):
    tick_ids(explorer, victims[:3])
    company.workspaces[0].state.tokens.delete(victims[0])
    somebody.press("Refresh")
    assert set(explorer.selected["token_id"]) == set(victims[1:3])
    assert any(line.startswith("1 selected token") for line in somebody.reads())


def test_selected_tokens_that_the_filters_hide_are_counted(explorer, somebody, victims):
    tick_ids(explorer, victims[:3])
    somebody.choose("Status", "expired")
    assert "3 selected (3 hidden by the filters)" in somebody.reads()


def test_pages_and_all_that_match_are_selected_with_a_button(explorer, somebody):
    somebody.press("Select page")
    assert len(explorer.selected) == 20
    somebody.press("Next →")
    somebody.press("Select page")
    assert len(explorer.selected) == 40
    somebody.press("Select none")
    somebody.choose("Status", "active")
    somebody.press("Select all")
    assert set(explorer.selected["token_id"]) == set(explorer.filtered["token_id"])


def test_export_writes_what_is_filtered_and_never_over_another_file(explorer, somebody, company, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = company.workspaces[0].state
    state.tokens.replace({**state.tokens.infos()[3], "comment": f"=cmd() {SECRET}"})
    somebody.press("Refresh")
    somebody.choose("Status", "active")
    somebody.press("Export CSV")
    somebody.press("Export CSV")
    files = sorted(tmp_path.glob("*.csv"))
    assert len(files) == 2
    text = files[0].read_text()
    assert SECRET not in text
    assert pd.read_csv(files[0])["token_id"].tolist() == explorer.filtered["token_id"].tolist()
    with pytest.raises(tokenkit.UsageError, match="there already"):
        explorer.export(files[0])
    with pytest.raises(tokenkit.UsageError, match="cannot be written"):
        explorer.export(tmp_path / "nowhere" / "x.csv")


def states(root):
    yield root.get_state()
    for child in getattr(root, "children", ()):
        yield from states(child)


def test_no_token_value_is_in_the_state_of_any_widget(explorer, somebody, company, victims):
    state = company.workspaces[0].state
    for info in state.tokens.infos()[:20]:
        state.tokens.replace({**info, "comment": f"key {SECRET}"})
    somebody.press("Refresh")
    tick_ids(explorer, victims[:2])
    somebody.press("Revoke …")
    somebody.press("Preview")
    saved = json.dumps(list(states(explorer.widget)), default=repr)
    assert SECRET not in saved
    assert company.token not in saved
    assert "[redacted]" in saved


def test_the_charts_are_drawn_when_somebody_opens_them(somebody):
    assert not somebody.parts(widgets.Image)
    somebody.named(widgets.ToggleButton, "Charts").value = True
    settle()
    pictures = somebody.parts(widgets.Image)
    assert len(pictures) == 6
    assert all(bytes(each.value).startswith(b"\x89PNG") for each in pictures)


def test_a_saved_listing_is_explored_without_actions_and_without_a_workspace(ws, person):
    saved = ws.tokens()
    screen = explore(saved, findings=ws.audit().findings, now=NOW)
    somebody = person(screen.widget)
    somebody.choose("Status", "expired")
    assert set(screen.filtered["status"]) == {"expired"}
    assert not [each for each in somebody.parts(widgets.Button) if each.description in {"Revoke …", "Update …"}]
    assert repr(screen) == "<Explorer of 160 tokens on a saved listing>"


def test_an_expression_narrows_what_is_explored_and_a_wrong_one_is_refused_at_once(ws, company):
    assert set(ws.explore("status == 'expired'").filtered["status"]) == {"expired"}
    company.requests.clear()
    with pytest.raises(tokenkit.UsageError):
        ws.explore("open('x')")
    assert not list(company.requests)


def test_an_empty_workspace_is_explored_too():
    empty = tokenkit.frames.frame([], tokenkit.frames.TOKENS)
    screen = explore(empty, now=NOW)
    assert screen.filtered.empty
    assert screen.selected.empty
