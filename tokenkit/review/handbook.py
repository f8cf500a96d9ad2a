"""The page about the rules, generated from ``EVERY_RULE``: ``python -m tokenkit.review.handbook >
docs/audit-rules.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from string import Template
from typing import Any

from tokenkit.core.spelling import spelled
from tokenkit.review.audit import EVERY_RULE
from tokenkit.review.rule import Rule

_LONGEST_DEFAULT = 3


@dataclass(frozen=True)
class Difference:
    """A difference between the audit and a rule of the Security Analysis Tool.

    Attributes:
        sat: The tool's id of the rule.
        theirs: The tool's behavior.
        ours: The audit's behavior.
        reason: The reason for the difference.
    """

    sat: str
    theirs: str
    ours: str
    reason: str


DIFFERENCES = {
    "own tokens": Difference(
        "GOV-2", "reads the caller's own tokens", "reads all tokens", "Admins need to know what stops for other users."
    ),
    "expired": Difference(
        "GOV-2", "reports expired tokens too", "omits expired tokens", "They no longer work, so no workload will stop."
    ),
    "calendar days": Difference(
        "GOV-2",
        "counts calendar days, which is up to one day more than seven times 24 hours",
        "counts hours",
        "The result must not depend on the time of day of the audit.",
    ),
    "one offender": Difference(
        "IA-4, IA-6",
        "reports only two or more tokens",
        "reports a single token",
        "A single token is enough for an attacker.",
    ),
    "remaining lifetime": Difference(
        "IA-4, IA-6",
        "compares the remaining lifetime",
        "compares the total lifetime",
        "A two-year token is still too long-lived on its last day, and the maximum limits the total lifetime.",
    ),
    "tokens disabled": Difference(
        "IA-5", "also reports workspaces with tokens disabled", "does not", "No tokens can be created there."
    ),
}
"""The known differences, by the name that the tests use."""


def page() -> str:
    """Return the page as Markdown."""
    differences = "".join(f"| {d.sat} | {d.theirs} | {d.ours} | {d.reason} |\n" for d in DIFFERENCES.values())
    template = Template(resources.files(__package__).joinpath("handbook.md").read_text(encoding="utf-8"))
    return template.substitute(rules="".join(map(_section, EVERY_RULE)), differences=differences)


def _section(rule: Rule) -> str:
    about = {"token": "", "owner": "; about an owner", "workspace": "; about the workspace"}[rule.subject]
    tool = f"; {rule.sat} of the Security Analysis Tool" if rule.sat else ""
    expired = "; also checks expired tokens" if rule.expired_too else ""
    thresholds = "".join(
        f"- `{name}` {_by_default(threshold.default)}: {threshold.why}.\n"
        for name, threshold in rule.thresholds.items()
    )
    return (
        f"\n## {rule.id}\n\n**{rule.title}** ({rule.severity}{about}{expired}{tool}). {rule.why} {rule.remedy}\n"
        f"{chr(10) if thresholds else ''}{thresholds}"
    )


def explained(rule: Rule, settings: Mapping[str, Any]) -> str:
    """Return a rule as lines of text: why it matters, the remedy, and the thresholds with their defaults.

    Args:
        rule: The rule.
        settings: Its thresholds that are set, by name.
    """
    lines = [f"{rule.id} ({rule.severity}): {rule.title}", "", rule.why, f"Remedy: {spelled(rule.remedy)}"]
    if rule.sat:
        lines.append(f"Security Analysis Tool: {rule.sat}")
    lines += [
        f"Threshold {rule.id}.{name}{f' = {_plain(settings[name])}' if name in settings else ''} "
        f"(default: {_plain(threshold.default)}): {threshold.why}"
        for name, threshold in rule.thresholds.items()
    ]
    return "\n".join(lines)


def _by_default(default: object) -> str:
    return "must be set" if default == () else f"is {_shown(default)}"


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else _shown(value).strip("`")


def _shown(default: object) -> str:
    if isinstance(default, tuple) and len(default) > _LONGEST_DEFAULT:
        return f"a list of {len(default)} texts"
    return f"`{', '.join(default)}`" if isinstance(default, tuple) else f"{default}"


if __name__ == "__main__":
    sys.stdout.write(page())
