"""Everything that is recorded as a refusal, met on every way to a workspace; and the page about it."""

import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets import hands
from tokenkit import errors
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.recorded import REFUSALS

# Its class, what of the next step is said, whether the run goes no further, and what becomes of a token's deletion.
REFUSED = {
    "invalid-token": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-token-page": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-token-text": (errors.AuthenticationError, "sign in again", True, "failed"),
    "credential-not-sent": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-org": (errors.AuthenticationError, "belongs to another workspace", True, "failed"),
    "user-not-found": (errors.AuthenticationError, "have an admin add it", True, "failed"),
    "scopes": (errors.MissingScopeError, "Use a credential with", False, "failed"),
    "not-admin": (errors.PermissionDeniedError, "connect as a member of the group 'admins'", False, "failed"),
    "error-info": (errors.PermissionDeniedError, "connect as a member of the group 'admins'", False, "failed"),
    "ip-access-list": (errors.AccessBlockedError, "connect from an allowed network", True, "failed"),
    "private-link": (errors.AccessBlockedError, "has the private endpoint", True, "failed"),
    "login-page": (errors.MalformedAnswerError, "Check that the host", False, "unknown"),
    "proxy-block": (errors.AccessBlockedError, "check HTTPS_PROXY and NO_PROXY", True, "failed"),
    "proxy-sign-in": (errors.AccessBlockedError, "check HTTPS_PROXY", True, "failed"),
    "gateway": (errors.UnavailableError, "Try again later", False, "unknown"),
    "scim-limit-as-500": (errors.RateLimitedError, "fewer requests at once", False, "failed"),
    "retry-after-date": (errors.RateLimitedError, "fewer requests at once", False, "failed"),
    "new-workspace": (errors.UnavailableError, "try again in some minutes", False, "unknown"),
    "obo-disabled": (errors.PermissionDeniedError, "Grant the service principal CAN_USE", False, "failed"),
    "tokens-disabled": (errors.FeatureDisabledError, "enableTokensConfig", True, "failed"),
}
WAYS = {
    "list": lambda ws: ws.tokens(),
    "audit": lambda ws: ws.audit(),
    "access": lambda ws: ws.access(),
    "plan by a condition": lambda ws: ws.revoke("status == 'active'"),
    "plan the permissions": lambda ws: ws.plan_permissions(
        [{"group_name": "users", "permission_level": "CAN_USE"}], replace=True
    ),
}


@pytest.fixture(scope="module")
def town():
    with Sandbox(tokens=400, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def pair(town, tmp_path, monkeypatch):
    """Two workspaces, of which the first is to refuse; waits between attempts are as short as a test's."""
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.0001)
    monkeypatch.setattr("tokenkit.actions.executor._LONGEST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("tokenkit.rest.answers._LONGEST_WAIT_SECONDS", 0.01)
    town.faults.clear()
    town.requests.clear()
    yield hands(town, tmp_path / "home")
    town.faults.clear()


@pytest.fixture
def refuse(town):
    def refuse(name, method="*"):
        town.faults.clear()
        town.faults.add(Fault.named(name, method=method, workspace_id=town.workspaces[0].workspace_id))

    return refuse


def in_one_line(error, name):
    expected, step, _, _ = REFUSED[name]
    text = str(error)
    return (
        type(error) is expected
        and step in text
        and "\n" not in text
        and text.count(step) == 1
        and ("Request: " in text or "answered GET" in text)
    )


def victims(ws, count=3):
    tokens = ws.tokens(status="active")
    return tokens[tokens["owner"] != "admin@example.com"].head(count)


def test_each_that_is_recorded_is_driven():
    assert set(REFUSED) == set(REFUSALS)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_one_sentence_and_a_next_step(pair, town, refuse, name):
    refuse(name)
    for way, asked in WAYS.items():
        with pytest.raises(errors.TokenKitError) as raised:
            asked(pair[0])
        assert in_one_line(raised.value, name), f"{way}: {raised.value!r}"
    assert {each.method for each in town.requests} == {"GET"}
    assert len(pair[0].journal()) == 0


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_that_is_refused_revokes_nothing_notes_nothing_wrong_and_is_finished_later(pair, town, refuse, name):
    _, step, ends, outcome = REFUSED[name]
    ws, there = pair[0], town.workspaces[0].state.tokens.ids
    doomed, before = victims(ws), set(there())
    plan = ws.revoke(doomed, reason="a test")
    refuse(name, "DELETE")
    for result in (plan.apply(progress=False), ws.resume(plan.run_id, progress=False)):
        assert set(result["outcome"]) <= ({outcome, "planned"} if ends else {outcome})
        assert outcome in set(result["outcome"])
        assert result["error"].dropna().str.contains(step, regex=False).all()
        assert ("ended_by" in result.attrs) == ends
        assert set(there()) == before
        written = ws.journal().set_index("token_id")["outcome"]
        assert written[result["token_id"]].tolist() == result["outcome"].tolist()
    refuse(name)
    with pytest.raises(errors.TokenKitError) as raised:
        ws.resume(plan.run_id, progress=False)
    assert in_one_line(raised.value, name)
    town.faults.clear()
    assert set(ws.resume(plan.run_id, progress=False)["outcome"]) == {"revoked"}
    assert before - set(there()) == set(doomed["token_id"])


@pytest.mark.parametrize("name", REFUSED)
def test_a_run_of_which_not_even_the_listing_is_answered_sends_nothing(pair, town, refuse, name):
    ws, before = pair[0], set(town.workspaces[0].state.tokens.ids())
    plan = ws.revoke(victims(ws), reason="a test")
    refuse(name)
    town.requests.clear()
    with pytest.raises(errors.TokenKitError) as raised:
        plan.apply(progress=False)
    assert in_one_line(raised.value, name)
    assert {each.method for each in town.requests} == {"GET"}
    assert set(town.workspaces[0].state.tokens.ids()) == before
    assert set(ws.journal()["outcome"]) <= {"planned"}


@pytest.mark.parametrize("name", REFUSED)
def test_in_a_fleet_it_costs_the_rows_of_its_workspace_alone(pair, town, refuse, name, capsys):
    expected, step, _, outcome = REFUSED[name]
    fleet = tokenkit.fleet(pair)
    whole = fleet.tokens(status="active")
    others = whole[whole["owner"] != "admin@example.com"].groupby("workspace").head(2)
    plan = fleet.revoke(others, reason="a test")
    first, second = (each.host for each in town.workspaces)
    refuse(name)
    for asked in (fleet.tokens, fleet.access, lambda: fleet.audit().findings):
        fleet.forget_errors()
        assert first not in set(asked()["workspace"])
        (failure,) = fleet.errors.to_dict("records")
        assert (failure["workspace"], failure["kind"]) == (first, expected.__name__)
        assert step in failure["message"]
    refuse(name, "DELETE")
    there = set(town.workspaces[0].state.tokens.ids())
    outcomes = plan.apply(progress=False).groupby("workspace")["outcome"].agg(set)
    assert outcomes[first] <= {outcome, "planned"}
    assert outcomes[second] == {"revoked"}
    assert set(town.workspaces[0].state.tokens.ids()) == there
    town.faults.clear()
    again = fleet.resume(plan.run_id, progress=False)
    assert set(again["outcome"]) == {"revoked"}
    capsys.readouterr()
