"""The type of the audit's rules, and the decorator that turns a function into a rule.

A rule is a small vectorized function over a listing. It receives the active tokens, with the columns of
``Workspace.tokens``, and returns **evidence**: a short text, with the relevant number, for each token with a finding,
indexed like the tokens. The decorator takes everything else about the rule::

    @rule("shared-account", title="Owner is a shared account", severity="high",
          why="Its use cannot be attributed to a person.", remedy="Revoke it, and create a token for each person.",
          thresholds={"prefix": "the naming convention for shared accounts"})
    def shared_account(tokens, context, *, prefix="team-"):
        return "a shared account: " + tokens["owner"][tokens["owner"].str.startswith(prefix)]

Keyword-only arguments are the rule's thresholds. Callers can override their defaults.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

import pandas as pd

from tokenkit import errors
from tokenkit.core.arguments import several, table
from tokenkit.rest.settings import TokenSettings
from tokenkit.review.access import ADMINS, Identities
from tokenkit.review.values import SEVERITIES, Severity

Subject = Literal["token", "owner", "workspace"]


@dataclass(frozen=True, kw_only=True)
class Context:
    """The input of rules besides the listing. A rule whose input is None is not checked, and the audit says so.

    Attributes:
        now: The time of the audit.
        identities: The workspace's users, service principals and groups.
        permissions: Who can use tokens (``TokenManagementAPI.get_permissions``).
        settings: The workspace's token settings (``Workspace.token_settings``).
        usage: What used each token, from the audit log (``Workspace.usage``).
        unread: The reason why an input cannot be read, by its name: ``permissions``, one of ``settings``, or
            ``comments`` of a listing that was saved.
    """

    now: pd.Timestamp
    identities: Identities | None = None
    permissions: pd.DataFrame | None = None
    settings: TokenSettings | None = None
    usage: pd.DataFrame | None = None
    unread: Mapping[str, str] = field(default_factory=dict)

    def known(self) -> set[str]:
        """Return the names of the known parts, as in ``Rule.needs``, except the owner columns of the listing."""
        found = {name for name in ("permissions", "settings", "usage") if getattr(self, name) is not None}
        found |= {"comments"} - self.unread.keys()
        if self.settings is not None:
            found |= SETTINGS - self.unread.keys()
            found -= {"settings"} if SETTINGS & self.unread.keys() else set()
        if (people := self.identities) is not None:
            admins = people.groups.loc[people.groups["display_name"] == ADMINS, "id"]
            found |= {"principals"} if people.unlisted_groups() & set(admins) else {"principals", "identities"}
        return found


IN_LISTINGS = {"owners", "comments"}
"""The parts that a listing can have itself, without a workspace."""

SETTINGS = {setting.name for setting in fields(TokenSettings)}
"""The names of the single settings that a rule can need."""


@dataclass(frozen=True)
class Threshold:
    """A number or a list of texts that a rule compares with.

    Attributes:
        default: The value that applies unless the caller sets another.
        why: The reason for the default.
    """

    default: Any
    why: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule of the audit.

    Attributes:
        id: The name in findings, commands and waivers.
        title: The problem with a finding, in a few words.
        severity: ``high``, ``medium`` or ``low``.
        why: Why the problem matters.
        remedy: How to fix it.
        find: Returns the evidence for tokens, a context and thresholds. Evidence about an owner is indexed by one of
            the owner's tokens. Evidence about the workspace is one text, or None.
        subject: The subject of a finding: a token, an owner or the workspace.
        needs: The required parts of the context: ``settings`` or the name of a single setting, ``permissions``,
            ``identities``, ``principals`` (``identities`` without the groups), ``owners`` (the owner columns),
            ``comments`` (unredacted).
        expired_too: Whether the rule also receives expired tokens.
        sat: The rule of the Security Analysis Tool that it implements, in whole or in part.
        thresholds: The values that the function compares with.
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
        for name in ("id", "title", "severity", "subject", "why", "remedy", "sat"):
            if not isinstance(given := getattr(self, name), str):
                raise errors.UsageError(f"{name} of a rule must be of type str, not {type(given).__name__}.")
        several(f"needs of rule {self.id}", self.needs, str)
        for name, known in (("subject", get_args(Subject)), ("severity", SEVERITIES)):
            if (given := getattr(self, name)) not in known:
                raise errors.UsageError(f"Invalid {name} of rule {self.id}: {given!r}. Use one of: {', '.join(known)}.")

    def __call__(self, tokens: pd.DataFrame, context: Context, **thresholds: Any) -> pd.Series[str] | str | None:  # noqa: ANN401 - each threshold has its own type
        """Return the evidence of the decorated function."""
        return self.find(tokens, context, **thresholds)


def rule(
    id: str,  # noqa: A002 - also the name in findings
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
    """Turn a function into a rule for ``Workspace.audit(also=[…])``. The module's docstring has an example.

    The function receives the active tokens and the ``Context``. It returns a text of evidence for each token with a
    finding, indexed like the tokens. The rule remains callable like the function.

    Args:
        id: The name in findings, commands and waivers.
        title: The problem with a finding, in a few words.
        severity: ``high``, ``medium`` or ``low``.
        why: Why the problem matters.
        remedy: How to fix it.
        subject: The subject of a finding: ``token``, ``owner`` or ``workspace``.
        needs: The required parts of the context, such as ``settings``. If one is missing, the rule is not checked, and
            the audit says so.
        expired_too: Whether the function also receives expired tokens.
        sat: The rule of the Security Analysis Tool that it implements.
        thresholds: The reason for the default of each keyword-only argument of the function.

    Raises:
        UsageError: The severity is not valid.
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
            thresholds=_thresholds(find, table("thresholds", thresholds)),
        )

    return make


def _thresholds(find: Callable[..., object], why: Mapping[str, str]) -> dict[str, Threshold]:
    """Return the keyword-only arguments of a function with their defaults."""
    parameters = inspect.signature(find).parameters.values()
    return {
        parameter.name: Threshold(parameter.default, why.get(parameter.name, ""))
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
