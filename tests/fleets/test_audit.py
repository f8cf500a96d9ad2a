"""One audit of several workspaces."""

import datetime as dt

import pandas as pd
import pytest

import tokenkit
from tests.fleets.examples import hands
from tokenkit import frames
from tokenkit.fleets import audit as fleet_audit
from tokenkit.review.waivers import Waiver


def test_an_audit_finds_what_the_workspaces_audits_find(companies, fleet):
    audit = fleet.audit()
    each = {workspace.host: workspace.audit() for workspace in hands(companies)}
    for host, one in each.items():
        found = audit.findings[audit.findings["workspace"] == host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(found, one.findings)
    counts = sum(one.summary.set_index("rule")["findings"] for one in each.values())
    pd.testing.assert_series_equal(audit.summary.set_index("rule")["findings"], counts)
    assert audit.findings["severity"].drop_duplicates().tolist() == ["high", "medium", "low"]
    assert len(audit.tokens) == 4 * 80
    assert "4 workspaces" in repr(audit)
    assert "workspaces" in audit._repr_html_()
    assert audit.waived.columns[0] == "workspace"


def test_what_an_audit_found_is_revoked_where_it_was_found(fleet):
    audit = fleet.audit(["unused"], thresholds={"unused": {"idle_days": 30}})
    plan = audit.revoke(rule="unused", include_own=True)
    found = set(audit.findings[["workspace", "token_id"]].itertuples(index=False, name=None))
    assert set(plan.preview()[["workspace", "token_id"]].itertuples(index=False, name=None)) == found
    assert len(plan.plans) == 4


def test_an_audit_accepts_iterators(fleet):
    whole, named = fleet.audit(["unused"]), fleet.audit(iter(["unused"]))
    assert len(named.findings) == len(whole.findings) > 0
    with pytest.raises(tokenkit.UsageError, match="unusd"):
        fleet.audit(["unusd"])


def test_a_waiver_is_named_if_it_matches_in_no_workspace(fleet):
    findings = fleet.audit(["no-expiry"]).findings
    one = findings["token_id"].iloc[0]
    waivers = [
        Waiver(rule="no-expiry", token_id=token_id, reason="x", expires=dt.date(2027, 1, 1)) for token_id in (one, "ab")
    ]
    audit = fleet.audit(["no-expiry"], waivers=waivers)
    assert [note for note in audit.notes if "matches" in note] == [
        "No finding matches the waiver of no-expiry for token_id ab. Remove it from the waivers, or correct it."
    ]
    assert len(audit.waived) == 1


def test_tokens_without_scopes_are_counted_over_all_workspaces(fleet):
    count = len(fleet.tokens("scopes.isna()", status="active"))
    assert [note for note in fleet.audit().notes if "without scopes" in note] == [
        f"broad-scope leaves out {count} active tokens without scopes, which can mean all APIs. They match "
        'where="scopes.isna()", status="active".'
    ]
    assert not [note for note in fleet.audit(["unused"]).notes if "without scopes" in note]


def test_a_rule_that_a_workspace_could_not_check_says_in_how_many():
    summary = pd.DataFrame({"rule": ["a", "b"], "findings": [1, 2], "waived": [0, 0], "not_checked": ["", ""]}).astype(
        {"findings": "Int64", "waived": "Int64", "not_checked": frames.TEXT, "rule": frames.TEXT}
    )
    missing = summary.assign(
        findings=pd.array([3, pd.NA], "Int64"),
        waived=pd.array([1, pd.NA], "Int64"),
        not_checked=pd.Series(["", "needs the settings"], dtype=frames.TEXT),
    )
    both = fleet_audit._summary(frames.concat([summary, missing]), summary)
    assert both["findings"].tolist() == [4, 2]
    assert both["not_checked"].tolist() == ["", "1 workspace: needs the settings"]
    nowhere = fleet_audit._summary(missing, missing)
    assert nowhere["findings"].isna().tolist() == [False, True]


@pytest.mark.parametrize("ending", ["html", "csv", "json", "xlsx"])
def test_an_audit_of_a_fleet_is_reported_with_the_workspace_of_each_finding(fleet, tmp_path, ending):
    audit = fleet.audit()
    path = audit.report(tmp_path / f"audit.{ending}")
    if ending == "html":
        page = path.read_text("utf-8")
        assert all(f"<small>{host}</small>" in page for host in fleet.hosts)
    elif ending == "csv":
        assert set(pd.read_csv(path)["workspace"]) == set(fleet.hosts)
    assert path.stat().st_size > 1_000
