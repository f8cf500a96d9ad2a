"""What is never revoked."""

import pytest

from tokenkit import errors, frames
from tokenkit.actions import protect

TOKENS = frames.frame(
    [
        {"token_id": "aa", "comment": "Break glass (prod)"},
        {"token_id": "bb", "comment": "x.y"},
        {"token_id": "cc"},
    ],
    frames.TOKENS,
).assign(owner=["ann@oncall.example.com", "bob", None])


@pytest.mark.parametrize(
    ("patterns", "protected"),
    [
        ({}, []),
        ({"owners": ["*@oncall.example.com"]}, ["aa"]),
        ({"owners": ["BOB"]}, ["bb"]),
        ({"owners": ["bo"]}, []),
        ({"comments": ["*break glass*"]}, ["aa"]),
        ({"comments": ["x?y"]}, ["bb"]),
        ({"comments": ["xzy"]}, []),
        ({"token_ids": ["cc"], "owners": ["bob"]}, ["bb", "cc"]),
        ({"owners": ["*"]}, ["aa", "bb", "cc"]),
    ],
)
def test_patterns_match_whole_texts_in_any_case(patterns, protected):
    reasons = protect.protected(TOKENS, patterns)
    assert TOKENS["token_id"][reasons != ""].tolist() == protected


def test_the_file_is_read_and_none_protects_nothing(tmp_path):
    assert protect.read_protected(tmp_path) == {}
    (tmp_path / "config.toml").write_text('[protect]\nowners = ["terraform"]\n')
    assert protect.read_protected(tmp_path) == {"owners": ["terraform"]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[protect]\nowner = ['x']", "Did you mean owners"),
        ("[protect]\nowners = 'x'", "list of texts"),
        ("[protect]\nowners = [1]", "list of texts"),
        ("[protect", "nobody knows what it protects"),
    ],
)
def test_a_protection_that_is_misspelt_is_an_error_and_not_none(tmp_path, text, words):
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(errors.ConfigurationError, match=words):
        protect.read_protected(tmp_path)
