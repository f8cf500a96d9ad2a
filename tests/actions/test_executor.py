"""Every way in which a request can go wrong ends in one truthful outcome for each token."""

import contextlib
import sqlite3
import threading

import pytest

import tokenkit
from tests.conftest import NOW
from tests.waiting import wait_until
from tokenkit.actions import executor
from tokenkit.actions.journal import FILE_NAME, Journal
from tokenkit.actions.pacer import Pacer
from tokenkit.rest.token_management import TokenManagementAPI
from tokenkit.sandbox import Fault

DELETE = "/api/2.0/token-management/tokens/*"


def faulty(company, **fault):
    company.faults.add(Fault(method="DELETE", path=DELETE, **fault))


def outcomes(result):
    return result["outcome"].value_counts().to_dict()


def test_without_faults_every_token_is_revoked_in_one_request(ws, company, victims, ids):
    result = ws.revoke(victims).apply()
    assert outcomes(result) == {"revoked": 50}
    assert result["attempts"].eq(1).all()
    assert result[["started_at", "finished_at"]].eq(NOW).all(axis=None)
    assert not set(victims["token_id"]) & ids(company)


def test_a_token_has_one_row_for_each_of_its_states_in_the_journal(ws, victims):
    ws.revoke(victims).apply()
    with contextlib.closing(sqlite3.connect(ws.folder / FILE_NAME)) as journal:
        rows = journal.execute("SELECT token_id, state, attempts FROM steps ORDER BY step_id").fetchall()
    states = {token_id: [row[1:] for row in rows if row[0] == token_id] for token_id in victims["token_id"]}
    assert set(map(tuple, states.values())) == {(("pending", 0), ("sent", 1), ("revoked", 1))}
    assert len(rows) == 3 * len(victims)


@pytest.mark.parametrize("header", [{"Retry-After": "1"}, {"Retry-After": "0"}, {}])
def test_a_storm_of_429_fails_no_token(ws, company, victims, header):
    faulty(company, status=429, headers=header, times=15)
    result = ws.revoke(victims).apply()
    assert outcomes(result) == {"revoked": 50}
    assert result["attempts"].sum() == 65


@pytest.mark.parametrize("limit", [{"rate_limit": 40, "burst": 1}, {"rate_limit": 60, "burst": 30}])
def test_a_real_limit_fails_no_token(connected, tmp_path, limit):
    with tokenkit.sandbox.Sandbox(tokens=200, **limit) as sandbox:
        ws = connected(sandbox, home=tmp_path, retries=tokenkit.RetryPolicy(budget_seconds=30))
        tokens = ws.tokens(status="active").iloc[1:101]
        assert outcomes(ws.revoke(tokens).apply()) == {"revoked": 100}


def test_a_token_whose_deletion_got_no_response_is_looked_up_and_revoked_with_a_remark(ws, company, victims):
    faulty(company, drop=True, after_handler=True, times=10)
    result = ws.revoke(victims).apply()
    assert outcomes(result) == {"revoked": 50}
    lost = result[result["error"].notna()]
    assert len(lost) == 10
    assert lost["error"].str.contains("lost; a look-up showed that the token no longer exists").all()


def test_a_reset_before_the_handler_is_looked_up_and_sent_again(ws, company, victims, ids):
    faulty(company, drop=True, times=10)
    assert outcomes(ws.revoke(victims).apply()) == {"revoked": 50}
    assert not set(victims["token_id"]) & ids(company)


@pytest.mark.parametrize("after_handler", [False, True])
def test_a_burst_of_503_ends_with_every_token_deleted(ws, company, victims, ids, after_handler):
    faulty(company, status=503, times=15, after_handler=after_handler)
    result = ws.revoke(victims).apply()
    assert outcomes(result) == {"revoked": 50}
    assert result["error"].notna().sum() == (15 if after_handler else 0)
    assert not set(victims["token_id"]) & ids(company)


def test_a_token_whose_response_is_truncated_or_a_page_is_looked_up(ws, company, victims):
    faulty(company, truncate_bytes=1, times=5)
    faulty(company, status=200, body="<html>proxy</html>", times=5)
    assert outcomes(ws.revoke(victims).apply()) == {"revoked": 50}


def test_an_error_response_fails_its_token_and_no_other(ws, company, victims, ids):
    faulty(company, status=400, times=3)
    result = ws.revoke(victims).apply()
    assert outcomes(result) == {"revoked": 47, "failed": 3}
    failed = result[result["outcome"] == "failed"]
    assert failed["error"].str.contains("INVALID_PARAMETER_VALUE").all()
    assert set(failed["token_id"]) <= ids(company)


def test_a_token_that_another_admin_revoked_during_the_run_is_already_gone(ws, company, victims):
    one = victims["token_id"].iloc[0]
    faulty(company, latency_ms=1)
    plan = ws.revoke(victims)
    company.workspaces[0].state.tokens.delete(one)
    result = plan.apply().set_index("token_id")
    assert outcomes(result) == {"revoked": 49, "already_gone": 1}
    assert result.loc[one, "outcome"] == "already_gone"


def test_what_cannot_be_looked_up_either_is_unknown(ws, company, victims, monkeypatch):
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.001)
    one = victims["token_id"].iloc[0]
    company.faults.add(Fault(path=f"*/{one}", drop=True))
    result = ws.revoke(victims).apply().set_index("token_id")
    assert result["outcome"].value_counts().to_dict() == {"revoked": 49, "unknown": 1}
    assert result.loc[one, "outcome"] == "unknown"
    company.faults.clear()
    run_id = ws.journal()["run_id"].iloc[0]
    assert tokenkit.resume(run_id, workspace=ws)["outcome"].eq("revoked").all()


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 401},
        {"status": 403, "body": "<html><title>Sign in</title></html>"},
        {"status": 403, "body": {"error_code": "PERMISSION_DENIED", "message": "User 'a@b' is not an admin."}},
        {"status": 403, "body": {"error_code": 403, "message": "Token does not have required scopes: authentication"}},
    ],
)
def test_an_error_about_the_caller_ends_the_run_and_the_rest_stays_pending(ws, company, victims, ids, capsys, answer):
    faulty(company, offset=20, **answer)
    plan = ws.revoke(victims)
    result = plan.apply(workers=4)
    counts = outcomes(result)
    assert counts["revoked"] == 20
    assert 1 <= counts["failed"] <= 4
    assert counts["pending"] == 50 - 20 - counts["failed"]
    printed = capsys.readouterr().err
    assert "Ended early" in printed
    assert f"tokenkit.resume('{plan.run_id}')" in printed
    company.faults.clear()
    assert outcomes(tokenkit.resume(plan.run_id, workspace=ws)) == {"revoked": 50}
    assert not set(victims["token_id"]) & ids(company)


def test_the_callers_own_token_goes_last_so_that_the_run_is_not_cut_off(ws, company, ids, victims):
    own = ws.tokens(owner="admin@example.com")
    chosen = [*own["token_id"], *victims["token_id"]]
    result = ws.revoke(chosen, include_own=True).apply(workers=1)
    assert outcomes(result) == {"revoked": len(chosen)}
    assert not set(chosen) & ids(company)


def test_a_stop_from_another_thread_ends_cleanly_and_counts_what_is_left(ws, company, victims, ids, capsys):
    stop = threading.Event()
    faulty(company, latency_ms=20)

    class Watch(threading.Thread):
        def run(self):
            wait_until(lambda: sum(record.method == "DELETE" for record in company.requests) >= 10)
            stop.set()

    watch = Watch()
    watch.start()
    plan = ws.revoke(victims)
    result = plan.apply(workers=4, stop=stop)
    watch.join()
    counts = outcomes(result)
    done = set(result["token_id"][result["outcome"] == "revoked"])
    assert 10 <= counts["revoked"] < 50
    assert counts["revoked"] + counts["pending"] == 50
    assert set(victims["token_id"]) & ids(company) == set(victims["token_id"]) - done
    assert f"{counts['pending']} of 50 tokens remaining" in capsys.readouterr().err
    assert outcomes(tokenkit.resume(plan.run_id, workspace=ws)) == {"revoked": 50}


def test_the_pacer_gets_the_number_of_remaining_requests_including_throttled_ones(ws, company, victims, monkeypatch):
    left, permit = [], Pacer.permit
    monkeypatch.setattr(Pacer, "permit", lambda *args, **more: left.append(more["remaining"]) or permit(*args, **more))
    faulty(company, status=429, headers={"Retry-After": "1"}, times=2)
    assert outcomes(ws.revoke(victims).apply()) == {"revoked": 50}
    assert left[0] == 50
    assert left[-1] == 1
    assert sorted(set(left)) == list(range(1, 51))


def test_a_run_is_not_slower_than_its_slowest_error_response(ws, company, victims):
    """The refused id waits alone; the others go on meanwhile."""
    one = victims["token_id"].iloc[0]
    company.faults.add(Fault(method="DELETE", path=f"*/{one}", status=429, headers={"Retry-After": "2"}, times=1))
    result = ws.revoke(victims).apply()
    served = [record.path.rpartition("/")[2] for record in company.requests if record.method == "DELETE"]
    assert served[-1] == one
    assert outcomes(result) == {"revoked": 50}


def test_each_failure_doubles_the_wait_up_to_half_a_minute():
    assert [executor.backoff_seconds(failures) for failures in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 30, 30]


def refuse(ws, state):
    """Let the journal's disk refuse the rows of one state."""
    with Journal(ws.folder):
        pass
    with contextlib.closing(sqlite3.connect(ws.folder / FILE_NAME)) as journal:
        journal.execute(
            f"CREATE TRIGGER refused BEFORE INSERT ON steps WHEN NEW.state = '{state}' "
            "BEGIN SELECT RAISE(ABORT, 'No space left on device'); END"
        )


def accept(ws):
    with contextlib.closing(sqlite3.connect(ws.folder / FILE_NAME)) as journal:
        journal.execute("DROP TRIGGER refused")


def test_what_cannot_be_marked_as_sent_is_not_sent(ws, company, victims, ids, capsys):
    refuse(ws, "sent")
    result = ws.revoke(victims).apply()
    assert outcomes(result) == {"pending": 50}
    assert result.attrs["ended_by"] == "JournalError"
    assert "No space left on device. Nothing is done that cannot be written" in capsys.readouterr().err
    assert set(victims["token_id"]) <= ids(company)


def test_an_outcome_that_cannot_be_written_is_returned_and_ends_the_run(ws, company, victims, ids):
    refuse(ws, "revoked")
    plan = ws.revoke(victims)
    result = plan.apply(workers=2)
    revoked = set(result["token_id"][result["outcome"] == "revoked"])
    assert set(victims["token_id"]) - ids(company) == revoked
    assert 0 < len(revoked) < 50
    assert result.attrs["ended_by"] == "JournalError"
    accept(ws)
    later = outcomes(tokenkit.resume(plan.run_id, workspace=ws))  # of what was not written, it does not claim more
    assert later == {"revoked": 50 - len(revoked), "already_gone": len(revoked)}
    assert not set(victims["token_id"]) & ids(company)


def test_an_error_of_the_program_in_a_run_reaches_the_caller(ws, victims, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(Pacer, "permit", fail)
    plan = ws.revoke(victims)
    with pytest.raises(ZeroDivisionError):
        plan.apply()
    monkeypatch.undo()
    assert outcomes(tokenkit.resume(plan.run_id, workspace=ws)) == {"revoked": 50}


def test_an_error_of_a_listener_reaches_the_caller_and_nothing_is_sent_after_it(ws, company, victims, ids):
    class Listener:
        def advance(self, *_):
            raise ZeroDivisionError

        def end_early(self, _):
            pass

    faulty(company, latency_ms=20)
    plan = ws.revoke(victims)
    with pytest.raises(ZeroDivisionError):
        plan.apply(progress=Listener(), workers=2)
    left = set(victims["token_id"]) & ids(company)
    assert left
    assert outcomes(tokenkit.resume(plan.run_id, workspace=ws)) == {"revoked": 50}
    deleted = [record for record in company.requests if record.method == "DELETE"]
    assert len(deleted) == 50


def test_a_request_that_ends_with_an_error_of_the_program_is_looked_up(ws, victims, monkeypatch):
    delete, failed = TokenManagementAPI.delete, []

    def fail_once(api, token_id):
        delete(api, token_id)
        if not failed:
            failed.append(token_id)
            raise ZeroDivisionError

    monkeypatch.setattr(TokenManagementAPI, "delete", fail_once)
    result = ws.revoke(victims).apply().set_index("token_id")
    assert outcomes(result) == {"revoked": 50}
    assert result["error"].notna().sum() == 1
    assert "a look-up showed that the token no longer exists" in result.loc[failed[0], "error"]


def test_a_throttled_look_up_is_tried_again_and_is_no_attempt(ws, company, victims):
    one = victims["token_id"].iloc[0]
    company.faults.add(Fault(method="DELETE", path=f"*/{one}", drop=True, times=1))
    company.faults.add(Fault(method="GET", path=f"*/{one}", status=429, headers={"Retry-After": "0"}, times=2))
    result = ws.revoke(victims).apply().set_index("token_id")
    assert outcomes(result) == {"revoked": 50}
    served = [record.method for record in company.requests if record.path.endswith(one)]
    assert served == ["DELETE", "GET", "GET", "GET", "DELETE"]
    assert result.loc[one, "attempts"] == 3


def test_an_interrupt_after_the_last_request_loses_no_outcome(ws, victims, monkeypatch):
    plan = ws.revoke(victims)
    monkeypatch.setattr(executor.Execution, "execute", interrupted_after(executor.Execution.execute))
    result = plan.apply()
    assert outcomes(result) == {"revoked": 50}
    assert result.attrs["ended_by"] == "interrupt"


def interrupted_after(function):
    def call(*arguments, **more):
        function(*arguments, **more)
        raise KeyboardInterrupt

    return call
