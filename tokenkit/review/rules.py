"""The rules of the audit, one function per rule, collected in ``RULES``. ``rule.py`` defines what a rule is.

Five of them come from the Security Analysis Tool and carry its ids. Some behave differently here:
``docs/audit-rules.md`` lists each difference and its reason.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.core.wording import pluralize
from tokenkit.review import access, expressions, lifecycle
from tokenkit.review import scopes as scopes_review
from tokenkit.review.access import USERS
from tokenkit.review.durations import LONGEST_LIFETIME_DAYS
from tokenkit.review.lifecycle import IDLE_LIMIT_DAYS
from tokenkit.review.rule import Context, Rule, rule
from tokenkit.review.texts import (
    appended,
    concat_columns,
    flag_texts,
    holding_secrets,
    join_lists,
    lengths,
    redacted,
    repeated,
    tenths,
)

PLACEHOLDER_COMMENTS = (
    *("", "a", "abc", "asdf", "bla", "databricks", "default", "foo", "my pat", "my token", "n a", "new", "new token"),
    *("none", "null", "pat", "personal access token", "qwerty", "temp", "test", "test token", "tmp", "todo"),
    *("token", "untitled", "xxx"),
)
"""Placeholder comments, in lower case, without punctuation and without a number after them."""

BROAD_SCOPE = "broad-scope"
_QUOTA = 600
_LONGEST_QUOTE = 80


@rule(
    "secret-in-comment",
    title="Comment contains a likely secret",
    severity="high",
    why="Comments are visible to every admin and appear in every listing and export.",
    remedy="Revoke the credential in the comment, then change the comment.",
    needs=("comments",),
    expired_too=True,
)
def secret_in_comment(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find comments in which ``redaction`` detects a credential. The evidence shows the comment redacted."""
    found = tokens["comment"][holding_secrets(tokens["comment"])]
    return "comment: " + redacted(found).str.slice(stop=_LONGEST_QUOTE)


@rule(
    "inactive-owner",
    title="Owner is inactive or deleted",
    severity="high",
    why="The token has no accountable owner. Deactivation blocks it only until the user is activated again.",
    remedy="Revoke it. Move workloads that need it to a service principal.",
    needs=("owners",),
)
def inactive_owner(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find tokens whose owner is inactive or no longer exists."""
    is_inactive = tokens["owner_active"].eq(other=False).fillna(value=False).to_numpy(dtype=bool)
    deleted = tokens["owner_kind"][is_inactive].eq("deleted")
    return deleted.map({True: "the owner was deleted", False: "the owner is inactive"}).astype(frames.TEXT)


@rule(
    "inactive-creator",
    title="Creator of a service principal's token is inactive or deleted",
    severity="medium",
    why="The creator may still know the value, and the token keeps working after the creator's access ended.",
    remedy="Create a new token for the service principal, replace the value where it is used, then revoke this one.",
    needs=("principals",),
)
def inactive_creator(tokens: pd.DataFrame, context: Context) -> pd.Series[str]:
    """Find service principals' tokens whose creator is another identity that is inactive or no longer exists."""
    assert context.identities is not None
    principals = context.identities.principals().drop_duplicates("id").set_index("id")
    candidates = tokens[(tokens["owner_kind"] == "service_principal") & tokens["created_by_id"].notna()]
    candidates = candidates[candidates["created_by_id"] != candidates["owner_id"]]
    is_active = candidates["created_by_id"].map(principals["active"]).astype("boolean")
    found = candidates[~is_active.fillna(value=False).to_numpy(dtype=bool)]
    state = is_active[found.index].isna().map({True: " was deleted", False: " is inactive"}).astype(frames.TEXT)
    creator = found["created_by_id"].map(principals["principal"]).astype(frames.TEXT)
    creator = creator.fillna(found["created_by_username"]).fillna(found["created_by_id"].astype(frames.TEXT))
    return "its creator " + creator + state


@rule(
    "admin-service-principal",
    title="Owner is a service principal with admin access",
    severity="high",
    why="The value grants admin access to the workspace, and offboarding a person does not end that access.",
    remedy="Remove the service principal from admins, or revoke the token and authenticate with OAuth.",
    needs=("owners", "identities"),
)
def admin_service_principal(tokens: pd.DataFrame, context: Context) -> pd.Series[str]:
    """Find tokens created on behalf of a service principal that is in ``admins``, directly or through nested groups."""
    assert context.identities is not None
    no_entries = frames.frame([], frames.PERMISSIONS)
    admins = access.paths(no_entries, context.identities).drop_duplicates("id").set_index("id")["via"]
    candidates = tokens[tokens["owner_kind"] == "service_principal"]
    on_behalf_of = (candidates["created_by_id"] != candidates["owner_id"]).fillna(value=True)
    owner = candidates["owner_id"][on_behalf_of & candidates["owner_id"].isin(admins.index)]
    return "an admin through " + owner.map(admins).astype(frames.TEXT)


@rule(
    BROAD_SCOPE,
    title="Has access to all APIs, or can create tokens that do",
    severity="high",
    why="A stolen value grants everything that the owner can do.",
    remedy="Narrow its scopes to those that it uses, or replace it with a token that has only those.",
    thresholds={"scopes": "all-apis covers every API; authentication can create a token with any scope"},
)
def broad_scope(
    tokens: pd.DataFrame, _: Context, *, scopes: tuple[str, ...] = ("all-apis", "authentication")
) -> pd.Series[str]:
    """Find tokens with one of the broadest scopes. A token without scopes is not reported: its access is not stated."""
    held = {scope: expressions.holds(tokens["scopes"], scope) for scope in scopes}
    found = tokens.index[pd.DataFrame(held, index=tokens.index).any(axis=1)]
    names = repeated("", found)
    for scope, holds in held.items():
        names = appended(names, scope, where=holds[found], separator=", ")
    return "granted " + names


@rule(
    "no-expiry",
    title="Never expires",
    severity="high",
    why="A value that leaked years ago still works.",
    remedy="Replace it with a token that expires, then revoke it.",
    sat="IA-4",
)
def no_expiry(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find tokens without an expiry time."""
    return concat_columns("no expiry, ", tokens["age_days"][tokens["never_expires"]], " days old")


@rule(
    "long-lifetime",
    title="Lifetime exceeds the recommended maximum",
    severity="medium",
    why="The longer a value works, the more likely it is to leak.",
    remedy="Replace it with a token that expires sooner.",
    sat="IA-4",
    thresholds={"max_days": "the limit of the Security Analysis Tool"},
)
def long_lifetime(tokens: pd.DataFrame, _: Context, *, max_days: float = 90) -> pd.Series[str]:
    """Find tokens whose total lifetime, from creation to expiry, exceeds a limit in days."""
    return concat_columns(
        "lifetime of ", tenths(_over(tokens["lifetime_days"], max_days)), f" days, more than {max_days:g}"
    )


@rule(
    "lifetime-over-maximum",
    title="Lifetime exceeds the workspace's maximum",
    severity="medium",
    why="The maximum applies only to new tokens, so older tokens keep their longer lifetime.",
    remedy="Replace it with a token within the maximum.",
    needs=("max_lifetime_days",),
    sat="IA-6",
)
def lifetime_over_maximum(tokens: pd.DataFrame, context: Context) -> pd.Series[str]:
    """Find tokens whose total lifetime exceeds ``maxTokenLifetimeDays``. Tokens without expiry exceed any maximum."""
    assert context.settings is not None
    maximum = context.settings.max_lifetime_days
    if maximum is None:
        return pd.Series(dtype=frames.TEXT)
    finite = concat_columns(
        "lifetime of ", tenths(_over(tokens["lifetime_days"], maximum)), f" days, the maximum is {maximum:,}"
    )
    endless = tokens["token_id"][tokens["never_expires"]]
    return pd.concat([finite, repeated(f"never expires, the maximum is {pluralize(maximum, 'day')}", endless.index)])


@rule(
    "no-maximum-lifetime",
    title="Workspace has no maximum token lifetime",
    severity="medium",
    why=f"Principals who can use tokens can create tokens that work for {LONGEST_LIFETIME_DAYS} days.",
    remedy="Set maxTokenLifetimeDays in the workspace's settings, for example to 90.",
    subject="workspace",
    needs=("max_lifetime_days", "tokens_enabled"),
    sat="IA-5",
)
def no_maximum_lifetime(_: pd.DataFrame, context: Context) -> str | None:
    """Find a workspace that has tokens enabled and no maximum lifetime for new tokens."""
    assert context.settings is not None
    unset = context.settings.tokens_enabled and context.settings.max_lifetime_days is None
    return (
        f"maxTokenLifetimeDays is not set, so new tokens work for up to {LONGEST_LIFETIME_DAYS} days" if unset else None
    )


@rule(
    "all-users-can-use",
    title="All users can use tokens",
    severity="medium",
    why="An attacker who compromises any account can create a token and keep access.",
    remedy="Grant the permission to the groups that need it and remove it from users. "
    "ws.plan_permissions() shows which tokens will be deleted.",
    subject="workspace",
    needs=("permissions",),
    sat="IA-8",
)
def all_users_can_use(_: pd.DataFrame, context: Context) -> str | None:
    """Find a workspace whose group ``users`` can use tokens."""
    permissions = context.permissions
    assert permissions is not None
    levels = permissions["permission_level"][permissions["group_name"] == USERS].dropna()
    return f"the group {USERS} has {' and '.join(levels)}" if len(levels) else None


@rule(
    "unused",
    title="Not used for a long time",
    severity="medium",
    why="It is probably no longer needed, and misuse would go unnoticed.",
    remedy="Revoke it. If an infrequent job needs it, use the token at least every 90 days.",
    thresholds={"idle_days": "30 days before the platform revokes an unused token"},
)
def unused(tokens: pd.DataFrame, _: Context, *, idle_days: float = 60) -> pd.Series[str]:
    """Find tokens that were used, but not for a number of days. The API reports the day of the last use."""
    idle = tokens["idle_days"][tokens["last_used_day"].notna()]
    found = idle[idle >= idle_days]
    remaining = (IDLE_LIMIT_DAYS - found).clip(lower=0)
    return concat_columns("unused for ", found, " days, revoked in ", remaining, " days")


@rule(
    "never-used",
    title="Never used since creation",
    severity="medium",
    why="It serves no purpose, and its value may be stored in an unprotected location.",
    remedy="Revoke it.",
    thresholds={"age_days": "a new token is usually put to use within a month"},
)
def never_used(tokens: pd.DataFrame, _: Context, *, age_days: float = 30) -> pd.Series[str]:
    """Find tokens that reached an age in days and were never used."""
    ages = tokens["age_days"][tokens["last_used_day"].isna()]
    return concat_columns("never used in ", ages[ages >= age_days], " days")


@rule(
    "unused-scopes",
    title="Has scopes that it never used",
    severity="low",
    why="A stolen value grants more access than the workload needs.",
    remedy="Narrow its scopes to those that it used: ws.plan_scopes().",
)
def unused_scopes(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find tokens with a granted scope that is not in the record of their use, where that record is complete."""
    recorded = tokens[tokens["autoscope_state"].isin(scopes_review.KNOWN)]
    unused = scopes_review.advise(recorded)["unused_scopes"]
    found = unused[lengths(unused) > 0]
    granted = recorded["scopes"][found.index]
    return concat_columns(lengths(found), " of ", lengths(granted), " never used: ", join_lists(found))


@rule(
    "near-token-quota",
    title="Owner is close to the token quota",
    severity="low",
    why=f"At {_QUOTA} tokens, creating another one fails, and so does token rotation.",
    remedy="Revoke unused tokens, and create one token per workload.",
    subject="owner",
    thresholds={"at_least": f"80% of the quota of {_QUOTA} tokens per user and workspace"},
)
def near_token_quota(tokens: pd.DataFrame, _: Context, *, at_least: int = 480) -> pd.Series[str]:
    """Find owners whose number of active tokens reaches a limit."""
    owners = tokens["owner_id"].dropna()
    counts = owners.map(owners.value_counts())[~owners.duplicated()]
    return concat_columns(counts[counts >= at_least], f" tokens of {_QUOTA}")


@rule(
    "no-comment",
    title="Comment is missing or not meaningful",
    severity="low",
    why="Its purpose is unknown, so revoking it may break an unknown workload.",
    remedy="Ask the owner for the purpose and record it: ws.plan_update(…, comment=…).",
    thresholds={
        "shortest": "a single letter is not meaningful; two letters can be, as in CI",
        "words": "common placeholders, with or without a number after them",
    },
)
def no_comment(
    tokens: pd.DataFrame, _: Context, *, shortest: int = 2, words: tuple[str, ...] = PLACEHOLDER_COMMENTS
) -> pd.Series[str]:
    """Find tokens whose comment is absent, empty or a placeholder."""

    def is_placeholder(comments: pa.Array) -> pa.Array:
        lower = pc.utf8_lower(pc.fill_null(comments, ""))
        letters = pc.utf8_trim_whitespace(pc.replace_substring_regex(lower, r"[^\p{L}\p{N}]+", " "))
        without_number = pc.utf8_rtrim(letters, characters=" 0123456789")
        return pc.or_(
            pc.is_in(without_number, pa.array(words, pa.string())), pc.less(pc.utf8_length(letters), shortest)
        )

    found = tokens["comment"][flag_texts(tokens["comment"], is_placeholder)].fillna("")
    return ("comment: " + found).mask(found == "", "no comment")


@rule(
    "expires-soon",
    title="Stops working soon, by expiry or disuse",
    severity="low",
    why="Workloads that use it will fail.",
    remedy="Ask the owner whether it is still needed. Replace it before it expires, or use it to prevent revocation.",
    sat="GOV-2",
    thresholds={"within_days": "the limit of the Security Analysis Tool"},
)
def expires_soon(tokens: pd.DataFrame, _: Context, *, within_days: float = 7) -> pd.Series[str]:
    """Find active tokens of any owner that expire, or are revoked for disuse, within a number of days."""
    remaining = lifecycle.days_left(tokens).dropna()
    soon = remaining[remaining <= within_days]
    cause = lifecycle.ends_by_disuse(tokens)[soon.index].map(
        {True: f", by {IDLE_LIMIT_DAYS} days of disuse", False: ", by expiry"}
    )
    return concat_columns("days remaining: ", soon) + cause.astype(frames.TEXT)


RULES: tuple[Rule, ...] = (
    secret_in_comment,
    inactive_owner,
    admin_service_principal,
    broad_scope,
    no_expiry,
    inactive_creator,
    long_lifetime,
    lifetime_over_maximum,
    no_maximum_lifetime,
    all_users_can_use,
    unused,
    never_used,
    unused_scopes,
    near_token_quota,
    no_comment,
    expires_soon,
)
"""Every rule, the most severe first."""


def _over(days: pd.Series[float], limit: float) -> pd.Series[float]:
    known = days.dropna()
    return known[known > limit]
