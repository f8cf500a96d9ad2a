"""Creating a token on behalf of a service principal, so that none stays alive that nobody knows of.

The run is in the journal before the request is sent, with the tokens that the service principal has. Whatever is lost
after that, the tokens that came to be can be named: those that it did not have before.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.actions import journal as records
from tokenkit.actions import plan as plans
from tokenkit.actions.journal import Entry, Journal, Run
from tokenkit.actions.plan import Progress, Target
from tokenkit.rest.token_management import OboToken

KIND = "create-obo"


@dataclass(frozen=True, kw_only=True)
class Creation:
    """What came of the request.

    Attributes:
        run_id: The run that records it.
        made: The token; None where its value is lost.
        problem: What happened then.
        without_value: The tokens that came to be meanwhile; None where the workspace could not be asked.
    """

    run_id: str
    made: OboToken | None = None
    problem: str = ""
    without_value: tuple[str, ...] | None = ()


def create(target: Target, principal: pd.Series[Any], request: Mapping[str, Any]) -> Creation:
    """Create a token of a service principal.

    Args:
        target: The workspace.
        principal: The service principal: a row of ``Workspace.service_principals``.
        request: The other parameters of ``TokenManagementAPI.create_obo_token``.

    Raises:
        ApiError: The workspace refused; no token was created.
        JournalError: The journal cannot be written; nothing was sent.
    """
    asked = {"application_id": str(principal["application_id"]), **request}
    owner_id = int(principal["id"])
    settings = {"owner_id": owner_id, "before": _tokens_of(target, owner_id), **asked}
    run = plans.begin(target, KIND, reason=None, settings=settings)
    with Journal(target.folder) as journal:
        journal.begin(run, [])
        try:
            made = target.api.create_obo_token(**asked)
            entry = Entry(
                token_id=str(made.token_info.token_id),
                owner=str(principal["display_name"]),
                snapshot=made.token_info.as_dict(),
                state=records.CREATED,
            )
            journal.add(run.run_id, entry, at_ms=round(target.now().timestamp() * 1000))
        except (
            errors.AnswerLostError,
            errors.JournalError,
            errors.MalformedAnswerError,
            errors.UnavailableError,
            KeyboardInterrupt,
        ) as failure:
            problem = str(failure) or "Interrupted."
        else:
            return Creation(run_id=run.run_id, made=made)
    return Creation(run_id=run.run_id, problem=problem, without_value=_without_value(target, run))


def resume(
    target: Target,
    run: Run,
    entries: Sequence[Entry],
    journal: Journal,  # noqa: ARG001 - as all kinds
    *,
    progress: bool | Progress,  # noqa: ARG001
    stop: threading.Event | None = None,  # noqa: ARG001
) -> pd.DataFrame:
    """Return the token that a run created; it is not created twice.

    Raises:
        UsageError: The run ended before its token was known. The message names those that came to be since.
    """
    if not entries:
        raise errors.UsageError(
            f"Run {run.run_id} ended before it knew its token. {advice(_without_value(target, run), run.run_id)}"
        )
    return plans.result(entries)


def advice(without_value: Sequence[str] | None, run_id: str) -> str:
    """Return what to do about tokens whose value nobody has."""
    if without_value is None:
        return f"Whether it exists is not known: tokenkit resume {run_id} looks again."
    if not without_value:
        return "No token was created."
    return f"Nobody has its value. Revoke it: tokenkit revoke {' '.join(without_value)}"


def _without_value(target: Target, run: Run) -> tuple[str, ...] | None:
    """Return the tokens that the service principal did not have before the run."""
    try:
        return tuple(sorted(set(_tokens_of(target, run.settings["owner_id"])) - set(run.settings["before"])))
    except errors.TokenKitError:
        return None


def _tokens_of(target: Target, owner_id: int) -> list[str]:
    listing = target.api.list()
    return listing.loc[listing["owner_id"] == owner_id, "token_id"].tolist()
