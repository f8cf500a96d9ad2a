"""The permission review without a browser: what is drafted is weighed, and what was shown is what is applied."""

import json
import threading

import ipywidgets as widgets
import pytest

from tests.widgets.conftest import settle
from tokenkit.sandbox import Fault

SECRET = "dapi" + "0123456789abcdef" * 2


@pytest.fixture
def review(ws):
    return ws.review_access()


@pytest.fixture
def somebody(review, person):
    return person(review.widget)


def row(review, name):
    """Return the row of whoever has this name in an entry."""
    (key,) = [key for key in review._rows if key[1] == name]
    return review._rows[key]


def press_in_row(review, name):
    row(review, name)._button.click()
    settle()


def holders(company):
    return company.workspaces[0].state.permissions.holders()


def entries(ws):
    listed = ws.token_management.get_permissions()
    return set(listed["group_name"].dropna()) | set(listed["user_name"].dropna())


def test_it_shows_itself_as_one_line_that_never_changes(review, ws):
    assert repr(review) == f"<PermissionReview of {ws.name}>"
    assert review._repr_mimebundle_()["text/plain"] == repr(review)


def test_every_entry_is_a_row_with_a_label_and_admins_cannot_be_changed(review, ws):
    listed = ws.token_management.get_permissions()
    assert len(review._rows) == len(listed)
    descriptions = [each._level.description for each in review._rows.values()]
    assert descriptions == [f"Level of entry {number}" for number in range(1, len(listed) + 1)]
    admins = row(review, "admins")
    assert admins._level.disabled
    assert admins._button.disabled


def test_nothing_can_be_applied_before_something_is_drafted(somebody):
    assert somebody.named(widgets.Button, "Apply …").disabled
    assert any("Nothing is to change yet" in line for line in somebody.reads())


def test_each_edit_shows_who_loses_the_right_and_which_tokens_die(review, somebody, ws, ids):
    before = ids()
    press_in_row(review, "data-engineers")
    expected = ws.plan_permissions(review._draft.entries(), replace=True)
    assert set(review.plan.token_ids) == set(expected.token_ids)
    assert len(expected) > 0
    said = f"{len(expected.loses)} principals would lose the right, {len(expected)} tokens be deleted or disabled."
    assert said in somebody.reads()
    press_in_row(review, "data-scientists")
    assert len(review.plan) > len(expected)
    press_in_row(review, "data-engineers")  # restored
    press_in_row(review, "data-scientists")
    assert review.plan is None
    assert somebody.named(widgets.Button, "Apply …").disabled
    assert ids() == before


def test_what_is_applied_is_what_was_shown_after_the_count_is_typed(review, somebody, ws, company, ids):
    before, entitled = ids(), holders(company)
    press_in_row(review, "data-scientists")
    plan = review.plan
    somebody.press("Apply …")
    go = somebody.named(widgets.Button, "Apply")
    somebody.type("Type", str(len(plan) + 1))
    assert go.disabled
    assert ids() == before
    somebody.type("Type", str(len(plan)))
    go.click()
    settle()
    assert before - ids() == set(plan.token_ids)
    assert entitled - holders(company) == set(plan.loses["id"])
    assert "data-scientists" not in entries(ws)
    assert f"{len(plan)} revoked." in somebody.reads()
    assert "data-scientists" not in {name for _, name in review._rows}  # a new draft of the new list
    assert review.plan is None


def test_somebody_is_added_by_name_and_where_nobody_loses_there_is_nothing_to_confirm(review, somebody, ws, ids):
    before = ids()
    somebody.type("Name", "contr")
    assert somebody.named(widgets.Combobox, "Name").options == ("contractors",)
    somebody.type("Name", "contractors")
    somebody.press("Add")
    assert row(review, "contractors")._change.value == "new"
    assert "Nobody would lose the right, and no token be deleted." in somebody.reads()
    somebody.press("Apply …")
    assert "contractors" in entries(ws)
    assert ids() == before
    assert any("no token was deleted" in line for line in somebody.reads())


def test_a_level_is_changed_and_nobody_loses_anything(review, somebody, ws):
    row(review, "data-engineers")._level.value = "CAN_MANAGE"
    settle()
    assert row(review, "data-engineers")._change.value == "was CAN_USE"
    somebody.press("Apply …")
    listed = ws.token_management.get_permissions().set_index("group_name")
    assert listed.loc["data-engineers", "permission_level"] == "CAN_MANAGE"


def test_whoever_is_not_there_is_not_added_and_it_is_said(review, somebody):
    somebody.type("Name", "contrators")
    somebody.press("Add")
    assert any("has no group 'contrators'" in line for line in somebody.reads())
    assert not review._draft.changed


def test_a_draft_is_discarded(review, somebody):
    press_in_row(review, "data-engineers")
    somebody.type("Name", "contractors")
    somebody.press("Add")
    somebody.press("Discard")
    assert not review._draft.changed
    assert "contractors" not in {name for _, name in review._rows}
    assert somebody.named(widgets.Button, "Apply …").disabled


def test_an_edit_after_the_question_takes_the_question_back(review, somebody, ids):
    before = ids()
    press_in_row(review, "data-scientists")
    somebody.press("Apply …")
    assert review._confirmation.plan is not None
    press_in_row(review, "data-engineers")
    assert review._confirmation.plan is None
    assert not [each for each in somebody.parts(widgets.Button) if each.description == "Apply"]
    assert ids() == before


def test_the_answer_about_an_older_draft_is_dropped(review, ws):
    first, go_on = threading.Event(), threading.Event()
    plans = review._source.plan

    def slowly(entries):
        if not first.is_set():
            first.set()
            assert go_on.wait(30)
        return plans(entries)

    object.__setattr__(review._source, "plan", slowly)
    row(review, "data-engineers")._button.click()
    assert first.wait(30)
    row(review, "data-engineers")._button.click()  # restored while the plan is on its way
    row(review, "data-scientists")._button.click()
    assert review.plan is None
    go_on.set()
    settle()
    expected = ws.plan_permissions(review._draft.entries(), replace=True)
    assert set(review.plan.token_ids) == set(expected.token_ids)
    assert {"group_name": "data-engineers", "permission_level": "CAN_USE"} in review._draft.entries()


def test_a_list_that_somebody_else_changed_is_read_again_before_anything_is_applied(review, somebody, ws):
    ws.token_management.update_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    press_in_row(review, "data-engineers")
    assert review.plan is None
    assert somebody.named(widgets.Button, "Apply …").disabled
    assert any("Somebody else changed the permissions" in line for line in somebody.reads())
    somebody.press("Refresh")
    assert "contractors" in {name for _, name in review._rows}
    press_in_row(review, "data-engineers")
    assert review.plan is not None


def test_an_error_is_one_line_and_the_draft_stays(review, somebody, company, ids):
    company.faults.add(Fault(method="GET", path="*/scim/*", status=403))
    press_in_row(review, "data-scientists")
    assert review.plan is None
    assert [line for line in somebody.reads() if "403" in line or "may not" in line or "admin" in line]
    company.faults.clear()
    press_in_row(review, "data-engineers")
    plan, before = review.plan, ids()
    company.faults.add(Fault(method="PUT", status=400))
    somebody.press("Apply …")
    somebody.type("Type", str(len(plan)))
    somebody.press("Apply")
    assert "It did not work." in somebody.reads()
    assert ids() == before
    assert review._draft.changed


@pytest.fixture
def protecting(review):
    """Let plans of the review protect the first two tokens that they would delete; return what each was allowed."""
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


def boxes(somebody):
    return somebody.parts(widgets.Checkbox)


def test_a_change_that_costs_protected_tokens_waits_for_a_box_by_each(review, somebody, protecting):
    press_in_row(review, "data-scientists")
    assert len(boxes(somebody)) == 2
    assert "• 2 protected: select the box of each token that may be deleted" in somebody.reads()
    assert len([line for line in somebody.reads() if "protected by rule 'ci'" in line and "[redacted]" in line]) == 2
    apply = somebody.named(widgets.Button, "Apply …")
    for number, box in enumerate(boxes(somebody)):
        assert apply.disabled
        box.value = True
        settle()
        assert len(boxes(somebody)) == 2
        assert len(protecting[-1]) == number + 1
    assert protecting[-1] == list(review.plan.token_ids[:2])
    assert not apply.disabled
    somebody.press("Apply …")
    boxes(somebody)[0].value = False
    assert apply.disabled
    settle()
    assert apply.disabled
    assert review._confirmation.plan is None
    assert len(protecting[-1]) == 1


def test_a_box_is_about_the_draft_that_it_was_selected_for_and_no_other(review, somebody, protecting):
    press_in_row(review, "data-scientists")
    for box in boxes(somebody):
        box.value = True
    settle()
    press_in_row(review, "data-engineers")
    assert protecting[-1] == []
    assert [box.value for box in boxes(somebody)] == [False, False]
    assert somebody.named(widgets.Button, "Apply …").disabled
    somebody.press("Discard")
    assert boxes(somebody) == []


def states(root):
    yield root.get_state()
    for child in getattr(root, "children", ()):
        yield from states(child)


def test_hostile_names_are_text_and_no_secret_is_in_the_state_of_any_widget(review, somebody, ws, company):
    state = company.workspaces[0].state
    name = "<img src=x onerror=window.__xss=1>"
    state.directory.add("group", name)
    ws.token_management.update_permissions([{"group_name": name, "permission_level": "CAN_USE"}])
    for info in state.tokens.infos():
        state.tokens.replace({**info, "comment": f"key {SECRET}"})
    somebody.press("Refresh")
    assert f"group {name}" in somebody.reads()
    assert not [each for each in somebody.parts(widgets.HTML) if name in each.value]
    press_in_row(review, "data-scientists")
    somebody.press("Apply …")
    saved = json.dumps(list(states(review.widget)), default=repr)
    assert "[redacted]" in saved
    assert SECRET not in saved
    assert company.token not in saved
