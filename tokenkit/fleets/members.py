"""The workspaces of a fleet, which are queried concurrently.

**If a workspace fails, only its own rows are missing**: it becomes a row of ``Members.errors``, and a message says that
the result is partial. An exception is raised only if every workspace fails. ``Members.each`` implements this.
"""

from __future__ import annotations

import contextvars
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from tokenkit import errors, frames
from tokenkit.actions.journal import Run
from tokenkit.core.arguments import whole_number
from tokenkit.core.printable import printable
from tokenkit.core.progress import progress_bar
from tokenkit.core.redaction import redact
from tokenkit.core.spelling import is_in_command, spelled
from tokenkit.core.wording import first_of, of, part_of, pluralize
from tokenkit.rest.hosts import Address
from tokenkit.workspaces.workspace import Workspace

WORKERS = 64
"""The number of workspaces that are queried at once."""

DISCOVER = "discover"
"""The operation of failures when a fleet is made."""

_NAMED_FAILURES = 3

ERRORS = frames.schema(workspace=str, operation=str, error_type=str, message=str)

_Result = TypeVar("_Result")


class Member:
    """A workspace of a fleet, connected when it is first used, which may send a request."""

    def __init__(self, address: Address, folder: Path, connect_it: Callable[[], Workspace], *, label: str = "") -> None:
        self.host = address.host
        self.folder = folder
        self.label = label or address.host
        self._address = address
        self._connect = connect_it
        self._lock = threading.Lock()
        self._workspace: Workspace | None = None

    @property
    def workspace_id(self) -> str:
        """The workspace's id; empty if it is not known."""
        return self._address.workspace_id or (self._workspace.workspace_id if self._workspace else "")

    def workspace(self) -> Workspace:
        """Return the connected workspace."""
        with self._lock:
            if self._workspace is None:
                made = self._connect()
                if made.host != self.host:
                    raise errors.ConfigurationError(f"{self.host} is actually {made.host}. Use that host instead.")
                self._workspace = made
            return self._workspace


class Members:
    """Workspaces that are queried together.

    Attributes:
        hosts: Their addresses: the host, followed by ``?o=ID`` if several workspaces share it.
        workers: The number of workspaces that are queried at once.
        shows_progress: Whether to show a progress bar for operations that take more than two seconds.
        reports_failures: Whether to print a message if an operation is partial.
        failures: The rows of ``errors`` by operation.
    """

    def __init__(
        self,
        members: Iterable[Member],
        *,
        workers: int = WORKERS,
        shows_progress: bool = True,
        left_out: Mapping[str, Exception] | None = None,
    ) -> None:
        self._members, unknown, unused = _named_apart(members)
        left_out = {**(left_out or {}), **unknown}
        if not self._members:
            raise next(iter(left_out.values()))
        self.workers = whole_number("workers", workers, least=1)
        self.shows_progress = shows_progress
        self.reports_failures = True
        self.failures: dict[str, list[dict[str, str]]] = {}
        self.hosts = tuple(self._members)
        self.note(DISCOVER, left_out, of=len(self.hosts) + len(left_out))
        for host, names in unused.items():
            sys.stderr.write(f"{printable(_credential_of(self._members[host].label, names))}\n")

    @property
    def labels(self) -> dict[str, str]:
        """The users' names of the workspaces, by address: the profile or the name in the account, if it is unique."""
        counts = Counter(member.label for member in self._members.values())
        return {host: member.label if counts[member.label] == 1 else host for host, member in self._members.items()}

    def addresses(self) -> dict[str, Address]:
        """The host and the id of each workspace, as far as they are known without a request."""
        return {name: Address(member.host, member.workspace_id) for name, member in self._members.items()}

    def forget_failures(self) -> None:
        """Clear the failures of operations. What was left out from the beginning is missing from every result."""
        self.failures = {DISCOVER: self.failures[DISCOVER]}

    def name_without(self, failed: Container[str]) -> str:
        """Return the name of the workspaces in messages, without those that failed: ``2 of 3 workspaces``."""
        return self.name_of_some([host for host in self.hosts if host not in failed])

    def name_of_some(self, some: Collection[str]) -> str:
        """Return the name of workspaces in messages: ``2 of 3 workspaces`` if any failed, otherwise ``2 workspaces``,
        because nothing is missing. A run can have some that are not in the fleet.
        """
        if self.errors.empty:
            return pluralize(len(some), "workspace")
        left_out = {row["workspace"] for row in self.failures[DISCOVER]} - {*self.hosts}
        return part_of(len(some), len({*self.hosts, *some}) + len(left_out), "workspace")

    def __contains__(self, host: object) -> bool:
        return host in self._members

    def name_of(self, workspace: Workspace | Run | Address) -> str:
        """Return this fleet's name of a workspace, or of the workspace of a run, even if it is not in the fleet."""
        member = self._members.get(workspace.host)
        if member is not None and member.workspace_id in {"", workspace.workspace_id}:
            return workspace.host
        return str(Address(workspace.host, workspace.workspace_id))

    @property
    def errors(self) -> pd.DataFrame:
        """The failures: ``workspace, operation, error_type, message``; see ``Fleet.errors``."""
        return frames.frame([row for rows in self.failures.values() for row in rows], ERRORS)

    def workspace(self, host: str) -> Workspace:
        """Return one of the workspaces, connected, for its address or its name in ``labels``.

        Raises:
            UsageError: The fleet has no such workspace.
        """
        if not isinstance(host, str):
            raise errors.UsageError(f"host must be a string, not {type(host).__name__}.")
        return self._members[self.address_of(host)].workspace()

    def folders(self) -> list[Path]:
        """Return the distinct folders of their journals."""
        return list(dict.fromkeys(member.folder for member in self._members.values()))

    def address_of(self, name: object) -> str:
        """Return the address of a workspace, for its address or its name in ``labels``.

        Raises:
            UsageError: The fleet has no such workspace.
        """
        if name in self._members:
            return str(name)
        for address, label in self.labels.items():
            if label == name:
                return address
        raise errors.UsageError(f"{name!r} is not a workspace of this fleet.{spelled(' Use one of its .hosts.')}")

    def each(
        self, operation: str, ask: Callable[[Workspace], _Result], *, hosts: Sequence[str] | None = None
    ) -> dict[str, _Result]:
        """Return the result of each workspace by host, in the fleet's order. Failures are added to ``errors``.

        Raises:
            UsageError: Every workspace rejected the call itself as invalid.
            FleetError: No workspace responded.
        """
        results, failures = self.gather(operation, ask, self.hosts if hosts is None else hosts, workers=self.workers)
        if failures and not results:
            first = next(iter(failures.values()))
            if all(isinstance(failure, errors.UsageError) for failure in failures.values()):
                raise first
            self.note(operation, failures, of=len(failures), quietly=True)
            raise errors.FleetError(
                f"{operation}: none of {pluralize(len(failures), 'workspace')} succeeded{spelled('; see .errors')}. "
                f"The first: {first}"
            )
        self.note(operation, failures, of=len(results) + len(failures))
        return results

    def gather(
        self,
        operation: str,
        ask: Callable[[Workspace], _Result],
        hosts: Sequence[str],
        *,
        workers: int,
        progress: bool = True,
        stop: threading.Event | None = None,
    ) -> tuple[dict[str, _Result], dict[str, Exception]]:
        """Query workspaces concurrently; return the results and the failures by host, in the given order.

        Ctrl-C ends it immediately. If there is a ``stop``, it is set, and calls in progress are awaited.
        """
        if not hosts:
            return {}, {}
        results: dict[str, _Result] = {}
        failures: dict[str, Exception] = {}

        def asked_of(host: str) -> _Result:
            workspace = self._members[host].workspace()
            try:
                return ask(workspace)
            finally:
                workspace.close()  # a thousand workspaces would exceed a process's limit of connections

        pool = ThreadPoolExecutor(min(workers, len(hosts)), thread_name_prefix="tokenkit-fleet")
        futures: dict[Future[_Result], str] = {}
        try:
            for host in hosts:
                futures[pool.submit(contextvars.copy_context().run, asked_of, host)] = host
            shown = progress and self.shows_progress
            with progress_bar(len(hosts), operation, unit="workspace", shown=shown) as advance:
                _wait_for(futures, advance, stop)
        except KeyboardInterrupt:
            if stop is not None:
                stop.set()  # also if the interrupt came before the wait
            raise
        finally:
            pool.shutdown(wait=stop is not None, cancel_futures=True)
        for future, host in futures.items():
            try:
                results[host] = future.result()
            except CancelledError:
                failures[host] = errors.ConnectionFailedError(f"{host} was not queried: stopped before its turn.")
            except Exception as failure:  # noqa: BLE001 - any error affects only this workspace
                failures[host] = failure
        return results, failures

    def note(self, operation: str, failures: Mapping[str, Exception], *, of: int, quietly: bool = False) -> None:
        """Record failures, and print a message about them."""
        self.failures[operation] = [
            dict(zip(ERRORS.names, (host, operation, type(failure).__name__, redact(str(failure))), strict=True))
            for host, failure in failures.items()
        ]
        if failures and not quietly and self.reports_failures:
            kinds = ", ".join(sorted({type(failure).__name__ for failure in failures.values()})[:_NAMED_FAILURES])
            failed = f"{operation}: the result is partial: {len(failures):,} of {pluralize(of, 'workspace')} failed"
            host, first = next(iter(failures.items()))
            cause = f". The first: {with_name(self.labels.get(host, host), printable(redact(str(first))), ':')}"
            of_python = f" ({kinds}){spelled('; see .errors')}."
            sys.stderr.write(f"{failed}{cause if is_in_command() else of_python}\n")


def with_name(workspace: str, message: str, failed: str) -> str:
    """Return a message about a workspace with its name before it, unless its first sentence has the name.

    Args:
        workspace: The name.
        message: The message.
        failed: What is between both: ``:`` or ``failed:``.
    """
    is_named = message.startswith(f"{workspace} ") or repr(workspace) in message.partition(". ")[0]
    return message if is_named else f"{workspace}{failed} {message}"


def _named_apart(
    members: Iterable[Member],
) -> tuple[dict[str, Member], dict[str, Exception], dict[str, list[str]]]:
    """Return distinct workspaces by name, those whose identity cannot be determined, and the other labels of those that
    have several.

    Workspaces that share a host are asked for their ids: they may be several, or one with several names.
    """
    by_host: dict[str, list[Member]] = {}
    for member in members:
        by_host.setdefault(member.host, []).append(member)
    named: dict[str, Member] = {}
    unknown: dict[str, Exception] = {}
    unused: dict[str, list[str]] = {}
    for host, group in by_host.items():
        by_id: dict[str, list[Member]] = {}
        for member in group:
            try:
                by_id.setdefault(_id_of(member) if len(group) > 1 else "", []).append(member)
            except errors.TokenKitError as failure:
                unknown[host] = failure
        for workspace_id, (first, *others) in by_id.items():
            name = str(Address(host, workspace_id)) if len(by_id) > 1 else host
            named[name] = first
            if labels := list(dict.fromkeys(other.label for other in others if other.label != first.label)):
                unused[name] = labels
    return named, unknown, unused


def _credential_of(used: str, unused: Sequence[str]) -> str:
    """Return the message about several names of a workspace. If the credential of the first is refused, none is tried:
    a change is made by the identity that was named.
    """
    same = f"{first_of(unused, _NAMED_FAILURES)} {of(len(unused), 'is', 'are')} the same workspace as {used}"
    return f"{same}. Only the credential of {used}, which is given first, is used."


def _id_of(member: Member) -> str:
    return member.workspace_id or member.workspace().identify()


def _wait_for(futures: Iterable[Future[Any]], advance: Callable[[int], None], stop: threading.Event | None) -> None:
    try:
        for _ in as_completed(futures):
            advance(1)
    except KeyboardInterrupt:
        if stop is None:
            raise
        stop.set()  # calls in progress end by themselves, with their true outcomes
        for future in futures:
            future.cancel()
        for _ in as_completed(futures):
            pass
