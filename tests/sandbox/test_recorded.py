"""Refusals by name: each as it was recorded, in Python and from a shell."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import PermissionDenied, PrivateLinkValidationError

from tokenkit.sandbox import Fault
from tokenkit.sandbox.recorded import REFUSALS

from .conftest import SCIM, TOKENS
from .test_main import start

SAMPLES = sorted((Path(__file__).parent.parent / "samples" / "errors").glob("*.json"))


def media_type(text):
    return text.partition(";")[0]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_fault_by_name_answers_as_its_sample(admin, sandbox, sample):
    recorded = json.loads(sample.read_text("utf-8"))
    sandbox.faults.add(sample.stem)
    response = admin("GET", TOKENS, allow_redirects=False)
    body = response.json() if isinstance(recorded["body"], dict) else response.text
    assert (response.status_code, body) == (recorded["status"], recorded["body"])
    headers = recorded["headers"]
    assert media_type(response.headers["Content-Type"]) == headers.pop("Content-Type")
    if "Location" in headers:  # but for the host, which is the sandbox's own
        where = urlsplit(headers.pop("Location"))
        assert response.headers["Location"] == f"{where.path}?{where.query}"
    assert headers.items() <= response.headers.items()


@pytest.mark.parametrize("name", REFUSALS)
def test_a_fault_by_name_hits_every_request_of_the_api_and_nothing_else(admin, sandbox, name):
    sandbox.faults.add(name)
    expected = REFUSALS[name]["status"]
    for method, path in [("GET", TOKENS), ("DELETE", f"{TOKENS}/abc"), ("GET", f"{SCIM}/Me"), ("POST", "/api/2.1/x")]:
        assert admin(method, path, allow_redirects=False).status_code == expected
    assert admin("GET", "/.well-known/databricks-config").status_code == 200


def test_where_a_fault_by_name_hits_is_said_as_of_any_other(admin, sandbox):
    sandbox.faults.add(Fault.named("gateway", method="DELETE", path="*", times=1))
    assert [admin(method, TOKENS).status_code for method in ("GET", "DELETE", "DELETE")] == [200, 502, 404]


def test_an_unknown_name_is_told_the_names_and_nothing_is_put_in_force(sandbox):
    with pytest.raises(ValueError, match=r"'private-lnk'; use one of .*private-link"):
        sandbox.faults.add("gateway", "private-lnk")
    assert len(sandbox.faults) == 0


def test_a_header_of_a_fault_takes_the_place_of_the_sandboxs(admin, sandbox):
    sandbox.faults.add("retry-after-date", Fault.named("proxy-block"))
    response = admin("GET", TOKENS)
    assert response.headers["Date"] == "Wed, 21 Oct 2026 07:27:55 GMT"
    sandbox.faults.clear()
    sandbox.faults.add("proxy-block")
    assert admin("GET", TOKENS).headers["Server"] == "Proxy/6.2"


def test_the_official_sdk_is_told_of_a_private_link_without_leaving_this_machine(sandbox):
    sandbox.faults.add("private-link")
    with pytest.raises(PrivateLinkValidationError):
        WorkspaceClient(host=sandbox.host, token=sandbox.token).current_user.me()
    assert sandbox.requests[-1].path == "/login.html"


def test_the_official_sdk_reads_a_numeric_code(sandbox):
    sandbox.faults.add("invalid-token")
    with pytest.raises(PermissionDenied, match="Invalid access token"):
        WorkspaceClient(host=sandbox.host, token=sandbox.token).current_user.me()


def test_a_shell_sets_faults_by_name():
    process = start("--json", "--tokens", "3", "--fault", "ip-access-list")
    try:
        where = json.loads(process.stdout.readline())
        headers = {"Authorization": f"Bearer {where['token']}"}
        response = requests.get(where["host"] + TOKENS, headers=headers, timeout=30)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert response.status_code == 403
    assert "blocked by Databricks IP ACL" in response.json()["message"]


def test_a_shell_is_told_the_names_there_are():
    process = start("--fault", "private-lnk")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors.count("\n")) == (2, "", 1)
    assert all(name in errors for name in REFUSALS)
