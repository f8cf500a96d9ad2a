"""The file of profiles as it is found: read, or refused with the line and the reason, and without a token."""

import os
from pathlib import Path

import pytest

import tokenkit
from tokenkit import errors
from tokenkit.rest import credentials, profiles

SAMPLES = Path(__file__).parents[1] / "samples" / "databrickscfg"
ACME = "https://acme.cloud.databricks.com"


def with_sample(name):
    with_content((SAMPLES / name).read_bytes())


def with_content(content):
    Path(os.environ["DATABRICKS_CONFIG_FILE"]).write_bytes(content)


@pytest.mark.parametrize("sample", ["05-utf8-bom-crlf.cfg", "06-utf16-powershell.cfg"])
def test_a_file_is_read_in_the_encodings_that_editors_write(sample):
    with_sample(sample)
    (name,) = profiles.profiles()
    assert credentials.from_profile(name).host == ACME


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig", "utf-16"])
def test_a_name_outside_of_ascii_is_found_in_every_encoding(encoding):
    with_content(f"# Büro\n[büro]\nhost = {ACME}\ntoken = dapi1\n".encode(encoding))
    assert tokenkit.connect("büro").host == ACME


def test_what_the_official_sdk_cannot_read_is_said_where_it_is_needed():
    with_content(f"[robot]\nhost = {ACME}\nclient_id = x\nclient_secret = y\n".encode("utf-16"))
    with pytest.raises(errors.ConfigurationError, match="is UTF-16, which the official SDK does not read"):
        tokenkit.connect("robot")


@pytest.mark.parametrize(
    ("sample", "words"),
    [
        ("02-no-section-header.cfg", r"line 1: a setting comes before the first profile"),
        ("03-profile-twice.cfg", r"line 10: profile \[dev-profile\] is there twice"),
        ("09-broken-line.cfg", r"line 2: neither a profile, such as \[prod\], nor a setting"),
    ],
)
def test_a_file_that_is_not_one_is_refused_with_the_line_and_the_reason(sample, words):
    with_sample(sample)
    for connect in (tokenkit.connect, lambda: tokenkit.connect("prod"), lambda: tokenkit.fleet(["prod"])):
        with pytest.raises(errors.ConfigurationError, match=words) as raised:
            connect()
        assert "dapi" not in str(raised.value)
    assert profiles.profiles() == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[prod]\nhost = a.b\nhost = c.d\n", r"line 3: host is there twice in \[prod\]"),
        (b"[prod\nhost = a.b\n", "line 1: "),
        (b"\x00\x01\x02", "not a text file"),
        (b"\xff\xfe[", "not a text file"),
        (b"[prod]\rhost = a.b\rhost = c.d\r", r"line 3: host is there twice in \[prod\]"),
    ],
)
def test_what_is_no_file_of_profiles_is_said_to_be_none(content, words):
    with_content(content)
    with pytest.raises(errors.ConfigurationError, match=words):
        tokenkit.connect("prod")


def test_a_file_in_a_home_directory_that_is_not_there_is_said_to_be_so(monkeypatch):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "~nobody-of-this-name/cfg")
    with pytest.raises(errors.ConfigurationError, match="no such home directory"):
        tokenkit.connect("prod")
    assert profiles.profiles() == []


def test_a_file_that_may_not_be_read_is_said_to_be_so(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path))  # a folder
    with pytest.raises(errors.ConfigurationError, match="cannot be read: Is a directory"):
        tokenkit.connect("prod")


def test_comments_and_quotation_marks_in_a_value_are_said_to_be_in_it():
    with_sample("01-comments.cfg")
    assert profiles.profiles() == ["prod", "with spaces", "spog"]
    assert tokenkit.connect("prod").host == "https://adb-1111222233334444.5.azuredatabricks.net"
    with pytest.raises(errors.ConfigurationError, match=r"'with spaces'.*ends with a comment"):
        tokenkit.connect("with spaces")
    spog = tokenkit.connect("spog")
    assert (spog.host, spog.workspace_id) == ("https://acme.databricks.example", "5555666677778888")


def test_each_kind_of_sign_in_is_told_by_what_the_profile_has():
    with_sample("08-kinds-of-sign-in.cfg")
    with pytest.raises(errors.ConfigurationError, match="token of profile 'empty-token' is empty"):
        tokenkit.connect("empty-token")
    assert credentials.profile_address("unified").workspace_id == "5555666677778888"
    assert credentials.profile_address("azure-user").host == "https://adb-1111222233334444.5.azuredatabricks.net"


def test_a_profile_with_a_token_and_no_host_says_so():
    with_sample("10-profile-without-host.cfg")
    with pytest.raises(errors.ConfigurationError, match="'prod' has a token and no host"):
        tokenkit.connect("prod")
    assert tokenkit.connect("other").host == ACME


def test_a_setting_that_goes_on_in_the_next_line_shows_no_token():
    with_content(b"[prod]\nhost = https://a.example\n  token = dapi0badcafe0badcafe0badcafe0badcafe\n")
    with pytest.raises(errors.ConfigurationError, match=r"'prod'.*contains a blank") as raised:
        tokenkit.connect("prod")
    assert "dapi" not in str(raised.value)


def test_an_unknown_profile_suggests_the_near_one():
    with_content(b"[__settings__]\ndefault_profile = prod\n[prod]\nhost = https://a\n[staging]\nhost = https://b\n")
    assert profiles.profiles() == ["prod", "staging"]
    with pytest.raises(errors.ConfigurationError, match="Did you mean staging"):
        tokenkit.connect("stagign")


def test_the_profile_that_the_settings_name_is_the_default(sandbox):
    text = f"[__settings__]\ndefault_profile = prod\n[prod]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n"
    with_content(text.encode())
    assert tokenkit.connect().me() == "admin@example.com"


def test_a_damaged_file_has_no_profiles():
    with_content(b"host = without a section\n")
    assert profiles.profiles() == []
