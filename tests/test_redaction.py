"""What looks like a credential is not shown."""

import re

import pandas as pd
import pytest

from tokenkit.frames import TEXT
from tokenkit.redaction import SECRET, redact
from tokenkit.review import texts

SECRET_FORMS = re.compile(SECRET, re.IGNORECASE | re.ASCII)


@pytest.mark.parametrize(
    "secret",
    ["dapi" + "0123456789abcdef" * 2, "dapi" + "a1" * 16 + "-2", "dose" + "f0" * 16, "eyJhbGciOi.eyJzdWIi.c2ln"],
)
def test_whatever_looks_like_a_credential_is_redacted(secret):
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
def test_a_value_is_redacted_whatever_stands_beside_it(value, before, after):
    assert redact(f"{before}{value}{after}") == f"{before}[redacted]{after}"
    assert SECRET_FORMS.search(f"{before}{value}{after}")
    in_arrow = texts.redacted(pd.Series([f"{before}{value}{after}"], dtype=TEXT))
    assert in_arrow.tolist() == [f"{before}[redacted]{after}"]


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    "unseen", ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\ufe0f", "\x00", "\x08"]
)
def test_a_value_is_not_hidden_by_characters_that_nobody_sees(value, unseen):
    for hidden in (f"{value[:2]}{unseen}{value[2:]}", unseen.join(value), f"{value[:-4]}{unseen}{value[-4:]}"):
        assert redact(f"old {hidden}, new") == "old [redacted], new"
        column = pd.Series([f"old {hidden}, new", f"plain{unseen}", None], dtype=TEXT)
        assert texts.redacted(column).tolist()[:2] == ["old [redacted], new", f"plain{unseen}"]
        assert texts.holding_secrets(column).tolist() == [True, False, False]
    assert redact(unseen.join("opaque"), "opaque") == "[redacted]"
    assert redact(f"plain{unseen}", "opaque") == f"plain{unseen}"


@pytest.mark.parametrize("value", VALUES)
def test_nothing_of_a_value_is_left_where_it_runs_on(value):
    assert value.lower() not in redact(f"x{value}_old").lower()


@pytest.mark.parametrize("text", ["overdose-of-coffee-makes-nervous", "x_dapiary0123", "monkeyJungle.is.here"])
def test_a_word_that_goes_on_as_a_value_begins_stays(text):
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
def test_what_is_said_to_be_a_secret_is_one_in_an_address_and_in_json_too(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize("said", ["password=", "pwd: ", "API_KEY = ", "Secret:"])
def test_what_is_said_to_be_a_secret_is_one_if_it_has_a_digit(said):
    assert redact(f"my {said}hunter2! for you") == f"my {said}[redacted] for you"
    assert redact(f"my {said}in the vault") == f"my {said}in the vault"


def test_a_private_key_is_redacted_to_the_end():
    assert redact("x -----BEGIN RSA PRIVATE KEY-----\nMIIE\n") == "x [redacted]"


@pytest.mark.parametrize(
    "text", ["asiapacificworkspace", "Asia and AKIA", "the bearer token of the team", "password rotation", "dapiary"]
)
def test_words_that_only_begin_alike_are_no_secret_of_a_known_form(text):
    assert not SECRET_FORMS.search(text)


def test_a_letter_of_another_alphabet_before_a_credential_does_not_hide_it():
    assert redact("ключ" + "dapi" + "0a" * 16) == "ключ[redacted]"


def test_an_ordinary_message_is_left_as_it_is():
    message = "Token does not exist: " + "ab" * 32
    assert redact(message) == message


def test_a_credential_of_any_form_is_redacted_when_it_is_known():
    assert redact("opaque-value is wrong", "opaque-value", "") == "[redacted] is wrong"
