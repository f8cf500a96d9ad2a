"""The workspaces of a fleet, asked many at once.

**A workspace that fails costs its own answer and no others**: it becomes a row of ``Members.errors``, a line says that
the answer is partial, and only where nobody answers is there an exception. ``Members.each`` does all of that.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.actions.journal import Run
from tokenkit.actions.plan import counted
from tokenkit.redaction import redact
from tokenkit.rest.hosts import Address
from tokenkit.workspace import Workspace

WORKERS = 64
"""How many workspaces are asked at once."""

_NAMED_FAILURES = 3

ERRORS = pa.schema(
    [("workspace", pa.string()), ("asked", pa.string()), ("kind", pa.string()), ("message", pa.string())]
)

_Answer = TypeVar("_Answer")


class Member:
    """A workspace of a fleet, connected when it is first asked something: that may take a request."""

    def __init__(self, address: Address, folder: Path, connect_it: Callable[[], Workspace]) -> None:
        self.host = address.host
        self.folder = folder
        self._address = address
        self._connect = connect_it
        self._lock = threading.Lock()
        self._workspace: Workspace | None = None

    @property
    def workspace_id(self) -> str:
        """Its id, as far as it is known."""
        return self._address.workspace_id or (self._workspace.workspace_id if self._workspace else "")

    def workspace(self) -> Workspace:
        """Return it, connected."""
        with self._lock:
            if self._workspace is None:
                made = self._connect()
                if made.host != self.host:
                    raise errors.ConfigurationError(f"{self.host} turned out to be {made.host}. Name that instead.")
                self._workspace = made
            return self._workspace


class Members:
    """Workspaces that are asked together.

    Attributes:
        hosts: Their addresses: the host, and ``?o=ID`` after it where two of them are behind one host.
        name: What they are called in messages: ``3 workspaces``.
        workers: How many of them are asked at once.
        shows_progress: Whether a progress bar is shown over what takes more than two seconds.
        failures: The rows of ``errors`` by verb.
    """

    def __init__(
        self,
        members: Iterable[Member],
        *,
        workers: int = WORKERS,
        shows_progress: bool = True,
        left_out: Mapping[str, Exception] | None = None,
    ) -> None:
        self._members, unknown = _named_apart(members)
        left_out = {**(left_out or {}), **unknown}
        if not self._members:
            raise next(iter(left_out.values()))
        self.workers = workers
        self.shows_progress = shows_progress
        self.failures: dict[str, list[dict[str, str]]] = {}
        self.hosts = tuple(self._members)
        self.name = counted(len(self.hosts), "workspace")
        self.note("discover", left_out, of=len(self.hosts) + len(left_out))

    def __contains__(self, host: object) -> bool:
        return host in self._members

    def name_of(self, workspace: Workspace | Run) -> str:
        """Return what this fleet calls a workspace, or the workspace of a run; also where it is not one of its own."""
        member = self._members.get(workspace.host)
        if member is not None and member.workspace_id in {"", workspace.workspace_id}:
            return workspace.host
        return str(Address(workspace.host, workspace.workspace_id))

    @property
    def errors(self) -> pd.DataFrame:
        """What went wrong: ``workspace, asked, kind, message``; see ``Fleet.errors``."""
        return frames.frame([row for rows in self.failures.values() for row in rows], ERRORS)

    def workspace(self, host: str) -> Workspace:
        """Return one of the workspaces, connected.

        Raises:
            UsageError: It is none of them.
        """
        self.check([host])
        return self._members[host].workspace()

    def folders(self) -> list[Path]:
        """Return the folders of their journals, each once."""
        return list(dict.fromkeys(member.folder for member in self._members.values()))

    def check(self, hosts: Iterable[object]) -> None:
        """Refuse a host that is none of them.

        Raises:
            UsageError: There is one.
        """
        for host in hosts:
            if host not in self._members:
                raise errors.UsageError(f"{host!r} is no workspace of this fleet; its .hosts are.")

    def each(
        self, asked: str, ask: Callable[[Workspace], _Answer], *, hosts: Sequence[str] | None = None
    ) -> dict[str, _Answer]:
        """Return each workspace's answer by its host, in the fleet's order; those that failed stand in ``errors``.

        Raises:
            UsageError: Every workspace refused the call itself, so it is the call.
            FleetError: None answered.
        """
        answers, failures = self.gather(asked, ask, self.hosts if hosts is None else hosts, workers=self.workers)
        if failures and not answers:
            first = next(iter(failures.values()))
            if all(isinstance(each, errors.UsageError) for each in failures.values()):
                raise first
            self.note(asked, failures, of=len(failures), quietly=True)
            raise errors.FleetError(
                f"{asked}: none of {counted(len(failures), 'workspace')} answered; .errors has all. The first: {first}"
            )
        self.note(asked, failures, of=len(answers) + len(failures))
        return answers

    def gather(
        self,
        asked: str,
        ask: Callable[[Workspace], _Answer],
        hosts: Sequence[str],
        *,
        workers: int,
        progress: bool = True,
        stop: threading.Event | None = None,
    ) -> tuple[dict[str, _Answer], dict[str, Exception]]:
        """Ask workspaces, many at once; return the answers and the failures by host, in the order given.

        Ctrl-C ends it at once; where there is a ``stop``, it is set, and what is under way is waited for.
        """
        if not hosts:
            return {}, {}
        answers: dict[str, _Answer] = {}
        failures: dict[str, Exception] = {}

        def asked_of(host: str) -> _Answer:
            workspace = self._members[host].workspace()
            try:
                return ask(workspace)
            finally:
                workspace.close()  # a thousand workspaces would keep more connections than a process may have

        pool = ThreadPoolExecutor(min(workers, len(hosts)), thread_name_prefix="tokenkit-fleet")
        futures: dict[Future[_Answer], str] = {}
        try:
            for host in hosts:
                futures[pool.submit(asked_of, host)] = host
            with _progress_bar(len(hosts), asked, shown=progress and self.shows_progress) as advance:
                _wait_for(futures, advance, stop)
        except KeyboardInterrupt:
            if stop is not None:
                stop.set()  # also where the interrupt came before anybody waited
            raise
        finally:
            pool.shutdown(wait=stop is not None, cancel_futures=True)
        for future, host in futures.items():
            try:
                answers[host] = future.result()
            except CancelledError:
                failures[host] = errors.ConnectionFailedError(f"{host} was not asked: stopped before its turn.")
            except Exception as failure:  # noqa: BLE001 - whatever it is, it costs this workspace only
                failures[host] = failure
        return answers, failures

    def note(self, asked: str, failures: Mapping[str, Exception], *, of: int, quietly: bool = False) -> None:
        """Keep what failed, and say that it did."""
        self.failures[asked] = [
            {"workspace": host, "asked": asked, "kind": type(failure).__name__, "message": redact(str(failure))}
            for host, failure in failures.items()
        ]
        if failures and not quietly:
            kinds = ", ".join(sorted({type(failure).__name__ for failure in failures.values()})[:_NAMED_FAILURES])
            sys.stderr.write(
                f"{asked}: the answer is partial, {len(failures):,} of {counted(of, 'workspace')} failed ({kinds}); "
                "see .errors.\n"
            )


def _named_apart(members: Iterable[Member]) -> tuple[dict[str, Member], dict[str, Exception]]:
    """Return workspaces by what they are called, each once, and those of which it cannot be said which they are.

    Where several are behind one host, they are asked for their ids: they may be one under several names, or several.
    """
    by_host: dict[str, list[Member]] = {}
    for member in members:
        by_host.setdefault(member.host, []).append(member)
    named: dict[str, Member] = {}
    unknown: dict[str, Exception] = {}
    for host, group in by_host.items():
        by_id: dict[str, Member] = {}
        for member in group:
            try:
                by_id.setdefault(_id_of(member) if len(group) > 1 else "", member)
            except errors.TokenKitError as failure:
                unknown[host] = failure
        for workspace_id, member in by_id.items():
            named[str(Address(host, workspace_id)) if len(by_id) > 1 else host] = member
    return named, unknown


def _id_of(member: Member) -> str:
    return member.workspace_id or member.workspace().identify()


def _wait_for(futures: Iterable[Future[Any]], advance: Callable[[], None], stop: threading.Event | None) -> None:
    try:
        for _ in as_completed(futures):
            advance()
    except KeyboardInterrupt:
        if stop is None:
            raise
        stop.set()  # what is under way ends by itself, with its true outcomes
        for future in futures:
            future.cancel()
        for _ in as_completed(futures):
            pass


@contextlib.contextmanager
def _progress_bar(total: int, asked: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    if not shown:
        yield lambda: None
        return
    from tqdm.auto import tqdm  # noqa: PLC0415 - only a fleet needs it

    # Nothing is shown of what is over within two seconds.
    with tqdm(total=total, desc=asked, unit="workspace", delay=2, leave=False, file=sys.stderr) as bar:
        yield lambda: bar.update(1) and None
