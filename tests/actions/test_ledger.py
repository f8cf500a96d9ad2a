"""The journal in a folder that writes files only once: its files are all that lasts, and whoever can write them can
write anything."""

import json
import os
import re
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tests.actions.examples import RUN, entries, step
from tests.conftest import NOW
from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions import ledger
from tokenkit.actions.journal import FILE_NAME, Entry, Journal
from tokenkit.actions.states import CREATED, FAILED, MAYBE_SENT_AND_GONE
from tokenkit.core import write_once
from tokenkit.core.home import home

SECRET = "dapi" + "0123456789abcdef" * 2


@pytest.fixture
def lasting(tmp_path, monkeypatch):
    """The state folder, which lasts; the local disk is another one each time that ``elsewhere`` opens the journal."""
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setattr(write_once, "ROOTS", (str(tmp_path / "lasting"),))
    return tmp_path / "lasting" / "state"


@pytest.fixture
def elsewhere(lasting, monkeypatch, tmp_path):
    count = iter(range(100))

    def open_journal():
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / f"disk-{next(count)}"))
        return Journal(lasting)

    return open_journal


@pytest.fixture
def written(lasting, elsewhere):
    """The folder of a run of which "a" was sent and revoked, "b" was sent and failed, and "c" is pending."""
    with elsewhere() as journal:
        journal.create_run(RUN, entries("a", "b", "c", change={"comment": "new"}))
        journal.record_all([step("a", "sent", attempts=1), step("b", "sent", attempts=1)])
        journal.record_all([step("a", "revoked", attempts=1), step("b", "failed", attempts=1, error="no")])
    return lasting / "runs" / RUN.run_id


def states(journal):
    return [entry.state for entry in journal.entries(RUN.run_id)]


def file(folder, number):
    return folder / f"{number:06}.json"


def encoded(number, *, after="", run_id=RUN.run_id, **rows):
    return ledger.encode(run_id, number, after, rows)


def document_of(path):
    return json.loads(path.read_bytes().partition(b"\n")[2])


def rewrite(path, change):
    """Change what a file holds, as somebody would who knows the format."""
    document = document_of(path)
    change(document)
    rows = {name: rows for name, rows in document.items() if isinstance(rows, list)}
    path.write_bytes(ledger.encode(document["run_id"], document["number"], document["after"], rows))


def test_another_cluster_reads_what_was_written(written, elsewhere, lasting):
    with elsewhere() as journal:
        assert journal.run(RUN.run_id) == RUN
        assert states(journal) == ["revoked", "failed", "pending"]
        assert journal.frame()["outcome"].tolist() == ["revoked", "failed", "pending"]
        assert journal.runs()["remaining"].tolist() == [2]
        first, second, _ = journal.entries(RUN.run_id)
        assert (first.change, first.certain, second.error) == ({"comment": "new"}, ("revoked", None), "no")
        assert journal.path.is_relative_to(home({}))
    assert [path.name for path in lasting.iterdir()] == ["runs"]
    assert [path.name for path in sorted(written.iterdir())] == ["000001.json", "000002.json", "000003.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (*written.iterdir(), written)} == {0o600, 0o700}


def test_each_kind_of_row_is_read_back_elsewhere(elsewhere):
    creation = replace(RUN, kind="create-obo", reason=None)
    with elsewhere() as journal:
        journal.create_run(creation, [], is_one_change=True)
        journal.record_all([step(records.THE_CHANGE, "sent", attempts=1)])
        made = Entry(token_id="new", owner="bob", snapshot={"token_id": "new"}, state=CREATED)
        journal.add(RUN.run_id, made, at_ms=1_772_357_400_000, is_the_change=True)
    with elsewhere() as journal:
        assert journal.run(RUN.run_id).reason is None
        assert states(journal) == ["created"]
        assert journal.state_of_change(RUN.run_id) == "created"


@pytest.mark.usefixtures("written")
def test_the_same_disk_reads_only_what_is_new(lasting, elsewhere, monkeypatch):
    with elsewhere():
        pass
    read = []
    monkeypatch.setattr(ledger, "_content", lambda path: read.append(path.name) or path.read_bytes())
    with Journal(lasting) as here, here.lock_run(RUN.run_id):
        here.record_all([step("c", "sent", attempts=1)])
    with Journal(lasting) as here:
        assert states(here) == ["revoked", "failed", "sent"]
    assert read == []


def test_runs_of_other_clusters_are_in_the_order_of_their_time(lasting, elsewhere, monkeypatch):
    later = replace(RUN, run_id="20260301-103000-00000001", started_at=RUN.started_at.replace(hour=10))
    with elsewhere() as journal:
        journal.create_run(later, entries("y"))
    with elsewhere() as other:
        other.create_run(RUN, entries("x"))
    monkeypatch.setenv("XDG_STATE_HOME", str(lasting.parent.parent / "disk-0"))
    with Journal(lasting) as journal:
        assert journal.runs()["run_id"].tolist() == [RUN.run_id, later.run_id]
        assert journal.frame()["token_id"].tolist() == ["x", "y"]


def test_parts_of_a_fleet_s_run_are_in_the_order_of_its_plan(elsewhere):
    with elsewhere() as journal:
        for number in (2, 10, 1, 11):
            journal.create_run(replace(RUN, run_id=f"{RUN.run_id}.{number}"), entries("x"))
    with elsewhere() as journal:
        assert [part.run_id.rpartition(".")[2] for part in journal.parts(RUN.run_id)] == ["1", "2", "10", "11"]


@pytest.mark.parametrize("kept", [0, 10, 60, 100, 200, -1])
def test_a_file_that_was_not_written_to_its_end_is_named_and_counts_for_nothing(written, elsewhere, capsys, kept):
    last = file(written, 3)
    last.write_bytes(last.read_bytes()[:kept])
    with elsewhere() as journal:
        assert states(journal) == ["sent", "sent", "pending"]
        assert capsys.readouterr().err == f"{last} is incomplete: {TORN}\n"
        journal.record_all([step("c", "sent", attempts=1)])
    assert file(written, 4).exists()
    with elsewhere() as journal:
        assert states(journal) == ["sent", "sent", "sent"]
    assert capsys.readouterr().err.count("\n") == 1


TORN = "its process was stopped while writing it. The file is ignored."


def test_a_first_file_that_was_not_written_to_its_end_is_no_run(written, elsewhere):
    for number in (2, 3):
        file(written, number).unlink()
    file(written, 1).write_bytes(file(written, 1).read_bytes()[:500])
    with elsewhere() as journal:
        assert not journal.has_run(RUN.run_id)
        assert len(journal.runs()) == 0


def test_a_problem_is_reported_once_on_a_disk(written, elsewhere, lasting, capsys):
    file(written, 3).write_bytes(b"")
    (written / "notes.txt").touch()
    (lasting / "runs" / "readme").touch()
    with elsewhere():
        pass
    assert capsys.readouterr().err.splitlines() == [
        f"{lasting / 'runs' / 'readme'} is not a file of the journal, and is not read.",
        f"{written / 'notes.txt'} is not a file of the journal, and is not read.",
        f"{file(written, 3)} is incomplete: {TORN}",
    ]
    with Journal(lasting) as journal:
        assert states(journal) == ["sent", "sent", "pending"]
    assert capsys.readouterr().err == ""


def revoked_by_hand(path):
    rewrite(path, lambda document: document["steps"].append([RUN.run_id, "c", "revoked", 1, 1, None]))


def content(number=3, **more):
    """A damage: another file that its digest vouches for."""
    return lambda path: path.write_bytes(encoded(number, **more))


def a_step(*values):
    return content(steps=[[RUN.run_id, "c", *values]])


def a_token(token_id, snapshot):
    return content(entries=[[RUN.run_id, token_id, None, snapshot, None]])


def replaced(old, new):
    return lambda path: path.write_bytes(path.read_bytes().replace(old, new))


DAMAGES = {
    "other bytes": replaced(b"revoked", b"skipped"),
    "no journal": lambda path: path.write_bytes(b"PK\x03\x04 what is this"),
    "JSON of somebody": lambda path: path.write_text('{"token_id": "c", "state": "revoked"}'),
    "more behind it": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "another version": replaced(b"journal 3", b"journal 4"),
    "another run": content(run_id="20260301-093000-0000000f"),
    "another number": content(7),
    "rows of another run": content(steps=[["x", "c", "revoked", 1, 1, None]]),
    "an unknown state": a_step("gone", 1, 1, None),
    "a time as text": a_step("sent", "1", 1, None),
    "a time no frame holds": a_step("sent", 2**62, 1, None),
    "a number beyond SQLite": a_step("sent", 1, 9**99, None),
    "a remark that is none": a_step("sent", 1, 1, ["x"]),
    "half a surrogate pair": a_step("sent", 1, 1, "\ud800"),
    "too few values": a_step(),
    "rows that are none": content(steps=[7]),
    "a token twice": a_token("c", '{"token_id": "c"}'),
    "a snapshot of another": a_token("d", '{"token_id": "c"}'),
    "a snapshot that is none": a_token("d", "[]"),
    "a snapshot of odd types": a_token("d", '{"token_id": "d", "owner_id": {"$ne": 1}}'),
    "depth": a_token("d", "[" * 100_000),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "a link": lambda path: (path.unlink(), path.symlink_to(path.with_name("000002.json"))),
    "lost": lambda path: path.unlink(),
    "well written by somebody": revoked_by_hand,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_after_a_file_that_was_altered_nothing_is_settled_that_no_file_says_and_what_is_pending_is_looked_up(
    written, elsewhere, capsys, damage
):
    with elsewhere() as journal:
        journal.record_all([step("b", "sent", attempts=2)])
    DAMAGES[damage](file(written, 3))
    with elsewhere() as journal:
        found = {entry.token_id: entry for entry in journal.entries(RUN.run_id)}
        assert {name: entry.state for name, entry in found.items()} == (
            {"a": "revoked", "b": "sent", "c": "revoked"}  # who can write the folder can say so
            if damage == "well written by somebody"
            else {"a": "sent", "b": "sent", "c": "sent"}
        )
        assert "looked up" in capsys.readouterr().err
        journal.record_all([step("c", "sent", attempts=1)])  # the run goes on
    with elsewhere() as journal:
        assert len(journal.entries(RUN.run_id)) == 3


@pytest.mark.parametrize("damage", ["other bytes", "another number", "a token twice", "a pipe"])
def test_what_is_pending_is_looked_up_also_where_the_last_file_was_altered(written, elsewhere, capsys, damage):
    DAMAGES[damage](file(written, 3))
    with elsewhere() as journal:
        found = {entry.token_id: entry for entry in journal.entries(RUN.run_id)}
    assert [entry.state for entry in found.values()] == ["sent", "sent", "sent"]
    assert found["c"].error == MAYBE_SENT_AND_GONE
    assert f"{file(written, 3)} is not as tokenkit wrote it" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["0000003.json", "٠٠٠٠٠٣.json", "9" * 30 + ".json", "000004.json.partial", "-00004.json", "0x0004.json"]
)
def test_a_name_that_the_journal_does_not_give_is_not_read(written, elsewhere, capsys, name):
    (written / name).write_bytes(encoded(4, steps=[[RUN.run_id, "c", "revoked", 1, 1, None]]))
    with elsewhere() as journal:
        assert states(journal) == ["revoked", "failed", "pending"]
    assert f"{written / name} is not a file of the journal" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["..", "20260301-093000-0000000A", "20260301-093000-00000001.0", "x\x1b[2J"])
def test_a_folder_that_is_no_run_is_not_read(written, elsewhere, lasting, capsys, name):
    (lasting / "runs" / name).mkdir(exist_ok=True)
    (lasting / "runs" / name / "000001.json").write_bytes(file(written, 1).read_bytes())
    with elsewhere() as journal:
        assert journal.runs()["run_id"].tolist() == [RUN.run_id]
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.usefixtures("written")
def test_a_file_where_the_folder_of_a_run_belongs_is_named(lasting, elsewhere, capsys):
    (lasting / "runs" / "20260301-093000-0000000f").touch()
    with elsewhere() as journal:
        assert len(journal.runs()) == 1
    assert "20260301-093000-0000000f is not a folder of the journal" in capsys.readouterr().err


def test_a_file_with_the_last_possible_number_stops_a_run_and_loses_no_step(written, elsewhere):
    (written / "999999999.json").touch()
    with elsewhere() as journal, pytest.raises(errors.JournalError):
        journal.record_all([step("c", "sent", attempts=1)])
    with elsewhere() as journal:
        assert states(journal) == ["revoked", "failed", "pending"]


def test_a_file_that_another_cluster_was_still_writing_is_read_when_it_is_whole(written, elsewhere, lasting):
    whole = file(written, 3).read_bytes()
    file(written, 3).write_bytes(whole[:100])
    with elsewhere() as journal:
        assert states(journal) == ["sent", "sent", "pending"]
    file(written, 3).write_bytes(whole)
    with Journal(lasting) as journal:
        assert states(journal) == ["revoked", "failed", "pending"]


def test_a_file_that_was_whole_only_after_the_next_one_is_read_in_its_place_and_what_is_pending_is_looked_up(
    written, elsewhere, lasting
):
    whole = file(written, 3).read_bytes()
    file(written, 3).write_bytes(whole[:100])
    with elsewhere() as journal:
        journal.record_all([step("b", "sent", attempts=2)])
    file(written, 3).write_bytes(whole)
    for where in (lambda: Journal(lasting), elsewhere):
        with where() as journal:
            assert states(journal) == ["revoked", "sent", "sent"]


@pytest.mark.usefixtures("written")
def test_of_two_clusters_that_execute_a_run_the_one_that_writes_second_stops(elsewhere):
    with elsewhere() as one, elsewhere() as other, one.lock_run(RUN.run_id), other.lock_run(RUN.run_id):
        one.record_all([step("c", "sent", attempts=1)])
        for _ in range(2):
            with pytest.raises(errors.JournalError, match=r"in another process.* 000004\.json exists|exists"):
                other.record_all([step("c", "sent", attempts=1)])
        one.record_all([step("c", "revoked", attempts=1)])
    with elsewhere() as journal:
        assert states(journal) == ["revoked", "failed", "revoked"]


@pytest.mark.usefixtures("written")
def test_who_resumes_later_elsewhere_goes_on_from_there(elsewhere, lasting, monkeypatch):
    with elsewhere() as one:
        monkeypatch.setenv("XDG_STATE_HOME", str(lasting.parent.parent / "another"))
        with Journal(lasting) as other, other.lock_run(RUN.run_id):
            other.record_all([step("c", "sent", attempts=1)])
        with one.lock_run(RUN.run_id):
            assert states(one) == ["revoked", "failed", "sent"]
            one.record_all([step("c", "revoked", attempts=1)])


@pytest.mark.usefixtures("written")
def test_on_one_machine_a_run_is_held_by_one_at_a_time(elsewhere, lasting):
    taken = pytest.raises(errors.UsageError, match="another process")
    with elsewhere() as one, Journal(lasting) as other, one.lock_run(RUN.run_id), taken, other.lock_run(RUN.run_id):
        pass


@pytest.mark.usefixtures("written")
def test_rows_that_could_not_be_written_are_not_in_the_index_and_stop_the_run(elsewhere, monkeypatch):
    def fails(path, content):
        path.write_bytes(content[:50])
        raise OSError(28, "No space left on device")

    with elsewhere() as journal:
        with monkeypatch.context() as patched:
            patched.setattr(write_once, "create", fails)
            with pytest.raises(errors.JournalError, match=r"No space left.*Nothing is done"):
                journal.record_all([step("c", "sent", attempts=1)])
        assert states(journal) == ["revoked", "failed", "pending"]
        with pytest.raises(errors.JournalError, match="an earlier write failed"):
            journal.record_all([step("c", "sent", attempts=1)])
    with elsewhere() as journal:
        journal.record_all([step("c", "sent", attempts=1)])


def test_no_secret_is_in_a_file(lasting, elsewhere):
    with elsewhere() as journal:
        snapshot = {"token_id": "x", "comment": f"old {SECRET}", "new": {SECRET: [SECRET]}}
        journal.create_run(
            replace(RUN, reason=SECRET),
            [Entry(token_id="x", owner=SECRET, snapshot=snapshot, change={"comment": SECRET})],
        )
        journal.record_all([step("x", FAILED, error=f"Invalid token {SECRET}")])
    content = b"".join(path.read_bytes() for path in lasting.rglob("*.json"))
    assert SECRET.encode() not in content
    assert b"[redacted]" in content


def test_the_first_run_says_where_the_journal_is_and_who_can_read_it(lasting, elsewhere, capsys):
    with elsewhere() as journal:
        journal.create_run(RUN, entries("x"))
        assert capsys.readouterr().err == f"The journal is in {lasting}. {write_once.readers_of(lasting)}.\n"
        journal.create_run(replace(RUN, run_id="20260301-093000-00000002"), entries("y"))
    assert capsys.readouterr().err == ""


def test_a_journal_on_the_disk_of_a_cluster_takes_a_run_only_where_the_folder_was_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "disk"))
    monkeypatch.delenv("TOKENKIT_HOME")
    with Journal(home({})) as journal:
        assert len(journal.runs()) == 0
        with pytest.raises(errors.JournalError, match=r"would be lost with the cluster.*TOKENKIT_HOME"):
            journal.create_run(RUN, entries("x"))
        assert not journal.has_run(RUN.run_id)
        monkeypatch.setenv("TOKENKIT_HOME", str(home({})))
        journal.create_run(RUN, entries("x"))
    with Journal(tmp_path / "elsewhere") as journal:
        journal.create_run(RUN, entries("x"))
        assert journal.path == tmp_path / "elsewhere" / FILE_NAME
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("written")
def test_a_folder_that_lasts_is_read_where_it_was_copied_to(lasting, tmp_path, monkeypatch):
    monkeypatch.delenv("DATABRICKS_RUNTIME_VERSION")
    lasting.rename(tmp_path / "copy")
    with Journal(tmp_path / "copy") as journal:
        assert states(journal) == ["revoked", "failed", "pending"]
        journal.record_all([step("c", "sent", attempts=1)])
    assert not (tmp_path / "copy" / FILE_NAME).exists()


def test_a_folder_that_lasts_and_has_a_journal_of_sqlite_is_an_error_that_names_it(lasting, elsewhere):
    lasting.mkdir(parents=True)
    (lasting / FILE_NAME).touch()
    with pytest.raises(errors.JournalError, match=f"has a file {FILE_NAME}.*Move it"):
        elsewhere()


def test_reading_creates_nothing_in_the_folder(lasting, elsewhere):
    with elsewhere() as journal:
        assert len(journal.runs()) == 0
    assert not lasting.exists()


@pytest.mark.usefixtures("written")
def test_where_the_folder_cannot_be_written_reading_works_and_a_run_is_rejected(elsewhere, monkeypatch):
    def refuses(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(write_once, "create", refuses)
    with elsewhere() as journal:
        assert states(journal) == ["revoked", "failed", "pending"]
        with pytest.raises(errors.JournalError, match=r"Permission denied.*TOKENKIT_HOME"):
            journal.create_run(replace(RUN, run_id=records.new_run_id(NOW)), entries("x"))


def test_a_folder_of_a_run_that_cannot_be_read_is_an_error_and_the_index_is_closed(written, lasting, elsewhere):
    loop = written.with_name(records.new_run_id(NOW))
    loop.symlink_to(loop)
    with pytest.raises(errors.JournalError, match=r"symbolic links.*Nothing is done") as raised:
        elsewhere()
    index = Path(re.search(r"with its index (.*), cannot be used", str(raised.value))[1])
    assert index.exists()
    assert not index.with_name(f"{index.name}-wal").exists()  # SQLite deletes it with the last connection
    loop.unlink()
    with Journal(lasting) as journal:
        assert states(journal) == ["revoked", "failed", "pending"]


def test_a_folder_that_is_called_runs_is_no_journal(tmp_path):
    (tmp_path / "state" / "runs" / "mine").mkdir(parents=True)
    with Journal(tmp_path / "state") as journal:
        journal.create_run(RUN, entries("x"))
    assert (tmp_path / "state" / FILE_NAME).exists()
    with Journal(tmp_path / "state") as journal:
        assert journal.has_run(RUN.run_id)


def test_where_the_home_folder_lasts_the_index_is_elsewhere_and_the_default_folder_takes_runs(
    lasting, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_STATE_HOME", str(lasting))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "disk"))
    monkeypatch.delenv("TOKENKIT_HOME")
    with Journal(home({})) as journal:
        journal.create_run(RUN, entries("x"))
        assert journal.path.is_relative_to(tmp_path / "disk")
    assert [path.name for path in home({}).iterdir()] == ["runs"]


def test_a_file_of_a_run_says_nothing_about_another_run(written, elsewhere, lasting, capsys):
    other = lasting / "runs" / "20260301-100000-0000000f"
    other.mkdir()
    file(other, 1).write_bytes(encoded(1, run_id=other.name, steps=[[RUN.run_id, "c", "revoked", 1, 1, None]]))
    with elsewhere() as journal:
        assert states(journal) == ["revoked", "failed", "pending"]
    assert f"{file(other, 1)} is not as tokenkit wrote it" in capsys.readouterr().err
    assert file(written, 3).exists()
