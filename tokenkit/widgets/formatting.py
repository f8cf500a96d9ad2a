"""The displayed form of a token: its cells in a table, and its details.

All texts are redacted, and control, invisible and bidirectional characters are replaced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tokenkit.core.printable import printable, printable_lines
from tokenkit.core.redaction import redact
from tokenkit.core.wording import SHORT_ID, pluralize
from tokenkit.frames import TEXT
from tokenkit.output.export import cell_text, listed
from tokenkit.review import lifecycle
from tokenkit.review.audit import EVERY_RULE
from tokenkit.review.scopes import ALL_APIS, AUTHENTICATION
from tokenkit.review.values import FIXED, SEVERITIES, words

LONGEST_CELL = 160
SHOWN_FINDINGS, SHOWN_SCOPES, SHOWN_OTHERS = 2, 2, 8
KINDS = {kind: words(kind) for kind in FIXED["owner_kind"]} | {"unknown": "unknown owner"}
_TITLES = {rule.id: rule.title for rule in EVERY_RULE}
_HAS_EVERYTHING = "all APIs"
_WORD = re.compile(r"[a-z]+[ :;,]")


def rows(
    tokens: pd.DataFrame, keys: list[str], findings: pd.DataFrame, scheduled: pd.DataFrame, *, now: pd.Timestamp
) -> list[dict[str, Any]]:
    """Return the cells of each row of a page.

    Args:
        tokens: Rows of a listing, indexed by position.
        keys: The key of each row.
        findings: The audit findings about them, with ``row``.
        scheduled: The scheduled revocations by token id, with ``due``.
        now: The current time.
    """
    found = _findings_by_row(findings)
    texts = pd.DataFrame({name: text(tokens[name]).fillna("") for name in ("comment", "owner", "owner_kind")})
    workspaces = tokens["workspace"].map(place).tolist() if "workspace" in tokens else [None] * len(tokens)
    dues = tokens["token_id"].map(scheduled["due"]) if len(scheduled) else pd.Series(pd.NaT, tokens.index)
    cells = []
    for key, row, workspace, due, shown, token in zip(
        keys, tokens.index, workspaces, dues, texts.to_dict("records"), tokens.to_dict("records"), strict=True
    ):
        cell = {
            "id": key,
            "title": cut(shown["comment"]),
            "owner": cut(shown["owner"]),
            "kind": shown["owner_kind"],
            "short": short_id(token["token_id"]),
            "findings": found.get(row, [])[:SHOWN_FINDINGS],
            "more": max(0, len(found.get(row, [])) - SHOWN_FINDINGS),
            "used": _used(token, now),
            "expires": _expires(token, now),
            "scopes": _scopes(token["scopes"]),
            "badge": "" if pd.isna(due) else f"to be revoked on {due:%Y-%m-%d}",
        }
        cells.append(cell if workspace is None else cell | {"workspace": workspace})
    return cells


def line(row: Mapping[str, Any]) -> str:
    """Return a row of ``rows`` as one line of text, for a list."""
    scopes = ", ".join(row["scopes"])
    findings = ", ".join(f"{severity}: {title}" for severity, title in row["findings"])
    more = f" +{row['more']}" if row["more"] else ""
    parts = [
        row["title"] or "no comment",
        row["owner"],
        findings + more,
        f"used {row['used'][0]}",
        "used by " + ", ".join(row["used_by"]) if "used_by" in row else "",
        f"expires {row['expires'][0]}",
        scopes,
        row["badge"],
        row.get("workspace", ""),
        row["short"],
    ]
    return " · ".join(filter(None, parts))


def details(
    token: pd.Series[Any], findings: pd.DataFrame, others: pd.DataFrame, *, now: pd.Timestamp
) -> dict[str, Any]:
    """Return everything that a panel shows about a token.

    Args:
        token: A row of the listing.
        findings: The audit findings about it.
        others: The other tokens of its owner, with ``key``.
        now: The current time.
    """
    owner, kind = shown(token["owner"]), str(token["owner_kind"])
    inactive = " (inactive)" if str(token.get("owner_active")) == "False" and kind != "deleted" else ""
    ranked = findings.assign(rank=_ranks(findings)).sort_values("rank", kind="stable")
    other_tokens = [
        {"id": key, "title": cut(shown(comment)) or "no comment", "short": short_id(token_id)}
        for key, comment, token_id in others[["key", "comment", "token_id"]].head(SHOWN_OTHERS).itertuples(index=False)
    ]
    more = f", the first {SHOWN_OTHERS} below" if len(others) > SHOWN_OTHERS else ""
    sentences = [
        ("Access", _reach(token["scopes"])),
        ("Last used", _last_use(token, now)),
        ("Created", _created(token)),
        ("Ends", _end(token, now)),
        ("Same owner", pluralize(len(others), "other token") + more),
    ]
    return {
        "title": cut(shown(token["comment"])),
        "owner": owner,
        "kind": KINDS.get(kind, shown(kind)) + inactive,
        "token_id": shown(token["token_id"]),
        "findings": [
            {
                "severity": _severity(finding),
                "title": shown(_TITLES.get(finding["rule"], rule_name(finding["rule"]))),
                "evidence": _capitalized(_lines(finding.get("evidence"))),
                "remedy": _lines(finding.get("remedy")),
            }
            for finding in ranked.to_dict("records")
        ],
        "sentences": [list(pair) for pair in sentences],
        "others": other_tokens,
        "fields": [list(pair) for pair in fields(token)],
    }


def fields(token: pd.Series[Any]) -> list[tuple[str, str]]:
    """Return the names and displayed values of one token, without absent ones."""
    pairs = []
    for name, value in token.items():
        displayed = _field_text(str(name), value)
        if displayed:
            pairs.append((shown(str(name).replace("_", " ")), shown(displayed)))
    return pairs


def text(column: pd.Series[Any]) -> pd.Series[str]:
    """Return a column as displayed text: dates for times, joined lists, redacted secrets."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return column.dt.strftime("%Y-%m-%d").astype(TEXT)
    if column.dtype == object:
        column = cell_text(column)
    return column.astype(TEXT).map(shown, na_action="ignore").astype(TEXT)


def shown(value: Any) -> str:  # noqa: ANN401  # a cell
    """Return a value as displayed text; an absent one is empty."""
    return "" if pd.isna(value) else printable(redact(str(value)))


def short_id(token_id: str) -> str:
    """Return the beginning of a token's id."""
    return shown(token_id)[:SHORT_ID]


def rule_name(rule: str) -> str:
    """Return a rule's id as a short name: ``no-expiry`` is ``No expiry``."""
    name = shown(rule).replace("-", " ")
    return name[:1].upper() + name[1:]


def sentence(words: str) -> str:
    """Return text with a capital first letter."""
    return words[:1].upper() + words[1:]


def place(name: Any) -> str:  # noqa: ANN401  # a cell
    """Return the displayed form of a workspace's name: the address without its scheme, which all have."""
    return cut(shown(name).removeprefix("https://").removeprefix("http://"))


def cut(words: str) -> str:
    """Return a text that fits into a cell."""
    return words if len(words) <= LONGEST_CELL else f"{words[: LONGEST_CELL - 1]}…"


def _lines(value: Any) -> str:  # noqa: ANN401  # a cell
    return printable_lines(redact(value)) if isinstance(value, str) else ""


def _capitalized(evidence: str) -> str:
    # Not what begins with a name, such as that of an owner.
    return sentence(evidence) if _WORD.match(evidence) else evidence


def _ranks(findings: pd.DataFrame) -> Any:  # noqa: ANN401  # a column
    if "severity" not in findings:
        return len(SEVERITIES)
    return findings["severity"].map({name: rank for rank, name in enumerate(SEVERITIES)}).fillna(len(SEVERITIES))


def _severity(finding: Mapping[Any, Any]) -> str:
    return finding["severity"] if finding.get("severity") in SEVERITIES else ""


def _findings_by_row(findings: pd.DataFrame) -> dict[int, list[list[str]]]:
    """Return the severity and the name of each rule that found a row, the most severe first."""
    by_row: dict[int, list[list[str]]] = {}
    once = findings.assign(rank=_ranks(findings)).sort_values("rank", kind="stable").drop_duplicates(["row", "rule"])
    for finding in once.to_dict("records"):
        by_row.setdefault(finding["row"], []).append([_severity(finding), rule_name(finding["rule"])])
    return by_row


def _day(moment: pd.Timestamp) -> str:
    return f"{moment:%Y-%m-%d}"


def _days_between(earlier: pd.Timestamp, later: pd.Timestamp) -> int:
    # In milliseconds: nanoseconds do not reach the year 9999.
    return int((later.as_unit("ms") - earlier.as_unit("ms")) // pd.Timedelta(days=1).as_unit("ms"))


def ago(moment: pd.Timestamp, now: pd.Timestamp) -> str:
    """Return how long ago a day was: ``today``, ``68 d ago``."""
    days = _days_between(moment, now)
    return f"{days:,} d ago" if days > 0 else "today"


def _used(token: Mapping[Any, Any], now: pd.Timestamp) -> list[str]:
    used, created = token["last_used_day"], token["creation_time"]
    if pd.notna(used):
        return [ago(used, now), _day(used)]
    return ["never", "" if pd.isna(created) else f"created {_day(created)}"]


def _expires(token: Mapping[Any, Any], now: pd.Timestamp) -> list[str]:
    """Return when a token expires, the date, and whether it requires attention."""
    expiry, end = token["expiry_time"], token.get("effective_end")
    unused = ""
    if pd.notna(end) and (pd.isna(expiry) or end < expiry) and _days_between(now, end) <= lifecycle.IDLE_LIMIT_DAYS / 3:
        unused = f"unused: {_day(end)}"
    if pd.isna(expiry):
        return ["never", unused, "high"]
    if token["status"] == "expired":
        return ["expired", _day(expiry), "faint"]
    return [f"in {_days_between(now, expiry):,} d", unused or _day(expiry), ""]


def _scope_list(scopes: Any) -> list[str]:  # noqa: ANN401  # a cell: an array, a list, or the text of a CSV
    if isinstance(scopes, str):
        return listed(scopes)
    return [] if scopes is None or pd.api.types.is_scalar(scopes) else [str(scope) for scope in scopes]


def scope_names(scopes: Any) -> list[str]:  # noqa: ANN401  # as above
    """Return the scopes of a token as displayed; without a limit, ``all APIs``."""
    names = _scope_list(scopes)
    return [_HAS_EVERYTHING] if not names or ALL_APIS in names else [cut(shown(name)) for name in names]


def _scopes(scopes: Any) -> list[str]:  # noqa: ANN401  # as above
    names = scope_names(scopes)
    more = [f"+{len(names) - SHOWN_SCOPES}"] if len(names) > SHOWN_SCOPES else []
    return names[:SHOWN_SCOPES] + more


def _reach(scopes: Any) -> str:  # noqa: ANN401  # as above
    names = _scope_list(scopes)
    if not names:
        return "everything that the owner can access (no scopes are listed, which can mean all APIs)"
    listed = ", ".join(shown(name) for name in names)
    if ALL_APIS in names:
        return f"everything that the owner can access ({listed})"
    if AUTHENTICATION in names:
        return f"everything that the owner can access, because it can create tokens ({listed})"
    return listed


def _last_use(token: pd.Series[Any], now: pd.Timestamp) -> str:
    used = token["last_used_day"]
    if pd.isna(used):
        return "never"
    days = _days_between(used, now)
    return f"{_day(used)}, " + (f"{pluralize(days, 'day')} ago" if days > 0 else "today")


def _created(token: pd.Series[Any]) -> str:
    created, creator = token["creation_time"], shown(token["created_by_username"])
    ids = token["owner_id"], token["created_by_id"]
    is_own = all(map(pd.notna, ids)) and ids[0] == ids[1]
    who = "by the owner" if is_own else f"by {creator}" if creator else ""
    return ", ".join(filter(None, ["" if pd.isna(created) else _day(created), who])) or "unknown"


def _end(token: pd.Series[Any], now: pd.Timestamp) -> str:
    expiry, end = token["expiry_time"], token["effective_end"]
    if token["status"] == "expired":
        return "expired" if pd.isna(expiry) else f"expired on {_day(expiry)}"
    if pd.isna(expiry):
        words = "never expires"
    else:
        words = f"expires on {_day(expiry)}, in {pluralize(_days_between(now, expiry), 'day')}"
    if pd.notna(end) and (pd.isna(expiry) or end < expiry):
        words += f"; if it stays unused, Databricks revokes it on {_day(end)}"
    return words


def _field_text(name: str, value: Any) -> str:  # noqa: ANN401  # a cell
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%d %H:%M} UTC"
    if isinstance(value, list | np.ndarray):
        return ", ".join(map(str, value))
    if pd.isna(value):
        return "never" if name in {"expiry_time", "last_used_day"} else ""
    if name.endswith("_days"):
        return f"{float(value):,.1f}"
    return str(value)
