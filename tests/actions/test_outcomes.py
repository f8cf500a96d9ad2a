"""What the workspace says, what comes after it, and what becomes of the token: outcome, remark, exit code.

Each row of the tables is one token. The command is the one of the shell, so that the exit code is what a job sees.
"""

import json
import threading

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit import cli
from tokenkit.actions.executor import Execution, _Item
from tokenkit.actions.journal import Entry, Journal
from tokenkit.actions.task import Task
from tokenkit.errors import AuthenticationError, FeatureDisabledError
from tokenkit.sandbox import Fault, Sandbox

ONE = "/api/2.0/token-management/tokens/*"
PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
PAGE = "<html><title>Not here</title></html>"
NO_SUCH_TOKEN = {"error_code": "NOT_FOUND", "message": "Token does not exist"}
DISABLED = {"error_code": "FEATURE_DISABLED", "message": "Tokens are disabled"}
NO_ENDPOINT = {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"}
LOST = "response to our request was lost; looked up, it is gone"
STILL = "still lists it"


def delete(**fault):
    return Fault(method="DELETE", path=ONE, **({"times": 1} | fault))


def patch(**fault):
    return Fault(method="PATCH", path=ONE, **({"times": 1} | fault))


def get(**fault):
    return Fault(method="GET", path=ONE, **fault)


REVOCATIONS = {
    "done": ([], "revoked", None, 0, False),
    "done, and answered with nothing": ([delete(status=200, body="", after_handler=True)], "revoked", None, 0, False),
    "a refusal to wait for": ([delete(status=429, headers={"Retry-After": "0"})], "revoked", None, 0, False),
    # A 404 says that the token is gone only where its code says so, and only as long as the listing agrees.
    "404 of a token that is gone": ([delete(status=404, after_handler=True)], "already gone", None, 0, False),
    "404 of a token that is there": ([delete(status=404)], "still_listed", STILL, 1, True),
    "200 for a token that stays": ([delete(status=200)], "still_listed", STILL, 1, True),
    "404, tokens are disabled": ([delete(status=404, body=DISABLED)], "failed", "FEATURE_DISABLED", 1, True),
    "404, no such endpoint": ([delete(status=404, body=NO_ENDPOINT)], "failed", "ENDPOINT_NOT_FOUND", 1, True),
    "404, a page": ([delete(status=404, body=PAGE)], "failed", "Not here", 1, True),
    "404, nothing": ([delete(status=404, body="")], "failed", "404", 1, True),
    "404, no code": ([delete(status=404, body={"message": "Token does not exist"})], "failed", "404", 1, True),
    "404, a list": ([delete(status=404, body="[]", content_type="application/json")], "failed", "404", 1, True),
    "404 by its code alone": ([delete(status=400, body=NO_SUCH_TOKEN)], "failed", "NOT_FOUND", 1, True),
    "400": ([delete(status=400)], "failed", "INVALID_PARAMETER_VALUE", 1, True),
    "401": ([delete(status=401)], "failed", "UNAUTHENTICATED", 1, True),
    "half a surrogate": (
        [delete(status=400, body='{"error_code": "X", "message": "\\ud800"}', content_type="application/json")],
        "failed",
        "refused",
        1,
        True,
    ),
    # What may have been done is looked up.
    "lost after it was done": ([delete(drop=True, after_handler=True)], "revoked", LOST, 0, False),
    "lost before it was done": ([delete(drop=True)], "revoked", None, 0, False),
    **{
        f"{status} {when} it was done": (
            [delete(status=status, after_handler=when == "after")],
            "revoked",
            remark,
            0,
            False,
        )
        for status in (500, 502, 503, 504)
        for when, remark in (("after", LOST), ("before", None))
    },
    "cut short": ([delete(truncate_bytes=1)], "revoked", LOST, 0, False),
    "a page instead": ([delete(status=200, body=PAGE, after_handler=True)], "revoked", LOST, 0, False),
    "JSON that cannot be read": (
        [delete(status=200, body="[" * 100_000, after_handler=True)],
        "revoked",
        LOST,
        0,
        False,
    ),
    "a header that cannot be read": (
        [delete(status=503, headers={"Retry-After": "\u00b2"}, after_handler=True)],
        "revoked",
        LOST,
        0,
        False,
    ),
    "lost, and the look-up at first as well": (
        [delete(drop=True, after_handler=True), get(drop=True, times=1), get(status=503, times=1)],
        "revoked",
        LOST,
        0,
        False,
    ),
    "lost, there, and gone at the second request": (
        [delete(drop=True), delete(status=404, after_handler=True)],
        "revoked",
        LOST,
        0,
        False,
    ),
    "lost, there, and refused": ([delete(drop=True), delete(status=400)], "failed", "INVALID", 1, True),
    "lost, and a 404 that is there": (
        [delete(drop=True), get(status=404, body=NO_SUCH_TOKEN, times=1)],
        "still_listed",
        STILL,
        1,
        True,
    ),
    # What cannot be looked up is unknown, whatever came of it.
    "lost, and no look-up": ([delete(drop=True, after_handler=True), get(drop=True)], "unknown", "dropped", 1, False),
    "lost, and a page": ([delete(drop=True), get(status=404, body=PAGE)], "unknown", "Not here", 1, True),
    "lost, and nothing": ([delete(drop=True), get(status=404, body="")], "unknown", "404", 1, True),
    "lost, and disabled": ([delete(drop=True), get(status=404, body=DISABLED)], "unknown", "FEATURE", 1, True),
    "lost, and no endpoint": ([delete(drop=True), get(status=404, body=NO_ENDPOINT)], "unknown", "ENDPOINT", 1, True),
    "lost, and a dead credential": ([delete(drop=True), get(status=401)], "unknown", "UNAUTHENTICATED", 1, True),
    "lost, and another token": ([delete(drop=True), get(status=200, body={})], "unknown", "token_info", 1, True),
}
UPDATES = {
    "done": ([], "updated", None, 0),
    "lost after it was done": ([patch(drop=True, after_handler=True)], "updated", None, 0),
    "lost before it was done": ([patch(drop=True)], "updated", None, 0),
    "404 of a token that is there": ([patch(status=404)], "still_listed", STILL, 1),
    "404, a page": ([patch(status=404, body=PAGE)], "failed", "Not here", 1),
    "404, tokens are disabled": ([patch(status=404, body=DISABLED)], "failed", "FEATURE_DISABLED", 1),
    "lost, and no look-up": ([patch(drop=True), get(drop=True)], "unknown", "dropped", 1),
}


@pytest.fixture(scope="module")
def town():
    """A sandbox of which each row takes another token."""
    with Sandbox(tokens=400, clock=NOW.timestamp) as sandbox:
        tokens = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW).tokens(status="active")
        others = iter(tokens.loc[tokens["owner"] != "admin@example.com", "token_id"])
        yield sandbox, others
        assert list(sandbox.errors) == []


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Wait between attempts for no longer than a test should."""
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.001)
    monkeypatch.setattr("tokenkit.actions.executor._LONGEST_BACKOFF_SECONDS", 0.01)


@pytest.fixture
def shell(town, monkeypatch, capsys):
    """Change one token from a shell while faults are in force; return the exit code, the row, and the token's id."""
    sandbox, others = town
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)

    def run(faults, *words):
        token_id = next(others)
        sandbox.faults.add(*faults)
        code = cli.main([*(word.format(token_id) for word in words), "--yes", "--output", "json"])
        sandbox.faults.clear()
        (row,) = json.loads(capsys.readouterr().out)
        return code, row, token_id

    yield run
    sandbox.faults.clear()


def journalled(home, token_id):
    with Journal(home) as journal:
        rows = journal.frame()
    (row,) = rows[rows["token_id"] == token_id][["outcome", "error"]].to_dict("records")
    return row


def said(remark, expected):
    return pd.isna(remark) if expected is None else expected in remark


@pytest.mark.parametrize("case", REVOCATIONS)
def test_a_revocation_ends_in_the_outcome_that_the_responses_prove(shell, town, tmp_path, case):
    faults, outcome, remark, expected_code, alive = REVOCATIONS[case]
    code, row, token_id = shell(faults, "revoke", "{}")
    assert (row["outcome"], code) == (outcome, expected_code)
    assert said(row["error"], remark), row["error"]
    assert (token_id in town[0].workspaces[0].state.tokens.ids()) == alive
    written = journalled(tmp_path / "home", token_id)
    assert written["outcome"] == outcome  # the result is the journal's
    assert said(written["error"], remark)


@pytest.mark.parametrize("case", [name for name, row in REVOCATIONS.items() if row[3]])
def test_what_is_left_is_finished_by_resume(shell, town, tmp_path, capsys, case):
    code, _, token_id = shell(REVOCATIONS[case][0], "revoke", "{}")
    assert code == 1
    with Journal(tmp_path / "home") as journal:
        (run,) = journal.runs().to_dict("records")
    assert run["left"] == 1
    assert cli.main(["resume", run["run_id"], "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["outcome"] == "revoked"
    assert token_id not in town[0].workspaces[0].state.tokens.ids()
    with Journal(tmp_path / "home") as journal:
        assert journal.runs()["left"].tolist() == [0]


@pytest.mark.parametrize("case", UPDATES)
def test_an_update_ends_in_the_outcome_that_the_responses_prove(shell, tmp_path, case):
    faults, outcome, remark, expected_code = UPDATES[case]
    code, row, token_id = shell(faults, "update", "{}", "--comment", "owned by the data team")
    assert (row["outcome"], code) == (outcome, expected_code)
    assert said(row["error"], remark), row["error"]
    assert journalled(tmp_path / "home", token_id)["outcome"] == outcome


def test_an_update_whose_response_was_lost_did_not_end_the_token(ws, company, victims):
    before = ws.tokens()
    plan = ws.plan_update(victims["token_id"].iloc[0], comment="new")
    company.faults.add(patch(drop=True, latency_ms=50, times=None))

    def somebody_else():
        while not any(record.method == "PATCH" for record in company.requests):
            threading.Event().wait(0.002)
        company.workspaces[0].state.tokens.delete(plan.token_ids[0])

    other = threading.Thread(target=somebody_else)
    other.start()
    result = plan.apply()
    other.join()
    assert result["outcome"].tolist() == ["already gone"]
    assert LOST in result["error"].iloc[0]
    assert tokenkit.changes(before, ws.tokens(), ws.journal())["cause"].tolist() == ["revoked elsewhere"]


def test_the_wait_that_an_overloaded_workspace_asks_for_is_obeyed(ws, company, victims):
    """Both are looked up; the one that was asked to wait comes second, though it was sent first."""
    first, second = victims["token_id"].iloc[:2]
    asked = Fault(method="DELETE", path=f"*/{first}", status=503, headers={"Retry-After": "1"}, times=1)
    company.faults.add(asked, Fault(method="DELETE", path=f"*/{second}", status=503, times=1))
    ws.revoke([first, second]).apply(workers=1)
    looked_up = [record.path.rpartition("/")[2] for record in company.requests if record.method == "GET"]
    assert [token_id for token_id in looked_up if token_id in {first, second}] == [second, first]


def test_a_stop_leaves_a_request_whose_response_was_lost_unknown(ws, company, victims, monkeypatch):
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 60.0)
    monkeypatch.setattr("tokenkit.actions.executor._LONGEST_BACKOFF_SECONDS", 60.0)
    company.faults.add(delete(drop=True, after_handler=True))
    stop = threading.Event()

    def watch():
        while not any(record.method == "DELETE" for record in company.requests):
            stop.wait(0.002)
        stop.set()

    watching = threading.Thread(target=watch)
    watching.start()
    result = ws.revoke(victims["token_id"].iloc[0]).apply(stop=stop)
    watching.join()
    assert result["outcome"].tolist() == ["unknown"]
    assert result.attrs["ended_by"] == "stop"
    assert ws.runs()[["unknown", "left"]].to_numpy().tolist() == [[1, 1]]


class Impatient:
    """Presses Ctrl-C at the n-th token."""

    def __init__(self, at):
        self._at, self.told = at, ""

    def advance(self, done, _total):
        if done == self._at:
            raise KeyboardInterrupt

    def end_early(self, words):
        self.told = words


def test_an_interrupted_run_says_that_it_was_interrupted(ws, victims):
    watcher = Impatient(at=3)
    plan = ws.revoke(victims)
    result = plan.apply(workers=2, progress=watcher)
    assert "planned" in set(result["outcome"])
    assert result.attrs["ended_by"] == "interrupt"
    assert f"tokenkit.resume({plan.run_id!r})" in watcher.told


def test_where_nothing_is_left_nobody_is_told_to_go_on(ws, victims):
    watcher = Impatient(at=3)
    result = ws.revoke(victims.head(3)).apply(progress=watcher)
    assert result["outcome"].tolist() == ["revoked"] * 3
    assert (result.attrs["ended_by"], watcher.told) == ("interrupt", "Stopped. 0 of 3 are left.")


@pytest.mark.parametrize("error", [AuthenticationError, FeatureDisabledError])
def test_a_worker_that_is_refused_for_all_takes_up_nothing_more(tmp_path, error):
    """Whether or not the decider has heard of it."""
    sent = []

    def refused(entry):
        sent.append(entry.token_id)
        raise error("no", status=404)

    task = Task(send=refused, look_up=lambda _: pytest.fail("looked up"), done="revoked")
    with Journal(tmp_path) as journal:
        execution = Execution("a run", task, journal, workers=1)
        for number in range(3):
            item = _Item(entry=Entry(token_id=str(number), owner=None, snapshot={}))
            execution._orders.put((item, execution._pacer.permit(0.0)))
        execution._orders.put(None)
        worker = threading.Thread(target=execution._work)
        worker.start()
        worker.join()
    assert sent == ["0"]
    assert [report.still_to_do for report in execution._reports] == [False, True, True]


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 404, "body": DISABLED}])
def test_a_run_that_can_do_nothing_more_ends_and_says_what_ended_it(ws, company, victims, ids, fault):
    company.faults.add(delete(offset=20, times=None, **fault))
    result = ws.revoke(victims).apply(workers=4)
    ended_by = "AuthenticationError" if fault["status"] == 401 else "FeatureDisabledError"
    assert result.attrs["ended_by"] == ended_by
    counts = result["outcome"].value_counts()
    assert counts["revoked"] == 20
    assert counts["planned"] >= 50 - 20 - 4
    assert ws.runs()["left"].tolist() == [50 - 20]
    assert len(set(victims["token_id"]) & ids(company)) == 30


def test_a_listing_without_the_tokens_ends_none_of_them(ws, company, victims, ids):
    """Once before the run, once at its end: it is the workspace's word on each token that counts."""
    plan = ws.revoke(victims)
    listing = Fault(method="GET", path="/api/2.0/token-management/tokens", status=200, body={}, times=1)
    company.faults.add(listing, delete(status=400, times=3))
    result = plan.apply()
    assert result["outcome"].value_counts().to_dict() == {"revoked": 47, "failed": 3}
    assert len(set(victims["token_id"]) & ids(company)) == 3


def test_what_a_listing_lacks_is_looked_up_and_left_alone_if_it_was_used(ws, company, ids):
    tokens = ws.tokens(status="active", idle="5d")
    chosen = tokens.loc[tokens["owner"] != "admin@example.com", "token_id"].head(3).tolist()
    plan = ws.revoke(chosen)
    company.workspaces[0].state.tokens.touch(chosen[0], int(NOW.normalize().timestamp() * 1000))
    company.faults.add(Fault(method="GET", path="/api/2.0/token-management/tokens", status=200, body={}, times=1))
    result = plan.apply()
    assert result["outcome"].tolist() == ["skipped", "revoked", "revoked"]
    assert result["error"].iloc[0] == "used since the plan, on 2026-03-01"
    assert chosen[0] in ids(company)


def test_a_listing_that_cannot_be_read_at_the_end_costs_a_remark(ws, company, victims):
    plan = ws.revoke(victims.head(3))
    company.faults.add(
        Fault(method="GET", path="/api/2.0/token-management/tokens", status=500, offset=1),
    )
    result = plan.apply()
    assert result["outcome"].tolist() == ["revoked"] * 3
    assert result["error"].str.contains("not confirmed").all()
    assert ws.journal()["error"].tolist() == result["error"].tolist()
    assert "ended_by" not in result.attrs


def put(**fault):
    return Fault(method="PUT", path=PERMISSIONS, **({"times": 1} | fault))


OTHER = {
    "access_control_list": [
        {"group_name": "analysts", "all_permissions": [{"permission_level": "CAN_USE", "inherited": False}]}
    ]
}
REMOVED = [{"group_name": "data-engineers", "permission_level": "CAN_USE"}]
# What the change came to; what apply raised, if it did; then what became of the tokens.
CHANGES = {
    "done": ([], "updated", None, "revoked"),
    "lost after it was made": ([put(drop=True, after_handler=True)], "updated", None, "revoked"),
    "unreadable after it was made": ([put(status=200, body="[" * 9, after_handler=True)], "updated", None, "revoked"),
    "lost before it was made": ([put(drop=True)], "failed", tokenkit.AnswerLostError, "failed"),
    "refused": ([put(status=400)], "failed", tokenkit.InvalidParameterError, "failed"),
    "disabled": ([put(status=404, body=DISABLED)], "failed", FeatureDisabledError, "failed"),
    "lost, and nobody knows": (
        [put(drop=True, after_handler=True), Fault(method="GET", path=PERMISSIONS, status=500, offset=2)],
        "unknown",
        tokenkit.AnswerLostError,
        "unknown",
    ),
    "lost, and it is neither": (
        [put(status=501), Fault(method="GET", path=PERMISSIONS, offset=2, status=200, body=OTHER)],
        "unknown",
        tokenkit.UnavailableError,
        "unknown",
    ),
    "made, and the tokens stay": ([put(status=200, body={"access_control_list": []})], "updated", None, "still_listed"),
    "made, and the tokens stay, but for a 404": (
        [put(status=200, body={"access_control_list": []}), get(status=404, body=NO_SUCH_TOKEN)],
        "updated",
        None,
        "still_listed",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_permissions_is_recorded_and_so_are_its_tokens(ws, company, case):
    faults, change, raised, outcome = CHANGES[case]
    plan = ws.plan_permissions(REMOVED, replace=True)
    company.faults.add(*faults)
    if raised is None:
        assert set(plan.apply()["outcome"]) == {outcome}
    else:
        with pytest.raises(raised):
            plan.apply()
    company.faults.clear()
    (run,) = ws.runs().to_dict("records")
    assert run["change"] == change
    assert set(ws.journal()["outcome"]) == {outcome}
    assert run["left"] == (0 if outcome == "revoked" else len(plan))


def test_a_change_that_is_made_is_known_by_the_permissions_and_not_sent_again(ws, company):
    plan = ws.plan_permissions(REMOVED, replace=True)
    company.faults.add(*CHANGES["lost, and nobody knows"][0])
    with pytest.raises(tokenkit.AnswerLostError):
        plan.apply()
    company.faults.clear()
    company.requests.clear()
    assert set(tokenkit.resume(plan.run_id, workspace=ws)["outcome"]) == {"revoked"}
    assert "PUT" not in {record.method for record in company.requests}
    assert ws.runs()[["change", "left"]].to_numpy().tolist() == [["updated", 0]]


def test_a_change_by_which_no_token_ends_is_recorded_and_resumed(ws, company):
    plan = ws.plan_permissions([{"group_name": "contractors", "permission_level": "CAN_USE"}])
    company.faults.add(Fault(method="PATCH", path=PERMISSIONS, status=400, times=1))
    with pytest.raises(tokenkit.InvalidParameterError):
        plan.apply()
    (run,) = ws.runs().to_dict("records")
    assert (run["tokens"], run["change"], run["left"]) == (0, "failed", 1)
    assert len(tokenkit.resume(plan.run_id, workspace=ws)) == 0
    (run,) = ws.runs().to_dict("records")
    assert (run["change"], run["left"], pd.isna(run["finished_at"])) == ("updated", 0, False)
    assert "contractors" in set(ws.token_management.get_permissions()["group_name"])
