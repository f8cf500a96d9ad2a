"""The audit as a whole: its frames, what is chosen, how it shows itself, and the way from a finding to a plan."""

import dataclasses
import datetime as dt

import pandas as pd
import pytest
from IPython.lib.pretty import pretty

import tokenkit
from tests.conftest import NOW
from tests.elements import texts
from tokenkit import errors, frames
from tokenkit.core.redaction import REDACTED
from tokenkit.output import export
from tokenkit.review import access
from tokenkit.review import audit as audits
from tokenkit.review.rule import Context
from tokenkit.review.rules import RULES
from tokenkit.review.waivers import Waiver

FINDINGS = ["rule", "severity", "token_id", "owner", "evidence", "remedy"]
SUMMARY = ["rule", "title", "severity", "findings", "waived", "why", "remedy", "not_checked"]
NEVER = {"token_id": "never", "expiry_time": -1, "creation_time": 0, "comment": "nightly export", "owner_id": 7}


@tokenkit.rule("nightly", title="Runs at night", severity="low", thresholds={"word": "as people say"})
def nightly(tokens, _context, *, word="nightly"):
    return "says " + tokens["comment"][tokens["comment"].str.contains(word)]


def audited(*documents, context=Context(now=NOW), **settings):  # noqa: B008 - it is frozen
    return audits.audit(frames.frame(documents, frames.TOKENS), context, **settings)


def test_the_findings_of_a_workspace_have_the_columns_of_the_contract(workspace):
    audit = workspace.audit()
    assert list(audit.findings.columns) == FINDINGS
    assert list(audit.waived.columns) == [*FINDINGS, "reason", "expires"]
    assert list(audit.summary.columns) == SUMMARY
    pd.testing.assert_frame_equal(audit.tokens, workspace.tokens())
    assert set(audit.findings["token_id"].dropna()) <= set(audit.tokens["token_id"])
    assert not audit.findings.duplicated(["rule", "token_id", "owner"]).any()


def test_the_summary_has_every_rule_also_without_findings_the_most_severe_first(workspace):
    audit = workspace.audit()
    assert sorted(audit.summary["rule"]) == sorted(rule.id for rule in RULES)
    ranks = audit.summary["severity"].map(["high", "medium", "low"].index)
    assert ranks.is_monotonic_increasing
    counts = audit.findings["rule"].value_counts()
    expected = [counts.get(rule, 0) for rule in audit.summary["rule"]]
    assert audit.summary["findings"].tolist() == expected
    assert 0 in expected
    assert audit.summary["not_checked"].eq("").all()
    assert list(dict.fromkeys(audit.findings["rule"])) == [r for r in audit.summary["rule"] if counts.get(r, 0)]


def test_the_dtypes_of_an_empty_audit_are_those_of_a_full_one(workspace):
    full, empty = workspace.audit(), audited()
    pd.testing.assert_series_equal(full.findings.dtypes, empty.findings.dtypes)
    pd.testing.assert_series_equal(full.waived.dtypes, empty.waived.dtypes)
    pd.testing.assert_series_equal(full.summary.dtypes, empty.summary.dtypes)
    assert repr(empty) == "<Audit of a saved listing: 0 findings (0 high, 0 medium, 0 low) in 0 tokens>"


def test_a_saved_listing_is_enough_and_missing_inputs_are_named():
    audit = audited(NEVER)
    assert {"no-expiry", "never-used", "expires-soon"} <= set(audit.findings["rule"])
    unchecked = audit.summary[audit.summary["not_checked"] != ""]
    assert (
        set(unchecked["rule"])
        == {rule.id for rule in RULES if set(rule.needs) - {"comments"}}
        >= {"inactive-owner", "all-users-can-use"}
    )
    assert unchecked["findings"].isna().all()
    assert "no-maximum-lifetime was not checked: it needs the workspace's settings." in audit.notes
    assert audit._repr_html_().count("not checked") == len(unchecked) * 2  # in the table and in the notes


def test_a_listing_that_was_saved_with_its_owners_keeps_them_and_is_aged_anew(workspace):
    saved = workspace.tokens()
    later = workspace.now() + pd.Timedelta(days=40)
    audit = audits.audit(saved, Context(now=later))
    now = workspace.audit()
    gone = audit.findings[audit.findings["rule"] == "inactive-owner"]
    assert 0 < len(gone) <= (now.findings["rule"] == "inactive-owner").sum()
    assert (audit.findings["rule"] == "unused").sum() > (now.findings["rule"] == "unused").sum()


def test_the_listing_is_not_changed_whatever_its_index(workspace):
    saved = workspace.token_management.list()
    saved.index = [7] * len(saved)
    before = saved.copy(deep=True)
    audit = audits.audit(saved, Context(now=NOW))
    pd.testing.assert_frame_equal(saved, before)
    pd.testing.assert_frame_equal(audit.findings, audits.audit(before.reset_index(), Context(now=NOW)).findings)


def test_rules_are_chosen_by_id_or_by_the_id_of_the_security_analysis_tool():
    assert [rule.id for rule in audits.chosen(["IA-4", "unused"])] == ["no-expiry", "long-lifetime", "unused"]
    assert len(audits.chosen(skip=["IA-4"])) == len(RULES) - 2
    assert audits.chosen(also=[nightly])[-1] is nightly
    assert audits.chosen([nightly]) == (nightly,)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"rules": ["no-expiri"]}, "Did you mean no-expiry?"),
        ({"skip": ["nothing"]}, "Unknown rule 'nothing'. Known: secret-in-comment"),
        (
            {"rules": ["unused", "IA-4"], "skip": ["IA-4", "unused"]},
            r"No rule is left to check: all that were selected are skipped \(unused, no-expiry, long-lifetime\)",
        ),
        ({"also": [nightly, nightly]}, "Two rules have the id 'nightly'"),
        ({"also": [RULES[0]]}, "Two rules have the id 'secret-in-comment'"),
    ],
)
def test_an_invalid_selection_of_rules_is_an_error(choice, message):
    with pytest.raises(errors.UsageError, match=message):
        audits.chosen(**choice)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ws: ws.audit("unused"), "rules must be a list, and each value of type str or Rule."),
        (lambda ws: ws.audit(also=["unused"]), "also must be a list, and each value of type Rule."),
        (lambda ws: ws.audit(skip="unused"), "skip must be a list, and each value of type str or Rule."),
        (lambda ws: ws.audit(thresholds=[]), "thresholds must be a dict, not list."),
        (lambda ws: ws.audit(waivers=["x"]), "waivers must be a list, and each value of type Waiver."),
        (lambda ws: ws.audit(["unused"]).revoke(rule=5), "rule must be a list, and each value of type str."),
        (lambda ws: ws.audit(["unused"]).revoke(rule="unuse"), "Rule 'unuse' was not run. Did you mean unused?"),
    ],
)
def test_an_argument_of_an_audit_that_cannot_be_used_is_named(workspace, call, message):
    with pytest.raises(errors.UsageError) as raised:
        call(workspace)
    assert str(raised.value) == message


def test_inputs_of_skipped_rules_are_not_requested(sandbox, workspace):
    workspace.audit(skip=["all-users-can-use", "no-maximum-lifetime", "lifetime-over-maximum"])
    asked = {request.path for request in sandbox.requests}
    assert not [path for path in asked if "permissions" in path or "workspace-conf" in path]
    workspace.audit(["all-users-can-use"])
    assert "/api/2.0/permissions/authorization/tokens" in {request.path for request in sandbox.requests}


def test_a_note_counts_the_active_tokens_whose_scopes_are_not_stated(workspace):
    audit = workspace.audit()
    without = workspace.tokens("scopes.isna()", status="active")
    assert len(without) > 0
    assert not audit.findings["token_id"][audit.findings["rule"] == "broad-scope"].isin(without["token_id"]).any()
    (note,) = audit.notes
    assert note == (
        f"broad-scope leaves out {len(without)} active tokens without scopes, which can mean all APIs. They match "
        'where="scopes.isna()", status="active".'
    )
    assert note in repr(audit.in_short())
    assert not workspace.audit(skip=["broad-scope"]).notes


def test_a_note_about_one_token_without_scopes_is_in_the_singular():
    token = {"token_id": "a", "creation_time": 0, "expiry_time": -1}
    rules = audits.chosen(["broad-scope"])
    (note,) = audited(token, rules=rules).notes
    assert note.startswith("broad-scope leaves out 1 active token without scopes, which can mean all APIs. It matches ")
    assert audited(token | {"scopes": ["sql"]}, rules=rules).notes == ()
    assert audited(token | {"expiry_time": 1}, rules=rules).notes == ()  # it expired


def test_without_permissions_yet_one_rule_is_not_checked_and_the_others_run(sandbox, workspace):
    none_yet = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"}
    path = "*/permissions/authorization/tokens"
    sandbox.faults.add(tokenkit.sandbox.Fault(method="GET", path=path, status=404, body=none_yet))
    audit = workspace.audit(skip=["broad-scope"])  # its note is about tokens without scopes
    assert audit.notes == ("all-users-can-use was not checked: it needs the workspace's permissions.",)
    assert len(audit.findings) > 0


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_unreadable_settings_disable_only_their_rules_and_the_audit_says_why(sandbox, workspace, status):
    whole = workspace.audit(skip=["broad-scope"])
    sandbox.faults.add(tokenkit.sandbox.Fault(method="GET", path="/api/2.0/workspace-conf", status=status))
    audit = workspace.audit(skip=["broad-scope"])
    assert not_checked(audit) == {"lifetime-over-maximum", "no-maximum-lifetime"}
    assert len(audit.notes) == 2
    assert all("(" in note for note in audit.notes)
    others = ~whole.findings["rule"].isin(["lifetime-over-maximum", "no-maximum-lifetime"])
    assert len(audit.findings) == others.sum() > 0


@pytest.mark.parametrize(
    ("answer", "lost"),
    [
        (
            {"maxTokenLifetimeDays": "false", "enableTokensConfig": "true"},
            {"lifetime-over-maximum", "no-maximum-lifetime"},
        ),
        ({"maxTokenLifetimeDays": -1}, {"lifetime-over-maximum", "no-maximum-lifetime"}),
        ({"maxTokenLifetimeDays": "30", "enableTokensConfig": "perhaps"}, {"no-maximum-lifetime"}),
        ({"maxTokenLifetimeDays": "0", "enableTokensConfig": "true"}, set()),
    ],
)
def test_an_unreadable_setting_does_not_disable_the_rules_of_another(sandbox, workspace, answer, lost):
    sandbox.faults.add(tokenkit.sandbox.Fault(method="GET", path="/api/2.0/workspace-conf", status=200, body=answer))
    assert not_checked(workspace.audit()) == lost


def test_unreadable_permissions_disable_only_their_rule(sandbox, workspace):
    sandbox.faults.add(tokenkit.sandbox.Fault(method="GET", path="*/permissions/authorization/tokens", status=403))
    assert not_checked(workspace.audit()) == {"all-users-can-use"}


def test_a_setting_that_a_workspace_does_not_have_disables_only_its_rule(sandbox, workspace):
    for offset in (0, 1):  # both keys at once, then the second alone
        sandbox.faults.add(tokenkit.sandbox.Fault(path="/api/2.0/workspace-conf", status=400, offset=offset, times=1))
    assert not_checked(workspace.audit()) == {"no-maximum-lifetime"}


def test_an_unlisted_group_of_admins_disables_the_rule_on_admins(sandbox, workspace):
    groups = {"totalResults": 1, "Resources": [{"id": "1", "displayName": "admins"}]}
    sandbox.faults.add(tokenkit.sandbox.Fault(path="*/Groups", status=200, body=groups))
    sandbox.faults.add(tokenkit.sandbox.Fault(path="*/Groups/1", status=404))
    assert not_checked(workspace.audit()) == {"admin-service-principal"}


def not_checked(audit):
    return set(audit.summary.loc[audit.summary["not_checked"] != "", "rule"])


def test_a_custom_rule_runs_with_its_thresholds():
    audit = audited(NEVER, rules=audits.chosen(also=[nightly]))
    own = audit.findings[audit.findings["rule"] == "nightly"].iloc[0]
    assert own.tolist()[:5] == ["nightly", "low", "never", "7", "says nightly export"]
    assert "nightly" not in set(audited(NEVER, rules=[nightly], thresholds={"nightly": {"word": "z"}}).findings["rule"])
    assert nightly.thresholds["word"].default == "nightly"
    assert nightly.thresholds["word"].why == "as people say"


def test_a_secret_in_the_evidence_of_a_custom_rule_is_redacted():
    secret = "dapi" + "0a" * 16
    audit = audited(NEVER | {"comment": f"nightly {secret}"}, rules=[nightly])
    assert audit.findings["evidence"].tolist() == [f"says nightly {REDACTED}"]


def test_a_rule_with_an_invalid_result_is_an_error():
    @tokenkit.rule("odd", title="odd", severity="low")
    def odd(tokens, _context):
        return tokens["comment"].reset_index(drop=True).set_axis([-5])

    with pytest.raises(errors.UsageError, match="Rule odd must return texts indexed like the tokens"):
        audited(NEVER, rules=[odd])
    with pytest.raises(errors.UsageError, match="Use one of: high, medium, low"):
        tokenkit.rule("odd", title="odd", severity="dire")(nightly.find)


def test_expired_tokens_are_not_findings_but_for_the_secrets_in_their_comments():
    expired = {"token_id": "old", "creation_time": 0, "expiry_time": 86_400_000 * 400, "comment": "key dapi" + "1" * 32}
    assert audited(expired).findings["rule"].tolist() == ["secret-in-comment"]


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"unusd": {}}, "Did you mean unused?"),
        ({"unused": {"idle_day": 3}}, "no threshold 'idle_day'. Did you mean idle_days?"),
        ({"no-expiry": {"days": 3}}, "no threshold 'days'. It has no thresholds."),
    ],
)
def test_an_unknown_threshold_is_an_error(thresholds, message):
    with pytest.raises(errors.UsageError, match=message):
        audited(NEVER, thresholds=thresholds)


def test_waived_findings_do_not_count_and_are_shown():
    waiver = Waiver(rule="no-expiry", token_id="never", reason="in March", expires=dt.date(2026, 3, 1))
    audit = audited(NEVER, waivers=[waiver], rules=audits.chosen(["no-expiry"]))
    assert len(audit.findings) == 0
    row = audit.waived.iloc[0]
    assert (row.rule, row.token_id, row.reason, row.expires) == ("no-expiry", "never", "in March", NOW.normalize())
    assert audit.summary[["findings", "waived"]].to_numpy().tolist() == [[0, 1]]
    assert not audit.fails("low")
    assert "1 waived" in repr(audit)


def test_a_waiver_that_matches_no_finding_is_named_if_its_rule_was_checked():
    def notes(owner, rule, run):
        waiver = Waiver(rule=rule, owner=owner, reason="x", expires=dt.date(2027, 1, 1))
        return audited(NEVER, waivers=[waiver], rules=audits.chosen(run)).notes

    assert notes("nobody", "no-expiry", ["no-expiry"]) == (
        "No finding matches the waiver of no-expiry for owner nobody. Remove it from the waivers, or correct it.",
    )
    assert notes("*", "no-expiry", ["no-expiry"]) == ()
    assert not any("nobody" in note for note in notes("nobody", "no-expiry", ["unused"]))


@pytest.mark.parametrize(("rules", "failing"), [("no-expiry", "high medium low"), ("never-used", "medium low")])
def test_an_audit_fails_at_the_severity_of_its_worst_finding_and_at_milder_ones(rules, failing):
    audit = audited(NEVER, rules=audits.chosen([rules]))
    assert " ".join(severity for severity in ("high", "medium", "low") if audit.fails(severity)) == failing


def test_a_severity_that_does_not_exist_is_an_error():
    with pytest.raises(errors.UsageError, match=r"^Invalid severity: 'severe'\. Use one of: high, medium, low\.$"):
        audited(NEVER).fails("severe")


def test_a_threshold_that_is_not_a_number_is_an_error():
    for value in (float("nan"), "30", True):
        with pytest.raises(errors.UsageError, match=r"must be a number, such as [0-9]+"):
            audited(NEVER, thresholds={"unused": {"idle_days": value}})


def test_an_audit_is_text_in_a_console_of_ipython():
    audit = audited(NEVER)
    assert pretty(audit) == str(audit)


def test_an_audit_plans_the_revocation_of_the_findings_of_a_rule(workspace):
    audit = workspace.audit()
    plan = audit.revoke(rule=["unused", "never-used"])
    found = audit.findings[audit.findings["rule"].isin(["unused", "never-used"])]
    assert set(plan.token_ids) | set(plan.left_out["token_id"]) == set(found["token_id"])
    assert len(plan) > 0
    assert workspace.token_management.get(plan.token_ids[0])  # a plan changes nothing


def test_waived_findings_are_not_revoked(workspace):
    first = workspace.audit(["no-expiry"]).findings.iloc[0]
    waivers = [Waiver(rule="no-expiry", token_id=first.token_id, reason="x", expires=dt.date(2027, 1, 1))]
    plan = workspace.audit(["no-expiry"], waivers=waivers).revoke(rule="no-expiry")
    assert first.token_id not in plan.token_ids


@pytest.mark.parametrize(
    ("rule", "message"),
    [("unuse", "Did you mean unused?"), ("no-maximum-lifetime", "Nothing to revoke"), ("IA-4", "was not run")],
)
def test_findings_that_cannot_be_revoked_are_an_error(workspace, rule, message):
    with pytest.raises(errors.UsageError, match=message):
        workspace.audit().revoke(rule=rule)


def test_a_saved_listing_has_no_workspace_to_revoke_on():
    with pytest.raises(errors.UsageError, match="saved listing"):
        audited(NEVER).revoke(rule="no-expiry")


def test_an_audit_of_a_workspace_writes_its_report_and_one_of_a_saved_listing_says_how(workspace, tmp_path):
    path = workspace.audit(rules=["no-expiry"]).report(tmp_path / "audit.csv", progress=False)
    assert path == tmp_path / "audit.csv"
    assert path.read_text("utf-8-sig").splitlines()[0].split(",")[:3] == ["rule", "severity", "token_id"]
    with pytest.raises(errors.UsageError, match=r"saved listing. Use tokenkit.output.report.write"):
        audited(NEVER).report(tmp_path / "other.csv")
    assert not (tmp_path / "other.csv").exists()


def test_an_audit_is_frozen_and_shows_itself_escaped_in_one_line_and_as_html():
    @tokenkit.rule("<b>", title="<script>", severity="high", remedy="<img>")
    def hostile(tokens, _context):
        return tokens["comment"]

    audit = audited(NEVER, rules=[hostile], name="<i>")
    page = audit._repr_html_()
    assert not [tag for tag in ("<script>", "<img>", "<i>") if tag in page]
    assert "&lt;script&gt;" in page
    assert "\n" not in repr(audit)
    assert str(audit) == repr(audit.in_short())  # as print shows it
    with pytest.raises(dataclasses.FrozenInstanceError):
        audit.name = "x"


def test_a_rule_that_was_not_checked_says_what_it_needs_and_why_that_could_not_be_read():
    without = audited(NEVER, context=Context(now=NOW, unread={"permissions": "It answered 403."}))
    assert "all-users-can-use was not checked: it needs the workspace's permissions (It answered 403)." in without.notes
    assert "inactive-owner was not checked: it needs the workspace's owners." in without.notes
    gaps = without.summary.set_index("rule")["not_checked"]
    assert gaps["no-expiry"] == ""
    assert gaps["all-users-can-use"] == "needs the workspace's permissions (It answered 403)"


def test_an_audit_does_not_ask_the_workspace_to_compute_the_groups_of_every_user(sandbox, workspace):
    sandbox.requests.clear()
    workspace.audit()
    asked = [record.query.get("attributes", "") for record in sandbox.requests if record.path.endswith("/Users")]
    assert asked
    assert not [attributes for attributes in asked if "groups" in attributes]


def test_an_audit_in_html_has_its_headline_its_notes_and_a_row_for_each_rule():
    audit = audited(NEVER, rules=[*RULES, nightly])
    page = audit._repr_html_()
    assert texts(page, "b") == ["Audit of a saved listing"]
    assert set(audit.notes) <= set(texts(page, "p"))
    assert audit.notes
    assert "nightly" in texts(page, "td")
    assert texts(page, "p")[-1] == f"{audit.headline()} in 1 token."
    without = audit.summary.loc[audit.summary["findings"] == 0, "rule"]
    assert f"No findings: {', '.join(without)}." in texts(page, "p")


def test_a_secret_in_a_comment_is_nowhere_but_in_the_listing(workspace):
    audit = workspace.audit()
    found = audit.findings[audit.findings["rule"] == "secret-in-comment"]
    comments = audit.tokens.set_index("token_id")["comment"][found["token_id"]]
    secrets = comments.str.rsplit(" ", n=1).str[-1].tolist()
    assert len(secrets) > 0
    shown = repr(audit) + audit._repr_html_() + export.csv_text(audit.findings) + export.csv_text(audit.summary)
    assert not [secret for secret in secrets if secret in shown]
    assert found["evidence"].str.contains(REDACTED, regex=False).all()


def test_an_admin_through_nested_groups_is_found():
    identities = access.Identities(
        users=frames.frame([], frames.USERS),
        service_principals=frames.frame(
            [{"id": 9, "application_id": "a", "display_name": "ci"}], frames.SERVICE_PRINCIPALS
        ),
        groups=frames.frame(
            [
                {"id": 1, "display_name": "admins", "members": [2]},
                {"id": 2, "display_name": "platform", "members": [9]},
            ],
            frames.GROUPS,
        ),
    )
    audit = audited(
        NEVER | {"owner_id": 9, "created_by_id": 4},
        context=Context(now=NOW, identities=identities),
        rules=audits.chosen(["admin-service-principal"]),
    )
    assert audit.findings["evidence"].tolist() == ["an admin through admins > platform"]


def test_audits_are_compared_as_objects_and_not_by_their_frames():
    one, other = audited(NEVER), audited(NEVER)
    assert one == one  # noqa: PLR0124
    assert one != other
    assert len({one, other}) == 2
