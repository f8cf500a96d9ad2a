"""Folders in which a file can be written once: which they are, and how a file is written there."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from tokenkit import errors
from tokenkit.core import write_once
from tokenkit.core.arguments import folder
from tokenkit.core.home import home, replacing
from tokenkit.core.write_once import create, is_write_once, readers_of, takes_sqlite
from tokenkit.output import files


@pytest.fixture
def inside(monkeypatch):
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")


@pytest.fixture
def lasting(monkeypatch, tmp_path):
    """A folder that is what /Volumes is."""
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "17.3")
    (tmp_path / "Volumes").mkdir()
    monkeypatch.setattr(write_once, "ROOTS", (str(tmp_path / "Volumes"),))
    return tmp_path / "Volumes"


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    "path", ["/Volumes/a/b/c", "/Workspace/Users/ann@example.com/.tokenkit", "/dbfs/x", "/Volumes"]
)
def test_what_outlasts_a_cluster_is_known_by_its_path(path):
    assert is_write_once(Path(path))


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("path", ["/home/Volumes", "/VolumesX", "/root/.local/state/tokenkit", "/local_disk0/dbfs"])
def test_the_disk_of_the_cluster_is_none_of_them(path):
    assert not is_write_once(Path(path))


def test_outside_databricks_no_path_is_one():
    assert not is_write_once(Path("/Volumes/a/b/c"))  # macOS has its disks there


def test_a_relative_path_and_a_link_are_what_they_lead_to(lasting, tmp_path, monkeypatch):
    (tmp_path / "link").symlink_to(lasting)
    monkeypatch.chdir(lasting)
    assert is_write_once(Path("state"))
    assert is_write_once(tmp_path / "link" / "state")
    assert not is_write_once(Path("../state"))


def test_a_new_file_is_whole_private_and_replaces_none(tmp_path):
    create(tmp_path / "new", b"x" * 3_000_000)
    assert (tmp_path / "new").read_bytes() == b"x" * 3_000_000
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create(tmp_path / "new", b"y")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        create(tmp_path / "link", b"y")
    assert not (tmp_path / "victim").exists()


def failing(code):
    def fail(_):
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_fsync_keeps_a_file_when_it_is_closed(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "fsync", failing(code))
    create(tmp_path / "new", b"content")
    assert (tmp_path / "new").read_bytes() == b"content"


@pytest.mark.parametrize("name", ["fsync", "close"])
def test_a_file_that_was_not_kept_is_an_error(tmp_path, monkeypatch, name):
    real_close = os.close
    with monkeypatch.context() as patched:  # pytest deletes the folder with the same functions
        patched.setattr(
            os, name, lambda handle: (real_close(handle) if name == "close" else None, failing(errno.EIO)(0))
        )
        with pytest.raises(OSError, match="Input/output error"):
            create(tmp_path / "new", b"content")


def test_sqlite_is_tried_and_leaves_nothing(tmp_path, monkeypatch):
    assert takes_sqlite(tmp_path)
    with monkeypatch.context() as patched:  # coverage uses SQLite, too
        patched.setattr(
            sqlite3, "connect", lambda *_, **__: (_ for _ in ()).throw(sqlite3.OperationalError("disk I/O"))
        )
        assert not takes_sqlite(tmp_path)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("refused", ["PRAGMA journal_mode", "PRAGMA synchronous", "CREATE TABLE"])
def test_sqlite_does_not_work_where_one_of_its_statements_fails(tmp_path, monkeypatch, refused):
    class Connection(sqlite3.Connection):
        def execute(self, statement):
            if statement.startswith(refused):
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(statement)

    connect = sqlite3.connect
    with monkeypatch.context() as patched:  # coverage uses SQLite, too
        patched.setattr(sqlite3, "connect", lambda *args, **settings: connect(*args, **settings, factory=Connection))
        assert not takes_sqlite(tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_folder_that_takes_no_new_file_either_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        takes_sqlite(tmp_path / "none")


def test_a_file_is_replaced_without_a_second_name(lasting, monkeypatch):
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("renamed"))
    monkeypatch.setattr(Path, "chmod", lambda *_: pytest.fail("mode changed"))
    for content in (b"first", b"second"):
        with replacing(lasting / "file", private=True) as file:
            file.write(content)
            assert [path.read_bytes() for path in lasting.iterdir()] == ([] if content == b"first" else [b"first"])
        assert (lasting / "file").read_bytes() == content
    with pytest.raises(TypeError), replacing(lasting / "file") as file:
        file.writelines([b"th", "ird"])
    assert [path.read_bytes() for path in lasting.iterdir()] == [b"second"]


def test_half_a_file_does_not_stay(lasting, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:3]))
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(errors.UsageError, match="No space left"):
        files.write(lasting / "a.csv", b"content")
    assert [*lasting.iterdir()] == []


def test_a_folder_is_not_replaced_by_a_file(lasting):
    (lasting / "folder").mkdir()
    with pytest.raises(errors.UsageError, match="cannot be written"):
        files.write(lasting / "folder", b"content")
    assert (lasting / "folder").is_dir()


@pytest.mark.parametrize(
    ("path", "readers"),
    [
        ("/Workspace/Users/ann@example.com/.tokenkit", "ann@example.com and the admins of the workspace can read it"),
        (
            "/Workspace/Shared/x",
            "Everyone who can view that workspace folder, and the admins of the workspace, can read it",
        ),
        ("/Volumes/main/ops/state/x", "Everyone with READ VOLUME on main.ops.state can read it"),
        ("/dbfs/x", "Every user of the workspace can read it"),
        ("/mnt/x", "Its file system determines who can read it"),
    ],
)
def test_the_readers_of_a_folder_are_named(path, readers):
    assert readers_of(Path(path)) == readers


def test_a_uri_is_not_taken_for_a_folder():
    for uri in ("dbfs:/Volumes/a/b/c", "s3://bucket/x", "file:/tmp"):
        with pytest.raises(errors.UsageError, match="not a URI"):
            folder("home", uri)
        with pytest.raises(errors.UsageError, match="TOKENKIT_HOME must be a path, not a URI"):
            home({"TOKENKIT_HOME": uri})
    assert folder("home", "C:/state") == Path("C:/state")
