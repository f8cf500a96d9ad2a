"""The nine operations of the reference, over HTTP."""

import contextlib
import copy
import json
import logging
import pickle
import traceback

import pandas as pd
import pytest

from tests.rest.wire import reply
from tokenkit import OboToken, TokenInfo, TokenManagementAPI, errors, frames
from tokenkit.rest.credentials import from_token
from tokenkit.rest.transport import RetryPolicy, Transport
from tokenkit.sandbox import Fault

LEVELS = ["CAN_USE", "CAN_MANAGE"]


@pytest.fixture
def tokens(workspace):
    return workspace.token_management


@pytest.fixture
def service_principal(workspace):
    return workspace.service_principals().iloc[0]


@pytest.fixture
def obo(tokens, service_principal):
    made = tokens.create_obo_token(service_principal.application_id, comment="made by a test", lifetime_seconds=600)
    yield made
    with contextlib.suppress(errors.NotFoundError):
        tokens.delete(made.token_info.token_id)


def test_list_returns_every_token_in_the_columns_of_the_contract(tokens):
    listing = tokens.list()
    assert len(listing) == 300
    assert tuple(listing.columns) == frames.TOKEN_COLUMNS
    assert listing["token_id"].is_unique
    assert listing["token_id"].str.fullmatch("[0-9a-f]{64}").all()


def test_list_requests_the_tokens_of_one_creator_by_name_or_id(tokens, sandbox):
    everything = tokens.list()
    creator = everything.iloc[1]
    by_name = tokens.list(created_by_username=creator.created_by_username)
    by_id = tokens.list(creator.created_by_id)
    assert set(by_name["token_id"]) == set(
        everything.query("created_by_username == @creator.created_by_username").token_id
    )
    assert set(by_id["created_by_id"]) == {creator.created_by_id}
    assert sandbox.requests[-1].query == {"created_by_id": str(creator.created_by_id)}


def test_an_empty_listing_has_the_same_columns_and_dtypes(tokens):
    nothing = tokens.list(created_by_username="nobody@example.com")
    assert len(nothing) == 0
    pd.testing.assert_series_equal(nothing.dtypes, tokens.list().dtypes)


def test_get_returns_the_same_data_as_the_listing(tokens):
    row = tokens.list().iloc[5]
    info = tokens.get(row.token_id)
    assert info.as_dict() == TokenInfo(**{k: (None if v is pd.NA else v) for k, v in row.to_dict().items()}).as_dict()


def test_get_of_a_missing_token_is_also_a_lookup_error(tokens):
    with pytest.raises(errors.NotFoundError, match="Token does not exist") as raised:
        tokens.get("0" * 64)
    assert isinstance(raised.value, LookupError)


@pytest.mark.parametrize("call", ["get", "delete"])
@pytest.mark.parametrize("token_id", ["", "  ", None, 7])
def test_an_empty_id_is_an_error_because_it_would_address_the_collection(tokens, sandbox, call, token_id):
    with pytest.raises(errors.UsageError, match="64 hexadecimal"):
        getattr(tokens, call)(token_id)
    assert not list(sandbox.requests)


def test_an_id_cannot_change_the_path(tokens, sandbox):
    with pytest.raises(errors.NotFoundError):
        tokens.get("../../preview/scim/v2/Me")
    assert sandbox.requests[-1].path.startswith("/api/2.0/token-management/tokens/")


def test_delete_revokes_immediately(tokens, obo, sandbox, connected):
    theirs = obo.token_value
    tokens.delete(obo.token_info.token_id)
    with pytest.raises(errors.NotFoundError):
        tokens.get(obo.token_info.token_id)
    sandbox_of_theirs = type("Door", (), {"host": sandbox.host, "token": theirs})
    with pytest.raises(errors.AuthenticationError):
        connected(sandbox_of_theirs).me()


def test_a_deletion_with_a_lost_response_succeeds_if_the_token_no_longer_exists(connected, sandbox, obo):
    sandbox.faults.add(Fault(method="DELETE", drop=True, after_handler=True, times=1))
    with_retries = connected(sandbox, retries=RetryPolicy(budget_seconds=30, first_wait_seconds=0.01))
    with_retries.token_management.delete(obo.token_info.token_id)
    assert [record.method for record in sandbox.requests].count("DELETE") == 2


def test_deleting_a_missing_token_is_an_error(tokens):
    with pytest.raises(errors.NotFoundError):
        tokens.delete("0" * 64)


def test_an_obo_token_acts_as_its_service_principal(obo, sandbox, connected, service_principal):
    as_it = connected(type("Door", (), {"host": sandbox.host, "token": obo.token_value}))
    assert as_it.me() == service_principal.application_id
    assert obo.token_info.owner_id == service_principal.id
    assert obo.token_info.comment == "made by a test"
    assert obo.token_info.expiry_time - obo.token_info.creation_time == pd.Timedelta(seconds=600)


def test_every_optional_argument_of_create_obo_token_arrives(tokens, service_principal):
    made = tokens.create_obo_token(
        service_principal.application_id,
        autoscope_enabled=True,
        comment="c",
        lifetime_seconds=60,
        scopes=("sql", "clusters"),
    )
    info = tokens.get(made.token_info.token_id)
    tokens.delete(info.token_id)
    assert (info.comment, info.scopes) == ("c", ["sql", "clusters"])
    assert info.autoscope_state == "AUTOSCOPE_STATE_RUNNING"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"application_id": "no-such-one"}, errors.InvalidParameterError),
        ({"lifetime_seconds": 0}, errors.InvalidParameterError),
        ({"lifetime_seconds": -1}, errors.InvalidParameterError),
        ({"lifetime_seconds": 731 * 86400}, errors.InvalidParameterError),
    ],
)
def test_an_invalid_setting_of_a_new_token_is_an_invalid_parameter(tokens, service_principal, arguments, error):
    arguments = {"application_id": service_principal.application_id} | arguments
    with pytest.raises(error) as raised:
        tokens.create_obo_token(**arguments)
    assert isinstance(raised.value, ValueError)


def test_an_obo_token_shows_its_value_only_on_request(obo, caplog):
    value = obo.token_value
    assert type(value) is str
    assert value.startswith("dapi")
    caplog.set_level(logging.DEBUG)
    logging.getLogger("x").debug("%s %r", obo, obo)
    for shown in (
        repr(obo),
        str(obo),
        f"{obo}",
        repr([obo]),
        caplog.text,
        repr(obo.token_info),
        str(OboToken.__dict__),
    ):
        assert value not in shown
    assert not hasattr(obo, "__dict__")
    assert not hasattr(obo, "_repr_html_")
    for write_down in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled"):
            write_down(obo)


@pytest.mark.parametrize(
    "mask",
    ["comment,scopes", ["comment", "scopes"], type("FieldMask", (), {"ToJsonString": lambda _: "comment,scopes"})()],
)
def test_update_changes_the_fields_of_the_mask(tokens, obo, mask):
    changed = tokens.update_token_management(obo.token_info.token_id, {"comment": "new", "scopes": ["sql"]}, mask)
    assert (changed.comment, changed.scopes) == ("new", ["sql"])
    assert tokens.get(obo.token_info.token_id) == changed


def test_update_sends_only_the_fields_of_the_mask(tokens, obo):
    changed = tokens.update_token_management(
        obo.token_info.token_id, TokenInfo(comment="only this", owner_id=1), "comment"
    )
    assert (changed.comment, changed.owner_id) == ("only this", obo.token_info.owner_id)


@pytest.mark.parametrize(
    ("mask", "sent"),
    [("comment", {"comment": "new"}), ("*", {"owner_id": 1, "comment": "new", "scopes": ["sql"]})],
)
def test_an_update_has_no_field_in_its_body_that_the_mask_does_not_name(serve, mask, sent):
    with serve(lambda _: reply({"token_id": "x"})) as server:
        api = TokenManagementAPI(Transport(from_token(server.host, "secret")))
        api.update_token_management("x", {"owner_id": 1, "comment": "new", "scopes": ["sql"]}, mask)
    body = json.dumps({"token": sent, "update_mask": mask})
    assert f"\r\nContent-Length: {len(body)}\r\n" in server.requests[0]


def test_update_of_an_immutable_field_is_an_error(tokens, obo):
    with pytest.raises(errors.InvalidParameterError):
        tokens.update_token_management(obo.token_info.token_id, {"owner_id": 1}, "owner_id")


def test_permission_levels_include_can_manage(tokens):
    levels = tokens.get_permission_levels()
    assert levels["permission_level"].tolist() == LEVELS
    assert levels["description"].str.len().gt(0).all()


def test_get_permissions_has_a_row_for_admins_with_can_manage(tokens):
    permissions = tokens.get_permissions()
    assert list(permissions.columns) == frames.PERMISSIONS.names
    admins = permissions[permissions["group_name"] == "admins"]
    assert admins["permission_level"].tolist() == ["CAN_MANAGE"]
    assert admins["inherited"].tolist() == [False]
    named = permissions[["user_name", "group_name", "service_principal_name"]].notna().sum(axis=1)
    assert named.eq(1).all()


@pytest.mark.parametrize("call", ["get_permissions", "set_permissions", "update_permissions"])
def test_a_workspace_that_never_had_a_token_is_distinguished_from_one_without_tokens(fresh_sandbox, connected, call):
    body = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"}
    fresh_sandbox.faults.add(Fault(path="/api/2.0/permissions/*", status=404, body=body))
    with pytest.raises(errors.NotFoundError, match="created with the first token") as raised:
        getattr(connected(fresh_sandbox).token_management, call)()
    assert raised.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_setting_the_current_permissions_changes_nothing(fresh_sandbox, connected):
    api = connected(fresh_sandbox).token_management
    before, tokens = api.get_permissions(), api.list()
    after = api.set_permissions(before)
    by_principal = ["group_name", "user_name", "service_principal_name"]
    pd.testing.assert_frame_equal(
        after.sort_values(by_principal, ignore_index=True), before.sort_values(by_principal, ignore_index=True)
    )
    assert set(api.list()["token_id"]) == set(tokens["token_id"])


def test_an_inherited_row_of_a_frame_is_not_made_direct(fresh_sandbox, connected):
    api = connected(fresh_sandbox).token_management
    before = api.get_permissions()
    users = before.iloc[[0]].assign(group_name="users", permission_level="CAN_USE", inherited=True)
    after = api.set_permissions(pd.concat([before, users]))
    assert "users" not in set(after["group_name"].dropna())


class SdkRequest:
    def __init__(self, **entry):
        self._entry = entry

    def as_dict(self):
        return self._entry


@pytest.mark.parametrize(
    "make",
    [lambda **entry: [entry], lambda **entry: [SdkRequest(**entry)], lambda **entry: pd.DataFrame([entry])],
    ids=["dicts", "SDK objects", "a frame"],
)
def test_every_form_of_an_access_control_list_is_accepted(fresh_sandbox, connected, make):
    api = connected(fresh_sandbox).token_management
    after = api.update_permissions(make(group_name="users", permission_level="CAN_USE"))
    assert after.loc[after["group_name"] == "users", "permission_level"].tolist() == ["CAN_USE"]


def test_principals_that_lose_the_permission_lose_their_tokens(fresh_sandbox, connected):
    api = connected(fresh_sandbox).token_management
    before = len(api.list())
    after = api.set_permissions([{"group_name": "admins", "permission_level": "CAN_MANAGE"}])
    assert after["group_name"].tolist() == ["admins"]
    assert 0 < len(api.list()) < before


@pytest.mark.parametrize(
    ("entry", "names"),
    [
        ({"permission_level": "CAN_USE"}, "permission_level"),
        (
            {"group_name": "a", "user_name": "b", "permission_level": "CAN_USE"},
            "user_name, group_name, permission_level",
        ),
        ({"group_name": "a", "user_name": None}, "group_name"),
        ({}, "none of them"),
    ],
)
def test_an_entry_without_exactly_one_principal_and_level_is_an_error_before_any_request(tokens, sandbox, entry, names):
    with pytest.raises(errors.UsageError) as raised:
        tokens.set_permissions([entry])
    assert str(raised.value) == (
        "An entry of an access control list requires one of user_name, group_name, service_principal_name and a "
        f"permission_level, but this one has {names}."
    )
    assert not list(sandbox.requests)


@pytest.mark.parametrize("field", ["user", "group", "service_principal"])
def test_an_entry_with_a_misspelled_field_names_the_right_one(tokens, field):
    with pytest.raises(errors.UsageError, match=rf"this one has permission_level\. Did you mean {field}_name\?$"):
        tokens.set_permissions([{field: "a", "permission_level": "CAN_USE"}])


@pytest.mark.parametrize("response", ['{"token_infos": {}}', '{"token_infos": [1]}'])
def test_a_listing_of_the_wrong_form_is_an_error_and_not_an_empty_frame(tokens, sandbox, response):
    sandbox.faults.add(Fault(status=200, body=response))
    with pytest.raises(errors.InvalidResponseError, match="token_infos"):
        tokens.list()


def test_a_response_without_the_token_is_an_error(tokens, sandbox):
    sandbox.faults.add(Fault(status=200, body="{}"))
    with pytest.raises(errors.InvalidResponseError, match="token_info"):
        tokens.get("a" * 64)


@pytest.mark.parametrize("wrong", ["group:analysts", {"group_name": "analysts"}, [None]])
def test_a_value_that_is_not_a_list_of_entries_is_an_error(workspace, wrong):
    with pytest.raises(errors.UsageError, match="Pass a list of entries such as"):
        workspace.token_management.update_permissions(wrong)


def listing_of(*tokens):
    return Fault(path="*/token-management/tokens", status=200, body={"token_infos": list(tokens)})


def test_identical_entries_of_a_token_are_merged(workspace, sandbox):
    one, other = {"token_id": "a", "comment": "x", "new": 1}, {"token_id": "b"}
    without = {"token_id": "a", "comment": "x", "new": 1, "scopes": None}
    sandbox.faults.add(listing_of(one, other, without, other, one, {"comment": "no id"}, {"comment": "no id"}))
    listing = workspace.token_management.list()
    assert listing["token_id"].fillna("").tolist() == ["a", "b", "", ""]
    assert listing["new"].fillna(0).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "changed", [{"owner_id": 8}, {"comment": None}, {"new": 2}, {"new": [1]}, {"scopes": ["sql"]}, {"expiry_time": -1}]
)
def test_different_entries_of_a_token_are_an_error_that_names_it(workspace, sandbox, changed):
    token = {"token_id": "f" * 64, "owner_id": 7, "comment": "x", "new": 1}
    sandbox.faults.add(listing_of(token, {"token_id": "b"}, token | changed))
    for listed in (workspace.token_management.list, workspace.tokens):
        with pytest.raises(errors.InvalidResponseError, match="f" * 64):
            listed()


@pytest.mark.parametrize("value", [None, "", " ", 7, ["dapi"]])
def test_a_new_token_without_a_value_is_an_error_that_names_it(tokens, sandbox, value):
    body = {"token_info": {"token_id": "ab" * 32}, "token_value": value}
    sandbox.faults.add(Fault(path="*/on-behalf-of/tokens", status=200, body=body))
    with pytest.raises(errors.InvalidResponseError, match=f"created token {'ab' * 32}, but its value"):
        tokens.create_obo_token("x")


@pytest.mark.parametrize("info", [None, {}, [], {"token_id": "ab" * 32, "scopes": {"a": 1}}, {"owner_id": "x"}])
def test_a_new_token_that_cannot_be_read_is_an_error_that_does_not_show_its_value(tokens, sandbox, info):
    secret = "dapi" + "0123456789abcdef" * 2
    sandbox.faults.add(
        Fault(path="*/on-behalf-of/tokens", status=200, body={"token_info": info, "token_value": secret})
    )
    with pytest.raises(errors.InvalidResponseError, match="Revoke the token") as error:
        tokens.create_obo_token("x")
    frames = [frame for frame, _ in traceback.walk_tb(error.tb) if "tokenkit" in frame.f_code.co_filename]
    assert not any(secret in repr(frame.f_locals) for frame in frames)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda api: api.create_obo_token("x", scopes="sql"), "scopes must be a list, and each value of type str."),
        (lambda api: api.create_obo_token("x", scopes=[5]), "scopes must be a list, and each value of type str."),
        (
            lambda api: api.update_token_management("a", {}, ["comment", 5]),
            "update_mask must be a list, and each value of type str.",
        ),
        (lambda api: api.update_token_management("a", "new", "comment"), "token must be a dict, not str."),
        (lambda api: api.get(""), "A token id must be a string of 64 hexadecimal digits, not ''."),
        (lambda api: api.delete(5), "A token id must be a string of 64 hexadecimal digits, not 5."),
    ],
)
def test_an_argument_that_cannot_be_sent_is_named_before_any_request(tokens, sandbox, call, message):
    with pytest.raises(errors.UsageError) as raised:
        call(tokens)
    assert str(raised.value) == message
    assert not list(sandbox.requests)


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_response_to_an_update_is_the_token_itself_or_wraps_it(tokens, sandbox, wrapped):
    info = {"token_id": "a" * 64, "comment": "new"}
    sandbox.faults.add(Fault(method="PATCH", status=200, body={"token_info": info} if wrapped else info))
    changed = tokens.update_token_management("a" * 64, {"comment": "new"}, "comment")
    assert (changed.token_id, changed.comment) == ("a" * 64, "new")


@pytest.mark.parametrize("call", [lambda api: api.get_permissions(), lambda api: api.update_permissions([])])
def test_permissions_before_the_first_token_are_an_error_that_says_how_to_get_them(tokens, sandbox, call):
    body = {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"}
    sandbox.faults.add(Fault(path="*/authorization/tokens", status=404, body=body))
    with pytest.raises(errors.NotFoundError, match="has no token permissions yet") as raised:
        call(tokens)
    error = raised.value
    assert (error.status, error.error_code, error.workspace) == (404, "RESOURCE_DOES_NOT_EXIST", sandbox.host)
    assert error.request.endswith(" /api/2.0/permissions/authorization/tokens")
    sandbox.faults.clear()
    other = body | {"message": "The principal does not exist"}
    sandbox.faults.add(Fault(path="*/authorization/tokens", status=404, body=other))
    with pytest.raises(errors.NotFoundError, match="The principal does not exist"):
        call(tokens)
