"""Measure whether listing users is linear: processor time and memory per user, of client and sandbox together.

    python -m benchmarks.identities            # 4,250 to 17,000 users, under a minute
    python -m benchmarks.identities --quick    # up to 8,500

Client and sandbox share this process, so that its processor time is that of both, whatever else the machine does.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc

import tokenkit
from benchmarks.goals import note
from tokenkit.sandbox import Sandbox

USERS = (4_250, 8_500, 17_000)
MOST_GROWTH = 1.25  # SCIM pages by position, so that later pages take a little longer
REPEATS = 5


def main() -> None:
    """Run the benchmark with the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="without 17,000 users")
    sizes = USERS[:2] if parser.parse_args().quick else USERS
    print("users    microseconds per user    bytes per user at the peak")
    measured = [_measure(count) for count in sizes]
    for what, first, last in zip(("processor time", "peak memory"), measured[0], measured[-1], strict=True):
        note(f"users: {what} per user, {sizes[-1]:,} to {sizes[0]:,}", last / first, most=MOST_GROWTH)


def _measure(count: int) -> tuple[float, float]:
    """Return the processor time in microseconds and the peak memory in bytes, per user."""
    with Sandbox(tokens=100) as company:
        directory = company.workspaces[0].state.directory
        for number in range(count - directory.count("user")):
            directory.add("user", f"user{number}@example.com", f"User {number}")
        ws = tokenkit.connect(host=company.host, token=company.token)
        assert len(ws.users()) == count
        seconds = min(_processor_seconds(ws) for _ in range(REPEATS))
        tracemalloc.start()
        ws.users()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    print(f"{count:6,}  {seconds * 1e6 / count:20.1f}  {peak / count:20,.0f}")
    return seconds / count, peak / count


def _processor_seconds(ws: tokenkit.Workspace) -> float:
    began = time.process_time()
    ws.users()
    return time.process_time() - began


if __name__ == "__main__":
    main()
