"""Findings that somebody decided to live with: read from a file, until a day, and never by a slip."""

import datetime as dt

import pandas as pd
import pytest

from tests.review.test_rules import ANN, CI, FINE, LEFT, NEVER, context, evidence
from tokenkit import errors, frames
from tokenkit.review import acceptances
from tokenkit.review import audit as audits

ENTRY = 'rule = "no-expiry"\nowner = "ann@*"\nreason = "migration"\nuntil = 2026-03-01\n'
LISTING = [
    FINE | NEVER | {"token_id": "a1", "owner_id": ANN},
    FINE | NEVER | {"token_id": "b1", "owner_id": LEFT},
    FINE | NEVER | {"token_id": "a2", "owner_id": CI},
]


@pytest.fixture
def write(tmp_path):
    def write(*entries, head="[[accept]]\n"):
        path = tmp_path / "accepted.toml"
        path.write_text("\n".join(f"{head}{entry}" for entry in entries), encoding="utf-8")
        return path

    return write


def audited(path, *, known=None, rules=("no-expiry",)):
    listing = frames.frame(LISTING, frames.TOKENS)
    return audits.audit(listing, known or context(None), rules=audits.chosen(rules), accept=path)


def test_what_is_accepted_does_not_count_and_stands_apart_with_reason_and_end(write):
    audit = audited(write(ENTRY))
    assert audit.findings["token_id"].tolist() == ["b1", "a2"]
    assert audit.accepted["token_id"].tolist() == ["a1"]
    assert audit.accepted[["reason", "until"]].iloc[0].tolist() == ["migration", pd.Timestamp("2026-03-01", tz="UTC")]
    assert audit.summary[["findings", "accepted"]].iloc[0].tolist() == [2, 1]
    assert audit.notes == ()


@pytest.mark.parametrize(
    ("which", "accepted"),
    [
        ('token_id = "a1"', ["a1"]),
        ('token_id = "a?"', ["a1", "a2"]),
        ('token_id = "a"', []),
        ('owner = "*@example.com"', ["a1", "b1"]),
        ('owner = "*"', ["a1", "b1", "a2"]),
        ('owner = "CI"', ["a2"]),
        ('token_id = "a*"\nowner = "*@example.com"', ["a1"]),
        ("", []),
    ],
)
def test_an_acceptance_is_of_tokens_by_id_and_owner_and_never_of_all_by_a_slip(write, which, accepted):
    audit = audited(write(ENTRY.replace('owner = "ann@*"', which)))
    assert audit.accepted["token_id"].tolist() == accepted


def test_an_acceptance_of_one_rule_is_not_one_of_another(write):
    audit = audited(write(ENTRY.replace("no-expiry", "unused")), rules=["no-expiry", "unused"])
    assert len(audit.accepted) == 0


def test_an_acceptance_without_token_and_owner_is_about_the_workspace(write):
    audit = audited(write('rule = "no-maximum"\nreason = "next week"\nuntil = 2026-03-08\n'), rules=["no-maximum"])
    assert audit.findings.empty
    assert audit.accepted["rule"].tolist() == ["no-maximum"]


@pytest.mark.parametrize(
    ("now", "accepted"),
    [
        ("2026-03-01 23:59:59.999+00:00", True),
        ("2026-03-02 00:00:00+00:00", False),
        ("2026-03-02 05:00:00+05:30", True),
        ("2026-03-01 21:00:00-03:30", False),
    ],
)
def test_an_acceptance_holds_to_the_end_of_its_last_day_in_utc_and_then_says_that_it_is_over(write, now, accepted):
    audit = audited(write(ENTRY), known=context(None, now=pd.Timestamp(now)))
    assert len(audit.accepted) == accepted
    expected = "Expired on 2026-03-01: the acceptance of no-expiry for owner ann@*. 1 finding counts again."
    assert audit.notes == (() if accepted else (expected,))


def test_one_that_expired_without_a_finding_is_not_spoken_of_and_a_later_one_takes_over(write):
    over = ENTRY.replace("2026-03-01", "2026-02-01")
    assert audited(write(over.replace("ann@", "nobody@"))).notes == ()
    audit = audited(write(ENTRY.replace("migration", "renewed"), over))
    assert audit.accepted["reason"].tolist() == ["renewed"]
    assert audit.notes == ()


def test_an_acceptance_of_a_rule_that_is_not_there_is_spoken_of(write):
    audit = audited(write(ENTRY.replace("no-expiry", "no-expiri")))
    assert audit.notes == ("The acceptance of no-expiri for owner ann@* names no rule. Did you mean no-expiry?",)
    assert len(audit.findings) == 3
    assert audited(write(ENTRY.replace("no-expiry", "unused"))).notes == ()  # a rule, though none of this audit's


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rule = ", "cannot be read, so nobody knows what it accepts"),
        (ENTRY.replace("reason", "reson"), "entry 1 has 'reson'. Did you mean reason?"),
        (ENTRY.replace('reason = "migration"\n', ""), "entry 1 has no reason"),
        (ENTRY.replace("until = 2026-03-01\n", ""), "entry 1 has no until"),
        (ENTRY.replace('rule = "no-expiry"\n', ""), "entry 1 has no rule"),
        (ENTRY.replace("2026-03-01", '"2026-03-01"'), "until must be a day without quotes, as in until = 2026-06-30"),
        (ENTRY.replace("2026-03-01", "2026-03-01T10:00:00Z"), "until must be a day"),
        (ENTRY.replace("2026-03-01", "2026-02-30"), "cannot be read"),
        (ENTRY.replace('"migration"', '" "'), "reason must be a text"),
        (ENTRY.replace('"ann@*"', "7"), "owner must be a text"),
        (ENTRY.replace('"ann@*"', '""'), "owner must be a text"),
    ],
)
def test_what_is_malformed_is_refused_with_the_entry_and_what_to_do(write, text, words):
    with pytest.raises(errors.ConfigurationError, match=words) as caught:
        acceptances.read(write(text))
    assert "accepted.toml" in str(caught.value)


@pytest.mark.parametrize("head", ["[accept]\n", "[[acept]]\n", "accept = [1]\n[x]\n"])
def test_a_file_of_another_form_is_refused(write, head):
    with pytest.raises(errors.ConfigurationError, match=r"must hold tables \[\[accept\]\]"):
        acceptances.read(write(ENTRY, head=head))


def test_an_entry_that_is_no_table_a_file_that_is_not_there_and_one_that_is_no_text_are_refused(tmp_path):
    path = tmp_path / "accepted.toml"
    with pytest.raises(errors.ConfigurationError, match="cannot be read"):
        acceptances.read(path)
    path.write_text("accept = [1]\n")
    with pytest.raises(errors.ConfigurationError, match="entry 1 is no table"):
        acceptances.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(errors.ConfigurationError, match="cannot be read"):
        acceptances.read(path)
    path.write_text("")
    assert acceptances.read(path) == ()


def test_an_acceptance_in_python_is_the_same_as_one_in_a_file(write):
    [read] = acceptances.read(write(ENTRY))
    made = acceptances.Acceptance(rule="no-expiry", owner="ann@*", reason="migration", until=dt.date(2026, 3, 1))
    assert read == made
    assert len(evidence("no-expiry", NEVER)) == 1
