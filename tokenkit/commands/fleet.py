"""Commands over multiple workspaces: the commands of one workspace, run on a fleet.

A fleet has the methods of a workspace that these commands use, so that commands over a fleet share their code.
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from tokenkit import errors
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.core.wording import comma_list, first_of
from tokenkit.fleets.connect import fleet
from tokenkit.fleets.fleet import Fleet
from tokenkit.fleets.members import with_name
from tokenkit.rest import credentials

_NAMED = 5
_NAMES = re.compile(r"https?://\S+|'[^']*'")


@contextlib.contextmanager
def in_fleet(front_end: FrontEnd, **named: str | None) -> Iterator[Session[Fleet]]:
    """Open a session on the fleet of ``--profiles`` or ``--account``; at the end, show the errors of its workspaces."""
    workspaces = front_end.fleet(**named)
    workspaces.shows_progress &= front_end.shows_progress  # may be off in a fleet of a notebook
    workspaces.forget_errors()  # show only the errors of this command
    try:
        with workspaces.without_messages():
            yield Session(front_end=front_end, workspace=lambda: workspaces, named=named)
    except errors.FleetError:  # it has the first failure
        if len(alike := _alike(workspaces)) > 1:
            _conclude(front_end, workspaces, alike)
        raise
    except BaseException:
        _conclude(front_end, workspaces, _alike(workspaces))
        raise
    _conclude(front_end, workspaces, _alike(workspaces))


def _conclude(front_end: FrontEnd, workspaces: Fleet, alike: Mapping[str, Mapping[str, str]]) -> None:
    """Show each failure, once for all workspaces that failed alike."""
    for failed in alike.values():
        name, message = next(iter(failed.items()))
        several = f"{first_of([*failed], _NAMED)} failed alike. The first: {message}"
        cause = several if len(failed) > 1 else with_name(name, message, " failed:")
        front_end.conclude(f"The result is partial ({workspaces.name}): {cause}")


def _alike(workspaces: Fleet) -> dict[str, dict[str, str]]:
    """Return the failures, by name and message, of the workspaces whose messages differ only in names."""
    failures = workspaces.errors.drop_duplicates(["workspace", "message"])
    found: dict[str, dict[str, str]] = {}
    for workspace, message in failures[["workspace", "message"]].itertuples(index=False, name=None):
        name = workspaces.labels.get(workspace, workspace)
        found.setdefault(_NAMES.sub("", message), {})[name] = message
    return found


def fleet_of(
    profiles: str | None, account: str | None, account_id: str | None, *, now: pd.Timestamp | None = None
) -> Fleet:
    """Return the fleet that the options select.

    Args:
        profiles: Names of profiles, with commas. ``prod-*`` names all profiles that begin with it.
        account: What ``fleet`` takes for an account, instead.
        account_id: Which account.
        now: The current time, or None for the clock's.

    Raises:
        UsageError: The options select no fleet.
    """
    if profiles:
        return fleet(_matching(comma_list(profiles)), clock=now)
    if account:
        return fleet(account=account, account_id=account_id, clock=now)
    raise errors.UsageError("Missing selection of workspaces. Give --profiles prod,dev or --account NAME.")


def _matching(names: Sequence[str]) -> list[str]:
    """Return the names, with the profiles that match in place of each pattern."""
    known = credentials.profiles() if any(map(_is_pattern, names)) else []
    found: dict[str, None] = {}
    for name in names:
        matches = fnmatch.filter(known, name) if _is_pattern(name) else [name]
        if not matches:
            raise errors.UsageError(f"No profile matches {name!r}. Known: {', '.join(known) or 'none'}.")
        found |= dict.fromkeys(matches)
    return [*found]


def _is_pattern(name: str) -> bool:
    return "*" in name
