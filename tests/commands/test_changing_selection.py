"""Which tokens a change selects, and what it says if there are none."""

import json
import re
import shlex

import pytest
import requests

import tokenkit
from tokenkit import cli
from tokenkit.core.home import home
from tokenkit.core.wording import pluralize


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["revoke --yes", "scopes --narrow --yes"])
@pytest.mark.parametrize("filter_", ["--owner", "--created-by"])
def test_a_change_for_an_unknown_name_is_an_error_with_near_names_unless_none_is_allowed(
    capsys, company, command, filter_
):
    before = company.workspaces[0].state.tokens.ids()
    for name, near in (("admni@example.com", "admin@example.com"), ("Admin@exa", "admin@example.com")):
        assert cli.main(shlex.split(f"{command} {filter_} {name}")) == 2
        printed = capsys.readouterr().err
        assert f" {name!r}: no user, service principal or token" in printed
        assert near in printed
        # All names must be known.
        assert cli.main(shlex.split(f"{command} {filter_} admin@example.com {filter_} {name}")) == 2
        capsys.readouterr()
        assert cli.main(shlex.split(f"{command} {filter_} {name} --allow-none")) == 0
        assert f" {name!r}: no user, service principal or token" in capsys.readouterr().err
    assert company.workspaces[0].state.tokens.ids() == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["revoke --yes", "scopes --narrow --yes"])
def test_users_service_principals_and_owners_are_known_in_any_case_and_a_pattern_never_fails(capsys, company, command):
    ws = tokenkit.connect()
    principals, tokens = ws.service_principals(), ws.tokens()
    idle = min(set(ws.users()["user_name"]) - set(tokens["owner"]) - set(tokens["created_by_username"]))
    application_id = principals["application_id"].iloc[0]
    before = company.workspaces[0].state.tokens.ids()
    for name in (idle, idle.upper(), application_id, "*nobody*", "nobod?"):
        for filter_ in ("--owner", "--created-by"):
            assert cli.main([*shlex.split(command), filter_, name, "--idle", "9000d"]) == 0, name
    assert company.workspaces[0].state.tokens.ids() == before
    assert "Unknown" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_repeated_filter_adds_to_the_first(capsys):
    counts = tokenkit.connect().tokens()["owner"].value_counts()
    names = counts.index[counts.index.str.contains("@")][:3].tolist()

    def listed(line):
        assert cli.main([*shlex.split(line), "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    options = " ".join(f"--owner {name}" for name in names)
    assert {row["owner"] for row in listed(f"list {options}")} == set(names)
    assert len(listed(f"list {options}")) == counts[names].sum()
    assert len(listed(f"revoke {options} --include-own --dry-run")) == counts[names].sum()
    assert {row["owner"] for row in listed(f"scopes --all {options}")} == set(names)
    assert len(listed(f"list {options} --status active --status expired")) == counts[names].sum()
    creators = tokenkit.connect().tokens()["created_by_username"].value_counts()
    both = " ".join(f"--created-by {name}" for name in creators.index[:2])
    assert len(listed(f"list {both}")) == creators.iloc[:2].sum()


@pytest.mark.parametrize("how", ["--dry-run", "--yes", ""])
@pytest.mark.parametrize("option", ["--limit 2", "--sort owner"])
def test_what_does_not_select_what_is_changed_is_rejected_before_any_request_in_a_dry_run_too(
    here, capsys, option, how
):
    here.requests.clear()
    assert cli.main(f"scopes --narrow {option} {how}".split()) == 2
    assert f"{option.split()[0]} does not select what is changed" in capsys.readouterr().err
    assert list(here.requests) == []
    assert cli.main(f"scopes {option}".split()) == 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("option", [["--limit", "2"], ["--sort", "owner"]])
def test_an_option_that_does_not_limit_a_change_is_refused_with_it(option, capsys):
    assert cli.main(["scopes", "--narrow", *option, "--yes"]) == 2
    assert f"{option[0]} does not select what is changed" in capsys.readouterr().err
    assert cli.main(["scopes", *option]) == 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("revoke --scope no-such-scope", "nothing to revoke; no token matches."),
        ("update --scope no-such-scope --comment=x", "nothing to change; no token matches."),
        ("update {} --comment={}", "nothing to change; the tokens already have these values."),
        ("scopes --narrow --status expired", "nothing to narrow (advice: "),
        ("scopes --narrow --scope no-such-scope", "nothing to narrow; no token matches."),
        ("permissions add group:data-engineers", "Nothing to change: group data-engineers has CAN_USE already."),
    ],
)
def test_a_change_of_nothing_says_why(line, why, capsys):
    token = tokenkit.connect().tokens("comment == comment.str.lower() and not comment.str.contains(' ')").iloc[0]
    assert cli.main([*line.format(token["token_id"], token["comment"]).split(), "--dry-run"]) == 0
    assert why in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["revoke", "update --comment x"])
def test_a_token_given_by_id_that_the_filters_exclude_is_named(capsys, command):
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'").drop_duplicates("owner").head(2)
    (one, other), (owner, not_theirs) = tokens["token_id"], tokens["owner"]
    excluded = f"{other[:12]} (owner {not_theirs})."
    assert cli.main([*command.split(), one[:12], other, "--owner", owner, "--dry-run", "--output", "json"]) == 0
    printed = capsys.readouterr()
    assert [row["token_id"] for row in json.loads(printed.out)] == [one]
    assert f"The filters exclude 1 of 2 tokens given by ID: {excluded}" in printed.err
    assert cli.main([*command.split(), other, "--owner", owner, "--dry-run"]) == 1
    printed = capsys.readouterr().err
    assert f"The filters exclude 1 token given by ID: {excluded}" in printed
    assert "already have these values" not in printed
    assert cli.main([*command.split(), one, "--owner", owner, "--dry-run"]) == 0
    assert "exclude" not in capsys.readouterr().err


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_revocation_by_owner_names_the_command_that_lists_what_the_owner_created_for_service_principals(
    here, capsys, is_deleted
):
    ws = tokenkit.connect()
    tokens, people = ws.tokens(status="active"), ws.users().set_index("id")["user_name"].drop(ws.api.caller()[0])
    created = tokens[(tokens["owner_kind"] == "service_principal") & tokens["created_by_id"].isin(people.index)]
    creator_id = created["created_by_id"].mode().iloc[0]
    expected = set(created.loc[created["created_by_id"] == creator_id, "token_id"])
    if is_deleted:
        path = f"/api/2.0/preview/scim/v2/Users/{creator_id}"
        requests.delete(here.host + path, headers={"Authorization": f"Bearer {here.token}"}, timeout=10)
    for how in ("--dry-run", "--yes", "--yes --allow-none"):
        assert cli.main(["revoke", "--owner", people[creator_id], *how.split()]) == 0
        last = capsys.readouterr().err.splitlines()[-1]
        said, command = re.fullmatch(r"(.*) not revoked\. To list (?:it|them): tokenkit (.*)", last).groups()
        assert said.startswith(f"{pluralize(len(expected), 'active token')} that {people[creator_id]} created for ")
        assert cli.main([*shlex.split(command), "--output", "json"]) == 0
        assert {token["token_id"] for token in json.loads(capsys.readouterr().out)} == expected
        if is_deleted and how == "--yes":
            break  # without a token, the deleted owner's name is unknown
    other = people[~people.index.isin(created["created_by_id"])].iloc[0]
    for line in (["--owner", other], ["--owner", "*@example.com", "--idle", "1d"]):  # the latter is not about a leaver
        assert cli.main(["revoke", *line, "--dry-run"]) == 0
        assert "--created-by" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("option", [["--dry-run"], ["--yes"], ["--reason", "x"], ["--allow-none"]])
def test_options_of_a_change_of_scopes_require_it(option, capsys):
    assert cli.main(["scopes", *option]) == 2
    assert f"{option[0]} is for a change. To narrow the scopes, add --narrow." in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_change_that_is_limited_says_of_how_many_tokens(capsys):
    workspace = tokenkit.connect()
    count = len(workspace.revoke(workspace.tokens(status="active")))
    assert cli.main(["revoke", "--status", "active", "--limit", "2", "--dry-run"]) == 0
    assert f"--limit selects the first 2 of {count} tokens that can be changed." in capsys.readouterr().err
    assert cli.main(["revoke", "--status", "active", "--limit", str(count), "--dry-run"]) == 0
    assert "--limit" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["revoke", "update --comment new", "fleet revoke --profiles {host}"])
def test_a_limit_counts_the_tokens_that_are_changed_and_not_those_that_are_left_out(here, command, capsys):
    workspace = tokenkit.connect()
    owned = workspace.tokens(status="active").sort_values("token_id")
    own = workspace.tokens(owner=workspace.me(), status="active")["token_id"]
    protected, *rest = owned.loc[~owned["token_id"].isin(own), "token_id"]
    workspace.folder.mkdir(mode=0o700)
    (workspace.folder / "config.toml").write_text(f"[protect]\ntoken_ids = {[protected, *own]}\n")
    line = shlex.split(command.format(host=here.host))
    limited = ["--status", "active", "--sort", "token_id", "--limit", "3", "--output", "json", "--dry-run"]
    assert cli.main([*line, *limited]) == 0
    printed = capsys.readouterr()
    assert {row["token_id"] for row in json.loads(printed.out)} == {*rest[:3]}
    assert f"--limit selects the first 3 of {len(rest)} tokens that can be changed." in printed.err
    for token_id in (protected, *own):  # of all that match, although the first three are found before some of them
        assert printed.err.count(f"Left out: 1 token (protected: token_id {token_id}).") == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", ["revoke --owner nobody@example.com --allow-none", "update --scopes a --idle 9000d"])
def test_a_change_of_nothing_says_so_once(line, capsys):
    assert cli.main(line.split()) == 0
    printed = capsys.readouterr()
    assert "nothing to " in printed.err
    (headings,) = printed.out.splitlines()  # in a pipe, whose reader expects them
    assert "token_id" in headings.split("\t")


@pytest.mark.usefixtures("here")
def test_a_revocation_of_own_tokens_given_by_id_fails(capsys):
    own = tokenkit.connect().tokens(owner="admin@example.com")["token_id"]
    assert cli.main(["revoke", *own, "--yes"]) == 1
    assert "nothing to revoke" in capsys.readouterr().err
    assert cli.main(["revoke", "--owner", "admin@example.com", "--yes"]) == 0


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("flag", ["--yes", "--dry-run"])
@pytest.mark.parametrize("change", ["revoke", "update --comment=x", "update --scopes=sql"])
def test_a_change_of_given_ids_that_are_all_left_out_fails(capsys, change, flag):
    """One is protected: a filter may leave it out, but whoever names it must know."""
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text('[protect]\nowners = ["terraform"]')
    before = tokenkit.connect().tokens()
    token = before.loc[before["owner"] == "terraform", "token_id"].iloc[0]
    argv = [*change.split(), flag, "--output", "json"]
    assert cli.main([*argv, token]) == 1
    printed = capsys.readouterr()
    assert "Left out: 1 token (protected: owner terraform)." in printed.err
    assert json.loads(printed.out) == []
    assert cli.main([*argv, "--owner", "terraform"]) == 0
    assert cli.main([*argv, token, "--owner", "jenkins", "--allow-none"]) == 1  # the filters exclude it
    assert tokenkit.connect().tokens()["comment"].equals(before["comment"])
