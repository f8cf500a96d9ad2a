"""The verbs that change something. Each that takes something away or writes over it shows its plan first, and asks
unless it is told not to.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Protocol

import pandas as pd

from tokenkit import errors
from tokenkit.actions import creation, preview
from tokenkit.actions.journal import ALREADY_GONE, REVOKED
from tokenkit.actions.plan import Summary
from tokenkit.actions.update import UpdatePlan
from tokenkit.fleet import Fleet
from tokenkit.fleet_connecting import holder_of
from tokenkit.rest.token_management import OboToken
from tokenkit.review import access, filters
from tokenkit.review import scopes as scopes_review
from tokenkit.verbs.reading import criteria_of, limited, permissions_of, selected, whole_ids
from tokenkit.verbs.session import Session
from tokenkit.wording import counted
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
    if not len(plan):
        return _nothing(session, plan, f"{workspace.name}: nothing to revoke.")
    return _decide(session, options, plan, workspace)


def update(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Give tokens another comment or other scopes."""
    if options.comment is None and options.scopes is None:
        raise errors.UsageError("Say what to change: --comment or --scopes.")
    workspace = session.workspace(options.profile)
    _check_scopes(session, options, workspace)
    ids = whole_ids(options.token_ids, workspace.token_management.list(), workspace)
    plan = workspace.plan_update(ids, comment=options.comment, scopes=options.scopes, reason=options.reason)
    if not len(plan):
        so_already = "" if plan.summary().left_out else ", they are so already"
        return _nothing(session, plan, f"{workspace.name}: nothing to change{so_already}.")
    return _decide_on_update(session, options, plan, workspace)


def scopes(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Show what tokens may do and what they do; with ``--narrow``, give each the smallest set that covers its use."""
    workspace = session.workspace(options.profile)
    advised = workspace.scopes(options.where, **criteria_of(options))
    counts = ", ".join(f"{count:,} {advice}" for advice, count in advised["advice"].value_counts().items())
    session.say(f"{workspace.name}: {counted(len(advised), 'token')}{f' ({counts})' if counts else ''}.")
    if not options.narrow:
        return advised
    plan = workspace.plan_update(advised, reason=options.reason)
    _require_known(session, workspace, options)
    if not len(plan):
        return _nothing(session, plan, f"{workspace.name}: nothing to narrow.")
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
        return _nothing(session, plan, f"{workspace.name}: nothing to put back.")
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
    plan = workspace.plan_permissions(
        entries, replace, allow_protected=options.allow_protected or (), reason=options.reason
    )
    session.say(
        f"{workspace.name}: {counted(len(plan.gains), 'principal')} would gain permission to use tokens, "
        f"{len(plan.loses):,} would lose it, and {counted(len(plan), 'token')} would be deleted or disabled."
    )
    for principal, kind, why in plan.not_known.itertuples(index=False, name=None):
        session.say(f"It is not known whether more tokens would be lost: {kind} {principal}, {why}.")
    if not options.dry_run:
        plan.check_protection()  # before anybody is asked
    if options.dry_run and not len(plan):
        return plan.loses if len(plan.loses) else plan.gains
    if not plan.summary().doing:
        plan.apply(progress=session.shows_progress)
        session.say(f"{workspace.name}: the permissions are changed.")
        return permissions_of(workspace)
    return _decide(session, options, plan, workspace)


def resume(session: Session, options: argparse.Namespace) -> pd.DataFrame | None:
    """Finish a run that was stopped, killed or staged, after what remains of it was shown.

    A run that was begun today and only interrupted goes on without a question: its plan was confirmed today.
    """
    workspace = session.workspace(options.profile) if options.profile else session.in_hand or holder_of(options.run_id)
    plan = workspace.plan_resume(options.run_id)
    if not options.dry_run:
        plan.check_due()
    in_short = preview.of(plan)
    if not plan.summary().doing:
        _warn(session, in_short)
        session.warn(f"{workspace.name}: nothing remains of run {options.run_id}.")
        return plan.preview() if options.dry_run else plan.apply(progress=session.shows_progress)
    # Where all that remains is left out, that is only noted.
    is_nothing_sent = not len(plan) and len(plan.left_out)
    if not ((plan.needs_confirmation and not is_nothing_sent) or options.dry_run or options.yes):
        session.show(in_short)
        options = argparse.Namespace(**vars(options) | {"yes": True})
    return _decide(session, options, plan, workspace)


def create_obo(session: Session, options: argparse.Namespace) -> OboToken:
    """Make a token that acts as a service principal. Its value goes where it is asked to go, and is not printed."""
    workspace = session.workspace(options.profile)
    # All of this is asked before the token is made: afterwards its value would be lost.
    if not session.returns_objects and not (options.secret or options.show_value):
        raise errors.UsageError(
            "The token value would be lost. Use --secret SCOPE/KEY to store it, or --show-value to print it."
        )
    if session.returns_objects and any(name and not name.isidentifier() for name in (options.variable, options.env)):
        raise errors.UsageError("--variable and --env take the name of a variable: letters, digits and _.")
    if options.secret:
        _check_secret(workspace, options.secret, overwrite=options.overwrite)
    _check_scopes(session, options, workspace)
    created = creation.create(
        workspace._target(),  # noqa: SLF001 - private to the package
        access.service_principal(workspace.service_principals(), options.service_principal),
        {
            "autoscope_enabled": options.autoscope,
            "comment": options.comment,
            "lifetime_seconds": None if options.lifetime is None else int(options.lifetime.total_seconds()),
            "scopes": options.scopes,
        },
    )
    made = created.made
    if made is None:
        raise errors.AnswerLostError(_without_value(session, workspace, created))
    session.warn(f"{workspace.name}: created token {made.token_info.token_id}. Run {created.run_id}.")
    if options.secret:
        _store(workspace, made, options.secret)
        session.say(f"The value is in the secret {options.secret}.")
    if session.returns_objects and options.variable:
        session.keep(options.variable, made.token_value, in_environment=False)
        session.say(f"The value is in the variable {options.variable}.")
    if session.returns_objects and options.env:
        session.keep(options.env, made.token_value, in_environment=True)
        session.say(f"The value is in the environment variable {options.env} of this process.")
    return made


def _check_secret(workspace: Workspace, secret: str, *, overwrite: bool) -> None:
    """Refuse a secret that cannot be written, or that is there already."""
    scope, slash, key = secret.partition("/")
    if not (scope and slash and key):
        raise errors.UsageError("A secret is named SCOPE/KEY.")
    if scope not in workspace.secret_scopes():
        raise errors.UsageError(f"{workspace.name} has no secret scope {scope!r}. Make it first, or name another.")
    if not overwrite and key in workspace.secret_keys(scope):
        raise errors.UsageError(
            f"The secret {secret} exists, and what uses it would get another token. Use --overwrite to replace it."
        )


def _check_scopes(session: Session, options: argparse.Namespace, workspace: Workspace) -> None:
    """Ask back about scopes that look like known ones misspelt. What nobody knows may be new, and passes."""
    if not options.scopes or options.allow_unknown:
        return
    near = scopes_review.misspelt(options.scopes, workspace.token_management.list())
    if not near:
        return
    problem = " ".join(f"There is no scope {scope!r} here. Did you mean {known}?" for scope, known in near.items())
    answer = session.ask(f"{problem} Type yes to use it as it is, anything else to stop: ")
    if answer is None or answer.strip().lower() != "yes":
        raise errors.UsageError(f"{problem} Use --allow-unknown for a scope that is new.")


def _without_value(session: Session, workspace: Workspace, created: creation.Creation) -> str:
    """Offer to revoke a token whose value is lost, and return what happened."""
    advice = creation.advice(created.without_value, created.run_id)
    if tokens := created.without_value:
        session.warn(f"{created.problem} {advice}")
        count = len(tokens)
        answer = session.ask(f"Type {count} to revoke {counted(count, 'token')} now, anything else to leave them: ")
        if answer is not None and answer.strip() == str(count) and _revoked(workspace, tokens):
            return f"{created.problem.rstrip('.')}. Revoked: {', '.join(tokens)}."
    return f"{created.problem.rstrip('.')}. {advice}"


def _store(workspace: Workspace, made: OboToken, secret: str) -> None:
    """Write the value into a secret; a token whose value nobody has is revoked again."""
    scope, _, key = secret.partition("/")
    try:
        workspace.put_secret(scope, key, made.token_value)
    except (errors.TokenKitError, KeyboardInterrupt) as failure:
        problem = str(failure) or "Interrupted."
    else:
        return
    token_id = str(made.token_info.token_id)
    revoked = _revoked(workspace, [token_id])
    after = f"Token {token_id} was revoked again." if revoked else creation.advice([token_id], "")
    raise errors.UsageError(f"The secret {secret} could not be written. {after} {problem}")


def _revoked(workspace: Workspace, tokens: Sequence[str]) -> bool:
    """Revoke tokens whose value nobody has, and tell whether all of them are gone."""
    try:
        plan = workspace.revoke(tokens, include_own=True, reason="nobody has its value")
        outcomes = plan.apply(progress=False)["outcome"]
    except errors.TokenKitError:
        return False
    return len(outcomes) == len(tokens) and bool(outcomes.isin([REVOKED, ALREADY_GONE]).all())


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
    if several := filters.ambiguous_names(criteria, workspace.tokens):
        raise errors.UsageError(" ".join([*several, "Nothing was changed."]))
    for sentence in unknown or (
        [] if chosen is None or len(chosen) else filters.misspelt(workspace.tokens(), criteria)
    ):
        session.warn(sentence)


def _chooses(options: argparse.Namespace) -> bool:
    return any(value is not None for value in [options.where, *criteria_of(options).values()])


def _decide(
    session: Session,
    options: argparse.Namespace,
    plan: _Plan,
    workspace: Workspace | Fleet,
    *,
    doing: str | None = None,
) -> pd.DataFrame | None:
    """Show a plan and carry it out, after the count was typed unless ``--yes``; with ``--dry-run``, return the
    preview. ``doing`` says what it does, where the verb knows better than the plan.
    """
    asked = plan.summary()
    doing = doing or asked.doing
    in_short = preview.of(plan, title=doing)
    if options.dry_run:
        session.say(f"{workspace.name}: would {doing}.")
        _warn(session, in_short)
        return preview.worst_first_of(plan.preview(), list(asked.minds)).reset_index(drop=True)
    if options.yes:
        _warn(session, in_short)
    else:
        session.show(in_short)
        answer = session.ask(f"Type {asked.count} to {doing} on {workspace.name}, anything else to leave them: ")
        if answer is None:
            raise errors.UsageError(
                "Confirmation required, but there is nobody to ask here: add --yes to go ahead, or --dry-run to look."
            )
        if answer.strip().replace(",", "") != str(asked.count):
            session.warn("Nothing was changed.")
            return None
    result = plan.apply(progress=session.shows_progress)
    session.warn(f"{workspace.name}: {_summary(result)} Run {plan.run_id}.")
    return result


def _warn(session: Session, in_short: preview.Preview) -> None:
    """Say the closing lines of a plan that is not shown."""
    for line in in_short.closing:
        session.warn(line)


def _nothing(session: Session, plan: _Plan, sentence: str) -> pd.DataFrame:
    """Say that a plan does nothing, after what it leaves out, and return its preview."""
    _warn(session, preview.of(plan))
    session.warn(sentence)
    return plan.preview()


def _summary(result: pd.DataFrame) -> str:
    counts = result["outcome"].value_counts()
    return ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items()) + "." if len(counts) else "Done."
