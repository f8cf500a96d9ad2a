"""Where tokenkit keeps what outlives a process."""

import os
import stat
from pathlib import Path

import pytest

from tokenkit import errors
from tokenkit.home import home, private_file, private_folder


def test_tokenkit_home_is_taken_as_it_is_named():
    assert home({"TOKENKIT_HOME": "/somewhere"}) == Path("/somewhere")
    assert home({"TOKENKIT_HOME": "~/x"}) == Path.home() / "x"


def test_without_it_the_platforms_state_folder_is_used():
    assert home({}).name == "tokenkit"
    assert home({}).is_absolute()


def test_a_relative_one_leads_to_the_same_folder_after_a_change_of_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = home({"TOKENKIT_HOME": f"state of {tmp_path.name}"})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert home({"TOKENKIT_HOME": f"state of {tmp_path.name}"}) == first == tmp_path / f"state of {tmp_path.name}"


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def generous():
    """A mask that takes nothing away: what is private is so by itself."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous")
def test_a_private_folder_and_all_that_was_made_for_it_is_the_owners_alone(tmp_path):
    assert private_folder(tmp_path / "a" / "b", "c") == tmp_path / "a" / "b" / "c"
    assert {mode(tmp_path / each) for each in ("a", "a/b", "a/b/c")} == {0o700}
    assert mode(private_file(tmp_path / "a" / "file")) == 0o600


def test_what_is_there_and_too_open_is_tightened(tmp_path):
    (tmp_path / "state" / "inner").mkdir(parents=True)
    (tmp_path / "state" / "file").touch()
    for path, open_mode in (("state", 0o755), ("state/inner", 0o775), ("state/file", 0o664)):
        (tmp_path / path).chmod(open_mode)
    private_folder(tmp_path / "state", "inner")
    private_file(tmp_path / "state" / "file")
    assert [mode(tmp_path / each) for each in ("state", "state/inner", "state/file")] == [0o700, 0o700, 0o600]


def test_what_everybody_may_write_to_is_refused_but_for_databricks_where_modes_mean_nothing(tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "state").chmod(0o1777)
    (tmp_path / "file").chmod(0o666)
    with pytest.raises(errors.ConfigurationError, match=r"Everybody .* may write to .*state.* TOKENKIT_HOME"):
        private_folder(tmp_path / "state")
    with pytest.raises(errors.ConfigurationError, match=r"Everybody .* may write to .*file"):
        private_file(tmp_path / "file")
    monkeypatch.setenv("DATABRICKS_RUNTIME_VERSION", "15.4")
    assert private_folder(tmp_path / "state") == tmp_path / "state"


def test_a_folder_that_cannot_be_made_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(errors.ConfigurationError, match="Not a directory"):
        private_folder(tmp_path / "file" / "state")


@pytest.mark.usefixtures("generous")
def test_all_that_a_run_and_a_snapshot_leave_is_the_owners_alone(fresh_sandbox, connected, tmp_path):
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
    assert {name: each for name, each in seen.items() if each != (0o700 if name == "snapshots" else 0o600)} == {}


class Watcher:
    """A watcher of a run."""

    def __init__(self, note):
        self.advance = self.end_early = note
