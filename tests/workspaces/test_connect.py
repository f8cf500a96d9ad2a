"""Connecting: what is named is found, and a sandbox is started where one is asked for and nowhere else."""

import gc
import threading
import time

import pandas as pd
import pytest

import tokenkit


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


@pytest.mark.parametrize(
    "given",
    [
        *({name: value} for name in ("tokens", "workspaces") for value in (0, -1, 1.5, "3", True, [])),
        *({"seed": value} for value in (-1, 1.5, "x")),
        *({"home": value} for value in (5, "", b"x", [])),
        *({"clock": value} for value in ("x", "", 5, [], "NaT", "99999-01-01")),
    ],
)
def test_an_invalid_argument_is_rejected_with_the_valid_values(given):
    (name,) = given
    with pytest.raises(
        tokenkit.UsageError, match=f"^{name} must be (a whole number, (at least|from)|a time|the path of a folder)"
    ):
        tokenkit.connect("sandbox", **given)


@pytest.mark.parametrize("workers", [0, -1, 1.5, "x", None, 10**9])
def test_workers_are_a_number_that_can_be(ws, workers):
    plan = ws.revoke(ws.tokens().head(1))
    with pytest.raises(tokenkit.UsageError, match="workers must be a whole number, from 1 to 1,000"):
        plan.apply(workers=workers)
    assert len(ws.runs()) == 0
