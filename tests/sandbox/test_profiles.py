"""The configuration file that a sandbox writes for the official tools."""

import json
import stat

import pytest
from databricks.sdk import AccountClient, WorkspaceClient

from tests.sandbox.test_main import start
from tokenkit.sandbox.profiles import FIRST_LINE, check_writable, profiles_of, write_profiles


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "profiles"
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(path))
    return path


def test_each_workspace_has_an_admin_a_user_and_a_service_principal(make_sandbox, file):
    sandbox = make_sandbox(workspaces=2)
    write_profiles(file, profiles_of(sandbox))
    for number, workspace in enumerate(sandbox.workspaces, 1):
        suffix = "" if number == 1 else "-2"
        who = {}
        for name in ("admin", "user", "service-principal"):
            client = WorkspaceClient(profile=name + suffix)
            assert client.config.host == workspace.host
            me = client.current_user.me()
            who[name] = me.user_name
            assert workspace.state.is_admin(int(me.id)) == (name != "user")
        assert who["admin"] == "admin@example.com"
        assert who["service-principal"] == sandbox.client_id
    assert len(list(AccountClient(profile="account").workspaces.list())) == 2


def test_the_token_of_the_user_is_a_token_like_any_other(sandbox, state):
    before = state.tokens.ids()
    profiles_of(sandbox)
    (new,) = state.tokens.ids() - before
    info = json.loads(state.tokens.document(new))
    assert info["comment"] == "laptop"
    assert info["owner_id"] in state.permissions.holders()


def test_only_its_owner_can_read_the_file(sandbox, file):
    write_profiles(file, profiles_of(sandbox))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    write_profiles(file, profiles_of(sandbox))  # its own file is replaced
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("content", ["", "[prod]\nhost = https://example.com\n", f" {FIRST_LINE}"])
def test_a_file_that_no_sandbox_wrote_is_never_overwritten(file, content):
    file.write_text(content)
    with pytest.raises(ValueError, match="was not written by a sandbox"):
        write_profiles(file, {})
    assert file.read_text() == content


def test_neither_the_default_file_nor_a_link_is_written(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    default = tmp_path / ".databrickscfg"
    default.write_text(FIRST_LINE)
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(default)
    for path in (default, tmp_path / "folder" / ".." / ".databrickscfg", link):
        with pytest.raises(ValueError, match=r"Give the path of a new file, as in --profiles sandbox\.cfg\."):
            check_writable(path)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nothing")
    with pytest.raises(ValueError, match="symbolic link"):
        check_writable(dangling)


def test_the_command_line_writes_them_and_says_how_to_use_them(file):
    process = start("--tokens", "3", "--workspaces", "2", "--clock", "2026-03-01", "--profiles", str(file))
    try:
        lines = [process.stdout.readline() for _ in range(12)]
        created = WorkspaceClient(profile="user").api_client.do("GET", "/api/2.0/token/list")["token_infos"][-1]
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert f"export DATABRICKS_CONFIG_FILE={file}\n" in lines
    (names,) = [line for line in lines if line.startswith("Or use its profiles")]
    assert names.endswith(": admin, user, service-principal, admin-2, user-2, service-principal-2, account.\n")
    assert created["creation_time"] // 86_400_000 == 1_772_323_200_000 // 86_400_000  # 1 March 2026


def test_the_json_line_names_the_file(file):
    process = start("--tokens", "3", "--json", "--profiles", str(file))
    try:
        where = json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert where["profiles"] == str(file)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--profiles", "{file}"], "was not written by a sandbox"),
        (["--profiles", "{file}/no/folder"], "cannot be written: there is no folder"),
        (["--profiles", "{file.parent}"], "cannot be read: Is a directory"),
        (["--clock", "yesterday"], "'yesterday' is not a time"),
    ],
)
def test_a_wrong_option_is_one_line_and_nothing_is_served(file, options, message):
    file.write_text("mine")
    process = start("--tokens", "3", *(option.format(file=file) for option in options))
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors.count("\n")) == (2, "", 1)
    assert message in errors
    assert file.read_text() == "mine"
