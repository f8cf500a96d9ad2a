"""The plain screen: ipywidgets alone, with every function of the other."""

import ipywidgets as widgets
import pytest

import tokenkit
from tokenkit.sandbox import Fault
from tokenkit.widgets import face


@pytest.fixture
def explorer(ws):
    return ws.explore(page_size=20, plain=True)


@pytest.fixture
def user(explorer, person):
    return person(explorer.widget)


@pytest.fixture
def targets(explorer):
    """The positions of four active tokens of other users on the first page."""
    page = explorer._model.on_page()
    usable = (page["status"] == "active") & (page["owner"] != "admin@example.com")
    return [position for position, is_usable in enumerate(usable) if is_usable][:4]


def test_it_says_in_one_line_that_it_is_plain_and_why(user):
    assert "This is the plain screen (plain=True). It has all functions." in user.reads()


def test_without_anywidget_it_is_plain_and_names_the_extra(ws, person, monkeypatch):
    monkeypatch.setattr(face, "available", lambda: False)
    line = (
        "This is the plain screen. The other requires anywidget, which is not installed. Install it with: "
        "pip install anywidget"
    )
    assert line in person(ws.explore().widget).reads()


def test_only_ipywidgets_are_in_it(explorer, user):
    modules = {part.get_state()["_model_module"] for part in user.parts(widgets.Widget) if hasattr(part, "layout")}
    assert modules <= {"@jupyter-widgets/controls", "@jupyter-widgets/base"}
    assert explorer.widget.comm is not None


def test_a_line_has_everything_that_a_row_has(user, explorer):
    token = explorer.filtered.iloc[0]
    label, key = user.tokens.options[0]
    assert key == token["token_id"]
    assert token["owner"] in label
    assert "expires" in label
    assert label.endswith(key[:12])


def test_tokens_are_filtered_selected_and_revoked(explorer, user, ids, targets):
    before = ids()
    user.filter("Status", "active")
    user.filter("Owner kind", "user")
    user.filter("Owner kind", "service principal")
    assert set(explorer.filtered["owner_kind"]) == {"user", "service_principal"}
    user.press("Clear filters")
    user.tick(*targets[:2])
    chosen = set(user.tokens.value)
    assert "2 selected" in user.reads()
    user.press("Revoke …")
    assert "They stop working immediately. This cannot be undone." in user.reads()
    go = user.named(widgets.Button, "Revoke 2 tokens")
    user.type("Type", "3")
    assert go.disabled
    user.type("Type", "2")
    user.press("Revoke 2 tokens")
    assert before - ids() == chosen
    assert "2 revoked." in user.reads()
    user.press("Close")
    assert explorer.selected.empty


def test_pages_orders_and_quick_filters(explorer, user):
    user.choose("Show", "Never expires")
    assert explorer.filtered["never_expires"].all()
    user.choose("Show", "All")
    first = [key for _, key in user.tokens.options]
    user.press("Next →")
    assert "Page 2 of 8" in user.reads()
    assert not set(first) & {key for _, key in user.tokens.options}
    user.choose("Sort by", "Token")
    comments = explorer.filtered["comment"].dropna().str.lower().tolist()
    assert comments == sorted(comments)
    user.press("↑ Ascending")
    comments = explorer.filtered["comment"].dropna().str.lower().tolist()
    assert comments == sorted(comments, reverse=True)


def test_a_listing_without_an_audit_is_in_its_own_order_until_it_is_sorted(ws, person):
    listing = ws.tokens()
    explorer = tokenkit.explore(listing, plain=True)
    user = person(explorer.widget)
    assert [key for _, key in user.tokens.options] == listing["token_id"].tolist()[:50]
    assert user.named(widgets.Button, "↓ Descending").disabled
    user.named(widgets.Dropdown, "Sort by").value = "expiry_time"
    assert not user.named(widgets.Button, "↑ Ascending").disabled
    assert next(key for _, key in user.tokens.options) == listing.sort_values("expiry_time")["token_id"].iloc[0]


def test_a_range_of_days_and_a_part_of_a_name_filter(explorer, user):
    user.choose("Filter by", "Idle for")
    user.type("At least, days", "10")
    user.type("At most, days", "20")
    assert explorer.filtered["idle_days"].between(10, 21, inclusive="left").all()
    assert any("Idle for: 10 to 20 days" in line for line in user.reads())
    user.press("Clear filters")
    owner = explorer.filtered["owner"].value_counts().index[-1]
    user.choose("Filter by", "Owner")
    user.type("Value contains", owner)
    assert [value for _, value in user.named(widgets.SelectMultiple, "Values").options] == [owner]


def test_an_old_list_reports_the_tokens_of_its_own_page(explorer, user):
    old = user.tokens
    seen = [key for _, key in old.options]
    user.press("Next →")
    user.tick(2)
    expected = {seen[1], user.tokens.value[0]}
    old.value = (seen[1],)
    assert set(explorer.selected["token_id"]) == expected


def test_the_details_show_findings_sentences_and_all_fields(user, explorer):
    user.choose("Details of", user.tokens.options[0][0])
    lines = user.reads()
    assert any(line.startswith("Access: ") for line in lines)
    assert any(line.startswith("token id: ") for line in lines)
    assert any(line.endswith("(high)") for line in lines)
    assert explorer.selected.empty


def test_a_revocation_is_scheduled_with_another_grace_period(user, ws, targets):
    user.tick(targets[0])
    user.press("Schedule revocation …")
    user.choose("Grace period", "30 days")
    assert any(line.endswith("for 2026-03-31?") for line in user.reads())
    user.type("Grace period: others", "21d")
    assert any(line.endswith("for 2026-03-22?") for line in user.reads())
    user.type("Reason", "announced on Monday")
    user.type("Type", "1")
    user.press("Schedule 1 token")
    assert " will be revoked on 2026-03-22: " in user.named(widgets.Textarea, "Copy notices").value
    assert ws.runs()["reason"].tolist() == ["announced on Monday"]


def test_comments_and_scopes_are_changed(user, company, targets):
    user.tick(targets[0])
    key = user.tokens.value[0]
    user.press("Edit scopes or comment …")
    user.type("New comment", "by Ann")
    scopes = user.named(widgets.SelectMultiple, "New scopes")
    scopes.value = ("jobs", "sql")
    user.type("New scopes (none: unchanged): others", "vector-search")
    user.press("Preview")
    user.type("Type", "1")
    user.press("Change 1 token")
    info = next(info for info in company.workspaces[0].state.tokens.infos() if info["token_id"] == key)
    assert (info["comment"], info["scopes"]) == ("by Ann", ["jobs", "sql", "vector-search"])


def test_an_error_and_a_failed_token_are_shown_and_retried(user, company, ids, targets):
    user.tick(*targets[:2])
    one, other = user.tokens.value
    company.faults.add(Fault(method="DELETE", path=f"*/{one}", status=400, times=1))
    user.press("Revoke …")
    user.type("Type", "2")
    user.press("Revoke 2 tokens")
    assert any(one[:12] in line and "failed" in line for line in user.reads())
    user.press("Retry 1 failed token")
    user.type("Type", "1")
    user.press("Revoke 1 token")
    assert not {one, other} & ids()


def test_csv_is_written_where_the_kernel_runs(user, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    user.press("Write CSV")
    assert len(list(tmp_path.glob("*.csv"))) == 1
