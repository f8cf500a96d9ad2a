"""The audit: every rule over one listing, and what is accepted of what they find."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tokenkit import errors, frames
from tokenkit.markup import element
from tokenkit.rest.settings import TokenSettings
from tokenkit.rest.workspace import WorkspaceAPI
from tokenkit.review import acceptances, lifecycle, owners, texts
from tokenkit.review.acceptances import Acceptance
from tokenkit.review.access import ADMINS, Identities
from tokenkit.review.rule import SEVERITIES, Context, Rule, Severity
from tokenkit.review.rules import RULES
from tokenkit.wording import counted

FINDING_COLUMNS = ("rule", "severity", "token_id", "owner", "evidence", "remedy")

Thresholds = Mapping[str, Mapping[str, Any]]
MakePlan = Callable[..., Any]
WriteReport = Callable[..., Path]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Audit:
    """What an audit found.

    Attributes:
        findings: A row for each token and rule, the worst first: ``rule, severity, token_id, owner, evidence, remedy``.
            ``token_id`` is missing where it is about an owner, and ``owner`` too where it is about the workspace.
        accepted: The findings that do not count, with the ``reason`` and the day ``until``.
        summary: A row for each rule, those that found nothing included: ``rule, title, severity, findings, accepted,
            why, remedy, not_checked``. ``findings`` is ``<NA>`` for a rule that could not be checked, and
            ``not_checked`` says for want of what.
        tokens: The listing, with owners and derived columns as of the audit.
        notes: What to mind: acceptances that expired or name no rule.
        name: Of which workspace.
        now: Of which moment.
        plan: Makes a revocation plan of tokens; None where the audit is of a saved listing.
        write: Writes the audit into a file; likewise.
    """

    findings: pd.DataFrame
    accepted: pd.DataFrame
    summary: pd.DataFrame
    tokens: pd.DataFrame
    notes: tuple[str, ...]
    name: str
    now: pd.Timestamp
    plan: MakePlan | None = field(default=None)
    write: WriteReport | None = field(default=None)

    def __repr__(self) -> str:
        rest = f", {len(self.accepted):,} accepted" if len(self.accepted) else ""
        return f"<Audit of {self.name}: {self.counted()} in {counted(len(self.tokens), 'token')}{rest}>"

    def counted(self) -> str:
        """Return the number of findings in words: ``12 findings (3 high, 9 medium, 0 low)``."""
        counts = self.findings["severity"].value_counts()
        parts = ", ".join(f"{counts.get(severity, 0):,} {severity}" for severity in SEVERITIES)
        return f"{counted(len(self.findings), 'finding')} ({parts})"

    def fails(self, severity: Severity) -> bool:
        """Return whether there is a finding of a severity or worse that nobody accepted.

        Args:
            severity: ``high``, ``medium`` or ``low``.
        """
        return bool(self.findings["severity"].isin(SEVERITIES[: SEVERITIES.index(severity) + 1]).any())

    def revoke(self, *, rule: str | Sequence[str], **settings: Any) -> Any:  # noqa: ANN401 - the plan's kind is the maker's
        """Return a plan to revoke the tokens that rules found; it changes nothing, and accepted ones are not in it.

        Args:
            rule: A rule's id, or several.
            settings: As for ``Workspace.revoke``, such as ``include_own=True``.

        Raises:
            UsageError: An unknown rule, one that is not about tokens, or an audit of a saved listing.
        """
        chosen = [rule] if isinstance(rule, str) else list(rule)
        for each in chosen:
            if each not in set(self.summary["rule"]):
                raise errors.UsageError(f"No rule {each!r} was run. {errors.did_you_mean(each, self.summary['rule'])}")
        if self.plan is None:
            raise errors.UsageError("This audit is of a saved listing. ws.revoke(audit.findings) plans on a workspace.")
        found = self.findings[self.findings["rule"].isin(chosen)]
        if found["token_id"].isna().any():
            raise errors.UsageError(f"{' and '.join(chosen)} finds what is no token, so there is nothing to revoke.")
        return self.plan(
            found.drop_duplicates([name for name in ("workspace", "token_id") if name in found]),
            **{"reason": f"audit: {', '.join(chosen)}"} | settings,
        )

    def report(self, to: str | os.PathLike[str], *, progress: bool = True) -> Path:
        """Write the audit into a file, and return where it is; see ``tokenkit.report.write``.

        Args:
            to: ``audit.html``: one page, with charts, that needs no network and prints well. ``audit.xlsx``: a workbook
                for Excel. ``audit.csv``, ``audit.json``: the findings. A file that is there is replaced.
            progress: Show a progress bar once it takes more than two seconds.

        Raises:
            UsageError: Another ending, a file that cannot be written, or an audit of a saved listing.
        """
        if self.write is None:
            raise errors.UsageError("This audit is of a saved listing. tokenkit.report.write(audit, to) writes it.")
        return self.write(self, to, progress=progress)

    def _repr_html_(self) -> str:
        shown = self.summary[["severity", "rule", "title", "findings", "accepted", "remedy"]]
        # An empty cell where a rule was not checked; the note below says for want of what.
        shown = shown.assign(findings=shown["findings"].astype(frames.TEXT))
        with pd.option_context("display.max_colwidth", None):
            table = shown.to_html(index=False, border=0, escape=True, na_rep="not checked")
        title = element("p", element("b", repr(self).strip("<>")))
        notes = element("ul", *(element("li", note) for note in self.notes))
        return f"{title}{notes}{table}<p>Each of them: <code>.findings</code></p>"


def audit(
    listing: pd.DataFrame,
    context: Context,
    *,
    rules: Iterable[Rule] = RULES,
    thresholds: Thresholds | None = None,
    accept: Iterable[Acceptance] | str | os.PathLike[str] | None = None,
    name: str = "a saved listing",
    plan: MakePlan | None = None,
    write: WriteReport | None = None,
) -> Audit:
    """Run rules over a listing, of this moment or saved.

    Args:
        listing: The columns of ``frames.TOKENS``, with owners or without. It is not changed.
        context: The moment, and what is known of the workspace.
        rules: Which rules; ``chosen`` chooses.
        thresholds: For a rule's id, the thresholds that are other than its own: ``{"unused": {"idle_days": 45}}``.
        accept: A file of acceptances, or acceptances; see ``acceptances``.
        name: Of which workspace.
        plan: Makes a revocation plan of a frame of tokens.
        write: Writes the audit into a file.

    Raises:
        UsageError: A threshold of a rule that has none of that name.
        ConfigurationError: The acceptances cannot be read.
    """
    rules = sorted(rules, key=lambda each: SEVERITIES.index(each.severity))
    settings = _checked(thresholds or {}, rules)
    accepting = acceptances.read(accept) if isinstance(accept, str | os.PathLike) else tuple(accept or ())
    tokens, known = _prepared(listing, context)
    working = tokens[tokens["status"] == "active"]
    found, gaps = [pd.DataFrame(columns=list(FINDING_COLUMNS), dtype=frames.TEXT)], {}
    for rule in rules:
        missing = [need for need in rule.needs if need not in known]
        named = dict.fromkeys("settings" if context.settings is None and n in _SETTINGS else n for n in missing)
        gaps[rule.id] = f"needs the workspace's {' and '.join(named)}" if missing else ""
        if reasons := dict.fromkeys(context.unread[need] for need in missing if need in context.unread):
            gaps[rule.id] += f" ({' '.join(reasons).rstrip('.')})"
        if not missing:
            looked_at = tokens if rule.expired_too else working
            found.append(_findings(rule, looked_at, rule(looked_at, context, **settings.get(rule.id, {}))))
    findings = pd.concat(found, ignore_index=True)
    counting, accepted, notes = acceptances.split(findings, accepting, now=context.now)
    notes += [
        f"{str(each)[:1].upper()}{str(each)[1:]} names no rule. {errors.did_you_mean(each.rule, [r.id for r in rules])}"
        for each in accepting
        if each.rule not in {rule.id for rule in (*rules, *RULES)}
    ]
    notes += [f"{rule} was not checked: it {gap}." for rule, gap in gaps.items() if gap]
    return Audit(
        findings=counting,
        accepted=accepted,
        summary=_summary(rules, gaps, counting, accepted),
        tokens=tokens,
        notes=tuple(notes),
        name=name,
        now=context.now,
        plan=plan,
        write=write,
    )


def read_context(api: WorkspaceAPI, rules: Iterable[Rule] = RULES, *, now: pd.Timestamp) -> Context:
    """Return what rules need to know of a workspace. What cannot be read costs the rules that need it, and no other.

    Args:
        api: The workspace.
        rules: The rules; what none of them needs is not asked for.
        now: The moment of the audit.
    """
    needs = {need for rule in rules for need in rule.needs}
    settings, permissions = None, None
    unread: dict[str, str] = {}
    if needs & {"settings", *_SETTINGS}:
        settings, failures = api.read_settings()
        unread |= {name: str(error) for name, error in failures.items()}
    if "permissions" in needs:
        try:
            permissions = api.permissions()
        except (errors.ApiError, errors.MalformedAnswerError) as error:
            unread["permissions"] = str(error)
    identities = Identities(**api.everybody({ADMINS}))
    return Context(now=now, identities=identities, permissions=permissions, settings=settings, unread=unread)


_SETTINGS = {field.name for field in dataclasses.fields(TokenSettings)}


def chosen(
    rules: Iterable[str | Rule] | None = None, *, also: Iterable[Rule] = (), skip: Iterable[str] = ()
) -> tuple[Rule, ...]:
    """Return the rules that are meant.

    Args:
        rules: Rules, their ids, or ids of the Security Analysis Tool (``IA-4`` is two rules here); all, if None.
        also: Rules beside those: the user's own.
        skip: Ids of rules to leave out.

    Raises:
        UsageError: An id that no rule has, or that two have.
    """
    named = list(RULES) if rules is None else [rule for each in rules for rule in _named(each, RULES)]
    every = (*dict.fromkeys(named), *also)
    ids = [rule.id for rule in every]
    if twice := {each for each in ids if ids.count(each) > 1}:
        raise errors.UsageError(f"Two rules have the id {twice.pop()!r}: give yours another.")
    left_out = [rule for each in skip for rule in _named(each, every)]
    return tuple(rule for rule in every if rule not in left_out)


def _named(each: str | Rule, among: Sequence[Rule]) -> list[Rule]:
    if isinstance(each, Rule):
        return [each]
    found = [rule for rule in among if each in (rule.id, rule.sat)]
    if not found:
        known = dict.fromkeys([*(rule.id for rule in among), *(rule.sat for rule in among if rule.sat)])
        raise errors.UsageError(f"There is no rule {each!r}. {errors.did_you_mean(each, known)}")
    return found


def _checked(thresholds: Thresholds, rules: Sequence[Rule]) -> Thresholds:
    by_id = {rule.id: rule for rule in rules}
    for name, settings in thresholds.items():
        if name not in by_id:
            raise errors.UsageError(f"No rule {name!r} is run. {errors.did_you_mean(name, by_id)}")
        known = by_id[name].thresholds
        for each in settings:
            if each not in known:
                hint = errors.did_you_mean(each, known) if known else "It has none."
                raise errors.UsageError(f"The rule {name} has no threshold {each!r}. {hint}")
    return thresholds


def _prepared(listing: pd.DataFrame, context: Context) -> tuple[pd.DataFrame, set[str]]:
    """Return the listing with every derived column as of now, and what of the context is known."""
    tokens = lifecycle.with_lifecycle(listing.reset_index(drop=True), now=context.now)
    known = {name for name in ("identities", "permissions", "settings") if getattr(context, name) is not None}
    if context.settings is not None:
        known |= _SETTINGS - context.unread.keys()
        known -= {"settings"} if _SETTINGS & context.unread.keys() else set()
    if context.identities is not None and context.identities.untold() & set(_ids(context.identities, ADMINS)):
        known -= {"identities"}
    if context.identities is not None:
        people, programs = context.identities.users, context.identities.service_principals
        return owners.with_owners(tokens, users=people, service_principals=programs), known | {"owners"}
    return owners.with_owners_known(tokens), known | ({"owners"} if "owner_kind" in tokens else set())


def _ids(identities: Identities, group: str) -> list[int]:
    return identities.groups.loc[identities.groups["display_name"] == group, "id"].tolist()


def _findings(rule: Rule, tokens: pd.DataFrame, evidence: pd.Series[str] | str | None) -> pd.DataFrame:
    """Return a row for each piece of a rule's evidence."""
    if rule.subject == "workspace" and not isinstance(evidence, pd.Series):
        evidence = texts.repeated(evidence, pd.RangeIndex(0 if evidence is None else 1))
        token_ids = owner = texts.repeated(None, evidence.index)
    elif isinstance(evidence, pd.Series) and (at := tokens.index.get_indexer(evidence.index)).min(initial=0) >= 0:
        owner = tokens["owner"].take(at)
        token_ids = tokens["token_id"].take(at) if rule.subject == "token" else texts.repeated(None, owner.index)
    else:
        raise errors.UsageError(
            f"The rule {rule.id} must return texts indexed like the tokens, as the built-in ones do."
        )
    return pd.DataFrame(
        {
            "rule": texts.repeated(rule.id, owner.index),
            "severity": texts.repeated(rule.severity, owner.index),
            "token_id": token_ids,
            "owner": owner,
            "evidence": texts.redacted(evidence.astype(frames.TEXT)).array,
            "remedy": texts.repeated(rule.remedy, owner.index),
        }
    )


def _summary(
    rules: Sequence[Rule], gaps: Mapping[str, str], counting: pd.DataFrame, accepted: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each rule, the worst first."""
    summary = pd.DataFrame(
        {
            "rule": [rule.id for rule in rules],
            "title": [rule.title for rule in rules],
            "severity": [rule.severity for rule in rules],
            "why": [rule.why for rule in rules],
            "remedy": [rule.remedy for rule in rules],
            "not_checked": [gaps[rule.id] for rule in rules],
        },
        dtype=frames.TEXT,
    )
    for name, frame in (("accepted", accepted), ("findings", counting)):
        counts = summary["rule"].map(frame["rule"].value_counts()).fillna(0).astype("Int64")
        summary.insert(3, name, counts.mask(summary["not_checked"] != ""))
    return summary
