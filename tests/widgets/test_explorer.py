"""The explorer without a browser: selected tokens are revoked, errors are one line, no state contains a secret."""

import io
import json
import threading

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.waiting import wait_until
from tests.widgets.conftest import settle
from tokenkit.output import export
from tokenkit.rest.transport import RetryPolicy
from tokenkit.sandbox import Fault
from tokenkit.widgets import style
from tokenkit.widgets.saved import explore

SECRET = "dapi" + "0123456789abcdef" * 2


@pytest.fixture
def explorer(ws):
    return ws.explore(page_size=20)


@pytest.fixture
def user(explorer, browser):
    return browser(explorer)


@pytest.fixture
def targets(explorer):
    """Six active tokens of other users, on the first page."""
    page = explorer._model.on_page()
    return page[(page["status"] == "active") & (page["owner"] != "admin@example.com")]["token_id"].tolist()[:6]


def test_the_repr_is_one_constant_line_and_a_saved_notebook_has_counts(explorer):
    assert repr(explorer) == f"<Explorer of 160 tokens on {explorer._source.name}>"
    bundle = explorer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.widget.model_id
    assert bundle["text/plain"].startswith(f"Tokens of {explorer._source.name}: 160 tokens, ")
    assert bundle["text/plain"].endswith("Run this cell to open it.")


def test_a_terminal_is_told_that_the_screen_requires_a_notebook(explorer, ipython, monkeypatch):
    monkeypatch.setattr(style, "get_ipython", lambda: ipython)  # which the fixture does not install
    assert ipython.display_formatter.format(explorer)[0]["text/plain"] == (
        f"{explorer!r}\nThis screen requires a notebook. `tokenkit lab` opens one."
    )


def test_what_a_notebook_stores_is_a_title_and_counts(explorer, user, company):
    state = explorer.widget.get_state()
    about = state.pop("about")
    assert about["title"] == "Tokens"
    assert "160 tokens" in about["line"]
    user.do("look", id=user.page[0])
    assert len(state.pop("_esm")) < 60_000
    assert len(state.pop("_css")) < 25_000
    assert len(json.dumps(state, default=repr)) < 2_000
    assert company.token not in json.dumps(explorer.widget.get_state(), default=repr)


def test_a_view_that_is_displayed_again_gets_everything(explorer, user, browser):
    user.tick(user.page[2])
    before = user.sections
    again = browser(explorer)
    assert again.sections == before


def test_filtered_and_selected_are_frames_with_the_columns_of_the_listing(explorer, user, ws, targets):
    listing = ws.tokens()
    user.filter("status", "expired")
    assert set(explorer.filtered["token_id"]) == set(listing.loc[listing["status"] == "expired", "token_id"])
    user.do("clear")
    user.tick(*targets[:2])
    assert set(explorer.selected["token_id"]) == set(targets[:2])
    assert list(explorer.selected.columns) == list(listing.columns)
    assert explorer.selected.dtypes.equals(listing.dtypes)


def test_the_most_dangerous_tokens_come_first(user, ws):
    high = set(ws.audit().findings.query("severity == 'high'")["token_id"].dropna())
    severities = [[severity for severity, _ in row["findings"]] for row in user.sections["table"]["rows"]]
    assert [found[:1] == ["high"] for found in severities[: len(high)]] == [True] * min(len(high), 20)
    assert user.sections["table"]["sort"] == "danger"


def test_the_counts_of_choices_depend_on_the_other_filters(explorer, user):
    user.filter("owner_kind", "service_principal")
    user.do("choices", field="status")
    offered = {item["value"]: item["count"] for item in user.sections["choices"]["items"]}
    assert offered == explorer.filtered["status"].value_counts().to_dict()


def test_quick_filters_have_counts_and_are_turned_off_again(explorer, user):
    counts = {item["value"]: item["count"] for item in user.sections["quick"]}
    assert counts[""] == 160
    for name in [name for name in counts if name]:
        user.do("quick", value=name)
        assert len(explorer.filtered) == counts[name] > 0
        assert user.says == f"{counts[name]} of 160 tokens match"
    user.do("quick", value=name)
    assert len(explorer.filtered) == 160
    assert counts["Never expires"] == int(
        (explorer.filtered["never_expires"] & (explorer.filtered["status"] == "active")).sum()
    )


def test_a_filter_has_several_values_and_a_chip_that_removes_it(explorer, user):
    one, other = explorer.filtered["owner"].value_counts().index[:2]
    user.do("toggle", field="owner", value=one, on=True)
    user.do("toggle", field="owner", value=other, on=True)
    assert set(explorer.filtered["owner"]) == {one, other}
    (chip,) = user.sections["filters"]["chips"]
    assert chip == {"field": "owner", "label": f"Owner: {one}, {other}"}
    user.do("toggle", field="owner", value=one, on=False)
    assert set(explorer.filtered["owner"]) == {other}
    user.do("unfilter", field="owner")
    assert len(explorer.filtered) == 160
    assert user.sections["filters"]["chips"] == []


def test_owners_are_found_by_a_part_of_their_name_among_all(explorer, user):
    owner = explorer.filtered["owner"].value_counts().index[-1]
    user.do("choices", field="owner", query=owner.split("@")[0].upper())
    assert owner in [item["value"] for item in user.sections["choices"]["items"]]


def test_a_chosen_value_is_not_lost_when_another_is_searched(explorer, user):
    one, other = explorer.filtered["owner"].value_counts().index[:2]
    user.do("toggle", field="owner", value=one, on=True)
    user.do("choices", field="owner", query=other)
    user.do("toggle", field="owner", value=other, on=True)
    assert set(explorer.filtered["owner"]) == {one, other}


def test_a_range_of_days_is_typed_and_an_invalid_number_is_a_one_line_error(explorer, user):
    user.do("filter", field="idle", low="10", high="20")
    assert explorer.filtered["idle_days"].between(10, 21, inclusive="left").all()
    assert user.sections["filters"]["chips"][0]["label"] == "Idle for: 10 to 20 days"
    kept = len(explorer.filtered)
    user.do("filter", field="idle", low="10", high="soon")
    assert "'soon' is not a whole number of days" in user.sections["notice"]["text"]
    assert len(explorer.filtered) == kept
    user.do("clear")
    assert len(explorer.filtered) == 160


def test_nothing_matches_and_the_screen_says_so(user):
    user.do("search", text="there is no such token")
    assert user.sections["table"]["empty"] == "No token matches the filters."
    assert user.sections["filters"]["match"] == "0 of 160 tokens match"


def test_audit_findings_are_a_filter_a_column_and_in_the_panel(explorer, user, ws):
    findings = ws.audit().findings
    rule = findings.dropna(subset="token_id")["rule"].iloc[0]
    user.filter("rule", rule)
    assert set(explorer.filtered["token_id"]) == set(findings.loc[findings["rule"] == rule, "token_id"].dropna())
    user.do("look", id=user.page[0])
    found = user.sections["panel"]["findings"]
    assert [finding["severity"] for finding in found] == sorted(
        [finding["severity"] for finding in found], key=["high", "medium", "low"].index
    )
    assert all(finding["remedy"] and finding["evidence"] for finding in found)


def test_looking_at_a_token_selects_nothing(explorer, user):
    user.do("look", id=user.page[3])
    assert user.sections["panel"]["token_id"] == user.page[3]
    assert explorer.selected.empty
    sentences = dict(user.sections["panel"]["sentences"])
    assert list(sentences) == ["Access", "Last used", "Created", "Ends", "Same owner"]
    user.do("unlook")
    assert user.sections["panel"] is None


def test_the_panel_lists_the_owner_s_other_tokens(explorer, user):
    owners = explorer.filtered["owner"]
    several = explorer.filtered[owners.isin(owners.value_counts().loc[lambda counts: counts.between(2, 8)].index)]
    token = several.iloc[0]
    user.do("look", id=token["token_id"])
    others = {other["id"] for other in user.sections["panel"]["others"]}
    assert others == set(several.loc[several["owner"] == token["owner"], "token_id"]) - {token["token_id"]}


def test_headers_sort_and_turn_round(explorer, user):
    user.do("sort", column="comment")
    comments = [row["title"].lower() for row in user.sections["table"]["rows"]]
    assert comments == sorted(comments)
    assert user.says == "Sorted by Token, ascending."
    user.do("sort", column="comment")
    assert user.sections["table"]["descending"]
    user.do("sort", column="last_used_day")
    days = explorer.filtered["last_used_day"].dropna()
    assert days.is_monotonic_decreasing


def test_the_selected_tokens_are_revoked_and_no_others(explorer, user, ids, targets):
    before = ids()
    user.tick(*targets[:3])
    user.revoke(3)
    assert before - ids() == set(targets[:3])
    assert user.asks["title"] == "3 revoked."
    assert explorer.selected.empty
    assert user.ticked == []
    assert not set(targets[:3]) & set(explorer.filtered["token_id"])


def test_the_reason_is_kept_in_the_journal(user, ws, targets):
    user.tick(targets[0])
    user.do("act", action="revoke")
    user.confirm(1, reason="ticket SEC-4711")
    assert ws.journal()["reason"].tolist() == ["ticket SEC-4711"]


BETWEEN = {
    "a filter": lambda user: user.filter("status", "expired"),
    "a search": lambda user: user.do("search", text="zzz"),
    "an order": lambda user: user.do("sort", column="comment"),
    "another page": lambda user: user.do("turn", page=1),
    "a refresh": lambda user: user.do("refresh"),
    "a look": lambda user: user.do("look", id=user.page[5]),
}


@pytest.mark.parametrize("between", BETWEEN)
def test_nothing_between_selection_and_confirmation_changes_the_revoked_tokens(user, ids, targets, between):
    before = ids()
    user.tick(*targets[1:4])
    BETWEEN[between](user)
    user.do("act", action="revoke")
    BETWEEN[between](user)
    user.confirm(3)
    assert before - ids() == set(targets[1:4])


def test_new_tokens_do_not_change_the_selection(user, company, ids, targets):
    user.tick(*targets[:2])
    state = company.workspaces[0].state
    owner = next(info for info in state.tokens.infos() if info["token_id"] == targets[0])
    state.tokens.delete(targets[5])
    state.tokens.mint(
        owner_id=owner["owner_id"], created_by_id=owner["owner_id"], created_by_username="x", creation_time=1,
        expiry_time=-1,
    )  # fmt: skip
    user.do("refresh")
    before = ids()
    user.revoke(2)
    assert before - ids() == set(targets[:2])


def test_a_token_selected_after_the_preview_is_not_revoked(explorer, user, ids, targets):
    before = ids()
    user.tick(*targets[:2])
    user.do("act", action="revoke")
    user.tick(*targets[2:5])
    user.confirm(2)
    assert before - ids() == set(targets[:2])
    assert set(explorer.selected["token_id"]) == set(targets[2:5])


@pytest.mark.parametrize("typed", ["", "2", "three", "33", "3 tokens"])
def test_a_wrong_number_is_an_error_beside_the_field_and_revokes_nothing(user, ids, targets, typed):
    before = ids()
    user.tick(*targets[:3])
    user.revoke(typed)
    assert user.asks["phase"] == "asking"
    assert user.asks["errors"] == {"typed": "That is not the number of tokens: type 3."}
    assert ids() == before


def test_a_late_confirmation_of_an_earlier_plan_is_ignored(user, ids, targets):
    before = ids()
    user.tick(*targets[:2])
    user.do("act", action="revoke")
    late = user.asks["number"]
    user.do("close")
    user.tick(*targets[2:4])
    user.tick(*targets[:2], on=False)
    user.do("act", action="revoke")
    user.do("confirm", number=late, typed="2", answers={})
    assert ids() == before
    assert user.asks["phase"] == "asking"


def test_a_tick_of_a_token_that_is_not_listed_selects_nothing(explorer, user):
    user.tick("f" * 64)
    assert explorer.selected.empty
    assert user.sections["selection"]["count"] == 0


def test_the_preview_counts_warnings_lists_tokens_and_names_what_is_left_out(explorer, user, ws, targets):
    own = ws.tokens(owner="admin@example.com")["token_id"]
    explorer.select([*own, *targets[:1]])
    user.do("act", action="revoke")
    (owner,) = ws.revoke(targets[:1]).losing_last_token()
    last = f"1 owner keeps no active token: {owner}."
    assert user.asks["lines"] == ["Left out: 1 token (yours, which a screen does not revoke).", last]
    assert user.asks["title"].startswith("Revoke 1 token on ")
    assert [card["label"] for card in user.asks["cards"]][:3] == [
        "used in the last 7 days", "owned by service principals", "of an owner who keeps no active token",
    ]  # fmt: skip
    user.confirm(1)
    assert explorer.selected.empty  # excluded tokens are not selected to try again


def test_a_number_and_its_label_are_singular_or_plural_and_warnings_have_their_severity(explorer, user, ws):
    tokens = ws.tokens()
    programs = tokens[(tokens["owner_kind"] == "service_principal") & (tokens["status"] == "active")]
    for count, label in ((1, "owned by a service principal"), (2, "owned by service principals")):
        explorer.select(programs.head(count))
        user.do("act", action="revoke")
        assert {"count": count, "label": label, "level": "medium"} in user.asks["cards"]
        pills = [cell for row in user.asks["tables"][-1]["rows"] for cell in row if cell[0] == "pills"]
        assert all(dict(zip(*cell[1:], strict=True))["a service principal's"] == "medium" for cell in pills)
        user.do("close")


def test_failed_tokens_stay_selected_and_are_retried(explorer, user, company, ids, targets):
    company.faults.add(Fault(method="DELETE", path=f"*/{targets[1]}", status=400, times=1))
    user.tick(*targets[:3])
    user.revoke(3)
    assert user.asks["title"] == "2 revoked, 1 failed."
    (token, outcome, error), *_ = user.asks["tables"][0]["rows"]
    assert (token[3], outcome[1]) == (targets[1][:12], "failed")
    assert error[1] != ""
    assert explorer.selected["token_id"].tolist() == user.ticked == [targets[1]]
    assert user.asks["buttons"] == [["retry", "Retry 1 failed token"]]
    user.do("retry")
    assert user.asks["title"].startswith("Revoke 1 token on ")
    user.confirm(1)
    assert not set(targets[:3]) & ids()


def test_if_the_workspace_cannot_be_read_for_a_plan_nothing_was_changed(user, company, targets, ids):
    before = ids()
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=403))
    user.tick(targets[0])
    user.do("act", action="revoke")
    assert (user.asks["phase"], user.asks["title"]) == ("failed", "Nothing was changed.")
    assert user.asks["error"] != ""
    assert ids() == before


def test_the_boxes_show_the_selection_after_a_run_even_if_the_refresh_fails(explorer, user, company, targets):
    def unreadable():
        raise tokenkit.UsageError("The tokens cannot be read.")

    company.faults.add(Fault(method="DELETE", path=f"*/{targets[1]}", status=400, times=1))
    user.tick(*targets[:3])
    object.__setattr__(explorer._source, "read", unreadable)
    user.revoke(3)
    words = "The refresh failed. The tokens shown are those read before. The tokens cannot be read."
    assert user.sections["notice"] == {"text": words, "is_error": True}
    assert user.ticked == explorer.selected["token_id"].tolist() == [targets[1]]


def test_after_the_last_request_the_progress_says_that_the_outcomes_are_confirmed(user, targets):
    user.tick(*targets[:2])
    user.revoke(2)
    views = [content["sections"].get("decision") or {} for content in user.received if "sections" in content]
    texts = [view["progress"]["text"] for view in views if "progress" in view]
    assert texts[-1] == "2 of 2 · confirming the outcomes …"


def test_a_second_action_during_a_run_is_rejected_and_does_not_change_the_selection(
    explorer, user, company, ids, targets
):
    before = ids()
    company.faults.add(Fault(method="DELETE", latency_ms=500))
    user.tick(*targets[:2])
    user.do("act", action="revoke")
    explorer._on_event({"event": "confirm", "number": user.asks["number"], "typed": "2", "answers": {}})
    explorer._on_event({"event": "tick", "ids": targets[2:4], "on": True})
    explorer._on_event({"event": "act", "action": "revoke"})
    assert "Another change is in progress" in user.sections["notice"]["text"]
    settle()
    assert before - ids() == set(targets[:2])
    assert set(explorer.selected["token_id"]) == set(targets[2:4])


def test_a_stopped_run_keeps_the_remaining_tokens_and_is_resumed_on_the_screen(explorer, user, company, ids, ws):
    tokens = explorer.filtered
    others = tokens[tokens["owner"] != "admin@example.com"]["token_id"]
    company.faults.add(Fault(method="DELETE", latency_ms=200))
    explorer.select(others)
    before = ids()
    user.do("act", action="revoke")
    explorer._on_event({"event": "confirm", "number": user.asks["number"], "typed": str(len(others)), "answers": {}})
    wait_until(lambda: len(before - ids()) >= 5)
    explorer._on_event({"event": "stop"})
    settle()
    company.faults.clear()
    revoked = before - ids()
    assert 5 <= len(revoked) < len(others)
    assert set(explorer.selected["token_id"]) == set(others) - revoked
    remaining = len(others) - len(revoked)
    assert user.asks["title"] == f"{len(revoked)} revoked, {remaining} not sent."
    assert user.asks["lines"] == [f"Stopped. {remaining} of {len(others)} tokens remaining."]  # a button resumes it
    assert user.asks["buttons"] == [["resume", f"Resume ({remaining} remaining)"]]
    assert user.asks["run"] == ws.runs()["run_id"].iloc[0]
    run_id = user.asks["run"]
    user.do("resume")
    assert user.asks["count"] == remaining
    assert user.asks["lead"] == f"This is what remains of run {run_id}. This cannot be undone."
    assert "Outcome" not in user.asks["tables"][-1]["columns"]  # none was sent
    user.confirm(remaining)
    assert not set(others) & ids()
    assert len(ws.runs()) == 1
    assert user.asks["title"] == f"The whole run: {len(others)} revoked."
    untitled = {row[0][3] for row in user.asks["tables"][0]["rows"] if not row[0][1]}
    assert untitled <= {*tokens["token_id"][tokens["comment"].isna()].str[:12]}  # also of those revoked before the stop
    assert not [content for content in user.received if "No longer listed" in str(content)]


@pytest.mark.parametrize("plain", [False, True])
def test_a_new_screen_names_the_unfinished_run_and_resumes_it(ws, explorer, browser, person, ids, plain):
    tokens = explorer.filtered.query("owner != 'admin@example.com'")
    stop = threading.Event()
    stop.set()
    plans = [ws.revoke(tokens.iloc[part]) for part in (slice(2), slice(2, 5))]
    plans[0].apply(progress=False, stop=stop)
    before = ids()
    opened = ws.explore(plain=plain)
    user = person(opened.widget) if plain else browser(opened)
    line = f"Run {plans[0].run_id} is unfinished."
    assert line in (user.reads() if plain else user.sections["unfinished"]["text"])
    plans[1].apply(progress=False, stop=stop)
    opened.refresh()
    settle()
    line = f"2 runs are unfinished. The newest is {plans[1].run_id}."
    if plain:
        assert line in user.reads()
        user.press("Resume (3 remaining) …")
        user.type("Type", "3")
        user.press("Resume for 3 tokens")
    else:
        assert user.sections["unfinished"]["text"] == line
        assert user.sections["unfinished"]["label"] == "Resume (3 remaining) …"
        user.do("resume", run=user.sections["unfinished"]["run"])
        user.confirm(3)
        assert user.sections["unfinished"]["run"] == plans[0].run_id
    assert before - ids() == set(tokens["token_id"].iloc[2:5])


def test_a_run_whose_remaining_tokens_are_gone_is_resumed_without_saying_that_it_revokes_any(ws, user):
    tokens = ws.tokens("owner != 'admin@example.com'").head(2)
    stop = threading.Event()
    stop.set()
    plan = ws.revoke(tokens)
    plan.apply(progress=False, stop=stop)
    for token_id in plan.token_ids:
        ws.token_management.delete(token_id)  # by somebody else
    user.do("resume", run=plan.run_id)
    assert user.asks["title"].startswith("Record the outcomes of the tokens that are left out on ")
    assert user.asks["lines"] == ["Left out: 2 tokens (no longer listed)."]
    assert (user.asks["go"], user.asks["count"]) == ("Resume", 0)
    user.confirm("")
    assert user.asks["title"] == "The whole run: 2 already gone."


def test_a_run_whose_first_listing_fails_is_not_called_done_and_is_resumed(user, company, targets, ids, ws):
    before = ids()
    user.tick(*targets[:2])
    user.do("act", action="revoke")
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=503))
    user.confirm(2)
    assert (user.asks["phase"], user.asks["title"]) == ("failed", "The change was not completed.")
    assert user.asks["run"] == ws.runs()["run_id"].iloc[0]
    assert ids() == before
    company.faults.clear()
    user.do("resume")
    user.confirm(2)
    assert before - ids() == set(targets[:2])
    assert len(ws.runs()) == 1


def test_a_plan_that_could_not_be_made_is_tried_again_and_what_remains_of_a_run_is_kept(
    user, company, targets, ids, ws
):
    before = ids()
    listing = Fault(method="GET", path="*/token-management/tokens", status=503)
    user.tick(*targets[:2])
    company.faults.add(listing)
    user.do("act", action="revoke")
    assert (user.asks["title"], user.asks["buttons"]) == ("Nothing was changed.", [["again", "Try again"]])
    company.faults.clear()
    user.do("again")
    assert user.asks["phase"] == "asking"
    company.faults.add(listing)
    user.confirm(2)
    user.do("resume")
    assert (user.asks["title"], user.asks["buttons"]) == ("Nothing more was changed.", [["again", "Try again"]])
    assert user.asks["run"] == ws.runs()["run_id"].iloc[0]
    company.faults.clear()
    user.do("again")
    user.confirm(2)
    assert before - ids() == set(targets[:2])
    assert len(ws.runs()) == 1


def test_an_error_of_all_tokens_is_said_once_and_without_its_request(user, company, targets):
    company.faults.add(Fault(method="DELETE", status=403))
    user.tick(*targets[:2])
    user.revoke(2)
    (line,) = user.asks["lines"]
    assert line.startswith("Of each token: ")
    assert "Request:" not in line
    (table,) = user.asks["tables"]
    assert "Details" not in table["columns"]


def test_a_token_that_is_gone_leaves_the_selection_if_the_question_is_canceled(explorer, user, ws, targets):
    user.tick(*targets[:2])
    ws.revoke(targets[:1]).apply(progress=False)
    user.do("act", action="revoke")
    assert user.asks["lines"][0] == "Left out: 1 token (no longer listed)."
    user.do("close")
    assert explorer.selected["token_id"].tolist() == targets[1:2]


def test_a_run_that_waits_before_a_listing_says_why(company, connected, browser, targets, tmp_path):
    patient = RetryPolicy(budget_seconds=30, first_wait_seconds=0.1)
    user = browser(connected(company, home=tmp_path / "home", retries=patient).explore(page_size=20))
    user.tick(*targets[:2])
    user.do("act", action="revoke")
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=503, times=1))
    user.confirm(2)
    views = [content["sections"].get("decision") or {} for content in user.received if "sections" in content]
    assert any("Trying again" in view["progress"]["text"] for view in views if "progress" in view)
    assert user.asks["title"] == "2 revoked."


def test_a_run_whose_requests_all_fail_for_now_says_why_it_waits(user, company, targets):
    company.faults.add(Fault(method="DELETE", status=503, times=1))
    user.tick(targets[0])
    user.revoke(1)
    views = [content["sections"].get("decision") or {} for content in user.received if "sections" in content]
    texts = [view["progress"]["text"] for view in views if "progress" in view]
    assert any(" returned an error (TEMPORARILY_UNAVAILABLE): " in text for text in texts)
    assert user.asks["title"] == "1 revoked."


def test_tokens_that_are_all_gone_leave_the_list_and_the_selection(explorer, user, ws, targets):
    user.tick(*targets[:2])
    ws.revoke(targets[:2]).apply(progress=False)
    user.do("act", action="revoke")
    assert user.asks["title"] == "Nothing to do"
    assert user.asks["lines"] == ["Left out: 2 tokens (no longer listed)."]
    user.do("close")
    assert explorer.selected.empty
    assert not set(targets[:2]) & set(explorer.filtered["token_id"])
    assert user.sections["notice"]["text"] == "No longer listed: 2 selected tokens."


def test_comments_and_scopes_of_selected_tokens_are_updated(user, company, targets):
    user.tick(*targets[:2])
    user.do("act", action="edit")
    comment, scopes = user.asks["fields"]
    assert comment["name"] == "comment"
    assert ["sql", "sql"] in scopes["choices"]
    user.do("submit", answers={"comment": "asked on Monday", "scopes": "sql, jobs"})
    assert user.asks["cards"] == [{"count": 2, "label": "with new scopes", "level": ""}]  # and none of 0 tokens
    (table,) = user.asks["tables"]
    assert table["columns"] == ["Token", "New comment", "Scopes", "New scopes"]
    before = {
        info["token_id"]: info.get("scopes") or ["all APIs"] for info in company.workspaces[0].state.tokens.infos()
    }
    assert sorted(row[2][1] for row in table["rows"]) == sorted(before[token_id] for token_id in targets[:2])
    assert [row[3] for row in table["rows"]] == [["pills", ["sql", "jobs"]]] * 2
    user.confirm(2, reason="cleanup")
    infos = {info["token_id"]: info for info in company.workspaces[0].state.tokens.infos()}
    assert [infos[token_id]["comment"] for token_id in targets[:2]] == ["asked on Monday"] * 2
    assert infos[targets[0]]["scopes"] == ["sql", "jobs"]
    assert infos[targets[2]].get("comment") != "asked on Monday"


def test_a_scheduled_revocation_revokes_nothing_and_its_question_names_the_date(user, ids, ws, targets):
    before = ids()
    user.tick(*targets[:2])
    user.do("act", action="schedule")
    assert user.asks["title"].endswith(f"for {NOW + pd.Timedelta(days=14):%Y-%m-%d}?")
    user.do("answer", answers={"grace": "7d"})
    assert user.asks["title"].endswith(f"for {NOW + pd.Timedelta(days=7):%Y-%m-%d}?")
    user.do("answer", answers={"grace": "soon"})
    assert "soon" in user.asks["errors"]["grace"]
    user.confirm(2, grace="soon")
    assert ws.runs().empty
    user.confirm(2, grace="7d", reason="announced")
    assert ids() == before
    assert user.asks["run"] == ws.journal()["run_id"].iloc[0]
    assert user.asks["title"].startswith("Scheduled: 2 tokens, ")
    ((label, text),) = user.asks["copies"]
    owner = ws.tokens().set_index("token_id").loc[targets[0], "owner"]
    assert label == "Copy notices"
    assert f"{owner}: " in text
    assert f" on {ws.name} will be revoked on {NOW + pd.Timedelta(days=7):%Y-%m-%d}: " in text


@pytest.fixture
def scheduled(user, targets):
    """The keys of two tokens whose revocation is scheduled on the screen."""
    user.tick(*targets[:2])
    user.do("act", action="schedule")
    user.confirm(2, grace="7d")
    user.do("close")
    return targets[:2]


def test_a_scheduled_token_has_a_badge_and_a_quick_filter_and_is_canceled(explorer, user, ids, ws, scheduled):
    before = ids()
    badges = {row["id"]: row["badge"] for row in user.sections["table"]["rows"] if row["badge"]}
    assert badges == dict.fromkeys(scheduled, "to be revoked on 2026-03-08")
    user.do("quick", value="Scheduled")
    assert set(explorer.filtered["token_id"]) == set(scheduled)
    user.do("look", id=scheduled[0])
    shown = user.sections["panel"]["schedule"]
    assert (shown["count"], shown["is_due"]) == (2, False)
    user.do("cancel_schedule", run=shown["run"])
    assert user.sections["panel"]["schedule"] is None
    assert not any(row["badge"] for row in user.sections["table"]["rows"])
    assert set(ws.journal()["outcome"]) == {"skipped"}
    assert ids() == before


def test_a_scheduled_revocation_is_executed_in_the_widget_when_it_is_due(
    scheduled, company, connected, browser, tmp_path, ids
):
    later = connected(company, home=tmp_path / "home", clock=NOW + pd.Timedelta(days=8))
    user = browser(later.explore())
    before = ids()
    user.do("look", id=scheduled[0])
    shown = user.sections["panel"]["schedule"]
    assert shown["is_due"]
    user.do("resume", run=shown["run"])
    assert user.asks["count"] == 2
    assert ids() == before
    user.confirm(2)
    assert before - ids() == set(scheduled)


def test_the_signed_in_identity_finds_its_own_tokens(explorer, user):
    user.do("quick", value="Mine")
    assert set(explorer.filtered["owner"]) == {"admin@example.com"}


def test_invalid_input_is_a_one_line_error_and_changes_nothing(user, ids, targets):
    before = ids()
    user.tick(targets[0])
    user.do("act", action="edit")
    user.do("submit", answers={})
    assert "Nothing to change" in user.asks["error"]
    assert ids() == before


def test_a_failing_workspace_is_a_one_line_error_and_the_tokens_stay_displayed(explorer, user, company):
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=403))
    user.do("refresh")
    notice = user.sections["notice"]
    assert notice["is_error"]
    assert "403" in notice["text"] or "admin" in notice["text"]
    assert len(explorer.filtered) == 160


def test_a_screen_that_reads_says_what_the_workspace_responded_and_when_it_tries_again(
    company, connected, browser, targets, tmp_path
):
    patient = RetryPolicy(budget_seconds=30, first_wait_seconds=0.1)
    user = browser(connected(company, home=tmp_path / "home", retries=patient).explore(page_size=20))
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=503, times=1))
    user.do("refresh")
    user.tick(*targets[:2])
    company.faults.add(Fault(method="GET", path="*/token-management/tokens", status=503, times=1))
    user.do("act", action="revoke")
    sections = [message.get("sections") or {} for message in user.received]
    notices = [each["notice"]["text"] for each in sections if "notice" in each]
    planning = [line for each in sections for line in (each.get("decision") or {}).get("lines", ())]
    waits = [text for text in (*notices, *planning) if "Trying again" in text]
    assert len(waits) == 2
    assert all(" returned an error (TEMPORARILY_UNAVAILABLE): " in text for text in waits)
    assert not any("later" in text for text in waits)  # it is trying again now
    assert any(text.startswith("Still reading. ") for text in notices)
    assert user.asks["count"] == 2


def test_missing_tokens_are_removed_from_the_selection_after_a_refresh_with_a_message(explorer, user, company, targets):
    user.tick(*targets[:3])
    company.workspaces[0].state.tokens.delete(targets[0])
    user.do("refresh")
    assert set(explorer.selected["token_id"]) == set(targets[1:3])
    assert user.sections["notice"]["text"] == "No longer listed: 1 selected token."


def test_selected_tokens_that_the_filters_hide_are_counted(user, targets):
    user.tick(*targets[:3])
    user.filter("status", "expired")
    assert (user.sections["selection"]["count"], user.sections["selection"]["hidden"]) == (3, 3)


def test_pages_and_all_that_match_are_selected(explorer, user):
    user.tick(*user.page)
    assert len(explorer.selected) == 20
    user.do("turn", page=1)
    user.tick(*user.page)
    assert len(explorer.selected) == 40
    user.do("tick_none")
    user.filter("status", "active")
    user.do("tick_matching")
    assert set(explorer.selected["token_id"]) == set(explorer.filtered["token_id"])
    assert user.says == f"{len(explorer.filtered)} selected."


def downloaded(user, *, selected=False):
    user.do("download", selected=selected)
    file = user.received[-2]["file"] if "file" in user.received[-2] else user.received[-1]["file"]
    texts = []
    for part in range(file["parts"]):
        user.do("part", file=file["number"], part=part)
        texts += [content["part"]["text"] for content in user.received[-2:] if "part" in content]
    return file, texts


def test_the_browser_downloads_what_matches_in_parts_without_secrets_and_formulas(explorer, user, company):
    state = company.workspaces[0].state
    state.tokens.replace({**state.tokens.infos()[3], "comment": f"=cmd() {SECRET}"})
    user.do("refresh")
    user.filter("status", "active")
    file, texts = downloaded(user)
    assert file["name"] == "tokens-20260301-093000.csv"
    assert SECRET not in "".join(texts)
    frame = pd.read_csv(io.StringIO("".join(texts)))
    assert frame["token_id"].tolist() == explorer.filtered["token_id"].tolist()
    user.tick(user.page[0])
    _, texts = downloaded(user, selected=True)
    assert pd.read_csv(io.StringIO("".join(texts)))["token_id"].tolist() == [user.page[0]]


def test_a_large_file_is_sent_in_small_messages_one_after_the_other(ws, browser):
    tokens = ws.tokens()
    many = pd.concat([tokens.assign(comment="\u00e9\u4e2d" * 300)] * 12, ignore_index=True)
    many = many.assign(token_id=[f"{n:064x}" for n in range(len(many))])
    user = browser(explore(many, now=NOW))
    file, texts = downloaded(user)
    assert file["parts"] == len(texts) > 1
    assert max(len(text.encode()) for text in texts) < 1_000_000
    assert len(pd.read_csv(io.StringIO("".join(texts)))) == len(many)


def test_export_writes_the_filtered_tokens_and_never_overwrites_a_file(explorer, user, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    user.filter("status", "active")
    user.do("save", selected=False)
    user.do("save", selected=False)
    files = sorted(tmp_path.glob("*.csv"))
    assert len(files) == 2
    assert str(tmp_path) in user.sections["notice"]["text"]
    assert pd.read_csv(files[0])["token_id"].tolist() == explorer.filtered["token_id"].tolist()
    with pytest.raises(tokenkit.UsageError, match="File exists"):
        explorer.export(files[0])
    with pytest.raises(tokenkit.UsageError, match="Cannot write"):
        explorer.export(tmp_path / "nowhere" / "x.csv")


def test_no_token_value_is_sent_or_in_a_state(explorer, user, company, targets):
    state = company.workspaces[0].state
    for info in state.tokens.infos():
        state.tokens.replace({**info, "comment": f"key {SECRET}"})
    user.do("refresh")
    user.do("look", id=targets[0])
    user.tick(*targets[:2])
    user.revoke(2)
    sent = json.dumps([*user.received, explorer.widget.get_state()], default=repr)
    assert SECRET not in sent
    assert company.token not in sent
    assert "[redacted]" in sent


def test_the_bars_of_the_charts_are_counts_that_set_a_filter(explorer, user):
    assert user.sections["charts"] is None
    user.do("charts", on=True)
    chart = next(chart for chart in user.sections["charts"] if chart["field"] == "idle")
    bar = max(chart["bars"], key=lambda bar: bar["count"])
    user.do("toggle", field="idle", value=bar["value"], on=True)
    assert len(explorer.filtered) == bar["count"]
    bars = next(chart["bars"] for chart in user.sections["charts"] if chart["field"] == "idle")
    assert [item["value"] for item in bars if item["on"]] == [bar["value"]]
    user.do("charts", on=False)
    assert user.sections["charts"] is None


def test_a_saved_listing_is_explored_without_actions_and_without_a_workspace(ws, browser):
    saved = ws.tokens()
    screen = explore(saved, findings=ws.audit().findings)
    user = browser(screen)
    user.filter("status", "expired")
    assert set(screen.filtered["status"]) == {"expired"}
    assert user.sections["actions"] == []
    assert "as of 2026-03-01 09:30 UTC" in user.sections["about"]["line"]
    assert not user.sections["about"]["can_refresh"]
    assert repr(screen) == "<Explorer of 160 tokens on a saved listing>"


def test_a_listing_from_a_csv_file_has_the_same_rows_and_panels(ws, browser):
    audit = ws.audit()
    findings = pd.read_csv(io.StringIO(export.csv_text(audit.findings)))
    read = pd.read_csv(io.StringIO(export.csv_text(audit.tokens)))
    user, expected = browser(explore(read, findings=findings, now=NOW)), browser(ws.explore())
    assert user.sections["table"] == expected.sections["table"]
    for key in user.page[:5]:
        user.do("look", id=key)
        expected.do("look", id=key)
        both = [screen.sections["panel"] | {"fields": []} for screen in (user, expected)]
        assert both[0] == both[1]


def test_an_expression_filters_the_explored_tokens_and_an_invalid_one_is_rejected_at_once(ws, company):
    assert set(ws.explore("status == 'expired'").filtered["status"]) == {"expired"}
    company.requests.clear()
    with pytest.raises(tokenkit.UsageError):
        ws.explore("open('x')")
    assert not list(company.requests)


def test_an_empty_workspace_can_be_explored(browser):
    empty = tokenkit.frames.frame([], tokenkit.frames.TOKENS)
    screen = explore(empty, now=NOW)
    assert screen.filtered.empty
    assert screen.selected.empty
    table = browser(screen).sections["table"]
    assert (table["empty"], table["place"]) == ("There are no tokens.", "")


def test_a_listing_that_was_not_audited_has_no_column_of_findings(ws, browser):
    table = browser(explore(ws.tokens().head(1), now=NOW)).sections["table"]
    assert [column["title"] for column in table["columns"]] == ["Token", "Last used", "Expires", "Scopes"]
    assert table["place"] == "1 of 1"


def test_an_unknown_event_changes_nothing(user):
    before = dict(user.sections)
    user.do("format_the_disk")
    assert user.sections == before
