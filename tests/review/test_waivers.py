"""Waivers are read from a file, apply until a date, and never apply by mistake."""

import datetime as dt

import pandas as pd
import pytest

from tests.review.test_rules import ANN, CI, FINE, LEFT, NEVER, context, evidence
from tokenkit import errors, frames
from tokenkit.review import audit as audits
from tokenkit.review import waivers

ENTRY = 'rule = "no-expiry"\nowner = "ann@*"\nreason = "migration"\nexpires = 2026-03-01\n'
LISTING = [
    FINE | NEVER | {"token_id": "a1", "owner_id": ANN},
    FINE | NEVER | {"token_id": "b1", "owner_id": LEFT},
    FINE | NEVER | {"token_id": "a2", "owner_id": CI},
]


@pytest.fixture
def write(tmp_path):
    def write(*entries, head="[[waiver]]\n"):
        path = tmp_path / "waivers.toml"
        path.write_text("\n".join(f"{head}{entry}" for entry in entries), encoding="utf-8")
        return path

    return write


def audited(path, *, known=None, rules=("no-expiry",)):
    listing = frames.frame(LISTING, frames.TOKENS)
    return audits.audit(listing, known or context(None), rules=audits.chosen(rules), waivers=path)


def test_waived_findings_do_not_count_and_are_listed_with_reason_and_expiry(write):
    audit = audited(write(ENTRY))
    assert audit.findings["token_id"].tolist() == ["b1", "a2"]
    assert audit.waived["token_id"].tolist() == ["a1"]
    assert audit.waived[["reason", "expires"]].iloc[0].tolist() == ["migration", pd.Timestamp("2026-03-01", tz="UTC")]
    assert audit.summary[["findings", "waived"]].iloc[0].tolist() == [2, 1]
    assert audit.notes == ()
    for frame in (audit.findings, audit.waived):
        assert frame.index.tolist() == list(range(len(frame)))
    without = audited(write(ENTRY.replace("ann@*", "nobody"))).waived
    assert len(without) == 0
    pd.testing.assert_series_equal(audit.waived.dtypes, without.dtypes)
    assert str(without["expires"].dtype) == "datetime64[ms, UTC]"


@pytest.mark.parametrize(
    ("which", "waived"),
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
def test_a_waiver_applies_by_token_id_and_owner_and_never_to_all_by_mistake(write, which, waived):
    audit = audited(write(ENTRY.replace('owner = "ann@*"', which)))
    assert audit.waived["token_id"].tolist() == waived


def test_a_waiver_of_one_rule_does_not_apply_to_another(write):
    audit = audited(write(ENTRY.replace("no-expiry", "unused")), rules=["no-expiry", "unused"])
    assert len(audit.waived) == 0


def test_a_waiver_without_token_and_owner_applies_to_the_workspace(write):
    audit = audited(
        write('rule = "no-maximum-lifetime"\nreason = "next week"\nexpires = 2026-03-08\n'),
        rules=["no-maximum-lifetime"],
    )
    assert audit.findings.empty
    assert audit.waived["rule"].tolist() == ["no-maximum-lifetime"]


@pytest.mark.parametrize(
    ("now", "waived"),
    [
        ("2026-03-01 23:59:59.999+00:00", True),
        ("2026-03-02 00:00:00+00:00", False),
        ("2026-03-02 05:00:00+05:30", True),
        ("2026-03-01 21:00:00-03:30", False),
    ],
)
def test_a_waiver_applies_until_the_end_of_its_last_day_in_utc_and_then_a_note_says_so(write, now, waived):
    audit = audited(write(ENTRY), known=context(None, now=pd.Timestamp(now)))
    assert len(audit.waived) == waived
    expected = "Expired on 2026-03-01: the waiver of no-expiry for owner ann@*. 1 finding counts again."
    assert audit.notes == (() if waived else (expected,))


def test_an_expired_waiver_without_findings_has_no_note_and_a_later_one_applies(write):
    over = ENTRY.replace("2026-03-01", "2026-02-01")
    (note,) = audited(write(over.replace("ann@", "nobody@"))).notes
    assert note.startswith("No finding matches the waiver")
    audit = audited(write(ENTRY.replace("migration", "renewed"), over))
    assert audit.waived["reason"].tolist() == ["renewed"]
    assert audit.notes == ()


def test_a_waiver_of_an_unknown_rule_has_a_note(write):
    audit = audited(write(ENTRY.replace("no-expiry", "no-expiri")))
    assert audit.notes == ("The waiver of no-expiri for owner ann@* matches no rule. Did you mean no-expiry?",)
    assert len(audit.findings) == 3
    assert audited(write(ENTRY.replace("no-expiry", "unused"))).notes == ()  # a known rule that this audit does not run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule = ", "Cannot read the waivers"),
        (ENTRY.replace("reason", "reson"), "entry 1: unknown field 'reson'. Did you mean reason\\?"),
        (ENTRY.replace('reason = "migration"\n', ""), "entry 1: missing reason"),
        (ENTRY.replace("expires = 2026-03-01\n", ""), "entry 1: missing expires"),
        (ENTRY.replace('rule = "no-expiry"\n', ""), "entry 1: missing rule"),
        (
            ENTRY.replace("2026-03-01", '"2026-03-01"'),
            "expires must be a date without quotes, as in expires = 2026-06-30",
        ),
        (ENTRY.replace("2026-03-01", "2026-03-01T10:00:00Z"), "expires must be a date"),
        (ENTRY.replace("2026-03-01", "2026-02-30"), "Cannot read"),
        (ENTRY.replace('"migration"', '" "'), "reason must be a non-empty text"),
        (ENTRY.replace('"ann@*"', "7"), "owner must be a non-empty text"),
        (ENTRY.replace('"ann@*"', '""'), "owner must be a non-empty text"),
    ],
)
def test_an_invalid_entry_is_an_error_that_names_it_and_the_next_step(write, text, message):
    with pytest.raises(errors.ConfigurationError, match=message) as caught:
        waivers.read_waivers(write(text))
    assert "waivers.toml" in str(caught.value)


@pytest.mark.parametrize("head", ["[waivers]\n", "[[waver]]\n", "waiver = [1]\n[x]\n"])
def test_a_file_of_another_form_is_an_error(write, head):
    with pytest.raises(errors.ConfigurationError, match=r"must contain \[\[waiver\]\] tables"):
        waivers.read_waivers(write(ENTRY, head=head))


def test_an_entry_that_is_not_a_table_a_missing_file_and_a_binary_file_are_errors(tmp_path):
    path = tmp_path / "waivers.toml"
    with pytest.raises(errors.ConfigurationError, match="Cannot read"):
        waivers.read_waivers(path)
    path.write_text("waiver = [1]\n")
    with pytest.raises(errors.ConfigurationError, match="entry 1 is not a table"):
        waivers.read_waivers(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(errors.ConfigurationError, match="Cannot read"):
        waivers.read_waivers(path)
    path.write_text("")
    assert waivers.read_waivers(path) == ()


def test_a_waiver_in_python_equals_one_in_a_file(write):
    [read] = waivers.read_waivers(write(ENTRY))
    made = waivers.Waiver(rule="no-expiry", owner="ann@*", reason="migration", expires=dt.date(2026, 3, 1))
    assert read == made
    assert len(evidence("no-expiry", NEVER)) == 1
