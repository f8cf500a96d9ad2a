"""What used each token: sign-ins from the audit log, joined with a listing.

The log's ``tokenId`` is probably the listing's ``token_id``: both have the same form, and Databricks' own detections
use it that way. This is not proven. Each row therefore says whether the listing has its token, and ``frame.attrs`` says
how many match. A token without a row has no sign-in in the rows that were read. It may still be in use: the log is
delayed and regional, and may begin after the token's last use.
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from tokenkit import errors, frames
from tokenkit.core.wording import part_of, pluralize
from tokenkit.frames import TEXT
from tokenkit.review.audit_log import ADDRESS, IDENTITY, MOST_DAYS, USER_AGENT, display_names
from tokenkit.review.clients import clients_of
from tokenkit.review.sign_ins import SignIns, most_frequent
from tokenkit.review.texts import array, lengths, redacted

MOST_LISTED: Final = 100
"""The maximum number of names in a list, the most frequent first."""

READ_FROM: Final = "read_from"
"""The key in ``DataFrame.attrs`` for the source of the log: ``since`` and ``warehouse_id``, or ``rows``."""
SINCE: Final = "since"

OF_A_TOKEN: Final = ("logins", "last_login", "clients")
"""The columns that reports may contain. Addresses are personal data, and user agents can contain anything."""

NO_SIGN_IN: Final = "no sign-in in the audit log"
_OF_ONE_READING = ["token_id", "logins", "first_login", "last_login"]
_NETWORK, _CLIENT = "network", "client"
_LISTS = {
    "source_addresses": ADDRESS,
    "source_networks": _NETWORK,
    "user_agents": USER_AGENT,
    "clients": _CLIENT,
    "identities": IDENTITY,
}
_PREFIX_V4, _PREFIX_V6 = 24, 48  # the usual size of one site's or one provider's network

USAGE = frames.schema(
    token_id=str,
    logins=int,
    first_login=frames.TIME,
    last_login=frames.TIME,
    days_used=int,
    **dict.fromkeys(("source_addresses", "source_networks", "user_agents", "clients"), frames.TEXTS),
    matched=bool,
    identities=frames.TEXTS,
    **{f"{name}_counts": frames.IDS for name in _LISTS},
)


def usage(sign_ins: SignIns, listing: pd.DataFrame, service_principals: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what used each token in the audit log, the most used first.

    Args:
        sign_ins: The sign-ins in the log.
        listing: The tokens of the workspace, with ``token_id``.
        service_principals: The frame of ``Workspace.service_principals``. The log has application ids, and the result
            has display names.

    Returns:
        A row for each token id in the log: ``token_id, logins, first_login, last_login, days_used`` (distinct days,
        UTC), ``source_addresses, source_networks`` (/24 and /48), ``user_agents, clients, matched`` (the token is
        listed), ``identities``, and the counts for each list, such as ``clients_counts``. Lists have at most 100 items,
        the most frequent first. User agents are redacted, and limited to 300 characters. Without sign-ins, the frame
        has the same columns and no rows. Its ``attrs`` are ``log_tokens`` and ``matched_tokens`` (counts),
        ``internal_logins``, ``newest_event`` and ``workspace_ids``. If the listing has ``workspace``, it is the first
        column of the frame.
    """
    totals = sign_ins.totals.sort_values(["logins", "token_id"], ascending=[False, True], ignore_index=True)
    names = _with_derived(sign_ins.names, service_principals)
    columns: dict[str, Any] = {name: totals[name] for name in (*_OF_ONE_READING, "days_used")}
    columns["matched"] = totals["token_id"].isin(listing["token_id"]).astype("boolean")
    for name, kind in _LISTS.items():
        columns[name], columns[f"{name}_counts"] = _lists(names[names["kind"] == kind], totals["token_id"])
    frame = pd.DataFrame(columns)[list(USAGE.names)]
    if "workspace" in listing:
        workspaces = listing.drop_duplicates("token_id").set_index("token_id")["workspace"]
        frame.insert(0, "workspace", frame["token_id"].map(workspaces).astype(TEXT))
    frame.attrs |= {
        "log_tokens": len(frame),
        "matched_tokens": int(frame["matched"].sum()),
        "internal_logins": sign_ins.internal_logins,
        "newest_event": "" if pd.isna(sign_ins.newest_event) else sign_ins.newest_event.isoformat(),
        "workspace_ids": list(sign_ins.workspace_ids),
    }
    return frame


def period_and_warehouse(source: Mapping[str, Any], *, now: pd.Timestamp) -> tuple[int, str]:
    """Return how to read the log of an earlier source again: the number of days, up to what the table retains, and the
    warehouse, empty if Spark read it.
    """
    first_day = pd.to_datetime(source[SINCE], utc=True)
    days = (now.tz_convert("UTC").floor("D") - first_day).days
    return min(days, MOST_DAYS), source.get("warehouse_id") or ""


def share(usage: pd.DataFrame) -> str:
    """Return how many tokens are listed of those in the log, and the first day of the log.

    For example, ``260 of 278 tokens in the audit log since 2026-01-30 are in the listing``.
    """
    rows = checked(usage)
    count = int(usage.attrs.get("log_tokens", len(rows)))  # a frame from a file has no attrs
    listed = int(usage.attrs.get("matched_tokens", rows["matched"].sum()))
    since = _since(usage)
    if not count:
        return f"The audit log has no sign-in with a token{since or ' in this period'}"
    nothing = "" if listed else ", so the log shows nothing about the listed tokens"
    of_log = f"{listed:,} of {pluralize(count, 'token')} in the audit log{since}"
    return f"{of_log} {'is' if 1 in {listed, count} else 'are'} in the listing{nothing}"


def summary(usage: pd.DataFrame) -> str:
    """Return one line of text about the coverage of the log, and the share of its tokens that are listed."""
    internal, newest = int(usage.attrs.get("internal_logins", 0)), usage.attrs.get("newest_event")
    until = f"; newest sign-in: {pd.Timestamp(newest):%Y-%m-%d %H:%M} UTC" if newest else ""
    left_out = f"; {pluralize(internal, 'internal sign-in')} of notebooks and jobs excluded" if internal else ""
    return f"{share(usage)}{until}{left_out}. A token without a sign-in in the log is not proven to be unused."


def summary_of(rows: pd.DataFrame, tokens: int) -> str:
    """Return one line of text about the sign-ins of selected tokens.

    Args:
        rows: The rows of these tokens in the result of ``usage``.
        tokens: The number of selected tokens, with or without a row.
    """
    count = int(rows["logins"].sum())
    newest = f"; newest sign-in: {rows['last_login'].max():%Y-%m-%d %H:%M} UTC" if count else ""
    of_log = f"{part_of(len(rows) or tokens, tokens, 'selected token')} in the audit log{_since(rows)}"
    line = f"{pluralize(count, 'sign-in')} with {of_log}{newest}."
    return line if int(rows.attrs.get("matched_tokens", count)) else f"{line} {share(rows)}."


def _since(usage: pd.DataFrame) -> str:
    source = usage.attrs.get(READ_FROM)
    return f" since {source[SINCE]}" if isinstance(source, Mapping) and SINCE in source else ""


def with_evidence(tokens: pd.DataFrame, usage: pd.DataFrame) -> pd.DataFrame:
    """Return tokens with ``logins, last_login, clients``; missing values for those without a sign-in in the log.

    Args:
        tokens: A listing.
        usage: The result of ``usage``.
    """
    evidence = of_tokens(tokens["token_id"], usage)
    return tokens.assign(**{name: evidence[name] for name in OF_A_TOKEN})


def of_tokens(token_ids: pd.Series[str], usage: pd.DataFrame) -> pd.DataFrame:
    """Return the evidence for tokens, in their order and with their index; missing values for those without a row.

    Args:
        token_ids: Ids of tokens.
        usage: The result of ``usage``, possibly read from a file.

    Raises:
        UsageError: The frame is not a result of ``usage``.
    """
    rows = checked(usage).set_index("token_id")
    return rows.reindex(token_ids).set_index(token_ids.index)


def checked(usage: object) -> pd.DataFrame:
    """Return the columns of ``USAGE`` of a frame from ``usage``, with their types. Additional columns are left out.

    Raises:
        UsageError: It is another frame, a column has other values, as after CSV or JSON, or a token has several rows
            that differ.
    """
    columns = usage.columns if isinstance(usage, pd.DataFrame) else ()
    if missing := [name for name in USAGE.names if name not in columns]:
        raise errors.UsageError(
            f"Not a result of usage(): {', '.join(missing)} missing. Pass the frame that ws.usage() returned."
        )
    assert isinstance(usage, pd.DataFrame)
    rows = frames.to_pandas(pa.table([_typed(usage[field.name], field) for field in USAGE], USAGE))
    rows = rows.drop_duplicates(_OF_ONE_READING)  # the same rows twice say the same
    if repeated := int(rows["token_id"].duplicated().sum()):
        raise errors.UsageError(
            f"The evidence has different rows for {pluralize(repeated, 'token')}, as after joining two results. "
            "Read the rows of the audit log together."
        )
    return rows


def _typed(column: pd.Series[Any], field: pa.Field) -> pa.Array:
    is_time = field.type == frames.TIME
    with contextlib.suppress(pa.ArrowException, ValueError, TypeError, OverflowError):  # the messages may quote a row
        if not is_time or column.dtype.kind == "M" or column.isna().all():  # a number has no unit
            return pa.array(column, field.type)
    raise errors.UsageError(
        f"The evidence has lost the type of {field.name}. Save evidence as Parquet; CSV and JSON have no types."
    )


def sentences(evidence: pd.DataFrame, *, now: pd.Timestamp) -> pd.Series[str]:
    """Return a description of what used each token: ``dbt from 192.0.2.0/24, 4,200 sign-ins, 3 hours ago``.

    Args:
        evidence: The result of ``of_tokens``.
        now: The reference time.

    Returns:
        A text for each token, ``no sign-in in the audit log`` for one without a row.
    """
    found = evidence[evidence["logins"].notna()]
    networks = _first_and_more(found["source_networks"])
    place = (" from " + networks).where(networks != "", "")
    times = found["last_login"].map(lambda time: ago(time, now)).astype(TEXT)
    used = programs(found) + place + ", " + _sign_ins(found) + ", " + times
    return used.reindex(evidence.index).fillna(NO_SIGN_IN).astype(TEXT)


def reported(tokens: pd.DataFrame) -> pd.Series[str]:
    """Return a description of what used each token, for reports: ``dbt, 4,200 sign-ins, last on 2026-02-28``.

    Args:
        tokens: The result of ``with_evidence``.
    """
    found = tokens[tokens["logins"].notna()]
    days = found["last_login"].dt.strftime("%Y-%m-%d").astype(TEXT).fillna("an unknown day")
    used = programs(found) + ", " + _sign_ins(found) + ", last on " + days
    return used.reindex(tokens.index).fillna(NO_SIGN_IN).astype(TEXT)


def programs(evidence: pd.DataFrame) -> pd.Series[str]:
    """Return the most frequent program of each token, with the number of others: ``dbt and 2 more``.

    Args:
        evidence: Rows of tokens with sign-ins.
    """
    names = _first_and_more(evidence["clients"])
    return names.where(names != "", "an unknown program")


def _sign_ins(evidence: pd.DataFrame) -> pd.Series[str]:
    # In a loop, because Arrow cannot format thousands. Plans and reports show only a few rows.
    return evidence["logins"].map(lambda count: pluralize(int(count), "sign-in")).astype(TEXT)


def _first_and_more(lists: pd.Series[Any]) -> pd.Series[str]:
    """Return the first text of each list, with the number of other texts."""
    count = lengths(lists)
    more = (" and " + (count - 1).astype(str) + " more").where(count > 1, "")
    return lists.str[0].astype(TEXT).fillna("") + more.astype(TEXT)


def ago(time: pd.Timestamp, now: pd.Timestamp) -> str:
    """Return a past time as text, in whole hours or days: ``3 hours ago``."""
    hours = (now - time).total_seconds() / 3600
    if math.isnan(hours):
        return "at an unknown time"
    if hours < 1:
        return "within the last hour"
    return f"{pluralize(int(hours), 'hour')} ago" if hours < 48 else f"{pluralize(int(hours / 24), 'day')} ago"


def _with_derived(names: pd.DataFrame, service_principals: pd.DataFrame | None) -> pd.DataFrame:
    """Return redacted names with display names of service principals, plus networks and clients."""
    addresses, agents, people = (names[names["kind"] == kind] for kind in (ADDRESS, USER_AGENT, IDENTITY))
    networks = addresses.assign(kind=_NETWORK, name=networks_of(addresses["name"])).dropna(subset="name")
    agents = agents.assign(name=redacted(agents["name"]))
    clients = agents.assign(kind=_CLIENT, name=clients_of(agents["name"]))
    if service_principals is not None:
        people = people.assign(name=display_names(people["name"].str.lower(), service_principals))
    together = frames.concat([addresses, networks, agents, clients, people])
    return most_frequent(together, MOST_LISTED)


def networks_of(addresses: pd.Series[str]) -> pd.Series[str]:
    """Return the network of each address: /24 for IPv4, /48 for IPv6, missing for any other text."""
    networks = {text: _network(text) for text in addresses.dropna().unique()}
    return addresses.map(networks).astype(TEXT)


def _network(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    prefix = _PREFIX_V4 if address.version == 4 else _PREFIX_V6
    return str(ipaddress.ip_network((address, prefix), strict=False))


def _lists(names: pd.DataFrame, token_ids: pd.Series[str]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Return the names of each token and their counts as lists. The input is sorted by token."""
    rows = pd.Index(token_ids).get_indexer(pd.Index(names["token_id"]))
    order = np.argsort(rows, kind="stable")
    ends = np.cumsum(np.bincount(rows, minlength=len(token_ids)))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    texts = array(names["name"]).take(pa.array(order))
    counts = pa.array(names["n"].to_numpy("int64")[order], pa.int64())
    return frames.lists(pa.ListArray.from_arrays(offsets, texts)), frames.lists(
        pa.ListArray.from_arrays(offsets, counts)
    )
