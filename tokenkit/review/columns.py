"""How the columns of frames are displayed: their order, format, and priority in a narrow terminal.

``COLUMNS`` has a row for each column, in the order in which tables show them: findings and outcomes first, then owner
and comment, IDs last. Tables, records, previews and completion use it. Numbers and dates are short here (``68 d``, ``in
26 d``); JSON and CSV have the full values. pandas is not imported, so that completion can read the names quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tokenkit.core import table
from tokenkit.core.printable import printable
from tokenkit.core.redaction import redact
from tokenkit.core.table import NEEDED
from tokenkit.core.wording import SHORT_ID
from tokenkit.review.values import words

if TYPE_CHECKING:
    import pandas as pd

_UNLISTED = 50
_MISSING = {"<NA>", "NaT", "nan"}
_NEVER = None
_STYLES = {"high": "red", "medium": "yellow", "failed": "red", "unknown": "red", words("still_listed"): "yellow"}
UTC = " (UTC)"


@dataclass(frozen=True)
class ColumnSpec:
    """How a column is displayed.

    Attributes:
        name: The name in frames.
        meaning: What it says of the token, or of what the row is about.
        heading: The heading, if it differs from the name.
        show: Returns the suffix of the heading and the texts of a frame's column; by default according to the type.
        priority: ``NEEDED``, the rank among the columns that are shown if space permits, or None for a column that is
            shown only on request.
        least: The minimum width when narrowed; 0 if it is never narrowed.
        is_cut: Whether long texts are truncated instead of wrapped.
        missing: What is shown for a missing value that is not merely unknown.
    """

    name: str
    meaning: str
    heading: str = ""
    show: Callable[[pd.DataFrame, str], tuple[str, list[str]]] | None = None
    priority: int | None = NEEDED
    least: int = 0
    is_cut: bool = False
    missing: str = ""


def _plain(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show booleans as ``yes_or_blank``, days and times in UTC, and lists with commas."""
    column = frame[name]
    if column.dtype.kind == "b":
        return "", yes_or_blank(column).tolist()
    if column.dtype.kind == "M":
        is_day = bool((column.dropna() == column.dropna().dt.normalize()).all())
        shown = column.dt.strftime("%Y-%m-%d" if is_day else "%Y-%m-%d %H:%M")
        return UTC, shown.astype(object).where(column.notna(), "").tolist()
    return "", [cell(value) for value in column.tolist()]


def yes_or_blank(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of booleans as texts: ``yes``, blank for no, and ``?`` where it is not known."""
    return column.astype(object).map({True: "yes", False: ""}).fillna("?")


def cell(value: Any) -> str:  # noqa: ANN401 - of any column
    """Return a value as one printable line without secrets."""
    if isinstance(value, str):
        return _line(value)
    if hasattr(value, "__len__"):
        return _line(", ".join(map(str, value)))
    if value is None or str(value) in _MISSING:
        return ""
    if str(value) in {"True", "False"}:
        return "yes" if value else ""
    return f"{value:,.1f}".removesuffix(".0") if isinstance(value, float) else _line(str(value))


def _line(text: str) -> str:
    return printable(redact(text))


def _ago(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show the last use as the number of days since then, if the frame has the required columns."""
    if not {"idle_days", "creation_time"} <= set(frame.columns):
        return _plain(frame, name)
    from tokenkit.review import lifecycle  # noqa: PLC0415 - needs pandas

    days = lifecycle.days_since_use(frame)
    shown = (days.astype("string") + " d").mask((days == 0).fillna(value=False), "today")
    return "", shown.where(frame[name].notna(), "never").fillna("?").tolist()


def _days(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    if frame[name].dtype.kind not in "iuf":
        return _plain(frame, name)
    return "", (frame[name].round().astype("Int64").astype("string") + " d").fillna("").tolist()


def _end(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show when tokens stop working as the number of days until then, if the frame has the required columns."""
    if not {"expires_in_days", "idle_days"} <= set(frame.columns):
        return _plain(frame, name)
    from tokenkit.review import lifecycle  # noqa: PLC0415 - needs pandas

    days = lifecycle.days_left(frame).astype("Float64")
    whole = days.abs().round().astype("Int64").astype("string")
    shown = ("in " + whole + " d").where((days >= 0).fillna(value=True).astype(bool), whole + " d ago")
    return "", shown.fillna("?").tolist()


def _count(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show a number; nothing if all rows have 0, so that the column gives way to others."""
    suffix, texts = _plain(frame, name)
    return suffix, texts if set(texts) != {"0"} else [""] * len(texts)


# What a token without a value has. Without scopes, it can do whatever its owner can.
_REMOVED = {"new_comment": "(none)", "new_scopes": "(not limited)"}


def _new(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show a new value. One that removes the old value is visible; a field without a new value is not."""
    suffix, texts = _plain(frame, name)
    is_removed = [hasattr(value, "__len__") and not len(value) for value in frame[name].tolist()]
    return suffix, [_REMOVED[name] if removed else text for text, removed in zip(texts, is_removed, strict=True)]


def _words(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show identifiers of a fixed set as words."""
    suffix, texts = _plain(frame, name)
    return suffix, [words(text) for text in texts]


def _level(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show a permission level. Among levels before and after a change, a missing one is visible: there is no entry."""
    suffix, texts = _plain(frame, name)
    return suffix, [text or "none" for text in texts] if "new_permission_level" in frame else texts


def _creator(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show a creator who owns a token of the frame by the owner's name: of a service principal, the API has the
    application id.
    """
    suffix, texts = _plain(frame, name)
    if not {"created_by_id", "owner_id", "owner"} <= set(frame.columns):
        return suffix, texts
    where = frame["workspace"].tolist() if "workspace" in frame else [""] * len(frame)  # an id is one of a workspace
    owners = dict(zip(zip(where, frame["owner_id"].tolist(), strict=True), _plain(frame, "owner")[1], strict=True))
    creators = zip(where, frame["created_by_id"].tolist(), strict=True)
    is_known = frame["created_by_id"].notna().tolist()
    named = [owners.get(creator, "") if known else "" for creator, known in zip(creators, is_known, strict=True)]
    return suffix, [name or text for name, text in zip(named, texts, strict=True)]


def _service_principal(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    """Show the display names of service principals, which commands accept, in place of their application ids."""
    suffix, texts = _plain(frame, name)
    if "display_name" not in frame:
        return suffix, texts
    titles = _plain(frame, "display_name")[1]
    return suffix, [text and (title or text) for title, text in zip(titles, texts, strict=True)]


def _short_id(frame: pd.DataFrame, name: str) -> tuple[str, list[str]]:
    return "", [cell(value)[:SHORT_ID] for value in frame[name].tolist()]


_LISTING = ("owner", "comment", "status", "last_used_day", "effective_end", "token_id")

COLUMNS: tuple[ColumnSpec, ...] = (
    ColumnSpec(
        "workspace",
        "the workspace; of a fleet, its profile or its name in the account in tables and pipes, and its address in "
        "JSON, CSV, files and DataFrames",
        least=12,
    ),
    ColumnSpec("severity", "how severe the finding is: `high`, `medium` or `low`"),
    ColumnSpec("rule", "the rule of the audit", least=16),
    ColumnSpec("title", "what the rule finds", least=20),
    ColumnSpec("findings", "the number of findings of a rule; for one token, its findings", least=20),
    ColumnSpec("user", "the signed-in identity", least=24),
    ColumnSpec("admin", "whether the identity is an admin of the workspace"),
    ColumnSpec("signed_in_by", "where the credential was found", "signed in by"),
    ColumnSpec("waived", "how many of the findings are waived", show=_count, priority=1),
    ColumnSpec("not_checked", "why the rule was not checked, or where", "not checked", least=12),
    ColumnSpec("run_id", "the run in the journal", "run"),
    ColumnSpec("kind", "the kind of the run, or of the principal", show=_words, priority=1),
    ColumnSpec("change", "what changed; of a run, what became of the change of permissions", show=_words),
    ColumnSpec("outcome", "what became of the token or the entry", show=_words),
    ColumnSpec("error", "why it failed", least=16),
    ColumnSpec("remaining", "how many tokens the run has still to process", show=_count),
    ColumnSpec("principal", "the user, the group or the service principal", show=_service_principal, least=16),
    ColumnSpec("owner", "the owner's name: an email address, or a service principal's display name", least=16),
    ColumnSpec("user_name", "the user of the entry", "user", least=16),
    ColumnSpec("group_name", "the group of the entry", "group", least=12),
    ColumnSpec(
        "service_principal_name",
        "the service principal of the entry, by its application ID",
        "service principal",
        _service_principal,
        least=12,
    ),
    ColumnSpec("permission_level", "the permission level; in a change, the level before it", "level", _level),
    ColumnSpec("new_permission_level", "the permission level after the change", "new level", _level),
    ColumnSpec("description", "what the permission level permits", least=20),
    ColumnSpec(
        "comment",
        "what the creator wrote. tokenkit redacts secrets in what it shows and writes, but not in a DataFrame",
        least=12,
        is_cut=True,
    ),
    ColumnSpec("new_comment", "the comment after the change", "new comment", _new, least=12),
    ColumnSpec("evidence", "why the rule found the token", least=16),
    ColumnSpec("advice", "what to do about the scopes: `narrow`, `keep`, `wait` or `none`"),
    ColumnSpec("tokens", "how many tokens: active ones of a principal, or those of a run or a snapshot"),
    ColumnSpec(
        "tokens_without_permission",
        "whether the principal has active tokens, but no permission to use them",
        "no permission",
    ),
    ColumnSpec("can_use", "whether the principal can use tokens; missing if it is not known", "can use"),
    ColumnSpec(
        "permission_unused", "whether the principal can use tokens, but none was ever used", "unused", priority=3
    ),
    ColumnSpec("via", "what grants the permission: `direct`, or the groups", priority=2, least=12),
    ColumnSpec("active", "whether the principal can sign in; missing if it is not known", priority=4),
    ColumnSpec("status", "`active` or `expired`; of a leaked token also `revoked`", priority=1),
    ColumnSpec("cause", "the likely cause of the change", show=_words),
    ColumnSpec("effect", "what happens to the token: `deleted`, or `deleted_or_disabled`", show=_words, priority=1),
    ColumnSpec("problem", "why the value cannot be compared", show=_words),
    ColumnSpec("before", "the value before the change", priority=12, least=10),
    ColumnSpec("after", "the value after the change", priority=12, least=10),
    ColumnSpec("locations", "where the value of the token was found", least=16),
    ColumnSpec(
        "matched_as", "which part of the value has the token's ID as its hash", "matched as", _words, priority=5
    ),
    ColumnSpec("done", "how many tokens the run changed", priority=2),
    ColumnSpec("skipped", "how many tokens the run left as they were", show=_count, priority=4),
    ColumnSpec("failed", "how many changes failed", show=_count, priority=3),
    ColumnSpec("unknown", "of how many tokens it is not known whether they were changed", show=_count, priority=3),
    ColumnSpec("still_listed", "how many revoked tokens were listed afterwards", "still listed", _count, priority=3),
    ColumnSpec("logins", "how many sign-ins the audit log has", "sign-ins"),
    ColumnSpec("last_login", "when the last sign-in was", "last sign-in"),
    ColumnSpec("clients", "the programs that used it", "used by", least=10),
    ColumnSpec(
        "source_networks",
        "the networks that used it: /24 of IPv4, /48 of IPv6",
        "from",
        priority=4,
        least=16,
        is_cut=True,
    ),
    ColumnSpec("matched", "whether the token is listed", "listed", priority=2),
    ColumnSpec("identities", "as whom it signed in", "as", least=16),
    ColumnSpec("days_used", "on how many days it was used", "days", priority=4),
    ColumnSpec("last_used_day", "the day of its last use, accurate to a day; NaT for never", "last used", _ago),
    ColumnSpec(
        "idle_days", "days since its last use, or since its creation if it was never used", "idle", _days, priority=6
    ),
    ColumnSpec(
        "effective_end",
        "when it stops working if it is not used again: its expiry, or 90 days after its last use",
        "ends",
        _end,
    ),
    ColumnSpec("ends_by", "what ends it first: `expiry` or `disuse`", "by"),
    ColumnSpec("expiry_time", "when it expires; NaT for never", "expires", priority=6),
    ColumnSpec("due", "from when a staged run can be resumed"),
    ColumnSpec(
        "reason",
        "the reason that was given for the run; of scopes, that for the advice; of a principal who may lose tokens, "
        "why it is not known",
        priority=1,
        least=12,
    ),
    ColumnSpec(
        "scopes",
        "the APIs that it can use; missing if Databricks does not state them, which can mean all that its owner can do",
        priority=7,
        least=12,
        missing="(not stated)",
    ),
    ColumnSpec("new_scopes", "the scopes after the change", "new scopes", _new, least=12),
    ColumnSpec(
        "reach", "what the scopes amount to: `limited`, `everything` or `everything_by_creating_tokens`", priority=6
    ),
    ColumnSpec("used_scopes", "the scopes that Databricks observed in use", "used scopes", priority=7, least=12),
    ColumnSpec(
        "unused_scopes",
        "the granted scopes that were never used; missing if it is not known",
        "unused scopes",
        priority=7,
        least=12,
    ),
    ColumnSpec("owner_kind", "`user`, `service_principal`, `deleted` or `unknown`", "owner kind", _words, priority=8),
    ColumnSpec("age_days", "days since it was created", "age", _days, priority=9),
    ColumnSpec(
        "created_by_username",
        "who created the token: an email address, or a service principal's application ID. Of a token on behalf of a "
        "service principal, the API can name that service principal instead of who created it; `created_by_id` and "
        "the filter `--created-by` are about who created it",
        "created by",
        _creator,
        priority=10,
        least=12,
    ),
    ColumnSpec("remedy", "what to do about a finding of the rule", priority=10, least=48),
    ColumnSpec("started_at", "when the run started, or the request for the token", "started", priority=2),
    ColumnSpec("finished_at", "when the run finished, or the request for the token", "finished", priority=8),
    ColumnSpec("attempts", "how many requests were sent for the token", priority=9),
    ColumnSpec("caller", "who ran it", "by"),
    ColumnSpec("taken_at", "when the snapshot was taken", "taken"),
    ColumnSpec("path", "the folder of the snapshot", priority=12),  # whole or not at all, for copying
    ColumnSpec("used_by", "the programs that used the token, from the audit log", priority=1, least=12),
    ColumnSpec("protected", "whether the token is protected", priority=1),
    ColumnSpec("at", "when the change was made, if it is known", priority=8),
    ColumnSpec("warnings", "why the token should be looked at first", least=20),
    ColumnSpec("token_id", "the ID, a hash of the value. It cannot be used to sign in", "token", _short_id),
    ColumnSpec("id", "the ID of the principal", "id", priority=11),
    ColumnSpec("lifetime_days", "days from its creation to its expiry", show=_days, priority=_NEVER),
    ColumnSpec("expires_in_days", "days until its expiry, negative if it is past", show=_days, priority=_NEVER),
    ColumnSpec("never_expires", "whether it has no expiry time", priority=_NEVER),
    ColumnSpec("creation_time", "when it was created", priority=_NEVER),
    ColumnSpec("created_by_id", "the ID of who created the token, also on behalf of another owner", priority=_NEVER),
    ColumnSpec("owner_id", "the ID of the identity that the token acts as", priority=_NEVER),
    ColumnSpec("owner_active", "whether the owner can sign in; missing if it is not known", priority=_NEVER),
    ColumnSpec("autoscope_state", "whether Databricks records the scopes in use", priority=_NEVER),
    ColumnSpec("inferred_scopes", "the scopes that Databricks observed in use while it recorded them", priority=_NEVER),
    ColumnSpec("backfill_scopes", "the scopes of earlier uses", priority=_NEVER),
    ColumnSpec("workspace_id", "the ID of the workspace", priority=_NEVER),
    ColumnSpec("display_name", "the display name of a service principal", priority=_NEVER),
    ColumnSpec("inherited", "whether the entry is inherited", priority=_NEVER),
    ColumnSpec("inherited_from_object", "what the entry is inherited from", priority=_NEVER),
    ColumnSpec("host", "the address of the workspace", priority=_NEVER),
    ColumnSpec("first_login", "when the first sign-in in the audit log was", priority=_NEVER),
    ColumnSpec("source_addresses", "the addresses that used it", priority=_NEVER),
    ColumnSpec("user_agents", "the user agents that used it", priority=_NEVER),
    ColumnSpec("source_addresses_counts", "the sign-ins from each of the addresses", priority=_NEVER),
    ColumnSpec("source_networks_counts", "the sign-ins from each of the networks", priority=_NEVER),
    ColumnSpec("user_agents_counts", "the sign-ins by each of the user agents", priority=_NEVER),
    ColumnSpec("clients_counts", "the sign-ins by each of the programs", priority=_NEVER),
    ColumnSpec("identities_counts", "the sign-ins as each of the identities", priority=_NEVER),
    ColumnSpec("why", "why the rule matters", priority=_NEVER),
    ColumnSpec("settings", "what resuming the run needs, as JSON", priority=_NEVER),
    ColumnSpec("snapshot", "the token as it was listed before the run, as JSON", priority=_NEVER),
    ColumnSpec("run_started_at", "when the run of the token started", priority=_NEVER),
)
_BY_NAME = {column.name: column for column in COLUMNS}

_Overrides = Mapping[str, Any]
_FIRST: _Overrides = {"priority": NEEDED}
_LAST: _Overrides = {"priority": _UNLISTED}
# In a table of runs, the id, which begins with the day, the counts and the reason remain in a narrow terminal.
_OF_RUNS: dict[str, _Overrides] = {
    "kind": _FIRST,
    "started_at": {"priority": 1},
    "due": {"least": 10},
    "reason": {"priority": NEEDED, "least": 10},
    "workspace": {"priority": 4},
    "caller": {"priority": 4},
    "change": {"priority": 5},
}
_OF_PRINCIPALS: dict[str, _Overrides] = {
    "logins": {"priority": 1},
    "permission_level": {"priority": 2},
    "last_login": {"priority": 2},
    "last_used_day": {"priority": 3},
    "clients": {"priority": 4},
    "kind": {"priority": 5},
}
_OF_RULES: dict[str, _Overrides] = {"rule": {"least": 0}, "title": {"least": 12}}  # --rule takes what stands there
_OF_SCOPES: dict[str, _Overrides] = {"scopes": _FIRST, "last_used_day": {"priority": 1}, "reason": {"priority": 2}}
_OF_LEAKS: dict[str, _Overrides] = {"last_used_day": {"priority": 2}, "effective_end": {"priority": 3}}
_OF_TOKENS_IN_RUNS: dict[str, _Overrides] = {
    "comment": {"priority": 2},
    "new_comment": {"priority": 2},
    "reason": {"priority": 11},
}
_POSITIONS = {column.name: position for position, column in enumerate(COLUMNS)}

SHORT_VIEW = ("comment", "owner", "status", "idle_days", "effective_end", "scopes", "token_id")
"""The most important columns of a listing, in the order that notebooks show."""


def short_view_first(tokens: pd.DataFrame) -> pd.DataFrame:
    """Return a listing with all its columns, those of ``SHORT_VIEW`` first."""
    first = [name for name in ("workspace", *SHORT_VIEW) if name in tokens]
    return tokens[[*first, *(name for name in tokens.columns if name not in first)]]


def shown_names(frame: pd.DataFrame) -> list[str]:
    """Return the columns of a frame that tables show, in their order. Unlisted columns are before the ids."""
    specs = [spec_of(str(name)) for name in frame.columns]
    shown = [spec.name for spec in specs if spec.priority is not _NEVER]
    if set(_LISTING) <= set(frame.columns):  # "last used" and "ends" show these days
        shown = [name for name in shown if name not in {"idle_days", "expiry_time"}]
    last = _POSITIONS["token_id"] - 0.5
    return sorted(shown, key=lambda name: _POSITIONS.get(name, last))


def spec_of(name: str) -> ColumnSpec:
    """Return how a column is displayed. A column that is not in ``COLUMNS`` is shown if space permits."""
    return _BY_NAME.get(name) or ColumnSpec(name, "the server added it", priority=_UNLISTED, least=12)


def named(given: str, names: Iterable[str]) -> list[str]:
    """Return the columns that a user means: by the name, or by the heading in tables, in any case."""
    known = [*map(str, names)]
    wanted = given.strip().removesuffix(UTC).lower()
    found = [name for name in known if wanted in {name.lower(), name.lower().replace("_", " "), spec_of(name).heading}]
    return [given] if given in known else found


def column(frame: pd.DataFrame, name: str) -> table.Column:
    """Return a column of a frame for a table."""
    spec = spec_of(name)
    suffix, texts = (spec.show or _plain)(frame, name)
    return table.Column(
        heading=printable(spec.heading or name.replace("_", " ")) + suffix,
        texts=[text or spec.missing for text in texts] if spec.missing else texts,
        priority=_UNLISTED if spec.priority is _NEVER else spec.priority,
        least=spec.least,
        is_cut=spec.is_cut,
        is_number=(bool(texts) and frame[name].dtype.kind in "iuf") or (spec.show in {_days, _ago} and not suffix),
        styles=_STYLES,
        name=name,
    )


def columns(frame: pd.DataFrame, chosen: Sequence[str] = ()) -> list[table.Column]:
    """Return the columns of a frame for a table: the selected ones, or those that fit.

    Columns without any value are omitted unless they were selected. What is copied (IDs, rules, owners) is not wrapped
    while other columns can be narrowed.
    """
    if chosen:
        return [replace(column(frame[[name]], name), priority=NEEDED) for name in chosen]
    here = _overrides_of(frame)
    found = [replace(column(frame, name), **here.get(name, {})) for name in shown_names(frame)]
    return [shown for shown in found if any(shown.texts)]


def when_shown(frame: pd.DataFrame, on_request: Collection[str] = ()) -> dict[str, str]:
    """Return when a table with the columns of a frame shows each, the columns of tables first and in their order.

    Args:
        frame: The frame.
        on_request: The columns that a frame has only if they are asked for.
    """
    names = [name for name in shown_names(frame) if name not in on_request]
    here = _overrides_of(frame)
    shown = {name: replace(spec_of(name), **here.get(name, {})) for name in names}
    in_tables = {name: "always" if spec.priority == NEEDED else "if it fits" for name, spec in shown.items()}
    return in_tables | {str(name): "on request" for name in frame.columns if name not in names}


def _overrides_of(frame: pd.DataFrame) -> Mapping[str, _Overrides]:
    """Return how columns are displayed in a frame of a kind, where that differs from other frames."""
    if "run_id" in frame:
        return _in_journal(frame)
    if "tokens_without_permission" in frame:
        return _OF_PRINCIPALS if "logins" in frame else _OF_PRINCIPALS | {"via": _FIRST}
    if "not_checked" in frame:
        return _OF_RULES
    if "locations" in frame:
        return _OF_LEAKS
    if "used_scopes" in frame and "advice" in frame:
        return _OF_SCOPES
    return _of_changed_values(frame) if "new_scopes" in frame else {}


def _of_changed_values(frame: pd.DataFrame) -> Mapping[str, _Overrides]:
    """Return how the present values are displayed beside the new ones: as these, where there are any."""
    new_comment, new_scopes = (bool(frame[name].notna().any()) for name in ("new_comment", "new_scopes"))
    comment: _Overrides = {"is_cut": False} if new_comment else {"priority": 1} if new_scopes else {}
    return {"comment": comment} | ({"scopes": _FIRST} if new_scopes else {})


def _in_journal(frame: pd.DataFrame) -> Mapping[str, _Overrides]:
    """Return how columns are displayed in a frame about runs, where that differs from other frames."""
    if "cause" in frame:  # of changes, where the run explains the cause, and is not to be resumed
        return {"run_id": _LAST} | ({"cause": {"least": 10}} if "workspace" in frame else {})
    if "remaining" in frame:
        is_of_fleet = frame.columns[0] == "workspace"
        return _OF_RUNS | {"workspace": _FIRST} if is_of_fleet else _OF_RUNS
    if len(frame["run_id"].str.partition(".")[0].unique()) > 1:
        where = {} if len(frame["workspace"].unique()) > 1 else {"workspace": _LAST}
        return {"caller": _OF_RUNS["caller"], **_OF_TOKENS_IN_RUNS, **where}
    # The rows are of one run, and the line about it has these values.
    said = ["run_id", "caller", "reason", *(["workspace"] if len(frame["workspace"].unique()) == 1 else [])]
    if "principal" in frame:  # entries of permissions
        return dict.fromkeys([*said, "started_at"], _LAST) | {"kind": _FIRST}
    return {**dict.fromkeys([*said, "kind"], _LAST), **_of_changed_values(frame)}


def records(frame: pd.DataFrame) -> list[dict[str, str]]:
    """Return the rows of a frame as texts by heading, the columns of tables first. Empty fields are omitted."""
    names = [*shown_names(frame), *(str(name) for name in frame.columns)]
    fields = {}
    for name in dict.fromkeys(names):
        spec = spec_of(name)
        show = spec.show if spec.show is _words or spec.show is _creator else _plain
        suffix, texts = show(frame, name)
        if name == "findings" and frame[name].dtype == object:
            texts = ["\n".join(map(cell, value)) or "none" for value in frame[name]]
        if name == "last_used_day":  # a record is of a listed token
            texts = [text or "never" for text in texts]
        if name == "admin":
            texts = [{"True": "yes", "False": "no"}.get(str(value), "unknown") for value in frame[name]]
        fields[f"{printable(name.replace('_', ' '))}{suffix}"] = [text or spec.missing for text in texts]
    rows = zip(*fields.values(), strict=True)
    return [{heading: text for heading, text in zip(fields, row, strict=True) if text} for row in rows]
