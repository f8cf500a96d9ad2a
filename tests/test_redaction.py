"""What looks like a credential is not shown."""

import pytest

from tokenkit.redaction import redact


@pytest.mark.parametrize(
    "secret",
    ["dapi" + "0123456789abcdef" * 2, "dapi" + "a1" * 16 + "-2", "dose" + "f0" * 16, "eyJhbGciOi.eyJzdWIi.c2ln"],
)
def test_whatever_looks_like_a_credential_is_redacted(secret):
    assert redact(f"before {secret} after") == "before [redacted] after"
    assert redact("Authorization: Bearer opaque==") == "Authorization: Bearer [redacted]"


def test_an_ordinary_message_is_left_as_it_is():
    message = "Token does not exist: " + "ab" * 32
    assert redact(message) == message


def test_a_credential_of_any_form_is_redacted_when_it_is_known():
    assert redact("opaque-value is wrong", "opaque-value", "") == "[redacted] is wrong"
