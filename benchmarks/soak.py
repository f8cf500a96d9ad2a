"""Check for leaked threads, files and memory after mixed work with many faults.

    python -m benchmarks.soak                    # 100,000 requests, a few minutes
    python -m benchmarks.soak --requests 3000    # the short form, as in the tests

The work consists of rounds on the workspaces of one sandbox, in this process: listing, reading, creating, revoking,
updating, permissions, the journal, resuming, an audit, a snapshot. Some requests get 429 or 503, some are reset or
truncated, and some succeed but lose their response. Every other round opens a new connection, as a service or a long
notebook does; the others share one workspace. Threads, file handles, temporary folders and memory are counted after a
warm-up and at the end.
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
_REVOKED_PER_ROUND = 40
_READS = 6  # of each token, per round
_RETRIES = RetryPolicy(budget_seconds=60, first_wait_seconds=0.01, longest_wait_seconds=0.05)
# The faults of every round. They are separate rules, so that all of them apply.
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
# Only in every tenth round, because it slows the run down for seconds.
PACED = Fault(method="DELETE", status=429, offset=5, times=2)


@dataclass(frozen=True)
class Resources:
    """The resources of a process at one moment."""

    threads: int
    files: int
    folders: int
    resident_mb: float

    def __str__(self) -> str:
        return (
            f"{self.threads} threads, {self.files} file handles, {self.folders} temporary folders, "
            f"{self.resident_mb:.1f} MB"
        )


def resources(settled_threads: int | None = None) -> Resources:
    """Return the resources of this process, after waiting until released ones are closed."""
    deadline = time.monotonic() + 10
    while True:
        gc.collect()
        if settled_threads is None or threading.active_count() <= settled_threads or time.monotonic() > deadline:
            break
        time.sleep(0.01)  # threads of closed connections end soon
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return Resources(
        threads=threading.active_count(),
        files=len(list(Path("/proc/self/fd").iterdir())),
        folders=len(list(Path(tempfile.gettempdir()).glob("tokenkit-*"))),
        resident_mb=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
    )


class Soak:
    """The sandbox, and the results of the work so far."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        self._sandbox = sandbox
        self._home = home
        self.requests = 0
        self.statuses: Counter[int] = Counter()
        self.outcomes: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()

    def run(self, requests: int) -> None:
        """Run rounds of work until ``requests`` more requests were served."""
        goal, number, shared = self.requests + requests, 0, self._connect(0)
        while self.requests < goal:
            self._sandbox.faults.clear()
            self._sandbox.faults.add(*FAULTS, *(() if number % 10 else [PACED]))
            workspace = self._connect(number % _WORKSPACES) if number % 2 else shared
            self._attempt(lambda workspace=workspace: self._round(workspace))
            self._count()
            number += 1

    def _connect(self, index: int) -> Workspace:
        served = self._sandbox.workspaces[index]
        return tokenkit.connect(host=served.host, token=served.token, retries=_RETRIES, home=self._home / str(index))

    def _round(self, workspace: Workspace) -> None:
        admin = workspace.me()
        tokens = workspace.tokens()
        self._create_tokens(workspace, TOKENS - len(tokens))
        for token_id in [*tokens["token_id"]] * _READS:
            self._attempt(lambda token_id=token_id: workspace.token_management.get(token_id))
        tokens = workspace.tokens()
        others = tokens[tokens["owner"] != admin]
        result = workspace.revoke(others.tail(_REVOKED_PER_ROUND)).apply(workers=8, progress=False)
        run_id = workspace.journal()["run_id"].iloc[-1]
        result = tokenkit.resume(run_id, workspace=workspace, progress=False)
        self.outcomes.update(result["outcome"])
        some = workspace.tokens().head(3)
        self.outcomes.update(workspace.plan_update(some, comment=str(self.requests)).apply(progress=False)["outcome"])
        plan = workspace.plan_permissions([{"group_name": "analysts", "permission_level": "CAN_USE"}])
        self._attempt(lambda: plan.apply(progress=False))
        workspace.audit()._repr_html_()  # as in a notebook
        workspace.snapshot(self._home / "last.parquet")
        workspace.access()

    def _create_tokens(self, workspace: Workspace, count: int) -> None:
        application_ids = workspace.service_principals()["application_id"]
        for number in range(count):
            name = application_ids.iloc[number % len(application_ids)]
            self._attempt(lambda name=name: workspace.token_management.create_obo_token(name, comment="soak"))

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except tokenkit.TokenKitError as error:
            self.errors[type(error).__name__] += 1

    def _count(self) -> None:
        served = self._sandbox.requests
        self.requests += len(served)
        self.statuses.update(record.status for record in served)
        served.clear()  # the sandbox stores the last 100,000 records
        assert not self._sandbox.errors, self._sandbox.errors[0]


def soak(requests: int, warm_up: int) -> tuple[Soak, Resources, Resources]:
    """Return the work, and the resources of the process after the warm-up and at the end."""
    with tempfile.TemporaryDirectory() as home, Sandbox(tokens=TOKENS, workspaces=_WORKSPACES) as sandbox:
        work = Soak(sandbox, Path(home))
        work.run(warm_up)
        before = resources()
        work.run(requests)
        after = resources(before.threads)
        return work, before, after


def main() -> None:
    """Run the work, and print the resources after the warm-up and at the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=FULL, help=f"requests after the warm-up ({FULL:,})")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # so that only folders of this process are counted
        work, before, after = soak(options.requests, warm_up=max(2_000, options.requests // 10))
    print(f"{work.requests:,} requests in {time.perf_counter() - start:.0f} s, including the warm-up")
    print(f"responses by status (0: the connection was reset): {dict(sorted(work.statuses.items()))}")
    print(f"outcomes: {dict(work.outcomes)}; errors raised: {dict(work.errors)}")
    print(f"after the warm-up  {before}\nat the end         {after}")


if __name__ == "__main__":
    sys.exit(main())
