"""What a workspace has, a fleet has: the same methods and parameters, and frames with the workspace first."""

import inspect

import pandas as pd
import pytest

import tokenkit
from tests.fleets.examples import hands, hosts_of, victims_of
from tokenkit.fleets.fleet import Fleet
from tokenkit.output.snapshots import write_snapshot
from tokenkit.workspaces.workspace import Workspace

ONE_WORKSPACE_ONLY = {
    "close",
    "has_system_clock",
    "identify",
    "identities",
    "me",
    "owners",
    "plan_context",
    "put_secret",
    "read_settings",
    "review_access",
    "secret_keys",
    "secret_scopes",
    "token_settings",
    "workspace_id",
}
"""What docs/reference/fleet.rst says that a fleet does not have, or what is no part of what is documented."""


def public(kind):
    return {name for name in dir(kind) if not name.startswith("_")}


def test_a_fleet_has_every_method_of_a_workspace_but_those_that_are_of_one_only():
    assert public(Workspace) - public(Fleet) == ONE_WORKSPACE_ONLY


@pytest.mark.parametrize("name", sorted(public(Workspace) & public(Fleet)))
def test_the_parameters_are_those_of_the_workspace_in_the_same_order(name):
    one, many = (list(inspect.signature(getattr(kind, name)).parameters) for kind in (Workspace, Fleet))
    assert one == many


def test_plan_revocation_and_plan_undo_are_revoke_and_undo():
    for kind in (Workspace, Fleet):
        assert kind.plan_revocation is kind.revoke
        assert kind.plan_undo is kind.undo


@pytest.mark.parametrize("name", ["users", "service_principals", "groups", "scopes"])
def test_a_frame_is_that_of_each_workspace_with_its_address_first(companies, fleet, name):
    everything = getattr(fleet, name)()
    assert everything.columns[0] == "workspace"
    for workspace in hands(companies):
        part = everything[everything["workspace"] == workspace.host].drop(columns="workspace").reset_index(drop=True)
        pd.testing.assert_frame_equal(part, getattr(workspace, name)().reset_index(drop=True))
    assert everything["workspace"].drop_duplicates().tolist() == list(fleet.hosts)


def test_scopes_are_chosen_by_the_workspace_as_well(companies, fleet):
    host = hosts_of(companies)[1]
    chosen = fleet.scopes(f"workspace == '{host}' and advice == 'narrow'")
    assert set(chosen["workspace"]) == {host}
    assert set(chosen["advice"]) == {"narrow"}


def comments_of(fleet, tokens):
    listing = fleet.listing().set_index(["workspace", "token_id"])["comment"]
    return listing.loc[pd.MultiIndex.from_frame(tokens[["workspace", "token_id"]])].tolist()


def test_an_update_of_several_workspaces_is_one_run_that_can_be_undone(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    chosen = victims_of(fleet, each=2)
    before = comments_of(fleet, chosen)
    plan = fleet.plan_update(chosen, comment="rotated", reason="a test")
    assert (len(plan), plan.summary().doing, plan.summary().count) == (6, "change 6 tokens", 6)
    assert plan.preview()["new_comment"].tolist() == ["rotated"] * 6
    assert "6 tokens on 3 workspaces will be changed" in repr(plan)
    assert comments_of(fleet, chosen) == before  # nothing changed yet
    result = plan.apply(progress=False)
    assert result["outcome"].tolist() == ["updated"] * 6
    assert comments_of(fleet, chosen) == ["rotated"] * 6
    undo = fleet.undo(plan.run_id)
    assert set(undo.token_ids) == set(plan.token_ids)  # the workspaces are recorded in any order
    assert undo.apply(progress=False)["outcome"].tolist() == ["updated"] * 6
    assert comments_of(fleet, chosen) == before


def test_each_token_gets_the_values_of_its_own_row(own_companies, tmp_path):
    fleet = tokenkit.fleet(hands(own_companies, tmp_path))
    chosen = victims_of(fleet, each=1)
    wanted = [f"comment {number}" for number in range(len(chosen))]
    fleet.plan_update(chosen.assign(new_comment=wanted)).apply(progress=False)
    assert comments_of(fleet, chosen) == wanted


def test_scopes_of_all_workspaces_are_narrowed_as_each_workspace_would(companies, fleet):
    plan = fleet.plan_scopes()
    assert plan.token_ids == tuple(token for ws in hands(companies) for token in ws.plan_scopes().token_ids)
    with pytest.raises(tokenkit.UsageError, match=r"nobody@example\.com"):
        fleet.plan_scopes(owner="nobody@example.com")


def test_what_an_update_does_needs_to_know_which_workspace(fleet):
    with pytest.raises(tokenkit.UsageError, match="in which workspace"):
        fleet.plan_update(["0" * 64], comment="x")


def test_the_snapshots_of_a_fleet_are_those_of_its_workspaces(companies, tmp_path):
    fleet = tokenkit.fleet(hands(companies, tmp_path))
    files = fleet.snapshot_files(tmp_path / "saved")
    saved = fleet.snapshots(tmp_path / "saved")
    assert saved["workspace"].tolist() == list(fleet.hosts)
    assert [str(path) for path in saved["path"]] == [str(path) for path in files.values()]


def test_the_changes_of_a_fleet_are_since_the_newest_snapshots_of_an_age(companies, tmp_path):
    first, second = hands(companies, tmp_path)[:2]
    old, new = (tmp_path / "saved" / name for name in ("old", "new"))
    origin = {"host": first.host, "workspace_id": first.identify(), "workspace": first.name}
    for folder, days, missing in ((old, 8, 2), (new, 1, 1)):
        write_snapshot(
            first.tokens().iloc[:-missing],
            folder / "first.parquet",
            taken_at=first.now() - pd.Timedelta(days=days),
            **origin,
        )
    fleet = tokenkit.fleet([first, second])
    second.snapshot(new)
    for since, created in (None, 1), ("2d", 2), ("7d", 2), (first.now() - pd.Timedelta(days=2), 2):
        found = fleet.changes(tmp_path / "saved", since=since)
        assert found["change"].tolist() == ["created"] * created
        assert found["workspace"].tolist() == [first.host] * created
        without = [] if since is None else [second.host]  # its only snapshot is of now
        assert fleet.errors["workspace"].tolist() == without
        assert first.changes(tmp_path / "saved", since=since)["change"].tolist() == ["created"] * created
    with pytest.raises(tokenkit.UsageError, match="has no snapshot from before"):
        fleet.changes(tmp_path / "saved", since="9d")
    with pytest.raises(tokenkit.UsageError, match="'7' is neither a duration nor a date"):
        fleet.changes(tmp_path / "saved", since="7")


def test_a_workspace_lists_its_changes_since_its_newest_snapshot(own_companies, tmp_path):
    workspace = hands(own_companies, tmp_path)[0]
    with pytest.raises(tokenkit.ConfigurationError, match="has no snapshot"):
        workspace.changes()
    assert list(workspace.snapshot_files()) == [workspace.host]
    victim = victims_of(tokenkit.fleet([workspace]), each=1)
    plan = workspace.plan_revocation(victim)
    plan.apply(progress=False)
    (change,) = workspace.changes().to_dict("records")
    assert (change["change"], change["cause"], change["run_id"]) == ("removed", "revoked_by_tokenkit", plan.run_id)
    assert len(workspace.listing()) == len(workspace.tokens())
