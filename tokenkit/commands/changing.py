"""The commands that change something.

Commands that delete or overwrite show a plan first, and ask for confirmation unless ``--yes`` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

import pandas as pd

from tokenkit import errors
from tokenkit.actions import creation, permissions, preview
from tokenkit.actions.executor import INTERRUPT
from tokenkit.actions.permissions import PermissionEffects
from tokenkit.actions.plan import Plan
from tokenkit.actions.result import ENDED_BY, NOTHING_CHANGED, RUN, counts, is_confirmed, remaining, totals
from tokenkit.actions.resumption import RemainingPlan
from tokenkit.actions.states import ALREADY_GONE, REVOKED, UNKNOWN, UPDATED
from tokenkit.commands.evidence import Evidence, Log, evidence_of, read_if_allowed
from tokenkit.commands.history import check_can_be_undone, unfinished
from tokenkit.commands.reading import permissions_of, selected, warn_of_misspelt, warn_of_unscoped, with_ids
from tokenkit.commands.restoring import how_to_restore
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.core.arguments import without_credential
from tokenkit.core.wording import first_of, of, part_of, pluralize
from tokenkit.rest import credentials
from tokenkit.rest.token_management import OboToken
from tokenkit.review import access, columns, filters
from tokenkit.review import scopes as scopes_review
from tokenkit.review.preview import CAPTION, EMPTY, Preview
from tokenkit.workspaces.base import AnyWorkspace
from tokenkit.workspaces.workspace import Workspace


def revoke(
    session: Session[AnyWorkspace],
    *,
    token_ids: Sequence[str],
    where: str | None,
    sort: str | None,
    limit: int | None,
    include_own: bool,
    allow_none: bool,
    reason: str | None,
    dry_run: bool,
    yes: bool,
    usage: bool,
    days: int | None,
    rows: str | None,
    warehouse_id: str | None,
    start_warehouse: bool,
    **criteria: Any,  # noqa: ANN401 - as the filters take them
) -> pd.DataFrame | None:
    """Revoke the tokens that the IDs or the filters select."""
    log: Log = {"days": days, "rows": rows, "warehouse_id": warehouse_id, "start_warehouse": start_warehouse}
    workspace = session.workspace()
    evidence = evidence_of(session.front_end, workspace, {"usage": usage, **log})
    tokens = _chosen(
        session, workspace, token_ids, criteria, where=where, sort=sort, allow_none=allow_none, may_be_gone=True
    )
    owners = _owners_alone(token_ids, where, criteria)
    created, creators = filters.created_for_others(workspace.tokens_with_aliases(), owners) if owners else (0, [])
    plan = _limited(
        session,
        lambda chosen: workspace.revoke(chosen, evidence, include_own=include_own, reason=reason),
        tokens,
        limit,
    )
    nothing = f"nothing to revoke{'' if len(tokens) else _NO_MATCH}"
    result = _decide(session, plan, workspace, dry_run=dry_run, yes=yes, nothing=nothing)
    if created:
        _say_created_for_others(session, owners, created, creators)
    return _of_named(result, plan) if token_ids else result


def _owners_alone(token_ids: Sequence[str], where: str | None, criteria: Mapping[str, Any]) -> Sequence[str]:
    """Return the owners that alone select tokens, as after people left. With other filters, it is not about people."""
    others = [where, *token_ids, *(value for name, value in criteria.items() if name not in {"owner", "status"})]
    return () if any(value is not None for value in others) else criteria.get("owner") or ()


def _say_created_for_others(
    session: Session[AnyWorkspace], owners: Sequence[str], count: int, creators: Sequence[str]
) -> None:
    """Show how many tokens of service principals the owners created: they remain, and need somebody in charge."""
    named = [arg for creator in creators for arg in ("--created-by", creator)]
    path = "fleet list" if session.path.startswith("fleet ") else "list"
    listing = session.command(*path.split(), *named, "--status", "active", "--where", filters.OF_SERVICE_PRINCIPALS)
    session.front_end.warn_last(
        f"{pluralize(count, 'active token')} that {first_of(owners, 3)} created for service principals "
        f"{of(count, 'is', 'are')} not revoked. To list {of(count, 'it', 'them')}: {listing}"
    )


_COLUMNS_OF = {
    preview.LOST_TOKENS: ("token_id", "owner", "comment", "effect"),
    permissions.CHANGES: ("principal", "kind", "permission_level", "new_permission_level"),
    permissions.LOSING: ("principal",),
    permissions.NOT_KNOWN: ("principal", "kind", "reason"),
}
"""The columns by which a dry run of a change of permissions returns the rows of one of its tables."""
_MOST_ROWS = 500
_NO_MATCH = "; no token matches"


def _chosen(
    session: Session[object],
    workspace: AnyWorkspace,
    token_ids: Sequence[str],
    criteria: Mapping[str, Any],
    *,
    where: str | None,
    sort: str | None,
    allow_none: bool,
    may_be_gone: bool = False,
) -> pd.DataFrame:
    """Return the tokens that the IDs and the filters of a change select; IDs and filters are combined with AND.

    Raises:
        UsageError: Nothing selects tokens, an ID is unknown, or a filter names an unknown owner or creator.
    """
    if not token_ids and all(value is None for value in [where, *criteria.values()]):
        raise errors.UsageError("Missing selection of tokens. Give token IDs, or a filter such as --owner or --where.")
    tokens = selected(workspace, where, criteria, sort)
    warn_of_unscoped(session, criteria)
    _require_known(session.front_end, workspace, criteria, tokens, allow_none=allow_none)
    return with_ids(session.front_end, tokens, token_ids, workspace, may_be_gone=may_be_gone)


def _limited(
    session: Session[object], make: Callable[[pd.DataFrame], Plan], tokens: pd.DataFrame, limit: int | None
) -> Plan:
    """Return the plan of the first ``limit`` tokens that can be changed, and say what of all is left out.

    What a plan leaves out is known only from the plan, and its warnings are about its tokens together, so a plan of
    fewer tokens is a second one.
    """
    plan = make(tokens)
    if limit is None or len(plan) <= limit:
        return plan
    session.warn(f"--limit selects the first {limit:,} of {pluralize(len(plan), 'token')} that can be changed.")
    for line in preview.left_out(plan.summary()):
        session.warn(line)
    return make(tokens[tokens["token_id"].isin(plan.token_ids)].head(limit))


def update(
    session: Session[Workspace],
    *,
    token_ids: Sequence[str],
    where: str | None,
    sort: str | None,
    limit: int | None,
    allow_none: bool,
    comment: str | None,
    scopes: list[str] | None,
    allow_unknown: bool,
    reason: str | None,
    dry_run: bool,
    yes: bool,
    **criteria: Any,  # noqa: ANN401 - as the filters take them
) -> pd.DataFrame | None:
    """Change the comment or the scopes of the tokens that the IDs or the filters select."""
    if comment is None and scopes is None:
        raise errors.UsageError("Nothing to change. Give --comment or --scopes.")
    workspace = session.workspace()
    _check_scopes(session.front_end, workspace, scopes, allow_unknown=allow_unknown)
    tokens = _chosen(session, workspace, token_ids, criteria, where=where, sort=sort, allow_none=allow_none)
    plan = _limited(
        session,
        lambda chosen: workspace.plan_update(chosen["token_id"], comment=comment, scopes=scopes, reason=reason),
        tokens,
        limit,
    )
    is_done = len(tokens) and not len(plan) and not plan.summary().left_out
    why = "; the tokens already have these values" if is_done else "" if len(tokens) else _NO_MATCH
    nothing = f"nothing to change{why}"
    result = _decide(session, plan, workspace, dry_run=dry_run, yes=yes, nothing=nothing)
    return _of_named(result, plan) if token_ids and not is_done else result


def scopes(
    session: Session[AnyWorkspace],
    *,
    where: str | None,
    show_all: bool,
    narrow: bool,
    allow_none: bool,
    reason: str | None,
    dry_run: bool,
    yes: bool,
    **criteria: Any,  # noqa: ANN401 - as the filters take them
) -> pd.DataFrame | None:
    """Compare granted scopes with scopes in use; with ``--narrow``, narrow them to the scopes in use.

    By default, only the tokens whose scopes can be narrowed are shown, and the others are counted.
    """
    of_change = {"--dry-run": dry_run, "--yes": yes, "--reason": reason, "--allow-none": allow_none}
    if not narrow and (given := [name for name, value in of_change.items() if value]):
        raise errors.UsageError(f"{given[0]} is for a change. To narrow the scopes, add --narrow.")
    workspace = session.workspace()
    advised = workspace.scopes(where, **criteria)
    counts = ", ".join(f"{count:,} {advice}" for advice, count in advised["advice"].value_counts().items())
    if not narrow:
        can_be_narrowed = advised["advice"] == scopes_review.NARROW
        is_partial = not (show_all or can_be_narrowed.all())
        if not warn_of_misspelt(session, workspace, criteria, advised):
            of_each = f" (advice: {counts})" if counts else ""
            session.say(f"{workspace.name}: {pluralize(len(advised), 'token')}{of_each}.")
        if is_partial:
            hidden = int((~can_be_narrowed).sum())
            session.front_end.warn_last(
                f"{pluralize(hidden, 'token')} whose scopes cannot be narrowed {of(hidden, 'is', 'are')} not shown. "
                f"To show all: {session.again('--all')}"
            )
        shown = advised[can_be_narrowed].reset_index(drop=True) if is_partial else advised
        shown.attrs[EMPTY] = "No scopes can be narrowed." if is_partial else ""
        return shown
    plan = workspace.plan_update(advised, reason=reason)
    _require_known(session.front_end, workspace, criteria, allow_none=allow_none)
    doing = f"narrow {part_of(len(plan), len(advised), 'token')} to the scopes in use"
    nothing = f"nothing to narrow{f' (advice: {counts})' if counts else _NO_MATCH}"
    return _decide(session, plan, workspace, dry_run=dry_run, yes=yes, doing=doing, nothing=nothing)


def undo(
    session: Session[AnyWorkspace], *, run_id: str, reason: str | None, dry_run: bool, yes: bool
) -> pd.DataFrame | None:
    """Restore the comments and scopes that an update changed.

    Raises:
        UsageError: There is no such run, or it is not an update. Of a run that changed permissions, the message has the
            commands that restore the entries.
    """
    check_can_be_undone(session, run_id)
    workspace = _workspace_of_run(session, run_id)
    plan = workspace.undo(run_id, reason=reason)
    doing, nothing = f"restore {pluralize(len(plan), 'token')}", "nothing to restore"
    return _of_named(_decide(session, plan, workspace, dry_run=dry_run, yes=yes, doing=doing, nothing=nothing), plan)


def _workspace_of_run(session: Session[AnyWorkspace], run_id: str) -> AnyWorkspace:
    """Return the selected or connected workspace; without one, the workspace or fleet of the run."""
    front_end = session.front_end
    return session.workspace() if session.is_chosen else front_end.connected or front_end.holder_of(run_id)


class _PlanOptions(TypedDict):
    allow_protected: Sequence[str]
    reason: str | None


class _Permissions(_PlanOptions):
    entries: Sequence[dict[str, str]]
    dry_run: bool
    yes: bool


def permissions_set(session: Session[AnyWorkspace], **options: Unpack[_Permissions]) -> pd.DataFrame | None:
    """Replace the permissions to use tokens."""
    workspace = session.workspace()
    plan = workspace.plan_permissions(options["entries"], replace=True, **_of_plan(options))
    return _change_permissions(session, workspace, plan, options)


def permissions_add(session: Session[AnyWorkspace], **options: Unpack[_Permissions]) -> pd.DataFrame | None:
    """Grant permission to use tokens, or change a permission level.

    No confirmation is required if the change only adds entries with CAN_USE, and none for all users.
    """
    workspace = session.workspace()
    plan = workspace.plan_permissions(options["entries"], **_of_plan(options))
    return _change_permissions(session, workspace, plan, options)


def permissions_remove(session: Session[AnyWorkspace], **options: Unpack[_Permissions]) -> pd.DataFrame | None:
    """Remove entries of the permissions to use tokens, and keep the others."""
    workspace = session.workspace()
    plan = workspace.plan_permission_removal(options["entries"], **_of_plan(options))
    return _change_permissions(session, workspace, plan, options)


def _of_plan(options: _Permissions) -> _PlanOptions:
    return {"allow_protected": options["allow_protected"], "reason": options["reason"]}


def _change_permissions(
    session: Session[AnyWorkspace], workspace: AnyWorkspace, plan: PermissionEffects, options: _Permissions
) -> pd.DataFrame | None:
    front_end, dry_run = session.front_end, options["dry_run"]
    if not len(plan.changes):
        session.warn(f"{workspace.name}: Nothing to change{plan.reasons()}.")
        return permissions_of(workspace)
    if not dry_run:
        plan.check_protection()  # before the confirmation
    needs_confirmation = bool(plan.summary().doing)
    if dry_run:
        # The same tables as before a confirmation, the last one as the result.
        caption, rows = _costs(plan, session.columns)
        rows = _with_columns(rows, session.columns, workspace.tokens)
        in_short = preview.of(plan, without=[caption], labels=workspace.labels, **_whole(front_end, plan))
        asks = "" if needs_confirmation else ", without a confirmation"
        title = f"{workspace.full_name_for(plan.hosts)}: would {plan.effect()}{asks}."
        front_end.show(replace(in_short, title=title, closing=()), is_asked=False)
        _warn_last(front_end, in_short)
        return _of_dry_run(rows, caption)
    result = _decide(session, plan, workspace, dry_run=False, yes=options["yes"] or not needs_confirmation)
    if result is None:
        return result
    for line in _how_to_undo(session, workspace, plan):
        front_end.hint(line)
    return result if len(result) or not is_confirmed(result) else permissions_of(workspace)


def _costs(plan: PermissionEffects, names: Sequence[str]) -> tuple[str, pd.DataFrame]:
    """Return the rows of a dry run, with the caption that they have in a preview: the tokens that will be lost; or else
    the principals that lose permission, or those that gain it; or else the entries that change. If columns are asked
    for, the first of them that has all these columns.
    """
    rows = {
        preview.LOST_TOKENS: preview.worst_first_of(plan.preview(), []).reset_index(drop=True),
        permissions.LOSING: plan.losing_access,
        permissions.GAINING: plan.gaining_access,
        permissions.CHANGES: plan.changes,
        permissions.NOT_KNOWN: plan.not_known,
    }
    filled = {caption: found for caption, found in rows.items() if len(found)}
    asked_for = (part for part in filled.items() if all(columns.named(name, part[1].columns) for name in names))
    return next(asked_for, next(iter(filled.items())))


def _whole(front_end: FrontEnd, plan: PermissionEffects) -> Mapping[str, Any]:
    """Return how many rows of each table a dry run shows, and how to see the others, for a preview."""
    first = ["workspace"] if "workspace" in plan.changes else []
    how = "returns all of them" if front_end.returns_objects else "--to FILE saves all of them"
    limit = {} if front_end.returns_objects else {"limit": _MOST_ROWS}  # a cell is no screen, and its output is saved
    return limit | {"see_all": lambda caption: f"--columns {','.join([*first, *_COLUMNS_OF[caption]])} {how}"}


def _how_to_undo(session: Session[Any], workspace: AnyWorkspace, plan: PermissionEffects) -> list[str]:
    """Return how to undo a change of permissions: the opposite commands, or where the earlier entries are."""
    changes, profiles = plan.changes, dict[str, str | None]()
    if "workspace" in changes:
        known = {*credentials.profiles()}
        profiles |= {host: label if label in known else None for host, label in workspace.labels.items()}
    else:
        changes, profiles[workspace.name] = changes.assign(workspace=workspace.name), session.profile()
    return how_to_restore(session.front_end.program, str(plan.run_id), changes, profiles)


def resume(
    session: Session[AnyWorkspace],
    *,
    run_id: str | None,
    ignore_usage: bool,
    dry_run: bool,
    yes: bool,
    **options: Unpack[Evidence],
) -> pd.DataFrame | None:
    """Finish a run that was interrupted or staged, after showing what remains; without a run, return the unfinished.

    An interrupted run that started today resumes without confirmation: its plan was confirmed today.
    """
    if run_id is None:
        return unfinished(session)
    workspace = _workspace_of_run(session, run_id)
    try:
        plan = workspace.plan_resume(run_id, ignore_usage=ignore_usage or options["usage"])
    except errors.WarehouseStoppedError as stopped:  # a staged run reads its evidence again
        plan = workspace.plan_resume(run_id, read_if_allowed(session.front_end, workspace, stopped))
    if not dry_run:
        plan.check_due()  # before the log is read
    evidence = evidence_of(session.front_end, workspace, options)
    if evidence is not None:
        plan = workspace.plan_resume(run_id, evidence, ignore_usage=ignore_usage)
    in_short = preview.of(plan, labels=workspace.labels, see_all=_by_dry_run)
    if not plan.summary().doing:
        _warn(session.front_end, in_short)
        return _nothing_remains(session, workspace, plan, dry_run=dry_run)
    is_shown = not ((plan.needs_confirmation and not plan.only_records) or dry_run or yes)
    if is_shown:
        session.front_end.show(replace(in_short, closing=()), is_asked=False)
        _warn(session.front_end, in_short)
        session.front_end.warn(
            f"{workspace.full_name_for(plan.hosts)}: resuming run {plan.run_id}, which was confirmed today. "
            "To see what remains without resuming, use --dry-run."
        )
    return _decide(session, plan, workspace, dry_run=dry_run, yes=yes, is_shown=is_shown)


def _nothing_remains(
    session: Session[AnyWorkspace], workspace: AnyWorkspace, plan: RemainingPlan, *, dry_run: bool
) -> pd.DataFrame:
    """Say that nothing remains of a run, and read the listing, which may contradict it.

    Raises:
        FleetError: It is a dry run, and what remains in some of the run's workspaces is not known.
    """
    rest = " in the workspaces that could be read" if plan.is_partial else ""
    session.warn(f"{workspace.name}: nothing remains of run {plan.run_id}{rest}.")
    if dry_run and plan.is_partial:
        raise errors.FleetError(f"It is not known what remains of run {plan.run_id} in the other workspaces.")
    if dry_run:
        return plan.preview()
    result = _applied(session.front_end, plan)  # reads the listing, which may contradict it
    is_open = remaining(result) or not is_confirmed(result)
    if found := totals(result, str(plan.run_id)):
        session.warn(f"{workspace.name}: {found}.")
    _say_additional_effects(session.front_end, result)
    _say_how_to_finish(session, plan, result)
    return result if session.front_end.returns_objects or is_open else result.head(0)


def create_obo(
    session: Session[Workspace],
    *,
    service_principal: str,
    comment: str | None,
    lifetime: pd.Timedelta | None,
    scopes: list[str] | None,
    allow_unknown: bool,
    autoscope: bool | None,
    secret: str | None,
    overwrite: bool,
    variable: str | None = None,
    env: str | None = None,
    show_value: bool = False,
) -> OboToken:
    """Create a token that acts as a service principal, and store its value. The value is not printed by default."""
    workspace = session.workspace()
    # All checks run before the token is created: an error afterwards would lose its value.
    if not session.front_end.returns_objects and not (secret or show_value):
        raise errors.UsageError(
            "The token value would be lost. Use --secret SCOPE/KEY to store it, or --show-value to print it."
        )
    if any(name and not name.isidentifier() for name in (variable, env)):
        raise errors.UsageError("--variable and --env require the name of a variable: letters, digits and _.")
    if secret:
        _check_secret(workspace, secret, overwrite=overwrite)
    _check_scopes(session.front_end, workspace, scopes, allow_unknown=allow_unknown)
    without_credential("comment", comment)
    principal = access.service_principal(workspace.service_principals(), service_principal)
    session.front_end.has_begun_to_change = True
    created = creation.create(
        workspace.plan_context(),
        principal,
        {
            "autoscope_enabled": autoscope,
            "comment": comment,
            "lifetime_seconds": None if lifetime is None else int(lifetime.total_seconds()),
            "scopes": scopes,
        },
    )
    token = created.made
    if token is None:
        raise errors.ResponseLostError(_without_value(session.front_end, workspace, created))
    session.warn(f"{workspace.name}: created token {token.token_info.token_id}. Run {created.run_id}.")
    if secret:
        _store(workspace, token, secret)
        session.warn(f"Stored the value in the secret {secret}.")
    if variable:
        session.front_end.keep(variable, token.token_value, in_environment=False)
        session.warn(f"Stored the value in the variable {variable}.")
    if env:
        session.front_end.keep(env, token.token_value, in_environment=True)
        session.warn(f"Stored the value in the environment variable {env} of this process.")
    return token


def _check_secret(workspace: Workspace, secret: str, *, overwrite: bool) -> None:
    """Raise ``UsageError`` if the secret cannot be written, or already exists."""
    scope, slash, key = secret.partition("/")
    if not (scope and slash and key):
        raise errors.UsageError("Invalid secret name. Write SCOPE/KEY.")
    if scope not in workspace.secret_scopes():
        raise errors.UsageError(f"{workspace.name} has no secret scope {scope!r}. Create it, or use another one.")
    if not overwrite and key in workspace.secret_keys(scope):
        raise errors.UsageError(f"The secret {secret} already exists and may be in use. Use --overwrite to replace it.")


def _check_scopes(front_end: FrontEnd, workspace: Workspace, scopes: list[str] | None, *, allow_unknown: bool) -> None:
    """Confirm scopes that look like misspelled known scopes. Other unknown scopes may be new, and are accepted."""
    if not scopes or allow_unknown:
        return
    near = scopes_review.misspelt(scopes, workspace.token_management.list())
    if not near:
        return
    problem = " ".join(f"Unknown scope {scope!r}. Did you mean {known}?" for scope, known in near.items())
    reply = front_end.ask(f"{problem} Type yes to use it anyway, anything else to cancel: ")
    if reply is None or reply.strip().lower() != "yes":
        raise errors.UsageError(f"{problem} Use --allow-unknown for a new scope.")


def _without_value(front_end: FrontEnd, workspace: Workspace, created: creation.Creation) -> str:
    """Offer to revoke a token whose value was lost, and return the result as a message."""
    advice = creation.advice(created.without_value, created.run_id)
    if tokens := created.without_value:
        front_end.warn(f"{created.problem} {advice}")
        count = len(tokens)
        reply = front_end.ask(f"Type {count} to revoke {pluralize(count, 'token')} now, anything else to keep them: ")
        if reply is not None and reply.strip() == str(count) and _revoked(workspace, tokens):
            return f"{created.problem.rstrip('.')}. Revoked: {', '.join(tokens)}."
    return f"{created.problem.rstrip('.')}. {advice}"


def _store(workspace: Workspace, token: OboToken, secret: str) -> None:
    """Write the value to a secret. If that fails, revoke the token, whose value would be lost."""
    scope, _, key = secret.partition("/")
    try:
        workspace.put_secret(scope, key, token.token_value)
    except (errors.TokenKitError, KeyboardInterrupt) as failure:
        problem = str(failure) or "Interrupted."
    else:
        return
    token_id = str(token.token_info.token_id)
    revoked = _revoked(workspace, [token_id])
    after = f"Token {token_id} was revoked." if revoked else creation.advice([token_id], "")
    raise errors.UsageError(f"The secret {secret} could not be written. {after} {problem}")


def _revoked(workspace: Workspace, tokens: Sequence[str]) -> bool:
    """Revoke tokens whose value was lost, and return whether all were deleted."""
    try:
        plan = workspace.revoke(tokens, include_own=True, reason="value was lost")
        outcomes = plan.apply(progress=False)["outcome"]
    except errors.TokenKitError:
        return False
    return len(outcomes) == len(tokens) and bool(outcomes.isin([REVOKED, ALREADY_GONE]).all())


def _require_known(
    front_end: FrontEnd,
    workspace: AnyWorkspace,
    criteria: Mapping[str, Any],
    chosen: pd.DataFrame | None = None,
    *,
    allow_none: bool,
) -> None:
    """Raise ``UsageError`` if a filter names an unknown owner or creator; with ``--allow-none``, only warn."""
    listing = workspace.tokens_with_aliases
    unknown = filters.unknown_names(criteria, tokens=listing, principals=workspace.principal_names, chosen=chosen)
    if unknown and not allow_none:
        raise errors.UsageError(" ".join([*unknown, "Nothing was changed. Use --allow-none to allow unknown names."]))
    if not unknown and chosen is not None and not len(chosen):
        unknown = filters.misspelt(listing(), criteria, workspace.principal_names)
    for sentence in unknown:
        front_end.warn(sentence)


def _decide(
    session: Session[Any],
    plan: Plan,
    workspace: AnyWorkspace,
    *,
    dry_run: bool,
    yes: bool,
    is_shown: bool = False,
    doing: str = "",
    nothing: str = "",
) -> pd.DataFrame | None:
    """Show a plan and apply it, after the user confirmed it or gave ``--yes``; with ``--dry-run``, return the preview.

    Args:
        session: The session of the command.
        plan: The plan.
        workspace: The workspace or the fleet of the plan.
        dry_run: Whether to return the preview only.
        yes: Whether to skip the confirmation.
        is_shown: Whether the preview was shown, and the change needs no confirmation.
        doing: The description of the change, if it differs from the plan's own.
        nothing: The description of a plan without tokens, which is only shown.

    Returns:
        The result or the preview; None if the user did not confirm.
    """
    front_end, summary = session.front_end, plan.summary()
    doing = doing or summary.doing
    if nothing and not len(plan):
        _warn(front_end, preview.of(plan))
        front_end.warn(f"{workspace.name}: {nothing}.")
        return plan.preview()
    rows = _with_columns(plan.preview(), session.columns, workspace.tokens)
    where = workspace.full_name_for(plan.hosts)
    is_unseen = yes and not dry_run
    in_short = preview.of(
        plan, title=doing, tokens=rows, labels=workspace.labels, see_all=_by_dry_run, names_tokens=is_unseen
    )
    if dry_run:
        front_end.hint(f"{where}: would {doing}.")
        _warn_last(front_end, in_short)
        rows = preview.worst_first_of(rows, list(summary.warnings)).reset_index(drop=True)
        return _of_dry_run(rows, "Tokens in the plan")
    if yes:
        _warn(front_end, in_short)
    elif not is_shown:
        front_end.show(in_short)
        reply = front_end.ask(f"Type {summary.count} to {doing} on {where}, anything else to cancel: ")
        if reply is None:
            raise errors.UsageError("Confirmation required, but there is no terminal. Use --yes or --dry-run.")
        if (typed := reply.strip().replace(",", "")) != str(summary.count):
            why = f"The number is {summary.count}, not {typed}. " if typed.isdecimal() else ""
            front_end.warn(f"{why}Nothing was changed.")
            return None
    result = _with_columns(_applied(front_end, plan), session.columns, lambda: rows)
    interrupted = "Interrupted. " if result.attrs.get(ENDED_BY) == INTERRUPT else ""
    is_change = isinstance(plan, PermissionEffects) and not interrupted
    outcomes = totals(result, str(plan.run_id)) if isinstance(plan, RemainingPlan) else counts(result)
    done = "; ".join(filter(None, ["permissions changed" * (is_change or not len(result)), outcomes]))
    changed = [*dict.fromkeys([*plan.hosts, *result.get("workspace", ())])]
    front_end.warn_last(f"{interrupted}{workspace.name_for(changed)}: {done}. Run {plan.run_id}.")
    _say_additional_effects(front_end, result)
    _say_how_to_finish(session, plan, result)
    if plan.can_be_undone and result["outcome"].isin([UPDATED, UNKNOWN]).any():
        front_end.hint(f"To undo this change: {front_end.program} undo {plan.run_id}")
    return result


def _of_named(result: pd.DataFrame | None, plan: Plan) -> pd.DataFrame | None:
    """Return the result of a change whose arguments name tokens or a run. If it changes none of them, it fails: an exit
    code of 0 would say that they were changed.
    """
    if result is not None and not len(plan):
        result.attrs[NOTHING_CHANGED] = True
    return result


def _say_how_to_finish(session: Session[Any], plan: Plan, result: pd.DataFrame) -> None:
    """Show the command that finishes a run, or that reads its final listing again, if there is something left."""
    front_end = session.front_end
    if remaining(result):
        asks = isinstance(plan, RemainingPlan) and plan.needs_confirmation
        how = (
            "after a confirmation"
            if asks
            else "until 00:00 UTC without confirmation, as it was confirmed today; --dry-run only shows what remains"
        )
        front_end.warn_last(f"To finish the run ({how}): {session.of_run('resume', str(plan.run_id))}")
    elif not is_confirmed(result):
        front_end.warn_last(
            f"The final listing could not be read. To check what is still listed: "
            f"{session.of_run('resume', str(plan.run_id))}"
        )


def _applied(front_end: FrontEnd, plan: Plan) -> pd.DataFrame:
    """Apply a plan, and return its result with its run, which a long table names. Without a result, name the run."""
    front_end.has_begun_to_change = True
    try:
        result = plan.apply(progress=front_end.shows_progress)
    except BaseException:
        if plan.run_id is not None:
            front_end.warn_last(
                f"Run {plan.run_id} returned no result. To see what it did: {front_end.program} journal --run "
                f"{plan.run_id}"
            )
        raise
    result.attrs[RUN] = plan.run_id
    return result


def _of_dry_run(rows: pd.DataFrame, caption: str) -> pd.DataFrame:
    """Return the rows of a dry run, with what they are for the table of a terminal."""
    rows.attrs[CAPTION] = f"{caption} (dry run, nothing was changed)"
    return rows


def _with_columns(rows: pd.DataFrame, names: Sequence[str], read_others: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Return the tokens of a preview or a result with the columns that are asked for and that it lacks.

    Args:
        rows: The rows of the preview or the result.
        names: The columns to show, as ``--columns`` names them.
        read_others: Returns the tokens with other columns: the listing, or the preview.
    """
    if "token_id" not in rows or all(columns.named(name, rows.columns) for name in names):
        return rows
    others = read_others()
    lacking = [name for name in others.columns if name not in rows]
    asked_for = {name for given in names for name in columns.named(given, lacking)}
    keys = [name for name in ("workspace", "token_id") if name in rows and name in others]
    found = rows.merge(others[[*keys, *(name for name in lacking if name in asked_for)]], on=keys, how="left")
    found.attrs |= rows.attrs
    return found


def _say_additional_effects(front_end: FrontEnd, result: pd.DataFrame) -> None:
    """Show the effects of a change that were not in its plan."""
    if beyond := permissions.beyond_preview(result):
        front_end.warn_last(beyond)


def _by_dry_run(_: str) -> str:
    """Return how to see all rows of a preview before a confirmation."""
    return "--dry-run shows all of them"


def _warn(front_end: FrontEnd, in_short: Preview) -> None:
    """Show the closing lines of a plan whose preview is not shown."""
    for line in in_short.closing:
        front_end.warn(line)


def _warn_last(front_end: FrontEnd, in_short: Preview) -> None:
    """Show the closing lines of a plan after its rows, which can be many."""
    for line in in_short.closing:
        front_end.warn_last(line)
