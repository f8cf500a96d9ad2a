"""``python -m tokenkit.sandbox``: serve workspaces until interrupted.

``tokenkit sandbox`` also uses ``SETTINGS`` and ``serve``, with its own parser, because the sandbox imports only the
standard library. The rest of the package is imported only when the server starts, so that the command line stays fast.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import queue
import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from tokenkit.sandbox import Sandbox

USAGE_ERROR = 2


@dataclasses.dataclass(frozen=True)
class Setting:
    """An option of the command line.

    Attributes:
        name: The option.
        help: The help text.
        type: The type of the value; bool for a switch.
        default: The default value.
        metavar: The placeholder for the value in the help.
        choices: The valid values, if there is a fixed set.
        is_repeated: Whether the option can be repeated.
    """

    name: str
    help: str
    type: type = str
    default: str | float | None = None
    metavar: str = ""
    choices: tuple[str, ...] = ()
    is_repeated: bool = False


SETTINGS = (
    Setting("--port", "port of the first workspace; the others follow (default: free ports)", int, 0, "PORT"),
    Setting("--tokens", "tokens in each workspace (default: 1000)", int, 1000, "N"),
    Setting("--workspaces", "number of workspaces, each on its own port (default: 1)", int, 1, "K"),
    Setting("--seed", "seed of the generated company (default: 0)", int, 0, "SEED"),
    Setting("--database", "file that stores the state (default: in memory)", metavar="PATH"),
    Setting("--latency-ms", "delay of each request, in milliseconds (default: 0)", float, 0.0, "M"),
    Setting("--rate-limit", "requests per second for each workspace (default: no limit)", float, metavar="R"),
    Setting("--burst", "requests allowed at once under a limit (default: one second's worth)", float, metavar="B"),
    Setting(
        "--fault",
        "send the recorded response NAME to every API request, such as private-link; an unknown NAME lists all",
        metavar="NAME",
        is_repeated=True,
    ),
    Setting(
        "--lost-tokens",
        "what happens to the tokens of principals who lose permission (default: deleted)",
        default="deleted",
        choices=("deleted", "disabled_through_groups", "disabled"),
    ),
    Setting(
        "--audit-ids",
        "which token ids of the audit log are ids of the listing (default: all)",
        default="all",
        choices=("all", "some", "none"),
    ),
    Setting(
        "--clock",
        "time at which the workspaces start, such as 2026-03-01 (default: now); POST /sandbox/clock advances it",
        metavar="TIME",
    ),
    Setting(
        "--profiles",
        "write profiles for the official tools to this file: an admin, a user and a service principal",
        metavar="FILE",
    ),
    Setting("--json", "print hosts and credentials as one line of JSON", bool, default=False),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sandbox to a parser."""
    for setting in SETTINGS:
        if setting.type is bool:
            parser.add_argument(setting.name, action="store_true", help=setting.help)
            continue
        parser.add_argument(
            setting.name,
            action="append" if setting.is_repeated else "store",
            type=setting.type,
            default=[] if setting.is_repeated else setting.default,
            metavar=setting.metavar or None,
            choices=setting.choices or None,
            help=setting.help,
        )


def serve(
    *,
    json: bool,
    fault: Sequence[str],
    port: int,
    clock: str | None,
    profiles: str | None,
    **settings: Any,  # noqa: ANN401 - as Sandbox takes them
) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        json: Whether to print hosts and credentials as JSON.
        fault: The names of recorded responses.
        port: The port of the first workspace.
        clock: The time at which the workspaces start, or None for the current time.
        profiles: The file to write profiles to, or None.
        settings: The other parameters of ``Sandbox``.

    Returns:
        The exit code: 0, or 2 if the options are invalid.
    """
    # See the module docstring.
    from tokenkit.sandbox import DatabaseUnusableError, Fault, Sandbox  # noqa: PLC0415
    from tokenkit.sandbox.profiles import check_writable, profiles_of, write_profiles  # noqa: PLC0415
    from tokenkit.sandbox.state.clock import running_from  # noqa: PLC0415

    file = Path(profiles).expanduser() if profiles else None
    stop: queue.SimpleQueue[None] = queue.SimpleQueue()  # a handler may not use a lock that its thread holds
    try:
        faults = [Fault.named(name) for name in fault]
        if clock:
            settings["clock"] = running_from(clock, time.time)
        if file:
            check_writable(file)
        sandbox = Sandbox(port=port, **settings)
    except (ValueError, OSError, DatabaseUnusableError) as error:
        return _fail(_reason(error, port))
    written: dict[str, dict[str, str]] = {}
    if file:
        try:
            written = profiles_of(sandbox)
            write_profiles(file, written)
        except (ValueError, OSError) as error:
            sandbox.stop()
            return _fail(f"cannot write {file}: {error}")
    sandbox.faults.add(*faults)
    with sandbox, _interruptions(stop):
        _announce(sandbox, as_json=json, profiles=file, names=[*written])
        stop.get()
    return 0


@contextlib.contextmanager
def _interruptions(stop: queue.SimpleQueue[None]) -> Iterator[None]:
    """Put each Ctrl-C and SIGTERM into a queue, and restore the previous handlers."""
    is_main = threading.current_thread() is threading.main_thread()  # only it can set handlers
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    old = {number: signal.signal(number, lambda *_: stop.put(None)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _fail(message: str) -> int:
    print(f"tokenkit sandbox: {message}", file=sys.stderr)  # noqa: T201
    return USAGE_ERROR


def _announce(sandbox: Sandbox, *, as_json: bool, profiles: Path | None, names: Sequence[str]) -> None:
    if as_json:
        workspaces = [{"host": workspace.host, "token": workspace.token} for workspace in sandbox.workspaces]
        account = {
            "host": sandbox.account_host,
            "account_id": sandbox.account_id,
            "client_id": sandbox.client_id,
            "client_secret": sandbox.client_secret,
        }
        where = {"host": sandbox.host, "token": sandbox.token, "workspaces": workspaces, "account": account}
        where["warehouse_id"] = sandbox.warehouse.warehouse_id
        where |= {"profiles": str(profiles.absolute())} if profiles else {}
        _print_line(json.dumps(where))
        return
    first, *others = sandbox.workspaces
    count = len(sandbox.workspaces)
    _print_line(f"Serving simulated Databricks workspaces: {count}. Press Ctrl-C to stop.")
    _print_line("")
    _print_line(f"host:  {first.host}")
    _print_line(f"token: {first.token}")
    _print_line(f"warehouse: {sandbox.warehouse.warehouse_id}")
    _print_line("")
    _print_line("Run this in another shell:")
    warehouse = f"DATABRICKS_WAREHOUSE_ID={sandbox.warehouse.warehouse_id}"
    _print_line(f"export DATABRICKS_HOST={first.host} DATABRICKS_TOKEN={first.token} {warehouse}")
    for workspace in others:
        _print_line(f"also: {workspace.host} {workspace.token}")
    if profiles:
        _print_line("")
        _print_line(f"Or use its profiles, with tokenkit and the official tools: {', '.join(names)}.")
        _print_line(f"export DATABRICKS_CONFIG_FILE={shlex.quote(str(profiles.absolute()))}")
    if others:
        _print_line("")
        _print_line("Or sign in to the account, with the official AccountClient:")
        _print_line(
            f"export DATABRICKS_HOST={sandbox.account_host} DATABRICKS_ACCOUNT_ID={sandbox.account_id} "
            f"DATABRICKS_CLIENT_ID={sandbox.client_id} DATABRICKS_CLIENT_SECRET={sandbox.client_secret}"
        )


def _print_line(line: str) -> None:
    # Flushed, because a program that reads this through a pipe waits for the first line.
    print(line, flush=True)  # noqa: T201


def _reason(error: Exception, port: int) -> str:
    if isinstance(error, OSError):
        reason = error.strerror or error
        if port:
            return f"cannot listen on port {port}: {reason}. Use --port 0 for free ports."
        return f"cannot listen on any port: {reason}"
    return str(error)


def main() -> int:
    """Run the command line."""
    import argparse  # noqa: PLC0415 - `tokenkit sandbox` has another parser

    parser = argparse.ArgumentParser(
        prog="python -m tokenkit.sandbox", description="Serve simulated Databricks workspaces on this machine."
    )
    configure(parser)
    return serve(**vars(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
