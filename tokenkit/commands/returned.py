"""The columns of the rows that each command returns, known before it runs and without pandas.

Completion offers them, and a misspelled one is an error before the first request or question.
``tests/commands/test_printing.py`` and ``test_changing_results.py`` compare them with the rows.
"""

from __future__ import annotations

from collections.abc import Mapping

# The listing: what the API returns, and what is derived from the time and from the users and service principals.
API = (
    *("token_id", "comment", "created_by_id", "created_by_username", "owner_id", "creation_time", "expiry_time"),
    *("last_used_day", "scopes", "autoscope_state", "inferred_scopes", "backfill_scopes", "workspace_id"),
)
LIFECYCLE = (
    *("status", "never_expires", "age_days", "lifetime_days", "expires_in_days", "idle_days", "effective_end"),
)
OWNER = ("owner", "owner_kind", "owner_active")
LISTING = (*API, *LIFECYCLE, *OWNER)
"""The columns of a listing. The server may send others."""
ON_REQUEST = ("ends_by",)
"""The columns of a listing that are computed only if they are asked for, or if a filter is about them."""

_RUNS = (
    *("run_id", "kind", "workspace", "host", "workspace_id", "caller", "reason", "started_at", "finished_at", "change"),
    *("tokens", "done", "skipped", "failed", "unknown", "still_listed", "remaining", "settings", "due"),
)
_TOKENS_OF_RUNS = (
    *("run_id", "kind", "workspace", "host", "workspace_id", "caller", "reason", "token_id", "owner", "comment"),
    *("new_comment", "scopes", "new_scopes", "outcome", "error", "attempts", "started_at", "finished_at"),
    *("run_started_at", "snapshot"),
)
_ENTRIES_OF_RUNS = (
    *("run_id", "workspace", "kind", "principal", "permission_level", "new_permission_level", "display_name"),
    *("outcome", "caller", "reason", "started_at"),
)
_OF_FLEET = "fleet "
_PERMISSIONS = (
    *("user_name", "group_name", "service_principal_name", "display_name", "permission_level", "inherited"),
    "inherited_from_object",
)
_OUTCOME = ("outcome", "error", "attempts", "started_at", "finished_at")
_NEW = ("new_comment", "new_scopes")
_AFFECTED = ("effect", "protected")
_ACCESS = (
    *("id", "principal", "kind", "active", "can_use", "permission_level", "via", "tokens", "last_used_day"),
    *("tokens_without_permission", "permission_unused"),
)
_OPTIONS = {"findings": "--findings", "usage": "--usage", "runs": "", "tokens": "--tokens", "run_id": "--run"}
"""The options that make some commands return other rows, by their parameters. The first one that is given decides."""
_PRINCIPALS = ("id", "principal", "kind", "via", "tokens")
_BY_CHANGE: dict[str, tuple[str, ...]] = {
    "revoke": (*LISTING, "used_by", "warnings", *_OUTCOME),
    "resume": ("workspace", *LISTING, *_NEW, "warnings", *_OUTCOME),  # a run of a fleet, too, and of an update
    **dict.fromkeys(("update", "scopes"), (*LISTING, *_NEW, *_OUTCOME)),
    "undo": ("workspace", *LISTING, *_NEW, *_OUTCOME),
    **dict.fromkeys(
        ("permissions set", "permissions add", "permissions remove"),
        (*LISTING, *_AFFECTED, *_OUTCOME, *_PRINCIPALS, "new_permission_level", "reason", *_PERMISSIONS),
    ),
}
"""The columns of plans and of their results. A plan has every column of the listing that is asked for."""
_BY_COMMAND: dict[str, tuple[str, ...]] = {
    "list": (*LISTING, *ON_REQUEST),
    "get": (*LISTING, "findings"),
    "scopes": (
        *("token_id", "owner", "owner_kind", "last_used_day", "autoscope_state", "scopes", "reach", "used_scopes"),
        *("unused_scopes", "new_scopes", "advice", "reason"),
    ),
    "usage": (
        *("token_id", "logins", "first_login", "last_login", "days_used", "source_addresses", "source_networks"),
        *("user_agents", "clients", "matched", "identities", "source_addresses_counts", "source_networks_counts"),
        *("user_agents_counts", "clients_counts", "identities_counts"),
    ),
    "permissions show": _PERMISSIONS,
    "permissions levels": ("permission_level", "description"),
    "access": _ACCESS,
    "access --usage": (*_ACCESS, "logins", "last_login", "clients"),
    "audit": ("rule", "title", "severity", "findings", "waived", "why", "remedy", "not_checked"),
    "audit --findings": ("rule", "severity", "token_id", "owner", "evidence", "remedy"),
    "journal": _RUNS,
    "journal --tokens": _TOKENS_OF_RUNS,
    "journal --run": tuple(dict.fromkeys((*_ENTRIES_OF_RUNS, *_TOKENS_OF_RUNS, *_RUNS))),  # by what the run changed
    "resume": _RUNS,
    "snapshot": ("path", "workspace", "host", "workspace_id", "taken_at", "tokens"),
    "changes": ("token_id", "change", "cause", "owner", "comment", "before", "after", "at", "run_id"),
    "find-leaked": (
        *("token_id", *OWNER, "scopes", "status", "last_used_day", "effective_end", "comment", "locations"),
        "matched_as",
    ),
}


def name_of(path: str, options: Mapping[str, object]) -> str:
    """Return the name of a command in these functions, with the option that makes it return other rows, if any."""
    given = (f"{path} {option}".strip() for name, option in _OPTIONS.items() if options.get(name))
    return next((name for name in given if name.removeprefix(_OF_FLEET) in _BY_COMMAND), path)


def columns_of(path: str, *, is_plan: bool) -> tuple[str, ...]:
    """Return the columns of the rows of a command.

    Args:
        path: The command, as ``name_of`` returns it.
        is_plan: Whether the rows are those of a plan or of its result; see ``Command.is_plan``.
    """
    found = _named(_BY_CHANGE, path) if is_plan else _named(_BY_COMMAND, path)
    return found or _named(_BY_CHANGE, path)  # `undo` without the run is not a plan yet


def sorted_columns_of(path: str) -> tuple[str, ...]:
    """Return the columns that ``--sort`` of a command takes: of a change, those of the listing that it selects from."""
    return _named(_BY_COMMAND, path, LISTING)


def commands_with(column: str) -> list[str]:
    """Return the commands whose rows have a column, with the option that it requires, if any.

    Commands whose plans have it are returned only if there are no others.
    """
    by_command, by_change = (
        [path for path, columns in table.items() if column in columns] for table in (_BY_COMMAND, _BY_CHANGE)
    )
    without_option = [path for path in by_command if path.partition(" --")[0] not in {*by_command} - {path}]
    return without_option or by_change


def without_listing() -> dict[str, tuple[str, ...]]:
    """Return the columns of each command that a listing lacks."""
    every = {path: (*_BY_COMMAND.get(path, ()), *_BY_CHANGE.get(path, ())) for path in {**_BY_COMMAND, **_BY_CHANGE}}
    return {path: tuple(dict.fromkeys(name for name in found if name not in LISTING)) for path, found in every.items()}


def _named(table: Mapping[str, tuple[str, ...]], path: str, otherwise: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the columns of a command in a table; of a fleet, with its workspaces."""
    columns = table.get(path.removeprefix(_OF_FLEET), otherwise)
    of_fleet = ("workspace",) if columns and path.startswith(_OF_FLEET) else ()
    return tuple(dict.fromkeys((*of_fleet, *columns)))


def may_have_others(columns: tuple[str, ...]) -> bool:
    """Return whether rows can have other columns than these, which only the server knows."""
    return set(columns) >= set(LISTING)
