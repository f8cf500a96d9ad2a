"""How fast the tokens of 200 workspaces become one frame: against the official SDK, one workspace after the other.

    python -m benchmarks.fleet                 # about four minutes
    python -m benchmarks.fleet --quick         # the listings alone, about one
    python -m benchmarks.fleet --workspaces 50

The sandbox runs in a process of its own and answers after 50 ms. Three of the workspaces fail: one refuses the
credential, one says 503 for ever, one cannot be reached. Both sides try for a second before they give one up.

Listed twice: the tokens alone (``fleet.listing()``), and with whose they are (``fleet.tokens()``), which asks each
workspace for its users and service principals too. The SDK's loop asks the same both times.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import pandas as pd
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config

import tokenkit
from benchmarks.goals import note
from benchmarks.revoking import LATENCY_MS, sandbox
from tokenkit.sandbox import Fault, Sandbox

TOKENS = 1_000
PATIENCE_SECONDS = 1
GOAL = 8


@contextlib.contextmanager
def failing() -> Iterator[list[tuple[str, str]]]:
    """Yield a host that says 503 for ever, and one where nobody listens, each with a token."""
    with Sandbox(tokens=1) as unwell, socket.socket() as taken:
        unwell.faults.add(Fault(path="/api/*", status=503))
        taken.bind(("127.0.0.1", 0))
        yield [(unwell.host, unwell.token), (f"http://127.0.0.1:{taken.getsockname()[1]}", unwell.token)]


def loop_of_the_sdk(clients: list[WorkspaceClient], *, with_owners: bool) -> tuple[float, int, int]:
    """List one workspace after the other; return the seconds, the rows, and how many workspaces failed."""
    start = time.perf_counter()
    frames, failed = [], 0
    for client in clients:
        try:
            tokens: list[dict[str, Any]] = [token.as_dict() for token in client.token_management.list()]
            if with_owners:
                owners = [*client.users.list(), *client.service_principals.list()]
                names = {int(owner.id): owner.display_name for owner in owners}
                tokens = [token | {"owner": names.get(token["owner_id"])} for token in tokens]
        except Exception:  # noqa: BLE001 - each of the three fails in its own way
            failed += 1
            continue
        frames.append(pd.DataFrame(tokens).assign(workspace=client.config.host))
    frame = pd.concat(frames, ignore_index=True)
    for name in ("creation_time", "expiry_time", "last_used_day"):
        frame[name] = pd.to_datetime(frame[name].where(frame[name] >= 0), unit="ms", utc=True)
    return time.perf_counter() - start, len(frame), failed


def of_the_fleet(
    workspaces: list[tuple[str, str]], workers: int, *, with_owners: bool
) -> tuple[float, int, pd.DataFrame]:
    """List all at once, connecting included; return the seconds, the rows, and the errors."""
    patience = tokenkit.RetryPolicy(budget_seconds=PATIENCE_SECONDS)
    start = time.perf_counter()
    connected = [tokenkit.connect(host=host, token=token, retries=patience) for host, token in workspaces]
    fleet = tokenkit.fleet(connected, workers=workers, progress=False)
    tokens = fleet.tokens() if with_owners else fleet.listing()
    return time.perf_counter() - start, len(tokens), fleet.errors


def main() -> None:
    """Print how many times faster than the loops, and what failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspaces", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="the listings alone")
    options = parser.parse_args()
    many = ("--workspaces", str(options.workspaces - 2), "--latency-ms", str(LATENCY_MS))
    with sandbox(TOKENS, *many) as where, failing() as bad:
        workspaces = [(each["host"], each["token"]) for each in where["workspaces"]]  # type: ignore[index]
        workspaces[10] = (workspaces[10][0], "dapi" + "0" * 32)
        workspaces = [*workspaces[:20], bad[0], *workspaces[20:30], bad[1], *workspaces[30:]]
        clients = [
            WorkspaceClient(config=Config(host=host, token=token, retry_timeout_seconds=PATIENCE_SECONDS))
            for host, token in workspaces
        ]
        for what, with_owners in (("the listings", False), ("the listings and whose they are", True)):
            if with_owners and options.quick:
                continue
            loop, rows, failed = loop_of_the_sdk(clients, with_owners=with_owners)
            print(f"{what}\n  official SDK, one after the other: {loop:6.2f} s, {rows:,} rows, {failed} failed")
            for workers in (32, 64):
                took = [of_the_fleet(workspaces, workers, with_owners=with_owners) for _ in range(3)]
                seconds, rows, errors = sorted(took, key=lambda each: each[0])[1]
                note(f"fleet, {what}, {workers} workers, against the SDK's loop", loop / seconds, least=GOAL)
                told = f"{rows:,} rows, {len(errors)} failed, {loop / seconds:.1f}x"
                print(f"  fleet, {workers} workers: {seconds:6.2f} s, {told}")
        print(errors[["kind", "message"]].to_string(index=False, max_colwidth=100))


if __name__ == "__main__":
    main()
