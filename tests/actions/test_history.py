"""What the journal says was done, by token and by run."""

from dataclasses import replace

import pandas as pd

from tests.actions.examples import RUN, entries, step
from tests.conftest import NOW
from tokenkit.actions import history
from tokenkit.actions import journal as records


def test_an_empty_journal_has_the_columns(journal):
    for frame, view in ((journal.frame(), history.TOKENS), (journal.runs(), history.RUNS)):
        assert len(frame) == 0
        assert list(frame.columns) == view.columns.names


def test_runs_have_each_token_counted_once_by_what_became_of_it_last(journal):
    ends = [records.REVOKED, records.ALREADY_GONE, records.UPDATED, records.SKIPPED, records.FAILED, records.UNKNOWN]
    ends.append(records.STILL_LISTED)
    journal.begin(RUN, entries(*ends, "asked", "not yet"))
    journal.record_all([step(name, records.SENT, attempts=1) for name in [*ends, "asked"]])
    journal.record_all([step(name, name, attempts=1) for name in ends])
    run = journal.runs().iloc[0]
    counts = run[["tokens", "done", "skipped", "failed", "unknown", "still_listed", "left"]].tolist()
    assert (counts, run["reason"], run["started_at"]) == ([9, 3, 1, 1, 1, 1, 5], "because", NOW)
    assert pd.isna(run["finished_at"])
    journal.record_all([step(name, records.REVOKED, attempts=1) for name in ("asked", "not yet")])
    assert journal.runs()["finished_at"].tolist() == [pd.Timestamp(step("x", "sent").at_ms, unit="ms", tz="UTC")]


def test_a_run_about_no_token_is_among_the_runs_and_those_of_other_hosts_are_told_apart(journal):
    journal.begin(RUN, [])
    elsewhere = replace(RUN, run_id="20260301-093000-00000002", host="https://b")
    journal.begin(elsewhere, entries("x"))
    assert journal.runs()["tokens"].tolist() == [0, 1]
    assert journal.frame()["run_id"].tolist() == [elsewhere.run_id]
    here = journal.runs(host=RUN.host)
    assert here["run_id"].tolist() == [RUN.run_id]
    assert here["settings"].tolist() == ['{"workers": 16}']
    assert here[["left", "finished_at"]].isna().iloc[0].tolist() == [False, True]
