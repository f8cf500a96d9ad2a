"""The audit: runs rules over a listing and separates findings from waived findings."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tokenkit import errors, frames
from tokenkit.core import arguments, wording
from tokenkit.core.arguments import several
from tokenkit.core.spelling import spelled
from tokenkit.core.wording import pluralize
from tokenkit.rest.workspace import WorkspaceAPI
from tokenkit.review import texts
from tokenkit.review.access import ADMINS, Identities
from tokenkit.review.description import described, described_alone
from tokenkit.review.preview import Preview, table, visible
from tokenkit.review.rule import SETTINGS, Context, Rule
from tokenkit.review.rules import BROAD_SCOPE, RULES
from tokenkit.review.usage import summary as coverage_of
from tokenkit.review.usage import with_evidence
from tokenkit.review.usage_rules import RULES as USAGE_RULES
from tokenkit.review.values import SEVERITIES, Severity
from tokenkit.review.waivers import Waiver, split, waivers_of

FINDING_COLUMNS = ("rule", "severity", "token_id", "owner", "evidence", "remedy")

EVERY_RULE: tuple[Rule, ...] = (*RULES, *USAGE_RULES)
"""All rules, also those that need evidence of use."""

Thresholds = Mapping[str, Mapping[str, Any]]
MakePlan = Callable[..., Any]
WriteReport = Callable[..., Path]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Audit:
    """The result of an audit.

    Attributes:
        findings: A row for each token and rule, the most severe first: ``rule, severity, token_id, owner, evidence,
            remedy``. ``token_id`` is missing for findings about an owner, ``owner`` too for those about the workspace.
        waived: The findings that a waiver excludes, with its ``reason`` and its last day, ``expires``.
        summary: A row for each rule, also without findings: ``rule, title, severity, findings, waived, why, remedy,
            not_checked``. For a rule that was not checked, ``findings`` is ``<NA>`` and ``not_checked`` names the
            missing input.
        tokens: The listing, with owners and derived columns as of the audit; with evidence of use also ``logins,
            last_login, clients``.
        notes: Notes on waivers that expired or match no rule or finding, on rules that were not checked, on tokens
            without scopes, and on the coverage of the evidence of use.
        unmatched_waivers: Those of the notes that name a waiver that matches no finding.
        name: The workspace.
        now: The time of the audit.
    """

    findings: pd.DataFrame
    waived: pd.DataFrame
    summary: pd.DataFrame
    tokens: pd.DataFrame
    notes: tuple[str, ...]
    name: str
    now: pd.Timestamp
    unmatched_waivers: tuple[str, ...]
    _plan: MakePlan | None
    _write: WriteReport | None = None

    def __repr__(self) -> str:
        return f"<Audit of {self.name}: {self._counts()}>"

    def __str__(self) -> str:
        return repr(self.in_short())

    def _counts(self) -> str:
        waived = f", {len(self.waived):,} waived" if len(self.waived) else ""
        return f"{self.headline()} in {pluralize(len(self.tokens), 'token')}{waived}"

    def headline(self) -> str:
        """Return the number of findings as text: ``12 findings (3 high, 9 medium, 0 low)``."""
        counts = self.findings["severity"].value_counts()
        parts = ", ".join(f"{counts.get(severity, 0):,} {severity}" for severity in SEVERITIES)
        return f"{pluralize(len(self.findings), 'finding')} ({parts})"

    def fails(self, severity: Severity) -> bool:
        """Return whether there is a finding of at least this severity that is not waived.

        Args:
            severity: ``high``, ``medium`` or ``low``.

        Raises:
            UsageError: The severity is not valid.
        """
        if not isinstance(severity, str) or severity not in SEVERITIES:
            raise errors.UsageError(f"Invalid severity: {severity!r}. Use one of: {', '.join(SEVERITIES)}.")
        return bool(self.findings["severity"].isin(SEVERITIES[: SEVERITIES.index(severity) + 1]).any())

    def revoke(self, *, rule: str | Sequence[str], **settings: Any) -> Any:  # noqa: ANN401 - for one or several workspaces
        """Return a plan to revoke the tokens that rules found, without waived findings. It changes nothing.

        Args:
            rule: A rule's id, or several.
            settings: As for ``Workspace.revoke``, such as ``include_own=True``.

        Raises:
            UsageError: The rule is unknown or not about tokens, or the audit is of a saved listing.
        """
        chosen = [rule] if isinstance(rule, str) else several("rule", rule, str)
        for name in chosen:
            if name not in set(self.summary["rule"]):
                raise errors.UsageError(f"Rule {name!r} was not run. {errors.did_you_mean(name, self.summary['rule'])}")
        if self._plan is None:
            raise errors.UsageError("This audit is of a saved listing. Use ws.revoke(audit.findings) instead.")
        found = self.findings[self.findings["rule"].isin(chosen)]
        if found["token_id"].isna().any():
            raise errors.UsageError(f"Nothing to revoke: findings of {' and '.join(chosen)} are not about tokens.")
        return self._plan(
            found.drop_duplicates([name for name in ("workspace", "token_id") if name in found]),
            **{"reason": f"audit: {', '.join(chosen)}"} | settings,
        )

    def report(self, to: str | os.PathLike[str], *, progress: bool = True) -> Path:
        """Write the audit to a file and return its path. See ``tokenkit.output.report.write``.

        Args:
            to: ``audit.html``: a self-contained page with charts, suitable for printing. ``audit.xlsx``: an Excel
                workbook. ``audit.csv``, ``audit.json``: the findings. An existing file is replaced.
            progress: Show a progress bar if writing takes more than two seconds.

        Raises:
            UsageError: The file type is unknown, the file cannot be written, or the audit is of a saved listing.
        """
        if self._write is None:
            raise errors.UsageError("This audit is of a saved listing. Use tokenkit.output.report.write(audit, to).")
        return self._write(self, to, progress=progress)

    def in_short(self) -> Preview:
        """Return a short view: the rules with findings, the most severe first, then the notes and the counts."""
        # A missing count means that the rule was not checked; a note names the missing input.
        counts = self.summary["findings"].astype(frames.TEXT).fillna("not checked")
        waived = self.summary["waived"].mask(self.summary["waived"].eq(0))
        rows = self.summary.assign(findings=counts, waived=waived)[counts != "0"]
        rows = rows[["severity", "rule", "title", "findings", "waived", "remedy"]]
        without = ", ".join(self.summary.loc[self.summary["findings"] == 0, "rule"])
        return Preview(
            title=visible(f"Audit of {self.name}"),
            tables=(table(rows, limit=len(rows)),) if len(rows) else (),
            closing=tuple(
                map(visible, [*self.notes, *([f"No findings: {without}."] if without else []), f"{self._counts()}."])
            ),
        )

    def _repr_html_(self) -> str:
        return self.in_short()._repr_html_()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ANN401, ARG002, FBT001 - as IPython calls it
        printer.text(str(self))


def audit(
    listing: pd.DataFrame,
    context: Context,
    *,
    rules: Iterable[Rule] = RULES,
    thresholds: Thresholds | None = None,
    waivers: Iterable[Waiver] | str | os.PathLike[str] | None = None,
    name: str = "a saved listing",
    plan: MakePlan | None = None,
) -> Audit:
    """Run rules over a current or saved listing.

    Args:
        listing: The columns of ``frames.TOKENS``, with or without owners. It is not changed.
        context: The time of the audit, and the known facts about the workspace.
        rules: The rules to run, as from ``chosen``.
        thresholds: Thresholds to override, by the rule's id: ``{"unused": {"idle_days": 45}}``.
        waivers: Waivers, or the path of a file with waivers; see ``waivers``.
        name: The workspace.
        plan: Returns a revocation plan for a frame of tokens.

    Raises:
        UsageError: A threshold or its rule is unknown.
        ConfigurationError: The waivers cannot be read.
    """
    rules = sorted(rules, key=lambda rule: SEVERITIES.index(rule.severity))
    settings = _checked(arguments.table("thresholds", thresholds), rules)
    all_waivers = waivers_of(waivers)
    tokens, known = _described(listing.reset_index(drop=True), context), context.known()
    if context.usage is not None:
        tokens = with_evidence(tokens, context.usage)
    known |= {"owners"} if context.identities is not None or "owner_kind" in listing else set()
    active = tokens[tokens["status"] == "active"]
    found, gaps = [pd.DataFrame(columns=list(FINDING_COLUMNS), dtype=frames.TEXT)], {}
    for rule in rules:
        missing = [need for need in rule.needs if need not in known]
        named = dict.fromkeys("settings" if context.settings is None and n in SETTINGS else n for n in missing)
        gaps[rule.id] = f"needs the workspace's {' and '.join(named)}" if missing else ""
        gaps[rule.id] += f" ({spelled('pass usage=ws.usage()')})" if "usage" in missing else ""
        if reasons := dict.fromkeys(context.unread[need] for need in missing if need in context.unread):
            gaps[rule.id] += f" ({' '.join(reasons).rstrip('.')})"
        gaps[rule.id] = gaps[rule.id] or _unset(rule, settings.get(rule.id, {}))
        if not gaps[rule.id]:
            given = tokens if rule.expired_too else active
            found.append(_findings(rule, given, rule(given, context, **settings.get(rule.id, {}))))
    findings = pd.concat(found, ignore_index=True)
    counting, waived, notes = split(findings, all_waivers, now=context.now)
    notes += [
        f"{str(waiver)[:1].upper()}{str(waiver)[1:]} matches no rule. "
        f"{errors.did_you_mean(waiver.rule, [rule.id for rule in rules])}"
        for waiver in all_waivers
        if waiver.rule not in {rule.id for rule in (*rules, *EVERY_RULE)}
    ]
    checked = {rule.id for rule in rules if not gaps[rule.id]}
    unmatched = tuple(
        f"No finding matches {waiver}. Remove it from the waivers, or correct it."
        for waiver in all_waivers
        if waiver.rule in checked and not waiver.matches(findings).any()
    )
    notes += unmatched
    notes += [f"{rule} was not checked: it {gap}." for rule, gap in gaps.items() if gap]
    notes += unscoped_notes(tokens, rules=checked)
    notes += [] if context.usage is None else [coverage_of(context.usage)]
    return Audit(
        findings=counting,
        waived=waived,
        summary=_summary(rules, gaps, counting, waived),
        tokens=tokens,
        notes=tuple(notes),
        unmatched_waivers=unmatched,
        name=name,
        now=context.now,
        _plan=plan,
    )


def unscoped_notes(tokens: pd.DataFrame, *, rules: Container[str]) -> list[str]:
    """Return a note about the active tokens that ``broad-scope`` leaves out, because their scopes are not stated.

    Args:
        tokens: The tokens of an audit.
        rules: The ids of the rules that were checked.
    """
    count = int((tokens["scopes"].isna() & (tokens["status"] == "active")).sum())
    if not count or BROAD_SCOPE not in rules:
        return []
    matches = wording.of(count, "It matches", "They match")
    filters = spelled('where="scopes.isna()", status="active"')
    return [
        f"{BROAD_SCOPE} leaves out {pluralize(count, 'active token')} without scopes, which can mean all APIs. "
        f"{matches} {filters}."
    ]


def read_context(api: WorkspaceAPI, rules: Iterable[Rule] = RULES, *, now: pd.Timestamp) -> Context:
    """Return the context that rules need from a workspace. If a part cannot be read, only its rules are not checked.

    Args:
        api: The workspace.
        rules: The rules. Parts that no rule needs are not requested.
        now: The time of the audit.
    """
    needs = {need for rule in rules for need in rule.needs}
    settings, permissions = None, None
    unread: dict[str, str] = {}
    if needs & {"settings", *SETTINGS}:
        settings, failures = api.read_settings()
        unread |= {name: str(error) for name, error in failures.items()}
    if "permissions" in needs:
        try:
            permissions = api.permissions()
        except (errors.ApiError, errors.InvalidResponseError) as error:
            unread["permissions"] = str(error)
    # Most rules need only the principals and not the members of groups.
    identities = (
        Identities(**api.principals({ADMINS}, always_with_groups=False))
        if "identities" in needs
        else Identities(**api.owners(), groups=frames.frame([], frames.GROUPS))
    )
    return Context(now=now, identities=identities, permissions=permissions, settings=settings, unread=unread)


def chosen(
    rules: Iterable[str | Rule] | None = None,
    *,
    also: Iterable[Rule] = (),
    skip: Iterable[str] = (),
    with_usage: bool = False,
) -> tuple[Rule, ...]:
    """Return the selected rules.

    Args:
        rules: Rules, their ids, or ids of the Security Analysis Tool (``IA-4`` selects two rules). None selects all
            rules that can be checked: those that need evidence of use only if there is some.
        also: Additional rules of the user's own.
        skip: Ids of rules to omit.
        with_usage: Whether there is evidence of use.

    Raises:
        UsageError: An id is unknown or not unique, or every selected rule is skipped.
    """
    every = EVERY_RULE if with_usage else RULES
    names = every if rules is None else several("rules", rules, str, Rule)
    selected = chain.from_iterable(_find_rules(name, EVERY_RULE) for name in names)
    candidates = (*dict.fromkeys(selected), *several("also", also, Rule))
    ids = [rule.id for rule in candidates]
    if duplicates := {rule_id for rule_id in ids if ids.count(rule_id) > 1}:
        raise errors.UsageError(f"Two rules have the id {duplicates.pop()!r}. Use another id for your rule.")
    skipped = [rule for name in several("skip", skip, str, Rule) for rule in _find_rules(name, candidates)]
    remaining = tuple(rule for rule in candidates if rule not in skipped)
    if skipped and not remaining:  # the result would look like an audit without findings
        given = ", ".join(rule.id for rule in candidates)
        raise errors.UsageError(f"No rule is left to check: all that were selected are skipped ({given}).")
    return remaining


def _find_rules(name: str | Rule, candidates: Sequence[Rule]) -> list[Rule]:
    if isinstance(name, Rule):
        return [name]
    found = [rule for rule in candidates if name in (rule.id, rule.sat)]
    if not found:
        known = dict.fromkeys([*(rule.id for rule in candidates), *(rule.sat for rule in candidates if rule.sat)])
        raise errors.UsageError(f"Unknown rule {name!r}. {errors.did_you_mean(name, known)}")
    return found


def _checked(thresholds: Thresholds, rules: Sequence[Rule]) -> Thresholds:
    by_id = {rule.id: rule for rule in rules}
    for name, settings in thresholds.items():
        if name not in by_id:
            raise errors.UsageError(f"Rule {name!r} is not run. {errors.did_you_mean(str(name), by_id)}")
        known = by_id[name].thresholds
        for threshold, value in arguments.table(f"thresholds of {name}", settings).items():
            if threshold not in known:
                hint = errors.did_you_mean(str(threshold), known) if known else "It has no thresholds."
                raise errors.UsageError(f"Rule {name} has no threshold {threshold!r}. {hint}")
            _check_threshold(f"Threshold {threshold} of rule {name}", value, known[threshold].default)
    return thresholds


def _check_threshold(name: str, value: Any, default: object) -> None:  # noqa: ANN401 - of any type
    """Reject a threshold of another type than its default."""
    if isinstance(default, list | tuple | set | frozenset):
        several(name, value, str)
    elif isinstance(default, int | float):
        is_number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
        if not is_number or pd.isna(value):
            raise errors.UsageError(f"{name} must be a number, such as {default}.")


def _unset(rule: Rule, thresholds: Mapping[str, Any]) -> str:
    """Return a message about a missing threshold: one whose default is an empty list, so that it must be set."""
    for name, threshold in rule.thresholds.items():
        if isinstance(threshold.default, tuple) and not thresholds.get(name, threshold.default):
            how = spelled("pass thresholds={{{rule!r}: {{{threshold!r}: [...]}}}}", rule=rule.id, threshold=name)
            return f"needs its threshold {name} ({how})"
    return ""


def _described(listing: pd.DataFrame, context: Context) -> pd.DataFrame:
    if (known := context.identities) is None:
        return described_alone(listing, now=context.now)
    return described(listing, now=context.now, users=known.users, service_principals=known.service_principals)


def _findings(rule: Rule, tokens: pd.DataFrame, evidence: pd.Series[str] | str | None) -> pd.DataFrame:
    """Return a finding for each text of a rule's evidence."""
    if rule.subject == "workspace" and not isinstance(evidence, pd.Series):
        evidence = texts.repeated(evidence, pd.RangeIndex(0 if evidence is None else 1))
        token_ids = owner = texts.repeated(None, evidence.index)
    elif isinstance(evidence, pd.Series) and (at := tokens.index.get_indexer(evidence.index)).min(initial=0) >= 0:
        owner = tokens["owner"].take(at)
        token_ids = tokens["token_id"].take(at) if rule.subject == "token" else texts.repeated(None, owner.index)
    else:
        raise errors.UsageError(
            f"Rule {rule.id} must return texts indexed like the tokens. Compare the built-in rules."
        )
    return pd.DataFrame(
        {
            "rule": texts.repeated(rule.id, owner.index),
            "severity": texts.repeated(rule.severity, owner.index),
            "token_id": token_ids,
            "owner": owner,
            "evidence": texts.redacted(evidence.astype(frames.TEXT)).array,
            "remedy": texts.repeated(spelled(rule.remedy), owner.index),
        }
    )


def _summary(
    rules: Sequence[Rule], gaps: Mapping[str, str], counting: pd.DataFrame, waived: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each rule, the most severe first."""
    rows = [(rule.id, rule.title, rule.severity, rule.why, spelled(rule.remedy), gaps[rule.id]) for rule in rules]
    columns = ["rule", "title", "severity", "why", "remedy", "not_checked"]
    summary = pd.DataFrame(rows, columns=columns, dtype=frames.TEXT)
    for name, frame in (("waived", waived), ("findings", counting)):
        counts = summary["rule"].map(frame["rule"].value_counts()).fillna(0).astype("Int64")
        summary.insert(3, name, counts.mask(summary["not_checked"] != ""))
    return summary
