"""A value that somebody has as a name, as a group's name or in a comment is in no output that is kept or shared.

The frames and the listings of commands are the workspace's own text, and hold it; see SECURITY.md.
"""

import re
import sqlite3

import openpyxl
import pyarrow.parquet as pq
import pytest
from ipywidgets import Widget

import tokenkit
from tests.conftest import NOW
from tokenkit.sandbox import Sandbox

SCIM = "/api/2.0/preview/scim/v2"
VALUE = re.compile(r"dapi[0-9a-f]{32}")
USER, SERVICE_PRINCIPAL, GROUP, COMMENT = (f"dapi{digit * 32}" for digit in "1234")


def renamed(workspace, resource, principal_id, **values):
    operations = [{"op": "replace", "path": path, "value": value} for path, value in values.items()]
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
    workspace.api._transport.call("PATCH", f"{SCIM}/{resource}/{principal_id}", body=body)


@pytest.fixture(scope="module")
def sandbox_with_values():
    """A sandbox in which a user, a service principal, a group and a comment are called like a value."""
    with Sandbox(tokens=40, clock=NOW.timestamp) as sandbox:
        ws = tokenkit.connect(host=sandbox.host, token=sandbox.token, clock=NOW)
        tokens = ws.tokens()
        users = tokens[(tokens["owner_kind"] == "user") & (tokens["owner"] != "admin@example.com")]
        programs = tokens[tokens["owner_kind"] == "service_principal"]
        user_id, program_id = int(users["owner_id"].iloc[0]), int(programs["owner_id"].iloc[0])
        renamed(ws, "Users", user_id, displayName=f"Ann {USER}")
        renamed(ws, "ServicePrincipals", program_id, displayName=f"ci {SERVICE_PRINCIPAL}")
        members = [{"value": str(user_id)}, {"value": str(program_id)}]
        ws.api._transport.call("POST", f"{SCIM}/Groups", body={"displayName": GROUP, "members": members})
        ws.token_management.update_permissions([{"group_name": GROUP, "permission_level": "CAN_USE"}])
        ws.token_management.update_token_management(programs["token_id"].iloc[0], {"comment": COMMENT}, "comment")
        yield sandbox


@pytest.fixture
def named(sandbox_with_values, connected, tmp_path):
    return connected(sandbox_with_values, home=tmp_path / "home")


def test_the_workspace_lists_them(named):
    assert {SERVICE_PRINCIPAL, COMMENT} <= set(VALUE.findall(named.tokens().to_csv()))
    assert {SERVICE_PRINCIPAL, GROUP} <= set(VALUE.findall(named.access().to_csv()))


def test_in_what_is_written(named, tmp_path):
    audit = named.audit()
    for name in ("audit.html", "audit.csv", "audit.json"):
        assert VALUE.findall(audit.report(tmp_path / name, progress=False).read_text()) == []
    book = openpyxl.load_workbook(audit.report(tmp_path / "audit.xlsx", progress=False))
    cells = [str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row]
    assert VALUE.findall(" ".join(cells)) == []
    assert VALUE.findall(str(pq.read_table(named.snapshot(tmp_path / "taken.parquet")).to_pylist())) == []


def test_in_what_a_notebook_keeps(named):
    tokens = named.tokens()
    plans = (
        named.revoke(tokens),
        named.plan_update(tokens, comment="x"),
        named.plan_permissions([{"user_name": "admin@example.com", "permission_level": "CAN_USE"}], replace=True),
    )
    for shown in (*plans, named.audit()):
        assert VALUE.findall(shown._repr_html_() + repr(shown)) == []
    for plan in plans:
        assert VALUE.findall(repr(plan._in_short())) == []
    for screen in (named.explore(), named.review_access()):
        assert [state for state in states(screen.widget, set()) if VALUE.search(str(state))] == []
        screen.close()


def states(widget, seen):
    """Yield what a widget and those inside of it tell the browser."""
    if widget.model_id in seen:
        return
    seen.add(widget.model_id)
    yield widget.get_state()
    for value in (getattr(widget, name, None) for name in widget.keys):
        for inner in value if isinstance(value, list | tuple) else [value]:
            if isinstance(inner, Widget):
                yield from states(inner, seen)


def test_in_the_journal(named):
    tokens = named.tokens()
    named.plan_update(tokens.head(3), comment="nightly", reason=COMMENT).apply(progress=False)
    named.plan_permissions([{"group_name": GROUP, "permission_level": "CAN_MANAGE"}]).apply(progress=False)
    written = sqlite3.connect(named.folder / "journal.sqlite")
    rows = [written.execute(f"SELECT * FROM {table}").fetchall() for table in ("runs", "entries", "steps")]  # noqa: S608
    written.close()
    assert len(rows[0]) == 2
    assert VALUE.findall(str(rows)) == []
    for file in named.folder.iterdir():
        assert VALUE.findall(file.read_bytes().decode(errors="replace")) == []


@pytest.mark.parametrize(
    "entry",
    [{"group_name": f"{GROUP}x"}, {"group_name": "dapi"}, {"user_name": USER}, {"service_principal_name": "ci"}],
)
def test_in_an_error_that_suggests_names(named, entry):
    with pytest.raises(tokenkit.UsageError) as caught:
        named.plan_permissions([entry | {"permission_level": "CAN_USE"}])
    assert VALUE.findall(f"{caught.value} {caught.value!r} {caught.value.args}") == []


def test_in_an_error_of_a_filter(named):
    with pytest.raises(tokenkit.UsageError) as caught:
        named.plan_scopes(owner=f"ci {SERVICE_PRINCIPAL[:-1]}")
    assert VALUE.findall(f"{caught.value} {caught.value!r}") == []
