"""An audit as one page to send around: it needs no network and no script, prints well, and follows light and dark.

Whatever anybody wrote is text on it (``markup``), without what looks like a secret. The page forbids itself everything
beyond its own style and pictures, in a Content-Security-Policy. Tables are bounded, the worst first, and say how much
more there is and where: the audit's frames, or the Excel workbook that ``write`` makes of the same audit.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import cast

import pandas as pd

from tokenkit import charts, errors, export, files, wording
from tokenkit.charts import DARK, LIGHT, Palette
from tokenkit.files import Target
from tokenkit.frames import TEXT
from tokenkit.markup import Markup, element, joined
from tokenkit.printable import printable
from tokenkit.redaction import redact
from tokenkit.review import distributions, texts
from tokenkit.review.audit import Audit
from tokenkit.review.lifecycle import IDLE_LIMIT_DAYS
from tokenkit.review.rule import SEVERITIES
from tokenkit.version import __version__

SOON_DAYS = 30
UNUSED_DAYS = 60
_ROWS_OF_A_RULE = 10
_ROWS_OF_A_TABLE = 50
_SHORT_ID = 12
_LONGEST_COMMENT = 100


ENDINGS = (".html", *files.ENDINGS)


def write(audit: Audit, to: Target, *, progress: bool = True) -> Path:
    """Write an audit into a file, and return where it is.

    ``.html`` is the page. ``.xlsx`` is a workbook with findings, summary, what is accepted, and the tokens at fault;
    ``.csv`` and ``.json`` are the findings. Comments are without what looks like a secret. A file that is there is
    replaced.

    Args:
        audit: What to write.
        to: The file.
        progress: Show a progress bar once it takes more than two seconds.

    Raises:
        UsageError: Another ending, or the file cannot be written.
        ConfigurationError: openpyxl, for Excel, is not installed.
    """
    if files.ending_of(to, ENDINGS) == ".html":
        return files.write(to, html(audit).encode())
    tokens = audit.tokens[audit.tokens["token_id"].isin(audit.findings["token_id"])]
    frames = {"findings": audit.findings, "summary": audit.summary, "accepted": audit.accepted, "tokens": tokens}
    redacted = {name: texts.written(export.joined_lists(frame)) for name, frame in frames.items()}
    return files.save(redacted, to, progress=progress)


def html(audit: Audit) -> str:
    """Return an audit as a page of its own. Without matplotlib it says that the charts are missing, and is whole
    otherwise.
    """
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"Token audit of {_name(audit)}, {_day(audit.now)}"),
        element("style", Markup(style)),
    )
    body = element(
        "main",
        _header(audit),
        _numbers(audit),
        _section("What was found", _summary(audit)),
        _section("At a glance", _charts(audit)),
        _section("Findings", _findings(audit)),
        _section(f"Ends within {SOON_DAYS} days", _ending(audit)),
        _section("Accepted", _accepted(audit)) if len(audit.accepted) else "",
        element("footer", f"Made by tokenkit {__version__}."),
    )
    return f"<!doctype html>\n{element('html', head, element('body', body), lang='en')}\n"


def _header(audit: Audit) -> Markup:
    checked = int(audit.summary["findings"].notna().sum())
    moment = f"{_day(audit.now)}, {audit.now.tz_convert('UTC'):%H:%M} UTC"
    said = f"As of {moment}. {checked} of {len(audit.summary)} rules checked."
    return element(
        "header",
        element("h1", f"Token audit of {_name(audit)}"),
        element("p", said),
        *(element("p", _line(note)) for note in audit.notes),
    )


def _numbers(audit: Audit) -> Markup:
    """Return the headline: findings by severity, and what the listing is like."""
    active = audit.tokens[audit.tokens["status"] == "active"]
    found = audit.findings["severity"].value_counts()
    expired = len(audit.tokens) - len(active)
    never, soon, owners = int(active["never_expires"].sum()), len(_soon(audit)), int(active["owner"].nunique())
    by_severity = {severity: int(found.get(severity, 0)) for severity in SEVERITIES}
    active_tokens = wording.of(len(active), "active token")
    numbers = [
        *((n, f"{wording.of(n, 'finding')} of {severity} severity", severity) for severity, n in by_severity.items()),
        (len(active), f"{active_tokens}; {expired:,} expired" if expired else active_tokens, ""),
        (never, wording.of(never, "never expires", "never expire"), ""),
        (int((active["idle_days"] >= UNUSED_DAYS).sum()), f"not used for {UNUSED_DAYS} days or more", ""),
        (soon, f"{wording.of(soon, 'ends', 'end')} within {SOON_DAYS} days", ""),
        (owners, f"{wording.of(owners, 'owner')} of active tokens", ""),
    ]
    return element(
        "ul",
        *(element("li", element("b", f"{n:,}"), element("span", what), class_=kind) for n, what, kind in numbers),
        class_="numbers",
    )


def _summary(audit: Audit) -> Markup:
    """Return a row for each rule that found something, and the names of those that did not."""
    found = audit.summary[audit.summary["findings"].fillna(0) > 0]
    clean = audit.summary["title"][audit.summary["findings"] + audit.summary["accepted"] == 0]
    columns = {
        "Severity": "nowrap",
        "What": "text",
        "Findings": "number",
        "Why it matters": "text",
        "What to do": "text",
    }
    rows = [
        (
            element("span", rule["severity"], class_=f"severity {rule['severity']}"),
            joined(element("a", rule["title"], href=f"#{_anchor(audit, id_)}"), element("small", rule["rule"])),
            f"{count:,}",
            rule["why"],
            rule["remedy"],
        )
        for rule, id_, count in zip(_lines(found), found["rule"], found["findings"], strict=True)
    ]
    table = _table(columns, rows) if rows else element("p", "No rule found anything.")
    others = element("p", f"Nothing found: {'; '.join(map(_line, clean))}.", class_="note")
    return joined(table, others if len(clean) else "")


def _charts(audit: Audit) -> Markup:
    """Return the four charts, each for light and for dark; what they show is said for those who do not see them."""
    tokens, findings = audit.tokens, audit.findings
    ends = distributions.ends_by_week(tokens, now=audit.now)
    owners = distributions.by_owner(findings).head(charts.OWNERS)
    drawn: list[tuple[Callable[..., bytes], str, pd.Series[int]]] = [
        (partial(charts.expiry_calendar, tokens, now=audit.now), f"Tokens that end in {len(ends)} weeks", ends.sum()),
        (partial(charts.risk_by_owner, findings), "Findings by owner", owners.sum(axis=1)),
        (partial(charts.age, tokens), "Active tokens by age", distributions.by_age(tokens).sum(axis=1)),
        (partial(charts.idle, tokens), "Active tokens by idle time", distributions.by_idle_time(tokens).sum(axis=1)),
    ]
    try:
        figures = [
            _figure(draw(), draw(dark=True), alt=f"{what}: {', '.join(f'{name} {n:,}' for name, n in counts.items())}")
            for draw, what, counts in drawn
        ]
    except errors.ConfigurationError as missing:
        return element("p", f"There are no charts here: {missing}")
    return element("div", *figures, class_="charts")


def _figure(light: bytes, dark: bytes, *, alt: str) -> Markup:
    """Return a chart twice, of which the style shows one: a ``picture`` would print the one that the screen had."""
    images = [
        element("img", class_=kind, src=_data(png), alt=_line(alt), width=str(charts.WIDTH), height=str(charts.HEIGHT))
        for kind, png in (("on-light", light), ("on-dark", dark))
    ]
    return element("figure", *images)


def _findings(audit: Audit) -> Markup:
    """Return a table for each rule that found something, each with its worst rows."""
    titles = dict(zip(audit.summary["rule"], audit.summary["title"], strict=True))
    shown = _with_comments(audit.findings.groupby("rule", sort=False).head(_ROWS_OF_A_RULE), audit.tokens)
    counts = audit.findings["rule"].value_counts()
    parts: list[str] = []
    for rule, rows in shown.groupby("rule", sort=False):
        count = int(counts[rule])
        severity = str(rows["severity"].iloc[0])
        heading = (element("span", _line(titles[rule]), class_=f"severity {severity}"), " ", f"{count:,}")
        parts.append(element("h3", *heading, id=_anchor(audit, str(rule))))
        lines = [(_token(row), _owner(row), row["evidence"]) for row in _lines(rows)]
        parts += [_table({"Token": "token", "Owner": "owner", "Evidence": "text"}, lines), _more(count, len(lines))]
    if not parts:
        return element("p", "None.")
    where = (
        f"The first {_ROWS_OF_A_RULE} of each rule. All of them are in ",
        element("code", "audit.findings"),
        ", and in the workbook that ",
        element("code", "tokenkit report --to audit.xlsx"),
        " writes.",
    )
    return joined(element("p", *where, class_="note"), *parts)


def _with_comments(findings: pd.DataFrame, tokens: pd.DataFrame) -> pd.DataFrame:
    comments = tokens.drop_duplicates("token_id").set_index("token_id")["comment"]
    return findings.assign(comment=findings["token_id"].map(comments).astype(TEXT))


def _soon(audit: Audit) -> pd.DataFrame:
    """Return the active tokens that end soon if nothing happens, the first first."""
    active = audit.tokens[audit.tokens["status"] == "active"]
    horizon = (audit.now + pd.Timedelta(days=SOON_DAYS)).as_unit("ms")
    return active[active["effective_end"] <= horizon].sort_values("effective_end", kind="stable")


def _ending(audit: Audit) -> Markup:
    """Return the tokens that end soon, with the day and the reason."""
    soon = _soon(audit)
    expires = (soon["effective_end"] == soon["expiry_time"]).map(
        {True: "expires", False: f"unused for {IDLE_LIMIT_DAYS} days"}
    )
    shown = _lines(soon.assign(why=expires.astype(TEXT)).head(_ROWS_OF_A_TABLE))
    rows = [
        (row["effective_end"], row["why"], _token(row), _owner(row), row["last_used_day"] or "never") for row in shown
    ]
    columns = {"Ends": "nowrap", "Why": "nowrap", "Token": "token", "Owner": "owner", "Last used": "nowrap"}
    if not rows:
        return element("p", "None.")
    said = (
        "If nobody replaces or uses them. All of them: ",
        element("code", 'audit.tokens.sort_values("effective_end")'),
    )
    return joined(element("p", *said, ".", class_="note"), _table(columns, rows), _more(len(soon), len(rows)))


def _accepted(audit: Audit) -> Markup:
    """Return the findings that do not count, with whose reason and until when."""
    about = _with_comments(audit.accepted.head(_ROWS_OF_A_TABLE), audit.tokens)
    rows = [(row["until"], row["rule"], _token(row), _owner(row), row["reason"]) for row in _lines(about)]
    columns = {"Until": "nowrap", "Rule": "nowrap", "Token": "token", "Owner": "owner", "Reason": "text"}
    return joined(_table(columns, rows), _more(len(audit.accepted), len(rows)))


def _name(audit: Audit) -> str:
    return _line(audit.name.removeprefix("https://"))


def _section(heading: str, content: Markup) -> Markup:
    return element("section", element("h2", heading), content)


def _table(columns: dict[str, str], rows: Sequence[Sequence[str]]) -> Markup:
    """Return a table of columns by their headings, each with the class of its cells."""
    head = element("tr", *(element("th", heading, scope="col", class_=kind) for heading, kind in columns.items()))
    body = [
        element("tr", *(element("td", cell, class_=kind) for cell, kind in zip(row, columns.values(), strict=True)))
        for row in rows
    ]
    return element("div", element("table", element("thead", head), element("tbody", *body)), class_="scroll")


def _more(count: int, shown: int) -> Markup:
    return element("p", f"… and {count - shown:,} more.", class_="note") if count > shown else Markup()


def _token(row: Mapping[str, str]) -> Markup:
    """Return the beginning of a token's id, which is enough for a command, with its comment."""
    comment, token_id = row["comment"], row["token_id"]
    cut = comment if len(comment) <= _LONGEST_COMMENT else f"{comment[: _LONGEST_COMMENT - 1]}…"
    return joined(element("code", token_id[:_SHORT_ID]), element("small", cut)) if token_id else Markup()


def _owner(row: Mapping[str, str]) -> str:
    """Return whose it is; where the audit is of several workspaces, of which."""
    where = row.get("workspace", "").removeprefix("https://")
    return joined(row["owner"], element("small", where)) if where else row["owner"]


def _anchor(audit: Audit, rule: str) -> str:
    """Return the id of a rule's heading; a user's own rule may be called anything."""
    return f"rule-{audit.summary['rule'].tolist().index(rule)}"


def _lines(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return a few rows as texts for the page: each on one line, days for times, nothing that is a secret."""
    written = frame.columns[frame.dtypes == TEXT]
    one_line = {str(name): frame[name].str.replace(r"\s+", " ", regex=True).str.strip() for name in written}
    rows = export.terminal_text(frame.assign(**one_line)).map(redact).to_dict("records")
    return cast("list[dict[str, str]]", rows)


def _line(text: str) -> str:
    return redact(printable(" ".join(text.split())))


def _day(moment: pd.Timestamp) -> str:
    return f"{moment.tz_convert('UTC'):%Y-%m-%d}"


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _style() -> str:
    """Return the page's style: the colours of the charts, then what ``report.css`` makes of them."""
    rules = resources.files("tokenkit").joinpath("report.css").read_text("utf-8")
    return (
        f":root {{ {_variables(LIGHT)} --ground: #f6f8fa; --line: #d8dee4; }}\n"
        f"@media screen and (prefers-color-scheme: dark) "
        f"{{ :root {{ {_variables(DARK)} --ground: #0d1117; --line: #30363d; }} }}\n{rules}"
    )


def _variables(palette: Palette) -> str:
    severities = dict(zip(SEVERITIES, palette.severities, strict=True))
    colours = {"paper": palette.paper, "ink": palette.ink, "faint": palette.faint} | severities
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())
