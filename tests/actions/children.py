"""What the tests of changes run in processes of their own."""

import resource
import signal
import threading

import pandas as pd

import tokenkit
from tokenkit.actions.journal import Journal

NOW = pd.Timestamp("2026-03-01 09:30", tz="UTC")


def revoke(host, token, home, token_ids, workers=8, results=None):
    """Plan and apply; put the outcomes into a queue."""
    workspace = tokenkit.connect(host=host, token=token, clock=NOW, home=home)
    result = workspace.revoke(token_ids).apply(workers=workers, progress=False)
    if results is not None:
        results.put(result[["token_id", "outcome"]].to_dict("records"))


def resume(host, token, home, run_id):
    """Finish a run."""
    workspace = tokenkit.connect(host=host, token=token, clock=NOW, home=home)
    tokenkit.resume(run_id, workspace=workspace, progress=False)


def revoke_with_little_room(host, token, home, token_ids, room_bytes, results):
    """Apply with a limit on how large a file may grow, which is what a full disk looks like to SQLite."""
    workspace = tokenkit.connect(host=host, token=token, clock=NOW, home=home)
    plan = workspace.revoke(token_ids)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, room_bytes))
    try:
        result = plan.apply(progress=False)
        results.put(("ended", result[["token_id", "outcome"]].to_dict("records")))
    except tokenkit.JournalError as error:
        results.put(("refused", str(error)))


def revoke_in_a_fleet(workspaces, home, chosen):
    """Plan and apply in several workspaces, of which each is a host and a token."""
    fleet_of(workspaces, home).revoke(chosen).apply(workers=4, progress=False)


def resume_in_a_fleet(workspaces, home, run_id):
    """Finish a run of a fleet."""
    fleet_of(workspaces, home).resume(run_id, progress=False)


def fleet_of(workspaces, home):
    return tokenkit.fleet([tokenkit.connect(host=h, token=t, clock=NOW, home=home) for h, t in workspaces])


def open_journals(folders, barrier, results):
    """Open a new journal in each folder at the moment that others do."""
    try:
        for folder in folders:
            barrier.wait(30)
            Journal(folder).close()
    except (tokenkit.JournalError, threading.BrokenBarrierError) as error:
        barrier.abort()
        results.put(repr(error))
    else:
        results.put("ok")
