"""The audit with evidence of use: which rules run, and what is said where there is none."""

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tokenkit import errors
from tokenkit.review import usage, usage_rules
from tokenkit.review.rules import RULES
from tokenkit.sandbox import Sandbox

USAGE_RULES = [rule.id for rule in usage_rules.RULES]


@pytest.fixture
def used(ws):
    """A log in which a token of somebody who left is used by two programs, from twelve networks."""
    (token_id, *_) = ws.tokens("owner_active == False", status="active")["token_id"]
    agents, then = ["dbt/1.7", "PowerBI"], ws.now().isoformat()
    rows = [
        event(token_id, event_time=then, user_agent=agents[n % 2], source_ip_address=f"192.0.{n}.1") for n in range(12)
    ]
    return ws.usage(rows=frame(*rows))


def test_rules_of_use_run_with_evidence_and_find_the_culprit_alone(ws, used):
    audit = ws.audit(usage=used, thresholds={"outside-networks": {"networks": ["198.51.100.0/24"]}})
    assert len(audit.summary) == len(RULES) + len(USAGE_RULES)
    found = audit.findings[audit.findings["rule"].isin(USAGE_RULES)]
    assert set(found["token_id"]) == set(used["token_id"])
    assert set(found["rule"]) >= {
        "inactive-owner-still-used",
        "shared-by-programs",
        "many-networks",
        "outside-networks",
    }
    assert "192.0." not in audit.findings.to_csv() + audit._repr_html_()


@pytest.mark.parametrize("thresholds", [None, {"outside-networks": {"networks": []}}])
def test_networks_that_are_not_given_leave_their_rule_unchecked(ws, used, thresholds):
    audit = ws.audit(usage=used, thresholds=thresholds)
    rows = audit.summary.set_index("rule")["findings"]
    assert rows.isna().sum() == 1
    assert pd.isna(rows["outside-networks"])
    assert any("outside-networks was not checked: it needs its threshold networks" in note for note in audit.notes)


@pytest.mark.parametrize("clock", [NOW, NOW.normalize()], ids=["noon", "midnight"])
@pytest.mark.parametrize(("tokens", "seed", "days"), [(30, 1, 30), (700, 4, 30), (700, 4, 90)])
def test_they_find_the_planted_culprits_of_the_sandbox_and_no_other_token(tokens, seed, days, clock):
    with Sandbox(tokens=tokens, workspaces=3, seed=seed, clock=clock.timestamp) as sandbox:
        culprits = sandbox.usage_culprits()
        assert set(culprits) == set(USAGE_RULES)
        log = pd.DataFrame(sandbox.audit_events())
        log = log[log["event_date"] >= f"{clock - pd.Timedelta(days=days):%Y-%m-%d}"]
        for workspace in sandbox.workspaces:
            ws = tokenkit.connect(host=workspace.host, token=workspace.token, clock=clock)
            audit = ws.audit(
                USAGE_RULES,
                usage=ws.usage(rows=log),
                thresholds={"outside-networks": {"networks": sandbox.company_networks}},
            )
            found = audit.findings.groupby("rule")["token_id"].agg(set).to_dict()
            here = {rule: ids & workspace.state.tokens.ids() for rule, ids in culprits.items()}
            assert found == {rule: ids for rule, ids in here.items() if ids}
            assert min(map(len, found.values())) >= 1


def test_a_planted_use_is_found_until_its_token_is_revoked(fresh_sandbox, connected):
    ws = connected(fresh_sandbox)
    culprits = fresh_sandbox.usage_culprits()["many-networks"]
    (revoked, *_) = culprits
    fresh_sandbox.workspaces[0].state.tokens.delete(revoked)
    usage = ws.usage(rows=pd.DataFrame(fresh_sandbox.audit_events()))
    assert not usage.set_index("token_id").loc[revoked, "matched"]  # the log still has it
    audit = ws.audit(["many-networks"], usage=usage)
    assert set(audit.findings["token_id"]) == culprits - {revoked} == fresh_sandbox.usage_culprits()["many-networks"]


def test_an_audit_with_evidence_says_how_much_of_the_log_it_covers(ws, used):
    assert ws.audit(["unused"], usage=used).notes == (usage.summary(used),)
    assert "not proven to be unused" in usage.summary(used)


def test_without_evidence_they_are_left_out(ws):
    audit = ws.audit()
    assert not set(audit.summary["rule"]) & set(USAGE_RULES)


def test_a_rule_of_use_that_is_named_says_what_it_needs(ws):
    audit = ws.audit(["many-networks"])
    assert audit.summary["findings"].isna().all()
    assert audit.notes == ("many-networks was not checked: it needs the workspace's usage (pass usage=ws.usage()).",)


@pytest.mark.parametrize("other", [pd.DataFrame({"token_id": ["a"]}), "usage", 5])
def test_anything_else_is_no_evidence(ws, other):
    with pytest.raises(errors.UsageError, match=r"Not a result of usage\(\)"):
        ws.audit(usage=other)
