"""Evidence of use in a plan: what used each token, the warning of it, and what the journal keeps of it."""

import json

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tokenkit import errors
from tokenkit.sandbox.state.audit_rows import GivenRows


@pytest.fixture
def tokens(ws):
    """Two tokens of others that the listing calls unused for a long time."""
    found = ws.tokens("owner_kind == 'user' and idle_days > 30", status="active")
    return found[found["owner"] != ws.me()].head(2)


@pytest.fixture
def used(ws, tokens):
    """The first of the two signed in three hours ago, from an address."""
    then = (ws.now() - pd.Timedelta(hours=3)).isoformat()
    first = tokens["token_id"].iloc[0]
    rows = [event(first, event_time=then, user_agent="dbt/1.7", source_ip_address=f"192.0.2.{n}") for n in range(1200)]
    return ws.usage(rows=frame(*rows))


def test_a_preview_says_what_used_each_token_and_what_the_log_does_not_know(ws, tokens, used):
    preview = ws.revoke(tokens, used).preview().set_index("token_id")
    first, second = tokens["token_id"]
    assert preview.loc[first, "used_by"] == "dbt from 192.0.2.0/24, 1,200 sign-ins, 3 hours ago"
    assert preview.loc[second, "used_by"] == "no sign-in in the audit log"
    assert preview.columns[-2:].tolist() == ["used_by", "warnings"]


def test_a_sign_in_of_the_last_days_is_warned_of_although_the_listing_calls_the_token_unused(ws, tokens, used):
    assert "used in the last 7 days" not in ws.revoke(tokens).warnings()
    assert ws.revoke(tokens, usage=used).warnings()["used in the last 7 days"] == 1


def test_without_evidence_the_preview_has_its_columns_of_before(ws, tokens):
    assert "used_by" not in ws.revoke(tokens).preview()


def test_the_journal_keeps_programs_and_counts_and_no_address(ws, tokens, used):
    plan = ws.revoke(tokens, usage=used)
    plan.apply(progress=False)
    (settings,) = ws.runs().query(f"run_id == '{plan.run_id}'")["settings"]
    assert json.loads(settings)["usage"] == {
        tokens["token_id"].iloc[0]: {
            "logins": 1200,
            "clients": ["dbt"],
            "last_login": int((ws.now() - pd.Timedelta(hours=3)).timestamp() * 1000),
        }
    }
    assert "192.0.2" not in ws.journal().to_csv() + ws.runs().to_csv()


def test_another_frame_is_no_evidence(ws, tokens):
    with pytest.raises(errors.UsageError, match=r"Not a result of usage\(\)"):
        ws.revoke(tokens, usage=tokens)


def test_evidence_of_other_tokens_changes_nothing_but_the_column(ws, tokens, used):
    other = used.assign(token_id="f" * 64)
    plan = ws.revoke(tokens, usage=other)
    assert set(plan.preview()["used_by"]) == {"no sign-in in the audit log"}
    assert plan.warnings() == ws.revoke(tokens).warnings()


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (0.5, "within the last hour"),
        (1, "1 hour ago"),
        (47, "47 hours ago"),
        (48, "2 days ago"),
        (24 * 20, "20 days ago"),
    ],
)
def test_the_last_sign_in_is_given_in_hours_then_in_days(ws, tokens, hours, words):
    then = (ws.now() - pd.Timedelta(hours=hours)).isoformat()
    rows = frame(event(tokens["token_id"].iloc[0], event_time=then, source_ip_address=None, user_agent=None))
    text = ws.revoke(tokens, usage=ws.usage(rows=rows)).preview()["used_by"].iloc[0]
    assert text.endswith(f"1 sign-in, {words}")


@pytest.fixture
def log(fresh_sandbox):
    """The events of the sandbox's warehouse, which a test fills."""
    events = []
    fresh_sandbox.warehouse.log = GivenRows(events)
    return events


@pytest.fixture
def idle(fresh_sandbox, connected):
    """Two unused tokens of others, in a sandbox of one test's own."""
    ws = connected(fresh_sandbox)
    found = ws.tokens("owner_kind == 'user' and idle_days > 30", status="active")
    return found.loc[found["owner"] != ws.me(), "token_id"].head(2).tolist()


def sign_in(token_id, *, days_later, program="dbt/1.7"):
    return event(token_id, event_time=(NOW + pd.Timedelta(days=days_later)).isoformat(), user_agent=program)


@pytest.fixture
def staged(fresh_sandbox, connected, log, idle):
    """A revocation of both, staged with the evidence of the warehouse, and the workspace when it is due."""
    log.append(sign_in(idle[0], days_later=-9))
    ws = connected(fresh_sandbox)
    run = ws.revoke(idle, ws.usage(warehouse_id=fresh_sandbox.warehouse.warehouse_id)).stage(grace="14d")
    log.append(OF_ANOTHER)
    return run.run_id, connected(fresh_sandbox, clock=NOW + pd.Timedelta(days=15))


OF_ANOTHER = sign_in("e" * 64, days_later=14.5)
"""A sign-in with another token shortly before the run is due: the log is up to date."""


def outcomes(result):
    return result.set_index("token_id")["outcome"].to_dict()


def test_a_staged_run_reads_the_log_again_and_skips_what_signed_in_since(staged, log, idle, fresh_sandbox):
    run_id, later = staged
    log.append(sign_in(idle[0], days_later=3))
    (left_out,) = later.plan_resume(run_id).left_out.to_dict("records")
    reason = "signed in since the plan, on 2026-03-04 by dbt"
    assert (left_out["token_id"], left_out["reason"]) == (idle[0], reason)
    result = later.resume(run_id, progress=False)
    assert outcomes(result) == {idle[0]: "skipped", idle[1]: "revoked"}
    assert reason in result["error"].tolist()
    assert idle[0] in fresh_sandbox.workspaces[0].state.tokens.ids()


def test_a_sign_in_of_before_the_plan_that_the_log_did_not_have_yet_counts(staged, log, idle):
    run_id, later = staged
    log.append(sign_in(idle[1], days_later=-0.1))
    assert outcomes(later.resume(run_id, progress=False)) == {idle[0]: "revoked", idle[1]: "skipped"}


def test_what_the_plan_knew_is_no_change(staged, idle):
    run_id, later = staged
    assert outcomes(later.resume(run_id, progress=False)) == dict.fromkeys(idle, "revoked")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "STOPPED"}, "is stopped"),
        ({"is_denied": True}, "You do not have permission to read"),
        ({"failure": "OUT_OF_MEMORY"}, "OUT_OF_MEMORY"),
        ({"log": GivenRows([])}, "no sign-in of the last 2 days"),
        ({"log": GivenRows([sign_in("e" * 64, days_later=12.9)])}, "no sign-in of the last 2 days"),
    ],
)
def test_without_the_log_a_staged_run_sends_nothing_unless_told_to(staged, fresh_sandbox, idle, change, why):
    run_id, later = staged
    for name, value in change.items():
        setattr(fresh_sandbox.warehouse, name, value)
    fresh_sandbox.requests.clear()
    for resume in (later.plan_resume, later.resume):
        with pytest.raises(errors.UsageError, match="Nothing was sent") as raised:
            resume(run_id)
        assert why in str(raised.value)
    assert "DELETE" not in {request.method for request in fresh_sandbox.requests}
    assert later.plan_resume(run_id, ignore_usage=True).left_out.empty
    assert outcomes(later.resume(run_id, ignore_usage=True, progress=False)) == dict.fromkeys(idle, "revoked")


@pytest.mark.parametrize(
    ("change", "start"),
    [
        ({"state": "STOPPED"}, ", start_warehouse=True"),
        ({"failure": "OUT_OF_MEMORY"}, ""),
        ({"log": GivenRows([])}, ""),
    ],
)
def test_the_error_names_the_call_that_reads_the_period_of_the_plan_from_its_warehouse(
    staged, fresh_sandbox, log, idle, change, start
):
    run_id, later = staged
    warehouse = fresh_sandbox.warehouse
    for name, value in change.items():
        setattr(warehouse, name, value)
    with pytest.raises(errors.UsageError) as raised:
        later.resume(run_id)
    call = f"ws.usage(days=45, warehouse_id={warehouse.warehouse_id!r}{start})"
    assert f"Pass newer evidence with usage={call}, or resume" in str(raised.value)
    assert isinstance(raised.value, errors.WarehouseStoppedError) == bool(start)
    warehouse.failure, warehouse.log = None, GivenRows(log)
    usage = eval(call, {"ws": later})  # noqa: S307 - as a user who pastes it
    assert usage.attrs["read_from"] == {"since": "2026-01-30", "warehouse_id": warehouse.warehouse_id}
    assert outcomes(later.resume(run_id, usage, progress=False)) == dict.fromkeys(idle, "revoked")


def test_evidence_that_begins_after_the_plan_is_refused_with_the_days_that_suffice(staged, fresh_sandbox):
    run_id, later = staged
    warehouse_id = fresh_sandbox.warehouse.warehouse_id
    with pytest.raises(errors.UsageError, match=rf"usage=ws\.usage\(days=45, warehouse_id='{warehouse_id}'\), or"):
        later.resume(run_id, later.usage(days=5, warehouse_id=warehouse_id))


def test_the_period_of_an_old_plan_is_cut_to_what_the_log_retains_and_spark_needs_no_warehouse(
    fresh_sandbox, connected, idle
):
    ws, later = connected(fresh_sandbox), connected(fresh_sandbox, clock=NOW + pd.Timedelta(days=400))
    usage = ws.usage(rows=frame(sign_in(idle[0], days_later=-9)))
    usage.attrs["read_from"] = {"since": "2026-01-30", "warehouse_id": ""}
    run_id = ws.revoke(idle, usage).stage(grace="14d").run_id
    with pytest.raises(errors.UsageError, match=r"usage=ws\.usage\(days=365\), or resume without"):
        later.resume(run_id)


def test_before_a_run_is_due_its_evidence_is_not_required(staged, fresh_sandbox, connected, idle):
    run_id, _ = staged
    fresh_sandbox.warehouse.is_denied = True
    plan = connected(fresh_sandbox).plan_resume(run_id)
    assert {*plan.token_ids} == {*idle}
    with pytest.raises(errors.UsageError, match="cannot be resumed before 2026-03-15"):
        plan.check_due()


def test_rows_cannot_be_read_again_and_newer_ones_can_be_passed(fresh_sandbox, connected, idle):
    ws, later = connected(fresh_sandbox), connected(fresh_sandbox, clock=NOW + pd.Timedelta(days=15))
    rows = [sign_in(idle[0], days_later=-9)]
    run_id = ws.revoke(idle, ws.usage(rows=frame(*rows))).stage(grace="14d").run_id
    with pytest.raises(errors.UsageError, match="rows that were passed"):
        tokenkit.resume(run_id, workspace=later)
    newer = later.usage(rows=frame(*rows, sign_in(idle[1], days_later=2), OF_ANOTHER))
    result = tokenkit.resume(run_id, workspace=later, usage=newer, progress=False)
    assert outcomes(result) == {idle[0]: "revoked", idle[1]: "skipped"}


def test_a_run_without_evidence_takes_evidence_that_is_passed(fresh_sandbox, connected, idle):
    ws, later = connected(fresh_sandbox), connected(fresh_sandbox, clock=NOW + pd.Timedelta(days=15))
    run_id = ws.revoke(idle).stage(grace="14d").run_id
    newer = later.usage(rows=frame(sign_in(idle[0], days_later=-1), sign_in(idle[1], days_later=1), OF_ANOTHER))
    assert later.plan_resume(run_id, newer).left_out["token_id"].tolist() == [idle[1]]


def test_the_rows_of_the_plan_are_no_newer_evidence(fresh_sandbox, connected, idle):
    ws, later = connected(fresh_sandbox), connected(fresh_sandbox, clock=NOW + pd.Timedelta(days=15))
    rows = frame(sign_in(idle[0], days_later=-0.5))
    run_id = ws.revoke(idle, ws.usage(rows=rows)).stage(grace="14d").run_id
    for usage in (later.usage(rows=rows), later.usage(rows=rows.head(0))):
        with pytest.raises(errors.UsageError, match="no sign-in of the last 2 days"):
            later.resume(run_id, usage)
    assert set(idle) <= set(fresh_sandbox.workspaces[0].state.tokens.ids())


def test_evidence_that_begins_after_the_plan_is_refused(staged, fresh_sandbox, log, idle):
    run_id, later = staged
    log.append(sign_in(idle[1], days_later=3))
    usage = later.usage(days=5, warehouse_id=fresh_sandbox.warehouse.warehouse_id)
    with pytest.raises(errors.UsageError, match="it begins on 2026-03-11, after the plan"):
        later.resume(run_id, usage)
    usage = later.usage(days=15, warehouse_id=fresh_sandbox.warehouse.warehouse_id)
    assert later.plan_resume(run_id, usage).left_out["token_id"].tolist() == [idle[1]]


def test_what_resume_is_passed_is_a_frame_of_usage(staged):
    run_id, later = staged
    with pytest.raises(errors.UsageError, match=r"Not a result of usage\(\)"):
        later.resume(run_id, pd.DataFrame({"token_id": ["a"]}))


def test_a_journal_without_readable_evidence_is_an_error(fresh_sandbox, connected, idle):
    ws, later = connected(fresh_sandbox), connected(fresh_sandbox, clock=NOW + pd.Timedelta(days=15))
    usage = ws.usage(rows=frame(sign_in(idle[0], days_later=-9)))
    usage.attrs["read_from"] = {"since": "one day", "warehouse_id": "a"}
    run_id = ws.revoke(idle, usage).stage(grace="14d").run_id
    with pytest.raises(errors.JournalError, match="Plan again"):
        later.resume(run_id)
