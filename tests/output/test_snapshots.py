"""Snapshots: the same frame is read back, other tools can read the file, and it contains no secret."""

import json
import os
import re
import stat

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tokenkit
from tests.conftest import NOW
from tests.fleets.examples import behind_one_host
from tokenkit import errors, frames
from tokenkit.core.redaction import redact
from tokenkit.output import snapshots
from tokenkit.sandbox import Fault

SECRET = "dapi" + "0123456789abcdef" * 2  # concatenated, so that scanners do not report this file


def redacted(tokens):
    return tokens.assign(comment=tokens["comment"].map(redact, na_action="ignore").astype(frames.TEXT))


def test_a_snapshot_is_read_as_the_listing_with_its_dtypes(workspace):
    file = workspace.snapshot()
    back = tokenkit.read_snapshot(file)
    pd.testing.assert_frame_equal(back, redacted(workspace.tokens()))
    assert isinstance(back["scopes"].dropna().iloc[0], list)
    named = {"host": workspace.host, "workspace_id": workspace.workspace_id, "workspace": workspace.name}
    assert back.attrs == named | {"taken_at": NOW.isoformat()}


def test_a_snapshot_of_an_empty_listing_has_columns_and_a_time(workspace, tmp_path):
    nothing = workspace.tokens(created_by="nobody@example.com")
    file = snapshots.write_snapshot(
        nothing, tmp_path / "x.parquet", host="h", workspace_id="17", workspace="w", taken_at=NOW
    )
    back = tokenkit.read_snapshot(file)
    pd.testing.assert_frame_equal(back, nothing)
    assert back.attrs["taken_at"] == NOW.isoformat()


def test_a_raw_listing_and_unknown_fields_are_preserved(tmp_path):
    records = [
        {"token_id": "a", "expiry_time": 253_402_214_400_000, "owner_id": 2**60 + 1, "tier": "x", "policy": {"max": 1}},
        {"token_id": "b", "scopes": ["sql"], "policy": ["y", SECRET]},
    ]
    raw = frames.frame(records, frames.TOKENS)
    back = tokenkit.read_snapshot(
        snapshots.write_snapshot(raw, tmp_path / "x.parquet", host="h", workspace_id="17", workspace="w", taken_at=NOW)
    )
    known = [*frames.TOKEN_COLUMNS, "tier"]
    pd.testing.assert_frame_equal(back[known], raw[known])
    assert [json.loads(value) for value in back["policy"]] == [{"max": 1}, ["y", "[redacted]"]]


def test_a_snapshot_is_named_after_workspace_and_utc_time_and_replaces_none(workspace, tmp_path):
    first, second = workspace.snapshot(tmp_path), workspace.snapshot(tmp_path)
    host = workspace.host.removeprefix("http://").replace(":", "-")
    assert first == tmp_path / f"{host}-20260301T093000Z.parquet"
    assert second == tmp_path / f"{host}-20260301T093000Z-2.parquet"
    berlin = NOW.tz_convert("Europe/Berlin")
    named = snapshots.unused_file(tmp_path, workspace="https://prod.example.com", taken_at=berlin)
    assert named.name == "prod.example.com-20260301T093000Z.parquet"


def test_a_snapshot_is_saved_next_to_the_journal_or_to_a_given_path(workspace, tmp_path):
    assert workspace.snapshot().parent == workspace.folder / "snapshots"
    named = tmp_path / "deep" / "er" / "mine.parquet"
    named_once, named_twice = workspace.snapshot(named), workspace.snapshot(str(named))
    assert named_once == named_twice == named
    assert [path.name for path in named.parent.iterdir()] == ["mine.parquet"]


def test_a_name_of_another_kind_of_file_does_not_become_a_folder(workspace, tmp_path):
    for name in ("x.json", "x.csv", "x.PARQUET"):
        with pytest.raises(errors.UsageError, match=rf"{name} is not a file that ends in \.parquet, or a folder"):
            workspace.snapshot(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "x.json").mkdir()
    assert workspace.snapshot(tmp_path / "x.json").parent == tmp_path / "x.json"
    assert workspace.snapshot(tmp_path / "v1.2").parent == tmp_path / "v1.2"


def test_only_the_owner_can_read_a_snapshot_with_any_umask(workspace):
    before = os.umask(0)
    try:
        file = workspace.snapshot()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_other_tools_can_read_a_snapshot(workspace):
    file, tokens = workspace.snapshot(), workspace.tokens()
    schema = pq.read_schema(file)
    assert b"pandas" not in schema.metadata
    kinds = {re.sub("<.*>", "", str(schema.field(name).type)) for name in schema.names}
    assert kinds == {"string", "int64", "timestamp[ms, tz=UTC]", "list", "bool", "double"}
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = """SELECT host, epoch_ms(taken_at), count(*), max(owner_id), sum(len(scopes)) FROM read_parquet(?)
                   GROUP BY host, taken_at"""
        rows = connection.execute(query, [str(file.parent / "*.parquet")]).fetchall()
    scopes = sum(len(scopes) for scopes in tokens["scopes"].dropna())
    assert rows == [(workspace.host, NOW.timestamp() * 1000, len(tokens), tokens["owner_id"].max(), scopes)]
    plain = pd.read_parquet(file)
    assert plain["token_id"].tolist() == tokens["token_id"].tolist()
    assert plain["expiry_time"].dt.year.max() == 9999


def test_a_secret_in_a_scope_or_the_name_of_a_field_is_not_in_the_file(tmp_path):
    records = [{"token_id": "a", "scopes": ["sql", f"x {SECRET}"], f"{SECRET}-1": 1, f"{SECRET}-2": 2}]
    raw = frames.frame(records, frames.TOKENS)
    file = snapshots.write_snapshot(
        raw, tmp_path / "x.parquet", host="h", workspace_id="17", workspace="w", taken_at=NOW
    )
    back = tokenkit.read_snapshot(file)
    assert back["scopes"].tolist() == [["sql", "x [redacted]"]]
    assert len({*back.columns}) == len(raw.columns)
    assert SECRET not in pq.read_table(file).to_pandas().to_csv()
    assert SECRET.encode() not in file.read_bytes()
    assert raw["scopes"].tolist() == [["sql", f"x {SECRET}"]]


def test_a_secret_in_a_comment_is_not_in_the_file(workspace, tmp_path):
    comments = pd.Series([f"use {SECRET}", "=1+1"], dtype=frames.TEXT)
    tokens = workspace.tokens().head(2).assign(comment=comments)
    file = snapshots.write_snapshot(
        tokens, tmp_path / "x.parquet", host="h", workspace_id="17", workspace="w", taken_at=NOW
    )
    assert tokenkit.read_snapshot(file)["comment"].tolist() == ["use [redacted]", "=1+1"]
    assert SECRET not in pq.read_table(file).to_pandas().to_csv()
    assert tokens["comment"].iloc[0] == f"use {SECRET}"


def test_a_failed_write_keeps_the_old_file(workspace, tmp_path, monkeypatch):
    file = workspace.snapshot(tmp_path / "x.parquet")
    whole = file.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(errors.ConfigurationError, match=r"x\.parquet cannot be written: No space left"):
        workspace.snapshot(file)
    assert file.read_bytes() == whole
    assert [path.name for path in tmp_path.glob("*x*")] == ["x.parquet"]
    assert not list(tmp_path.glob(".*"))


def test_an_unreadable_workspace_creates_no_file(workspace, sandbox, tmp_path):
    sandbox.faults.add(Fault(path="*/Users", status=500))
    with pytest.raises(errors.UnavailableError):
        workspace.snapshot(tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("content", [None, b"not parquet", b"PAR1PAR1"])
def test_a_file_that_is_not_a_snapshot_is_a_one_line_error(tmp_path, content):
    file = tmp_path / "x.parquet"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(errors.UsageError, match=r"x\.parquet is not a snapshot"):
        tokenkit.read_snapshot(file)


def test_another_parquet_file_is_not_a_snapshot(tmp_path):
    pq.write_table(pa.table({"a": [1]}), tmp_path / "x.parquet")
    with pytest.raises(errors.UsageError, match="no snapshot metadata"):
        tokenkit.read_snapshot(tmp_path / "x.parquet")


def odd_snapshots(good):
    """Yield invalid Parquet files with snapshot metadata."""
    table = pq.read_table(good)
    metadata = dict(table.schema.metadata)
    for key, value in [
        (b"tokenkit.taken_at", b"yesterday"),
        (b"tokenkit.taken_at", b"2026-03-01"),
        (b"tokenkit.taken_at", b"\xff"),
        (b"tokenkit.odd", b"\xff"),
        (b"tokenkit.\xff", b"x"),
    ]:
        yield table.replace_schema_metadata(metadata | {key: value})
    for missing in (b"tokenkit.host", b"tokenkit.workspace", b"tokenkit.taken_at"):
        yield table.replace_schema_metadata({key: value for key, value in metadata.items() if key != missing})
    yield table.drop_columns(["token_id"])
    yield table.drop_columns(["host"])
    yield table.set_column(0, "token_id", pa.array([{"a": 1}] * len(table)))
    yield table.set_column(1, "owner_id", pa.array(["x"] * len(table)))


def test_other_files_in_the_folder_are_skipped_or_a_one_line_error(workspace, tmp_path):
    good = workspace.snapshot(tmp_path / "good.parquet")
    tables = [*odd_snapshots(good)]
    for number, table in enumerate(tables):
        pq.write_table(table, tmp_path / f"{number}.parquet")
        with pytest.raises(errors.UsageError, match="is not a snapshot"):
            tokenkit.read_snapshot(tmp_path / f"{number}.parquet")
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "dangling.parquet").symlink_to(tmp_path / "nothing")
    (tmp_path / "text.parquet").write_text("PAR1 and no more PAR1")
    listed = workspace.snapshots(tmp_path)["path"].tolist()
    assert str(good) in listed
    assert len(listed) <= 1 + 4  # those with complete metadata


def test_snapshots_are_listed_oldest_first_with_those_in_folders_and_without_other_workspaces(
    sandbox, connected, tmp_path
):
    later = connected(sandbox, clock=NOW + pd.Timedelta(days=1))
    partition = tmp_path / "workspace=prod" / "day=2026-03-02"
    expected = [connected(sandbox).snapshot(tmp_path), later.snapshot(partition / "x.parquet")]
    snapshots.write_snapshot(
        later.tokens(), tmp_path / "a.parquet", host="other", workspace_id="17", workspace="w", taken_at=NOW
    )
    (tmp_path / "b.parquet").write_bytes(b"something else")
    found = later.snapshots(tmp_path)
    assert found["path"].tolist() == [str(path) for path in expected]
    assert found["taken_at"].tolist() == [NOW, NOW + pd.Timedelta(days=1)]
    assert found["tokens"].tolist() == [300, 300]
    pd.testing.assert_frame_equal(tokenkit.read_snapshot(expected[1]), redacted(later.tokens()))


def test_of_snapshots_with_equal_times_the_last_one_is_the_newest(workspace, tmp_path):
    taken = [workspace.snapshot(tmp_path) for _ in range(11)]
    assert workspace.snapshots(tmp_path)["path"].tolist() == [str(file) for file in taken]


def test_a_name_that_is_too_long_is_a_one_line_error(workspace, tmp_path):
    with pytest.raises(errors.ConfigurationError, match="too long"):
        workspace.snapshot(tmp_path / ("x" * 300))


def test_without_snapshots_the_columns_are_the_same(workspace, tmp_path):
    nothing = workspace.snapshots(tmp_path / "nowhere")
    assert list(nothing.columns) == snapshots.SNAPSHOTS.names
    assert len(nothing) == 0


def test_each_workspace_of_a_host_has_its_own_snapshots(companies, tmp_path):
    first, second = behind_one_host(companies)[:2]
    mine, theirs = first.snapshot(tmp_path), second.snapshot(tmp_path)
    assert first.snapshots(tmp_path)["path"].tolist() == [str(mine)]
    assert second.snapshots(tmp_path)["path"].tolist() == [str(theirs)]
    assert first.snapshots(tmp_path)["workspace_id"].tolist() == [first.workspace_id]
    fleet = tokenkit.fleet([first, second])
    files = fleet.snapshot_files(tmp_path / "all")
    assert list(files) == list(fleet.hosts)
    assert len({file.parent for file in files.values()}) == 2
    assert len(fleet.changes(tmp_path / "all")) == 0


def test_a_snapshot_without_a_workspace_id_belongs_to_no_workspace(workspace, tmp_path):
    """As in files that were written before the id was added."""
    tokens = workspace.tokens()
    old = snapshots.write_snapshot(
        tokens, tmp_path / "old.parquet", host=workspace.host, workspace_id="", workspace="w", taken_at=NOW
    )
    assert len(workspace.snapshots(tmp_path)) == 0
    with pytest.raises(tokenkit.UsageError, match=r"does not say which workspace of that host .* Take a new snapshot"):
        tokenkit.changes(old, tokens)
    with pytest.raises(tokenkit.UsageError, match="does not say which workspace"):
        tokenkit.changes(old, old)
