"""The verbs of one workspace over many: what they answer, whatever is empty or missing, and what they refuse."""

from urllib.parse import quote

import duckdb
import pandas as pd
import pytest

import tokenkit
from tests.fleets.examples import LISTING, hands, hosts_of, victims_of
from tokenkit import frames
from tokenkit.review import lifecycle
from tokenkit.review.lifecycle import with_lifecycle
from tokenkit.sandbox import Fault


def test_tokens_are_those_of_each_workspace_with_its_host_before_them(companies, fleet):
    tokens = fleet.tokens()
    assert len(fleet) == 4
    assert fleet.hosts == tuple(hosts_of(companies))
    assert list(tokens.columns[:2]) == ["workspace", "token_id"]
    for workspace in hands(companies):
        part = tokens[tokens["workspace"] == workspace.host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, workspace.tokens())
    assert tokens["workspace"].drop_duplicates().tolist() == list(fleet.hosts)
    assert len(fleet.errors) == 0
    assert list(fleet.errors.columns) == ["workspace", "operation", "error_type", "message"]


def test_the_tokens_of_all_workspaces_are_worked_on_at_once(companies, fleet, monkeypatch):
    looked_at = []

    def counting(tokens, **more):
        looked_at.append(tokens["workspace"].nunique())
        return with_lifecycle(tokens, **more)

    monkeypatch.setattr(lifecycle, "with_lifecycle", counting)
    fleet.tokens()
    assert looked_at == [len(companies.workspaces)]


def test_ages_are_counted_to_each_workspace_s_own_moment(companies):
    moments = ["2026-03-01", "2026-04-10"]
    two = [
        tokenkit.connect(host=each.host, token=each.token, clock=moment)
        for each, moment in zip(companies.workspaces, moments, strict=False)
    ]
    tokens = tokenkit.fleet(two).tokens()
    for workspace in two:
        part = tokens[tokens["workspace"] == workspace.host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, workspace.tokens())


def test_a_listing_is_what_the_workspaces_list(companies, fleet):
    listing = fleet.listing()
    for workspace in hands(companies):
        part = listing[listing["workspace"] == workspace.host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, workspace.token_management.list())
    assert {each.path for each in companies.requests} == {LISTING}


def test_filters_hold_in_every_workspace_and_where_sees_the_column_workspace(companies, fleet):
    host = companies.workspaces[2].host
    found = fleet.tokens(f"workspace == '{host}'", status="active", owner="*@example.com")
    assert set(found["workspace"]) == {host}
    assert fleet.tokens(status="active").index.equals(pd.RangeIndex(len(fleet.tokens(status="active"))))
    pd.testing.assert_frame_equal(
        found.drop(columns="workspace").reset_index(drop=True),
        hands(companies)[2].tokens(status="active", owner="*@example.com").reset_index(drop=True),
    )
    mine = fleet.tokens(created_by="admin@example.com")
    assert len(mine) > len(mine[mine["created_by_username"] == "admin@example.com"]) == 4
    assert len(fleet.tokens(created_by="ADMIN@example.com")) == len(mine)
    for host in fleet.hosts:
        alone = fleet.workspace(host)
        principals = alone.service_principals()
        application_id = principals["application_id"][principals["id"].isin(alone.tokens()["owner_id"])].iloc[0]
        theirs = fleet.tokens(owner=application_id)
        assert theirs["token_id"][theirs["workspace"] == host].tolist() == (
            alone.tokens(owner=application_id)["token_id"].tolist()
        )
    assert len(fleet.tokens(created_by=["admin@example.com", "nobody"], owner=["admin@example.com", "*"])) == len(mine)


def test_access_is_that_of_each_workspace(companies, fleet):
    everybody = fleet.access()
    assert everybody["workspace"].nunique() == 4
    first = everybody[everybody["workspace"] == companies.host].drop(columns="workspace").reset_index(drop=True)
    pd.testing.assert_frame_equal(first, hands(companies)[0].access())
    assert fleet.access("tokens_without_permission")["tokens_without_permission"].all()


def test_a_fleet_names_its_workspaces(companies, fleet):
    assert repr(fleet).startswith(f"<Fleet of {len(fleet)} workspaces: {fleet.labels[fleet.hosts[0]]}, ")
    one = tokenkit.fleet([fleet.workspace(companies.workspaces[0].host)])
    assert repr(one) == f"<Fleet of 1 workspace: {one.labels[one.hosts[0]]}>"


def test_a_fleet_of_one_is_that_workspace(companies):
    workspace = hands(companies)[0]
    tokens = tokenkit.fleet(workspace).tokens()
    pd.testing.assert_frame_equal(tokens.drop(columns="workspace"), workspace.tokens())


# Snapshots


def test_snapshots_are_one_data_set_that_pandas_and_duckdb_read(companies, fleet, tmp_path):
    folder = fleet.snapshot(tmp_path / "lake")
    places = [quote(host.removeprefix("http://"), safe="") for host in hosts_of(companies)]
    assert sorted(each.name for each in folder.iterdir()) == sorted(f"workspace={place}" for place in places)
    assert {each.name for each in folder.glob("*/*")} == {"day=2026-03-01"}
    read = pd.read_parquet(folder)
    tokens = fleet.tokens()
    assert sorted(read["token_id"]) == sorted(tokens["token_id"])
    assert set(read["host"]) == set(fleet.hosts)
    assert set(read["day"].astype(str)) == {"2026-03-01"}
    files = f"{folder}/**/*.parquet"
    counts = duckdb.read_parquet(files, hive_partitioning=True).aggregate("workspace, host, day, count(*) AS n").df()
    assert counts["n"].tolist() == [80] * 4
    assert [str(day)[:10] for day in counts["day"]] == ["2026-03-01"] * 4


def test_changes_are_those_of_each_workspace_since_its_newest_snapshot(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path / "home"))
    with pytest.raises(tokenkit.FleetError, match="has no snapshot"):
        fleet.changes()
    fleet.snapshot()
    assert len(fleet.changes()) == 0
    victims = victims_of(fleet, each=2)
    fleet.revoke(victims).apply(progress=False)
    changed = fleet.changes()
    assert changed["change"].tolist() == ["removed"] * 6
    assert set(changed["cause"]) == {"revoked_by_tokenkit"}
    assert set(changed[["workspace", "token_id"]].itertuples(index=False, name=None)) == set(
        victims[["workspace", "token_id"]].itertuples(index=False, name=None)
    )


# Dtypes


def test_concat_keeps_the_dtypes_whatever_is_empty_missing_or_absent():
    full = frames.frame(
        [{"token_id": "a", "owner_id": 2**62, "scopes": ["x"], "expiry_time": 1, "risk": 3}], frames.TOKENS
    )
    bare = frames.frame([{"token_id": "b"}], frames.TOKENS)
    nothing = frames.frame([], frames.TOKENS)
    for parts in ([full, bare, nothing], [nothing, bare, full], [bare, nothing], [nothing, nothing]):
        together = frames.concat(parts)
        known = together[list(frames.TOKEN_COLUMNS)]
        assert known.dtypes.to_dict() == nothing.dtypes.to_dict()
        assert len(together) == sum(map(len, parts))
    together = frames.concat([bare, full])
    assert str(together["risk"].dtype) == "Int64"
    assert together["risk"].tolist() == [pd.NA, 3]
    assert together["owner_id"].tolist() == [pd.NA, 2**62]
    assert together["scopes"].tolist()[1] == ["x"]


def test_an_unknown_field_of_two_kinds_keeps_its_values():
    texts, numbers = ({"token_id": "a", "risk": value} for value in ("high", 3))
    nothing_there = {"token_id": "c", "risk": None}
    parts = [frames.frame([row], frames.TOKENS) for row in (texts, numbers, nothing_there)]
    assert frames.concat(parts)["risk"].tolist()[:2] == ["high", 3]
    assert str(frames.concat([parts[2], parts[1]])["risk"].dtype) == "Int64"


def test_the_frame_of_a_fleet_has_the_dtypes_of_a_workspace_s(companies, fleet):
    one = hands(companies)[0].tokens()
    several = fleet.tokens()
    assert several.dtypes.drop("workspace").to_dict() == one.dtypes.to_dict()
    assert several["workspace"].dtype == frames.TEXT
    nothing = fleet.tokens(owner="nobody at all")
    assert len(nothing) == 0
    assert nothing.dtypes.to_dict() == several.dtypes.to_dict()


def test_a_field_that_only_one_workspace_has_is_empty_for_the_others(companies, fleet):
    body = {"token_infos": [{"token_id": "a" * 64, "risk": "high", "comment": "<script>alert(1)</script>"}]}
    companies.faults.add(Fault(workspace_id=companies.workspaces[3].workspace_id, path=LISTING, status=200, body=body))
    tokens = fleet.tokens()
    assert tokens["risk"].dropna().tolist() == ["high"]
    assert fleet.tokens("risk == 'high'")["workspace"].tolist() == [companies.workspaces[3].host]
    listing = fleet.listing()
    assert listing[listing["risk"].notna()]["workspace"].tolist() == [companies.workspaces[3].host]


def test_a_workspace_without_a_token_has_no_row_in_a_listing(companies, fleet):
    dtypes = fleet.listing().dtypes
    companies.faults.add(Fault(workspace_id=companies.workspaces[1].workspace_id, path=LISTING, status=200, body={}))
    listing = fleet.listing()
    assert set(listing["workspace"]) == set(fleet.hosts) - {companies.workspaces[1].host}
    pd.testing.assert_series_equal(listing.dtypes, dtypes)
    companies.faults.add(Fault(path=LISTING, status=200, body={}))
    nothing = fleet.listing()
    assert len(nothing) == 0
    pd.testing.assert_series_equal(nothing.dtypes, dtypes)


def test_a_workspace_where_no_token_was_ever_made_has_no_permissions(companies, fleet):
    companies.faults.add(
        Fault(
            workspace_id=companies.workspaces[1].workspace_id,
            path="*/permissions/authorization/tokens",
            status=404,
            body={"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "tokens tokens does not exist"},
        )
    )
    permissions = fleet.permissions()
    assert set(permissions["workspace"]) == set(fleet.hosts) - {fleet.hosts[1]}
    assert len(fleet.errors) == 0
    for workspace in (hands(companies)[0], hands(companies)[2]):
        part = permissions[permissions["workspace"] == workspace.host].drop(columns="workspace")
        pd.testing.assert_frame_equal(part.reset_index(drop=True), workspace.token_management.get_permissions())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda tokens: tokens["token_id"], "in which workspace"),
        (lambda tokens: tokens["token_id"].tolist(), "in which workspace"),
        (lambda tokens: tokens.drop(columns="workspace"), "in which workspace"),
        (lambda tokens: tokens.assign(workspace="https://elsewhere.example.com"), "not a workspace of this fleet"),
        (lambda tokens: tokens.assign(workspace=None), "must name a workspace in each row"),
    ],
)
def test_tokens_without_a_workspace_of_the_fleet_are_rejected(fleet, companies, change, words):
    tokens = fleet.tokens().head(3)
    companies.requests.clear()
    with pytest.raises(tokenkit.UsageError, match=words):
        fleet.revoke(change(tokens))
    assert len(companies.requests) == 0
