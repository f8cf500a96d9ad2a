"""What the changing verbs do that takes more than one of them."""

import json

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
