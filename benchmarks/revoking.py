"""How fast tokens are revoked: against the official SDK's loop, and under limits.

    python -m benchmarks.revoking              # everything, about seven minutes
    python -m benchmarks.revoking --quick      # without the slow limits, about one

The sandbox runs in a process of its own and answers after 50 ms. Each ratio is of two measurements in one run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from databricks.sdk import WorkspaceClient

import tokenkit
from benchmarks.goals import note

LATENCY_MS = 50
LIMITED_TOKENS = 600
WORKERS = ((16, 3_200, 14), (64, 6_400, 50))  # how many, for how many tokens, the goal
BURSTS = {1: 0.75, 5: 0.9, 30: 0.9}  # the goals
MOST_REFUSED_PERCENT = 5


@contextlib.contextmanager
def sandbox(tokens: int, *options: str) -> Iterator[dict[str, str]]:
    """Serve a workspace in another process; yield its host and token."""
    command = [sys.executable, "-m", "tokenkit.sandbox", "--json", "--tokens", str(tokens), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def seconds_of_the_sdk(where: dict[str, str], count: int) -> float:
    """Delete tokens one after the other, as an admin would today."""
    client = WorkspaceClient(host=where["host"], token=where["token"])
    ids = [token.token_id for token in client.token_management.list()][1 : count + 1]
    start = time.perf_counter()
    for token_id in ids:
        client.token_management.delete(token_id)
    return time.perf_counter() - start


def applied(where: dict[str, str], count: int, workers: int) -> tuple[float, dict[str, int], int]:
    """Plan and apply; return the seconds of ``apply()``, the outcomes, and how many requests were sent for them."""
    with tempfile.TemporaryDirectory() as home:
        patient = tokenkit.RetryPolicy(budget_seconds=120)
        workspace = tokenkit.connect(host=where["host"], token=where["token"], home=home, retries=patient)
        tokens = workspace.tokens()
        plan = workspace.revoke(tokens[tokens["owner"] != "admin@example.com"].head(count))
        start = time.perf_counter()
        result = plan.apply(workers=workers, progress=False)
        seconds = time.perf_counter() - start
        return seconds, result["outcome"].value_counts().to_dict(), int(result["attempts"].sum())


def against_the_sdk() -> None:
    """Print how many times faster than the loop."""
    latency = ("--latency-ms", str(LATENCY_MS))
    with sandbox(10_500, *latency) as where:
        loop = seconds_of_the_sdk(where, 150) / 150
        print(f"official SDK, one after the other: {loop * 1000:.1f} ms a token")
        for workers, count, least in WORKERS:
            seconds, outcomes, _ = applied(where, count, workers)
            per_token = seconds / count
            note(f"revoking, {workers} workers, against the SDK's loop", loop / per_token, least=least)
            print(
                f"{workers:3} workers, {count:,} tokens: {per_token * 1000:.2f} ms a token, "
                f"{loop / per_token:.1f}x  {outcomes}"
            )


def under_limits(limits: list[int]) -> None:
    """Print how much of a limit is used, and how many requests are refused."""
    print(f"\n{LIMITED_TOKENS} tokens, 16 workers; ideal is tokens / limit")
    print("limit  burst  ideal / actual  refused")
    for limit in limits:
        for burst, least in BURSTS.items():
            options = ("--latency-ms", str(LATENCY_MS), "--rate-limit", str(limit), "--burst", str(burst))
            with sandbox(LIMITED_TOKENS + 100, *options) as where:
                seconds, outcomes, attempts = applied(where, LIMITED_TOKENS, 16)
            refused = attempts - LIMITED_TOKENS
            ideal = LIMITED_TOKENS / limit
            case = f"revoking at {limit}/s with bursts of {burst}"
            note(f"{case}, of the ideal", ideal / seconds, least=least)
            note(f"{case}, refused", 100 * refused / attempts, unit=" %", most=MOST_REFUSED_PERCENT)
            note(f"{case}, failed", LIMITED_TOKENS - outcomes.get("revoked", 0), unit="", most=0)
            print(
                f"{limit:4}/s  {burst:5}  {ideal / seconds:14.2f}  {refused:3} ({refused / attempts:.1%})  {outcomes}"
            )


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the slow limits")
    options = parser.parse_args()
    against_the_sdk()
    under_limits([100] if options.quick else [100, 30, 7])


if __name__ == "__main__":
    main()
