import argparse
import json
import signal
import socket
import subprocess
import sys

import pytest

from tests.parts import needs
from tokenkit.sandbox.__main__ import configure, serve

from .conftest import TOKENS, Client


def start(*options):
    command = [sys.executable, "-m", "tokenkit.sandbox", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def usage_error(capsys):
    """Return a function that runs an invalid command line and returns its stderr."""

    def usage_error(*options):
        parser = argparse.ArgumentParser()
        configure(parser)
        assert serve(**vars(parser.parse_args(options))) == 2
        output, errors = capsys.readouterr()
        assert output == ""
        return errors

    return usage_error


def listing(host, token):
    client = Client(host, token)
    try:
        return client.ok("GET", TOKENS)["token_infos"]
    finally:
        client.session.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_line_is_json_and_a_signal_stops_the_server(number):
    process = start("--json", "--tokens", "20", "--workspaces", "2")
    try:
        where = json.loads(process.stdout.readline())
        assert set(where) == {"host", "token", "workspaces", "account", "warehouse_id"}
        assert where["workspaces"][0] == {"host": where["host"], "token": where["token"]}
        for workspace in where["workspaces"]:
            assert len(listing(workspace["host"], workspace["token"])) == 20
        process.send_signal(number)
        output, errors = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, output, errors) == (0, "", "")


def test_the_text_output_has_a_line_to_paste():
    process = start("--tokens", "3", "--workspaces", "2")
    try:
        lines = [process.stdout.readline() for _ in range(9)]
        paste = next(line for line in lines if line.startswith("export "))
        settings = dict(setting.split("=", 1) for setting in paste.split()[1:])
        assert lines[4] == f"warehouse: {settings['DATABRICKS_WAREHOUSE_ID']}\n"
        assert len(listing(settings["DATABRICKS_HOST"], settings["DATABRICKS_TOKEN"])) == 3
        assert lines[-1].startswith("also: http://127.0.0.1:")
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_the_share_of_the_audit_logs_token_ids_can_be_set():
    needs("duckdb", "the warehouse needs")
    process = start("--json", "--tokens", "40", "--audit-ids", "none")
    try:
        where = json.loads(process.stdout.readline())
        client = Client(where["host"], where["token"])
        statement = (
            "SELECT DISTINCT request_params['tokenId'] FROM system.access.audit WHERE action_name = 'tokenLogin'"
        )
        body = {"warehouse_id": where["warehouse_id"], "statement": statement}
        answer = client.ok("POST", "/api/2.0/sql/statements", body)
        ids = {info["token_id"] for info in client.ok("GET", TOKENS)["token_infos"]}
        client.session.close()
    finally:
        process.terminate()
        process.communicate(timeout=30)
    named = {token_id for (token_id,) in answer["result"]["data_array"]}
    assert len(named) > 20
    assert not named & ids


def test_state_survives_in_a_database_file(tmp_path):
    tokens = []
    for _ in range(2):
        process = start("--json", "--tokens", "9", "--database", str(tmp_path / "a.db"))
        try:
            where = json.loads(process.stdout.readline())
            tokens.append([info["token_id"] for info in listing(where["host"], where["token"])])
        finally:
            process.kill()
            process.communicate(timeout=30)
    assert tokens[0] == tokens[1]


@pytest.mark.parametrize(
    "options",
    [
        ("--tokens", "-1"),
        ("--tokens", "0"),
        ("--workspaces", "0"),
        ("--port", "70000"),
        ("--rate-limit", "0"),
        ("--database", "/nowhere/at/all/a.db"),
    ],
)
def test_an_invalid_option_is_a_one_line_error(usage_error, options):
    errors = usage_error(*options)
    assert errors.startswith("tokenkit sandbox: ")
    assert errors.count("\n") == 1


def test_a_port_in_use_is_a_one_line_error(usage_error):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        errors = usage_error("--port", port)
    assert port in errors
    assert errors.count("\n") == 1


def test_the_exit_code_of_a_usage_error_is_2():
    process = start("--tokens", "0")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (2, "")
    assert errors == "tokenkit sandbox: tokens must be at least 1: the admin's own token is one\n"


def test_configuring_a_parser_loads_no_server():
    code = (
        "import argparse, sys; from tokenkit.sandbox.__main__ import configure; configure(argparse.ArgumentParser());"
        "print([name for name in sys.modules if name.startswith('tokenkit.sandbox')])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert output.stdout.strip() == "['tokenkit.sandbox', 'tokenkit.sandbox.__main__']"


def test_every_option_has_help():
    parser = argparse.ArgumentParser()
    configure(parser)
    assert all(action.help for action in parser._actions)
    defaults = vars(parser.parse_args([]))
    assert defaults["tokens"] == 1000
