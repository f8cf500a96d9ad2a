"""Ctrl-C at any line: no hang, a result that is the journal's, and a run that can be finished.

An interrupt is what Python makes of Ctrl-C: an exception between two lines of the thread that called. It is raised here
at the n-th line that this thread executes in tokenkit, for many n; each has a deadline of its own. It is not raised in
the locks of the standard library: one that is interrupted on its way out stays locked for whoever uses it.

More of them: ``TOKENKIT_INTERRUPTIONS=2000 pytest tests/actions/test_interruptions.py``.
"""

import contextlib
import os
import random
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit.actions.journal import Journal
from tokenkit.actions.states import SETTLED
from tokenkit.sandbox import Fault, Sandbox

INTERRUPTIONS = int(os.environ.get("TOKENKIT_INTERRUPTIONS", "200"))
BATCHES = 8
DEADLINE_SECONDS = 60
EACH = 8
SOURCE = str(Path(tokenkit.__file__).parent)
# Every second one is raised where the run is carried out; the others anywhere.
EVERYWHERE = (SOURCE, contextlib.__file__)
AT_THE_HEART = (str(Path(SOURCE, "actions", "executor.py")),)


class Interrupted:
    """Something done in a thread of its own, interrupted at its n-th line.

    Attributes:
        lines: How many lines it executed.
        result: What it returned; None where the interrupt came through.
    """

    def __init__(self, work, within, at=0):
        self._work, self._within, self._at = work, within, at
        self.lines = 0
        self.result = self.failure = None
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive(), f"hangs when interrupted at line {at}"
        assert self.failure is None, f"{self.failure!r} when interrupted at line {at}"

    def _run(self):
        sys.settrace(self._entered)
        try:
            self.result = self._work()
        except KeyboardInterrupt:
            pass
        except BaseException as failure:  # noqa: BLE001 - the test says which
            self.failure = failure
        finally:
            sys.settrace(None)

    def _entered(self, frame, _event, _argument):
        return self._line if frame.f_code.co_filename.startswith(self._within) else None

    def _line(self, _frame, event, _argument):
        if event == "line":
            self.lines += 1
            if self.lines == self._at:
                raise KeyboardInterrupt
        return self._line


@pytest.fixture
def town():
    """A sandbox of which each run of a batch takes other tokens; no more than that, as each run lists them all."""
    with Sandbox(tokens=100 + 3 * EACH * INTERRUPTIONS // BATCHES, clock=NOW.timestamp) as sandbox:
        tokens = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW).tokens(status="active")
        others = tokens.loc[tokens["owner"] != "admin@example.com", "token_id"].tolist()
        yield sandbox, (others[start : start + EACH] for start in range(0, len(others), EACH))
        assert list(sandbox.errors) == []


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr("tokenkit.actions.executor._FIRST_BACKOFF_SECONDS", 0.001)


def the_run(home):
    """Return the entries of the only run, by token; None where it was not begun."""
    with Journal(home) as journal:
        run_ids = journal.runs()["run_id"].tolist()
        return (run_ids[0], {entry.token_id: entry for entry in journal.entries(run_ids[0])}) if run_ids else None


def check(result, entries, there, done):
    """What a result says is what the journal says, and what the journal says is so."""
    if result is not None:
        states = {token_id: (entry.state, entry.error) for token_id, entry in entries.items()}
        rows = result.astype(object).where(result.notna(), None)
        assert {row.token_id: (row.outcome, row.error) for row in rows.itertuples()} == states
        assert "pending" not in set(rows["outcome"]) or result.attrs["ended_by"] == "interrupt"
    for token_id, entry in entries.items():
        assert entry.state != "pending" or not done(there, token_id)
        assert entry.state not in SETTLED or done(there, token_id)


def is_gone(there, token_id):
    return token_id not in there


def is_changed(there, token_id):
    return token_id in there and there[token_id].get("comment") == "changed"


# Python 3.13 warns of a connection to SQLite that an interrupt left before its first use; the interpreter closes it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:.*sqlite3.Connection:pytest.PytestUnraisableExceptionWarning"),
]
KINDS = {"revoke": is_gone, "update": is_changed}


@pytest.mark.parametrize("batch", range(BATCHES))
def test_a_run_that_is_interrupted_anywhere_says_what_it_did_and_can_be_finished(town, tmp_path, batch):
    sandbox, groups = town
    state = sandbox.workspaces[0].state
    rng = random.Random(batch)  # noqa: S311 - an interrupt is no secret
    lines = {}

    def there():
        return {info["token_id"]: info for info in state.tokens.infos()}

    for number in range(INTERRUPTIONS // BATCHES):
        home = tmp_path / str(number)
        ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW, home=home)
        within = AT_THE_HEART if number % 2 else EVERYWHERE
        kind = "update" if number % 5 == 4 else "revoke"
        chosen = next(groups)
        plan = ws.revoke(chosen) if kind == "revoke" else ws.plan_update(chosen, comment="changed")
        done = KINDS[kind]
        sandbox.faults.clear()
        if number % 3 == 0:
            sandbox.faults.add(Fault(method="*", path="*/tokens/*", drop=True, after_handler=True, times=1))
        key = (kind, within)
        # Until one was counted, the first is interrupted early.
        at = rng.randrange(1, lines.get(key, 2000 if within is EVERYWHERE else 40))
        first = Interrupted(lambda plan=plan: plan.apply(workers=4, progress=False), within, at)
        lines[key] = max(lines.get(key, 0), first.lines + 1)
        if the_run(home) is None:
            assert not any(done(there(), token_id) for token_id in chosen)
            continue
        run_id, entries = the_run(home)
        check(first.result, entries, there(), done)
        again = Interrupted(lambda ws=ws, run_id=run_id: resumed(run_id, ws), within, rng.randrange(1, lines[key]))
        check(again.result, the_run(home)[1], there(), done)
        finished = Interrupted(lambda ws=ws, run_id=run_id: resumed(run_id, ws), within)
        check(finished.result, the_run(home)[1], there(), done)
        assert {entry.state for entry in the_run(home)[1].values()} <= {"revoked", "updated", "already_gone"}
        assert all(done(there(), token_id) for token_id in chosen)
        assert ws.runs()["remaining"].tolist() == [0]


def resumed(run_id, ws):
    return tokenkit.resume(run_id, workspace=ws, progress=False)


ONLY_ENGINEERS = [{"group_name": "data-engineers", "permission_level": "CAN_USE"}]


@pytest.mark.parametrize("seed", range(INTERRUPTIONS // 20))
def test_a_change_of_permissions_that_is_interrupted_anywhere_can_be_finished(fresh_sandbox, tmp_path, seed):
    rng = random.Random(seed)  # noqa: S311 - an interrupt is no secret
    state = fresh_sandbox.workspaces[0].state
    ws = tokenkit.connect(host=fresh_sandbox.host, token=fresh_sandbox.token, clock=NOW, home=tmp_path)
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    within = tuple(
        str(Path(SOURCE, "actions", f"{name}.py")) for name in ("permissions", "plan", "executor", "journal")
    )

    def there():
        return {info["token_id"]: info for info in state.tokens.infos()}

    first = Interrupted(lambda: plan.apply(progress=False), within, rng.randrange(1, 900))
    if the_run(tmp_path) is None:
        assert set(plan.token_ids) <= set(there())
        return
    run_id, entries = the_run(tmp_path)
    check(first.result, known(entries), there(), is_gone)
    again = Interrupted(lambda: resumed(run_id, ws), within, rng.randrange(1, 600))
    check(again.result, known(the_run(tmp_path)[1]), there(), is_gone)
    finished = Interrupted(lambda: resumed(run_id, ws), within)
    check(finished.result, the_run(tmp_path)[1], there(), is_gone)
    assert {entry.state for entry in the_run(tmp_path)[1].values()} == {"revoked"}
    assert not set(plan.token_ids) & set(there())
    assert ws.runs()[["change", "remaining"]].to_numpy().tolist() == [["updated", 0]]


def known(entries):
    """Return entries as a result has them: of what was sent nobody knows more."""
    return {
        token_id: replace(entry, state="unknown") if entry.state == "sent" else entry
        for token_id, entry in entries.items()
    }
