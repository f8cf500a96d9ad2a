"""A saved listing, offline: what it says is what a workspace says, and what it cannot know it says it cannot."""

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tests.review.test_leaks import VALUE, gitleaks, sha256
from tokenkit import cli, errors
from tokenkit.core.wording import pluralize
from tokenkit.workspaces.saved import SavedListing

SAMPLES = Path(__file__).parent.parent / "samples" / "databricks"
API, CLI = SAMPLES / "token-management-tokens.json", SAMPLES / "cli-token-management-list.json"
IDS = [each["token_id"] for each in json.loads(CLI.read_text())]


@pytest.mark.parametrize("file", [API, CLI])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_of_the_api_and_of_the_official_cli_is_a_listing(tmp_path, file, encoding):
    (tmp_path / "x.json").write_text(file.read_text(encoding="utf-8"), encoding=encoding)
    tokens = tokenkit.read_listing(tmp_path / "x.json", as_of="2025-10-10")
    assert tokens["token_id"].tolist() == IDS
    assert tokens["owner"].tolist()[:3] == ["alice@example.com", "Bob.Roe@Example.com", "9007199254740993"]
    assert tokens["owner_kind"].eq("unknown").all()
    assert tokens["owner_active"].isna().all()
    assert tokens["status"].tolist() == ["active", "active", "expired", "active", "active"]
    assert tokens["age_days"].iloc[0] == pytest.approx(200.6, abs=0.1)
    assert tokens.attrs["taken_at"] == "2025-10-10T00:00:00+00:00"


def test_one_token_and_none_are_listings_too(tmp_path):
    assert tokenkit.read_listing(SAMPLES / "cli-token-management-get.json")["token_id"].tolist() == IDS[:1]
    some = tokenkit.read_listing(API)
    for nothing in (
        "{}",
        "[]",
        '{"token_infos": []}',
        '{"token_infos": null}',
    ):  # what the API and the official CLI answer
        (tmp_path / "x.json").write_text(nothing)
        none = tokenkit.read_listing(tmp_path / "x.json")
        assert len(none) == 0
        pd.testing.assert_series_equal(none.dtypes, some.dtypes)


@pytest.mark.parametrize(
    "write",
    [
        lambda tokens: "".join(json.dumps(token) + "\n" for token in tokens),  # jq -c '.[]'
        lambda tokens: "\n".join(json.dumps(token, indent=2) for token in tokens),  # jq '.[]'
        lambda tokens: json.dumps({"token_infos": tokens[:2]}) + json.dumps({"token_infos": tokens[2:]}),
        lambda tokens: json.dumps(tokens) + "\n" + json.dumps(tokens),  # saved twice to one file
        lambda tokens: json.dumps(tokens, indent=2).replace("\n", "\r\n"),
        lambda tokens: re.sub(r'("\w+"):', "\x1b[34;1m\\1\x1b[0m:", json.dumps(tokens)),  # jq -C
    ],
    ids=["lines", "pretty", "pages", "twice", "CRLF", "colors"],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_listing_is_read_whatever_it_came_through(tmp_path, write, encoding):
    tokens = json.loads(CLI.read_text(encoding="utf-8"))
    (tmp_path / "x.json").write_bytes(write(tokens).encode(encoding))
    saved = tokenkit.read_listing(tmp_path / "x.json", as_of="2025-10-10")
    assert saved["token_id"].tolist() == IDS
    assert saved["owner_id"].tolist() == [int(token["owner_id"]) for token in tokens]
    assert saved["comment"].fillna("").tolist() == [token.get("comment", "") for token in tokens]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"error_code": 403, "message": "Invalid access token."}', "it is an error response: Invalid access token. S"),
        ("HTTP/2 200\n\n" + API.read_text(), "line 1 is not complete JSON"),
        (API.read_text()[:-9], "is not complete JSON|it is truncated"),
        ("<html><title>Sign in</title></html>", "line 1 is not complete JSON"),
    ],
)
def test_each_problem_with_a_file_has_its_own_message(tmp_path, text, words):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(errors.UsageError, match=words) as raised:
        tokenkit.read_listing(tmp_path / "x.json")
    assert "scanner" not in str(raised.value)
    assert "report" not in str(raised.value)


def test_a_snapshot_has_its_own_moment_and_owners(workspace, tmp_path):
    file = workspace.snapshot(tmp_path / "x.parquet")
    saved = tokenkit.read_listing(file, as_of="2020-01-01")
    pd.testing.assert_frame_equal(saved, tokenkit.read_snapshot(file))
    assert SavedListing(file).moment == "the file"
    assert pd.Timestamp(saved.attrs["taken_at"]) == NOW


@pytest.mark.parametrize("options", ["--output json", "--to x.json"])
def test_json_of_list_is_a_listing_with_its_owners(sandbox, workspace, monkeypatch, capsys, tmp_path, options):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    assert cli.main(["list", "--now", "2026-01-01", *options.split()]) == 0
    if not Path("x.json").exists():
        Path("x.json").write_text(capsys.readouterr().out)
    saved = tokenkit.read_listing("x.json", as_of=workspace.now())
    same = tokenkit.read_snapshot(workspace.snapshot(tmp_path / "x.parquet"))
    pd.testing.assert_frame_equal(saved, same)
    assert {"user", "service_principal"} <= {*saved["owner_kind"]}


def test_a_time_after_nanoseconds_is_read_too(tmp_path):
    columns = tokenkit.read_listing(API).columns
    token = dict.fromkeys(columns) | {"token_id": "x", "expiry_time": "9999-12-31T23:59:59.999Z"}
    (tmp_path / "x.json").write_text(json.dumps([token]))
    assert tokenkit.read_listing(tmp_path / "x.json")["expiry_time"].iloc[0].year == 9999


WRONG = {
    "some columns of ours": '[{"token_id": "x", "owner": "ann@example.com"}]',
    "a time of ours that is none": json.dumps(
        [dict.fromkeys(tokenkit.read_listing(API).columns) | {"token_id": "x", "creation_time": "yesterday"}]
    ),
    "nothing": "",
    "another answer": '{"users": []}',
    "permissions": (SAMPLES / "permissions.json").read_text(),
    "cut short": API.read_text()[:-9],
    "no id": '[{"comment": "x"}]',
    "text": "token_id,comment\n1,2\n",
    "a time that is none": '[{"token_id": "x", "creation_time": {}}]',
}


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_a_file_that_is_not_a_listing_is_rejected(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(errors.UsageError, match=r"is not a saved listing: .*databricks token-management list"):
        tokenkit.read_listing(tmp_path / "x.json")


def test_a_plan_takes_only_the_ids_of_a_saved_listing(ws, tmp_path):
    listing = ws.tokens()
    listing = listing[listing["owner"] != ws.me()].head(2)
    raw = listing[["token_id"]].assign(comment="somebody else's words", owner_id=1)
    (tmp_path / "x.json").write_text(raw.to_json(orient="records"))
    plan = ws.revoke(tokenkit.read_listing(tmp_path / "x.json"))
    assert sorted(plan.token_ids) == sorted(listing["token_id"])
    assert plan.preview()["comment"].isin(ws.tokens()["comment"]).all()
    assert "somebody else's words" not in plan.preview().to_csv()


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No workspace is known, so that whoever asks one fails."""
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "nowhere"))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("list --owner alice@example.com", IDS[0]),
        ("list --where 'idle_days > 10' --sort=-idle_days", IDS[3]),
        ("list --created-by alice@example.com", IDS[2]),
        ("scopes --where \"advice == 'narrow'\"", "owner\tadvice\t"),
        ("audit --findings", IDS[0]),
        ("report --to x.html", "x.html"),
    ],
)
def test_the_reading_commands_read_a_file_and_name_the_reference_time_of_ages(capsys, line, shown):
    assert cli.main([*shlex.split(line), "--from", str(API), "--as-of", "2025-10-10"]) == 0
    printed = capsys.readouterr()
    assert shown in printed.out
    assert "ages count from 2025-10-10 00:00 UTC, the time of --as-of" in printed.err
    assert cli.main([*shlex.split(line), "--from", str(API)]) == 0
    assert "the current time, because the file has none" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["x.json", "x.parquet"])
def test_comments_that_were_redacted_when_saved_are_no_all_clear(sandbox, workspace, monkeypatch, tmp_path, name):
    monkeypatch.setenv("DATABRICKS_HOST", sandbox.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", sandbox.token)
    found = len(workspace.audit(["secret-in-comment"]).findings)
    file = tmp_path / name
    assert cli.main(["snapshot", str(file)] if name == "x.parquet" else ["list", "--to", str(file)]) == 0
    audit = SavedListing(file).audit(["secret-in-comment", "no-comment"])
    reason = f"secrets are redacted when a listing is saved: [redacted] is in {pluralize(found, 'comment')}"
    summary = audit.summary.set_index("rule")
    assert summary.loc["secret-in-comment", "not_checked"] == f"needs the workspace's comments ({reason})"
    assert pd.isna(summary.loc["secret-in-comment", "findings"])
    assert summary.loc["no-comment", "not_checked"] == ""
    assert cli.main(["audit", "--rule", "secret-in-comment", "--fail-on", "high", "--from", str(file)]) == 3


def test_without_a_redacted_comment_a_saved_listing_is_checked_for_secrets(tmp_path):
    columns = dict.fromkeys(tokenkit.read_listing(API).columns)
    saved = [columns | {"token_id": "x", "comment": "nightly job"}]
    sent = [{"token_id": "x", "comment": "key [redacted]"}, {"token_id": "y", "comment": "key dapi" + "0" * 32}]
    for tokens, found in ((saved, []), (sent, ["y"])):  # in what the API sent, a person wrote [redacted]
        (tmp_path / "x.json").write_text(json.dumps(tokens))
        audit = SavedListing(tmp_path / "x.json").audit(["secret-in-comment"])
        assert audit.summary["not_checked"].tolist() == [""]
        assert audit.findings["token_id"].tolist() == found


@pytest.mark.usefixtures("offline")
def test_leaked_values_are_looked_for_in_a_file(capsys, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps([gitleaks(VALUE)]))
    (tmp_path / "x.json").write_text(json.dumps([{"token_id": sha256(VALUE)}]))
    assert cli.main(["find-leaked", "--report", "r.json", "--from", "x.json"]) == 1
    printed = capsys.readouterr()
    assert sha256(VALUE) in printed.out
    command = f"tokenkit revoke {sha256(VALUE)} --reason leaked"
    assert printed.err.splitlines()[-1] == f"To revoke it: {command}"


@pytest.mark.usefixtures("offline")
def test_changes_are_up_to_a_file(capsys, tmp_path, workspace):
    workspace.snapshot(tmp_path / "before.parquet")
    (tmp_path / "x.json").write_text(json.dumps([{"token_id": "new", "owner_id": 1}]))
    assert cli.main(["changes", "before.parquet", "--from", "x.json", "--output", "json"]) == 0
    assert "new" in {each["token_id"] for each in json.loads(capsys.readouterr().out)}
    assert cli.main(["changes", "--from", "x.json"]) == 2
    assert "requires an earlier listing. Pass its file" in capsys.readouterr().err


def test_the_explorer_shows_a_file_and_changes_nothing(ipython):
    explorer = ipython.run_line_magic("tokens", f"explore --from {API} --as-of 2025-10-10")
    assert sorted(explorer.filtered["token_id"]) == sorted(IDS)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("revoke --owner x --from {}", "`revoke` requires a workspace"),
        ("access --from={}", "scopes, explore, audit, report, changes and find-leaked can read files"),
        ("fleet list --profiles a,b --from {}", "`fleet list` requires a workspace"),
        ("scopes --narrow --from {}", "cannot be changed"),
        ("list --profile prod --from {}", "and --profile the workspace of 'prod'. Remove one of them."),
        ("list --as-of 2026-01-01", "Give its file with --from, or remove --as-of."),
        ("list --as-of 2026-01-01 --profile prod", "Give its file with --from, or remove --as-of."),
        ("list --from {} --as-of yesterday-ish", "is not a date"),
        ("list --from nowhere.json", "Cannot read nowhere.json: No such file"),
    ],
)
def test_what_does_not_read_files_says_why(capsys, line, words):
    assert cli.main(shlex.split(line.format(API))) == 2
    assert words in capsys.readouterr().err
