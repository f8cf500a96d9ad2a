"""The page about the rules, made from their table: ``python -m tokenkit.review.handbook > docs/audit-rules.md``."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from tokenkit.review.rule import Rule
from tokenkit.review.rules import RULES

_LONGEST_DEFAULT = 3


@dataclass(frozen=True)
class Difference:
    """Where the audit and a rule of the Security Analysis Tool disagree.

    Attributes:
        sat: The tool's id of the rule.
        theirs: What it does.
        ours: What is done here.
        reason: Why.
    """

    sat: str
    theirs: str
    ours: str
    reason: str


DIFFERENCES = {
    "own tokens": Difference(
        "GOV-2", "reads the caller's own tokens", "reads everybody's", "An admin minds what stops for others."
    ),
    "expired": Difference(
        "GOV-2",
        "reports tokens that expired already",
        "leaves them out",
        "They cannot be used, and nothing stops any more.",
    ),
    "calendar days": Difference(
        "GOV-2",
        "counts calendar days, up to a day more than seven times 24 hours",
        "counts the hours",
        "The same token at the same moment must not depend on the time of day of the review.",
    ),
    "one offender": Difference(
        "IA-4, IA-6", "reports only when there are two or more", "reports one", "One is enough to be taken over by."
    ),
    "remaining lifetime": Difference(
        "IA-4, IA-6",
        "compares how long the token still lives",
        "compares how long it lives in all",
        "A token made for two years is no better on its last day, and the maximum is a limit of the whole life.",
    ),
    "tokens disabled": Difference(
        "IA-5", "reports also where tokens are switched off", "does not", "Nobody can make one."
    ),
}
"""Each that is known, by the name that the tests have for it."""

_HEAD = """# The rules of the audit

Made by `python -m tokenkit.review.handbook`; every rule is a function of `tokenkit/review/rules.py`. A threshold is set
with `ws.audit(thresholds={"unused": {"idle_days": 45}})` or `tokenkit audit --threshold unused.idle_days=45`; a rule is
left out with `skip=["unused"]` or `--skip unused`. Rules are about tokens that still work, unless they say otherwise.

What somebody decided to live with stands in a file, `ws.audit(accept="accepted.toml")` or `--accept accepted.toml`. It
does not count until the day is over, and is listed in `audit.accepted`:

```toml
[[accept]]
rule = "no-expiry"
owner = "terraform"    # or token_id, or neither for a finding about the workspace; * and ? stand for any text
reason = "replaced in the second quarter"
until = 2026-06-30
```
"""
_TOOL = """
## The Security Analysis Tool

Five rules of Databricks' [Security Analysis Tool](https://github.com/databricks-industry-solutions/security-analysis-tool)
are among them, and its ids choose them: `tokenkit audit --rule IA-4`. On one shared set of cases the findings are
the same, but for these differences (`tests/review/test_security_analysis_tool.py`):

| there | what it does | here | reason |
|---|---|---|---|
"""
_NO_EXPIRY = """
Two of its rules overlap: a token without an expiry is in IA-4 and, where there is a maximum, in IA-6. Here IA-4 is two
rules, `no-expiry` and `long-lifetime`, as the first is worse. Its severity of GOV-2 is high and ours is low: that a
token ends is what should happen.
"""


def page() -> str:
    """Return the page as Markdown."""
    differences = "".join(f"| {d.sat} | {d.theirs} | {d.ours} | {d.reason} |\n" for d in DIFFERENCES.values())
    return f"{_HEAD}{''.join(map(_section, RULES))}{_TOOL}{differences}{_NO_EXPIRY}"


def _section(rule: Rule) -> str:
    about = {"token": "", "owner": "; about an owner", "workspace": "; about the workspace"}[rule.subject]
    tool = f"; {rule.sat} of the Security Analysis Tool" if rule.sat else ""
    expired = "; of expired tokens too" if rule.expired_too else ""
    thresholds = "".join(
        f"- `{name}` is {_shown(threshold.default)}: {threshold.why}.\n" for name, threshold in rule.thresholds.items()
    )
    return (
        f"\n## {rule.id}\n\n**{rule.title}** ({rule.severity}{about}{expired}{tool}). {rule.why} {rule.remedy}\n"
        f"{chr(10) if thresholds else ''}{thresholds}"
    )


def _shown(default: object) -> str:
    if isinstance(default, tuple) and len(default) > _LONGEST_DEFAULT:
        return f"a list of {len(default)} texts"
    return f"`{', '.join(default)}`" if isinstance(default, tuple) else f"{default}"


if __name__ == "__main__":
    sys.stdout.write(page())
