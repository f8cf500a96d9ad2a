"""The commands that audit: audit, report."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Unpack

from tokenkit import errors
from tokenkit.commands import defaults
from tokenkit.commands.evidence import Evidence, evidence_of
from tokenkit.commands.reading import say_if_replaced
from tokenkit.commands.session import FrontEnd, Session
from tokenkit.core.wording import comma_list, pluralize
from tokenkit.output import files
from tokenkit.output.report import ENDINGS
from tokenkit.review.audit import EVERY_RULE, Audit, chosen
from tokenkit.review.handbook import explained
from tokenkit.workspaces.base import TokenSource

Threshold = tuple[str, str, Any]


class _Rules(Evidence):
    rules: Sequence[str]
    skip: Sequence[str]
    thresholds: Sequence[Threshold]
    waivers: str | None


def audit(session: Session[TokenSource], *, explain: str | None, **options: Unpack[_Rules]) -> Audit | str | None:
    """Run the audit rules on the tokens of the workspace; or explain a rule, without a workspace."""
    if explain is not None:
        return _explained(session.front_end, explain, options["thresholds"])
    result = _audit(session, **options)
    if len(result.findings) and not any(session.rows.values()) and not session.front_end.returns_objects:
        session.front_end.say_below(
            f"To show the tokens, or with --rule RULE those of one rule: {session.again('--findings')}"
        )
    return result


def _audit(session: Session[TokenSource], **options: Unpack[_Rules]) -> Audit:
    # An error before any request.
    run = {rule.id for rule in chosen(options["rules"] or None, skip=options["skip"], with_usage=options["usage"])}
    thresholds = _by_rule([*(threshold for threshold in _usual() if threshold[0] in run), *options["thresholds"]])
    workspace = session.workspace()
    result = workspace.audit(
        options["rules"] or None,
        skip=options["skip"],
        thresholds=thresholds,
        waivers=options["waivers"],
        usage=evidence_of(session.front_end, workspace, options),
    )
    waived = f", {len(result.waived):,} waived" if len(result.waived) else ""
    for note in result.notes:
        session.front_end.warn_last(note)
    session.say(f"{workspace.name}: {result.headline()} in {pluralize(len(result.tokens), 'token')}{waived}.")
    return result


def _usual() -> list[Threshold]:
    """Return the thresholds of ``config.toml``.

    Raises:
        UsageError: One of them is invalid.
    """
    try:
        return [threshold_of(text) for text in defaults.read().thresholds]
    except errors.UsageError as error:
        problem = f"thresholds of {defaults.where()}: {error}"
    raise errors.UsageError(problem)


def _by_rule(thresholds: Iterable[Threshold]) -> dict[str, dict[str, Any]]:
    """Return thresholds by rule and name. A later one replaces an earlier one."""
    found: dict[str, dict[str, Any]] = {}
    for rule, name, value in thresholds:
        found.setdefault(rule, {})[name] = value
    return found


def _explained(front_end: FrontEnd, name: str, thresholds: Sequence[Threshold]) -> str | None:
    """Return the explanation of a rule with the thresholds that apply; in a notebook, print it."""
    by_rule = _by_rule([*_usual(), *thresholds])
    text = "\n\n".join(explained(rule, by_rule.get(rule.id, {})) for rule in chosen([name]))
    if not front_end.returns_objects:
        return text
    for line in text.split("\n"):
        front_end.say(line)
    return None


def report(session: Session[TokenSource], *, to: str, **options: Unpack[_Rules]) -> Path:
    """Audit the tokens of the workspace, and write the findings to a file."""
    files.check(to, ENDINGS)  # before the audit, which takes time
    found = _audit(session, **options)
    say_if_replaced(session.front_end, to)
    return found.report(to, progress=session.front_end.shows_progress)


def threshold_of(text: str) -> Threshold:
    """Parse a threshold: ``unused.idle_days=45``, ``broad-scope.scopes=all-apis,sql``.

    Raises:
        UsageError: The form is invalid, or the rule or the threshold does not exist.
    """
    address, equals, value = text.partition("=")
    rule_id, dot, name = address.partition(".")
    if not (equals and dot):
        raise errors.UsageError(f"{text!r} is not a threshold. Write RULE.NAME=VALUE, as in unused.idle_days=45.")
    by_id = {rule.id: rule for rule in EVERY_RULE}
    if rule_id not in by_id:
        raise errors.UsageError(f"Unknown rule {rule_id!r}. {errors.did_you_mean(rule_id, by_id)}")
    known = by_id[rule_id].thresholds
    if name not in known:
        hint = errors.did_you_mean(name, known) if known else "It has no thresholds."
        raise errors.UsageError(f"The rule {rule_id} has no threshold {name!r}. {hint}")
    if isinstance(known[name].default, tuple):
        return rule_id, name, tuple(comma_list(value))
    with contextlib.suppress(ValueError):
        number = float(value)
        if not math.isnan(number):
            return rule_id, name, number
    raise errors.UsageError(f"{name} of {rule_id} must be a number, not {value!r}.")


def threshold_names(_: object) -> list[str]:
    """Return the names of the thresholds, for completion."""
    return [f"{rule.id}.{name}=" for rule in EVERY_RULE for name in rule.thresholds]
