"""The arguments of the reading commands."""

import io
import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
import requests

import tokenkit
from tests.conftest import NOW
from tests.review.test_sign_ins import event, frame
from tokenkit import cli, errors
from tokenkit.commands import reading
from tokenkit.output.snapshots import write_snapshot
from tokenkit.review import filters
from tokenkit.sandbox.profiles import profiles_of, write_profiles


def test_a_heading_of_several_columns_is_an_error_that_names_them():
    frame = pd.DataFrame(columns=["ends_by", "caller", "owner"])
    assert reading.names_of_columns(["Owner", "caller"], frame) == ["owner", "caller"]
    with pytest.raises(errors.UsageError, match=r"'by' is the heading of several columns\. Use ends_by or caller\."):
        reading.names_of_columns(["by"], frame)


def test_an_ambiguous_prefix_is_shown_with_its_tokens(workspace):
    listing = pd.DataFrame({"token_id": ["ab" * 30 + end * 4 for end in "12"] + ["abababab77" + "0" * 54]})
    assert reading.whole_ids(["abababab7"], listing, workspace, "tokenkit") == [listing["token_id"][2]]
    with pytest.raises(errors.UsageError) as error:
        reading.whole_ids(["abababab"], listing, workspace, "tokenkit")
    message = str(error.value)
    assert " have IDs that begin with 'abababab': abababababab" in message
    assert "abababab770000" in message
    assert message.endswith("Give more characters.")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(("command", "code"), [("get {}", 3), ("usage {}", 3), ("update {} --comment x --dry-run", 2)])
def test_a_token_that_tokenkit_revoked_is_shown_with_its_run(capsys, command, code):
    ws = tokenkit.connect()
    token_id = ws.tokens("owner != 'admin@example.com'")["token_id"].iloc[0]
    plan = ws.revoke(token_id)
    done = plan.apply(progress=False)["finished_at"].iloc[0]
    for given in (token_id, token_id[:12]):
        assert cli.main(command.format(given).split()) == code
        assert capsys.readouterr().err == (
            f"tokenkit: There is no token {given!r} on {ws.name}: run {plan.run_id} revoked it on {done:%Y-%m-%d}. "
            f"For details: tokenkit journal --run {plan.run_id}\n"
        )
    assert cli.main(command.format("f" * 64).split()) == code
    assert capsys.readouterr().err == f"tokenkit: There is no token {'f' * 64!r} on {ws.name}.\n"


@pytest.mark.usefixtures("here")
def test_tokens_that_tokenkit_revoked_do_not_keep_the_others_from_being_revoked(capsys):
    """A report of leaked tokens is worked through more than once."""
    ws = tokenkit.connect()
    gone, *others = ws.tokens("owner != 'admin@example.com'", status="active")["token_id"].head(3)
    plan = ws.revoke(gone)
    plan.apply(progress=False)
    said = f"There is no token {gone!r} on {ws.name}: run {plan.run_id} revoked it on "
    assert cli.main(["revoke", gone, *others, "--yes"]) == 0
    assert capsys.readouterr().err.startswith(said)
    assert not ws.tokens()["token_id"].isin([gone, *others]).any()
    assert cli.main(["revoke", gone, *others, "--yes"]) == 1
    said_again = capsys.readouterr().err
    assert said in said_again
    assert said_again.rstrip().endswith("nothing to revoke; no token matches.")
    assert cli.main(["revoke", gone, "f" * 64, "--yes"]) == 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["list", "revoke --yes --allow-none"])
@pytest.mark.parametrize(
    ("filter_", "expected"),
    [
        ("--scope all-api", "No token has the scope 'all-api'. Did you mean all-apis?"),
        ("--owner terrafrm", "Did you mean terraform?"),
        ("--owner terraform --never-expires --idle 9000d", None),
    ],
)
def test_a_filter_without_a_match_is_reported_as_misspelled(capsys, command, filter_, expected):
    assert cli.main(shlex.split(f"{command} {filter_}")) == 0
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1  # the headings
    assert "nothing to revoke" in printed.err or command == "list"
    assert expected in printed.err if expected else "No token has" not in printed.err


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("list --owner nobody", "No token has the owner 'nobody', and "),
        ("list --owner terraform --idle 9000d", "{}: 0 tokens."),
        ("scopes --owner nobody", "No token has the owner 'nobody', and "),
        ("scopes --owner terraform --idle 9000d", "{}: 0 tokens."),
        ("access --where \"principal == 'nobody'\"", "{}: 0 of "),
        ("audit --findings --rule lifetime-over-maximum", "{}: 0 findings "),
        ("journal", "All workspaces: 0 runs in the journal."),
        ("journal --tokens", "All workspaces: 0 tokens in the journal."),
        ("resume", "All workspaces: 0 unfinished runs."),
    ],
)
def test_of_a_listing_with_nothing_in_it_a_terminal_shows_one_line(line, says, monkeypatch, capsys):
    for stream in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    assert cli.main(shlex.split(line)) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    (said,) = printed.err.splitlines()
    assert said.startswith(says.format(tokenkit.connect().name))
    assert cli.main([*shlex.split(line), "--quiet"]) == 0
    printed = capsys.readouterr()
    assert len((printed.out + printed.err).splitlines()) == 1


@pytest.mark.usefixtures("here")
def test_tokens_whose_scopes_cannot_be_narrowed_are_not_called_nothing(monkeypatch, capsys):
    owner = tokenkit.connect().scopes("advice == 'none'")["owner"].iloc[0]
    line = ["scopes", "--owner", owner, "--where", "advice == 'none'"]
    assert cli.main(line) == 0
    assert capsys.readouterr().out.count("\n") == 1
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert cli.main(line) == 0
    assert capsys.readouterr().out == "No scopes can be narrowed.\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert cli.main(line) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.search(r": [\d,]+ tokens? \(advice: [\d,]+ none\)\.\n.* not shown\. To show all: ", printed.err)


@pytest.mark.parametrize("command", ["list", "revoke --yes --allow-none"])
def test_an_owner_who_was_offboarded_is_not_taken_for_another_one(here, capsys, command):
    ws = tokenkit.connect()
    users = ws.users()
    name, user_id = users[~users["user_name"].isin(ws.tokens()["owner"])].iloc[0][["user_name", "id"]]
    without = f"No token has the owner {name!r}"
    assert cli.main(shlex.split(f"{command} --owner {name}")) == 0
    assert f"{without}. A user or service principal has this name." in capsys.readouterr().err
    path = f"/api/2.0/preview/scim/v2/Users/{user_id}"
    requests.delete(here.host + path, headers={"Authorization": f"Bearer {here.token}"}, timeout=10).raise_for_status()
    assert cli.main(shlex.split(f"{command} --owner {name}")) == 0
    said = capsys.readouterr().err
    assert "no user" in said
    assert "service principal" in said
    assert "has this name." in said


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ["list", "revoke --dry-run", "update --comment x --dry-run"])
@pytest.mark.parametrize("scopes", ["--scope all-apis", "--scope sql --scope all-apis", "--scope sql"])
def test_a_filter_by_all_apis_names_the_expression_that_includes_tokens_without_scopes(capsys, command, scopes):
    assert cli.main(shlex.split(f"{command} {scopes}")) == 0
    message, _, expression = capsys.readouterr().err.partition('--where "')
    assert ("Tokens without scopes can also use all APIs." in message) == ("all-apis" in scopes)
    if expression:
        assert (
            cli.main(["list", "--where", expression.partition('"')[0], "--columns", "scopes", "--output", "csv"]) == 0
        )
        assert set(pd.read_csv(io.StringIO(capsys.readouterr().out))["scopes"].fillna("none")) == {
            '["all-apis"]',
            "none",
        }


@pytest.mark.usefixtures("here")
def test_an_audit_and_a_token_say_that_scopes_are_not_stated(capsys):
    assert cli.main(["audit", "--rule", "broad-scope"]) == 0
    count, filters = re.search(
        r"leaves out (\d+) active .* They match .* `tokenkit list (.*)`\.\n", capsys.readouterr().err
    ).groups()
    assert cli.main(["list", *shlex.split(filters), "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == int(count)
    assert not any(token["scopes"] for token in found)
    assert cli.main(["list", "--scope", "sql", "--output", "json"]) == 0
    limited = json.loads(capsys.readouterr().out)
    for token, expected in ((found[0], True), (limited[0], False)):
        assert cli.main(["get", token["token_id"]]) == 0
        assert ("not stated, which can mean all APIs" in capsys.readouterr().err) == expected


@pytest.mark.usefixtures("here")
def test_several_tokens_are_shown_in_the_given_order_each_with_its_findings(capsys, monkeypatch):
    ws = tokenkit.connect()
    findings = ws.audit().findings
    ids = [*findings["token_id"].drop_duplicates().head(2)[::-1], ws.tokens()["token_id"].iloc[-1]]
    argv = ["get", *ids, ids[0][:12]]
    assert cli.main([*argv, "--output", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [token["token_id"] for token in found] == ids
    for token in found:
        own = findings[findings["token_id"] == token["token_id"]]
        assert token["findings"] == [f"{row.severity} {row.rule}: {row.evidence}" for row in own.itertuples()]
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert cli.main([*argv, "--no-color", "--columns", "owner,token_id"]) == 0
    records = [text.split() for text in capsys.readouterr().out.split("\n\n")]
    assert [record[:2] for record in records] == [["owner", token["owner"]] for token in found]
    ends = ["".join(record[-2:]) for record in records]
    assert all(end.endswith(token["token_id"]) for end, token in zip(ends, found, strict=True))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("line", ["get {} --output csv", "usage {} --rows {rows} --output csv"])
def test_the_tokens_that_exist_are_shown_and_the_others_are_named(capsys, tmp_path, line):
    ws = tokenkit.connect()
    gone, first, second = ws.tokens("owner != 'admin@example.com'")["token_id"].head(3)
    ws.revoke(gone).apply(progress=False)
    frame(event(first), event(second), event(second)).to_json(tmp_path / "rows.jsonl", orient="records", lines=True)
    line, unknown = line.replace("{rows}", str(tmp_path / "rows.jsonl")), "f" * 64
    assert cli.main(line.format(f"{unknown} {second} {gone} {first}").split()) == 3
    printed = capsys.readouterr()
    assert pd.read_csv(io.StringIO(printed.out))["token_id"].tolist() == [second, first]
    assert f"There is no token {unknown!r} on {ws.name}.\n" in printed.err
    assert f"There is no token {gone!r} on {ws.name}: run " in printed.err
    assert cli.main(line.format(f"{unknown} {gone}").split()) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(f"no token {token_id!r}" in printed.err for token_id in (unknown, gone))


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("output", "separator", "items"), [("table", "\t", lambda cell: cell.split("; ")), ("csv", ",", json.loads)]
)
def test_the_findings_of_a_token_can_be_separated_in_a_pipe(capsys, output, separator, items):
    token_id = tokenkit.connect().audit().findings["token_id"].mode().iloc[0]
    assert cli.main(["get", token_id, "--output", "json"]) == 0
    findings = json.loads(capsys.readouterr().out)[0]["findings"]
    assert cli.main(["get", token_id, "--columns", "token_id,findings", "--output", output]) == 0
    row = pd.read_csv(io.StringIO(capsys.readouterr().out), sep=separator).iloc[0]
    assert len(findings) > 1
    assert items(row["findings"]) == findings


@pytest.mark.usefixtures("here")
def test_a_token_that_was_never_used_says_so(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for expression, expected in (("last_used_day.isna()", "never"), ("last_used_day.notna()", "20..-..-..")):
        assert cli.main(["get", tokenkit.connect().tokens(expression)["token_id"].iloc[0], "--no-color"]) == 0
        assert re.search(rf"^last used day \(UTC\) +{expected}$", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.usefixtures("here")
def test_a_profile_without_its_option_is_recognized(capsys, monkeypatch, tmp_path):
    (tmp_path / "profiles").write_text("[prod]\nhost = https://prod.example.com\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "profiles"))
    assert cli.main(["list", "prod"]) == 2
    assert "'prod' is a profile. Use --profile prod." in capsys.readouterr().err


def test_in_a_workspace_without_tokens_nothing_is_misspelled(workspace):
    listing = workspace.tokens()
    assert filters.misspelt(listing, {"owner": "nobody"}) != []
    assert filters.misspelt(listing.head(0), {"owner": "nobody"}) == []


def test_a_column_that_the_server_added_can_be_selected(tmp_path, capsys):
    token = {"token_id": "ab" * 32, "creation_time": 1_772_000_000_000, "expiry_time": -1, "zone": "eu-7"}
    (tmp_path / "saved.json").write_text(json.dumps({"token_infos": [token]}))
    line = f"list --from {tmp_path}/saved.json --as-of 2026-03-01 --sort zone --columns"
    assert cli.main([*line.split(), "zone"]) == 0
    assert capsys.readouterr().out == "zone\neu-7\n"
    assert cli.main([*line.split(), "zonne"]) == 2  # known once the listing is read
    assert "Did you mean zone?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    ["list --from", "changes", "audit --waivers", "find-leaked --file", "find-leaked --report", "usage --rows"],
)
@pytest.mark.usefixtures("here")
def test_a_folder_in_place_of_a_file_is_an_error_that_says_so(tmp_path, capsys, line):
    assert cli.main([*line.split(), str(tmp_path)]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert f"{tmp_path}: it is a folder" in message or f"{tmp_path} is not a s" in message
    assert "it is a folder" in message


@pytest.mark.parametrize(
    ("line", "said"),
    [("list --limit 3", "{} tokens. Showing the first 3."), ("audit --limit 2", "Showing the first 2 of {} rows.")],
)
@pytest.mark.usefixtures("here")
def test_a_listing_that_is_cut_says_so_in_a_pipe_too_unless_quiet(capsys, line, said):
    ws = tokenkit.connect()
    said = said.format(len(ws.tokens()) if line.startswith("list") else len(ws.audit().summary))
    assert cli.main(line.split()) == 0
    assert [row for row in capsys.readouterr().err.splitlines() if row.endswith(said)] != []
    assert cli.main([*line.split(), "--quiet"]) == 0
    assert "Showing" not in capsys.readouterr().err
    assert cli.main([*line.split()[:1], "--limit", "10000"]) == 0  # nothing is cut
    assert "Showing" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["connect account", "list --profile account"])
def test_a_profile_of_an_account_is_an_error_that_names_the_commands_for_it(own_companies, tmp_path, capsys, command):
    write_profiles(tmp_path / "databrickscfg", profiles_of(own_companies))
    assert cli.main(command.split()) == 2
    message = capsys.readouterr().err
    assert "is an account console, not a workspace" in message
    assert message.endswith("all workspaces of the account: tokenkit fleet … --account NAME.\n")
    assert "routes.py" not in message
    assert cli.main(["fleet", "list", "--account", "account", "--output", "json"]) == 0


def test_changes_are_since_the_newest_snapshot_that_is_old_enough(here, capsys, monkeypatch):
    monkeypatch.setattr("tokenkit.core.clock.system_time", lambda: NOW)
    ws, tokens = tokenkit.connect(), tokenkit.connect().tokens()
    of = {"host": ws.host, "workspace_id": ws.identify(), "workspace": ws.name}
    assert cli.main(["snapshot"]) == 0
    for days, missing in (9, 4), (8, 3), (2, 1):
        folder = Path(ws.snapshots()["path"].iloc[-1]).parent
        path = folder / f"{days}.parquet"
        write_snapshot(tokens.iloc[missing:], path, taken_at=NOW - pd.Timedelta(days=days), **of)
    capsys.readouterr()
    for since, found in ("7d", 3), ("1w", 3), ("2d", 1), ("12h", 1), ("2026-02-22", 3), ("2026-02-21", 4):
        assert cli.main(["changes", "--since", since, "--output", "json"]) == 0
        assert [row["change"] for row in json.loads(capsys.readouterr().out)] == ["created"] * found, since
    here.requests.clear()
    assert cli.main(["changes", "--since", "30d"]) == 2
    assert "has no snapshot from before 2026-01-30 09:30 UTC. The oldest one was saved on 2026-02-20 09:30 UTC." in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("changes --since 1m", "'1m' is neither a duration nor a date. Write 7d, 12h or 2w, or 2026-03-01."),
        ("changes --since 7", "'7' is neither a duration nor a date. Write 7d, 12h or 2w, or 2026-03-01."),
        ("changes a.parquet --since 7d", "Both a snapshot 'a.parquet' and --since were given. Give one."),
        (
            "changes 7d",
            "7d is not a snapshot: the file does not exist. Give another file, or an age as in --since 7d.",
        ),
    ],
)
def test_an_age_in_place_of_a_snapshot_is_an_error_that_names_the_option(capsys, line, message):
    assert cli.main(line.split()) == 2
    assert message in capsys.readouterr().err


def test_without_a_snapshot_the_command_that_saves_one_is_ready(company, tmp_path, capsys):
    (tmp_path / "databrickscfg").write_text(f"[prod]\nhost = {company.host}\ntoken = {company.token}\n")
    assert cli.main(["changes", "--profile", "prod"]) == 2
    said = capsys.readouterr().err
    assert said == f"tokenkit: {company.host} has no snapshot. Save one with: tokenkit snapshot --profile prod\n"
    assert cli.main(["fleet", "changes", "--profiles", "prod"]) == 3
    assert "Save one with `tokenkit fleet snapshot --profiles prod`." in capsys.readouterr().err
