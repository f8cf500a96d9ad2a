"""``python -m tokenkit.sandbox``: serve workspaces until interrupted.

``configure`` and ``serve`` are also what ``tokenkit sandbox`` is made of; the rest of the package is imported only
when something is really served, so that a command line stays quick.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from tokenkit.sandbox import Sandbox

USAGE_ERROR = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sandbox to a parser."""
    add = parser.add_argument
    add("--port", type=int, default=0, help="the first workspace's port, the others follow (default: free ports)")
    add("--tokens", type=int, default=1000, metavar="N", help="tokens in each workspace (default: 1000)")
    add("--workspaces", type=int, default=1, metavar="K", help="workspaces, a port each (default: 1)")
    add("--seed", type=int, default=0, help="another number, another company (default: 0)")
    add("--database", metavar="PATH", help="a file that keeps the state (default: memory)")
    add("--latency-ms", type=float, default=0, metavar="M", help="how long each request waits (default: 0)")
    add("--rate-limit", type=float, metavar="R", help="requests a second for each workspace (default: no limit)")
    add("--burst", type=float, metavar="B", help="requests at once under a limit (default: a second's worth)")
    add(
        "--fault",
        action="append",
        default=[],
        metavar="NAME",
        help="refuse every request of the API as NAME was recorded, such as private-link; a wrong NAME lists them",
    )
    add(
        "--lost-tokens",
        choices=("deleted", "disabled_through_groups", "disabled"),
        default="deleted",
        help="what becomes of the tokens of those who lose permission (default: deleted)",
    )
    add("--json", action="store_true", help="say where it is as one line of JSON")


def serve(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, and return the exit code: 0, or 2 for options that cannot be served."""
    from tokenkit.sandbox import DatabaseUnusableError, Fault, Sandbox  # noqa: PLC0415  # see above

    stop = threading.Event()
    try:
        faults = [Fault.named(each) for each in options.fault]
        sandbox = Sandbox(
            tokens=options.tokens,
            workspaces=options.workspaces,
            seed=options.seed,
            database=options.database,
            port=options.port,
            latency_ms=options.latency_ms,
            rate_limit=options.rate_limit,
            burst=options.burst,
            lost_tokens=options.lost_tokens,
        )
    except (ValueError, OSError, DatabaseUnusableError) as error:
        print(f"tokenkit sandbox: {_reason(error, options)}", file=sys.stderr)  # noqa: T201
        return USAGE_ERROR
    sandbox.faults.add(*faults)
    with sandbox, _Interruption(stop):
        _announce(sandbox, as_json=options.json)
        stop.wait()
    return 0


class _Interruption:
    """Turns Ctrl-C and SIGTERM into an event, and puts the old handlers back."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._old: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> None:
        # Only the main thread may set handlers; elsewhere whoever started the thread ends it.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, lambda *_: self._stop.set())

    def __exit__(self, *_: object) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)


def _announce(sandbox: Sandbox, *, as_json: bool) -> None:
    if as_json:
        workspaces = [{"host": each.host, "token": each.token} for each in sandbox.workspaces]
        account = {
            "host": sandbox.account_host,
            "account_id": sandbox.account_id,
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
        }
        where = {"host": sandbox.host, "token": sandbox.token, "workspaces": workspaces, "account": account}
        _say(json.dumps(where))
        return
    first, *others = sandbox.workspaces
    _say(f"A sandbox of Databricks is serving {len(sandbox.workspaces)} workspace(s). Ctrl-C ends it.")
    _say("")
    _say(f"host:  {first.host}")
    _say(f"token: {first.token}")
    _say("")
    _say("Paste this in another shell:")
    _say(f"export DATABRICKS_HOST={first.host} DATABRICKS_TOKEN={first.token}")
    for each in others:
        _say(f"also {each.host} {each.token}")
    if others:
        _say("")
        _say("Or the account, as the official AccountClient signs in to it:")
        _say(
            f"export DATABRICKS_HOST={sandbox.account_host} DATABRICKS_ACCOUNT_ID={sandbox.account_id} "
            f"DATABRICKS_CLIENT_ID={sandbox.client_id} DATABRICKS_CLIENT_SECRET={sandbox.client_secret}"
        )


def _say(line: str) -> None:
    # Flushed: whoever reads our output through a pipe waits for the first line.
    print(line, flush=True)  # noqa: T201


def _reason(error: Exception, options: argparse.Namespace) -> str:
    if isinstance(error, OSError):
        return f"cannot listen on port {options.port or 'any'}: {error.strerror or error}"
    return str(error)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tokenkit.sandbox", description="Databricks workspaces on this machine."
    )
    configure(parser)
    return serve(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
