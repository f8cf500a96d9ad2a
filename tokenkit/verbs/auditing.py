"""The verbs that audit: audit, report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tokenkit import errors, files
from tokenkit.actions.plan import counted
from tokenkit.report import ENDINGS
from tokenkit.review.audit import Audit
from tokenkit.review.rules import RULES
from tokenkit.verbs.reading import say_if_replaced
from tokenkit.verbs.session import Session


def audit(session: Session, options: argparse.Namespace) -> Audit:
    """Run the rules over the workspace's tokens."""
    workspace = session.workspace(options.profile)
    thresholds: dict[str, dict[str, Any]] = {}
    for rule, name, value in options.thresholds or ():
        thresholds.setdefault(rule, {})[name] = value
    result = workspace.audit(options.rules, skip=options.skip or (), thresholds=thresholds, accept=options.accept)
    accepted = f", {len(result.accepted):,} accepted" if len(result.accepted) else ""
    session.say(f"{workspace.name}: {result.counted()} in {counted(len(result.tokens), 'token')}{accepted}.")
    for note in result.notes:
        session.warn(note)
    return result


def report(session: Session, options: argparse.Namespace) -> Path:
    """Audit the workspace's tokens, and write what was found into a file."""
    files.ending_of(options.to, ENDINGS)  # an audit takes a while
    found = audit(session, options)
    say_if_replaced(session, options.to)
    return found.report(options.to, progress=session.shows_progress)


def threshold_of(text: str) -> tuple[str, str, Any]:
    """Read a threshold as it is typed: ``unused.idle_days=45``, ``wide-scope.scopes=all-apis,sql``.

    Raises:
        UsageError: It is not of that form, or no rule has it.
    """
    address, equals, value = text.partition("=")
    rule, dot, name = address.partition(".")
    if not (equals and dot):
        raise errors.UsageError(f"{text!r} is not a threshold: write RULE.NAME=VALUE, as in unused.idle_days=45.")
    by_id = {each.id: each for each in RULES}
    if rule not in by_id:
        raise errors.UsageError(f"There is no rule {rule!r}. {errors.did_you_mean(rule, by_id)}")
    known = by_id[rule].thresholds
    if name not in known:
        hint = errors.did_you_mean(name, known) if known else "It has none."
        raise errors.UsageError(f"The rule {rule} has no threshold {name!r}. {hint}")
    if isinstance(known[name].default, tuple):
        return rule, name, tuple(each.strip() for each in value.split(",") if each.strip())
    try:
        return rule, name, float(value)
    except ValueError:
        problem = errors.UsageError(f"{name} of {rule} is a number, not {value!r}.")
    raise problem


def rule_ids(_: Session) -> list[str]:
    """Return what a rule may be called, for completion."""
    return [rule.id for rule in RULES]


def threshold_names(_: Session) -> list[str]:
    """Return what a threshold may be called, for completion."""
    return [f"{rule.id}.{name}=" for rule in RULES for name in rule.thresholds]
