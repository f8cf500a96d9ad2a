"""Measure the speed and the memory of a listing as a typed frame, and the cost of ``import tokenkit``.

    python -m benchmarks.listing               # 1k to 1M tokens, about five minutes
    python -m benchmarks.listing --quick       # up to 100k

A minimal server in a separate process replays one body for each size, so that its own time does not count. The
compared functions run alternately in one process, and each ratio compares two medians. Memory and imports are measured
in separate processes, with compiled bytecode, as after an installation.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import socketserver
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.goals import note

SIZES = {1_000: 31, 10_000: 9, 100_000: 5, 1_000_000: 3}  # number of tokens: number of measurements
LAYOUTS: dict[str, dict[str, Any]] = {
    "compact": {"separators": (",", ":")},
    "spaced": {},
    "indented": {"indent": 2},
}
PATH = "/api/2.0/token-management/tokens"
SPEED_GOALS = {1_000: 2, 10_000: 3, 100_000: 8, 1_000_000: 10}
ANY_LAYOUT_GOAL = 4
MEMORY_GOALS = {100_000: 0.45, 1_000_000: 0.3}
IMPORT_GOAL = 1.15


# The columns and dtypes of tokenkit's frame, written without tokenkit.
_MOMENTS = pd.DatetimeTZDtype("ms", "UTC")
DTYPES: dict[str, Any] = {
    "token_id": "str",
    "comment": "str",
    "created_by_id": "Int64",
    "created_by_username": "str",
    "owner_id": "Int64",
    "creation_time": _MOMENTS,
    "expiry_time": _MOMENTS,
    "last_used_day": _MOMENTS,
    "scopes": "object",
    "autoscope_state": "str",
    "inferred_scopes": "object",
    "backfill_scopes": "object",
    "workspace_id": "Int64",
}


def body(count: int, layout: str) -> bytes:
    """Return the response of a workspace with ``count`` invented tokens of about 350 bytes."""
    draw = random.Random(0)  # noqa: S311  # invented tokens
    tokens = [
        {
            "token_id": f"{draw.getrandbits(256):064x}",
            "creation_time": 1_700_000_000_000 + draw.randrange(10**10),
            "expiry_time": -1 if draw.random() < 0.2 else 1_800_000_000_000 + draw.randrange(10**10),
            "comment": draw.choice(("ci", "terraform", "my laptop, jupyter", "nightly export of the data team")),
            "created_by_id": 2**52 + (user := draw.randrange(5_000)),
            "created_by_username": f"user{user}@example.com",
            "owner_id": 2**52 + user,
            "last_used_day": 1_750_032_000_000,
            "scopes": draw.sample(("sql", "clusters", "all-apis"), draw.randrange(1, 3)),
            "workspace_id": 7_405_610_928_370_912,
        }
        for _ in range(count)
    ]
    return json.dumps({"token_infos": tokens}, **LAYOUTS[layout]).encode()


def serve(count: int, layout: str) -> None:
    """Replay one body for every listing until the process ends."""
    listing = body(count, layout)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_GET(self) -> None:
            content = listing if self.path.startswith(PATH) else b"{}"
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


@contextlib.contextmanager
def serving(count: int, layout: str = "compact") -> Iterator[str]:
    """Start the server in another process; yield its host."""
    command = [sys.executable, "-m", "benchmarks.listing", "--serve", str(count), layout]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def with_the_sdk(host: str) -> Callable[[], pd.DataFrame]:
    """Return a function that lists with the official SDK, as the same typed frame."""
    from databricks.sdk import WorkspaceClient  # noqa: PLC0415  # must not count in the memory of the others

    client = WorkspaceClient(host=host, token="dapi")  # noqa: S106  # not checked
    return lambda: with_dtypes(pd.DataFrame([token.as_dict() for token in client.token_management.list()]))


def with_requests(host: str) -> Callable[[], pd.DataFrame]:
    """Return a function that lists with requests, as the same typed frame."""
    import requests  # noqa: PLC0415  # as above

    session = requests.Session()
    return lambda: with_dtypes(pd.DataFrame(session.get(host + PATH, timeout=60).json()["token_infos"]))


def with_tokenkit(host: str) -> Callable[[], pd.DataFrame]:
    """Return tokenkit's listing function."""
    import tokenkit  # noqa: PLC0415  # as above

    return tokenkit.connect(host=host, token="dapi").token_management.list  # noqa: S106  # not checked


WAYS = {"sdk": with_the_sdk, "requests": with_requests, "tokenkit": with_tokenkit}


def with_dtypes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the columns, dtypes and order of tokenkit's frame."""
    frame = frame.reindex(columns=list(DTYPES))
    for name, dtype in DTYPES.items():
        if isinstance(dtype, pd.DatetimeTZDtype):
            moments = frame[name].where(frame[name] > (name == "last_used_day") - 1)
            frame[name] = pd.to_datetime(moments, unit="ms", utc=True).astype(dtype)
        elif dtype == "object":  # lists, or an absent column
            frame[name] = frame[name].astype(object).where(frame[name].notna(), None)
        else:
            frame[name] = frame[name].astype(dtype)
    return frame


@contextlib.contextmanager
def compiled() -> Iterator[dict[str, str]]:
    """Yield the environment of a process with compiled bytecode, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        statement = "import databricks.sdk, tokenkit, benchmarks.listing"
        subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
        yield environment


def memory_mb(way: str, host: str, environment: dict[str, str]) -> tuple[float, float]:
    """Return the memory of a new process after its imports, and its peak after one listing."""
    command = [sys.executable, "-m", "benchmarks.listing", "--memory", way, host]
    before, peak = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.split()
    return float(before), float(peak)


def _own_mb(what: str) -> float:
    # Not getrusage: a process inherits its peak from its parent.
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{what}:")[2].split()[0]) / 1024


def listings(sizes: dict[int, int], environment: dict[str, str]) -> None:
    """Print the table of the listings."""
    print("                            speedup over the SDK                  peak memory        share of it")
    print("tokens     layout      SDK ms  requests.json  tokenkit  us/token  MB   of the SDK's  after imports")
    for count, times in sizes.items():
        for layout in LAYOUTS if count == 100_000 else ("compact",):
            with serving(count, layout) as host:
                ways = {name: way(host) for name, way in WAYS.items()}
                for name in ("requests", "sdk"):
                    pd.testing.assert_frame_equal(ways[name](), ways["tokenkit"]())
                seconds: dict[str, list[float]] = {name: [] for name in ways}
                for name in list(ways) * times:
                    start = time.perf_counter()
                    ways[name]()
                    seconds[name].append(time.perf_counter() - start)
                median = {name: statistics.median(values) for name, values in seconds.items()}
                memory = {name: memory_mb(name, host, environment) for name in ("sdk", "tokenkit")}
            shape = f"{count:,} tokens, {layout}"
            least = SPEED_GOALS[count] if layout == "compact" else ANY_LAYOUT_GOAL
            note(f"listing {shape}, compared with the SDK", median["sdk"] / median["tokenkit"], least=least)
            note(f"listing {shape}, compared with requests.json()", median["requests"] / median["tokenkit"])
            note(f"listing {shape}, per token", median["tokenkit"] / count * 1e6, unit=" us")
            most = MEMORY_GOALS.get(count)
            note(f"listing {shape}, peak memory", memory["tokenkit"][1] / memory["sdk"][1], most=most)
            more = {name: peak - before for name, (before, peak) in memory.items()}
            print(
                f"{count:9,}  {layout:8}  {median['sdk'] * 1e3:8.1f}  "
                f"{median['sdk'] / median['requests']:12.1f}x  {median['sdk'] / median['tokenkit']:7.1f}x  "
                f"{median['tokenkit'] / count * 1e6:8.2f}  {memory['tokenkit'][1]:3.0f}  "
                f"{memory['tokenkit'][1] / memory['sdk'][1]:4.2f}x of {memory['sdk'][1]:4.0f}  "
                f"{more['tokenkit']:3.0f} of {more['sdk']:4.0f} MB",
                flush=True,
            )


def _processor_seconds() -> float:
    """Return the processor time of the child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def imports(environment: dict[str, str], pairs: int = 31) -> None:
    """Print the cost of the import, compared with its required dependencies; ratios are medians over pairs of runs."""
    ours_needs = "import tokenkit; tokenkit.connect"  # the names are imported on first use
    statements = ["import requests, pandas", ours_needs]
    taken: dict[str, list[tuple[float, float]]] = {statement: [] for statement in statements}
    for number in range(pairs):
        for statement in statements if number % 2 else statements[::-1]:
            before, start = _processor_seconds(), time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
            taken[statement].append((time.perf_counter() - start, _processor_seconds() - before))
    ours = statistics.median(seconds for seconds, _ in taken[ours_needs])
    wall, cpu = (
        statistics.median(ours[kind] / both[kind] for both, ours in zip(*taken.values(), strict=True))
        for kind in range(2)
    )
    note("import tokenkit, compared with requests and pandas", wall, most=IMPORT_GOAL)
    print(
        f"\nimport tokenkit: {ours * 1e3:.0f} ms, {wall:.2f}x of importing requests and pandas; "
        f"{cpu:.2f}x of its processor time"
    )


def main() -> None:
    """Run the benchmark, or one of its subprocesses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 100,000 tokens")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(int(options.serve[0]), options.serve[1])
    elif options.memory:
        way, host = options.memory
        run = WAYS[way](host)
        print(_own_mb("VmRSS"))
        run()
        print(_own_mb("VmHWM"))
    else:
        sizes = {count: times for count, times in SIZES.items() if not options.quick or count <= 100_000}
        with compiled() as environment:
            listings(sizes, environment)
            imports(environment)


if __name__ == "__main__":
    main()
