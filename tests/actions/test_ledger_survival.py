"""Runs whose journal is in a folder that writes files only once, killed and resumed on another cluster each time."""

import contextlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

import tokenkit
from tests.actions import children
from tests.actions.test_survival import deletions, kill_after
from tests.conftest import NOW
from tests.waiting import wait_until
from tokenkit.actions.journal import Journal
from tokenkit.actions.states import SETTLED
from tokenkit.core import write_once
from tokenkit.sandbox import Fault, Sandbox

TOKENS = 300
KILLS = 6


@pytest.fixture
def company_of_many():
    with Sandbox(tokens=TOKENS + 200, clock=NOW.timestamp, latency_ms=2) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@contextlib.contextmanager
def mounted(mount, backing):
    """Mount ``tests.write_once``; yields the file in which it notes what it refused."""
    if not Path("/dev/fuse").exists():
        pytest.skip("the kernel has no FUSE")
    backing.mkdir()
    command = [sys.executable, "-m", "tests.write_once", mount, backing]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        wait_until(lambda: mount.is_mount() or process.poll() is not None)
        if not mount.is_mount():
            # Not a part that can be installed: a container may lack the right to mount.
            pytest.skip(f"FUSE does not mount: {process.stdout.read().strip()[-200:]}")
        try:
            yield backing.parent / "refused.txt"
        finally:
            subprocess.run(["fusermount3", "-u", mount], check=True)


@pytest.fixture
def root(request, tmp_path, monkeypatch):
    """The root of what lasts: a folder, or a mounted file system that refuses what /Volumes refuses."""
    root = tmp_path / "lasting"
    root.mkdir()
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    monkeypatch.setattr(write_once, "ROOTS", (str(root),))
    if getattr(request, "param", "folder") == "folder":
        yield root
        return
    with mounted(root, tmp_path / "backing") as notes:
        yield root
    assert not notes.exists()


@pytest.fixture
def clusters(root, tmp_path, processes):
    """Starts a function in a process of its own, as on a cluster whose disk is new."""
    count = iter(range(1_000))

    def start(run, *arguments):
        local = tmp_path / f"cluster-{next(count)}"
        process = processes.Process(target=children.on_a_cluster, args=(root, local, run, *arguments))
        process.start()
        return process

    return start


@pytest.fixture
def entries_on_a_new_cluster(tmp_path, monkeypatch):
    """Returns the entries of a run as a cluster reads them that has only what lasts."""
    count = iter(range(1_000))

    def read(folder, run_id):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / f"reader-{next(count)}"))
        with Journal(folder) as journal:
            return journal.entries(run_id)

    return read


def victims_of(sandbox, home, count, seed=1):
    ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW, home=home)
    tokens = ws.tokens()
    others = tokens[tokens["owner"] != "admin@example.com"]
    return ws, others.sample(count, random_state=seed)["token_id"].tolist()


@pytest.mark.parametrize(("root", "seed"), [("folder", 1), ("folder", 2), ("fuse", 3)], indirect=["root"])
def test_a_run_killed_again_and_again_is_resumed_elsewhere_and_ends_as_exactly_the_plan(
    company_of_many, clusters, root, ids, entries_on_a_new_cluster, seed
):
    sandbox, rng, home = company_of_many, random.Random(seed), root / "state"  # noqa: S311 - a kill is no secret
    ws, chosen = victims_of(sandbox, home, TOKENS, seed)
    before = ids(sandbox)
    if seed == 2:  # responses that are lost on top of it
        sandbox.faults.add(Fault(method="DELETE", drop=True, after_handler=True, offset=50, times=40))
    sandbox.requests.clear()
    first = clusters(children.revoke, sandbox.host, sandbox.token, home, chosen)
    kills = int(kill_after(first, sandbox, rng.randrange(1, 60)))
    (run_id,) = [path.name for path in (home / "runs").iterdir()]
    known = {}
    while True:
        entries = entries_on_a_new_cluster(home, run_id)
        settled = {entry.token_id for entry in entries if entry.state in SETTLED}
        known = {entry.token_id: entry.state for entry in entries if entry.token_id in settled} | known
        gone = before - ids(sandbox)
        assert gone <= set(chosen)
        assert settled <= gone  # what the journal calls done is done
        assert gone <= {entry.token_id for entry in entries if entry.state != "pending"}
        sandbox.requests.clear()
        process = clusters(children.resume, sandbox.host, sandbox.token, home, run_id)
        killed = kill_after(process, sandbox, rng.randrange(1, 60) if kills < KILLS else TOKENS * 10)
        asked_again = {record.path.rpartition("/")[2] for record in sandbox.requests} & settled
        assert asked_again == set()  # no request for a token that was recorded as gone
        kills += killed
        if not killed:
            break
    assert kills >= KILLS - 1
    assert process.exitcode == 0
    assert before - ids(sandbox) == set(chosen)
    rows = ws.journal()
    assert rows["token_id"].tolist() == chosen
    assert set(rows["outcome"]) <= {"revoked", "already_gone"}
    ended = rows.set_index("token_id")["outcome"]
    assert ended[list(known)].tolist() == list(known.values())  # an outcome that was written stays


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("stage", children.STAGES)
def test_a_run_killed_while_it_writes_a_file_is_resumed_elsewhere(
    company, clusters, root, ids, entries_on_a_new_cluster, stage, number
):
    home = root / "state"
    ws, chosen = victims_of(company, home, 40)
    before = ids(company)
    company.requests.clear()
    arguments = (company.host, company.token, home, chosen, 2)
    process = clusters(children.killed_at, stage, number, children.revoke, *arguments)
    process.join()
    assert process.exitcode == -9
    gone = before - ids(company)
    run_ids = [path.name for path in (home / "runs").iterdir()]
    if number == 1 and stage not in {"unclosed", "closed"}:
        assert gone == set()
        assert len(ws.runs()) == 0
        return
    entries = entries_on_a_new_cluster(home, run_ids[0])
    assert {entry.token_id for entry in entries if entry.state in SETTLED} <= gone
    assert gone <= {entry.token_id for entry in entries if entry.state != "pending"}
    # The request that was in flight can be handled after its process was killed.
    wait_until(lambda: {record.path.rpartition("/")[2] for record in deletions(company)} == before - ids(company))
    clusters(children.resume, company.host, company.token, home, run_ids[0]).join()
    assert before - ids(company) == set(chosen)
    assert set(ws.journal()["outcome"]) <= {"revoked", "already_gone"}


def test_outside_databricks_a_folder_that_does_not_support_sqlite_has_a_ledger_as_well(company, tmp_path):
    mount, local = tmp_path / "mount", tmp_path / "local"
    mount.mkdir()
    with mounted(mount, tmp_path / "backing") as notes:
        ws, chosen = victims_of(company, mount / "state", 5)
        plan = ws.revoke(chosen)
        plan.apply(progress=False)
        assert "lock" in notes.read_text()  # SQLite was tried
        assert [path.name for path in (mount / "state").iterdir()] == ["runs"]
        notes.unlink()
        assert ws.resume(plan.run_id)["outcome"].tolist() == ["revoked"] * 5
        assert not notes.exists()
    assert [path.name for path in tmp_path.glob("backing/state/*")] == ["runs"]
    ws, chosen = victims_of(company, local, 5)
    ws.revoke(chosen).apply(progress=False)
    assert (local / "journal.sqlite").exists()


def test_a_run_that_is_resumed_on_another_cluster_while_it_is_executed_ends_as_exactly_the_plan(
    company_of_many, clusters, root, ids, entries_on_a_new_cluster
):
    sandbox, home = company_of_many, root / "state"
    _, chosen = victims_of(sandbox, home, 200)
    before = ids(sandbox)
    sandbox.requests.clear()
    arguments = (sandbox.host, sandbox.token, home, chosen, 2)
    first = clusters(children.revoke, *arguments)
    wait_until(lambda: len(deletions(sandbox)) >= 20)
    (run_id,) = [path.name for path in (home / "runs").iterdir()]
    others = [clusters(children.resume, sandbox.host, sandbox.token, home, run_id) for _ in range(2)]
    for process in (first, *others):
        process.join()
    entries = entries_on_a_new_cluster(home, run_id)
    gone = before - ids(sandbox)
    assert {entry.token_id for entry in entries if entry.state in SETTLED} <= gone <= set(chosen)
    assert gone <= {entry.token_id for entry in entries if entry.state != "pending"}
    clusters(children.resume, sandbox.host, sandbox.token, home, run_id).join()
    assert before - ids(sandbox) == set(chosen)
    assert {entry.state for entry in entries_on_a_new_cluster(home, run_id)} <= {"revoked", "already_gone"}
    numbers = sorted(path.name for path in (home / "runs" / run_id).iterdir())
    assert numbers == [f"{number:06}.json" for number in range(1, len(numbers) + 1)]
