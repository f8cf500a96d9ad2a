"""Audit rules that need evidence of use: the result of ``usage``, in ``Context.usage``.

Findings contain counts, programs and days, but no addresses, which are personal data: findings become part of reports.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Any

import pandas as pd

from tokenkit import errors
from tokenkit.frames import TEXT
from tokenkit.review.clients import FIELDS, INTERACTIVE
from tokenkit.review.rule import Context, rule
from tokenkit.review.texts import concat_columns, join_lists, lengths, members, series
from tokenkit.review.usage import of_tokens

_DAY = pd.Timedelta(days=1)


@rule(
    "inactive-owner-still-used",
    title="Still used although the owner is inactive or deleted",
    severity="high",
    why="A program depends on it, or a person without access still has its value.",
    remedy="Find the program with ws.usage(), move it to a service principal, then revoke the token.",
    needs=("owners", "usage"),
    thresholds={"days": "a sign-in may be older than the owner's deactivation, whose date is not recorded"},
)
def inactive_owner_still_used(tokens: pd.DataFrame, context: Context, *, days: int = 7) -> pd.Series[str]:
    """Find tokens of inactive or deleted owners with sign-ins in the last days."""
    used = _used(tokens, context)
    is_inactive = used["owner_active"].eq(other=False).fillna(value=False).astype(bool)
    is_recent = used["last_login"] >= context.now - days * _DAY
    found = used[is_inactive & is_recent]
    return concat_columns("last sign-in on ", _day(found["last_login"]), " by ", join_lists(found["clients"]))


@rule(
    "shared-by-programs",
    title="Used by programs with different purposes",
    severity="medium",
    why="A value in several locations is more likely to leak, and revoking it breaks all programs that use it.",
    remedy="Create a token for each program, then revoke this one.",
    needs=("usage",),
)
def shared_by_programs(tokens: pd.DataFrame, context: Context) -> pd.Series[str]:
    """Find tokens whose clients have different purposes. Drivers, SDKs and libraries are ignored."""
    used = _used(tokens, context)
    rows, names = members(used["clients"])
    clients = pd.DataFrame({"row": rows, "name": series(names, pd.RangeIndex(len(names)))})
    clients = clients.assign(field=clients["name"].map(FIELDS)).dropna(subset="field")
    by_row = clients.groupby("row").agg(fields=("field", "nunique"), names=("name", ", ".join))
    found = by_row[by_row["fields"] > 1]
    return found["names"].astype(TEXT).set_axis(used.index[found.index])


@rule(
    "many-networks",
    title="Used from many networks",
    severity="medium",
    why="Its value is stored in many locations, or has leaked.",
    remedy="Compare the networks with ws.usage(). Create a token for each location, then revoke this one.",
    needs=("usage",),
    thresholds={"networks": "an office, a cloud region and a home office together have fewer"},
)
def many_networks(tokens: pd.DataFrame, context: Context, *, networks: int = 10) -> pd.Series[str]:
    """Find tokens with sign-ins from many networks (/24 and /48) in the period of the log."""
    used = _used(tokens, context)
    count = lengths(used["source_networks"])
    found = count >= networks
    days = used["days_used"][found].astype("int64")
    return concat_columns(count[found], " networks on ", days, " days")


@rule(
    "outside-networks",
    title="Used from outside the given networks",
    severity="high",
    why="A stolen token works from any address that the workspace allows.",
    remedy="Check the addresses with ws.usage(). Revoke the token if they are not yours.",
    needs=("usage",),
    thresholds={"networks": "yours, such as 192.0.2.0/24 and 2001:db8::/32; without any, the rule is not checked"},
)
def outside_networks(tokens: pd.DataFrame, context: Context, *, networks: Collection[str] = ()) -> pd.Series[str]:
    """Find tokens with sign-ins from addresses outside all given networks."""
    used = _used(tokens, context)
    allowed = [_network(text) for text in networks]
    rows, names = members(used["source_addresses"])
    addresses = pd.DataFrame({"row": rows, "address": series(names, pd.RangeIndex(len(names)))})
    inside = {text: _is_inside(text, allowed) for text in addresses["address"].unique()}
    outside = addresses[~addresses["address"].map(inside).astype(bool)]
    count = outside.groupby("row").size()
    found = concat_columns(count, " addresses outside").where(count != 1, "1 address outside").astype(TEXT)
    return found.set_axis(used.index[count.index])


@rule(
    "interactive-service-principal",
    title="Service principal's token is used interactively",
    severity="medium",
    why="Actions of a person who uses a service principal's token cannot be attributed to that person.",
    remedy="Find out who uses it. Provide a personal sign-in, then revoke the token.",
    needs=("owners", "usage"),
)
def interactive_service_principal(tokens: pd.DataFrame, context: Context) -> pd.Series[str]:
    """Find service principals' tokens whose clients are all interactive."""
    used = _used(tokens, context)
    used = used[used["owner_kind"] == "service_principal"]
    rows, names = members(used["clients"])
    by_hand = pd.Series(pd.Series(names.to_pylist(), dtype=object).isin(INTERACTIVE)).groupby(rows).all()
    found = used.iloc[by_hand[by_hand].index]
    return "only by " + join_lists(found["clients"])


@rule(
    "use-disagrees",
    title="Listing and audit log differ on the last use",
    severity="low",
    why="One of them is delayed or incomplete, so a token that looks unused may be in use.",
    remedy="Rely on the later day before you revoke the token.",
    needs=("usage",),
    thresholds={"days": "the listing is accurate to the day, and the log is delayed by hours"},
)
def use_disagrees(tokens: pd.DataFrame, context: Context, *, days: int = 2) -> pd.Series[str]:
    """Find tokens whose last sign-in and ``last_used_day`` are days apart."""
    used = _used(tokens, context)
    listed = used["last_used_day"]
    apart = (used["last_login"].dt.floor("D") - listed).abs() > days * _DAY
    found = used[apart | listed.isna()]
    listing = _day(found["last_used_day"]).fillna("never")
    return concat_columns("listing: ", listing, "; log: ", _day(found["last_login"]))


RULES = (
    inactive_owner_still_used,
    outside_networks,
    shared_by_programs,
    many_networks,
    interactive_service_principal,
    use_disagrees,
)


def _used(tokens: pd.DataFrame, context: Context) -> pd.DataFrame:
    """Return the tokens with sign-ins in the log, with the columns of both and the index of the tokens."""
    assert context.usage is not None
    evidence = of_tokens(tokens["token_id"], context.usage)
    return tokens.assign(**{str(name): evidence[name] for name in evidence})[evidence["logins"].notna()]


def _day(times: pd.Series[pd.Timestamp]) -> pd.Series[str]:
    return times.dt.strftime("%Y-%m-%d").astype(TEXT)


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        raise errors.UsageError(f"{text!r} is not a network. Write it as 192.0.2.0/24 or 2001:db8::/32.") from None


def _is_inside(text: str, networks: Collection[Any]) -> bool:
    """Return whether an address is in one of the networks. A text that is not an address is in none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
