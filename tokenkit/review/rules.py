"""The rules of the audit, one function each, in one table: ``RULES``. What a rule is, ``rule.py`` says.

Five of them are the Security Analysis Tool's, marked with its ids, with what is wrong about them there mended:
``docs/audit-rules.md`` lists each difference and its reason.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tokenkit import frames
from tokenkit.review import access, expressions, lifecycle
from tokenkit.review import scopes as scopes_review
from tokenkit.review.lifecycle import IDLE_LIMIT_DAYS
from tokenkit.review.rule import Context, Rule, rule
from tokenkit.review.texts import asked_once, holding_secrets, joined, lengths, redacted, repeated, said, tenths
from tokenkit.wording import counted

EVERYONE = "users"
"""The group that every user and service principal of a workspace is in."""

EMPTY_WORDS = (
    *("", "a", "abc", "asdf", "bla", "databricks", "default", "foo", "my pat", "my token", "n a", "new", "new token"),
    *("none", "null", "pat", "personal access token", "qwerty", "temp", "test", "test token", "tmp", "todo"),
    *("token", "untitled", "xxx"),
)
"""Comments that say nothing, in small letters, without punctuation and without the number after them."""

_LONGEST_LIFETIME_DAYS = 730
_QUOTA = 600
_LONGEST_QUOTE = 80


@rule(
    "secret-in-comment",
    title="The comment looks like it holds a secret",
    severity="high",
    why="Every admin, every listing and every export of it shows the comment.",
    remedy="Revoke what the secret opens, then change the comment.",
    expired_too=True,
)
def secret_in_comment(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find comments with what ``redaction`` takes for a credential; the evidence has it blacked out."""
    found = tokens["comment"][holding_secrets(tokens["comment"])]
    return "comment: " + redacted(found).str.slice(stop=_LONGEST_QUOTE)


@rule(
    "owner-gone",
    title="The owner left or is switched off",
    severity="high",
    why="Nobody answers for it, and whoever has the value acts as somebody who should have no access.",
    remedy="Revoke it; move what needs it to a service principal.",
    needs=("owners",),
)
def owner_gone(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find tokens whose owner is inactive, or whose owner's id no identity has any more."""
    gone = tokens["owner_active"].eq(other=False).fillna(value=False).to_numpy(dtype=bool)
    deleted = tokens["owner_kind"][gone].eq("deleted")
    return deleted.map({True: "the owner was deleted", False: "the owner is inactive"}).astype(frames.TEXT)


@rule(
    "admin-program",
    title="Acts as a service principal that is an admin",
    severity="high",
    why="Whoever has the value is an admin of the workspace, and no person's departure ends it.",
    remedy="Take the service principal out of admins, or revoke the token and sign in by OAuth.",
    needs=("owners", "identities"),
)
def admin_program(tokens: pd.DataFrame, context: Context) -> pd.Series[str]:
    """Find tokens that were made on behalf of a service principal within ``admins``, however deep."""
    assert context.identities is not None
    no_entries = frames.frame([], frames.PERMISSIONS)
    admins = access.paths(no_entries, context.identities).drop_duplicates("id").set_index("id")["via"]
    programs = tokens[tokens["owner_kind"] == "service principal"]
    for_another = (programs["created_by_id"] != programs["owner_id"]).fillna(value=True)
    owner = programs["owner_id"][for_another & programs["owner_id"].isin(admins.index)]
    return "an admin by way of " + owner.map(admins).astype(frames.TEXT)


@rule(
    "wide-scope",
    title="May do everything, or make tokens that may",
    severity="high",
    why="A stolen value is as good as the owner's password.",
    remedy="Give it the scopes that it uses, or replace it with one that has them.",
    thresholds={"scopes": "all-apis is every API there is; authentication can make a token of any scope"},
)
def wide_scope(
    tokens: pd.DataFrame,
    _: Context,
    *,
    scopes: tuple[str, ...] = ("all-apis", "authentication"),
) -> pd.Series[str]:
    """Find tokens that were granted one of the widest scopes. One without scopes says nothing of what it may do."""
    held = {scope: expressions.holds(tokens["scopes"], scope) for scope in scopes}
    found = tokens.index[pd.DataFrame(held, index=tokens.index).any(axis=1)]
    names = repeated("", found)
    for scope, holds in held.items():
        also = holds[found]
        names = names.mask(also & (names != ""), names + ", " + scope).mask(also & (names == ""), scope)
    return "granted " + names


@rule(
    "no-expiry",
    title="Never expires",
    severity="high",
    why="A value that leaked years ago still works.",
    remedy="Replace it with one that expires, and revoke it.",
    sat="IA-4",
)
def no_expiry(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find tokens without an expiry."""
    return said("no expiry, ", tokens["age_days"][tokens["never_expires"]], " days old")


@rule(
    "long-lifetime",
    title="Lives longer than a quarter",
    severity="medium",
    why="The longer a value works, the more places it leaks from.",
    remedy="Replace it with one that expires sooner.",
    sat="IA-4",
    thresholds={"max_days": "the Security Analysis Tool's 90 days"},
)
def long_lifetime(
    tokens: pd.DataFrame,
    _: Context,
    *,
    max_days: float = 90,
) -> pd.Series[str]:
    """Find tokens whose total lifetime, from creation to expiry, is longer."""
    return said("lives ", tenths(_over(tokens["lifetime_days"], max_days)), f" days, more than {max_days:g}")


@rule(
    "beyond-maximum",
    title="Lives longer than the workspace now allows",
    severity="medium",
    why="The maximum holds for new tokens only, so older ones live on under the old rule.",
    remedy="Replace it with one that the maximum allows.",
    needs=("max_lifetime_days",),
    sat="IA-6",
)
def beyond_maximum(tokens: pd.DataFrame, context: Context) -> pd.Series[str]:
    """Find tokens whose total lifetime exceeds ``maxTokenLifetimeDays``; no expiry exceeds any maximum."""
    assert context.settings is not None
    maximum = context.settings.max_lifetime_days
    if maximum is None:
        return pd.Series(dtype=frames.TEXT)
    finite = said("lives ", tenths(_over(tokens["lifetime_days"], maximum)), f" days, the maximum is {maximum:,}")
    endless = tokens["token_id"][tokens["never_expires"]]
    return pd.concat([finite, repeated(f"never expires, the maximum is {counted(maximum, 'day')}", endless.index)])


@rule(
    "no-maximum",
    title="The workspace sets no maximum lifetime",
    severity="medium",
    why=f"Anybody who may make tokens makes them for {_LONGEST_LIFETIME_DAYS} days.",
    remedy="Set maxTokenLifetimeDays in the workspace's settings, to 90 for instance.",
    subject="workspace",
    needs=("max_lifetime_days", "tokens_enabled"),
    sat="IA-5",
)
def no_maximum(_: pd.DataFrame, context: Context) -> str | None:
    """Find a workspace where tokens are enabled and new ones have no maximum of its own."""
    assert context.settings is not None
    unset = context.settings.tokens_enabled and context.settings.max_lifetime_days is None
    return f"maxTokenLifetimeDays is not set, so new tokens live up to {_LONGEST_LIFETIME_DAYS} days" if unset else None


@rule(
    "everyone-may",
    title="Everybody may make tokens",
    severity="medium",
    why="Every account that is taken over can leave a token behind.",
    remedy="Grant the right to the groups that need it, and take it from users: ws.plan_permissions shows what dies.",
    subject="workspace",
    needs=("permissions",),
    sat="IA-8",
)
def everyone_may(_: pd.DataFrame, context: Context) -> str | None:
    """Find a workspace whose group ``users`` may use tokens."""
    permissions = context.permissions
    assert permissions is not None
    levels = permissions["permission_level"][permissions["group_name"] == EVERYONE].dropna()
    return f"the group {EVERYONE} has {' and '.join(levels)}" if len(levels) else None


@rule(
    "unused",
    title="Not used for a long time",
    severity="medium",
    why="Nobody would miss it, nor notice who else uses it.",
    remedy="Revoke it. If a rare job needs it, run the job, or use the token in another way, at least every 90 days.",
    thresholds={"idle_days": "a month before the platform revokes, at 90 days"},
)
def unused(
    tokens: pd.DataFrame,
    _: Context,
    *,
    idle_days: float = 60,
) -> pd.Series[str]:
    """Find tokens that were used once and have not been for so many days; the API tells the day of use."""
    idle = tokens["idle_days"][tokens["last_used_day"].notna()]
    found = idle[idle >= idle_days]
    return said("unused for ", found, " days, revoked in ", (IDLE_LIMIT_DAYS - found).clip(lower=0))


@rule(
    "never-used",
    title="Never used since it was made",
    severity="medium",
    why="It was made for nothing, and its value lies around somewhere.",
    remedy="Revoke it.",
    thresholds={"age_days": "a month is time enough to put it to use"},
)
def never_used(
    tokens: pd.DataFrame,
    _: Context,
    *,
    age_days: float = 30,
) -> pd.Series[str]:
    """Find tokens that are so old and were never used."""
    ages = tokens["age_days"][tokens["last_used_day"].isna()]
    return said("never used in ", ages[ages >= age_days], " days")


@rule(
    "unused-scopes",
    title="Granted scopes that it never used",
    severity="low",
    why="A stolen value can do more than the work needs.",
    remedy="Cut its scopes down to those that it used: ws.plan_scopes().",
)
def unused_scopes(tokens: pd.DataFrame, _: Context) -> pd.Series[str]:
    """Find tokens with a granted scope that is not in the record of their use, where that record is whole."""
    recorded = tokens[tokens["autoscope_state"].isin(scopes_review.KNOWN)]
    unused = scopes_review.advise(recorded)["unused_scopes"]
    found = unused[lengths(unused) > 0]
    granted = recorded["scopes"][found.index]
    return said(lengths(found), " of ", lengths(granted), " never used: ", joined(found))


@rule(
    "many-tokens",
    title="One owner has nearly as many tokens as are allowed",
    severity="low",
    why=f"At {_QUOTA} the next one is refused, and whatever rotates tokens stops.",
    remedy="Revoke what is not used, and make one token for each use.",
    subject="owner",
    thresholds={"at_least": f"four fifths of the quota of {_QUOTA} a user and workspace"},
)
def many_tokens(
    tokens: pd.DataFrame,
    _: Context,
    *,
    at_least: int = 480,
) -> pd.Series[str]:
    """Find owners with so many tokens that still work."""
    owners = tokens["owner_id"].dropna()
    counts = owners.map(owners.value_counts())[~owners.duplicated()]
    return said(counts[counts >= at_least], f" tokens of {_QUOTA}")


@rule(
    "no-comment",
    title="Nobody knows what it is for",
    severity="low",
    why="Without a comment that means something, no one dares to revoke it.",
    remedy="Ask the owner, and write down the use: ws.plan_update(…, comment=…).",
    thresholds={
        "shortest": "one letter says nothing; two may, as in CI",
        "words": "what people type who have nothing to say; a number after it says no more",
    },
)
def no_comment(
    tokens: pd.DataFrame,
    _: Context,
    *,
    shortest: int = 2,
    words: tuple[str, ...] = EMPTY_WORDS,
) -> pd.Series[str]:
    """Find tokens whose comment is absent, empty, or says nothing about them."""

    def says_nothing(comments: pa.Array) -> pa.Array:
        lower = pc.utf8_lower(pc.fill_null(comments, ""))
        letters = pc.utf8_trim_whitespace(pc.replace_substring_regex(lower, r"[^\p{L}\p{N}]+", " "))
        meant = pc.utf8_rtrim(letters, characters=" 0123456789")
        return pc.or_(pc.is_in(meant, pa.array(words, pa.string())), pc.less(pc.utf8_length(letters), shortest))

    found = tokens["comment"][asked_once(tokens["comment"], says_nothing)].fillna("")
    return ("comment: " + found).mask(found == "", "no comment")


@rule(
    "expires-soon",
    title="Ends within days, by expiry or disuse",
    severity="low",
    why="Whatever uses it stops then.",
    remedy="Ask the owner whether it is still needed. If it expires, replace it; if it ends by disuse, use it.",
    sat="GOV-2",
    thresholds={"within_days": "the Security Analysis Tool's 7 days, a working week"},
)
def expires_soon(
    tokens: pd.DataFrame,
    _: Context,
    *,
    within_days: float = 7,
) -> pd.Series[str]:
    """Find tokens of anybody that end so soon, by expiry or because nobody uses them; expired ones are over."""
    left = lifecycle.days_left(tokens).dropna()
    soon = left[left <= within_days]
    how = lifecycle.ends_by_disuse(tokens)[soon.index].map(
        {True: f", by {IDLE_LIMIT_DAYS} days of disuse", False: ", by expiry"}
    )
    return said("days left: ", soon) + how.astype(frames.TEXT)


RULES: tuple[Rule, ...] = (
    secret_in_comment,
    owner_gone,
    admin_program,
    wide_scope,
    no_expiry,
    long_lifetime,
    beyond_maximum,
    no_maximum,
    everyone_may,
    unused,
    never_used,
    unused_scopes,
    many_tokens,
    no_comment,
    expires_soon,
)
"""Every rule, the worst first."""


def _over(days: pd.Series[float], limit: float) -> pd.Series[float]:
    known = days.dropna()
    return known[known > limit]
