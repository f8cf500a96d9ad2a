"""What the tests of changes run in processes of their own."""

import os
import resource
import signal
import threading
from pathlib import Path

import pandas as pd

import tokenkit
from tokenkit.actions.journal import Journal
from tokenkit.core import write_once

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


def resume_at_once(host, token, home, run_id, barrier, results):
    """Finish a run at the moment that others do; put what became of it into a queue."""
    workspace = tokenkit.connect(host=host, token=token, clock=NOW, home=home)
    workspace.identify()
    barrier.wait(60)
    try:
        result = workspace.resume(run_id, progress=False)
    except tokenkit.UsageError as error:
        results.put(str(error))
    else:
        results.put(result["outcome"].value_counts().to_dict())


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


def on_a_cluster(root, local, run, *arguments):
    """Run another of these functions as on a cluster, where files last below a root, and the local disk is new."""
    os.environ.update({"DATABRICKS_RUNTIME_VERSION": "17.3", "XDG_STATE_HOME": str(local)})
    write_once.ROOTS = (str(root),)
    run(*arguments)


STAGES = ("before", "empty", "half", "unclosed", "closed")


def killed_at(stage, number, run, *arguments):
    """Run another of these functions, and be killed while the file with a number is written: before it is there, when
    it is empty, half there, there and not closed, or closed."""
    write = write_once.create
    killed = threading.Event()

    def create(path, content, **mode):
        if path.name != f"{number:06}.json" or killed.is_set():
            write(path, content, **mode)
            return
        if stage in {"empty", "half"}:
            write(path, content[: len(content) // 2 if stage == "half" else 0], **mode)
        elif stage == "unclosed":
            file = Path(path).open("xb", buffering=0)  # noqa: SIM115 - nobody closes it
            file.write(content)
        elif stage == "closed":
            write(path, content, **mode)
        os.kill(os.getpid(), signal.SIGKILL)

    write_once.create = create
    run(*arguments)
