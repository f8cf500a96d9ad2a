"""All recorded error responses on every path to a workspace, and the page about them."""

from pathlib import Path

import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import hands
from tokenkit import errors
from tokenkit.commands import error_responses
from tokenkit.rest.responses import CAUSES
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.serving.recorded import RECORDED_RESPONSES

WAITED_OUT = "revoked"  # a run retries without a limit, so the error response occurs only twice in these tests
# The class, a part of the next step, whether the run ends, and the outcome of a deletion.
EXPECTED = {
    "invalid-token": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-token-page": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-token-text": (errors.AuthenticationError, "sign in again", True, "failed"),
    "credential-not-sent": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-org": (errors.AuthenticationError, "belongs to another workspace", True, "failed"),
    "other-tenant": (errors.AuthenticationError, "Sign in to the tenant", True, "failed"),
    "user-not-found": (errors.AuthenticationError, "have an admin add it", True, "failed"),
    "scopes": (errors.MissingScopeError, "Use a credential with", True, "failed"),
    "not-admin": (errors.NotAnAdminError, "Connect as a member of the group 'admins'", True, "failed"),
    "error-info": (errors.NotAnAdminError, "Connect as a member of the group 'admins'", True, "failed"),
    "ip-access-list": (errors.AccessBlockedError, "Connect from an allowed network", True, "failed"),
    "private-link": (errors.AccessBlockedError, "has the private endpoint", True, "failed"),
    "login-redirect": (errors.AuthenticationError, "sign in again", True, "failed"),
    "unknown-endpoint": (errors.EndpointNotFoundError, "Check that the host", False, "failed"),
    "login-page": (errors.InvalidResponseError, "Check that the host", False, "unknown"),
    "proxy-block": (errors.AccessBlockedError, "check HTTPS_PROXY and NO_PROXY", True, "failed"),
    "proxy-text": (errors.AccessBlockedError, "check HTTPS_PROXY and NO_PROXY", True, "failed"),
    "proxy-sign-in": (errors.AccessBlockedError, "Check HTTPS_PROXY", True, "failed"),
    "proxy-unreachable": (errors.UnavailableError, "Check HTTPS_PROXY and NO_PROXY", False, "unknown"),
    "gateway": (errors.UnavailableError, "Try again later", False, "unknown"),
    "scim-limit-as-500": (errors.RateLimitedError, "fewer requests at once", False, WAITED_OUT),
    "retry-after-date": (errors.RateLimitedError, "fewer requests at once", False, WAITED_OUT),
    "new-workspace": (errors.UnavailableError, "Try again in a few minutes", False, "unknown"),
    "obo-disabled": (errors.PermissionDeniedError, "Grant the service principal CAN_USE", False, "failed"),
    "standard-plan": (errors.FeatureDisabledError, "require the Premium plan", True, "failed"),
    "tokens-disabled": (errors.FeatureDisabledError, "enableTokensConfig", True, "failed"),
}
WAYS = {
    "list": lambda ws: ws.tokens(),
    "audit": lambda ws: ws.audit(),
    "access": lambda ws: ws.access(),
    "plan by an id": lambda ws: ws.revoke("a" * 64, reason="a test"),
    "plan the permissions": lambda ws: ws.plan_permissions(
        [{"group_name": "users", "permission_level": "CAN_USE"}], replace=True
    ),
}


@pytest.fixture(scope="module")
def town():
    with Sandbox(tokens=600, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def pair(town, tmp_path, monkeypatch):
    """Two workspaces, the first of which returns error responses. Retries wait for a minimal time."""
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.0001)
    monkeypatch.setattr("tokenkit.actions.executor._LONGEST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("tokenkit.actions.executor._THROTTLED_SECONDS", 0.001)
    monkeypatch.setattr("tokenkit.rest.responses._MAX_RETRY_AFTER_SECONDS", 0.01)
    town.faults.clear()
    town.requests.clear()
    yield hands(town, tmp_path / "home")
    town.faults.clear()


@pytest.fixture
def respond_with(town):
    def respond_with(name, method="*", **where):
        times = 2 if method == "DELETE" and EXPECTED[name][3] == WAITED_OUT else None
        where = {"times": times, "workspace_id": town.workspaces[0].workspace_id} | where
        town.faults.clear()
        town.faults.add(Fault.named(name, method=method, **where))

    return respond_with


def in_one_line(error, name):
    expected, step, _, _ = EXPECTED[name]
    text = str(error)
    return (
        type(error) is expected
        and step in text
        and "\n" not in text
        and text.count(step) == 1
        and ("Request: " in text or " responded to " in text)
    )


def victims(ws, count=3):
    tokens = ws.tokens(status="active")
    return tokens[tokens["owner"] != "admin@example.com"].head(count)


def test_every_recorded_response_is_tested():
    assert set(EXPECTED) == set(RECORDED_RESPONSES)


@pytest.mark.parametrize("name", EXPECTED)
def test_an_error_of_reading_is_one_line_with_a_next_step(pair, town, respond_with, name):
    respond_with(name)
    for way, asked in WAYS.items():
        with pytest.raises(errors.TokenKitError) as raised:
            asked(pair[0])
        assert in_one_line(raised.value, name), f"{way}: {raised.value!r}"
    assert {request.method for request in town.requests} == {"GET"}
    assert len(pair[0].journal()) == 0


@pytest.mark.parametrize("name", [name for name, row in EXPECTED.items() if row[3] != WAITED_OUT])
def test_a_failed_run_revokes_nothing_has_a_correct_journal_and_can_be_resumed(pair, town, respond_with, name):
    expected, step, ends, outcome = EXPECTED[name]
    ws, there = pair[0], town.workspaces[0].state.tokens.ids
    chosen, before = victims(ws), set(there())
    plan = ws.revoke(chosen, reason="a test")
    respond_with(name, "DELETE")
    for go in (lambda: plan.apply(progress=False), lambda: ws.resume(plan.run_id, progress=False)):
        result = go()
        assert set(result["outcome"]) <= ({outcome, "pending"} if ends else {outcome})
        assert outcome in set(result["outcome"])
        assert result["error"].dropna().str.contains(step, regex=False).all()
        assert result.attrs.get("ended_by") == (expected.__name__ if ends else None)
        assert set(there()) == before
        written = ws.journal().set_index("token_id")["outcome"]
        assert written[result["token_id"]].tolist() == result["outcome"].tolist()
    respond_with(name)
    with pytest.raises(errors.TokenKitError) as raised:
        ws.resume(plan.run_id, progress=False)
    assert in_one_line(raised.value, name)
    town.faults.clear()
    assert set(ws.resume(plan.run_id, progress=False)["outcome"]) == {"revoked"}
    assert before - set(there()) == set(chosen["token_id"])


@pytest.mark.parametrize("name", [name for name, row in EXPECTED.items() if row[3] != WAITED_OUT])
def test_an_error_during_a_run_keeps_the_earlier_deletions(pair, town, respond_with, name):
    _, step, ends, outcome = EXPECTED[name]
    ws, before = pair[0], set(town.workspaces[0].state.tokens.ids())
    chosen = victims(ws)
    plan = ws.revoke(chosen, reason="a test")
    respond_with(name, "DELETE", offset=1)
    result = plan.apply(progress=False).set_index("token_id")
    gone = before - set(town.workspaces[0].state.tokens.ids())
    assert set(result.index[result["outcome"] == "revoked"]) == gone
    assert len(gone) == 1
    rest = result.drop(index=list(gone))
    assert set(rest["outcome"]) <= ({outcome, "pending"} if ends else {outcome})
    assert rest["error"].dropna().str.contains(step, regex=False).all()
    assert ws.journal().set_index("token_id")["outcome"].to_dict() == result["outcome"].to_dict()
    town.faults.clear()
    assert set(ws.resume(plan.run_id, progress=False)["outcome"]) == {"revoked"}
    assert before - set(town.workspaces[0].state.tokens.ids()) == set(chosen["token_id"])


@pytest.mark.parametrize("name", EXPECTED)
def test_a_failed_change_of_permissions_has_no_effect(pair, town, respond_with, name):
    ws, before = pair[0], set(town.workspaces[0].state.tokens.ids())
    acl = ws.token_management.get_permissions()
    plan = ws.plan_permissions([{"group_name": "data-engineers", "permission_level": "CAN_USE"}], replace=True)
    assert len(plan) > 0
    respond_with(name, "PUT", times=None)
    for go in (lambda: plan.apply(progress=False), lambda: ws.resume(plan.run_id, progress=False)):
        with pytest.raises(errors.TokenKitError) as raised:
            go()
        assert in_one_line(raised.value, name)
        assert "PUT /api/2.0/permissions/authorization/tokens" in str(raised.value)
        assert acl.equals(ws.token_management.get_permissions())
        assert set(town.workspaces[0].state.tokens.ids()) == before
        assert set(ws.journal()["outcome"]) == {"failed"}


@pytest.mark.parametrize("name", [name for name, row in EXPECTED.items() if row[3] != WAITED_OUT])
def test_a_failed_update_changes_nothing_and_can_be_resumed(pair, town, respond_with, name):
    expected, step, ends, outcome = EXPECTED[name]
    ws = pair[0]
    chosen = victims(ws)
    plan = ws.plan_update(chosen, comment=f"after {name}")
    respond_with(name, "PATCH")
    for go in (lambda: plan.apply(progress=False), lambda: ws.resume(plan.run_id, progress=False)):
        result = go()
        assert set(result["outcome"]) <= ({outcome, "pending"} if ends else {outcome})
        assert result["error"].dropna().str.contains(step, regex=False).all()
        assert result.attrs.get("ended_by") == (expected.__name__ if ends else None)
        assert f"after {name}" not in set(ws.tokens()["comment"])
    town.faults.clear()
    assert set(ws.resume(plan.run_id, progress=False)["outcome"]) == {"updated"}
    assert set(ws.tokens().set_index("token_id")["comment"][chosen["token_id"]]) == {f"after {name}"}


@pytest.mark.parametrize("name", [name for name, row in EXPECTED.items() if row[3] == WAITED_OUT])
def test_a_run_that_has_to_wait_revokes_all_tokens(pair, town, respond_with, name):
    ws, before = pair[0], set(town.workspaces[0].state.tokens.ids())
    chosen = victims(ws)
    respond_with(name, "DELETE")
    result = ws.revoke(chosen, reason="a test").apply(progress=False)
    assert set(result["outcome"]) == {"revoked"}
    assert result["attempts"].sum() > len(chosen)
    assert before - set(town.workspaces[0].state.tokens.ids()) == set(chosen["token_id"])
    assert set(ws.journal()["outcome"]) == {"revoked"}


@pytest.mark.parametrize("name", [name for name, row in EXPECTED.items() if row[3] == WAITED_OUT])
def test_a_run_that_has_to_wait_is_resumed_and_updated(pair, town, respond_with, name):
    ws, before = pair[0], set(town.workspaces[0].state.tokens.ids())
    chosen = victims(ws)
    plan = ws.revoke(chosen, reason="a test")
    respond_with("gateway", "DELETE")
    assert set(plan.apply(progress=False)["outcome"]) == {"unknown"}
    respond_with(name, "DELETE")
    result = ws.resume(plan.run_id, progress=False)
    assert set(result["outcome"]) == {"revoked"}
    assert before - set(town.workspaces[0].state.tokens.ids()) == set(chosen["token_id"])
    others = victims(ws)
    respond_with(name, "PATCH", times=2)
    assert set(ws.plan_update(others, comment=f"after {name}").apply(progress=False)["outcome"]) == {"updated"}
    assert set(ws.tokens().set_index("token_id")["comment"][others["token_id"]]) == {f"after {name}"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_run_without_a_listing_sends_no_deletion(pair, town, respond_with, name):
    ws, before = pair[0], set(town.workspaces[0].state.tokens.ids())
    plan = ws.revoke(victims(ws), reason="a test")
    respond_with(name)
    town.requests.clear()
    with pytest.raises(errors.TokenKitError) as raised:
        plan.apply(progress=False)
    assert in_one_line(raised.value, name)
    assert {request.method for request in town.requests} == {"GET"}
    assert set(town.workspaces[0].state.tokens.ids()) == before
    assert set(ws.journal()["outcome"]) <= {"pending"}


@pytest.mark.parametrize("name", EXPECTED)
def test_in_a_fleet_only_the_rows_of_the_failed_workspace_are_missing(pair, town, respond_with, name, capsys):
    expected, step, _, outcome = EXPECTED[name]
    fleet = tokenkit.fleet(pair)
    whole = fleet.tokens(status="active")
    others = whole[whole["owner"] != "admin@example.com"].groupby("workspace").head(2)
    plan = fleet.revoke(others, reason="a test")
    first, second = (workspace.host for workspace in town.workspaces)
    respond_with(name)
    for asked in (fleet.tokens, fleet.access, lambda: fleet.audit().findings):
        fleet.forget_errors()
        assert first not in set(asked()["workspace"])
        (failure,) = fleet.errors.to_dict("records")
        assert (failure["workspace"], failure["error_type"]) == (first, expected.__name__)
        assert step in failure["message"]
    respond_with(name, "DELETE")
    there = set(town.workspaces[0].state.tokens.ids())
    outcomes = plan.apply(progress=False).groupby("workspace")["outcome"].agg(set)
    assert outcomes[first] <= {outcome, "pending"}
    assert outcomes[second] == {"revoked"}
    revoked = there - set(town.workspaces[0].state.tokens.ids())
    assert revoked == (set(others.loc[others["workspace"] == first, "token_id"]) if outcome == WAITED_OUT else set())
    town.faults.clear()
    again = fleet.resume(plan.run_id, progress=False)
    assert set(again["outcome"]) == {"revoked"}
    capsys.readouterr()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_fleet_with_a_failed_workspace_plans_and_revokes_in_the_others(pair, town, respond_with, name, capsys):
    expected, step, _, _ = EXPECTED[name]
    fleet = tokenkit.fleet(pair)
    whole = fleet.tokens(status="active")
    chosen = whole[whole["owner"] != "admin@example.com"].groupby("workspace").head(1)
    planned = fleet.revoke(chosen, reason="a test")
    first, second = (workspace.host for workspace in town.workspaces)
    there = set(town.workspaces[0].state.tokens.ids())
    respond_with(name)
    for ask in (
        lambda: fleet.revoke(chosen, reason="a test"),
        lambda: planned.apply(progress=False),
        lambda: fleet.resume(planned.run_id, progress=False),
    ):
        fleet.forget_errors()
        result = ask()
        (failure,) = fleet.errors.to_dict("records")
        assert (failure["workspace"], failure["error_type"]) == (first, expected.__name__)
        assert step in failure["message"]
    assert result.set_index("workspace")["outcome"].to_dict() == {first: "pending", second: "revoked"}
    assert set(town.workspaces[0].state.tokens.ids()) == there
    town.faults.clear()
    assert set(fleet.resume(planned.run_id, progress=False)["outcome"]) == {"revoked"}
    assert there - set(town.workspaces[0].state.tokens.ids()) == set(
        chosen.loc[chosen["workspace"] == first, "token_id"]
    )
    capsys.readouterr()


def test_the_page_is_generated_from_the_table_of_the_messages():
    page = Path(__file__).parent.parent.parent / "docs" / "refusals.md"
    assert page.read_text(encoding="utf-8") == error_responses.page(), (
        "run: python -m tokenkit.commands.error_responses > docs/refusals.md"
    )


def test_the_page_has_every_cause_with_a_next_step_and_every_name():
    page = error_responses.page()
    for cause in CAUSES:
        assert cause.advice
        assert f"`{cause.error.__name__}`" in page
        assert cause.advice.partition("{")[0] in page
    for name in RECORDED_RESPONSES:
        assert f"`{name}`" in page


def test_every_cause_that_is_recognized_by_its_text_has_an_example():
    shown = {
        (cause.error, cause.advice) for cause in map(error_responses.cause_of, RECORDED_RESPONSES) if cause is not None
    }
    recognized_by_text = [cause for cause in CAUSES if cause.pattern or cause.form]
    assert {(cause.error, cause.advice) for cause in recognized_by_text} - shown == set()
