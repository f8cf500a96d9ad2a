"""What the workspace says, what comes after it, and what becomes of the token: outcome, remark, exit code.

Each row of the tables is one token. The command is the one of the shell, so that the exit code is what a job sees.
"""

import json
import threading

import pandas as pd
import pytest

import tokenkit
from tests.actions.examples import as_before
from tests.conftest import NOW
from tests.waiting import wait_until
from tokenkit import cli
from tokenkit.actions import update
from tokenkit.actions.executor import Execution
from tokenkit.actions.journal import Entry, Journal, Step
from tokenkit.actions.options import RunOptions
from tokenkit.actions.task import Task
from tokenkit.frames import TokenInfo
from tokenkit.sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("at_once")

ONE = "/api/2.0/token-management/tokens/*"
PERMISSIONS = "/api/2.0/permissions/authorization/tokens"
PAGE = "<html><title>Not here</title></html>"
NO_SUCH_TOKEN = {"error_code": "NOT_FOUND", "message": "Token does not exist"}
DISABLED = {"error_code": "FEATURE_DISABLED", "message": "Tokens are disabled"}
NO_ENDPOINT = {"error_code": "ENDPOINT_NOT_FOUND", "message": "No API found"}
LOST = "response to the request was lost; a look-up showed that the token no longer exists"
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
    "404 of a token that is gone": ([delete(status=404, after_handler=True)], "already_gone", None, 0, False),
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
        "returned an error",
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
    assert run["remaining"] == 1
    assert cli.main(["resume", run["run_id"], "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["outcome"] == "revoked"
    assert token_id not in town[0].workspaces[0].state.tokens.ids()
    with Journal(tmp_path / "home") as journal:
        assert journal.runs()["remaining"].tolist() == [0]


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
        wait_until(lambda: any(record.method == "PATCH" for record in company.requests))
        company.workspaces[0].state.tokens.delete(plan.token_ids[0])

    other = threading.Thread(target=somebody_else)
    other.start()
    result = plan.apply()
    other.join()
    assert result["outcome"].tolist() == ["already_gone"]
    assert LOST in result["error"].iloc[0]
    assert tokenkit.changes(before, ws.tokens(), ws.journal())["cause"].tolist() == ["revoked_externally"]


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
        wait_until(lambda: any(record.method == "DELETE" for record in company.requests))
        stop.set()

    watching = threading.Thread(target=watch)
    watching.start()
    result = ws.revoke(victims["token_id"].iloc[0]).apply(stop=stop)
    watching.join()
    assert result["outcome"].tolist() == ["unknown"]
    assert result.attrs["ended_by"] == "stop"
    assert ws.runs()[["unknown", "remaining"]].to_numpy().tolist() == [[1, 1]]


def test_a_token_without_a_request_was_not_started_also_if_a_resumed_run_skips_it(ws, company, victims):
    company.faults.add(delete(status=401))
    plan = ws.revoke(victims)
    ended = plan.apply()
    never_sent = ended.loc[ended["attempts"] == 0, "token_id"]
    assert ended["started_at"].notna().eq(ended["attempts"] > 0).all()
    used = victims.loc[victims["token_id"].isin(never_sent) & (victims["idle_days"] > 1), "token_id"].iloc[-1]
    company.workspaces[0].state.tokens.touch(used, int(NOW.timestamp() * 1000) // 86_400_000 * 86_400_000)
    resumed = ws.resume(plan.run_id).set_index("token_id")
    assert resumed.loc[used, ["outcome", "attempts"]].tolist() == ["skipped", 0]
    assert resumed["started_at"].notna().eq(resumed["attempts"] > 0).all()


class Impatient:
    """Presses Ctrl-C at the n-th token."""

    def __init__(self, at):
        self._at, self.told = at, ""

    def advance(self, done, _total):
        if done == self._at:
            raise KeyboardInterrupt

    def end_early(self, words):
        self.told = words


class Stopping(Impatient):
    """Presses Stop at the n-th token."""

    def __init__(self, stop, *, at):
        super().__init__(at)
        self._stop = stop

    def advance(self, done, _total):
        if done == self._at:
            self._stop.set()


def test_an_interrupted_run_says_that_it_was_interrupted(ws, victims):
    listener = Impatient(at=3)
    plan = ws.revoke(victims)
    result = plan.apply(workers=2, progress=listener)
    assert "pending" in set(result["outcome"])
    assert result.attrs["ended_by"] == "interrupt"
    assert f"tokenkit.resume({plan.run_id!r})" in listener.told


def test_if_nothing_remains_no_message_says_how_to_resume(ws, victims):
    listener = Impatient(at=3)
    result = ws.revoke(victims.head(3)).apply(progress=listener)
    assert result["outcome"].tolist() == ["revoked"] * 3
    assert (result.attrs["ended_by"], listener.told) == ("interrupt", "Stopped. 0 of 3 tokens remaining.")


GONE = tokenkit.NotFoundError("Token does not exist", status=404)
THERE = TokenInfo(token_id="a token")
# What each request raises, then what each look-up says, the last of them again and again; what comes of it; and how
# many requests were sent. It may have been carried out, as with every response that was lost.
UNEXPECTED = {
    "and it was done": ([RuntimeError("odd")], [GONE], ("revoked", LOST), 1),
    "and it was not done": ([MemoryError(), None], [THERE], ("revoked", None), 2),
    "and gone at the second request": ([KeyError("odd"), GONE], [THERE], ("revoked", LOST), 2),
    "and refused at the second": (
        [RuntimeError("odd"), tokenkit.BadRequestError("no", status=400)],
        [THERE],
        ("failed", "no"),
        2,
    ),
    "and the look-up as well": ([RuntimeError("odd")], [ValueError("so odd")], ("unknown", "ValueError: so odd"), 1),
    "and the look-up at first": ([RuntimeError("odd")], [ValueError("odd"), GONE], ("revoked", LOST), 1),
    "each time": ([RuntimeError("so odd")], [THERE], ("unknown", "RuntimeError: so odd"), 8),
}


@pytest.mark.parametrize("case", UNEXPECTED)
def test_an_unexpected_exception_is_a_lost_response(tmp_path, case):
    raised, said_of_it, (outcome, remark), requests = UNEXPECTED[case]
    sent, looked_up = [], []

    def play(script, calls):
        calls.append(None)
        if isinstance(one := script[min(len(calls), len(script)) - 1], Exception):
            raise one
        return one

    task = Task(
        send=lambda _: play(raised, sent),
        look_up=lambda _: play(said_of_it, looked_up),
        done="revoked",
        gone_after_lost=("revoked", LOST),
    )
    with Journal(tmp_path) as journal:
        (end,) = (
            Execution("a run", task, journal).execute([Entry(token_id="a token", owner=None, snapshot={})]).values()
        )
    assert (end.outcome, len(sent)) == (outcome, requests)
    assert said(end.error, remark), end.error


@pytest.mark.parametrize("fault", [{"status": 401}, {"status": 404, "body": DISABLED}])
def test_a_run_that_can_do_nothing_more_ends_and_says_what_ended_it(ws, company, victims, ids, fault):
    company.faults.add(delete(offset=20, times=None, **fault))
    result = ws.revoke(victims).apply(workers=4)
    ended_by = "AuthenticationError" if fault["status"] == 401 else "FeatureDisabledError"
    assert result.attrs["ended_by"] == ended_by
    counts = result["outcome"].value_counts()
    assert counts["revoked"] == 20
    assert counts["pending"] >= 50 - 20 - 4
    assert ws.runs()["remaining"].tolist() == [50 - 20]
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


def test_an_outcome_that_is_not_confirmed_is_counted_fails_a_command_and_is_confirmed_by_resuming(
    ws, company, victims, monkeypatch, capsys
):
    monkeypatch.setenv("DATABRICKS_HOST", company.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", company.token)
    company.requests.clear()
    line = ["revoke", *victims["token_id"].head(3)]
    assert cli.main([*line, "--dry-run"]) == 0
    to_plan = [record.path for record in company.requests].count(LIST)
    company.faults.add(Fault(method="GET", path=LIST, status=500, offset=to_plan + 1))
    assert cli.main([*line, "--yes"]) == 1
    printed = capsys.readouterr().err
    (run_id,) = ws.runs()["run_id"]
    assert f": 3 tokens revoked (3 not confirmed). Run {run_id}." in printed
    assert f"To check what is still listed: tokenkit resume {run_id}" in printed
    company.faults.clear()
    assert cli.main(["resume", run_id]) == 0
    said = capsys.readouterr().err
    assert f"nothing remains of run {run_id}" in said
    assert said.endswith(": the whole run: 3 tokens revoked.\n")
    assert ws.journal()["error"].isna().all()


LIST = "/api/2.0/token-management/tokens"


def listed_at_the_end(ws, tokens):
    """The listing at the end of a run has tokens as they are now, whatever becomes of them."""
    documents = [ws.token_management.get(token_id).as_dict() for token_id in tokens]
    return Fault(method="GET", path=LIST, status=200, body={"token_infos": documents}, offset=1, times=1)


# What a run did, what its listing at the end has all the same, and what it says once the token is really gone.
STILL_LISTED = {
    "it was gone before, and no request was sent": ("gone", [], ("already_gone", None)),
    "the request was refused, as if it were gone": ("there", [delete(status=404)], ("already_gone", None)),
    "the request was done, and nothing lost": ("there", [], ("revoked", None)),
    "the response was lost": ("there", [delete(drop=True, after_handler=True)], ("revoked", LOST)),
    "the first response was lost, the second was not": (
        "there",
        [delete(drop=True), delete(status=404, after_handler=True)],
        ("revoked", LOST),
    ),
}


@pytest.mark.parametrize("look_up_fails", [False, True])
@pytest.mark.parametrize("case", STILL_LISTED)
def test_a_token_is_only_revoked_by_a_run_that_sent_a_request_for_it(ws, company, victims, case, look_up_fails):
    before, faults, (outcome, remark) = STILL_LISTED[case]
    token_id = victims["token_id"].iloc[0]
    plan = ws.revoke(token_id)
    at_the_end = listed_at_the_end(ws, [token_id])
    if before == "gone":
        company.workspaces[0].state.tokens.delete(token_id)
    company.faults.add(at_the_end, *faults)
    assert plan.apply()["outcome"].tolist() == ["still_listed"]
    company.faults.clear()
    if token_id in company.workspaces[0].state.tokens.ids():
        company.workspaces[0].state.tokens.delete(token_id)  # somebody else
    if look_up_fails:
        company.faults.add(get(drop=True))
        assert ws.resume(plan.run_id)["outcome"].tolist() == ["unknown"]
        company.faults.clear()
    result = ws.resume(plan.run_id)
    assert result["outcome"].tolist() == [outcome]
    assert said(result["error"].iloc[0], remark), result["error"].iloc[0]


@pytest.mark.parametrize("look_up_fails", [False, True])
def test_a_run_that_was_killed_does_not_say_that_its_response_was_lost(ws, company, victims, look_up_fails):
    """Its request may never have been sent."""
    before = ws.tokens()
    plan = ws.revoke(victims.head(1))
    with Journal(ws.folder) as journal:
        run = plan.record(journal, RunOptions())
        sent = Step(run_id=run.run_id, token_id=plan.token_ids[0], state="sent", at_ms=0, attempts=1)
        journal.record_all([sent])
    company.workspaces[0].state.tokens.delete(plan.token_ids[0])
    if look_up_fails:
        company.faults.add(get(drop=True))
        assert ws.resume(run.run_id)["outcome"].tolist() == ["unknown"]
        company.faults.clear()
    result = ws.resume(run.run_id)
    assert result["outcome"].tolist() == ["already_gone"]
    assert "killed when a request may have been sent" in result["error"].iloc[0]
    assert tokenkit.changes(before, ws.tokens(), ws.journal())["cause"].tolist() == ["revoked_by_tokenkit"]


@pytest.mark.parametrize("change", [{"comment": "new"}, {"scopes": ["sql"]}, {"comment": "new", "scopes": ["sql"]}])
def test_a_token_that_is_recorded_as_updated_and_listed_otherwise_is_reported(ws, company, victims, change):
    chosen = victims["token_id"].head(3).tolist()
    plan = ws.plan_update(chosen, **change)
    company.faults.add(listed_at_the_end(ws, chosen[:2]))
    result = plan.apply()
    assert result["outcome"].tolist() == ["still_listed", "still_listed", "updated"]
    assert result["error"].iloc[0].startswith("updated, and the workspace lists it with another")
    assert ws.journal()["outcome"].tolist() == result["outcome"].tolist()
    assert ws.runs()["remaining"].tolist() == [2]
    assert len(ws.undo(plan.run_id)) == 1
    company.requests.clear()
    assert ws.resume(plan.run_id)["outcome"].tolist() == ["updated"] * 3
    assert "PATCH" not in {record.method for record in company.requests}  # it is as wanted
    assert ws.runs()["remaining"].tolist() == [0]


def test_what_is_called_updated_and_stays_as_it_was_is_updated_again(ws, company, victims):
    token_id = victims["token_id"].iloc[0]
    plan = ws.plan_update(token_id, comment="new")
    company.faults.add(patch(status=200, body=ws.token_management.get(token_id).as_dict()))
    assert plan.apply()["outcome"].tolist() == ["still_listed"]
    assert ws.resume(plan.run_id)["outcome"].tolist() == ["updated"]
    assert ws.token_management.get(token_id).comment == "new"


def test_scopes_in_another_order_and_what_the_journal_did_not_keep_are_no_contradiction(
    ws, company, victims, monkeypatch
):
    monkeypatch.setattr(update, "without_credential", as_before)
    chosen = victims["token_id"].head(2).tolist()
    value = "dapi" + "0123456789abcdef" * 2
    plan = ws.plan_update(chosen, comment=f"was {value}", scopes=["sql", "clusters", "jobs"])
    changed = [
        ws.token_management.get(token_id).as_dict() | {"comment": f"was {value}", "scopes": ["jobs", "sql", "clusters"]}
        for token_id in chosen
    ]
    company.faults.add(
        Fault(method="GET", path=LIST, status=200, body={"token_infos": changed}, offset=1, times=1),
        patch(status=400, offset=1),
    )
    assert plan.apply(workers=1)["outcome"].tolist() == ["updated", "failed"]
    assert ws.resume(plan.run_id)["outcome"].tolist() == ["updated", "skipped"]


@pytest.mark.parametrize("ended_by", ["interrupt", "stop"])
def test_a_run_that_ended_early_sends_nothing_more_and_is_confirmed_when_it_is_resumed(ws, company, victims, ended_by):
    chosen = victims["token_id"].head(3).tolist()
    plan = ws.revoke(chosen)
    at_the_end = listed_at_the_end(ws, chosen[:1])
    company.faults.add(Fault(method="DELETE", latency_ms=300))
    company.requests.clear()
    stop = threading.Event()
    listener = Impatient(at=3) if ended_by == "interrupt" else Stopping(stop, at=1)
    result = plan.apply(progress=listener, stop=stop, workers=1)
    assert result.attrs["ended_by"] == ended_by
    left = int((result["outcome"] == "pending").sum())
    assert result["outcome"].tolist() == ["revoked"] * (3 - left) + ["pending"] * left
    assert [record.path for record in company.requests if record.method == "GET"].count(LIST) == 1  # before it
    company.faults.add(at_the_end if left else Fault(**{**vars(at_the_end), "offset": 0}))
    result = ws.resume(plan.run_id)
    assert result["outcome"].tolist() == ["still_listed", "revoked", "revoked"]
