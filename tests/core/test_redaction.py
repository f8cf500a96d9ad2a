"""Credentials are redacted."""

import base64
import re

import pandas as pd
import pytest

from tokenkit.core.redaction import SECRET, redact
from tokenkit.frames import TEXT
from tokenkit.review import texts

SECRET_FORMS = re.compile(SECRET, re.IGNORECASE | re.ASCII)


@pytest.mark.parametrize(
    "secret",
    ["dapi" + "0123456789abcdef" * 2, "dapi" + "a1" * 16 + "-2", "dose" + "f0" * 16, "eyJhbGciOi.eyJzdWIi.c2ln"],
)
def test_text_that_looks_like_a_credential_is_redacted(secret):
    assert redact(f"before {secret} after") == "before [redacted] after"
    assert redact("Authorization: Bearer opaque==") == "Authorization: Bearer [redacted]"


@pytest.mark.parametrize(
    "secret",
    [
        "AKIA" + "0A" * 8,
        "AIza" + "0aB-_" * 7,
        "ghp_" + "0aB" * 12,
        "github_pat_" + "0aB_" * 6,
        "glpat-" + "0aB-_" * 4,
        "xoxb-" + "0123456789-a",
    ],
)
def test_the_keys_of_other_services_are_credentials_too(secret):
    assert redact(f"aws {secret}") == "aws [redacted]"
    assert SECRET_FORMS.search(f"aws {secret}")


VALUES = [
    "dapi" + "0123456789abcdef" * 2,
    "DAPI" + "0A" * 16 + "-2",
    "dose" + "f0" * 8,
    "eyJhbGciOi.eyJzdWIi.c2ln",
    "AKIA" + "0A" * 8,
    "AIza" + "0aB-_" * 7,
    "ghp_" + "0aB" * 12,
    "glpat-" + "0aB-x" * 4,
    "xoxb-" + "0123456789-a",
]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("before", ["%3D", "%20", "old_", "x", "9", "ключ", "=", "-", '"'])
@pytest.mark.parametrize("after", ["", "&next", "/", " x", "'"])
def test_a_value_is_redacted_in_any_context(value, before, after):
    assert redact(f"{before}{value}{after}") == f"{before}[redacted]{after}"
    assert SECRET_FORMS.search(f"{before}{value}{after}")
    in_arrow = texts.redacted(pd.Series([f"{before}{value}{after}"], dtype=TEXT))
    assert in_arrow.tolist() == [f"{before}[redacted]{after}"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\ufe0f", "\x00", "\x08"]
)
def test_invisible_characters_do_not_hide_a_value(value, unseen):
    for hidden in (f"{value[:2]}{unseen}{value[2:]}", unseen.join(value), f"{value[:-4]}{unseen}{value[-4:]}"):
        assert redact(f"old {hidden}, new") == "old [redacted], new"
        column = pd.Series([f"old {hidden}, new", f"plain{unseen}", None], dtype=TEXT)
        assert texts.redacted(column).tolist()[:2] == ["old [redacted], new", f"plain{unseen}"]
        assert texts.holding_secrets(column).tolist() == [True, False, False]
    assert redact(unseen.join("opaque"), "opaque") == "[redacted]"
    assert redact(f"plain{unseen}", "opaque") == f"plain{unseen}"


@pytest.mark.parametrize("value", VALUES)
def test_a_long_value_is_redacted_completely(value):
    assert value.lower() not in redact(f"x{value}_old").lower()


def encoded(text):
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("value", [*VALUES[:3], "dapi" + "Ab3" * 11, "dkea" + "1" * 32, "dsapi" + "e5" * 16])
@pytest.mark.parametrize("before", ["token:", "", "x", "ab", "ann@example.com:", "läuft "])
@pytest.mark.parametrize(
    "around", ["Authorization: Basic {}", "-H 'Basic {}'", "conf {} end", '"auth": "{}"', "x={}&y"]
)
def test_a_value_in_base64_is_redacted_wherever_it_begins_in_it(value, before, around):
    text = encoded(f"{before}{value}")
    for spelled in (text, text.rstrip("="), text.replace("+", "-").replace("/", "_")):
        shown = redact(around.format(spelled))
        assert "[redacted]" in shown
        of_value = spelled.rstrip("=")[-20:]
        assert not any(of_value[place : place + 6] in shown for place in range(15))
        in_arrow = texts.redacted(pd.Series([around.format(spelled)], dtype=TEXT))
        assert in_arrow.tolist() == [shown]
        assert SECRET_FORMS.search(around.format(spelled))


@pytest.mark.parametrize("value", VALUES[:3])
def test_a_value_in_which_every_letter_is_percent_encoded_is_redacted(value):
    for form in ("%{:02x}", "%{:02X}"):
        spelled = "".join(form.format(ord(letter)) for letter in value)
        assert redact(f"a?t={spelled}&b") == "a?t=[redacted]&b"
        assert texts.redacted(pd.Series([f"a?t={spelled}&b"], dtype=TEXT)).tolist() == ["a?t=[redacted]&b"]


@pytest.mark.parametrize(
    "text",
    [
        "Basic authentication-of-the-team is off",
        "basic internationalization",
        "a?q=%E5%A4%9C%E9%96%93%E3%82%A8%E3%82%AF%E3%82%B9%E3%83%9D%E3%83%BC%E3%83%88",  # Japanese in an address
        "a%20b%2Fc%3Dd%26e",
        "sha256 " + "3f1c9a0b" * 8,
        "3b241101-e2bb-4255-8caf-4136c566a962",
        "/Volumes/main/default/ZGFwa/checkpoints-of-the-nightly-export-2026",
        base64.b64encode(bytes(range(256))).decode(),
        base64.b64encode(b"a picture of a cat, with a token of love. " * 4).decode(),
        "RhcG is short",
    ],
)
def test_what_is_encoded_and_holds_no_value_stays(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    "piece",
    [
        "ZGFwaT",
        "RhcGk",
        "%64",
        "%64%61",
        "Authorization: Basic ",
        "authorization=",
        "Basic ",
        "dapi",
        "dapi0",
        "eyJ.",
        "Bearer ",
    ],
)
@pytest.mark.timeout(120)
def test_a_long_text_is_redacted_in_linear_time(piece):
    """With nested repetitions, a text of this length would take hours."""
    redact(piece * (3_000_000 // len(piece)))


@pytest.mark.parametrize("text", ["overdose-of-coffee-makes-nervous", "x_dapiary0123", "monkeyJungle.is.here"])
def test_a_word_that_contains_a_prefix_is_unchanged(text):
    assert redact(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("db_password=hunter2", "db_password=[redacted]"),
        ("client_secret%3Dhunter2 x", "client_secret%3D[redacted] x"),
        ('"api_key": hunter2', '"api_key": [redacted]'),
        ("auth=Bearer%20opaque", "auth=Bearer%20[redacted]"),
    ],
)
def test_a_labeled_secret_is_redacted_in_urls_and_json_too(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize("label", ["password=", "pwd: ", "API_KEY = ", "Secret:"])
def test_a_labeled_secret_is_redacted_if_it_has_a_digit(label):
    assert redact(f"my {label}hunter2! for you") == f"my {label}[redacted] for you"
    assert redact(f"my {label}in the vault") == f"my {label}in the vault"


def test_a_private_key_is_redacted_to_the_end():
    assert redact("x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n") == "x [redacted]"


@pytest.mark.parametrize(
    "text", ["asiapacificworkspace", "Asia and AKIA", "the bearer token of the team", "password rotation", "dapiary"]
)
def test_words_with_a_similar_prefix_are_not_secrets(text):
    assert not SECRET_FORMS.search(text)


def test_a_letter_of_another_alphabet_before_a_credential_does_not_hide_it():
    assert redact("ключ" + "dapi" + "0a" * 16) == "ключ[redacted]"


def test_an_ordinary_message_is_unchanged():
    message = "Token does not exist: " + "ab" * 32
    assert redact(message) == message


def test_a_known_credential_of_any_format_is_redacted():
    assert redact("opaque-value is wrong", "opaque-value", "") == "[redacted] is wrong"
