"""Every recorded sample: what comes out of it where it is used, and that none is left unused."""

import json
from pathlib import Path

import pytest

import tokenkit
from tests.commands.test_error_responses import EXPECTED
from tests.review.test_scanner_reports import FOUND
from tokenkit import TokenSettings, errors
from tokenkit.rest import credentials
from tokenkit.sandbox import Fault

SAMPLES = Path(__file__).parent / "samples"
ACME = "https://acme.cloud.databricks.com"
AZURE = "https://adb-1111222233334444.5.azuredatabricks.net"
UNIFIED = "https://acme.databricks.example"
ROBOT = "00000000-0000-0000-0000-00000000beef"

ERRORS = {f"{name}.json": name for name in EXPECTED if (SAMPLES / "errors" / f"{name}.json").exists()}
# Of each profile the address, or what is said of it; of a file that is not one, what is said of that.
PROFILES = {
    "01-comments.cfg": {"prod": AZURE, "with spaces": "ends with a comment", "spog": f"{UNIFIED} 5555666677778888"},
    "02-no-section-header.cfg": {"prod": "line 1: a setting precedes the first profile"},
    "03-profile-twice.cfg": {"dev-profile": "line 10: profile [dev-profile] is defined twice"},
    "05-utf8-bom-crlf.cfg": {"prod": ACME},
    "06-utf16-powershell.cfg": {"prod": ACME},
    "08-kinds-of-sign-in.cfg": {
        "azure-user": AZURE,
        "azure-robot": AZURE,
        "u2m": ACME,
        "vscode": AZURE,
        "m2m": ACME,
        "unified": f"{UNIFIED} 5555666677778888",
        "account": "is an account console, not a workspace",
        "empty-token": "The token of profile 'empty-token' is empty",
    },
    "09-broken-line.cfg": {"prod": "line 2: expected a profile, such as [prod], or a setting"},
    "10-profile-without-host.cfg": {"prod": "has a token but no host", "other": ACME},
}
RESPONSES = {
    "cli-token-management-get.json": "listing",
    "cli-token-management-list.json": "listing",
    "token-management-tokens.json": "listing",
    "permissions.json": "permissions",
    "scim-groups-without-members.json": "identities",
    "scim-service-principals.json": "identities",
    "scim-users.json": "identities",
    "workspace-conf-text-false.json": "settings",
    "workspace-conf-zero.json": "settings",
}
NOT_YET_READ = {  # nothing here reads an audit log, nor a plan of Terraform
    "audit-rows.jsonl",
    "terraform-plan.json",
}


def sample(folder, name):
    return json.loads((SAMPLES / folder / name).read_text("utf-8"))


@pytest.mark.parametrize(
    ("folder", "table"),
    [
        ("errors", ERRORS),
        ("databrickscfg", PROFILES),
        ("databricks", RESPONSES),
        ("scanners", FOUND),
        ("other", NOT_YET_READ),
    ],
)
def test_every_sample_is_in_the_table_of_its_folder(folder, table):
    assert set(table) == {file.name for file in (SAMPLES / folder).iterdir()}


def test_every_folder_of_samples_has_a_table():
    assert {file.name for file in SAMPLES.iterdir()} == {"errors", "databrickscfg", "databricks", "scanners", "other"}


@pytest.mark.parametrize("file", ERRORS)
def test_an_error_is_told_as_what_it_is(workspace, sandbox, file):
    recorded = sample("errors", file)
    headers = dict(recorded["headers"])
    content_type = headers.pop("Content-Type")
    sandbox.faults.add(
        Fault(
            path="/api/*",
            status=recorded["status"],
            body=recorded["body"],
            content_type=content_type,
            headers=headers,
        )
    )
    expected, step, _, _ = EXPECTED[ERRORS[file]]
    with pytest.raises(errors.TokenKitError) as raised:
        workspace.tokens()
    assert type(raised.value) is expected
    assert step in str(raised.value)
    assert "GET /api/2.0/token-management/tokens" in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("file", "profile", "outcome"), [(file, *row) for file, rows in PROFILES.items() for row in rows.items()]
)
def test_a_profile_is_read_or_rejected_with_the_reason(monkeypatch, file, profile, outcome):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(SAMPLES / "databrickscfg" / file))
    if outcome.startswith("https://"):
        assert str(credentials.profile_address(profile)).replace("/?o=", " ") == outcome
    else:
        with pytest.raises(errors.ConfigurationError) as raised:
            tokenkit.connect(profile)
        assert outcome in str(raised.value)
        assert "dapi" not in str(raised.value)


@pytest.fixture
def recorded(ws, company):
    """A workspace that answers as a real one was recorded to."""
    scim = "/api/2.0/preview/scim/v2/"
    for path, name in [
        ("/api/2.0/token-management/tokens", "token-management-tokens"),
        ("/api/2.0/permissions/authorization/tokens", "permissions"),
        (f"{scim}Users", "scim-users"),
        (f"{scim}ServicePrincipals", "scim-service-principals"),
        (f"{scim}Groups", "scim-groups-without-members"),
    ]:
        company.faults.add(Fault(method="GET", path=path, status=200, body=sample("databricks", f"{name}.json")))
    return ws


def test_ids_beyond_the_floats_and_owners_of_every_kind_are_read(recorded):
    tokens = recorded.tokens()
    sent = sample("databricks", "token-management-tokens.json")["token_infos"]
    assert tokens["token_id"].tolist() == [each["token_id"] for each in sent]
    assert tokens["owner_id"].tolist() == [int(each["owner_id"]) for each in sent]
    assert 9007199254740993 in set(tokens["owner_id"])
    assert tokens[["owner", "owner_kind", "owner_active"]].to_numpy().tolist() == [
        ["alice@example.com", "user", True],
        ["bob.roe@example.com", "user", True],
        [ROBOT, "service_principal", True],
        ["left@example.com", "deleted", False],
        ["bob.roe@example.com", "user", True],
    ]
    assert tokens["expiry_time"].isna().tolist() == [True, False, False, False, False]


def test_a_principal_that_is_listed_without_active_is_not_inactive(recorded):
    found = recorded.audit(["inactive-owner"]).findings
    assert found["owner"].tolist() == ["left@example.com"]
    principals = recorded.identities().principals().set_index("name")["active"]
    assert principals.to_dict() == {
        "alice@example.com": True,
        "bob.roe@example.com": True,
        "carol@example.com": False,
        ROBOT: True,
    }


def test_groups_without_members_leave_a_plan_that_says_what_it_does_not_know(recorded):
    plan = recorded.plan_permissions([], replace=True)
    assert plan.not_known.to_numpy().tolist() == [["engineers", "group", "its members are not listed"]]
    assert plan.losing_access[["principal", "via", "tokens"]].to_numpy().tolist() == [[ROBOT, "direct", 0]]
    assert plan.losing_access["effect"].isna().all()  # there is no token to delete
    assert plan.summary().doing
    assert "Not known: more tokens may be lost" in repr(plan._in_short())


@pytest.mark.parametrize(
    ("file", "maximum"), [("workspace-conf-zero.json", None), ("workspace-conf-text-false.json", "unread")]
)
def test_a_setting_is_read_or_costs_its_own_rules_alone(workspace, sandbox, file, maximum):
    sandbox.faults.add(Fault(path="*workspace-conf", status=200, body=sample("databricks", file)))
    summary = workspace.audit().summary
    skipped = set(summary.loc[summary["not_checked"] != "", "rule"])
    if maximum is None:
        assert workspace.token_settings() == TokenSettings(tokens_enabled=True, max_lifetime_days=None)
        assert skipped == set()
    else:
        with pytest.raises(errors.InvalidResponseError, match="maxTokenLifetimeDays that is not a number of days: 'fa"):
            workspace.token_settings()
        assert skipped == {"lifetime-over-maximum", "no-maximum-lifetime"}


@pytest.mark.parametrize("name", [name for name, kind in RESPONSES.items() if kind == "listing"])
def test_a_saved_listing_has_the_tokens_that_were_saved(name):
    saved = tokenkit.read_listing(SAMPLES / "databricks" / name, as_of="2025-10-10")
    answer = sample("databricks", name)
    sent = answer if isinstance(answer, list) else answer.get("token_infos") or [answer.get("token_info", answer)]
    assert saved["token_id"].tolist() == [each["token_id"] for each in sent]
    assert saved["owner_id"].tolist() == [int(each["owner_id"]) for each in sent]


def test_the_permissions_of_a_workspace_keep_the_level_of_admins(recorded):
    acl = recorded.token_management.get_permissions()
    sent = sample("databricks", "permissions.json")["access_control_list"]
    assert len(acl) == sum(len(entry["all_permissions"]) for entry in sent)
    assert acl.loc[acl["group_name"] == "admins", "permission_level"].tolist() == ["CAN_MANAGE"]
    with pytest.raises(errors.UsageError, match="is not a saved listing"):
        tokenkit.read_listing(SAMPLES / "databricks" / "permissions.json")


@pytest.mark.parametrize("name", sorted(NOT_YET_READ))
def test_what_is_not_read_yet_is_no_listing_and_no_report(name):
    file = SAMPLES / "other" / name
    with pytest.raises(errors.UsageError, match="is not a saved listing"):
        tokenkit.read_listing(file)
