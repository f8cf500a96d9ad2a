"""The record: durable before its request, append-only, shared by processes, and loud when it cannot be written."""

import re
import sqlite3
import threading
from dataclasses import replace

import pandas as pd
import pytest

from tests.actions import children
from tests.actions.examples import RUN, entries, step
from tests.conftest import NOW
from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions import states
from tokenkit.actions.journal import FILE_NAME, Entry, Journal
from tokenkit.actions.options import RunSettings


def test_a_run_is_read_back_as_it_was_begun(journal):
    journal.create_run(RUN, entries("x", "y", change={"comment": "new"}))
    assert journal.run(RUN.run_id) == RUN
    first = journal.entries(RUN.run_id)[0]
    assert (first.token_id, first.state, first.change) == ("x", "pending", {"comment": "new"})


def test_a_step_is_on_the_disk_when_record_all_returns(journal):
    journal.create_run(RUN, entries("x"))
    journal.record_all([step("x", states.SENT, attempts=1)])
    other = sqlite3.connect(journal.path)
    assert other.execute("SELECT state FROM steps ORDER BY step_id").fetchall() == [("pending",), ("sent",)]
    other.close()


def test_the_last_step_is_what_counts_and_the_earlier_ones_stay(journal):
    journal.create_run(RUN, entries("x", "y"))
    for state in (states.SENT, states.REVOKED):
        journal.record_all([step("x", state, attempts=1)])
    assert [entry.state for entry in journal.entries(RUN.run_id)] == ["revoked", "pending"]
    frame = journal.frame()
    assert frame["outcome"].tolist() == ["revoked", "pending"]
    assert frame["started_at"].notna().tolist() == [True, False]
    assert frame["finished_at"].notna().tolist() == [True, False]


def test_two_journals_on_one_file_write_at_once(tmp_path):
    with Journal(tmp_path) as one, Journal(tmp_path) as other:
        names = [f"t{n}" for n in range(60)]
        one.create_run(RUN, entries(*names))
        threads = [
            threading.Thread(target=which.record_all, args=([step(name, states.SENT)],))
            for name, which in zip(names, [one, other] * 30, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {entry.state for entry in other.entries(RUN.run_id)} == {"sent"}


def test_processes_that_open_a_new_journal_at_once_all_get_it(tmp_path, processes):
    results, barrier = processes.Queue(), processes.Barrier(4)
    folders = [tmp_path / str(number) for number in range(60)]
    running = [
        processes.Process(target=children.open_journals, args=(folders, barrier, results))
        for _ in range(barrier.parties)
    ]
    for process in running:
        process.start()
    assert [results.get(timeout=240) for _ in running] == ["ok"] * barrier.parties
    for process in running:
        process.join()


def test_no_secret_is_written(journal):
    secret = "dapi" + "0123456789abcdef" * 2
    entry = Entry(token_id="x", owner="bob", snapshot={"token_id": "x", "comment": f"old {secret}"})
    journal.create_run(RUN, [entry])
    journal.record_all([step("x", states.FAILED, error=f"Invalid token {secret}")])
    journal.close()
    written = b"".join(path.read_bytes() for path in journal.path.parent.iterdir())
    assert secret.encode() not in written
    assert b"[redacted]" in written


def test_no_secret_is_written_that_stands_deep_in_a_field_of_a_newer_server_or_is_split(journal):
    secret = "dapi" + "0123456789abcdef" * 2
    odd = {"policy": {"held": [{"was": secret}], secret: 1}, "comment": "\u200b".join(secret)}
    journal.create_run(RUN, [Entry(token_id="x", owner="bob", snapshot={"token_id": "x", "new": odd}, change=odd)])
    journal.close()
    written = b"".join(path.read_bytes() for path in journal.path.parent.iterdir())
    assert secret.encode() not in written
    assert b"\\u200b" not in written
    assert b"[redacted]" in written


@pytest.mark.parametrize("damage", [b"not a database at all" * 100, None])
def test_a_damaged_journal_is_an_error_that_names_the_file(tmp_path, damage):
    with Journal(tmp_path) as journal:
        journal.create_run(RUN, entries(*[f"t{n}" for n in range(500)]))
    path = tmp_path / FILE_NAME
    whole = path.read_bytes()
    path.write_bytes(damage or whole[:8192] + b"\xff" * 8192 + whole[16384:])
    with pytest.raises(errors.JournalError, match=FILE_NAME) as raised:
        Journal(tmp_path)
    assert "\n" not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.JournalError):
        Journal(tmp_path / "file" / "home")


def test_a_journal_of_a_newer_tokenkit_is_left_alone(tmp_path):
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(errors.JournalError, match="newer version of tokenkit"):
        Journal(tmp_path)


def test_a_journal_of_the_first_version_is_read_and_its_runs_are_of_no_known_workspace(tmp_path):
    with Journal(tmp_path) as journal:
        journal.create_run(RUN, entries("x"))
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("ALTER TABLE runs DROP COLUMN workspace_id")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    with Journal(tmp_path) as journal, Journal(tmp_path) as again:
        assert journal.run(RUN.run_id) == again.run(RUN.run_id) == replace(RUN, workspace_id="")
        assert journal.runs(host=RUN.host)["workspace_id"].tolist() == [""]
        assert len(journal.runs(host=RUN.host, workspace_id=RUN.workspace_id)) == 0
        later = replace(RUN, run_id="20260301-093000-00000002")
        journal.create_run(later, entries("y"))
        assert again.runs(workspace_id=RUN.workspace_id)["run_id"].tolist() == [later.run_id]


def test_an_unknown_run_suggests_the_near_one(journal):
    journal.create_run(RUN, entries("x"))
    with pytest.raises(errors.UsageError, match="Did you mean 20260301-093000-00000001"):
        journal.run("20260301-093000-0000000")


def test_a_run_is_held_by_one_at_a_time(tmp_path):
    taken = pytest.raises(errors.UsageError, match="another process")
    with (
        Journal(tmp_path) as one,
        Journal(tmp_path) as other,
        one.lock_run(RUN.run_id),
        taken,
        other.lock_run(RUN.run_id),
    ):
        pass
    with Journal(tmp_path) as journal, journal.lock_run(RUN.run_id):
        pass


def test_who_waited_for_a_run_and_who_comes_anew_do_not_both_hold_it(tmp_path):
    with Journal(tmp_path) as one, Journal(tmp_path) as another:
        waiting = sqlite3.connect(one.path.with_name(f"{RUN.run_id}.lock"), timeout=0, isolation_level=None)
        with one.lock_run(RUN.run_id), pytest.raises(sqlite3.OperationalError, match="locked"):
            waiting.execute("BEGIN EXCLUSIVE")
        waiting.execute("BEGIN EXCLUSIVE")  # on the file that the first one had
        with pytest.raises(errors.UsageError, match="another process"), another.lock_run(RUN.run_id):
            pass
        waiting.close()
        with another.lock_run(RUN.run_id):
            pass


def test_half_a_surrogate_pair_stops_nothing(journal):
    half = "caf\ud800"
    run = replace(RUN, reason=half, caller=half, workspace=half)
    entry = Entry(token_id="x", owner=half, snapshot={"token_id": "x", "comment": half}, change={"comment": half})
    journal.create_run(run, [entry])
    journal.record_all([step("x", states.FAILED, error=half)])
    (row,) = journal.frame().to_dict("records")
    assert (row["owner"], row["error"], row["reason"]) == ("caf\ufffd",) * 3
    (kept,) = journal.entries(RUN.run_id)
    assert (kept.state, kept.snapshot["comment"], kept.change) == (
        "failed",
        half,
        {"comment": half},
    )  # as to be written


def test_a_secret_in_a_list_or_a_reason_is_not_written_either(journal):
    secret = "dapi" + "0123456789abcdef" * 2
    entry = Entry(
        token_id="x", owner="bob", snapshot={"token_id": "x", "scopes": [secret]}, change={"scopes": [secret]}
    )
    journal.create_run(replace(RUN, reason=f"leaked: {secret}", settings={"asked": [{"user_name": secret}]}), [entry])
    journal.close()
    written = b"".join(path.read_bytes() for path in journal.path.parent.iterdir())
    assert secret.encode() not in written


@pytest.mark.parametrize("statement", ["UPDATE entries SET snapshot = '{'", "UPDATE entries SET change = '['"])
def test_an_entry_of_another_make_is_an_error_of_the_journal(journal, statement):
    journal.create_run(RUN, entries("x", change={"comment": "new"}))
    other = sqlite3.connect(journal.path)
    other.execute(statement)
    other.commit()
    other.close()
    with pytest.raises(errors.JournalError, match=FILE_NAME):
        journal.entries(RUN.run_id)


def test_settings_of_a_later_version_are_an_error_and_not_ignored():
    with pytest.raises(errors.JournalError, match="Upgrade tokenkit"):
        RunSettings.of(replace(RUN, settings={"workers": 16, "gently": True}))


def test_run_ids_sort_by_time_and_are_never_the_same():
    ids = [records.new_run_id(NOW + pd.Timedelta(seconds=n)) for n in range(3)]
    assert ids == sorted(ids)
    assert records.new_run_id(NOW) != records.new_run_id(NOW)


def test_a_run_id_begins_with_its_time_in_utc():
    assert re.fullmatch(r"20260301-093000-[0-9a-f]{8}", records.new_run_id(NOW.tz_convert("Asia/Tokyo")))
