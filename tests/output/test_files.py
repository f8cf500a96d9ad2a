"""Files: the suffix determines the format, and a failed write keeps the existing file."""

import json
import os

import pandas as pd
import pytest

from tokenkit import errors
from tokenkit.output import files

FRAMES = {"first": pd.DataFrame({"name": ["é", "=1"]}), "second": pd.DataFrame({"x": [1]})}


def test_csv_opens_in_excel_and_pandas_as_utf_8(tmp_path):
    path = files.save(FRAMES, tmp_path / "a.csv")
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert pd.read_csv(path)["name"].tolist() == ["é", "'=1"]


def test_json_is_records(tmp_path):
    assert json.loads(files.save(FRAMES, tmp_path / "a.json").read_text("utf-8")) == [{"name": "é"}, {"name": "=1"}]


def test_a_workbook_has_a_sheet_for_each_frame(tmp_path):
    sheets = pd.read_excel(files.save(FRAMES, str(tmp_path / "a.XLSX")), sheet_name=None)
    assert {name: len(sheet) for name, sheet in sheets.items()} == {"first": 2, "second": 1}


@pytest.mark.parametrize("name", ["a.txt", "a", "a.xls"])
def test_an_unknown_suffix_is_an_error(tmp_path, name):
    with pytest.raises(errors.UsageError, match=r"\.csv, \.json, \.xlsx"):
        files.save(FRAMES, tmp_path / name)
    assert [*tmp_path.iterdir()] == []


def test_a_file_is_replaced_atomically_without_temporary_files(tmp_path):
    old = files.write(tmp_path / "a", b"old")
    with old.open("rb") as reader:  # a reader of the old file continues to read it
        assert files.write(tmp_path / "a", b"new").read_bytes() == b"new"
        assert reader.read() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_failed_write_is_an_error_with_the_reason_and_leaves_no_file(tmp_path):
    with pytest.raises(errors.UsageError, match="cannot be written: No such file or directory"):
        files.write(tmp_path / "no" / "a", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(errors.UsageError, match="cannot be written: Is a directory"):
        files.write(tmp_path / "folder", b"")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_existing_link_at_the_temporary_path_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / f".a.{os.getpid()}").symlink_to(victim)
    (folder / "a").symlink_to(victim)
    assert files.write(folder / "a", b"new").read_bytes() == b"new"
    assert victim.read_bytes() == b"precious"
    assert not (folder / "a").is_symlink()


def test_a_replaced_file_keeps_its_restricted_mode(tmp_path):
    private = tmp_path / "a"
    private.touch(mode=0o600)
    mask = os.umask(0)
    try:
        files.write(private, b"new")
    finally:
        os.umask(mask)
    assert private.stat().st_mode & 0o777 == 0o600
