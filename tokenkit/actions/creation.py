"""Creates a token on behalf of a service principal, without leaving an unknown token behind.

The run, with the service principal's existing tokens, is written to the journal before the request is sent. If the
response is lost, a comparison with these tokens identifies the tokens that were created since.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.actions import states
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.kind import RunKind
from tokenkit.actions.options import RunOptions
from tokenkit.actions.plan import PlanContext
from tokenkit.actions.result import result_of
from tokenkit.actions.run import note_change
from tokenkit.rest.token_management import OboToken

KIND = RunKind(
    name="create-obo",
    doing="look for the token that was created",
    deletes_tokens=False,
    is_one_change=True,
    settings={"owner_id": int, "before": [str]},
)


@dataclass(frozen=True, kw_only=True)
class Creation:
    """The result of the request.

    Attributes:
        run_id: The run that records it.
        made: The token; None if its value was lost.
        problem: The error that lost the value.
        without_value: The ids of the tokens created since the run began; None if the listing could not be read.
    """

    run_id: str
    made: OboToken | None = None
    problem: str = ""
    without_value: tuple[str, ...] | None = ()


def create(context: PlanContext, principal: pd.Series[Any], request: Mapping[str, Any]) -> Creation:
    """Create a token of a service principal.

    Args:
        context: The workspace.
        principal: The service principal: a row of ``Workspace.service_principals``.
        request: The other parameters of ``TokenManagementAPI.create_obo_token``.

    Raises:
        ApiError: The workspace rejected the request; no token was created.
        JournalError: The journal cannot be written; nothing was sent.
    """
    parameters = {"application_id": str(principal["application_id"]), **request}
    owner_id = int(principal["id"])
    settings = {"owner_id": owner_id, "before": _tokens_of(context, owner_id), **parameters}
    run = context.new_run(KIND.name, reason=None, settings=settings)
    with Journal(context.folder) as journal:
        journal.create_run(run, [], is_one_change=True)
        note_change(context, run, journal, states.SENT)
        try:
            made = context.api.create_obo_token(**parameters)
            entry = Entry(
                token_id=str(made.token_info.token_id),
                owner=str(principal["display_name"]),
                snapshot=made.token_info.as_dict(),
                state=states.CREATED,
            )
            journal.add(run.run_id, entry, at_ms=context.now_ms(), is_the_change=True)
        except (
            errors.ResponseLostError,
            errors.JournalError,
            errors.InvalidResponseError,
            errors.UnavailableError,
            KeyboardInterrupt,
        ) as failure:
            problem = str(failure) or "Interrupted."
        except errors.TokenKitError as rejection:
            with contextlib.suppress(errors.JournalError):
                note_change(context, run, journal, states.SKIPPED, error=f"no token was created: {rejection}")
            raise
        else:
            return Creation(run_id=run.run_id, made=made)
        # Even if no new token is listed: the request may still be in progress. Resuming checks again.
        with contextlib.suppress(errors.JournalError):  # else it says `sent`, which is checked again
            note_change(context, run, journal, states.UNKNOWN, error=problem)
    return Creation(run_id=run.run_id, problem=problem, without_value=_without_value(context, run))


def resume(
    context: PlanContext,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,
    options: RunOptions,  # noqa: ARG001 - as all kinds
) -> pd.DataFrame:
    """Return the token that a run created. No token is created again.

    If the token is unknown, the service principal's tokens are listed. If none was created since the run began, the run
    is complete: no token was created, or it was revoked.

    Raises:
        UsageError: There are such tokens, which the message names, or the listing could not be read.
    """
    if not entries and journal.state_of_change(run.run_id) not in states.SETTLED:
        without_value = _without_value(context, run)
        if without_value != ():
            raise errors.UsageError(
                f"Run {run.run_id} ended before the id of its token was known. {advice(without_value, run.run_id)}"
            )
        note_change(context, run, journal, states.SKIPPED, error="no token was created, or it was revoked")
    return result_of(entries)


def advice(without_value: Sequence[str] | None, run_id: str) -> str:
    """Return what to do about tokens whose value is lost."""
    if without_value is None:
        return f"It is not known whether the token exists. Run `tokenkit resume {run_id}` to check again."
    if not without_value:
        return f"The workspace lists no new token. Run `tokenkit resume {run_id}` to check again."
    return f"The value is lost. Revoke the token: tokenkit revoke {' '.join(without_value)}"


def _without_value(context: PlanContext, run: Run) -> tuple[str, ...] | None:
    """Return the ids of the tokens that the service principal did not have before the run."""
    try:
        return tuple(sorted(set(_tokens_of(context, run.settings["owner_id"])) - set(run.settings["before"])))
    except errors.TokenKitError:
        return None


def _tokens_of(context: PlanContext, owner_id: int) -> list[str]:
    listing = context.api.list()
    return listing.loc[listing["owner_id"] == owner_id, "token_id"].tolist()
