"""An audit as a self-contained page: no network, no scripts, suitable for printing, with light and dark colors.

The templates are ``report.html.jinja`` and ``report.css``. This module provides their data. Tables have few rows, the
most severe first, and say how many more there are. All rows are in the audit's frames and in the Excel workbook that
``write`` creates.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import resources
from pathlib import Path
from typing import cast

import pandas as pd

from tokenkit import errors
from tokenkit.core import wording
from tokenkit.core.spelling import spelled
from tokenkit.frames import TEXT
from tokenkit.output import charts, export, files, page
from tokenkit.output.charts import DARK, LIGHT, Palette
from tokenkit.output.files import FilePath
from tokenkit.review import distributions, lifecycle, texts
from tokenkit.review.audit import Audit
from tokenkit.review.usage import OF_A_TOKEN, reported
from tokenkit.review.values import SEVERITIES
from tokenkit.version import __version__

SOON_DAYS = 30
UNUSED_DAYS = 60
_ROWS_PER_RULE = 10
_ROWS_PER_TABLE = 50
_COMMENT_LENGTH = 100
_TOKENS = "tokens with findings"  # a sheet


ENDINGS = (".html", *files.ENDINGS)


def write(audit: Audit, to: FilePath, *, progress: bool = True) -> Path:
    """Write an audit to a file and return its path.

    ``.html`` is the page. ``.xlsx`` is a workbook with the sheets ``findings``, ``summary``, ``waived`` and ``tokens
    with findings``. ``.csv`` and ``.json`` contain the findings. Likely secrets are redacted. An existing file is
    replaced.

    Args:
        audit: The audit.
        to: The file.
        progress: Show a progress bar if writing takes more than two seconds.

    Raises:
        UsageError: The file type is unknown, or the file cannot be written.
        ConfigurationError: openpyxl, which Excel files require, is not installed.
    """
    if files.ending_of(to, ENDINGS) == ".html":
        return files.write(to, html(audit).encode())
    tokens = audit.tokens[audit.tokens["token_id"].isin(audit.findings["token_id"])]
    if has_evidence(audit):
        tokens = tokens.assign(clients=texts.join_lists(tokens["clients"]))
    frames = {"findings": audit.findings, "summary": audit.summary, "waived": audit.waived, _TOKENS: tokens}
    redacted = {name: texts.written(export.join_lists(frame)) for name, frame in frames.items()}
    return files.save(redacted, to, progress=progress)


def html(audit: Audit) -> str:
    """Return an audit as an HTML page. Without matplotlib, the page has a note instead of charts."""
    return page.render("report.html.jinja", css=_style(), context=_context(audit))


def _context(audit: Audit) -> dict[str, object]:
    """Return the data of ``report.html.jinja``. Texts are raw: ``page`` cleans every text that it shows."""
    summary = audit.summary.reset_index(drop=True).reset_index(names="anchor")
    soon, waived = _soon(audit), audit.waived
    shown_soon, shown_waived = (wording.shown_of(len(rows), _ROWS_PER_TABLE) for rows in (soon, waived))
    return {
        "name": audit.name.removeprefix("https://"),
        "now": audit.now.tz_convert("UTC"),
        "checked_rules": int(summary["findings"].notna().sum()),
        "rules": len(summary),
        "notes": audit.notes,
        "numbers": _numbers(audit),
        "summary": _rows(summary[summary["findings"].fillna(0) > 0]),
        "clean_titles": list(summary["title"][summary["findings"] + summary["waived"] == 0]),
        **_charts(audit),
        "findings": _findings(audit, summary),
        "has_evidence": has_evidence(audit),
        "soon_days": SOON_DAYS,
        "soon": _rows(_with_use(soon.head(shown_soon), audit)),
        "soon_more": len(soon) - shown_soon,
        "waived": _rows(_with_comments(waived.head(shown_waived), audit.tokens)),
        "waived_more": len(waived) - shown_waived,
        "comment_length": _COMMENT_LENGTH,
        "how_to_save_all": spelled('audit.report("audit.xlsx")'),
        "how_to_sort": spelled('audit.tokens.sort_values("effective_end")'),
        "version": __version__,
    }


def _numbers(audit: Audit) -> list[tuple[int, str, str]]:
    """Return counts, labels and severities for the headline: findings by severity, then figures of the listing."""
    active = audit.tokens[audit.tokens["status"] == "active"]
    found = audit.findings["severity"].value_counts()
    expired = len(audit.tokens) - len(active)
    never, soon, owners = int(active["never_expires"].sum()), len(_soon(audit)), int(active["owner"].nunique())
    by_severity = {severity: int(found.get(severity, 0)) for severity in SEVERITIES}
    active_tokens = wording.of(len(active), "active token")
    unused = active[active["idle_days"] >= UNUSED_DAYS]
    never_used = int(unused["last_used_day"].isna().sum())
    return [
        *((n, f"{wording.of(n, 'finding')} of {severity} severity", severity) for severity, n in by_severity.items()),
        (len(active), f"{active_tokens}; {expired:,} expired" if expired else active_tokens, ""),
        (never, wording.of(never, "never expires", "never expire"), ""),
        (
            len(unused),
            f"unused for {UNUSED_DAYS} days or more{f', {never_used:,} of them never used' if never_used else ''}",
            "",
        ),
        (soon, f"{wording.of(soon, 'stops', 'stop')} working within {SOON_DAYS} days", ""),
        (owners, f"{wording.of(owners, 'owner')} of active tokens", ""),
    ]


def _charts(audit: Audit) -> dict[str, object]:
    """Return the four charts for light and dark mode, each with a text alternative."""
    tokens, findings = audit.tokens, audit.findings
    ends = distributions.ends_by_week(tokens, now=audit.now)
    owners = distributions.by_owner(findings).head(charts.OWNERS)
    drawn: list[tuple[Callable[..., bytes], str, pd.Series[int]]] = [
        (
            partial(charts.expiry_calendar, tokens, now=audit.now),
            f"Tokens that stop working within {len(ends)} weeks",
            ends.sum(),
        ),
        (partial(charts.risk_by_owner, findings), "Findings by owner", owners.sum(axis=1)),
        (partial(charts.age, tokens), "Active tokens by age", distributions.by_age(tokens).sum(axis=1)),
        (partial(charts.idle, tokens), "Active tokens by idle time", distributions.by_idle_time(tokens).sum(axis=1)),
    ]
    try:
        figures = [
            {
                "light": page.picture(draw()),
                "dark": page.picture(draw(dark=True)),
                "alt": f"{label}: {', '.join(f'{name} {n:,}' for name, n in counts.items())}",
            }
            for draw, label, counts in drawn
        ]
    except errors.ConfigurationError as missing:
        return {"charts": [], "no_charts": str(missing)}
    return {"charts": figures, "chart_width": charts.WIDTH, "chart_height": charts.HEIGHT}


def _findings(audit: Audit, summary: pd.DataFrame) -> list[dict[str, object]]:
    """Return each rule with findings, with its first rows."""
    rules = {row.rule: row for row in summary.itertuples()}
    by_rule = audit.findings.groupby("rule", sort=False)["rule"]
    is_shown = (by_rule.cumcount() < _ROWS_PER_RULE) | (by_rule.transform("size") == _ROWS_PER_RULE + 1)
    shown = _with_use(_with_comments(audit.findings[is_shown], audit.tokens), audit)
    counts = audit.findings["rule"].value_counts()
    return [
        {
            "title": rules[rule].title,
            "anchor": rules[rule].anchor,
            "severity": rows["severity"].iloc[0],
            "count": counts[rule],
            "rows": _rows(rows),
            "more": counts[rule] - len(rows),
        }
        for rule, rows in shown.groupby("rule", sort=False)
    ]


def _with_comments(findings: pd.DataFrame, tokens: pd.DataFrame) -> pd.DataFrame:
    comments = tokens.drop_duplicates("token_id").set_index("token_id")["comment"]
    return findings.assign(comment=findings["token_id"].map(comments).astype(TEXT))


def has_evidence(audit: Audit) -> bool:
    """Return whether the audit used evidence of use."""
    return set(OF_A_TOKEN) <= set(audit.tokens.columns)


def _with_use(rows: pd.DataFrame, audit: Audit) -> pd.DataFrame:
    """Return rows with ``used_by``: what used their tokens; empty for a finding that is not about a token."""
    if not has_evidence(audit):
        return rows
    tokens = audit.tokens[audit.tokens["token_id"].isin(rows["token_id"])].drop_duplicates("token_id")
    used = reported(tokens).set_axis(tokens["token_id"])
    return rows.assign(used_by=rows["token_id"].map(used).astype(TEXT))


def _soon(audit: Audit) -> pd.DataFrame:
    """Return the active tokens that will stop working soon, with the reason, in the order of their end."""
    active = audit.tokens[audit.tokens["status"] == "active"]
    horizon = (audit.now + pd.Timedelta(days=SOON_DAYS)).as_unit("ms")
    soon = active[active["effective_end"] <= horizon].sort_values("effective_end", kind="stable")
    why = lifecycle.ends_by(soon).map(
        {lifecycle.EXPIRY: "expires", lifecycle.DISUSE: f"unused for {lifecycle.IDLE_LIMIT_DAYS} days"}
    )
    return soon.assign(why=why.astype(TEXT))


def _rows(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return rows as single-line texts, with days for times and, for several workspaces, the host."""
    text_columns = frame.columns[frame.dtypes == TEXT]
    one_line = {str(name): frame[name].str.replace(r"\s+", " ", regex=True).str.strip() for name in text_columns}
    text = export.terminal_text(frame.assign(**one_line))
    host = text["workspace"].str.removeprefix("https://") if "workspace" in text else ""
    return cast("list[dict[str, str]]", text.assign(workspace=host).to_dict("records"))


def _style() -> str:
    """Return the page's style: the colors of the charts as variables, then ``report.css``."""
    rules = resources.files("tokenkit.output").joinpath("report.css").read_text("utf-8")
    return (
        f":root {{ {_variables(LIGHT)} --background: #f6f8fa; --line: #d8dee4; }}\n"
        f"@media screen and (prefers-color-scheme: dark) "
        f"{{ :root {{ {_variables(DARK)} --background: #0d1117; --line: #30363d; }} }}\n{rules}"
    )


def _variables(palette: Palette) -> str:
    severities = dict(zip(SEVERITIES, palette.severities, strict=True))
    colors = {"paper": palette.paper, "ink": palette.ink, "faint": palette.faint} | severities
    return " ".join(f"--{name}: {color};" for name, color in colors.items())
