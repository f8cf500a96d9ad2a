"""Everything that is recorded as a refusal, met on every way to a workspace; and the page about it."""

from pathlib import Path

import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets import hands
from tokenkit import errors, refusals
from tokenkit.rest.answers import CAUSES
from tokenkit.sandbox import Fault, Sandbox
from tokenkit.sandbox.recorded import REFUSALS

WAITED_OUT = "revoked"  # a run asks again for as long as it takes, so that in these tests it is refused twice only
# Its class, what of the next step is said, whether the run goes no further, and what becomes of a token's deletion.
REFUSED = {
    "invalid-token": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-token-page": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-token-text": (errors.AuthenticationError, "sign in again", True, "failed"),
    "credential-not-sent": (errors.AuthenticationError, "sign in again", True, "failed"),
    "invalid-org": (errors.AuthenticationError, "belongs to another workspace", True, "failed"),
    "user-not-found": (errors.AuthenticationError, "have an admin add it", True, "failed"),
    "scopes": (errors.MissingScopeError, "Use a credential with", True, "failed"),
    "not-admin": (errors.NotAnAdminError, "connect as a member of the group 'admins'", True, "failed"),
    "error-info": (errors.NotAnAdminError, "connect as a member of the group 'admins'", True, "failed"),
    "ip-access-list": (errors.AccessBlockedError, "connect from an allowed network", True, "failed"),
    "private-link": (errors.AccessBlockedError, "has the private endpoint", True, "failed"),
    "login-redirect": (errors.AuthenticationError, "sign in again", True, "failed"),
    "unknown-endpoint": (errors.EndpointNotFoundError, "Check that the host", False, "failed"),
    "login-page": (errors.MalformedAnswerError, "Check that the host", False, "unknown"),
    "proxy-block": (errors.AccessBlockedError, "check HTTPS_PROXY and NO_PROXY", True, "failed"),
    "proxy-sign-in": (errors.AccessBlockedError, "check HTTPS_PROXY", True, "failed"),
    "gateway": (errors.UnavailableError, "Try again later", False, "unknown"),
    "scim-limit-as-500": (errors.RateLimitedError, "fewer requests at once", False, WAITED_OUT),
    "retry-after-date": (errors.RateLimitedError, "fewer requests at once", False, WAITED_OUT),
    "new-workspace": (errors.UnavailableError, "try again in some minutes", False, "unknown"),
    "obo-disabled": (errors.PermissionDeniedError, "Grant the service principal CAN_USE", False, "failed"),
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
    with Sandbox(tokens=400, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def pair(town, tmp_path, monkeypatch):
    """Two workspaces, of which the first is to refuse; waits between attempts are as short as a test's."""
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.0001)
    monkeypatch.setattr("tokenkit.actions.executor._LONGEST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("tokenkit.actions.executor._REFUSED_SECONDS", 0.001)
    monkeypatch.setattr("tokenkit.rest.answers._LONGEST_WAIT_SECONDS", 0.01)
    town.faults.clear()
    town.requests.clear()
    yield hands(town, tmp_path / "home")
    town.faults.clear()


@pytest.fixture
def refuse(town):
    def refuse(name, method="*"):
        times = 2 if method == "DELETE" and REFUSED[name][3] == WAITED_OUT else None
        town.faults.clear()
        town.faults.add(Fault.named(name, method=method, times=times, workspace_id=town.workspaces[0].workspace_id))

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


@pytest.mark.parametrize("name", [name for name, row in REFUSED.items() if row[3] != WAITED_OUT])
def test_a_run_that_is_refused_revokes_nothing_notes_nothing_wrong_and_is_finished_later(pair, town, refuse, name):
    _, step, ends, outcome = REFUSED[name]
    ws, there = pair[0], town.workspaces[0].state.tokens.ids
    doomed, before = victims(ws), set(there())
    plan = ws.revoke(doomed, reason="a test")
    refuse(name, "DELETE")
    for go in (lambda: plan.apply(progress=False), lambda: ws.resume(plan.run_id, progress=False)):
        result = go()
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


@pytest.mark.parametrize("name", [name for name, row in REFUSED.items() if row[3] == WAITED_OUT])
def test_a_run_that_is_to_wait_loses_nothing(pair, town, refuse, name):
    ws, before = pair[0], set(town.workspaces[0].state.tokens.ids())
    doomed = victims(ws)
    refuse(name, "DELETE")
    result = ws.revoke(doomed, reason="a test").apply(progress=False)
    assert set(result["outcome"]) == {"revoked"}
    assert result["attempts"].sum() > len(doomed)
    assert before - set(town.workspaces[0].state.tokens.ids()) == set(doomed["token_id"])
    assert set(ws.journal()["outcome"]) == {"revoked"}


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
    revoked = there - set(town.workspaces[0].state.tokens.ids())
    assert revoked == (set(others.loc[others["workspace"] == first, "token_id"]) if outcome == WAITED_OUT else set())
    town.faults.clear()
    again = fleet.resume(plan.run_id, progress=False)
    assert set(again["outcome"]) == {"revoked"}
    capsys.readouterr()


def test_the_page_is_made_from_the_table_of_the_messages():
    page = Path(__file__).parent.parent / "docs" / "refusals.md"
    assert page.read_text(encoding="utf-8") == refusals.page(), "run: python -m tokenkit.refusals > docs/refusals.md"


def test_every_cause_is_on_the_page_with_a_next_step_and_every_name_is_shown():
    page = refusals.page()
    for cause in CAUSES:
        assert cause.advice
        assert f"`{cause.error.__name__}`" in page
        assert cause.advice.partition("{")[0] in page
    for name in REFUSALS:
        assert f"`{name}`" in page


def test_every_cause_that_is_told_by_its_words_has_a_name_that_shows_it():
    shown = {(cause.error, cause.advice) for cause in map(refusals.cause_of, REFUSALS) if cause is not None}
    told_by_words = [cause for cause in CAUSES if cause.sentence.pattern or cause.is_page]
    assert {(cause.error, cause.advice) for cause in told_by_words} - shown == set()
