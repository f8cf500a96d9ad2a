"""What commands show in a terminal of 80, 120 and 200 columns, and in a pipe: nothing that is needed next is cut."""

import json
import re
import shlex

import pandas as pd
import pytest
from rich.cells import cell_len

import tokenkit
from tests.review.test_sign_ins import event
from tests.review.test_sign_ins import frame as sign_ins
from tests.tables import columns_of
from tokenkit import cli
from tokenkit.commands import parser, printing, returned
from tokenkit.commands.options import COLUMNS, SHELL
from tokenkit.commands.rows import as_frame
from tokenkit.commands.table import COMMANDS
from tokenkit.output import snapshots
from tokenkit.review import columns
from tokenkit.review.values import words
from tokenkit.sandbox import Fault

WIDTHS = (80, 120, 200)
NEEDED = (
    "owner",
    "principal",
    "run_id",
    "rule",
    "severity",
    "outcome",
    "error",
    "warnings",
    "change",
)
# What is needed of a command, but gives way in others.
NEEDED_OF = {
    "scopes": ("scopes", "new_scopes"),
    # A new value is read beside the present one.
    "scopes --narrow --dry-run": ("scopes", "new_scopes"),
    "update --status active --scopes sql --dry-run": ("scopes", "new_scopes"),
    "update --status active --comment x --dry-run": ("comment", "new_comment"),
    "undo {update} --dry-run": ("comment", "new_comment"),
    "journal": ("reason",),
    "fleet journal": ("reason",),
    "permissions show": ("permission_level", "user_name", "group_name"),
    "fleet permissions show": ("permission_level", "user_name", "group_name"),
    "access": ("can_use", "tokens_without_permission"),
    "usage": ("identities",),
}
LINES = [
    "list",
    "list --expires-in 400d",
    "list --columns owner,token_id,idle_days",
    "audit",
    "audit --findings",
    "access",
    "permissions show",
    "permissions levels",
    "scopes",
    "journal",
    "journal --tokens",
    "changes {earlier}",
    "find-leaked --file {leaked}",
    "revoke --status active --dry-run",
    "update --status active --comment x --dry-run",
    "update --status active --scopes sql --dry-run",
    "scopes --narrow --dry-run",
    "permissions set group:contractors --dry-run",
    "permissions add group:analysts --dry-run",
    "permissions remove group:data-engineers --dry-run",
    "resume",
    "resume {run} --dry-run",
    "undo {update} --dry-run",
    "snapshot",
    "fleet list --profiles prod,dev,staging",
    "fleet audit --findings --profiles prod,dev",
    "fleet access --profiles prod,dev",
    "fleet journal --profiles prod,dev",
    "fleet permissions show --profiles prod,dev",
    "fleet revoke --status expired --dry-run --profiles prod,dev",
    "fleet resume --profiles prod,dev",
    "fleet snapshot --profiles prod,dev",
    "fleet changes --profiles prod,dev",
    "fleet find-leaked --file {leaked} --profiles prod,dev",
    "fleet permissions set group:contractors --dry-run --profiles prod,dev",
    "fleet permissions add group:analysts --dry-run --profiles prod,dev",
    "fleet permissions remove group:data-engineers --dry-run --profiles prod,dev",
    "usage --rows {log}",
    "create-obo terraform --lifetime 1d --secret tokenkit/x",
]
RECORDS = ["connect", "get {token}"]
WITHOUT_A_TABLE = {
    "report": "writes a file",
    "explore": "a widget",
    "fleet explore": "a widget",
    "sandbox": "serves",
    "lab": "serves",
    "completion": "prints a script",
}


def test_every_command_is_looked_at():
    looked_at = [parser.parse(shlex.split(line), SHELL).command.path for line in [*LINES, *RECORDS]]
    assert {*looked_at, *WITHOUT_A_TABLE} == {command.path for command in COMMANDS}, "add a line to LINES"


@pytest.fixture
def filled(own_companies, monkeypatch, tmp_path):
    """A workspace with a history, and the names in the lines above."""
    monkeypatch.setenv("DATABRICKS_HOST", own_companies.host)
    monkeypatch.setenv("DATABRICKS_TOKEN", own_companies.token)
    profiles = zip(("prod", "dev", "staging"), own_companies.workspaces, strict=True)
    text = "".join(f"[{name}]\nhost = {each.host}\ntoken = {each.token}\n" for name, each in profiles)
    (tmp_path / "databrickscfg").write_text(text)
    ws = tokenkit.connect()
    tokens = ws.tokens("owner != 'admin@example.com'", status="active")
    tokenkit.fleet(["prod", "dev"]).snapshot()
    log = sign_ins(*(event(token_id) for token_id in tokens["token_id"].head(3)))
    log.to_json(tmp_path / "log.jsonl", orient="records", lines=True)
    earlier = snapshots.write_snapshot(
        tokens.iloc[:-5],
        tmp_path / "earlier.parquet",
        host=ws.host,
        workspace_id=ws.identify(),
        workspace=ws.name,
        taken_at=pd.Timestamp("2026-01-01", tz="UTC"),
    )
    (tmp_path / "leaked.txt").write_text(f"token: {own_companies.token}")
    update = ws.plan_update(tokens.head(2), comment="changed", reason="a test")
    update.apply(progress=False)
    own_companies.faults.add(Fault(method="DELETE", status=400))
    revocation = ws.revoke(tokens.tail(2), reason="offboarding of a colleague with a long reason")
    revocation.apply(progress=False)
    own_companies.faults.clear()
    return {
        "earlier": earlier,
        "leaked": tmp_path / "leaked.txt",
        "log": tmp_path / "log.jsonl",
        "run": revocation.run_id,
        "update": update.run_id,
        "token": tokens["token_id"].iloc[3],
    }


def drawn(session, call, result, monkeypatch, capsys, *, width):
    """Return what is shown of a result in a terminal of a width, or in a pipe."""
    capsys.readouterr()
    monkeypatch.setenv("COLUMNS", str(width or 80))
    with monkeypatch.context() as patched:
        patched.setattr("sys.stdout.isatty", lambda: width is not None, raising=False)
        printing.write_result(session, call, result, labels=session.labels, is_colored=False)
    return capsys.readouterr().out


def run(line):
    session = cli._ShellSession()
    call = parser.parse(shlex.split(line), SHELL)
    return session, call, call.run(session)


@pytest.mark.parametrize("line", LINES)
def test_in_every_width_and_in_a_pipe_what_is_needed_next_is_whole(filled, line, monkeypatch, capsys):
    session, call, result = run(line.format(**filled))
    frame = as_frame(result, findings=bool(call.rows.get("findings")))
    assert len(frame)
    if call.rows:
        assert {*frame.columns} <= {*returned.columns_of(call.shape, is_plan=call.is_plan)}
    chosen = call.rows.get("columns") or frame.columns
    cells = {
        name: {words(columns.cell(value)) for value in frame[name].dropna() if str(value).isascii()}
        for name in (*NEEDED, *(NEEDED_OF.get(line, ())))
        if name in chosen and name in frame
        if name != "run_id" or "cause" not in frame  # of changes: a cause says all but the run, which may not fit
    }
    needed = {name: {"".join(text.split()) for text in texts} for name, texts in cells.items()}
    parts = {part for texts in cells.values() for text in texts for part in re.findall(r"[^\W_]+", text)}
    unbroken = {part for part in parts if len(part) < 64}  # an id in an error does not fit
    for width in WIDTHS:
        text = drawn(session, call, result, monkeypatch, capsys, width=width)
        caption, _, rows = text.partition(" (dry run, nothing was changed):\n")
        body = (rows or caption).partition("… and ")[0]
        assert max(map(cell_len, text.splitlines())) <= width
        assert all(re.search(rf"(?<![^\W_]){part}(?![^\W_])", body) for part in unbroken), width
        body, _, shared = body.partition("\nerror 1 (")
        found = [*columns_of(body), "".join(shared.split())]
        for name, values in needed.items():
            if name == "error" and shared:  # without the id of each token
                values = {re.sub("[0-9a-f]{64}", "…", value) for value in values}  # noqa: PLW2901
            assert all(any(value in column for column in found) for value in values), (width, name)
        if "token_id" in chosen and frame["token_id"].notna().any():
            ids = frame["token_id"].dropna().str.slice(stop=12)
            assert all(any(short in column for column in found) for short in ids), width
        if session.labels:
            assert not any(address in body for address in session.labels)
            assert all(label in body for label in {session.labels[address] for address in frame["workspace"]})
        assert not {"True", "False", "NaT", "<NA>", "nan"} & set(body.split())
    piped = drawn(session, call, result, monkeypatch, capsys, width=None)
    headings, *rows = (each.split("\t") for each in piped.splitlines())
    assert len(rows) == len(frame)
    assert {len(row) for row in rows} == {len(headings)}
    assert set(needed) <= set(headings)
    if "token_id" in headings:
        assert [row[headings.index("token_id")] for row in rows] == frame["token_id"].fillna("").tolist()


@pytest.mark.parametrize("line", RECORDS)
def test_a_record_is_a_field_a_line_and_whole_in_every_width(filled, line, monkeypatch, capsys):
    session, call, result = run(line.format(**filled))
    (record,) = as_frame(result).to_dict("records")
    for width in WIDTHS:
        text = drawn(session, call, result, monkeypatch, capsys, width=width)
        assert max(map(cell_len, text.splitlines())) <= width
        assert len(text.splitlines()) > 5
        flowing = "".join(text.split())
        whole = [value for value in record.values() if isinstance(value, str)]
        whole += [each for value in record.values() if isinstance(value, list) for each in value]
        assert all("".join(value.split()) in flowing for value in whole)


def test_a_token_has_its_findings_and_its_owner(filled, capsys):
    assert cli.main(["get", filled["token"], "--output", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    ws = tokenkit.connect()
    found = ws.audit().findings.query("token_id == @filled['token']")
    assert record["findings"] == [f"{row.severity} {row.rule}: {row.evidence}" for row in found.itertuples()]
    assert record["owner"] == ws.tokens().set_index("token_id").loc[filled["token"], "owner"]


@pytest.mark.usefixtures("filled")
def test_a_wider_terminal_has_more_columns(monkeypatch, capsys):
    session, call, result = run("list")
    tables = [drawn(session, call, result, monkeypatch, capsys, width=width) for width in WIDTHS]
    headings = [next(line for line in table.splitlines() if line.startswith("owner")) for table in tables]
    counts = [len(re.split(" {2,}", line.strip())) for line in headings]
    assert counts == sorted(set(counts))
    assert "scopes" in headings[2]
    assert "scopes" not in headings[0]


@pytest.mark.parametrize("row", [row for row in COMMANDS if COLUMNS in row.rows], ids=lambda row: row.path)
def test_the_columns_of_a_command_are_listed_without_its_arguments_and_without_a_workspace(row, capsys):
    assert cli.main([*row.path.split(), "--columns", "help", "--output", "json"]) == 0
    described = json.loads(capsys.readouterr().out)
    assert [*described[0]] == ["column", "meaning", "in_tables"]
    always_changes = row.can_change and row.path.rpartition(" ")[2] not in {"scopes", "resume"}
    known = returned.columns_of(row.path, is_plan=always_changes)
    assert {column["column"] for column in described} == {*known}
    assert all(column["meaning"] and column["meaning"] != columns.spec_of("new_field").meaning for column in described)


@pytest.mark.parametrize("given", [["--columns=help"], ["--columns", "owner", "--columns", "help"]])
def test_help_about_columns_has_several_spellings(given, capsys):
    assert cli.main(["list", *given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t") == ["column", "meaning", "in_tables"]
    assert any(line.startswith("token_id\tthe ID, a hash of the value") for line in lines)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("access --columns reach", "Unknown column 'reach'. It is a column of `scopes`."),
        ("audit --columns evidence", "It is a column of `audit --findings`."),
        ("access --columns principle", "Did you mean principal?"),
        ("access --sort logins", "It is a column of `usage`, `access --usage`."),
        ("journal --columns principal", "It is a column of `access`, `journal --run`."),
        ("journal --columns attempts", "It is a column of `journal --tokens`, `journal --run`."),
        ("journal --tokens --columns due", "It is a column of `journal`, `resume`."),
        ("journal --run 20260301-0930 --columns reach", "It is a column of `scopes`."),
        ("fleet journal --profiles prod,dev --columns principal", "It is a column of `access`, `journal --run`."),
        ("list --columns rule", "It is a column of `audit`."),
        ("list --columns reach", "It is a column of `scopes`."),
        ("list --columns new_permission_level", "It is a column of `journal --run`."),
        ("list --sort protected", "It is a column of `permissions set`, `permissions add`, `permissions remove`."),
    ],
)
def test_an_unknown_column_of_one_command_is_known_to_belong_to_another_before_a_request(line, expected, capsys):
    assert cli.main(line.split()) == 2
    assert capsys.readouterr().err.endswith(f"{expected}\n")


@pytest.mark.usefixtures("filled")
def test_a_column_that_the_server_did_not_add_is_an_error_and_nothing_is_said_of_the_rows(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for line in ("list --limit 3 --columns added_by_the_server", "list --limit 3 --sort added_by_the_server"):
        assert cli.main(line.split()) == 2
        error = [text for text in capsys.readouterr().err.splitlines() if "\r" not in text]
        assert error[-1].startswith("tokenkit: Unknown column 'added_by_the_server'. Known: ")
        assert not [text for text in error[:-1] if "token" in text]


@pytest.mark.usefixtures("filled")
def test_a_column_that_the_rows_of_one_run_lack_is_an_error_without_a_line_about_the_first_rows(filled, capsys):
    assert cli.main(["journal", "--run", filled["run"], "--columns", "principal", "--limit", "1"]) == 2
    error = capsys.readouterr().err
    assert "Showing the first" not in error
    assert error.splitlines()[-1].startswith("tokenkit: Unknown column 'principal'. Known: run_id, kind, ")


@pytest.mark.usefixtures("filled")
def test_what_ends_a_token_is_a_column_of_every_listing(capsys):
    assert cli.main(["list", "--columns", "token_id,ends_by", "--output", "json"]) == 0
    assert {row["ends_by"] for row in json.loads(capsys.readouterr().out)} <= {"expiry", "disuse"}
    assert cli.main(["list", "--sort=-ends_by", "--output", "json"]) == 0
    ends = [row["ends_by"] for row in json.loads(capsys.readouterr().out)]
    assert ends == sorted(ends, reverse=True)
    for end in ("expiry", "disuse"):
        assert cli.main(["list", "--where", f"ends_by == '{end}'", "--output", "json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == ends.count(end) > 0
    assert cli.main(["access", "--where", "ends_by == 'expiry'"]) == 2
    assert "Unknown column 'ends_by'" in capsys.readouterr().err


@pytest.mark.usefixtures("filled")
def test_what_ends_a_token_is_on_request_in_the_help_of_columns_as_in_tables(capsys):
    assert cli.main(["list", "--columns", "help", "--output", "json"]) == 0
    when = {row["column"]: row["in_tables"] for row in json.loads(capsys.readouterr().out)}
    assert (when["ends_by"], when["effective_end"]) == ("on request", "always")
    assert cli.main(["list"]) == 0
    assert "ends_by" not in capsys.readouterr().out.splitlines()[0].split()


@pytest.mark.parametrize(
    "line", ["access", "audit", "permissions show", "scopes", "journal", "find-leaked --file {leaked}"]
)
def test_every_command_that_returns_rows_arranges_and_writes_them(filled, line, tmp_path, capsys):
    line = line.format(**filled)
    cli.main([*shlex.split(line), "--output", "json"])
    records = json.loads(capsys.readouterr().out)
    name = next(name for name in ("principal", "rule", "group_name", "owner", "run_id") if name in records[0])
    file = tmp_path / "rows.csv"
    cli.main([*shlex.split(line), f"--sort=-{name}", "--limit", "2", "--columns", name, "--to", str(file)])
    assert capsys.readouterr().out == f"{file}\n"
    expected = pd.DataFrame(records).sort_values(name, ascending=False, kind="stable")[name].head(2)
    assert pd.read_csv(file)[name].dropna().tolist() == expected.dropna().tolist()


@pytest.mark.parametrize("where", ["--output csv", "--output json", "", "--to {}.csv", "--to {}.json", "--to {}.xlsx"])
@pytest.mark.usefixtures("here")
def test_a_value_in_a_comment_is_in_nothing_that_a_command_writes(where, tmp_path, capsys):
    value, ws = f"dapi{'9be3afe4' * 4}", tokenkit.connect()
    token = ws.tokens(status="active")["token_id"].iloc[0]
    ws.token_management.update_token_management(token, {"comment": f"old key: {value}"}, "comment")
    assert ws.tokens().set_index("token_id").loc[token, "comment"] == f"old key: {value}"
    assert cli.main(shlex.split(f"list --where \"token_id == '{token}'\" {where.format(tmp_path / 'rows')}")) == 0
    read = {".csv": pd.read_csv, ".json": pd.read_json, ".xlsx": pd.read_excel}
    files = [read[file.suffix](file)["comment"].item() for file in tmp_path.glob("rows.*")]
    written = "\n".join([*files, capsys.readouterr().out])
    assert "old key: [redacted]" in written
    assert value not in written


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.usefixtures("filled")
def test_the_path_of_a_snapshot_is_whole_in_its_table_or_left_out_and_in_the_message(
    tmp_path, monkeypatch, capsys, width
):
    monkeypatch.delenv("DATABRICKS_HOST")
    monkeypatch.delenv("DATABRICKS_TOKEN")
    monkeypatch.setenv("COLUMNS", str(width))
    one, fleet = "snapshot --profile prod", "fleet snapshot --profiles prod,dev"
    for line, place in (one, tmp_path / "x.parquet"), (fleet, tmp_path / "all"):
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdout.isatty", lambda: True, raising=False)
            patched.setattr("sys.stderr.isatty", lambda: True, raising=False)
            assert cli.main([*line.split(), str(place), "--no-color"]) == 0
        printed = capsys.readouterr()
        heading, *rows = printed.out.splitlines()
        assert ("path" in heading) == all(str(tmp_path) in row for row in rows)
        assert len(rows) == (1 if place.suffix else 2)
        assert f"{place}." in printed.err


def failing(company, count, **fault):
    """Return the session, the call and the result of a revocation of tokens, of which some fail."""
    tokens = tokenkit.connect().tokens("owner != 'admin@example.com'", status="active")
    company.faults.add(Fault(method="DELETE", status=403, **fault))
    found = run(f"revoke {' '.join(tokens['token_id'].head(count))} --yes")
    company.faults.clear()
    return found


def test_an_error_of_several_tokens_is_once_below_the_table_and_whole_in_each_row_of_a_pipe(here, monkeypatch, capsys):
    session, call, result = failing(here, 5, times=3)
    errors = result["error"].dropna()
    (shared,) = {
        error.replace(token_id, "…") for error, token_id in zip(errors, result["token_id"][errors.index], strict=True)
    }
    for width in WIDTHS:
        text = drawn(session, call, result, monkeypatch, capsys, width=width)
        rows, _, below = text.partition("\nerror 1 (3 tokens)")
        assert "".join(below.split()) == "".join(shared.split())
        assert rows.count("error 1") == len(errors) == 3
        assert len(rows.splitlines()) == 1 + 5
        assert max(map(cell_len, text.splitlines())) <= width
    piped = drawn(session, call, result, monkeypatch, capsys, width=None)
    assert all(error in piped for error in errors)
    assert "error 1" not in piped


def test_an_error_of_one_token_remains_in_its_row(here, monkeypatch, capsys):
    session, call, result = failing(here, 3, times=1)
    text = drawn(session, call, result, monkeypatch, capsys, width=200)
    assert "error 1" not in text
    assert "PERMISSION_DENIED" in text


def test_a_long_result_of_a_change_names_the_journal_which_has_all_of_it(here, monkeypatch, capsys):
    monkeypatch.setattr(printing, "_SCREEN_ROWS", 3)
    session, call, result = failing(here, 6, times=3)
    text = drawn(session, call, result, monkeypatch, capsys, width=120)
    (command,) = re.findall(r"^… and 3 more; to see all: tokenkit (.*)$", text, re.MULTILINE)
    assert command == f"journal --run {tokenkit.connect().runs()['run_id'].iloc[-1]} --output csv"
    assert cli.main(command.split()) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 6


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("line", "how"),
    [
        ("list", "use filters, --to FILE or --output csv"),
        ("revoke --status active --dry-run", "use filters, --to FILE or --output csv"),
        ("access", "use filters, --to FILE or --output csv"),
        ("audit", "use --to FILE or --output csv"),
    ],
)
def test_a_long_table_names_what_the_command_offers_to_see_all_rows(monkeypatch, capsys, line, how):
    monkeypatch.setattr(printing, "_SCREEN_ROWS", 3)
    session, call, result = run(line)
    text = drawn(session, call, result, monkeypatch, capsys, width=120)
    assert text.endswith(f"… and {len(as_frame(result)) - 3:,} more; {how}\n")
