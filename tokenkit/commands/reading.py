"""The commands that only read: connect, list, get, permissions, access."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

import pandas as pd

from tokenkit import errors, frames, review
from tokenkit.actions.states import REVOKED
from tokenkit.commands.evidence import Evidence, evidence_of
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.core.redaction import redact
from tokenkit.core.wording import first_of, of, part_of, pluralize
from tokenkit.review import columns, filters, lifecycle, preview
from tokenkit.workspaces.base import AnyWorkspace, TokenSource
from tokenkit.workspaces.workspace import Workspace

_SHORTEST_PREFIX = 8
_ENDS_BY = "ends_by"


def connect(session: Session[Workspace], *, target: str | None) -> Workspace | pd.DataFrame:
    """Connect, and read the signed-in identity, so that a wrong credential fails here and not later.

    Returns:
        The workspace; for a shell, a row about it.
    """
    profile = session.named["profile"]
    if target and profile:
        raise errors.UsageError(f"Both a target {target!r} and a profile {profile!r} were given. Give one.")
    workspace = session.front_end.connect(target or profile)
    user, is_admin = workspace.me(), _is_admin(workspace)
    admin = {True: "an admin", False: "not an admin: only admins can list and change tokens", None: "possibly an admin"}
    if session.front_end.returns_objects:
        session.say(f"Connected to {workspace.full_name} as {user} ({admin[is_admin]}).")
        return workspace
    if not is_admin:  # the row has the rest
        session.say(f"{workspace.name}: {user} is {admin[is_admin]}.")
    return pd.DataFrame(
        {
            "workspace": [workspace.name],
            "host": [workspace.host],
            "workspace_id": [workspace.identify()],
            "user": [user],
            "signed_in_by": [workspace.api.origin],
            "admin": pd.array([is_admin], dtype="boolean"),
        }
    )


def _is_admin(workspace: Workspace) -> bool | None:
    """Return whether the caller may read what only admins read; None if the response does not say."""
    try:
        workspace.permissions()
    except (errors.NotAnAdminError, errors.PermissionDeniedError):
        return False
    except errors.ApiError:
        return None
    return True


def list_tokens(
    session: Session[TokenSource],
    *,
    where: str | None,
    sort: str | None,
    limit: int | None,
    **criteria: Any,  # noqa: ANN401 - as the filters take them
) -> pd.DataFrame:
    """List the tokens that match the filters."""
    workspace = session.workspace()
    found = workspace.tokens(where, **criteria)
    is_misspelt = warn_of_misspelt(session, workspace, criteria, found)
    warn_of_unscoped(session, criteria)
    is_ending = criteria.get("expires_in") is not None
    if is_ending or any(columns.named(name, [_ENDS_BY]) for name in (*session.columns, (sort or "").lstrip("-"))):
        # The remedy depends on which of the two ends applies.
        found = found.assign(**{_ENDS_BY: lifecycle.ends_by(found)})
    names_of_columns(session.columns, found.columns)  # an error comes before what is said of the rows
    if sort:
        found = sorted_by(found, sort)
    session.front_end.remember(found)
    tokens = limited(found, limit)
    count = f"{workspace.name}: {pluralize(len(found), 'token')}."
    if len(tokens) < len(found):
        session.front_end.hint(f"{count} Showing the first {len(tokens):,}.")
    elif not is_misspelt:
        session.say(count)
    if is_ending and (unused := int((found[_ENDS_BY] == lifecycle.DISUSE).sum())):
        ends = of(unused, "ends", "end")
        session.say(
            f"{unused:,} of them {ends} after {lifecycle.IDLE_LIMIT_DAYS} days of disuse. Use a token to keep it."
        )
    return tokens


def warn_of_misspelt(
    session: Session[Any], workspace: TokenSource, criteria: Mapping[str, Any], found: pd.DataFrame
) -> bool:
    """Show which values of the filters match no token, if nothing was found, and return whether there are any."""
    if len(found):
        return False
    sentences = filters.misspelt(workspace.tokens_with_aliases(), criteria, workspace.principal_names)
    for sentence in sentences:
        session.front_end.warn_last(sentence)
    return bool(sentences)


def warn_of_unscoped(session: Session[Any], criteria: Mapping[str, Any]) -> None:
    """Show that a filter by the scope of all APIs leaves out tokens whose scopes are not stated, which can mean all."""
    named = criteria.get("scope") or ()
    if named and review.scopes.ALL_APIS in named:
        both = f"'{review.scopes.ALL_APIS}' in scopes or scopes.isna()"
        session.front_end.warn_last(
            f'Tokens without scopes can also use all APIs. To include them, use --where "{both}" instead.'
        )


def say_if_replaced(front_end: FrontEnd, to: str) -> None:
    """Show a message if a file that will be written already exists."""
    if Path(to).exists():
        front_end.say(f"Replacing the existing file {to}.")


def selected(workspace: TokenSource, where: str | None, criteria: Mapping[str, Any], sort: str | None) -> pd.DataFrame:
    """Return the tokens that match the filters of a command, sorted."""
    tokens = workspace.tokens(where, **criteria)
    return sorted_by(tokens, sort) if sort else tokens


def sorted_by(frame: pd.DataFrame, sort: str) -> pd.DataFrame:
    """Return a frame sorted by a column, in descending order for ``-COLUMN``.

    Raises:
        UsageError: The column does not exist.
    """
    descending = sort.startswith("-")
    (name,) = names_of_columns([sort.lstrip("-")], frame.columns)
    return frame.sort_values(name, ascending=not descending, kind="stable")


def limited(tokens: pd.DataFrame, limit: int | None) -> pd.DataFrame:
    """Return the first ``limit`` rows, or all."""
    return tokens if limit is None else tokens.head(limit)


def get(session: Session[Workspace], *, token_ids: Sequence[str]) -> pd.DataFrame | pd.Series[Any]:
    """Return tokens with their owners and findings, in the given order: rows; in a notebook, one token is a series.

    Raises:
        TokenKitError: None of the tokens exists.
        UsageError: As ``whole_ids``.
    """
    workspace, front_end = session.workspace(), session.front_end
    audit = workspace.audit()
    found_ids = whole_ids(token_ids, audit.tokens, workspace, front_end.program, warn_partial=front_end.warn_partial)
    ids = [*dict.fromkeys(found_ids)]
    texts = audit.findings["severity"] + " " + audit.findings["rule"] + ": " + audit.findings["evidence"]
    by_token = texts.groupby(audit.findings["token_id"], sort=False).agg(list)
    found = pd.Series([by_token.get(token_id, []) for token_id in ids], dtype=object)
    tokens = audit.tokens.set_index("token_id", drop=False).loc[ids].reset_index(drop=True).assign(findings=found)
    if unstated := int(tokens["scopes"].isna().sum()):
        which = "this token" if len(tokens) == 1 else part_of(unstated, len(tokens), "token")
        front_end.warn_last(f"The scopes of {which} are not stated, which can mean all APIs.")
    if not front_end.returns_objects:
        return tokens
    session.say(
        f"{workspace.name}: {pluralize(len(tokens), 'token')}, {pluralize(int(found.map(len).sum()), 'finding')}."
    )
    return tokens if len({*token_ids}) > 1 else tokens.astype(object).where(tokens.notna(), None).iloc[0]


def permissions_show(session: Session[AnyWorkspace]) -> pd.DataFrame:
    """Return the permissions to use tokens, one row per principal and level."""
    workspace = session.workspace()
    permissions = permissions_of(workspace)
    session.say(f"{workspace.name}: {pluralize(len(permissions), 'permission')}.")
    return permissions


def permissions_of(workspace: AnyWorkspace) -> pd.DataFrame:
    """Return the permissions to use tokens; of a fleet, by workspace. Empty if no token was ever created."""
    found = workspace.permissions()
    return frames.frame([], frames.PERMISSIONS) if found is None else found


def permissions_levels(session: Session[Workspace]) -> pd.DataFrame:
    """Return the permission levels that can be granted."""
    workspace = session.workspace()
    levels = workspace.token_management.get_permission_levels()
    session.say(f"{workspace.name}: {pluralize(len(levels), 'level')}.")
    return levels


def access(session: Session[AnyWorkspace], *, where: str | None, **options: Unpack[Evidence]) -> pd.DataFrame:
    """Return the principals that can use or own tokens."""
    workspace = session.workspace()
    evidence = evidence_of(session.front_end, workspace, options)
    everyone = workspace.access(usage=evidence)
    principals = workspace.filtered(everyone, where)
    count = _number_of_principals(principals)
    can_use, without = (
        _number_of_principals(principals[principals[name].fillna(value=False).astype(bool)])
        for name in ("can_use", "tokens_without_permission")
    )
    in_rows = f" in {pluralize(len(principals), 'row')}, one for each workspace" if count < len(principals) else ""
    session.say(
        f"{workspace.name}: {part_of(count, _number_of_principals(everyone), 'principal')}{in_rows}: "
        f"{can_use:,} can use tokens, {without:,} {of(without, 'has tokens', 'have tokens')} without permission."
    )
    if evidence is not None:
        session.front_end.warn_last(f"{workspace.name}: {review.usage.summary(evidence)}")
    if unknown := int(principals["can_use"].isna().sum()):
        session.front_end.warn_last(
            f"{workspace.name}: {pluralize(unknown, 'principal')} may have permission through a group whose members "
            "the workspace does not return. For these, can_use is not known."
        )
    return principals


def _number_of_principals(rows: pd.DataFrame) -> int:
    """Return the number of principals. In a fleet, one has a row for each workspace."""
    return len(rows.drop_duplicates(["kind", "principal"]) if "workspace" in rows else rows)


def with_ids(
    front_end: FrontEnd,
    tokens: pd.DataFrame,
    given: Sequence[str],
    workspace: AnyWorkspace,
    *,
    may_be_gone: bool = False,
    may_be_partial: bool = False,
) -> pd.DataFrame:
    """Return the selected tokens that have one of the given IDs, all without IDs. Show which IDs the filters exclude.

    Args:
        front_end: The front end.
        tokens: The tokens that the filters select.
        given: The IDs or prefixes.
        workspace: The workspace or the fleet.
        may_be_gone: Whether a token that a run on this computer revoked is a warning. A report of leaked tokens is
            worked through more than once, and the others must be revoked.
        may_be_partial: Whether the others are enough if some tokens do not exist: nothing is changed.

    Raises:
        TokenKitError: As ``whole_ids``.
        UsageError: As ``whole_ids``.
    """
    if not given:
        return tokens
    listing = workspace.tokens()
    ids = whole_ids(
        given,
        listing,
        workspace,
        front_end.program,
        warn=front_end.warn if may_be_gone else None,
        warn_partial=front_end.warn_partial if may_be_partial else None,
    )
    excluded = listing[listing["token_id"].isin(ids) & ~listing["token_id"].isin(tokens["token_id"])]
    if len(excluded):
        count = part_of(len(excluded), len({*ids}), "token")
        front_end.warn(f"The filters exclude {count} given by ID: {preview.named(excluded)}.")
    return tokens[tokens["token_id"].isin(ids)]


def whole_ids(
    given: Sequence[str],
    listing: pd.DataFrame,
    workspace: AnyWorkspace,
    program: str,
    *,
    warn: Callable[[str], None] | None = None,
    warn_partial: Callable[[str], None] | None = None,
) -> list[str]:
    """Return the full IDs of tokens, which may be given by a unique prefix.

    Args:
        given: The IDs or prefixes.
        listing: The tokens.
        workspace: The workspace or the fleet of the listing.
        program: The name of the program, for the next step.
        warn: Receives the message about a token that a run on this computer revoked, which is then left out.
        warn_partial: Receives the message about any token that does not exist, which is left out if others exist:
            nothing is changed.

    Raises:
        TokenKitError: None of the tokens exists, and nothing would be changed. If a run on this computer revoked a
            token, the message names the run.
        UsageError: A token to change does not exist, several match, or a prefix is too short.
    """
    found, missing = _resolved(given, listing, workspace, program)
    show_others = warn_partial if found else None
    shown = {problem: (is_revoked and warn) or show_others for problem, is_revoked in missing.items()}
    if fatal := [problem for problem, show in shown.items() if not show]:
        raise (errors.TokenKitError if warn_partial else errors.UsageError)(" ".join(fatal))
    for problem, show in shown.items():
        if show:
            show(problem)
    return found


def _resolved(
    given: Sequence[str], listing: pd.DataFrame, workspace: AnyWorkspace, program: str
) -> tuple[list[str], dict[str, bool]]:
    """Return full IDs, and a message for each token that does not exist, with whether a run of tokenkit revoked it.

    Raises:
        UsageError: Several tokens match, a prefix is too short, or a token's value was given.
    """
    ids = listing["token_id"]
    known = set(ids)
    found: list[str] = []
    missing: dict[str, bool] = {}
    journal = functools.cache(lambda: _revocations(workspace))
    for prefix in given:
        matches = ids[ids == prefix].tolist() if prefix in known else ids[ids.str.startswith(prefix)].tolist()
        if len(prefix) < _SHORTEST_PREFIX and prefix not in known:
            raise errors.UsageError(
                f"{prefix!r} is too short. Give at least {_SHORTEST_PREFIX} characters of a token ID."
            )
        if len(matches) > 1:
            several = first_of([token_id[: len(prefix) + 6] for token_id in matches], 3)
            raise errors.UsageError(
                f"{len(matches)} tokens on {workspace.name} have IDs that begin with {prefix!r}: {several}. "
                "Give more characters."
            )
        if not matches and redact(prefix) != prefix:
            raise errors.UsageError(
                f"{redact(prefix)!r} looks like a token value, not a token ID. To find out whose token it is, without "
                f"typing the value: {program} find-leaked"
            )
        if not matches:
            by_a_run = _revoked_by(prefix, journal(), program)
            missing[f"There is no token {prefix!r} on {workspace.name}{by_a_run or '.'}"] = bool(by_a_run)
        found += matches
    return found, missing


def _revocations(workspace: AnyWorkspace) -> pd.DataFrame:
    """Return the tokens in the journal that were revoked; none if it cannot be read, as they are gone in any case."""
    with contextlib.suppress(errors.TokenKitError):
        past = workspace.journal()
        return past[past["outcome"] == REVOKED]
    return pd.DataFrame(columns=["token_id"], dtype=frames.TEXT)


def _revoked_by(prefix: str, past: pd.DataFrame, program: str) -> str:
    """Return the run that revoked a token, as the end of a message; an empty text if the journal has none."""
    past = past[past["token_id"].str.startswith(prefix)]
    if len(past["token_id"].unique()) != 1:
        return ""
    run = past.iloc[-1]
    return (
        f": run {run['run_id']} revoked it on {run['finished_at']:%Y-%m-%d}. For details: {program} journal "
        f"--run {run['run_id']}"
    )


def names_of_columns(given: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return the names of columns, which may be given by their headings in tables.

    Args:
        given: The names or headings.
        known: The names of all columns.

    Raises:
        UsageError: A column does not exist, or several have the heading.
    """
    names = []
    for text in given:
        found = columns.named(text, known)
        if not found:
            raise errors.UsageError(f"Unknown column {text!r}. {errors.did_you_mean(text, known)}")
        if len(found) > 1:
            raise errors.UsageError(f"{text!r} is the heading of several columns. Use {' or '.join(found)}.")
        names += found
    return [*dict.fromkeys(names)]
