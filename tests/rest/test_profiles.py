"""The configuration file is read, or is an error with the line and the reason, without a token."""

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


def test_a_byte_order_mark_may_be_there_twice():
    with_content(f"\ufeff[prod]\nhost = {ACME}\ntoken = dapi1\n".encode("utf-8-sig"))
    assert tokenkit.connect("prod").host == ACME


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig", "utf-16"])
def test_a_non_ascii_name_is_found_in_every_encoding(encoding):
    with_content(f"# Büro\n[büro]\nhost = {ACME}\ntoken = dapi1\n".encode(encoding))
    assert tokenkit.connect("büro").host == ACME


def test_an_encoding_that_the_official_sdk_cannot_read_is_an_error_if_the_sdk_is_needed():
    with_content(f"[robot]\nhost = {ACME}\nclient_id = x\nclient_secret = y\n".encode("utf-16"))
    with pytest.raises(errors.ConfigurationError, match=r"official SDK.*cannot read .*: its encoding is UTF-16"):
        tokenkit.connect("robot")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_without_a_named_profile_the_error_names_the_encoding_and_the_profiles(encoding):
    with_content(f"# Büro\n[prod]\nhost = {ACME}\ntoken = dapi1\n[dev]\nhost = {ACME}\n".encode(encoding))
    with pytest.raises(
        errors.ConfigurationError, match=r"No workspace is named, .*SDK cannot read .*: its encoding is .*\(prod, dev\)"
    ):
        tokenkit.connect()


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ("02-no-section-header.cfg", r"line 1: a setting precedes the first profile"),
        ("03-profile-twice.cfg", r"line 10: profile \[dev-profile\] is defined twice"),
        ("09-broken-line.cfg", r"line 2: expected a profile, such as \[prod\], or a setting"),
    ],
)
def test_an_invalid_file_is_an_error_with_the_line_and_the_reason(sample, message):
    with_sample(sample)
    for connect in (tokenkit.connect, lambda: tokenkit.connect("prod"), lambda: tokenkit.fleet(["prod"])):
        with pytest.raises(errors.ConfigurationError, match=message) as raised:
            connect()
        assert "dapi" not in str(raised.value)
    assert profiles.profiles() == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[prod]\nhost = a.b\nhost = c.d\n", r"line 3: host is defined twice in \[prod\]"),
        (b"[prod\nhost = a.b\n", "line 1: expected a profile"),
        (b'{"host": "https://a.b", "token": "dapi1"}\n', "line 1: expected a profile"),
        (b"export DATABRICKS_HOST=https://a.b\nexport DATABRICKS_TOKEN=dapi1\n", "line 1: expected a profile"),
        (b"host: https://a.b\n[prod]\n", "line 1: a setting precedes the first profile"),
        (b"[prod]\nhost = https://a.b\n  token = dapi1\n", "continues on the next line, which is indented"),
        (b"\x00\x01\x02", "not text in a known encoding. Save it as UTF-8"),
        (b"\xff\xfe[", "not text in a known encoding. Save it as UTF-8"),
        ("[prod]\nhost = a.b\n".encode("utf-32"), "not text in a known encoding. Save it as UTF-8"),
        ("[prod]\nhost = a.b\n".encode("utf-16-le"), "not text in a known encoding. Save it as UTF-8"),
        (b"[prod]\rhost = a.b\rhost = c.d\r", r"line 3: host is defined twice in \[prod\]"),
    ],
)
def test_content_that_is_not_a_configuration_file_is_an_error(content, message):
    with_content(content)
    with pytest.raises(errors.ConfigurationError, match=message):
        tokenkit.connect("prod")


def test_without_a_file_the_official_sdk_is_not_said_to_be_unable_to_read_it():
    assert profiles.unsupported_encoding() == ""
    with pytest.raises(errors.ConfigurationError) as raised:
        tokenkit.connect()
    assert "encoding" not in str(raised.value)


def test_a_missing_home_directory_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "~nobody-of-this-name/cfg")
    with pytest.raises(errors.ConfigurationError, match="Home directory not found"):
        tokenkit.connect("prod")
    assert profiles.profiles() == []


def test_an_unreadable_file_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path))  # a folder
    with pytest.raises(errors.ConfigurationError, match="cannot be read: Is a directory"):
        tokenkit.connect("prod")


def test_comments_and_quotation_marks_in_a_value_are_errors():
    with_sample("01-comments.cfg")
    assert profiles.profiles() == ["prod", "with spaces", "spog"]
    assert tokenkit.connect("prod").host == "https://adb-1111222233334444.5.azuredatabricks.net"
    with pytest.raises(errors.ConfigurationError, match=r"'with spaces'.*ends with a comment"):
        tokenkit.connect("with spaces")
    spog = tokenkit.connect("spog")
    assert (spog.host, spog.workspace_id) == ("https://acme.databricks.example", "5555666677778888")


def test_the_kind_of_sign_in_follows_from_the_settings_of_the_profile():
    with_sample("08-kinds-of-sign-in.cfg")
    with pytest.raises(errors.ConfigurationError, match="token of profile 'empty-token' is empty"):
        tokenkit.connect("empty-token")
    assert credentials.profile_address("unified").workspace_id == "5555666677778888"
    assert credentials.profile_address("azure-user").host == "https://adb-1111222233334444.5.azuredatabricks.net"


def test_a_profile_with_a_token_but_no_host_is_an_error():
    with_sample("10-profile-without-host.cfg")
    with pytest.raises(errors.ConfigurationError, match="'prod' has a token but no host"):
        tokenkit.connect("prod")
    assert tokenkit.connect("other").host == ACME


def test_an_error_about_a_multiline_setting_shows_no_token():
    with_content(b"[prod]\nhost = https://a.example\n  token = dapi0badcafe0badcafe0badcafe0badcafe\n")
    with pytest.raises(errors.ConfigurationError, match=r"'prod'.*continues on the next line") as raised:
        tokenkit.connect("prod")
    assert "dapi" not in str(raised.value)


def test_a_similar_name_is_suggested_for_an_unknown_profile():
    with_content(b"[__settings__]\ndefault_profile = prod\n[prod]\nhost = https://a\n[staging]\nhost = https://b\n")
    assert profiles.profiles() == ["prod", "staging"]
    with pytest.raises(errors.ConfigurationError, match="Did you mean staging"):
        tokenkit.connect("stagign")


def test_the_settings_section_names_the_default_profile(sandbox):
    text = f"[__settings__]\ndefault_profile = prod\n[prod]\nhost = {sandbox.host}\ntoken = {sandbox.token}\n"
    with_content(text.encode())
    assert tokenkit.connect().me() == "admin@example.com"


def test_a_damaged_file_has_no_profiles():
    with_content(b"host = without a section\n")
    assert profiles.profiles() == []
