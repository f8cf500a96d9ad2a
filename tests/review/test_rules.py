"""Each rule on the boundary of its threshold: one offender alone is found, and what is just fine is not."""

import pandas as pd
import pytest

from tests.conftest import NOW
from tokenkit import frames
from tokenkit.rest.settings import TokenSettings
from tokenkit.review import audit as audits
from tokenkit.review.access import Identities, entry_of
from tokenkit.review.rule import SEVERITIES, Context
from tokenkit.review.rules import RULES

NOW_MS = int(NOW.timestamp() * 1000)
DAY = 86_400_000
MIDNIGHT = NOW_MS - NOW_MS % DAY
ANN, LEFT, CI, GHOST, PLAIN_CI = 2**53 + 1, 2**53 + 3, 2**53 + 5, 2**53 + 7, 2**53 + 9
IDENTITIES = Identities(
    users=frames.frame(
        [{"id": ANN, "user_name": "ann@example.com"}, {"id": LEFT, "user_name": "left@example.com", "active": False}],
        frames.USERS,
    ),
    service_principals=frames.frame(
        [{"id": CI, "display_name": "ci", "active": True}, {"id": PLAIN_CI, "display_name": "plain", "active": True}],
        frames.SERVICE_PRINCIPALS,
    ),
    groups=frames.frame(
        [
            {"id": 1, "display_name": "admins", "members": [2, ANN]},
            {"id": 2, "display_name": "platform", "members": [CI]},
            {"id": 3, "display_name": "users", "members": [ANN, CI, PLAIN_CI]},
        ],
        frames.GROUPS,
    ),
)
# A token that no rule minds: used today, short-lived, of somebody who is there, with a comment that says something.
FINE = {
    "token_id": "t1",
    "comment": "nightly export of the sales tables",
    "created_by_id": ANN,
    "owner_id": ANN,
    "creation_time": NOW_MS - 20 * DAY,
    "expiry_time": NOW_MS + 60 * DAY,
    "last_used_day": MIDNIGHT,
    "scopes": ["sql", "jobs"],
    "autoscope_state": "AUTOSCOPE_STATE_COMPLETED",
    "inferred_scopes": ["sql", "jobs"],
}


def lives(total, *, left):
    """Times of a token by its total lifetime and what is left of it, in ms."""
    return {"creation_time": NOW_MS + left - total, "expiry_time": NOW_MS + left}


def context(maximum=90, *, enabled=True, acl=("group:admins=CAN_MANAGE",), now=NOW):
    return Context(
        now=now,
        identities=IDENTITIES,
        permissions=frames.frame([entry_of(text) for text in acl], frames.PERMISSIONS),
        settings=TokenSettings(tokens_enabled=enabled, max_lifetime_days=maximum),
    )


def evidence(rule, *changes, known=None, **thresholds):
    """What a rule says of each of these tokens, None where nothing."""
    documents = [FINE | {"token_id": str(n)} | change for n, change in enumerate(changes)]
    documents = [{name: value for name, value in each.items() if value is not None} for each in documents]
    listing = frames.frame(documents, frames.TOKENS)
    audit = audits.audit(listing, known or context(), rules=audits.chosen([rule]), thresholds={rule: thresholds})
    return audit.findings


NEVER = {"expiry_time": -1}
UNUSED = {"last_used_day": None}
CASES = [
    # rule, what differs from a fine token, the evidence or None
    ("secret-in-comment", {"comment": "key dapi" + "0" * 15}, None),
    ("secret-in-comment", {"comment": "key dapi" + "0" * 16}, "comment: key [redacted]"),
    ("secret-in-comment", {"comment": "aws AKIA" + "0A" * 8}, "comment: aws [redacted]"),
    ("secret-in-comment", {"comment": "rotate the password"}, None),
    ("secret-in-comment", {"comment": None}, None),
    ("secret-in-comment", {"comment": "x" * 90 + " dapi" + "0" * 32}, "comment: " + "x" * 80),
    ("secret-in-comment", {"comment": "dapi" + "0" * 32, **lives(DAY, left=-1)}, "comment: [redacted]"),
    ("owner-gone", {}, None),
    ("owner-gone", {"owner_id": LEFT}, "the owner is inactive"),
    ("owner-gone", {"owner_id": GHOST}, "the owner was deleted"),
    ("owner-gone", {"owner_id": CI}, None),
    ("owner-gone", {"owner_id": None}, None),
    ("owner-gone", {"owner_id": LEFT, **lives(DAY, left=0)}, None),
    ("admin-program", {"owner_id": CI}, "an admin by way of admins > platform"),
    ("admin-program", {"owner_id": CI, "created_by_id": None}, "an admin by way of admins > platform"),
    ("admin-program", {"owner_id": CI, "created_by_id": CI}, None),
    ("admin-program", {"owner_id": PLAIN_CI}, None),
    ("admin-program", {"owner_id": ANN, "created_by_id": LEFT}, None),
    ("wide-scope", {"scopes": ["sql", "all-apis"]}, "granted all-apis"),
    ("wide-scope", {"scopes": ["authentication"]}, "granted authentication"),
    ("wide-scope", {"scopes": ["authentication", "all-apis"]}, "granted all-apis, authentication"),
    ("wide-scope", {"scopes": ["all-apis-read"]}, None),
    ("wide-scope", {"scopes": []}, None),
    ("wide-scope", {"scopes": None}, None),
    ("no-expiry", NEVER, "no expiry, 20 days old"),
    ("no-expiry", {"expiry_time": None}, "no expiry, 20 days old"),
    ("no-expiry", {"expiry_time": 253_402_214_400_000}, None),
    ("no-expiry", {"expiry_time": NOW_MS + 1}, None),
    ("long-lifetime", lives(90 * DAY, left=1), None),
    ("long-lifetime", lives(90 * DAY, left=90 * DAY), None),
    ("long-lifetime", lives(90 * DAY + 1, left=1), "lives 90 days, more than 90"),
    ("long-lifetime", lives(91 * DAY, left=90 * DAY), "lives 91 days, more than 90"),
    ("long-lifetime", lives(int(90.5 * DAY), left=DAY), "lives 90.5 days, more than 90"),
    ("long-lifetime", NEVER, None),
    ("long-lifetime", lives(91 * DAY, left=0), None),
    (
        "long-lifetime",
        {"expiry_time": 253_402_300_799_999, "creation_time": NOW_MS},
        "lives 2912383.6 days, more than 90",
    ),
    ("long-lifetime", {"creation_time": None}, None),
    ("beyond-maximum", lives(90 * DAY, left=1), None),
    ("beyond-maximum", lives(90 * DAY + 1, left=1), "lives 90 days, the maximum is 90"),
    ("beyond-maximum", lives(365 * DAY, left=DAY), "lives 365 days, the maximum is 90"),
    ("beyond-maximum", NEVER, "never expires, the maximum is 90 days"),
    ("unused", {"last_used_day": MIDNIGHT - 59 * DAY, "creation_time": 0}, None),
    ("unused", {"last_used_day": MIDNIGHT - 60 * DAY, "creation_time": 0}, "unused for 60 days, revoked in 29"),
    ("unused", {"last_used_day": NOW_MS - 60 * DAY + 1, "creation_time": 0}, None),
    ("unused", {"last_used_day": NOW_MS - 60 * DAY, "creation_time": 0}, "unused for 60 days, revoked in 30"),
    ("unused", {"last_used_day": MIDNIGHT - 99 * DAY, "creation_time": 0}, "unused for 99 days, revoked in 0"),
    ("unused", {**UNUSED, "creation_time": 0}, None),
    ("never-used", {**UNUSED, "creation_time": NOW_MS - 30 * DAY + 1}, None),
    ("never-used", {**UNUSED, "creation_time": NOW_MS - 30 * DAY}, "never used in 30 days"),
    ("never-used", {"last_used_day": 0, "creation_time": NOW_MS - 31 * DAY}, "never used in 31 days"),
    ("never-used", {"last_used_day": MIDNIGHT - 99 * DAY, "creation_time": 0}, None),
    ("never-used", {**UNUSED, "creation_time": None}, None),
    ("unused-scopes", {}, None),
    ("unused-scopes", {"inferred_scopes": ["jobs"]}, "1 of 2 never used: sql"),
    ("unused-scopes", {"inferred_scopes": []}, "2 of 2 never used: jobs, sql"),
    ("unused-scopes", {"inferred_scopes": None, "backfill_scopes": ["sql", "files"]}, "1 of 2 never used: jobs"),
    ("unused-scopes", {"inferred_scopes": ["jobs"], "backfill_scopes": ["sql"]}, None),
    ("unused-scopes", {"inferred_scopes": ["jobs"], "autoscope_state": "AUTOSCOPE_STATE_RUNNING"}, None),
    ("unused-scopes", {"inferred_scopes": ["jobs"], "autoscope_state": None}, None),
    ("unused-scopes", {"scopes": None}, None),
    ("unused-scopes", {"scopes": ["all-apis"], "inferred_scopes": ["sql"]}, "1 of 1 never used: all-apis"),
    ("no-comment", {"comment": None}, "no comment"),
    ("no-comment", {"comment": ""}, "no comment"),
    ("no-comment", {"comment": "x"}, "comment: x"),
    ("no-comment", {"comment": "CI"}, None),
    ("no-comment", {"comment": "7"}, "comment: 7"),
    ("no-comment", {"comment": " - "}, "comment:  - "),
    ("no-comment", {"comment": "Test 2"}, "comment: Test 2"),
    ("no-comment", {"comment": "My Token!"}, "comment: My Token!"),
    ("no-comment", {"comment": "N/A"}, "comment: N/A"),
    ("no-comment", {"comment": "test of the sales job"}, None),
    ("no-comment", {"comment": "データ連携"}, None),
    ("no-comment", {"comment": "🔑🔥"}, "comment: 🔑🔥"),
    ("expires-soon", {"expiry_time": NOW_MS}, None),
    ("expires-soon", {"expiry_time": NOW_MS + 1}, "days left: 0, by expiry"),
    ("expires-soon", {"expiry_time": NOW_MS + 7 * DAY}, "days left: 7, by expiry"),
    ("expires-soon", {"last_used_day": MIDNIGHT - 85 * DAY, "creation_time": 0}, "days left: 4, by 90 days of disuse"),
    ("expires-soon", {"expiry_time": NOW_MS + 7 * DAY + 1}, None),
    ("expires-soon", NEVER, None),
]
WORKSPACES = [
    # rule, what is known of the workspace, the evidence or None
    ("no-maximum", context(None), "maxTokenLifetimeDays is not set, so new tokens live up to 730 days"),
    ("no-maximum", context(1), None),
    ("no-maximum", context(None, enabled=False), None),
    ("everyone-may", context(acl=["group:users"]), "the group users has CAN_USE"),
    ("everyone-may", context(acl=["group:users=CAN_MANAGE"]), "the group users has CAN_MANAGE"),
    ("everyone-may", context(acl=["group:analysts", "user:users"]), None),
    ("everyone-may", context(acl=["group:admins=CAN_MANAGE"]), None),
]


def test_every_rule_stands_in_the_cases_as_found_and_as_fine():
    found = {rule for rule, _, said in [*CASES, *WORKSPACES] if said is not None}
    fine = {rule for rule, _, said in [*CASES, *WORKSPACES] if said is None}
    assert found | {"many-tokens"} == fine | {"many-tokens"} == {rule.id for rule in RULES}


@pytest.mark.parametrize(("rule", "change", "said"), CASES)
def test_one_token_alone_is_found_on_the_boundary_and_not_before_it(rule, change, said):
    found = evidence(rule, change)
    assert found["evidence"].tolist() == ([] if said is None else [said])
    assert found["token_id"].tolist() == ["0"] * len(found)


@pytest.mark.parametrize(("rule", "known", "said"), WORKSPACES)
def test_a_workspace_is_found_whether_it_has_tokens_or_none(rule, known, said):
    for tokens in ([], [{}], [{}, {}]):
        found = evidence(rule, *tokens, known=known)
        assert found["evidence"].tolist() == ([] if said is None else [said])
        assert found[["token_id", "owner"]].isna().all(axis=None)


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_a_token_that_is_fine_is_fine_for_every_rule_and_so_is_none_at_all(rule):
    assert len(evidence(rule, {})) == 0
    assert len(evidence(rule)) == 0


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_together_and_in_any_zone_each_token_is_found_as_it_is_alone(zone):
    for rule in {rule for rule, _, _ in CASES}:
        changes = [(change, said) for each, change, said in CASES if each == rule]
        found = evidence(rule, *(change for change, _ in changes), known=context(now=NOW.tz_convert(zone)))
        expected = {str(n): said for n, (_, said) in enumerate(changes) if said is not None}
        assert dict(zip(found["token_id"], found["evidence"], strict=True)) == expected


@pytest.mark.parametrize(("count", "said"), [(479, None), (480, "480 tokens of 600"), (481, "481 tokens of 600")])
def test_an_owner_near_the_quota_is_one_finding_about_the_owner(count, said):
    others = [{"owner_id": LEFT}, {"owner_id": None}, {"owner_id": ANN, **lives(DAY, left=0)}]
    found = evidence("many-tokens", *[{}] * count, *others)
    assert found["evidence"].tolist() == ([] if said is None else [said])
    assert found["owner"].tolist() == ["ann@example.com"] * len(found)
    assert found["token_id"].isna().all()


def test_there_is_nothing_beyond_a_maximum_that_is_not_set():
    assert len(evidence("beyond-maximum", NEVER, lives(700 * DAY, left=DAY), known=context(None))) == 0


@pytest.mark.parametrize(
    ("rule", "threshold", "at", "below", "change"),
    [
        ("wide-scope", "scopes", ("sql",), ("files",), {}),
        ("long-lifetime", "max_days", 79.9, 80, {}),
        ("unused", "idle_days", 0, 1, {}),
        ("never-used", "age_days", 20, 20.1, UNUSED),
        ("many-tokens", "at_least", 1, 2, {}),
        ("no-comment", "shortest", 35, 34, {"comment": "nightly export of the sales tables"}),
        ("no-comment", "words", ("ci",), ("cd",), {"comment": "CI 3"}),
        ("expires-soon", "within_days", 60, 59.9, {}),
    ],
)
def test_every_threshold_can_be_set(rule, threshold, at, below, change):
    assert len(evidence(rule, change, **{threshold: at})) == 1
    assert len(evidence(rule, change, **{threshold: below})) == 0


def test_every_threshold_is_set_in_a_case_and_says_why_it_is_what_it_is():
    cases = test_every_threshold_can_be_set.pytestmark[0].args[1]
    assert {(rule, name) for rule, name, *_ in cases} == {(rule.id, name) for rule in RULES for name in rule.thresholds}
    assert all(threshold.why for rule in RULES for threshold in rule.thresholds.values())


def test_every_rule_says_what_is_wrong_why_it_matters_and_what_to_do():
    assert all(rule.title and rule.why.endswith(".") and rule.remedy.endswith(".") for rule in RULES)
    assert all(rule.severity in SEVERITIES for rule in RULES)
    assert [SEVERITIES.index(rule.severity) for rule in RULES] == sorted(SEVERITIES.index(r.severity) for r in RULES)


def test_a_rule_is_still_the_function_that_it_was_made_of():
    unused = next(rule for rule in RULES if rule.id == "unused")
    tokens = pd.DataFrame({"idle_days": [70.0, 1.0], "last_used_day": pd.to_datetime(["2026-01-01"] * 2, utc=True)})
    assert unused(tokens, context()).to_dict() == {0: "unused for 70 days, revoked in 20"}
    assert unused(tokens, context(), idle_days=71).to_dict() == {}
