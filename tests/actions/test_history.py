"""What the journal says was done, by token and by run."""

from dataclasses import replace

import pandas as pd

from tests.actions.examples import RUN, entries, step
from tests.conftest import NOW
from tokenkit.actions import history, states
from tokenkit.actions.journal import Entry


def test_an_empty_journal_has_the_columns(journal):
    for frame, view in ((journal.frame(), history.TOKENS), (journal.runs(), history.RUNS)):
        assert len(frame) == 0
        assert list(frame.columns) == view.columns.names


def test_a_token_has_the_values_that_it_had_and_those_that_were_requested(journal):
    snapshot = {"token_id": "x", "comment": "old", "scopes": ["sql"]}
    updated = Entry(token_id="x", owner="jane", snapshot=snapshot, change={"scopes": [], "comment": ""})
    revoked = Entry(token_id="y", owner="jane", snapshot={"token_id": "y", "comment": "nightly"})
    journal.create_run(RUN, [updated, revoked])
    first, second = journal.frame()[["comment", "new_comment", "scopes", "new_scopes"]].to_dict("records")
    assert [first["comment"], first["new_comment"]] == ["old", ""]
    assert [list(first["scopes"]), list(first["new_scopes"])] == [["sql"], []]
    assert second["comment"] == "nightly"
    assert pd.Series(second).isna().tolist() == [False, True, True, True]


def test_runs_have_each_token_counted_once_by_what_became_of_it_last(journal):
    ends = [states.REVOKED, states.ALREADY_GONE, states.UPDATED, states.SKIPPED, states.FAILED, states.UNKNOWN]
    ends.append(states.STILL_LISTED)
    journal.create_run(RUN, entries(*ends, "asked", "not yet"))
    journal.record_all([step(name, states.SENT, attempts=1) for name in [*ends, "asked"]])
    journal.record_all([step(name, name, attempts=1) for name in ends])
    run = journal.runs().iloc[0]
    counts = run[["tokens", "done", "skipped", "failed", "unknown", "still_listed", "remaining"]].tolist()
    assert (counts, run["reason"], run["started_at"]) == ([9, 3, 1, 1, 1, 1, 5], "because", NOW)
    assert pd.isna(run["finished_at"])
    journal.record_all([step(name, states.REVOKED, attempts=1) for name in ("asked", "not yet")])
    assert journal.runs()["finished_at"].tolist() == [pd.Timestamp(step("x", "sent").at_ms, unit="ms", tz="UTC")]


def test_a_run_about_no_token_is_among_the_runs_and_those_of_other_hosts_are_told_apart(journal):
    journal.create_run(RUN, [])
    elsewhere = replace(RUN, run_id="20260301-093000-00000002", host="https://b")
    journal.create_run(elsewhere, entries("x"))
    assert journal.runs()["tokens"].tolist() == [0, 1]
    assert journal.frame()["run_id"].tolist() == [elsewhere.run_id]
    here = journal.runs(host=RUN.host)
    assert here["run_id"].tolist() == [RUN.run_id]
    assert here["settings"].tolist() == ['{"workers": 16}']
    assert here[["remaining", "finished_at"]].isna().iloc[0].tolist() == [False, True]


def test_a_token_of_a_run_has_its_last_state_the_first_request_and_the_end_if_there_is_one(journal):
    journal.create_run(RUN, entries("sent", "failed", "waiting"))
    first = step("failed", states.SENT, attempts=1)
    for each in (first, replace(first, at_ms=first.at_ms + 1_000, attempts=2)):
        journal.record_all([each, replace(each, token_id="sent")])
    journal.record_all([replace(first, state=states.FAILED, at_ms=first.at_ms + 2_000, attempts=2, error="no")])
    found = journal.frame()
    assert dict.fromkeys(found.columns) == dict.fromkeys(history.TOKENS.columns.names)
    assert found["token_id"].tolist() == ["sent", "failed", "waiting"]
    assert found["outcome"].tolist() == [states.SENT, states.FAILED, states.PENDING]
    assert found["attempts"].tolist() == [2, 2, 0]
    assert found["error"].fillna("").tolist() == ["", "no", ""]
    start = pd.Timestamp(first.at_ms, unit="ms", tz="UTC")
    assert found["started_at"].tolist() == [start, start, pd.NaT]
    assert found["finished_at"].tolist() == [pd.NaT, start + pd.Timedelta(seconds=2), pd.NaT]
    assert found["run_started_at"].eq(NOW).all()
    of_run = ["run_id", "kind", "workspace", "host", "workspace_id", "caller", "reason"]
    assert found[of_run].drop_duplicates().to_numpy().tolist() == [[getattr(RUN, name) for name in of_run]]
    assert len(journal.frame(run_id=RUN.run_id)) == 3
    assert len(journal.frame(run_id="other")) == 0


def test_a_token_whose_turn_did_not_come_was_not_started_until_a_later_request(journal):
    journal.create_run(RUN, entries("x"))
    first = step("x", states.SENT, attempts=1)
    journal.record_all([first, step("x", states.PENDING)])  # marked, and the run ended before its turn
    (entry,) = journal.entries(RUN.run_id)
    assert (entry.started_at_ms, journal.frame()["started_at"].notna().tolist()) == (None, [False])
    journal.record_all([replace(first, at_ms=first.at_ms + 1_000)])
    assert journal.entries(RUN.run_id)[0].started_at_ms == first.at_ms + 1_000
