"""Measure how fast the tokens of 200 workspaces become one frame, compared with a sequential loop of the official SDK.

    python -m benchmarks.fleet                 # about four minutes
    python -m benchmarks.fleet --quick         # the listings only, about one minute
    python -m benchmarks.fleet --workspaces 50

The sandbox runs in a separate process, with a latency of 50 ms. Three of the workspaces fail: one rejects the
credential, one always sends 503, and one is unreachable. Both sides retry a workspace for one second.

There are two measurements: the tokens only (``fleet.listing()``), and the tokens with their owners
(``fleet.tokens()``), which also reads the users and service principals of each workspace. The SDK's loop reads the same
data. Before them, 40 workspaces and one more that is down are compared with the SDK's loop over the 40, as users have
both: without settings for retries.
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
RETRY_SECONDS = 1
GOAL = 8
FORTY, ONE_DOWN_GOAL, DOWN_SECONDS = 40, 4, 2


@contextlib.contextmanager
def failing() -> Iterator[list[tuple[str, str]]]:
    """Yield a host that always sends 503, and an unreachable one, each with a token."""
    with Sandbox(tokens=1) as failing_sandbox, socket.socket() as unreachable:
        failing_sandbox.faults.add(Fault(path="/api/*", status=503))
        unreachable.bind(("127.0.0.1", 0))  # does not listen
        host, token = failing_sandbox.host, failing_sandbox.token
        yield [(host, token), (f"http://127.0.0.1:{unreachable.getsockname()[1]}", token)]


def list_with_the_sdk(clients: list[WorkspaceClient], *, with_owners: bool) -> tuple[float, int, int]:
    """List the workspaces sequentially; return the seconds, the rows and the number of failed workspaces."""
    start = time.perf_counter()
    frames, failed = [], 0
    for client in clients:
        try:
            tokens: list[dict[str, Any]] = [token.as_dict() for token in client.token_management.list()]
            if with_owners:
                owners = [*client.users.list(), *client.service_principals.list()]
                names = {int(owner.id): owner.display_name for owner in owners}
                tokens = [token | {"owner": names.get(token["owner_id"])} for token in tokens]
        except Exception:  # noqa: BLE001  # the three failures have different types
            failed += 1
            continue
        frames.append(pd.DataFrame(tokens).assign(workspace=client.config.host))
    frame = pd.concat(frames, ignore_index=True)
    for name in ("creation_time", "expiry_time", "last_used_day"):
        frame[name] = pd.to_datetime(frame[name].where(frame[name] >= 0), unit="ms", utc=True)
    return time.perf_counter() - start, len(frame), failed


def list_with_the_fleet(
    workspaces: list[tuple[str, str]], workers: int, *, with_owners: bool
) -> tuple[float, int, pd.DataFrame]:
    """Connect and list all workspaces; return the seconds, the rows and the errors."""
    retries = tokenkit.RetryPolicy(budget_seconds=RETRY_SECONDS)
    start = time.perf_counter()
    connected = [tokenkit.connect(host=host, token=token, retries=retries) for host, token in workspaces]
    fleet = tokenkit.fleet(connected, workers=workers, progress=False)
    tokens = fleet.tokens() if with_owners else fleet.listing()
    return time.perf_counter() - start, len(tokens), fleet.errors


def measure_one_down() -> None:
    """Print the time of 40 workspaces and one that is down, and the time of an error for that one alone."""
    many = ("--workspaces", str(FORTY), "--latency-ms", str(LATENCY_MS))
    with sandbox(TOKENS, *many) as served, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # does not listen
        workspaces = [(workspace["host"], workspace["token"]) for workspace in served["workspaces"]]  # type: ignore[index]
        clients = [WorkspaceClient(config=Config(host=host, token=token)) for host, token in workspaces]
        loop, rows, _ = list_with_the_sdk(clients, with_owners=True)
        print(f"{FORTY} workspaces\n  official SDK, sequential: {loop:6.2f} s, {rows:,} rows")
        down = {"refuses": f"http://127.0.0.1:{closed.getsockname()[1]}", "has no address": "https://down.invalid"}
        for what, host in down.items():
            start = time.perf_counter()
            everyone = [*workspaces, (host, "dapi" + "0" * 32)]
            connected = [tokenkit.connect(host=host, token=token) for host, token in everyone]
            fleet = tokenkit.fleet(connected, progress=False)
            rows = len(fleet.tokens())
            seconds = time.perf_counter() - start
            start = time.perf_counter()
            with contextlib.suppress(tokenkit.TokenKitError):
                connected[-1].tokens()
            alone = time.perf_counter() - start
            note(
                f"fleet of {FORTY} and one that {what}, compared with the SDK's loop",
                loop / seconds,
                least=ONE_DOWN_GOAL,
            )
            note(f"a workspace that {what}", alone, unit="s", most=DOWN_SECONDS)
            result = f"{rows:,} rows, {len(fleet.errors)} failed, {loop / seconds:.1f}x"
            print(f"  fleet, one {what}: {seconds:6.2f} s, {result}; that one alone: {alone:.2f} s")


def main() -> None:
    """Print the speedup over the loops, and the errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspaces", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="the listings only")
    options = parser.parse_args()
    measure_one_down()
    many = ("--workspaces", str(options.workspaces - 2), "--latency-ms", str(LATENCY_MS))
    with sandbox(TOKENS, *many) as served, failing() as bad:
        workspaces = [(workspace["host"], workspace["token"]) for workspace in served["workspaces"]]  # type: ignore[index]
        workspaces[10] = (workspaces[10][0], "dapi" + "0" * 32)
        workspaces = [*workspaces[:20], bad[0], *workspaces[20:30], bad[1], *workspaces[30:]]
        clients = [
            WorkspaceClient(config=Config(host=host, token=token, retry_timeout_seconds=RETRY_SECONDS))
            for host, token in workspaces
        ]
        for what, with_owners in (("the listings", False), ("the listings with owners", True)):
            if with_owners and options.quick:
                continue
            loop, rows, failed = list_with_the_sdk(clients, with_owners=with_owners)
            print(f"{what}\n  official SDK, sequential: {loop:6.2f} s, {rows:,} rows, {failed} failed")
            for workers in (32, 64):
                runs = [list_with_the_fleet(workspaces, workers, with_owners=with_owners) for _ in range(3)]
                seconds, rows, errors = sorted(runs, key=lambda run: run[0])[1]
                note(f"fleet, {what}, {workers} workers, compared with the SDK's loop", loop / seconds, least=GOAL)
                result = f"{rows:,} rows, {len(errors)} failed, {loop / seconds:.1f}x"
                print(f"  fleet, {workers} workers: {seconds:6.2f} s, {result}")
        print(errors[["error_type", "message"]].to_string(index=False, max_colwidth=100))


if __name__ == "__main__":
    main()
