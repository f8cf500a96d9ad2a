"""What the reading verbs make of what was typed."""

import shlex

import pandas as pd
import pytest

from tokenkit import cli, errors
from tokenkit.review import filters
from tokenkit.verbs import reading


def test_an_id_that_several_tokens_begin_with_is_shown_with_them(workspace):
    listing = pd.DataFrame({"token_id": ["ab" * 30 + end * 4 for end in "12"] + ["abababab77" + "0" * 54]})
    assert reading.whole_ids(["abababab7"], listing, workspace) == [listing["token_id"][2]]
    with pytest.raises(errors.UsageError) as error:
        reading.whole_ids(["abababab"], listing, workspace)
    said = str(error.value)
    assert "has 3 tokens whose ids begin with 'abababab': abababababab" in said
    assert "abababab770000" in said
    assert said.endswith("Give more characters.")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("verb", ["list", "revoke --yes --allow-none"])
@pytest.mark.parametrize(
    ("filter_", "words"),
    [
        ("--scope all-api", "No token has the scope 'all-api'. Did you mean all-apis?"),
        ("--owner terrafrm", "Did you mean terraform?"),
        ("--owner terraform --never-expires --idle 9000d", None),
    ],
)
def test_a_filter_whose_value_no_token_has_is_said_to_be_misspelt(capsys, verb, filter_, words):
    assert cli.main(shlex.split(f"{verb} {filter_}")) == 0
    printed = capsys.readouterr()
    assert "Nothing found" in printed.out
    assert words in printed.err if words else "No token has" not in printed.err


@pytest.mark.usefixtures("here")
def test_a_word_that_is_a_profile_is_said_to_be_one(capsys, monkeypatch, tmp_path):
    (tmp_path / "profiles").write_text("[prod]\nhost = https://prod.example.com\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "profiles"))
    assert cli.main(["list", "prod"]) == 2
    assert "'prod' is a profile: write --profile prod." in capsys.readouterr().err


def test_in_a_workspace_without_tokens_nothing_is_misspelt(workspace):
    listing = workspace.tokens()
    assert filters.misspelt(listing, {"owner": "nobody"}) != []
    assert filters.misspelt(listing.head(0), {"owner": "nobody"}) == []
