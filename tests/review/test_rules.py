"""Each rule on the boundary of its threshold: one offender alone is found, and what is just fine is not."""

import pandas as pd
import pytest

from tests.acl import entry
from tests.conftest import NOW
from tokenkit import frames
from tokenkit.rest.settings import TokenSettings
from tokenkit.review import audit as audits
from tokenkit.review.access import Identities
from tokenkit.review.audit import EVERY_RULE
from tokenkit.review.rule import Context
from tokenkit.review.rules import RULES
from tokenkit.review.values import RULE_IDS, SEVERITIES

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
        permissions=frames.frame([entry(text) for text in acl], frames.PERMISSIONS),
        settings=TokenSettings(tokens_enabled=enabled, max_lifetime_days=maximum),
    )


def evidence(rule, *changes, known=None, **thresholds):
    """Return the findings of a rule for these tokens."""
    documents = [FINE | {"token_id": str(n)} | change for n, change in enumerate(changes)]
    documents = [{name: value for name, value in document.items() if value is not None} for document in documents]
    listing = frames.frame(documents, frames.TOKENS)
    audit = audits.audit(listing, known or context(), rules=audits.chosen([rule]), thresholds={rule: thresholds})
    return audit.findings


NEVER = {"expiry_time": -1}
MADE_BY_LEFT = {"created_by_id": LEFT, "created_by_username": "left@example.com"}
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
    ("inactive-owner", {}, None),
    ("inactive-owner", {"owner_id": LEFT}, "the owner is inactive"),
    ("inactive-owner", {"owner_id": GHOST}, "the owner was deleted"),
    ("inactive-owner", {"owner_id": CI}, None),
    ("inactive-owner", {"owner_id": None}, None),
    ("inactive-owner", {"owner_id": LEFT, **lives(DAY, left=0)}, None),
    ("inactive-creator", {"owner_id": PLAIN_CI, **MADE_BY_LEFT}, "its creator left@example.com is inactive"),
    (
        "inactive-creator",  # the API can have the owner's application id as the creator's name
        {"owner_id": PLAIN_CI, "created_by_id": LEFT, "created_by_username": "0b5c-4f"},
        "its creator left@example.com is inactive",
    ),
    ("inactive-creator", {"owner_id": PLAIN_CI, "created_by_id": GHOST}, f"its creator {GHOST} was deleted"),
    (
        "inactive-creator",
        {"owner_id": PLAIN_CI, "created_by_id": GHOST, "created_by_username": "ghost@example.com"},
        "its creator ghost@example.com was deleted",
    ),
    ("inactive-creator", {"owner_id": PLAIN_CI, "created_by_id": ANN}, None),
    ("inactive-creator", {"owner_id": PLAIN_CI, "created_by_id": PLAIN_CI}, None),
    ("inactive-creator", {"owner_id": PLAIN_CI, "created_by_id": None}, None),
    ("inactive-creator", {"owner_id": LEFT, **MADE_BY_LEFT}, None),  # inactive-owner says it
    ("inactive-creator", {"owner_id": GHOST, **MADE_BY_LEFT}, None),
    ("inactive-creator", {"owner_id": PLAIN_CI, **MADE_BY_LEFT, **lives(DAY, left=0)}, None),
    ("admin-service-principal", {"owner_id": CI}, "an admin through admins > platform"),
    ("admin-service-principal", {"owner_id": CI, "created_by_id": None}, "an admin through admins > platform"),
    ("admin-service-principal", {"owner_id": CI, "created_by_id": CI}, None),
    ("admin-service-principal", {"owner_id": PLAIN_CI}, None),
    ("admin-service-principal", {"owner_id": ANN, "created_by_id": LEFT}, None),
    ("broad-scope", {"scopes": ["sql", "all-apis"]}, "granted all-apis"),
    ("broad-scope", {"scopes": ["authentication"]}, "granted authentication"),
    ("broad-scope", {"scopes": ["authentication", "all-apis"]}, "granted all-apis, authentication"),
    ("broad-scope", {"scopes": ["all-apis-read"]}, None),
    ("broad-scope", {"scopes": []}, None),
    ("broad-scope", {"scopes": None}, None),
    ("no-expiry", NEVER, "no expiry, 20 days old"),
    ("no-expiry", {"expiry_time": None}, "no expiry, 20 days old"),
    ("no-expiry", {"expiry_time": 253_402_214_400_000}, None),
    ("no-expiry", {"expiry_time": NOW_MS + 1}, None),
    ("long-lifetime", lives(90 * DAY, left=1), None),
    ("long-lifetime", lives(90 * DAY, left=90 * DAY), None),
    ("long-lifetime", lives(90 * DAY + 1, left=1), "lifetime of 90 days, more than 90"),
    ("long-lifetime", lives(91 * DAY, left=90 * DAY), "lifetime of 91 days, more than 90"),
    ("long-lifetime", lives(int(90.5 * DAY), left=DAY), "lifetime of 90.5 days, more than 90"),
    ("long-lifetime", NEVER, None),
    ("long-lifetime", lives(91 * DAY, left=0), None),
    (
        "long-lifetime",
        {"expiry_time": 253_402_300_799_999, "creation_time": NOW_MS},
        "lifetime of 2912383.6 days, more than 90",
    ),
    ("long-lifetime", {"creation_time": None}, None),
    ("lifetime-over-maximum", lives(90 * DAY, left=1), None),
    ("lifetime-over-maximum", lives(90 * DAY + 1, left=1), "lifetime of 90 days, the maximum is 90"),
    ("lifetime-over-maximum", lives(365 * DAY, left=DAY), "lifetime of 365 days, the maximum is 90"),
    ("lifetime-over-maximum", NEVER, "never expires, the maximum is 90 days"),
    ("unused", {"last_used_day": MIDNIGHT - 59 * DAY, "creation_time": 0}, None),
    ("unused", {"last_used_day": MIDNIGHT - 60 * DAY, "creation_time": 0}, "unused for 60 days, revoked in 29 days"),
    ("unused", {"last_used_day": NOW_MS - 60 * DAY + 1, "creation_time": 0}, None),
    ("unused", {"last_used_day": NOW_MS - 60 * DAY, "creation_time": 0}, "unused for 60 days, revoked in 30 days"),
    ("unused", {"last_used_day": MIDNIGHT - 99 * DAY, "creation_time": 0}, "unused for 99 days, revoked in 0 days"),
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
    ("expires-soon", {"expiry_time": NOW_MS + 1}, "days remaining: 0, by expiry"),
    ("expires-soon", {"expiry_time": NOW_MS + 7 * DAY}, "days remaining: 7, by expiry"),
    (
        "expires-soon",
        {"last_used_day": MIDNIGHT - 85 * DAY, "creation_time": 0},
        "days remaining: 4, by 90 days of disuse",
    ),
    ("expires-soon", {"expiry_time": NOW_MS + 7 * DAY + 1}, None),
    ("expires-soon", NEVER, None),
]
WORKSPACES = [
    # rule, what is known of the workspace, the evidence or None
    ("no-maximum-lifetime", context(None), "maxTokenLifetimeDays is not set, so new tokens work for up to 730 days"),
    ("no-maximum-lifetime", context(1), None),
    ("no-maximum-lifetime", context(None, enabled=False), None),
    ("all-users-can-use", context(acl=["group:users"]), "the group users has CAN_USE"),
    ("all-users-can-use", context(acl=["group:users=CAN_MANAGE"]), "the group users has CAN_MANAGE"),
    ("all-users-can-use", context(acl=["group:analysts", "user:users"]), None),
    ("all-users-can-use", context(acl=["group:admins=CAN_MANAGE"]), None),
]


def test_the_rules_for_completion_are_the_rules():
    ids = [rule.id for rule in EVERY_RULE]
    assert list(RULE_IDS) == ids, "RULE_IDS in tokenkit/review/values.py: the same ids, in the same order"


def test_every_rule_has_a_case_with_and_without_a_finding():
    found = {rule for rule, _, evidence_text in [*CASES, *WORKSPACES] if evidence_text is not None}
    fine = {rule for rule, _, evidence_text in [*CASES, *WORKSPACES] if evidence_text is None}
    assert found | {"near-token-quota"} == fine | {"near-token-quota"} == {rule.id for rule in RULES}


@pytest.mark.parametrize(("rule", "change", "evidence_text"), CASES)
def test_a_token_has_a_finding_from_the_boundary_on(rule, change, evidence_text):
    found = evidence(rule, change)
    assert found["evidence"].tolist() == ([] if evidence_text is None else [evidence_text])
    assert found["token_id"].tolist() == ["0"] * len(found)


@pytest.mark.parametrize(("rule", "known", "evidence_text"), WORKSPACES)
def test_a_workspace_has_its_finding_with_and_without_tokens(rule, known, evidence_text):
    for tokens in ([], [{}], [{}, {}]):
        found = evidence(rule, *tokens, known=known)
        assert found["evidence"].tolist() == ([] if evidence_text is None else [evidence_text])
        assert found[["token_id", "owner"]].isna().all(axis=None)


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_no_rule_has_a_finding_for_a_fine_token_or_an_empty_listing(rule):
    assert len(evidence(rule, {})) == 0
    assert len(evidence(rule)) == 0


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/St_Johns"])
def test_the_findings_of_many_tokens_in_any_zone_are_those_of_single_tokens(zone):
    for rule in {rule for rule, _, _ in CASES}:
        changes = [(change, evidence_text) for name, change, evidence_text in CASES if name == rule]
        found = evidence(rule, *(change for change, _ in changes), known=context(now=NOW.tz_convert(zone)))
        expected = {str(n): evidence_text for n, (_, evidence_text) in enumerate(changes) if evidence_text is not None}
        assert dict(zip(found["token_id"], found["evidence"], strict=True)) == expected


@pytest.mark.parametrize(
    ("count", "evidence_text"), [(479, None), (480, "480 tokens of 600"), (481, "481 tokens of 600")]
)
def test_an_owner_near_the_quota_is_one_finding_about_the_owner(count, evidence_text):
    others = [{"owner_id": LEFT}, {"owner_id": None}, {"owner_id": ANN, **lives(DAY, left=0)}]
    found = evidence("near-token-quota", *[{}] * count, *others)
    assert found["evidence"].tolist() == ([] if evidence_text is None else [evidence_text])
    assert found["owner"].tolist() == ["ann@example.com"] * len(found)
    assert found["token_id"].isna().all()


def test_without_a_maximum_no_lifetime_exceeds_it():
    assert len(evidence("lifetime-over-maximum", NEVER, lives(700 * DAY, left=DAY), known=context(None))) == 0


@pytest.mark.parametrize(
    ("rule", "threshold", "at", "below", "change"),
    [
        ("broad-scope", "scopes", ("sql",), ("files",), {}),
        ("long-lifetime", "max_days", 79.9, 80, {}),
        ("unused", "idle_days", 0, 1, {}),
        ("never-used", "age_days", 20, 20.1, UNUSED),
        ("near-token-quota", "at_least", 1, 2, {}),
        ("no-comment", "shortest", 35, 34, {"comment": "nightly export of the sales tables"}),
        ("no-comment", "words", ("ci",), ("cd",), {"comment": "CI 3"}),
        ("expires-soon", "within_days", 60, 59.9, {}),
    ],
)
def test_every_threshold_can_be_set(rule, threshold, at, below, change):
    assert len(evidence(rule, change, **{threshold: at})) == 1
    assert len(evidence(rule, change, **{threshold: below})) == 0


def test_every_threshold_is_set_in_a_case_and_has_a_reason_for_its_default():
    cases = test_every_threshold_can_be_set.pytestmark[0].args[1]
    assert {(rule, name) for rule, name, *_ in cases} == {(rule.id, name) for rule in RULES for name in rule.thresholds}
    assert all(threshold.why for rule in RULES for threshold in rule.thresholds.values())


def test_every_rule_has_a_title_a_reason_and_a_remedy():
    assert all(rule.title and rule.why.endswith(".") and rule.remedy.endswith(".") for rule in RULES)
    assert all(rule.severity in SEVERITIES for rule in RULES)
    assert [SEVERITIES.index(rule.severity) for rule in RULES] == sorted(SEVERITIES.index(r.severity) for r in RULES)


def test_a_rule_is_still_the_function_that_it_was_made_of():
    unused = next(rule for rule in RULES if rule.id == "unused")
    tokens = pd.DataFrame({"idle_days": [70.0, 1.0], "last_used_day": pd.to_datetime(["2026-01-01"] * 2, utc=True)})
    assert unused(tokens, context()).to_dict() == {0: "unused for 70 days, revoked in 20 days"}
    assert unused(tokens, context(), idle_days=71).to_dict() == {}
