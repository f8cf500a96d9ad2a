"""The exit code of an audit."""

import json

import pytest

from tokenkit import cli


@pytest.mark.usefixtures("here")
def test_a_rule_that_is_named_and_cannot_be_checked_does_not_pass(capsys):
    assert cli.main(["audit", "--fail-on", "high", "--rule", "outside-networks"]) == 3
    assert "--fail-on high is undecided: outside-networks was not checked." in capsys.readouterr().err


def test_an_audit_without_findings_does_not_pass_if_a_rule_of_the_severity_was_not_checked(capsys, tmp_path):
    token = {"token_id": "a" * 64, "comment": "nightly export of the data team", "owner_id": 1, "scopes": ["sql"]}
    now = {"creation_time": 1_795_000_000_000, "expiry_time": 1_799_000_000_000, "last_used_day": 1_795_700_000_000}
    (tmp_path / "saved.json").write_text(json.dumps({"token_infos": [token | now]}))
    line = ["audit", "--from", str(tmp_path / "saved.json"), "--as-of", "2026-11-28", "--fail-on", "high"]
    assert cli.main(line) == 3
    said = capsys.readouterr().err
    skip = "--skip inactive-owner --skip admin-service-principal"
    assert "--fail-on high is undecided: inactive-owner, admin-service-principal were not checked. " in said
    assert f"To leave them out, add {skip}.\n" in said
    assert cli.main([*line, *skip.split()]) == 0  # rules of a lower severity were not checked either
    assert "inactive-creator was not checked" in capsys.readouterr().err
    (tmp_path / "saved.json").write_text(json.dumps({"token_infos": [token]}))
    assert cli.main(line) == 1  # a finding decides: it never expires
