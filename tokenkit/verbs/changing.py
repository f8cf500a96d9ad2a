"""The verbs that change something. Each that takes something away or writes over it shows its plan first, and asks
unless it is told not to.
"""

from __future__ import annotations

import argparse
from typing import Protocol

import pandas as pd

from tokenkit import errors
from tokenkit.actions.plan import Summary, counted
from tokenkit.actions.update import UpdatePlan
from tokenkit.fleet_connecting import resume as resume_run
from tokenkit.rest.token_management import OboToken
from tokenkit.review import access, filters
from tokenkit.verbs.reading import criteria_of, limited, permissions_of, selected, whole_ids
from tokenkit.verbs.session import Session
from tokenkit.workspace import Workspace


class _Plan(Protocol):
    run_id: str | None

    def summary(self) -> Summary: ...

    def preview(self) -> pd.DataFrame: ...

    def apply(self, *, progress: bool) -> pd.DataFrame: ...


def revoke(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Revoke the tokens that are named or that the filters choose."""
    workspace = session.workspace(options.profile)
    if not options.token_ids and not _chooses(options):
        raise errors.UsageError(
            "Say which tokens: ids, or a filter such as --owner or --where. Nothing is revoked without."
        )
    tokens = selected(workspace, options)
    _require_known(session, workspace, options, tokens)
    if options.token_ids:
        ids = whole_ids(options.token_ids, workspace.tokens(), workspace)
        # Ids and filters together mean both: of these, those that the filters keep.
        tokens = tokens[tokens["token_id"].isin(ids)]
    tokens = limited(tokens, options)
    plan = workspace.revoke(tokens, include_own=options.include_own, reason=options.reason)
    for reason, count in plan.left_out["reason"].value_counts().items():
        session.warn(f"Left out: {counted(count, 'token')} ({reason}).")
    if not len(plan):
        session.warn(f"{workspace.name}: nothing to revoke.")
        return plan.preview()
    return _decide(session, options, plan, workspace)


def update(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Give tokens another comment or other scopes."""
    if options.comment is None and options.scopes is None:
        raise errors.UsageError("Say what to change: --comment or --scopes.")
    workspace = session.workspace(options.profile)
    ids = whole_ids(options.token_ids, workspace.token_management.list(), workspace)
    plan = workspace.plan_update(ids, comment=options.comment, scopes=options.scopes, reason=options.reason)
    if not len(plan):
        session.say(f"{workspace.name}: nothing to change, they are so already.")
        return plan.preview()
    return _decide_on_update(session, options, plan, workspace)


def scopes(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Show what tokens may do and what they do; with ``--narrow``, give each the smallest set that covers its use."""
    workspace = session.workspace(options.profile)
    advised = workspace.scopes(options.where, **criteria_of(options))
    if options.narrow:
        _require_known(session, workspace, options)
    counts = ", ".join(f"{count:,} {advice}" for advice, count in advised["advice"].value_counts().items())
    session.say(f"{workspace.name}: {counted(len(advised), 'token')}{f' ({counts})' if counts else ''}.")
    if not options.narrow:
        return advised
    plan = workspace.plan_update(advised, reason=options.reason)
    if not len(plan):
        session.say(f"{workspace.name}: nothing to narrow.")
        return plan.preview()
    doing = f"narrow {counted(len(plan), 'token')} to the scopes in use"
    return _decide_on_update(session, options, plan, workspace, doing=doing)


def _decide_on_update(
    session: Session, options: argparse.Namespace, plan: UpdatePlan, workspace: Workspace, *, doing: str | None = None
) -> pd.DataFrame | None:
    """Decide on a plan that can be undone, and say how."""
    result = _decide(session, options, plan, workspace, doing=doing)
    if plan.run_id:
        session.warn(f"To put it back: {session.program} undo {plan.run_id}")
    return result


def undo(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Put back the comments and scopes that an update changed."""
    workspace = session.workspace(options.profile)
    plan = workspace.undo(options.run_id, reason=options.reason)
    if not len(plan):
        session.say(f"{workspace.name}: nothing to put back.")
        return plan.preview()
    return _decide_on_update(session, options, plan, workspace, doing=f"put back {counted(len(plan), 'token')}")


def permissions_set(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Replace who may use tokens."""
    return _change_permissions(session, options, replace=True)


def permissions_add(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Add to who may use tokens, or change a level. Where nobody loses anything, it is done without asking."""
    return _change_permissions(session, options, replace=False)


def _change_permissions(session: Session, options: argparse.Namespace, *, replace: bool) -> pd.DataFrame | None:
    workspace = session.workspace(options.profile)
    entries = [access.entry_of(text) for text in options.entries]
    plan = workspace.plan_permissions(entries, replace, reason=options.reason)
    session.say(
        f"{workspace.name}: {counted(len(plan.gains), 'principal')} would gain the right to use tokens, "
        f"{len(plan.loses):,} lose it, {counted(len(plan), 'token')} die of it."
    )
    if options.dry_run and not len(plan):
        return plan.loses if len(plan.loses) else plan.gains
    if not len(plan.loses):
        plan.apply(progress=session.shows_progress)
        session.say(f"{workspace.name}: the permissions are changed.")
        return permissions_of(workspace)
    return _decide(session, options, plan, workspace)


def resume(session: Session, options: argparse.Namespace) -> pd.DataFrame:
    """Finish a run that was stopped, killed or staged."""
    workspace = session.workspace(options.profile) if options.profile else None
    result = resume_run(options.run_id, workspace=workspace, progress=session.shows_progress)
    session.say(_summary(result))
    return result


def create_obo(session: Session, options: argparse.Namespace) -> OboToken:
    """Make a token that acts as a service principal. Its value goes where it is asked to go, and is not printed."""
    workspace = session.workspace(options.profile)
    if not session.returns_objects and not (options.secret or options.show_value):
        raise errors.UsageError("Nobody would have the value: add --secret SCOPE/KEY, or --show-value to print it.")
    scope, slash, key = (options.secret or "").partition("/")
    if options.secret and not (scope and slash and key):
        raise errors.UsageError("A secret is named SCOPE/KEY.")
    if options.secret and scope not in workspace.secret_scopes():
        # Asked before the token is made: afterwards its value would be lost.
        raise errors.UsageError(f"{workspace.name} has no secret scope {scope!r}. Make it first, or name another.")
    made = workspace.token_management.create_obo_token(
        _application_id(workspace, options.service_principal),
        autoscope_enabled=options.autoscope,
        comment=options.comment,
        lifetime_seconds=None if options.lifetime is None else int(options.lifetime.total_seconds()),
        scopes=options.scopes,
    )
    if options.secret:
        _store(workspace, made, scope, key)
        session.say(f"The value is in the secret {options.secret}.")
    if session.returns_objects and options.variable:
        session.keep(options.variable, made.token_value, in_environment=False)
        session.say(f"The value is in the variable {options.variable}.")
    if session.returns_objects and options.env:
        session.keep(options.env, made.token_value, in_environment=True)
        session.say(f"The value is in the environment variable {options.env} of this process.")
    return made


def _store(workspace: Workspace, made: OboToken, scope: str, key: str) -> None:
    """Write the value into a secret; a token whose value nobody has is revoked again."""
    try:
        workspace.put_secret(scope, key, made.token_value)
    except errors.TokenKitError as failure:
        problem = str(failure)
    else:
        return
    token_id = str(made.token_info.token_id)
    try:
        workspace.token_management.delete(token_id)
    except errors.TokenKitError:
        after = f"Nobody has its value: revoke {token_id}."
    else:
        after = "The new token was revoked again."
    raise errors.UsageError(f"The secret {scope}/{key} could not be written. {after} {problem}")


def _application_id(workspace: Workspace, given: str) -> str:
    """Return the application id of a service principal that is named by it or by its display name."""
    principals = workspace.service_principals()
    matches = principals[(principals["application_id"] == given) | (principals["display_name"] == given)]
    if len(matches) == 1:
        return str(matches["application_id"].iloc[0])
    if len(matches) > 1:
        raise errors.UsageError(f"{len(matches)} service principals are called {given!r}: give the application id.")
    near = errors.did_you_mean(given, principals["display_name"].dropna()) if len(principals) else ""
    raise errors.UsageError(f"{workspace.name} has no service principal {given!r}. {near}")


def _require_known(
    session: Session, workspace: Workspace, options: argparse.Namespace, chosen: pd.DataFrame | None = None
) -> None:
    """Refuse a change of the tokens of somebody who is unknown; with ``--allow-none``, only say so."""
    criteria = criteria_of(options)
    unknown = filters.unknown_names(
        criteria, tokens=workspace.tokens, principals=workspace.principal_names, chosen=chosen
    )
    if unknown and not options.allow_none:
        raise errors.UsageError(" ".join([*unknown, "Nothing was changed. Use --allow-none where that is right."]))
    for sentence in unknown or (
        [] if chosen is None or len(chosen) else filters.misspelt(workspace.tokens(), criteria)
    ):
        session.warn(sentence)


def _chooses(options: argparse.Namespace) -> bool:
    return any(value is not None for value in [options.where, *criteria_of(options).values()])


def _decide(
    session: Session, options: argparse.Namespace, plan: _Plan, workspace: Workspace, *, doing: str | None = None
) -> pd.DataFrame | None:
    """Show a plan and carry it out, after the count was typed unless ``--yes``; with ``--dry-run``, return the
    preview. ``doing`` says what it does, where the verb knows better than the plan.
    """
    asked = plan.summary()
    doing = doing or asked.doing
    if options.dry_run:
        session.say(f"{workspace.name}: would {doing}.")
        return plan.preview()
    if not options.yes:
        session.show(plan, plan.preview())
        answer = session.ask(f"Type {asked.count} to {doing} on {workspace.name}, anything else to leave them: ")
        if answer is None:
            raise errors.UsageError("There is nobody to ask here: add --yes to go ahead unasked, or --dry-run to look.")
        if answer.strip().replace(",", "") != str(asked.count):
            session.warn("Nothing was changed.")
            return None
    result = plan.apply(progress=session.shows_progress)
    session.warn(f"{workspace.name}: {_summary(result)} Run {plan.run_id}.")
    return result


def _summary(result: pd.DataFrame) -> str:
    counts = result["outcome"].value_counts()
    return ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) + "." if len(counts) else "Done."
