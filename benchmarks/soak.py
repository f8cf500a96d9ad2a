"""An hour's worth of mixed work, compressed, with everything going wrong now and then: is anything left behind?

    python -m benchmarks.soak                    # 100,000 requests, some minutes
    python -m benchmarks.soak --requests 3000    # the short one, as in the tests

Rounds of work on workspaces of one sandbox, in this process: listing, reading, creating, revoking, updating,
permissions, the journal, resuming, an audit, a snapshot. Of their requests some are answered 429 or 503, some are
reset, cut short, or carried out and their answer lost. Every other round connects anew, as a service or a long notebook
does; the others share one workspace. Threads, file handles, temporary folders and memory are counted after a warm-up
and at the end.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import tokenkit
from tokenkit import RetryPolicy, Workspace
from tokenkit.sandbox import Fault, Sandbox

FULL = 100_000
TOKENS = 150
_WORKSPACES = 4
_REVOKED_A_ROUND = 40
_READS = 6  # of each token in a round
_PATIENT = RetryPolicy(budget_seconds=60, first_wait_seconds=0.01, longest_wait_seconds=0.05)
# What one round has to live through: each a rule of its own, so that all of them happen in every round.
FAULTS = (
    Fault(status=429, headers={"Retry-After": "0"}, offset=11, times=3),
    Fault(status=503, offset=23, times=2),
    Fault(drop=True, offset=31, times=2),
    Fault(method="GET", truncate_bytes=40, offset=9, times=2),
    Fault(method="DELETE", drop=True, after_handler=True, offset=7, times=2),
    Fault(method="DELETE", status=400, offset=13, times=1),
    Fault(method="PATCH", status=503, after_handler=True, offset=1, times=1),
    Fault(path="*/on-behalf-of/*", status=502, body="<html>Bad gateway</html>", offset=2, times=1),
)
# In a tenth of them, as a run that was told to slow down does so for seconds.
PACED = Fault(method="DELETE", status=429, offset=5, times=2)


@dataclass(frozen=True)
class Standing:
    """What a process holds at one moment."""

    threads: int
    files: int
    folders: int
    resident_mb: float

    def __str__(self) -> str:
        return (
            f"{self.threads} threads, {self.files} file handles, {self.folders} temporary folders, "
            f"{self.resident_mb:.1f} MB"
        )


def standing(settled_threads: int | None = None) -> Standing:
    """Return what this process holds, once what was let go has ended."""
    deadline = time.monotonic() + 10
    while True:
        gc.collect()
        if settled_threads is None or threading.active_count() <= settled_threads or time.monotonic() > deadline:
            break
        time.sleep(0.01)  # connections whose client has left end in a moment
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return Standing(
        threads=threading.active_count(),
        files=len(list(Path("/proc/self/fd").iterdir())),
        folders=len(list(Path(tempfile.gettempdir()).glob("tokenkit-*"))),
        resident_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    )


class Soak:
    """The sandbox, the workspace that lasts, and what was done so far."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        self._sandbox = sandbox
        self._home = home
        self.requests = 0
        self.statuses: Counter[int] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def run(self, requests: int) -> None:
        """Work, round after round, until so many more requests were served."""
        goal, number, lasting = self.requests + requests, 0, self._connect(0)
        while self.requests < goal:
            self._sandbox.faults.clear()
            self._sandbox.faults.add(*FAULTS, *(() if number % 10 else [PACED]))
            workspace = self._connect(number % _WORKSPACES) if number % 2 else lasting
            self._attempted(lambda workspace=workspace: self._round(workspace))
            self._count()
            number += 1

    def _connect(self, index: int) -> Workspace:
        where = self._sandbox.workspaces[index]
        return tokenkit.connect(host=where.host, token=where.token, retries=_PATIENT, home=self._home / str(index))

    def _round(self, workspace: Workspace) -> None:
        me = workspace.me()
        tokens = workspace.tokens()
        self._mint(workspace, TOKENS - len(tokens))
        for token_id in [*tokens["token_id"]] * _READS:
            self._attempted(lambda token_id=token_id: workspace.token_management.get(token_id))
        mine = workspace.tokens()
        others = mine[mine["owner"] != me]
        result = workspace.revoke(others.tail(_REVOKED_A_ROUND)).apply(workers=8, progress=False)
        run_id = workspace.journal()["run_id"].iloc[-1]
        result = tokenkit.resume(run_id, workspace=workspace, progress=False)
        self.outcomes.update(result["outcome"])
        some = workspace.tokens().head(3)
        self.outcomes.update(workspace.plan_update(some, comment=str(self.requests)).apply(progress=False)["outcome"])
        plan = workspace.plan_permissions([{"group_name": "analysts", "permission_level": "CAN_USE"}])
        self._attempted(lambda: plan.apply(progress=False))
        workspace.audit()._repr_html_()  # as a notebook would
        workspace.snapshot(self._home / "last.parquet")
        workspace.access()

    def _mint(self, workspace: Workspace, count: int) -> None:
        programs = workspace.service_principals()["application_id"]
        for number in range(count):
            name = programs.iloc[number % len(programs)]
            self._attempted(lambda name=name: workspace.token_management.create_obo_token(name, comment="soak"))

    def _attempted(self, work: Callable[[], object]) -> None:
        try:
            work()
        except tokenkit.TokenKitError as error:
            self.errors[type(error).__name__] += 1

    def _count(self) -> None:
        served = self._sandbox.requests
        self.requests += len(served)
        self.statuses.update(each.status for each in served)
        served.clear()  # the sandbox keeps the last 100,000 for whoever tests with it
        assert not self._sandbox.errors, self._sandbox.errors[0]


def soak(requests: int, warm_up: int) -> tuple[Soak, Standing, Standing]:
    """Return what was done, and what the process held after the warm-up and at the end."""
    with tempfile.TemporaryDirectory() as home, Sandbox(tokens=TOKENS, workspaces=_WORKSPACES) as sandbox:
        work = Soak(sandbox, Path(home))
        work.run(warm_up)
        before = standing()
        work.run(requests)
        after = standing(before.threads)
        return work, before, after


def main() -> None:
    """Run it, and print what was held at both ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=FULL, help=f"how many, after the warm-up ({FULL:,})")
    options = parser.parse_args()
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # in which nobody else's folders are counted
        work, before, after = soak(options.requests, warm_up=max(2_000, options.requests // 10))
    print(f"{work.requests:,} requests in {time.perf_counter() - begun:.0f} s, warm-up included")
    print(f"answered (0: the connection was reset): {dict(sorted(work.statuses.items()))}")
    print(f"outcomes: {dict(work.outcomes)}; errors that were raised: {dict(work.errors)}")
    print(f"after the warm-up  {before}\nat the end         {after}")


if __name__ == "__main__":
    sys.exit(main())
