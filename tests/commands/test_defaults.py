"""The defaults of commands in ``config.toml``, and which workspace a command without ``--profile`` runs on."""

import json

import pytest

from tokenkit import cli, errors
from tokenkit.commands import defaults
from tokenkit.core.home import home


def configure(text):
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text(text)


@pytest.fixture
def profiles(own_companies, tmp_path):
    """Profiles of two workspaces, neither of which the environment names."""
    lines = [
        f"[{name}]\nhost = {each.host}\ntoken = {each.token}\n"
        for name, each in zip(("DEFAULT", "prod"), own_companies.workspaces, strict=False)
    ]
    (tmp_path / "databrickscfg").write_text("".join(lines))
    return own_companies


def test_without_a_file_there_are_no_defaults():
    assert defaults.read() == defaults.Defaults()


def test_a_file_has_defaults_beside_what_it_protects():
    configure(
        '[protect]\nowners = ["x"]\n[defaults]\nprofile = "prod"\noutput = "json"\ncolumns = ["owner"]\n'
        '[defaults.thresholds]\n"unused.idle_days" = 45\nbroad-scope.scopes = ["all-apis", "sql"]\n'
    )
    assert defaults.read() == defaults.Defaults(
        profile="prod",
        output="json",
        columns=["owner"],
        thresholds=["unused.idle_days=45", "broad-scope.scopes=all-apis,sql"],
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defaults]\nprofil = 'x'", "Did you mean profile?"),
        ("[defaults]\noutput = 'xml'", "table, json or csv"),
        ("[defaults]\ncolumns = 'owner'", "must be a list of texts"),
        ("[defaults]\nprofile = 1", r"^profile of \[defaults\] in .* must be a text, not int\.$"),
        ("[defaults]\nprofile = 'x'\noutput = ['json']", r"^output of \[defaults\] in .* must be a text, not list\.$"),
        ("[defaults]\nthresholds = 1", "must be a table"),
        ("defaults = 1", "must be a table"),
        ("[protect]\nowner = ['x']", "unknown key 'owner'. Did you mean owners?"),  # before a change relies on it
        ("protect = 1", "must be a table"),
        ("[default]\n", "has no table 'default'. Did you mean defaults?"),
        ("[defaults", "cannot be read"),
    ],
)
def test_a_misspelled_default_is_an_error(text, message):
    configure(text)
    with pytest.raises(errors.ConfigurationError, match=message.replace("?", r"\?")):
        defaults.read()


def test_the_default_profile_is_for_commands_that_only_read(profiles, capsys):
    configure("[defaults]\nprofile = 'prod'")
    of_prod = profiles.workspaces[1]
    for argv, reached in ([], of_prod), (["DEFAULT"], profiles.workspaces[0]), (["--profile", "prod"], of_prod):
        assert cli.main(["connect", *argv, "--output", "json"]) == 0
        assert json.loads(capsys.readouterr().out)[0]["host"] == reached.host
    assert cli.main(["list", "--output", "json"]) == 0
    ids = {row["token_id"] for row in json.loads(capsys.readouterr().out)}
    assert ids == of_prod.state.tokens.ids()
    assert cli.main(["scopes", "--all", "--output", "json"]) == 0  # it only reads without --narrow
    assert {row["token_id"] for row in json.loads(capsys.readouterr().out)} == ids


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--yes"]])
@pytest.mark.parametrize("change", ["revoke --status expired", "scopes --narrow", "permissions add group:bi-team"])
def test_a_change_that_relies_on_the_default_profile_names_that_setting(profiles, capsys, change, options):
    configure("[defaults]\nprofile = 'prod'")
    ids = [each.state.tokens.ids() for each in profiles.workspaces]
    assert cli.main([*change.split(), *options]) == 2
    message = capsys.readouterr().err
    assert f"[defaults] in {home() / 'config.toml'} sets profile = 'prod'" in message
    assert "add --profile prod." in message
    assert [each.state.tokens.ids() for each in profiles.workspaces] == ids
    assert cli.main([*change.split(), "--dry-run", "--profile", "prod"]) == 0


def test_the_command_line_and_the_environment_have_priority(profiles, capsys, monkeypatch):
    configure("[defaults]\nprofile = 'prod'\noutput = 'csv'")
    first = profiles.workspaces[0]
    assert cli.main(["list", "--profile", first.host, "--output", "json"]) in {0, 2, 3}
    capsys.readouterr()
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "DEFAULT")
    assert cli.main(["list", "--output", "json"]) == 0
    assert {row["token_id"] for row in json.loads(capsys.readouterr().out)} == first.state.tokens.ids()


@pytest.mark.usefixtures("here")
def test_a_default_column_can_have_its_heading_as_an_option_can(capsys):
    configure("[defaults]\ncolumns = ['Idle', 'ends']")
    assert cli.main(["list", "--limit", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "idle_days\teffective_end"


@pytest.mark.usefixtures("here")
def test_output_columns_and_thresholds_apply_without_their_option(capsys):
    configure("[defaults]\ncolumns = ['owner', 'token_id']\n[defaults.thresholds]\n'unused.idle_days' = 9999")
    assert cli.main(["list", "--limit", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "owner\ttoken_id"
    for output in ("csv", "json"):  # complete
        assert cli.main(["list", "--limit", "1", "--output", output]) == 0
        assert "created_by_username" in capsys.readouterr().out
    for line, found in (["audit --rule unused", 0], ["audit --rule unused --threshold unused.idle_days=0", 1]):
        assert cli.main([*line.split(), "--output", "json"]) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["findings"] > 0) == found
    assert cli.main(["audit", "--rule", "no-expiry"]) == 0  # the threshold is of a rule that does not run
    configure("[defaults]\noutput = 'json'")
    capsys.readouterr()
    assert cli.main(["list", "--limit", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_without_a_confirmation_a_change_names_its_workspace(profiles, capsys, monkeypatch):
    before = profiles.workspaces[0].state.tokens.ids()
    token = min(before)
    assert cli.main(["revoke", token, "--include-own", "--yes"]) == 2
    assert "--yes requires the workspace on the command line or in the environment" in capsys.readouterr().err
    assert profiles.workspaces[0].state.tokens.ids() == before
    assert cli.main(["revoke", token, "--dry-run", "--yes"]) == 0
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "DEFAULT")
    assert cli.main(["update", token, "--comment", "x", "--yes"]) == 0


def test_a_profile_may_precede_the_command(profiles, capsys):
    assert cli.main(["--profile", "prod", "list", "--output", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(profiles.workspaces[1].state.tokens.ids())
    assert cli.main(["--output=json", "--profile=prod", "--quiet", "permissions", "levels"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert cli.main(["--profile", "prod", "--help"]) == 0
    assert "Usage: " in capsys.readouterr().out
    assert cli.main(["--profile", "prod"]) == 2
    assert "Missing command. For example: tokenkit list --profile prod" in capsys.readouterr().err
    assert cli.main(["--profile", "prod", "list", "--profile", "prod"]) == 2
    assert "more than once" in capsys.readouterr().err


@pytest.mark.usefixtures("profiles")
@pytest.mark.parametrize(
    ("text", "command", "start"),
    [
        ("[defaults]\nprofile = 'nobody'", "list", "profile of [defaults] in {}: There is no profile 'nobody' in "),
        ("[defaults]\nprofile = 'nobody'", "resume", "profile of [defaults] in {}: There is no profile 'nobody' in "),
        ("[defaults]\nprofile = 'http://127.0.0.1:1'", "connect", "profile of [defaults] in {}: No credentials "),
        (
            "[defaults.thresholds]\nunusd.idle_days = 4",
            "audit",
            "thresholds of [defaults] in {}: Unknown rule 'unusd'.",
        ),
        ("[defaults.thresholds]\na.b.c = 4", "audit", "thresholds of [defaults] in {}: Unknown rule 'a'."),
        ("[defaults.thresholds]\nunused.days = 4", "audit --explain unused", "thresholds of [defaults] in {}: "),
        ("[defaults.thresholds]\nunused.idle_days = true", "audit", "thresholds of [defaults] in {}: idle_days of "),
        ("[defaults.thresholds]\nunused.idle_days = nan", "report", "thresholds of [defaults] in {}: idle_days of "),
        ("[defaults]\noutput = 'xml'", "list", "output of [defaults] in {} must be "),
        ("[defaults]\ncolumns = 1", "list", "columns of [defaults] in {} must be "),
        ("[defaults]\nprofil = 1", "list", "[defaults] in {} has an unknown key 'profil'."),
        ("[default]", "list", "{} has no table 'default'."),
        ("[protect]\nowner = 1", "list", "[protect] in {} has an unknown key 'owner'."),
        (
            "[protect]\nowners = 'x'",
            "revoke --status expired --dry-run --profile prod",
            "owners of [protect] in {} must ",
        ),
        (
            "[protect]\nowners = ['']",
            "update --status expired --comment=x --profile prod",
            "owners of [protect] in {} ",
        ),
    ],
)
def test_every_mistake_in_the_file_names_the_file_the_table_and_the_key(text, command, start, capsys):
    configure(text)
    assert cli.main(command.split()) == 2
    assert capsys.readouterr().err.startswith(f"tokenkit: {start.format(home() / 'config.toml')}")


@pytest.mark.parametrize("command", ["list --profile prod", "revoke --profile prod --status expired --yes"])
def test_a_mistake_in_the_file_is_an_error_before_any_request(profiles, capsys, command):
    configure("[defaults]\ncolumns = ['via']")
    before = profiles.workspaces[1].state.tokens.ids()
    profiles.requests.clear()
    assert cli.main(command.split()) == 2
    assert "has an unknown column 'via'" in capsys.readouterr().err
    assert not list(profiles.requests)
    assert profiles.workspaces[1].state.tokens.ids() == before
