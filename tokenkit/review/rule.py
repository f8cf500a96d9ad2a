"""What a rule of the audit is, and the decorator that makes one of a function.

A rule is a small vectorised function over a listing. It is handed the tokens that still work, with the columns of
``Workspace.tokens``, and returns the **evidence**: one short text, with the number that matters, for each token at
fault, indexed like the tokens; whatever has none is fine. Everything else about a rule stands beside the function::

    @rule("shared-account", title="Belongs to an account that several people use", severity="high",
          why="Nobody can tell who used it.", remedy="Revoke it; give each person a token of their own.",
          thresholds={"prefix": "how such accounts are called here"})
    def shared_account(tokens, context, *, prefix="team-"):
        return "an account of several people: " + tokens["owner"][tokens["owner"].str.startswith(prefix)]

Keyword-only arguments are the rule's thresholds. A caller overrides their defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from tokenkit import errors
from tokenkit.rest.settings import TokenSettings
from tokenkit.review.access import Identities

Severity = Literal["high", "medium", "low"]
SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
"""From the worst to the mildest."""

Subject = Literal["token", "owner", "workspace"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What rules may look at beside the listing. A rule that needs what is None is not checked, and that is said.

    Attributes:
        now: The moment that the audit is of.
        identities: The workspace's users, service principals and groups.
        permissions: Who may use tokens (``TokenManagementAPI.get_permissions``).
        settings: What the workspace allows (``Workspace.token_settings``).
        unread: For what cannot be read, why: ``permissions``, or one of ``settings`` by its name.
    """

    now: pd.Timestamp
    identities: Identities | None = None
    permissions: pd.DataFrame | None = None
    settings: TokenSettings | None = None
    unread: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Threshold:
    """A number, or list of words, that a rule compares with.

    Attributes:
        default: What it is unless the caller says otherwise.
        why: Why it is that.
    """

    default: Any
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the audit.

    Attributes:
        id: What it is called everywhere: in findings, in commands, in a file of acceptances.
        title: What is wrong with whatever it finds, in a few words.
        severity: ``high``, ``medium`` or ``low``.
        why: Why it matters.
        remedy: What to do about it.
        find: From the tokens, the context and thresholds to the evidence. About an owner, the evidence stands at one of
            the owner's tokens; about the workspace, it is one text, or None.
        subject: What a finding is about: a token, an owner, the workspace.
        needs: What of the context, beside the clock, it cannot do without; ``owners`` where it is the owner columns.
        expired_too: Whether it is handed expired tokens as well.
        sat: The rule of the Security Analysis Tool that it is, or is a part of.
        thresholds: What its function compares with.
    """

    id: str
    title: str
    severity: Severity
    why: str
    remedy: str
    find: Callable[..., pd.Series[str] | str | None]
    subject: Subject
    needs: tuple[str, ...]
    expired_too: bool
    sat: str
    thresholds: Mapping[str, Threshold] = field(compare=False)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            known = ", ".join(SEVERITIES)
            raise errors.UsageError(f"A rule's severity is one of {known}; {self.id} has {self.severity!r}.")

    def __call__(self, tokens: pd.DataFrame, context: Context, **thresholds: Any) -> pd.Series[str] | str | None:  # noqa: ANN401 - each threshold has its own type
        """Return the evidence, as the function that was decorated does."""
        return self.find(tokens, context, **thresholds)


def rule(
    id: str,  # noqa: A002 - what it is called in the findings, too
    *,
    title: str,
    severity: Severity,
    why: str = "",
    remedy: str = "",
    subject: Subject = "token",
    needs: tuple[str, ...] = (),
    expired_too: bool = False,
    sat: str = "",
    thresholds: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., pd.Series[str] | str | None]], Rule]:
    """Make a rule of a function, as the example at the top of this module does. ``Workspace.audit(also=[…])`` takes it.

    The function gets the tokens that still work and the ``Context``; it returns a text of evidence for each token at
    fault, indexed like the tokens. The rule can still be called as the function.

    Args:
        id: What it is called in findings, in commands, in a file of acceptances.
        title: What is wrong with whatever it finds, in a few words.
        severity: ``high``, ``medium`` or ``low``.
        why: Why it matters.
        remedy: What to do about it.
        subject: What a finding is about: ``token``, ``owner`` or ``workspace``.
        needs: What of the context the function cannot do without, such as ``settings``; where it is not there, the rule
            is not checked, and that is said.
        expired_too: Whether the function gets expired tokens as well.
        sat: The rule of the Security Analysis Tool that it is.
        thresholds: For each keyword-only argument of the function, why its default is what it is.

    Raises:
        UsageError: Another severity.
    """

    def make(find: Callable[..., pd.Series[str] | str | None]) -> Rule:
        return Rule(
            id=id,
            title=title,
            severity=severity,
            why=why,
            remedy=remedy,
            find=find,
            subject=subject,
            needs=needs,
            expired_too=expired_too,
            sat=sat,
            thresholds=_thresholds(find, thresholds or {}),
        )

    return make


def _thresholds(find: Callable[..., object], why: Mapping[str, str]) -> dict[str, Threshold]:
    """Return the keyword-only arguments of a function with their defaults."""
    parameters = inspect.signature(find).parameters.values()
    return {
        each.name: Threshold(each.default, why.get(each.name, ""))
        for each in parameters
        if each.kind is inspect.Parameter.KEYWORD_ONLY
    }
