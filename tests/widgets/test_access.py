"""The permission review without a browser: the impact of a draft is shown, and the shown plan is applied."""

import json
import threading

import ipywidgets as widgets
import pytest

from tests.widgets.conftest import settle
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.sandbox import Fault
from tokenkit.widgets.draft import KINDS

SECRET = "dapi" + "0123456789abcdef" * 2


@pytest.fixture
def review(ws):
    return ws.review_access(plain=True)


@pytest.fixture
def user(review, person):
    return person(review.widget)


def row(review, name):
    """Return the row of the entry with this name."""
    (found,) = [row for entry, row in review._face.rows.items() if entry.endswith(f" {name}")]
    return found


def press_in_row(review, name):
    row(review, name).button.click()
    settle()


def holders(company):
    return company.workspaces[0].state.permissions.holders()


def entries(ws):
    listed = ws.token_management.get_permissions()
    return set(listed["group_name"].dropna()) | set(listed["user_name"].dropna())


def test_the_repr_is_one_constant_line(review, ws):
    assert repr(review) == f"<PermissionReview of {ws.name}>"
    assert review._repr_mimebundle_()["text/plain"] == repr(review)


def test_every_entry_is_a_row_with_a_label_and_admins_cannot_be_changed(review, ws):
    listed = ws.token_management.get_permissions()
    assert len(review._face.rows) == len(listed)
    descriptions = [row.level.description for row in review._face.rows.values()]
    assert descriptions == [f"Level of entry {number}" for number in range(1, len(listed) + 1)]
    admins = row(review, "admins")
    assert admins.level.disabled
    assert admins.button.disabled


def test_a_draft_without_changes_cannot_be_applied(user):
    assert user.named(widgets.Button, "Apply …").disabled
    assert any("No changes yet" in line for line in user.reads())


def test_each_edit_shows_the_principals_losing_permission_and_the_tokens_to_delete(review, user, ws, ids):
    before = ids()
    press_in_row(review, "data-engineers")
    expected = ws.plan_permissions(review._model.draft.entries(), replace=True)
    assert set(review.plan.token_ids) == set(expected.token_ids)
    assert len(expected) > 0
    principals, tokens = len(expected.losing_access), len(expected)
    impact = f"{principals} principals would lose permission, and {tokens} tokens would be deleted or disabled."
    assert impact in user.reads()
    press_in_row(review, "data-scientists")
    assert len(review.plan) > len(expected)
    press_in_row(review, "data-engineers")  # restored
    press_in_row(review, "data-scientists")
    assert review.plan is None
    assert user.named(widgets.Button, "Apply …").disabled
    assert ids() == before


def test_the_shown_plan_is_applied_after_the_count_is_typed(review, user, ws, company, ids):
    before, permitted = ids(), holders(company)
    press_in_row(review, "data-scientists")
    plan = review.plan
    user.press("Apply …")
    go = user.named(widgets.Button, "Change the permissions")
    user.type("Type", str(len(plan) + 1))
    assert go.disabled
    assert ids() == before
    user.type("Type", str(len(plan)))
    go.click()
    settle()
    assert before - ids() == set(plan.token_ids)
    assert permitted - holders(company) == set(plan.losing_access["id"])
    assert "data-scientists" not in entries(ws)
    assert f"Permissions changed. {len(plan)} revoked." in user.reads()
    assert "group data-scientists" not in review._face.rows  # a new draft of the new list
    assert review.plan is None


def test_a_result_says_if_it_is_not_known_whether_more_was_lost(review, user, company, monkeypatch):
    change = TokenManagementAPI.set_permissions

    def change_and_break(api, entries):
        changed = change(api, entries)
        company.faults.add(Fault(method="GET", path="/api/2.0/token-management/tokens", status=400))
        return changed

    monkeypatch.setattr(TokenManagementAPI, "set_permissions", change_and_break)
    press_in_row(review, "data-scientists")
    count = len(review.plan)
    user.press("Apply …")
    user.type("Type", str(count))
    user.press("Change the permissions")
    not_known = "Whether tokens outside the preview were lost is not known, because the listing could not be read: "
    assert any(text.startswith(not_known) for text in user.reads())


def test_what_costs_no_token_is_confirmed_without_a_count_and_has_a_reason(review, user, ws, ids):
    before = ids()
    user.type("Name", "contr")
    assert user.named(widgets.Combobox, "Name").options == ("contractors",)
    user.type("Name", "contractors")
    user.press("Add")
    assert row(review, "contractors").change.value == "new"
    assert "No principal would lose permission, and no token would be deleted." in user.reads()
    user.press("Apply …")
    assert "contractors" not in entries(ws)
    assert "Add group contractors with CAN_USE. No principal loses permission." in user.reads()
    assert not [box for box in user.parts(widgets.Text) if box.description.startswith("Type")]
    user.type("Reason", "ticket SEC-4711")
    user.press("Change the permissions")
    assert "contractors" in entries(ws)
    assert ids() == before
    assert "Permissions changed. No token was affected." in user.reads()
    assert ws.runs()["reason"].tolist() == ["ticket SEC-4711"]


def test_can_manage_which_only_admins_should_have_is_kept_or_lowered_and_never_offered(review, user, ws):
    assert row(review, "data-engineers").level.options == ("CAN_USE",)
    ws.token_management.update_permissions([{"group_name": "contractors", "permission_level": "CAN_MANAGE"}])
    user.press("Refresh")
    assert row(review, "contractors").level.options == ("CAN_USE", "CAN_MANAGE")
    row(review, "contractors").level.value = "CAN_USE"
    settle()
    assert row(review, "contractors").change.value == "was CAN_MANAGE"
    user.press("Apply …")
    assert any("This will lower 1 entry." in line for line in user.reads())
    user.type("Type", "1")
    user.press("Change the permissions")
    listed = ws.token_management.get_permissions().set_index("group_name")
    assert listed.loc["contractors", "permission_level"] == "CAN_USE"


def test_each_entry_shows_before_any_edit_what_its_removal_alone_would_cost(review, ws):
    for entry, cells in review._face.rows.items():
        if entry == "group admins":
            continue
        kind, _, name = entry.partition(" ")
        others = [
            {KINDS[other]: who, "permission_level": review._model.draft.level((other, who))}
            for other, who in review._model.draft.everybody()
            if (other, who) != (kind, name)
        ]
        plan = ws.plan_permissions(others, replace=True)
        assert f"only this entry: {len(plan.losing_access)}" in cells.cost.value
        effect = " deleted or disabled" if kind == "group" else " deleted"
        assert cells.cost.value.endswith(f"affected tokens: {len(plan)}{effect if len(plan) else ''}")


def test_tokens_that_are_deleted_and_those_that_may_only_be_disabled_are_counted_apart(review, user, ws):
    press_in_row(review, "data-scientists")
    person = review.plan.losing_access.query("kind == 'user' and tokens > 0")["principal"].iloc[0]
    ws.token_management.update_permissions([{"user_name": person, "permission_level": "CAN_USE"}])
    user.press("Refresh")
    press_in_row(review, person)
    effects = review.plan.preview()["effect"].value_counts()
    assert f"• {effects['deleted_or_disabled']} tokens deleted or disabled (Databricks documents both)" in user.reads()
    assert f"• {effects['deleted']} {'token' if effects['deleted'] == 1 else 'tokens'} deleted for good" in user.reads()


def test_both_faces_show_the_same(ws, browser):
    user = browser(ws.review_access())
    assert [entry["id"] for entry in user.sections["entries"]["rows"]] == list(ws.review_access(plain=True)._face.rows)
    user.do("suggest", kind="group", text="contr")
    assert user.sections["adding"]["offered"] == ["contractors"]
    user.do("remove", id="group data-scientists")
    lost = user.sections["draft"]["verdict"]
    assert user.says == lost
    user.do("apply")
    assert user.asks["count"] == len(user.sections["decision"]["tables"][-1]["rows"])
    user.confirm(user.asks["count"] + 1)
    assert user.asks["errors"]
    user.confirm(user.asks["count"], reason="ticket SEC-4711")
    assert user.asks["title"].startswith("Permissions changed. ")
    assert ws.runs()["reason"].tolist() == ["ticket SEC-4711"]
    assert "group data-scientists" not in [entry["id"] for entry in user.sections["entries"]["rows"]]


def test_an_unknown_principal_is_an_error_and_is_not_added(review, user):
    user.type("Name", "contrators")
    user.press("Add")
    assert any("has no group 'contrators'" in line for line in user.reads())
    assert not review._model.draft.changed


def test_a_draft_is_discarded(review, user):
    press_in_row(review, "data-engineers")
    user.type("Name", "contractors")
    user.press("Add")
    user.press("Discard")
    assert not review._model.draft.changed
    assert "group contractors" not in review._face.rows
    assert user.named(widgets.Button, "Apply …").disabled


def test_an_edit_closes_the_confirmation(review, user, ids):
    before = ids()
    press_in_row(review, "data-scientists")
    user.press("Apply …")
    assert review._decision.plan is not None
    press_in_row(review, "data-engineers")
    assert review._decision.plan is None
    assert not [button for button in user.parts(widgets.Button) if button.description.startswith("Change the")]
    assert ids() == before


def test_a_plan_of_an_older_draft_is_discarded(review, ws):
    first, go_on = threading.Event(), threading.Event()
    plans = review._source.plan

    def slowly(entries):
        if not first.is_set():
            first.set()
            assert go_on.wait(30)
        return plans(entries)

    object.__setattr__(review._source, "plan", slowly)
    row(review, "data-engineers").button.click()
    assert first.wait(30)
    row(review, "data-engineers").button.click()  # restored while the plan is being computed
    row(review, "data-scientists").button.click()
    assert review.plan is None
    go_on.set()
    settle()
    expected = ws.plan_permissions(review._model.draft.entries(), replace=True)
    assert set(review.plan.token_ids) == set(expected.token_ids)
    assert {"group_name": "data-engineers", "permission_level": "CAN_USE"} in review._model.draft.entries()


def test_permissions_that_changed_meanwhile_must_be_read_again_before_applying(review, user, ws):
    ws.token_management.update_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    press_in_row(review, "data-engineers")
    assert review.plan is None
    assert user.named(widgets.Button, "Apply …").disabled
    assert any("The permissions have changed" in line for line in user.reads())
    user.press("Refresh")
    assert "group contractors" in review._face.rows
    assert row(review, "data-engineers").change.value == "removed"  # the draft is kept
    assert len(review.plan) > 0


def test_an_error_is_one_line_and_the_draft_stays(review, user, ws, company, ids):
    company.faults.add(Fault(method="GET", path="*/scim/*", status=403))
    press_in_row(review, "data-scientists")
    assert review.plan is None
    assert [line for line in user.reads() if "403" in line or "may not" in line or "admin" in line]
    company.faults.clear()
    press_in_row(review, "data-engineers")
    plan, before = review.plan, ids()
    company.faults.add(Fault(method="PUT", status=400))
    user.press("Apply …")
    user.type("Type", str(len(plan)))
    user.press("Change the permissions")
    assert "The change was not completed." in user.reads()
    (run_id,) = ws.runs()["run_id"]
    assert any(text.endswith(f"To see what run {run_id} changed, read it in the journal.") for text in user.reads())
    assert ids() == before
    assert review._model.draft.changed


def test_a_refresh_that_fails_says_that_the_entries_are_older_and_keeps_the_draft(review, user, company):
    press_in_row(review, "data-scientists")
    company.faults.add(Fault(method="GET", path="*/permissions/*", status=403))
    user.press("Refresh")
    (line,) = [line for line in user.reads() if line.startswith("The refresh failed.")]
    assert line.startswith("The refresh failed. The permissions shown are those read before. ")
    assert row(review, "data-scientists").change.value == "removed"


@pytest.fixture
def protecting(review):
    """Protect the first two tokens that the plans would delete; return the ids that each plan was allowed."""
    plans, asked = review._source.plan, []

    def plan(entries, allow_protected=()):
        asked.append(list(allow_protected))
        made = plans(entries)
        tokens = made.preview().head(2).assign(comment=f"key {SECRET}", reason="protected by rule 'ci'")
        made.protected = tokens.loc[
            ~tokens["token_id"].isin(allow_protected), ["token_id", "owner", "comment", "reason"]
        ]
        return made

    object.__setattr__(review._source, "plan", plan)
    return asked


def boxes(user):
    return user.parts(widgets.Checkbox)


def test_each_protected_token_must_be_selected_before_its_deletion(review, user, protecting):
    press_in_row(review, "data-scientists")
    assert len(boxes(user)) == 2
    assert "• 2 protected tokens among them" in user.reads()
    assert any("Allow each of 2 protected tokens first." in line for line in user.reads())
    assert len([line for line in user.reads() if "protected by rule 'ci'" in line and "[redacted]" in line]) == 2
    apply = user.named(widgets.Button, "Apply …")
    for number, box in enumerate(boxes(user)):
        assert apply.disabled
        box.value = True
        settle()
        assert len(boxes(user)) == 2
        assert len(protecting[-1]) == number + 1
    assert protecting[-1] == list(review.plan.token_ids[:2])
    assert not apply.disabled
    user.press("Apply …")
    boxes(user)[0].value = False
    assert apply.disabled
    settle()
    assert apply.disabled
    assert review._decision.plan is None
    assert len(protecting[-1]) == 1


def test_a_checkbox_applies_only_to_the_draft_that_it_was_selected_for(review, user, protecting):
    press_in_row(review, "data-scientists")
    for box in boxes(user):
        box.value = True
    settle()
    press_in_row(review, "data-engineers")
    assert protecting[-1] == []
    assert [box.value for box in boxes(user)] == [False, False]
    assert user.named(widgets.Button, "Apply …").disabled
    user.press("Discard")
    assert boxes(user) == []


def states(root):
    yield root.get_state()
    for child in getattr(root, "children", ()):
        yield from states(child)


def test_hostile_names_are_text_and_no_secret_is_in_the_state_of_any_widget(review, user, ws, company):
    state = company.workspaces[0].state
    name = "<img src=x onerror=window.__xss=1>"
    state.directory.add("group", name)
    ws.token_management.update_permissions([{"group_name": name, "permission_level": "CAN_USE"}])
    for info in state.tokens.infos():
        state.tokens.replace({**info, "comment": f"key {SECRET}"})
    user.press("Refresh")
    assert f"group {name}" in user.reads()
    assert not [html for html in user.parts(widgets.HTML) if name in html.value]
    press_in_row(review, "data-scientists")
    user.press("Apply …")
    saved = json.dumps(list(states(review.widget)), default=repr)
    assert "[redacted]" in saved
    assert SECRET not in saved
    assert company.token not in saved
