"""What the changing verbs do that takes more than one of them."""

import json
import shlex

import pytest

import tokenkit
from tokenkit import cli


@pytest.mark.usefixtures("here")
def test_what_an_update_changed_is_put_back_by_undo_which_asks_first(capsys):
    tokens = tokenkit.connect().tokens()
    token_id = tokens.loc[tokens["owner"] != tokenkit.connect().me(), "token_id"].iloc[0]

    def comment():
        return tokenkit.connect().token_management.get(token_id).comment

    def last_run():
        capsys.readouterr()
        assert cli.main(["journal", "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)[-1]["run_id"]

    before = comment()
    assert cli.main(["update", token_id, "--comment", "a new one", "--yes"]) == 0
    said = capsys.readouterr().err
    run_id = last_run()
    assert f"To put it back: tokenkit undo {run_id}" in said
    assert cli.main(["undo", run_id, "--dry-run", "--output", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["comment"], row["new_comment"]) == ("a new one", before)
    assert cli.main(["undo", run_id]) == 2  # there is nobody to ask
    assert comment() == "a new one"
    assert cli.main(["undo", run_id, "--yes", "--reason", "the wrong ticket"]) == 0
    assert comment() == before
    assert tokenkit.connect().journal()["reason"].iloc[-1] == "the wrong ticket"
    assert cli.main(["revoke", token_id, "--yes"]) == 0
    assert cli.main(["undo", last_run(), "--yes"]) == 2
    assert "only updates can be undone" in capsys.readouterr().err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("verb", ["revoke --yes", "scopes --narrow --yes"])
@pytest.mark.parametrize("filter_", ["--owner", "--created-by"])
def test_a_change_for_a_name_that_nobody_has_is_refused_with_near_names_unless_none_is_allowed(
    capsys, company, verb, filter_
):
    before = company.workspaces[0].state.tokens.ids()
    for name, near in (("admni@example.com", "admin@example.com"), ("Admin@exa", "admin@example.com")):
        assert cli.main(shlex.split(f"{verb} {filter_} {name}")) == 2
        said = capsys.readouterr().err
        assert f"{name!r} is unknown" in said
        assert near in said
        # Of several names, each has to be known.
        assert cli.main(shlex.split(f"{verb} {filter_} admin@example.com {filter_} {name}")) == 2
        capsys.readouterr()
        assert cli.main(shlex.split(f"{verb} {filter_} {name} --allow-none")) == 0
        assert f"{name!r} is unknown" in capsys.readouterr().err
    assert company.workspaces[0].state.tokens.ids() == before


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("verb", ["revoke --yes", "scopes --narrow --yes"])
def test_known_are_users_service_principals_and_owners_in_any_case_and_a_pattern_never_fails(capsys, company, verb):
    ws = tokenkit.connect()
    principals, tokens = ws.service_principals(), ws.tokens()
    idle = min(set(ws.users()["user_name"]) - set(tokens["owner"]) - set(tokens["created_by_username"]))
    application_id = principals["application_id"].iloc[0]
    before = company.workspaces[0].state.tokens.ids()
    for name in (idle, idle.upper(), application_id, "*nobody*", "nobod?"):
        for filter_ in ("--owner", "--created-by"):
            assert cli.main([*shlex.split(verb), filter_, name, "--idle", "9000d"]) == 0, name
    assert company.workspaces[0].state.tokens.ids() == before
    assert "is unknown" not in capsys.readouterr().err


@pytest.mark.usefixtures("here")
def test_a_filter_given_again_adds_to_the_first(capsys):
    counts = tokenkit.connect().tokens()["owner"].value_counts()
    names = counts.index[counts.index.str.contains("@")][:3].tolist()

    def listed(line):
        assert cli.main([*shlex.split(line), "--output", "json"]) == 0
        return json.loads(capsys.readouterr().out)

    options = " ".join(f"--owner {name}" for name in names)
    assert {row["owner"] for row in listed(f"list {options}")} == set(names)
    assert len(listed(f"list {options}")) == counts[names].sum()
    assert len(listed(f"revoke {options} --include-own --dry-run")) == counts[names].sum()
    assert {row["owner"] for row in listed(f"scopes {options}")} == set(names)
    assert len(listed(f"list {options} --status active --status expired")) == counts[names].sum()
    creators = tokenkit.connect().tokens()["created_by_username"].value_counts()
    both = " ".join(f"--created-by {name}" for name in creators.index[:2])
    assert len(listed(f"list {both}")) == creators.iloc[:2].sum()
