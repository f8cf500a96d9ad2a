"""Measure how fast tokens are revoked, compared with a loop of the official SDK, and under rate limits.

    python -m benchmarks.revoking              # everything, about seven minutes
    python -m benchmarks.revoking --quick      # without the slow limits, about one minute

The sandbox runs in a separate process, with a latency of 50 ms. Each ratio compares two measurements of one run.
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
WORKERS = ((16, 3_200, 14), (64, 6_400, 50))  # workers, tokens, goal
BURSTS = {1: 0.75, 5: 0.9, 30: 0.9}  # burst: goal
MAX_THROTTLED_PERCENT = 5


@contextlib.contextmanager
def sandbox(tokens: int, *options: str) -> Iterator[dict[str, str]]:
    """Start a sandbox in another process; yield its host and token."""
    command = [sys.executable, "-m", "tokenkit.sandbox", "--json", "--tokens", str(tokens), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def delete_with_the_sdk(served: dict[str, str], count: int) -> float:
    """Delete tokens sequentially with the SDK; return the seconds."""
    client = WorkspaceClient(host=served["host"], token=served["token"])
    ids = [token.token_id for token in client.token_management.list()][1 : count + 1]
    start = time.perf_counter()
    for token_id in ids:
        client.token_management.delete(token_id)
    return time.perf_counter() - start


def revoke(served: dict[str, str], count: int, workers: int) -> tuple[float, dict[str, int], int]:
    """Plan and apply; return the seconds of ``apply()``, the outcomes and the number of requests."""
    with tempfile.TemporaryDirectory() as home:
        retries = tokenkit.RetryPolicy(budget_seconds=120)
        workspace = tokenkit.connect(host=served["host"], token=served["token"], home=home, retries=retries)
        tokens = workspace.tokens()
        plan = workspace.revoke(tokens[tokens["owner"] != "admin@example.com"].head(count))
        start = time.perf_counter()
        result = plan.apply(workers=workers, progress=False)
        seconds = time.perf_counter() - start
        return seconds, result["outcome"].value_counts().to_dict(), int(result["attempts"].sum())


def against_the_sdk() -> None:
    """Print the speedup over the SDK's loop."""
    latency = ("--latency-ms", str(LATENCY_MS))
    with sandbox(10_500, *latency) as served:
        loop = delete_with_the_sdk(served, 150) / 150
        print(f"official SDK, sequential: {loop * 1000:.1f} ms per token")
        for workers, count, least in WORKERS:
            seconds, outcomes, _ = revoke(served, count, workers)
            per_token = seconds / count
            note(f"revoking, {workers} workers, compared with the SDK's loop", loop / per_token, least=least)
            print(
                f"{workers:3} workers, {count:,} tokens: {per_token * 1000:.2f} ms per token, "
                f"{loop / per_token:.1f}x  {outcomes}"
            )


def under_limits(limits: list[int]) -> None:
    """Print the used share of a rate limit, and the number of throttled requests."""
    print(f"\n{LIMITED_TOKENS} tokens, 16 workers; ideal seconds = tokens / limit")
    print("limit  burst  ideal / actual  throttled")
    for limit in limits:
        for burst, least in BURSTS.items():
            options = ("--latency-ms", str(LATENCY_MS), "--rate-limit", str(limit), "--burst", str(burst))
            with sandbox(LIMITED_TOKENS + 100, *options) as served:
                seconds, outcomes, attempts = revoke(served, LIMITED_TOKENS, 16)
            throttled = attempts - LIMITED_TOKENS
            ideal = LIMITED_TOKENS / limit
            case = f"revoking at {limit}/s with bursts of {burst}"
            note(f"{case}, ideal / actual", ideal / seconds, least=least)
            note(f"{case}, throttled", 100 * throttled / attempts, unit=" %", most=MAX_THROTTLED_PERCENT)
            note(f"{case}, failed", LIMITED_TOKENS - outcomes.get("revoked", 0), unit="", most=0)
            share = f"{throttled:3} ({throttled / attempts:.1%})"
            print(f"{limit:4}/s  {burst:5}  {ideal / seconds:14.2f}  {share}  {outcomes}")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without the slow limits")
    options = parser.parse_args()
    against_the_sdk()
    under_limits([100] if options.quick else [100, 30, 7])


if __name__ == "__main__":
    main()
