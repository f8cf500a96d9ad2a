"""The official SDK against the sandbox, and our answers against the official SDK's."""

import dataclasses
import time

import pandas as pd
import pytest
from databricks.sdk import AccountClient, WorkspaceClient
from databricks.sdk import errors as sdk_errors
from databricks.sdk.service import iam, settings

import tokenkit
from tests.clients.coverage import called, documented
from tests.conftest import NOW
from tokenkit import frames
from tokenkit.sandbox import Fault, Sandbox

# tokenkit needs the SDK to sign in, which an older one does as well.
fieldmask = pytest.importorskip(
    "databricks.sdk.common.types.fieldmask", reason="this databricks-sdk knows less of tokens than we compare with"
)
if not hasattr(settings.TokenManagementAPI, "update_token_management"):
    pytest.skip("this databricks-sdk knows less of tokens than we compare with", allow_module_level=True)


AGENT = "unknown/0.0.0 databricks-sdk-py/"


@pytest.fixture(scope="module")
def company():
    with Sandbox(tokens=2_000, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture(scope="module")
def ran():
    """The endpoints that the SDK called in sandboxes of one test's own."""
    return set()


@pytest.fixture
def official(company):
    company.faults.clear()
    yield WorkspaceClient(host=company.host, token=company.token)
    company.faults.clear()


@pytest.fixture
def ours(company):
    return tokenkit.connect(host=company.host, token=company.token, clock=NOW)


def test_the_usage_example_of_the_reference_runs(official, company):
    groups = {group.display_name: group.id for group in official.groups.list()}
    spn = official.service_principals.create(
        display_name=f"sdk-{time.time_ns()}", groups=[iam.ComplexValue(value=groups["admins"])]
    )
    obo = official.token_management.create_obo_token(application_id=spn.application_id, lifetime_seconds=60)
    by_id = official.token_management.get(token_id=obo.token_info.token_id)
    assert by_id.token_info == obo.token_info
    assert obo.token_info.token_id in {token.token_id for token in official.token_management.list()}

    as_it = WorkspaceClient(host=company.host, token=obo.token_value)
    assert as_it.current_user.me().user_name == spn.application_id
    assert len(list(as_it.token_management.list())) == 2_001  # it is in admins, so it may list

    official.service_principals.delete(id=spn.id)
    official.token_management.delete(token_id=obo.token_info.token_id)
    with pytest.raises(sdk_errors.NotFound):
        official.token_management.get(token_id=obo.token_info.token_id)


def test_all_nine_calls_serve_the_official_sdk(ran):
    with Sandbox(tokens=50, clock=NOW.timestamp) as sandbox:
        api = WorkspaceClient(host=sandbox.host, token=sandbox.token).token_management
        token = next(token for token in api.list() if token.comment != "tokenkit (this session)")
        changed = api.update_token_management(
            token.token_id, settings.TokenInfo(comment="changed"), fieldmask.FieldMask(["comment"])
        )
        assert changed == dataclasses.replace(token, comment="changed")
        assert next(iter(api.get_permission_levels().permission_levels)).permission_level is (
            settings.TokenPermissionLevel.CAN_USE
        )
        assert api.get_permissions().object_id == "/authorization/tokens"
        users = settings.TokenAccessControlRequest(
            group_name="users", permission_level=settings.TokenPermissionLevel.CAN_USE
        )
        groups = {entry.group_name for entry in api.update_permissions(access_control_list=[users]).access_control_list}
        assert {"admins", "users"} < groups
        replaced = api.set_permissions(access_control_list=[users]).access_control_list
        assert {entry.group_name for entry in replaced} == {"admins", "users"}
        api.delete(token.token_id)
        assert token.token_id not in {each.token_id for each in api.list()}
        assert list(api.list(created_by_username="nobody@example.com")) == []
        ran |= called(sandbox)


def test_our_listing_equals_the_official_sdks_field_by_field_on_2000_tokens(official, ours):
    theirs = [token.as_dict() for token in official.token_management.list()]
    listing = ours.token_management.list()
    assert len(theirs) == len(listing) == 2_000
    times = [field.name for field in frames.TOKENS if field.type == frames.TIME]
    lists = [field.name for field in frames.TOKENS if field.type == frames.TEXTS]
    for name in frames.TOKEN_COLUMNS:
        expected = [token.get(name) for token in theirs]
        column = listing[name]
        if name in times:
            expected = [None if value in (None, -1) else value for value in expected]
            actual = [None if pd.isna(value) else round(value.timestamp() * 1000) for value in column]
        elif name in lists:
            # The SDK's as_dict drops an empty list; ours keeps it apart from an absent one.
            expected = [value or [] for value in expected]
            actual = [value if isinstance(value, list) else [] for value in column]
        else:
            actual = [None if pd.isna(value) else value for value in column]
        assert actual == expected, name


def test_our_record_of_a_token_is_the_official_sdks(official, ours):
    for token in list(official.token_management.list())[:20]:
        ours_of_it = ours.token_management.get(token.token_id).as_dict()
        theirs = {name: value for name, value in token.as_dict().items() if value != -1}
        assert {name: value for name, value in ours_of_it.items() if value != []} == theirs


def test_the_official_sdk_loses_can_manage_and_we_do_not(official, ours):
    theirs = {entry.group_name: entry for entry in official.token_management.get_permissions().access_control_list}
    assert theirs["admins"].all_permissions[0].permission_level is None
    permissions = ours.token_management.get_permissions()
    assert permissions.loc[permissions["group_name"] == "admins", "permission_level"].tolist() == ["CAN_MANAGE"]


def test_the_official_sdk_loses_an_unknown_enum_value_and_an_unknown_field_and_we_do_not(official, ours, company):
    document = {"token_id": "a" * 64, "autoscope_state": "AUTOSCOPE_STATE_OF_2031", "risk": "high"}
    company.faults.add(Fault(path="*/token-management/tokens", status=200, body={"token_infos": [document]}))
    theirs = next(iter(official.token_management.list()))
    assert theirs.autoscope_state is None
    assert "risk" not in theirs.as_dict()
    row = ours.token_management.list().iloc[0]
    assert (row.autoscope_state, row.risk) == ("AUTOSCOPE_STATE_OF_2031", "high")


def test_the_official_sdk_prints_the_value_of_an_obo_token_and_we_do_not(official, ours):
    principal = next(iter(official.service_principals.list()))
    theirs = official.token_management.create_obo_token(application_id=principal.application_id, lifetime_seconds=60)
    mine = ours.token_management.create_obo_token(principal.application_id, lifetime_seconds=60)
    assert theirs.token_value in repr(theirs)
    assert mine.token_value not in repr(mine)
    for token_id in (theirs.token_info.token_id, mine.token_info.token_id):
        ours.token_management.delete(token_id)


def test_set_permissions_takes_the_official_request_objects():
    with Sandbox(tokens=20, clock=NOW.timestamp) as sandbox:
        api = tokenkit.connect(host=sandbox.host, token=sandbox.token).token_management
        entry = settings.TokenAccessControlRequest(
            group_name="users", permission_level=settings.TokenPermissionLevel.CAN_USE
        )
        after = api.set_permissions([entry])
        assert set(after["group_name"]) == {"admins", "users"}


def test_update_takes_the_official_record_and_mask(official, ours):
    token = list(official.token_management.list())[7]
    changed = ours.token_management.update_token_management(
        token.token_id, settings.TokenInfo(comment="by way of the SDK's types"), fieldmask.FieldMask(["comment"])
    )
    assert changed.comment == "by way of the SDK's types"


@pytest.mark.parametrize(
    ("theirs", "mine"),
    [("users", "users"), ("service_principals", "service_principals"), ("groups", "groups")],
)
def test_identities_are_those_of_the_official_sdk(official, ours, theirs, mine):
    listed = {int(each.id): each for each in getattr(official, theirs).list()}
    frame = getattr(ours, mine)()
    assert len(frame) == len(listed) > 2
    for row in frame.itertuples():
        official_one = listed[row.id]
        assert row.display_name == official_one.display_name
        if theirs == "groups":
            assert sorted(row.members) == sorted(int(member.value) for member in official_one.members or [])
        else:
            assert row.active == official_one.active
            assert sorted(row.groups) == sorted(int(group.value) for group in official_one.groups or [])


def test_identities_are_found_by_name(official):
    assert [user.user_name for user in official.users.list(filter='userName eq "admin@example.com"')] == [
        "admin@example.com"
    ]
    assert [group.display_name for group in official.groups.list(filter='displayName eq "admins"')] == ["admins"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda w: w.token_management.get("0" * 64), sdk_errors.NotFound),
        (lambda w: w.token_management.delete("0" * 64), sdk_errors.NotFound),
        (lambda w: w.token_management.create_obo_token("no-such-app"), sdk_errors.InvalidParameterValue),
        (lambda w: w.tokens.create(lifetime_seconds=-1), sdk_errors.InvalidParameterValue),
        (lambda w: w.tokens.delete("0" * 64), sdk_errors.ResourceDoesNotExist),
        (lambda w: w.users.get("1"), sdk_errors.NotFound),
        (
            lambda w: w.token_management.update_token_management(
                "0" * 64, settings.TokenInfo(), fieldmask.FieldMask(["owner_id"])
            ),
            (sdk_errors.InvalidParameterValue, sdk_errors.NotFound),
        ),
        (
            lambda w: w.token_management.update_permissions(
                access_control_list=[
                    settings.TokenAccessControlRequest(
                        service_principal_name="nobody", permission_level=settings.TokenPermissionLevel.CAN_USE
                    )
                ]
            ),
            sdk_errors.ResourceDoesNotExist,
        ),
    ],
)
def test_each_error_is_the_official_sdks_typed_exception(official, call, error):
    with pytest.raises(error):
        call(official)


def test_a_user_who_is_not_an_admin_is_rejected(official, company):
    principal = next(
        p for p in official.service_principals.list() if "admins" not in {g.display for g in p.groups or []}
    )
    obo = official.token_management.create_obo_token(principal.application_id, lifetime_seconds=60)
    as_it = WorkspaceClient(host=company.host, token=obo.token_value)
    assert as_it.current_user.me().user_name == principal.application_id
    with pytest.raises(sdk_errors.PermissionDenied):
        list(as_it.token_management.list())
    official.token_management.delete(obo.token_info.token_id)
    with pytest.raises(sdk_errors.PermissionDenied, match="Invalid access token"):
        as_it.current_user.me()


def test_disabled_tokens_get_feature_disabled_and_oauth_still_works(ran):
    with Sandbox(tokens=10, clock=NOW.timestamp) as sandbox:
        by_token = WorkspaceClient(host=sandbox.host, token=sandbox.token)
        by_oauth = WorkspaceClient(host=sandbox.host, client_id=sandbox.client_id, client_secret=sandbox.client_secret)
        by_oauth.workspace_conf.set_status({"enableTokensConfig": "false"})
        with pytest.raises(sdk_errors.NotFound) as raised:
            by_token.current_user.me()
        assert raised.value.error_code == "FEATURE_DISABLED"
        by_oauth.workspace_conf.set_status({"enableTokensConfig": "true"})
        assert by_token.current_user.me().user_name == "admin@example.com"
        ran |= called(sandbox)


def test_it_creates_lists_changes_and_deletes_own_tokens(official):
    token_id = official.tokens.create(comment="laptop", lifetime_seconds=600).token_info.token_id
    official.tokens.update(token_id, settings.PublicTokenInfo(comment="desk"), fieldmask.FieldMask(["comment"]))
    assert {token.token_id: token.comment for token in official.tokens.list()}[token_id] == "desk"
    official.tokens.delete(token_id)
    assert token_id not in {token.token_id for token in official.tokens.list()}


def test_it_manages_users(official):
    user = official.users.create(user_name="new@example.com")
    deactivate = iam.Patch(op=iam.PatchOp.REPLACE, path="active", value="false")
    schemas = [iam.PatchSchema.URN_IETF_PARAMS_SCIM_API_MESSAGES_2_0_PATCH_OP]
    official.users.patch(user.id, operations=[deactivate], schemas=schemas)
    assert not official.users.get(user.id).active
    official.users.update(user.id, user_name="new@example.com", display_name="New", active=True)
    assert official.users.get(user.id).display_name == "New"
    official.users.delete(user.id)


def test_it_manages_what_is_beside_tokens(official):
    assert official.workspace_conf.get_status("maxTokenLifetimeDays").keys() == {"maxTokenLifetimeDays"}
    official.secrets.create_scope("vault")
    official.secrets.put_secret("vault", "key", string_value="value")
    assert official.secrets.get_secret("vault", "key").value == "dmFsdWU="
    official.secrets.delete_scope("vault")
    assert official.settings.restrict_workspace_admins.get().restrict_workspace_admins.status.value == "ALLOW_ALL"
    assert official.clusters.spark_versions().versions
    assert list(official.ip_access_lists.list()) == list(official.cluster_policies.list()) == []
    assert official.permissions.get("authorization", "passwords").object_type == "passwords"
    official.workspace.mkdirs("/Shared/tokens")
    assert official.workspace.get_status("/Shared/tokens").path == "/Shared/tokens"


def test_an_account_client_manages_identities_secrets_and_assignments(company):
    account = AccountClient(
        host=company.account_host,
        account_id=company.account_id,
        client_id=company.client_id,
        client_secret=company.client_secret,
    )
    principal = account.service_principals.create(display_name="robot")
    secret = account.service_principal_secrets.create(principal.id, lifetime="3600s")
    assert [found.id for found in account.service_principal_secrets.list(principal.id)] == [secret.id]
    workspace_id = company.workspaces[0].workspace_id
    level = iam.WorkspacePermission.ADMIN
    assigned = account.workspace_assignment.update(workspace_id, int(principal.id), permissions=[level])
    assert assigned.principal.service_principal_name == principal.application_id
    as_it = WorkspaceClient(host=company.host, client_id=principal.application_id, client_secret=secret.secret)
    assert len(list(as_it.token_management.list())) == len(company.workspaces[0].state.tokens.ids())
    account.service_principal_secrets.delete(principal.id, secret.id)
    account.service_principals.delete(principal.id)
    with pytest.raises(sdk_errors.PermissionDenied):
        as_it.current_user.me()


def test_the_table_of_endpoints_says_which_ones_it_was_run_against(company, ran):
    """Runs last, after every test of this module."""
    of_the_warehouse = {row for row in documented("sdk") if row[2].startswith("/api/2.0/sql/")}  # it has its own tests
    assert called(company, AGENT) | ran == documented("sdk") - of_the_warehouse
