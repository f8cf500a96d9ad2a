"""One workspace in hand: connecting to it, and its tokens with what is known about them."""

import gc
import threading
import time

import pandas as pd
import pytest

import tokenkit
from tokenkit import errors, frames
from tokenkit.sandbox import Sandbox

DERIVED = [
    "status",
    "never_expires",
    "age_days",
    "lifetime_days",
    "expires_in_days",
    "idle_days",
    "effective_end",
    "owner",
    "owner_kind",
    "owner_active",
]


def test_connect_to_the_sandbox_starts_one_in_this_process_and_says_so(capsys):
    workspace = tokenkit.connect("sandbox", tokens=40, seed=3)
    assert "sandbox" in capsys.readouterr().err
    assert workspace.name == "sandbox"
    assert len(workspace.token_management.list()) == 40
    assert workspace.me() == "admin@example.com"
    workspace.sandbox.stop()


def test_the_same_seed_and_clock_make_the_same_sandbox():
    listings = []
    for seed in (5, 5, 6):
        workspace = tokenkit.connect("sandbox", tokens=30, seed=seed, clock="2026-03-01")
        listings.append(workspace.token_management.list())
        workspace.sandbox.stop()
    pd.testing.assert_frame_equal(listings[0], listings[1])
    assert listings[0]["token_id"].tolist() != listings[2]["token_id"].tolist()


@pytest.mark.parametrize(
    "clock",
    [
        "2026-03-01 09:30",
        pd.Timestamp("2026-03-01 10:30", tz="Europe/Berlin"),
        lambda: pd.Timestamp("2026-03-01 09:30Z"),
    ],
)
def test_the_clock_is_a_moment_in_any_zone_or_a_function(sandbox, connected, clock):
    assert connected(sandbox, clock=clock).now() == pd.Timestamp("2026-03-01 09:30", tz="UTC")


def test_tokens_are_the_listing_with_the_derived_columns_of_the_contract(workspace):
    tokens = workspace.tokens()
    assert list(tokens.columns) == [*frames.TOKEN_COLUMNS, *DERIVED]
    pd.testing.assert_frame_equal(tokens[list(frames.TOKEN_COLUMNS)], workspace.token_management.list())


def test_an_empty_listing_has_the_derived_columns_and_their_dtypes_too(workspace):
    nothing = workspace.tokens(created_by="nobody@example.com")
    assert len(nothing) == 0
    pd.testing.assert_series_equal(nothing.dtypes, workspace.tokens().dtypes)


def test_the_owner_is_who_a_token_acts_as(workspace):
    tokens, principals = workspace.tokens(), workspace.service_principals()
    theirs = tokens[tokens["owner_id"] == principals["id"].iloc[0]]
    assert theirs["owner"].eq(principals["display_name"].iloc[0]).all()
    assert theirs["owner_kind"].eq("service principal").all()
    assert set(tokens["owner_kind"]) == {"user", "service principal", "deleted"}


def test_filters_and_where_hold_together(workspace):
    everything = workspace.tokens()
    found = workspace.tokens("idle_days > 30", status="active", owner="*@example.com")
    expected = everything[
        (everything["idle_days"] > 30)
        & (everything["status"] == "active")
        & everything["owner"].str.endswith("@example.com")
    ]
    assert 0 < len(found) < len(everything)
    pd.testing.assert_frame_equal(found, expected)


def test_created_by_is_asked_of_the_server(workspace, sandbox):
    creator = workspace.tokens().iloc[2]["created_by_username"]
    sandbox.requests.clear()
    assert set(workspace.tokens(created_by=creator)["created_by_username"]) == {creator}
    assert sandbox.requests[0].query == {"created_by_username": creator}


def test_an_unknown_filter_is_refused_before_anything_is_asked(workspace, sandbox):
    with pytest.raises(errors.UsageError, match="Did you mean owner"):
        workspace.tokens(ownr="x")
    assert not list(sandbox.requests)


def test_a_sandbox_says_what_it_is_and_what_it_is_not(capsys, monkeypatch, tmp_path):
    (tmp_path / "databrickscfg").write_text("[sandbox]\nhost = https://sandbox.cloud.databricks.com\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "databrickscfg"))
    workspace = tokenkit.connect("sandbox", tokens=5)
    assert repr(workspace) == "<Workspace sandbox, signed in by the sandbox in this process>"
    said = capsys.readouterr().err
    assert "nothing of it is real" in said
    assert "Your profile 'sandbox' was not used" in said
    workspace.sandbox.stop()


def test_a_sandbox_lives_as_long_as_anything_speaks_with_it():
    before = threading.active_count()
    for _ in range(3):  # as a first cell that is run again
        api = tokenkit.connect("sandbox", tokens=5).token_management
        gc.collect()
        assert len(api.list()) == 5
    del api
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_only_a_sandbox_of_this_process_is_taken_for_one(sandbox):
    for host in (sandbox.host, "https://sandbox.cloud.databricks.com"):
        workspace = tokenkit.connect(host=host, token=sandbox.token)
        assert workspace.sandbox is None
        assert workspace.name == host
        assert repr(workspace) == f"<Workspace {host}, signed in by arguments>"


def test_a_sandbox_takes_no_address_to_listen_on():
    for setting in ("host", "address", "bind"):
        with pytest.raises(TypeError):
            Sandbox(**{setting: "0.0.0.0"})  # noqa: S104 - that is the point
