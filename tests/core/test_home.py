"""The state folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tokenkit import errors
from tokenkit.core.home import home, private_file, private_folder, replacing, restrict_file


def test_tokenkit_home_names_the_state_folder():
    assert home({"TOKENKIT_HOME": "/somewhere"}) == Path("/somewhere")
    assert home({"TOKENKIT_HOME": "~/x"}) == Path.home() / "x"


def test_without_it_the_platforms_state_folder_is_used():
    assert home({}).name == "tokenkit"
    assert home({}).is_absolute()


def test_a_relative_state_folder_is_the_same_after_a_change_of_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = home({"TOKENKIT_HOME": f"state of {tmp_path.name}"})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert home({"TOKENKIT_HOME": f"state of {tmp_path.name}"}) == first == tmp_path / f"state of {tmp_path.name}"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def generous():
    """A umask that removes nothing, so that modes are set explicitly."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous")
def test_a_private_folder_and_its_new_parents_are_only_for_the_owner(tmp_path):
    assert private_folder(tmp_path / "a" / "b", "c") == tmp_path / "a" / "b" / "c"
    assert {mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")} == {0o700}
    assert mode(private_file(tmp_path / "a" / "file")) == 0o600


def test_an_existing_mode_that_is_too_open_is_restricted(tmp_path):
    (tmp_path / "state" / "inner").mkdir(parents=True)
    (tmp_path / "state" / "file").touch()
    for path, open_mode in (("state", 0o755), ("state/inner", 0o775), ("state/file", 0o664)):
        (tmp_path / path).chmod(open_mode)
    private_folder(tmp_path / "state", "inner")
    private_file(tmp_path / "state" / "file")
    assert [mode(tmp_path / name) for name in ("state", "state/inner", "state/file")] == [0o700, 0o700, 0o600]


def test_a_file_that_another_process_has_deleted_is_not_created_when_it_is_restricted(tmp_path):
    file = tmp_path / "journal.sqlite-journal"
    file.touch(0o664)
    restrict_file(file)
    assert mode(file) == 0o600
    file.unlink()
    restrict_file(file)
    assert not file.exists()


def test_a_world_writable_path_is_an_error_except_on_databricks(tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "state").chmod(0o1777)
    (tmp_path / "file").chmod(0o666)
    with pytest.raises(errors.ConfigurationError, match=r"Everyone .* can write to .*state.* TOKENKIT_HOME.*chmod 700"):
        private_folder(tmp_path / "state")
    with pytest.raises(errors.ConfigurationError, match=r"Everyone .* can write to .*file.*chmod 600"):
        private_file(tmp_path / "file")
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    assert private_folder(tmp_path / "state") == tmp_path / "state"


def test_a_folder_that_other_users_can_replace_is_an_error(tmp_path, monkeypatch):
    above = tmp_path / "open"
    (above / "between").mkdir(parents=True)
    above.chmod(0o777)
    (tmp_path / "link").symlink_to(above / "between")
    for folder in (above / "state", above / "between" / "state", tmp_path / "link" / "state"):
        with pytest.raises(errors.ConfigurationError, match=f"Everyone .* can write to {above}, .* `chmod o-w"):
            private_folder(folder)
        assert not folder.exists()
    above.chmod(0o1777)  # as /tmp
    assert private_folder(above / "state", "inner").is_dir()
    above.chmod(0o775)  # writable for a group, which often has only the user
    assert private_folder(above / "between" / "state").is_dir()
    above.chmod(0o777)
    monkeypatch.setenv("HOME", str(above / "between"))  # folders above the home directory are not checked
    assert private_folder(above / "between" / "state").is_dir()
    monkeypatch.setenv("HOME", "/")
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    assert private_folder(above / "state").is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can change the owner of a folder")
def test_a_folder_in_a_folder_of_another_user_is_an_error(tmp_path):
    """Root can access everything, so the call runs in a process that is not root."""
    theirs, mine = tmp_path / "theirs", tmp_path / "theirs" / "mine"
    mine.mkdir(parents=True)
    os.chown(theirs, 12345, 12345)
    os.chown(mine, 23456, 23456)
    for folder in (
        tmp_path,
        *[above for above in tmp_path.parents if above.owner() == "root" and above.stat().st_mode & 0o077 == 0],
    ):  # pytest's folders, which only root can enter
        folder.chmod(0o755)
    program = (
        "import os, sys; from tokenkit.core.home import private_folder; from pathlib import Path\n"
        "os.setgroups([]); os.setgid(23456); os.setuid(23456)\n"
        "private_folder(Path(sys.argv[1]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, mine / "state"], capture_output=True, text=True, check=False, env={"HOME": "/x"}
    )
    assert f"Another user owns {theirs}" in done.stderr
    assert not (mine / "state").exists()


def test_a_folder_that_cannot_be_created_is_a_tokenkit_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(errors.ConfigurationError, match="Not a directory"):
        private_folder(tmp_path / "file" / "state")


@pytest.mark.usefixtures("generous")
def test_files_of_runs_and_snapshots_are_only_for_the_owner(fresh_sandbox, connected, tmp_path):
    state = tmp_path / "home"
    state.mkdir(mode=0o755)
    workspace = connected(fresh_sandbox)
    workspace.snapshot()
    assert {mode(path) for path in (state, state / "snapshots")} == {0o700}
    (state / "journal.sqlite").touch(0o644)
    seen = {}

    def note(*_):
        seen.update({path.name: mode(path) for path in state.iterdir()})

    workspace.revoke(workspace.tokens()["token_id"].head(2)).apply(progress=Watcher(note))
    kinds = {name.rpartition(".")[2] for name in seen}
    assert kinds >= {"sqlite", "sqlite-wal", "sqlite-shm", "lock", "snapshots"}
    assert {name: mode_ for name, mode_ in seen.items() if mode_ != (0o700 if name == "snapshots" else 0o600)} == {}


class Watcher:
    """A listener of a run."""

    def __init__(self, note):
        self.advance = self.end_early = note


@pytest.mark.parametrize("private", [True, False])
def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, private):
    path = tmp_path / "file"
    with replacing(path, private=private) as file:
        file.write(b"first")
        assert not path.exists()
    assert path.read_bytes() == b"first"
    if private:
        assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(TypeError), replacing(path, private=private) as file:
        file.writelines([b"sec", "ond"])
    assert path.read_bytes() == b"first"
    assert [*tmp_path.iterdir()] == [path]


def test_who_could_not_read_a_file_cannot_read_what_replaces_it(tmp_path):
    path = tmp_path / "file"
    path.touch(mode=0o600)
    with replacing(path) as file:
        file.write(b"new")
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("private", "expected"), [(True, 0o600), (False, 0o666)])
@pytest.mark.usefixtures("generous")
def test_a_new_file_has_the_mode_that_the_umask_leaves_and_is_never_executable(tmp_path, private, expected):
    with replacing(tmp_path / "file", private=private):
        pass
    assert mode(tmp_path / "file") == expected
