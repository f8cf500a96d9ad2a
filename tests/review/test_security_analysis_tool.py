"""The five rules of the Security Analysis Tool, on one shared set of cases: where it and the audit disagree, and why.

Its rules are SQL over the tokens of a workspace: ``datediff`` of days in UTC, and a number of rows from which a rule
fails. They are written down here in plain Python, over the documents of the wire.
"""

import datetime as dt
from pathlib import Path

import pytest

from tests.conftest import NOW
from tests.review.test_rules import ANN, DAY, FINE, LEFT, NEVER, NOW_MS, context, lives
from tokenkit import frames
from tokenkit.review import audit as audits
from tokenkit.review import handbook

CALLER = ANN
WORKSPACE = "the workspace"


def datediff(milliseconds):
    return (dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).date() - NOW.date()).days


def outliving(tokens, days):
    found = {each["token_id"] for each in tokens if each["expiry_time"] == -1 or datediff(each["expiry_time"]) > days}
    return found if len(found) > 1 else set()


def gov_2(tokens, _maximum, _acl):
    """About to expire; the caller's own tokens."""
    own = [each for each in tokens if each["owner_id"] == CALLER]
    return {each["token_id"] for each in own if each["expiry_time"] != -1 and datediff(each["expiry_time"]) <= 7}


def ia_4(tokens, _maximum, _acl):
    """No lifetime, or more than 90 days of it left; two or more."""
    return outliving(tokens, 90)


def ia_5(_tokens, maximum, _acl):
    """No maximum for new tokens."""
    return set() if maximum else {WORKSPACE}


def ia_6(tokens, maximum, _acl):
    """Lives longer than the maximum, by what is left; two or more."""
    if not maximum:
        return set()
    found = {
        each["token_id"] for each in tokens if each["expiry_time"] == -1 or datediff(each["expiry_time"]) > maximum
    }
    return found if len(found) > 1 else set()


def ia_8(_tokens, _maximum, acl):
    """The group users may create tokens."""
    return {WORKSPACE} if any(entry.startswith("group:users") for entry in acl) else set()


THEIRS = {"GOV-2": gov_2, "IA-4": ia_4, "IA-5": ia_5, "IA-6": ia_6, "IA-8": ia_8}

LAST_MINUTES = NOW_MS - NOW_MS % DAY + DAY - 60_000  # of today
CASES = {
    # name: (what differs from a fine token, a token each), the maximum, tokens enabled, the permissions
    "a fine token": ([{}], 365, True, ["group:analysts"]),
    "none": ([], 365, True, []),
    "none expires": ([NEVER, NEVER], 365, True, []),
    "one does not expire": ([NEVER, {}], 365, True, []),
    "made for long, long left": ([lives(400 * DAY, left=380 * DAY)] * 2, 365, True, []),
    "made for long, one of them": ([lives(400 * DAY, left=380 * DAY), {}], 365, True, []),
    "made for long, little left": ([lives(400 * DAY, left=20 * DAY)] * 2, 365, True, []),
    "within the maximum": ([lives(180 * DAY, left=170 * DAY)] * 2, 180, True, []),
    "on the 90 days": ([lives(90 * DAY, left=90 * DAY)] * 2, 90, True, []),
    "expires in a week": ([{"expiry_time": NOW_MS + 6 * DAY}], 365, True, []),
    "one of another's expires in a week": ([{"owner_id": LEFT, "expiry_time": NOW_MS + 6 * DAY}], 365, True, []),
    "expires at the end of the seventh day": ([{"expiry_time": LAST_MINUTES + 7 * DAY}], 365, True, []),
    "expires on the eighth day": ([{"expiry_time": LAST_MINUTES + 8 * DAY}], 365, True, []),
    "expired yesterday": ([{"expiry_time": NOW_MS - DAY}], 365, True, []),
    "no maximum": ([NEVER, NEVER], None, True, []),
    "no maximum, tokens disabled": ([], None, False, []),
    "everybody may": ([{}], 365, True, ["group:users", "group:analysts"]),
    "everybody may manage": ([{}], 365, True, ["group:users=CAN_MANAGE"]),
}
# Where they disagree, and which of handbook.DIFFERENCES it is.
DISAGREE = {
    ("IA-4", "one does not expire"): "one offender",
    ("IA-6", "one does not expire"): "one offender",
    ("IA-4", "made for long, one of them"): "one offender",
    ("IA-6", "made for long, one of them"): "one offender",
    ("IA-4", "made for long, little left"): "remaining lifetime",
    ("IA-6", "made for long, little left"): "remaining lifetime",
    ("GOV-2", "one of another's expires in a week"): "own tokens",
    ("GOV-2", "expires at the end of the seventh day"): "calendar days",
    ("GOV-2", "expired yesterday"): "expired",
    ("IA-5", "no maximum, tokens disabled"): "tokens disabled",
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("sat", THEIRS)
def test_the_audit_agrees_but_where_a_difference_is_listed(sat, name):
    changes, maximum, enabled, acl = CASES[name]
    tokens = [FINE | {"token_id": str(n)} | change for n, change in enumerate(changes)]
    listing = frames.frame(tokens, frames.TOKENS)
    known = context(maximum, enabled=enabled, acl=acl)
    ours = set(audits.audit(listing, known, rules=audits.chosen([sat])).findings["token_id"].fillna(WORKSPACE))
    theirs = THEIRS[sat](tokens, maximum, acl)
    assert (ours != theirs) == ((sat, name) in DISAGREE), (ours, theirs)


def test_every_rule_of_the_tool_agrees_on_a_finding():
    agreed = {"GOV-2": "expires in a week", "IA-4": "none expires", "IA-5": "no maximum", "IA-6": "none expires"}
    for sat, name in (agreed | {"IA-8": "everybody may"}).items():
        changes, maximum, _, acl = CASES[name]
        assert (sat, name) not in DISAGREE
        assert THEIRS[sat]([FINE | {"token_id": str(n)} | each for n, each in enumerate(changes)], maximum, acl)


def test_every_listed_difference_has_a_case_of_its_rule():
    assert set(DISAGREE.values()) == set(handbook.DIFFERENCES)
    assert all(sat in handbook.DIFFERENCES[which].sat for (sat, _), which in DISAGREE.items())


def test_the_page_about_the_rules_is_made_from_the_table():
    page = Path(__file__).parents[2] / "docs" / "audit-rules.md"
    assert page.read_text(encoding="utf-8") == handbook.page(), (
        "run: python -m tokenkit.review.handbook > docs/audit-rules.md"
    )
