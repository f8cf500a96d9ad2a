"""Recorded error responses by name, in Python and on the command line."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from databricks.sdk import WorkspaceClient
from databricks.sdk import errors as sdk_errors
from databricks.sdk.errors import PermissionDenied

from tests.sandbox.conftest import SCIM, TOKENS
from tests.sandbox.test_main import start
from tokenkit.sandbox import Fault
from tokenkit.sandbox.serving.recorded import RECORDED_RESPONSES

SAMPLES = sorted((Path(__file__).parent.parent.parent / "samples" / "errors").glob("*.json"))


def media_type(text):
    return text.partition(";")[0]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_named_fault_sends_its_recorded_sample(admin, sandbox, sample):
    recorded = json.loads(sample.read_text("utf-8"))
    sandbox.faults.add(sample.stem)
    response = admin("GET", TOKENS, allow_redirects=False)
    body = response.json() if isinstance(recorded["body"], dict) else response.text
    assert (response.status_code, body) == (recorded["status"], recorded["body"])
    headers = recorded["headers"]
    assert media_type(response.headers["Content-Type"]) == headers.pop("Content-Type")
    if "Location" in headers:  # relative, without the recorded host
        location = urlsplit(headers.pop("Location"))
        assert response.headers["Location"] == f"{location.path}?{location.query}"
    assert headers.items() <= response.headers.items()


@pytest.mark.parametrize("name", RECORDED_RESPONSES)
def test_a_named_fault_applies_to_all_api_requests_and_no_others(admin, sandbox, name):
    sandbox.faults.add(name)
    expected = RECORDED_RESPONSES[name]["status"]
    for method, path in [("GET", TOKENS), ("DELETE", f"{TOKENS}/abc"), ("GET", f"{SCIM}/Me"), ("POST", "/api/2.1/x")]:
        assert admin(method, path, allow_redirects=False).status_code == expected
    assert admin("GET", "/.well-known/databricks-config").status_code == 200


@pytest.mark.unknown_routes
def test_the_scope_of_a_named_fault_can_be_narrowed(admin, sandbox):
    sandbox.faults.add(Fault.named("gateway", method="DELETE", path="*", times=1))
    assert [admin(method, TOKENS).status_code for method in ("GET", "DELETE", "DELETE")] == [200, 502, 404]


def test_an_unknown_name_lists_the_names_and_adds_no_fault(sandbox):
    with pytest.raises(ValueError, match=r"'private-lnk'\. Use one of .*private-link"):
        sandbox.faults.add("gateway", "private-lnk")
    assert len(sandbox.faults) == 0


def test_a_header_of_a_fault_replaces_the_sandboxs(admin, sandbox):
    sandbox.faults.add("retry-after-date", Fault.named("proxy-block"))
    response = admin("GET", TOKENS)
    assert response.headers["Date"] == "Wed, 21 Oct 2026 07:27:55 GMT"
    sandbox.faults.clear()
    sandbox.faults.add("proxy-block")
    assert admin("GET", TOKENS).headers["Server"] == "Proxy/6.2"


def test_the_official_sdk_detects_a_private_link_without_contacting_another_host(sandbox):
    sandbox.faults.add("private-link")
    # Older versions do not know it, and cannot read the page.
    expected = getattr(sdk_errors, "PrivateLinkValidationError", ValueError)
    with pytest.raises(expected):
        WorkspaceClient(host=sandbox.host, token=sandbox.token).current_user.me()
    assert sandbox.requests[-1].path == "/login.html"


def test_the_official_sdk_reads_a_numeric_code(sandbox):
    sandbox.faults.add("invalid-token")
    with pytest.raises(PermissionDenied, match="Invalid access token"):
        WorkspaceClient(host=sandbox.host, token=sandbox.token).current_user.me()


def test_the_command_line_sets_faults_by_name():
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


def test_an_unknown_name_on_the_command_line_lists_the_names():
    process = start("--fault", "private-lnk")
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors.count("\n")) == (2, "", 1)
    assert all(name in errors for name in RECORDED_RESPONSES)
