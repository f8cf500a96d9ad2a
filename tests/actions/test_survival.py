"""What a kill, a full disk and a second process leave behind: exactly the plan, and a journal that is true."""

import os
import random
import signal
import threading

import pytest

import tokenkit
from tests.actions import children
from tests.conftest import NOW
from tests.waiting import wait_until
from tokenkit.actions.journal import Journal
from tokenkit.actions.states import SETTLED
from tokenkit.sandbox import Fault, Sandbox

TOKENS = 600
KILLS = 8


@pytest.fixture
def big():
    with Sandbox(tokens=TOKENS + 300, clock=NOW.timestamp, latency_ms=2) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


def deletions(sandbox):
    return [record for record in sandbox.requests if record.method == "DELETE"]


def kill_after(process, sandbox, count):
    """Kill a process once the sandbox has seen so many more deletions, or let it end."""
    wait_until(lambda: not process.is_alive() or len(deletions(sandbox)) >= count, seconds=250)
    if not process.is_alive():
        return False
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    return True


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_run_killed_again_and_again_ends_as_exactly_the_plan(big, processes, tmp_path, ids, seed):
    rng = random.Random(seed)  # noqa: S311 - a kill is no secret
    ws = tokenkit.connect(host=big.host, token=big.token, clock=NOW, home=tmp_path)
    tokens = ws.tokens()
    chosen = tokens[tokens["owner"] != "admin@example.com"].sample(TOKENS, random_state=seed)["token_id"].tolist()
    before = ids(big)
    if seed == 3:  # answers that are lost on top of it
        big.faults.add(Fault(method="DELETE", drop=True, after_handler=True, offset=50, times=60))
    big.requests.clear()
    first = processes.Process(target=children.revoke, args=(big.host, big.token, tmp_path, chosen))
    first.start()
    kills = int(kill_after(first, big, rng.randrange(1, 60)))
    run_id = ws.journal()["run_id"].iloc[0]
    known = {}
    while True:
        with Journal(tmp_path) as journal:
            entries = journal.entries(run_id)
        settled = {entry.token_id for entry in entries if entry.state in SETTLED}
        known = {entry.token_id: entry.state for entry in entries if entry.token_id in settled} | known
        gone = before - ids(big)
        assert gone <= set(chosen)
        assert settled <= gone  # what the journal calls done is done
        sent = {entry.token_id for entry in entries if entry.state != "pending"}
        assert gone <= sent  # nothing was done that was not written down before
        big.requests.clear()
        process = processes.Process(target=children.resume, args=(big.host, big.token, tmp_path, run_id))
        process.start()
        more = kills < KILLS
        killed = kill_after(process, big, rng.randrange(1, 60) if more else TOKENS * 10)
        asked_again = {record.path.rpartition("/")[2] for record in big.requests} & settled
        assert asked_again == set()  # no request for a token that was recorded as gone
        kills += killed
        if not killed:
            break
    assert kills >= KILLS - 1
    assert process.exitcode == 0
    assert before - ids(big) == set(chosen)
    rows = ws.journal()
    assert rows["token_id"].tolist() == chosen
    assert set(rows["outcome"]) <= {"revoked", "already_gone"}
    ended = rows.set_index("token_id")["outcome"]
    assert ended[list(known)].tolist() == list(known.values())  # an outcome that was written stays


@pytest.mark.parametrize("same_home", [True, False])
def test_two_processes_with_overlapping_plans_count_no_token_twice(big, processes, tmp_path, ids, same_home):
    ws = tokenkit.connect(host=big.host, token=big.token, clock=NOW, home=tmp_path)
    tokens = ws.tokens()
    chosen = tokens[tokens["owner"] != "admin@example.com"]["token_id"].tolist()[:300]
    homes = [tmp_path / "one", tmp_path / ("one" if same_home else "two")]
    results = processes.Queue()
    parts = [chosen[:200], chosen[100:]]
    running = [
        processes.Process(target=children.revoke, args=(big.host, big.token, home, part, 4, results))
        for home, part in zip(homes, parts, strict=True)
    ]
    for process in running:
        process.start()
    rows = [row for _ in running for row in results.get(timeout=120)]
    for process in running:
        process.join()
    revoked = [row["token_id"] for row in rows if row["outcome"] == "revoked"]
    assert len(revoked) == len(set(revoked)) == 300
    assert {row["outcome"] for row in rows} <= {"revoked", "already_gone"}
    assert not set(chosen) & ids(big)
    journals = [ws_of(big, home).journal() for home in dict.fromkeys(homes)]
    written = [row for frame in journals for row in frame[["token_id", "outcome"]].to_dict("records")]
    assert sorted(map(str, written)) == sorted(map(str, rows))


def test_of_several_processes_that_resume_one_run_one_does_and_the_others_are_rejected(big, processes, tmp_path, ids):
    ws = ws_of(big, tmp_path)
    tokens = ws.tokens()
    chosen = tokens[tokens["owner"] != "admin@example.com"]["token_id"].tolist()[:TOKENS]
    stop = threading.Event()
    stop.set()
    plan = ws.revoke(chosen)
    plan.apply(progress=False, stop=stop)
    big.requests.clear()
    results, barrier = processes.Queue(), processes.Barrier(3)
    running = [
        processes.Process(
            target=children.resume_at_once, args=(big.host, big.token, tmp_path, plan.run_id, barrier, results)
        )
        for _ in range(3)
    ]
    for process in running:
        process.start()
    found = [results.get(timeout=120) for _ in running]
    for process in running:
        process.join()
    refused = [each for each in found if isinstance(each, str)]
    assert [each for each in found if not isinstance(each, str)] == [{"revoked": TOKENS}]
    assert [each.partition(".")[0] for each in refused] == [
        f"Run {plan.run_id} is already running in another process"
    ] * 2
    assert len(deletions(big)) == len({record.path for record in deletions(big)}) == TOKENS
    assert not set(chosen) & ids(big)
    assert ws.journal()["outcome"].tolist() == ["revoked"] * TOKENS


def ws_of(sandbox, home):
    return tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW, home=home)


@pytest.mark.parametrize(("room_kib", "expected"), [(4, "refused"), (400, "refused"), (800, "ended"), (900, "ended")])
def test_a_disk_that_fills_up_stops_the_run_and_no_outcome_is_a_guess(
    big, processes, tmp_path, ids, room_kib, expected
):
    ws = ws_of(big, tmp_path)
    tokens = ws.tokens()
    chosen = tokens[tokens["owner"] != "admin@example.com"]["token_id"].tolist()[:TOKENS]
    before = ids(big)
    results = processes.Queue()
    arguments = (big.host, big.token, tmp_path, chosen, room_kib * 1024, results)
    process = processes.Process(target=children.revoke_with_little_room, args=arguments)
    process.start()
    how, rows = results.get(timeout=120)
    process.join()
    assert how == expected
    gone = before - ids(big)
    if how == "refused":
        assert "cannot be used" in rows
        assert gone == set()
        return
    ended = {row["token_id"]: row["outcome"] for row in rows}
    revoked = {token_id for token_id, outcome in ended.items() if outcome in {"revoked", "already_gone"}}
    assert revoked == gone
    assert {"revoked", "pending"} <= set(ended.values())
    run_id = ws.journal()["run_id"].iloc[0]
    assert set(tokenkit.resume(run_id, workspace=ws)["outcome"]) <= {"revoked", "already_gone"}
    assert before - ids(big) == set(chosen)


def test_a_journal_that_cannot_be_written_stops_a_run_before_its_first_request(ws, company, victims, ids):
    ws.folder.mkdir(parents=True)
    (ws.folder / "journal.sqlite").write_bytes(b"damaged" * 1000)
    plan = ws.revoke(victims)
    company.requests.clear()
    with pytest.raises(tokenkit.JournalError):
        plan.apply()
    assert deletions(company) == []
    assert set(victims["token_id"]) <= ids(company)
