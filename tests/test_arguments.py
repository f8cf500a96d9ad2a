"""Whatever is passed to a public function: it works, or an error of ours says in one line what is wrong.

A value of every kind goes into every argument. The functions and their arguments are read from the classes, so that a
new argument is tried as well. The sandbox is a tool of tests, and raises ``ValueError`` instead.
"""

import inspect
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tokenkit
from tests.conftest import NOW
from tokenkit import RetryPolicy
from tokenkit.output import charts
from tokenkit.review.filters import FILTERS
from tokenkit.sandbox import Sandbox

ADMINS = [{"group_name": "admins", "permission_level": "CAN_MANAGE"}]
VALUES = [
    None, True, 5, -1, 0, 1.5, float("nan"), float("inf"), 10**30, "", "x", "\0", "a\nb", "\udcff", "\x1b[2J", b"x",
    object(), [], [5], [None], [[]], [{}], {}, {"x": 1}, {"unused": 5}, {"unused": {"idle_days": "x"}}, ("a",), set(),
    range(3), int, lambda *_, **__: None, ValueError("x"), Path("no/such"), pd.NaT, pd.Series([1]), np.array([[1]]),
    pd.DataFrame(), pd.DataFrame({"token_id": [None, 5]}),
    pd.DataFrame({"workspace": [None], "token_id": ["y"]}), pd.DataFrame({"workspace": [[1]], "token_id": [[1]]}),
    [{"user_name": 5, "permission_level": "CAN_USE"}],
    [{"user_name": [1, 2], "permission_level": "CAN_USE"}], [{"user_name": "x", "permission_level": 5}],
]  # fmt: skip
READING = (
    *("tokens", "users", "service_principals", "groups", "access", "scopes", "audit", "snapshot", "snapshots"),
    *("snapshot_files", "changes", "listing", "permissions", "find_leaked", "explore", "journal", "runs"),
    *("usage", "usage_details", "sign_in_methods"),
)
# What a function is called with beside the argument that is tried. Frames are of the object that is asked.
REQUIRED = {
    "tokens": lambda held: held.tokens().head(2),
    "access_control_list": lambda _: ADMINS,
    "run_id": lambda _: "x",
    "host": lambda _: "x",
    "token_id": lambda held: held.tokens()["token_id"].iloc[0],
    "application_id": lambda _: "no-such",
    "token": lambda _: {"comment": "x"},
    "update_mask": lambda _: "comment",
}


def arguments_of(function):
    """Return the arguments of a function, with the filters where it takes them."""
    names = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            names += [filter_.name for filter_ in FILTERS]
        elif parameter.name != "self" and parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            names.append(parameter.name)
    return names


def required_of(function, held):
    """Return what a function has to be called with."""
    parameters = inspect.signature(function).parameters.values()
    return {
        parameter.name: REQUIRED[parameter.name](held)
        for parameter in parameters
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    }


def assert_ours(function, name, required):
    """Call a function with each of the values in one argument."""
    problems = []
    for value in VALUES:
        try:
            made = function(**(required | {name: value}))
        except tokenkit.TokenKitError as error:
            if len(str(error).splitlines()) != 1:
                problems.append(f"{value!r}: not one line: {error}")
        except Exception as failure:  # noqa: BLE001 - what must not come out
            problems.append(f"{value!r}: {failure!r}")
        else:
            getattr(made, "close", lambda: None)()
    assert not problems, "; ".join(problems)


@pytest.fixture(scope="module")
def small():
    """A sandbox of two small workspaces, which the calls of this module change."""
    with Sandbox(tokens=12, workspaces=2, clock=NOW.timestamp) as sandbox:
        yield sandbox


@pytest.fixture
def objects(small, connected, tmp_path, monkeypatch):
    """A workspace and a fleet. Files are written into a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    ws = connected(small, home=tmp_path / "home")
    others = [connected(each, home=tmp_path / "home") for each in small.workspaces]
    return {tokenkit.Workspace: ws, tokenkit.Fleet: tokenkit.fleet(others, progress=False)}


METHODS = [
    (kind, name, argument)
    for kind in (tokenkit.Workspace, tokenkit.Fleet)
    for name, method in inspect.getmembers(kind, inspect.isfunction)
    if name in READING or name in {"revoke", "undo", "resume", "review_access", "workspace"} or name.startswith("plan_")
    if name not in {"plan_revocation", "plan_undo", "plan_context"}  # the first two are other names
    for argument in arguments_of(method)
]


@pytest.mark.parametrize(("kind", "name", "argument"), METHODS, ids=[f"{k.__name__}.{n}-{a}" for k, n, a in METHODS])
def test_of_a_workspace_and_of_a_fleet(objects, kind, name, argument):
    function = getattr(objects[kind], name)
    assert_ours(function, argument, required_of(function, objects[kind]))


NINE = [
    (name, argument)
    for name, method in inspect.getmembers(tokenkit.TokenManagementAPI, inspect.isfunction)
    if not name.startswith("_")
    for argument in arguments_of(method)
]


@pytest.mark.parametrize(("name", "argument"), NINE)
def test_of_the_nine_calls(objects, name, argument):
    workspace = objects[tokenkit.Workspace]
    function = getattr(workspace.token_management, name)
    assert_ours(function, argument, required_of(function, workspace))


PLANS = {
    "a revocation": lambda held: held.revoke(held.tokens().head(0)),
    "an update": lambda held: held.plan_update(held.tokens().head(1), comment="x"),
    "a permission change": lambda held: held.plan_permissions(ADMINS),
}


@pytest.mark.parametrize("kind", [tokenkit.Workspace, tokenkit.Fleet])
@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_of_a_plan(objects, kind, plan):
    made = plan(objects[kind])
    for method in {"apply", "stage"} & set(dir(made)):
        for argument in arguments_of(getattr(made, method)):
            assert_ours(getattr(made, method), argument, {})


@pytest.mark.parametrize("kind", [tokenkit.Workspace, tokenkit.Fleet])
def test_of_an_audit(objects, kind):
    audit = objects[kind].audit()
    for name in ("rule", "include_own", "protect", "reason"):
        assert_ours(audit.revoke, name, {"rule": "unused"})
    assert_ours(audit.fails, "severity", {})
    for argument in arguments_of(audit.report):
        assert_ours(audit.report, argument, {"to": "report.csv"})  # a page would draw its charts for each value


@pytest.mark.parametrize("argument", arguments_of(tokenkit.connect))
@pytest.mark.unknown_routes
def test_of_connect(small, argument):
    if argument not in {"tokens", "seed", "workspaces"}:
        target = {} if argument == "target" else {"host": small.host, "token": small.token}
        assert_ours(tokenkit.connect, argument, target)
    if argument not in {"target", "host", "token", "workspace_id"}:

        def in_this_process(**given):
            tokenkit.connect("sandbox", **given).sandbox.stop()

        assert_ours(in_this_process, argument, {"tokens": 3})


@pytest.mark.parametrize("argument", ["workspaces", "clock", "retries", "home", "workers", "progress"])
def test_of_fleet(objects, argument):
    assert_ours(tokenkit.fleet, argument, {"workspaces": [objects[tokenkit.Workspace]]})


@pytest.mark.parametrize("argument", arguments_of(RetryPolicy))
def test_of_a_retry_policy(small, argument):
    def list_with(**given):
        retries = RetryPolicy(**given)
        return tokenkit.connect(host=small.host, token=small.token, retries=retries).listing()

    assert_ours(list_with, argument, {"budget_seconds": 0})


def test_of_resume_of_saved_listings_and_of_changes(objects, tmp_path):
    workspace = objects[tokenkit.Workspace]
    assert_ours(tokenkit.resume, "run_id", {"workspace": workspace})
    assert_ours(tokenkit.resume, "workspace", {"run_id": "x"})
    assert_ours(tokenkit.resume, "progress", {"run_id": "x", "workspace": workspace})
    saved = tmp_path / "saved.json"
    saved.write_text(json.dumps({"token_infos": [{"token_id": "a" * 64, "creation_time": 1}]}))
    for argument in arguments_of(tokenkit.read_listing):
        assert_ours(tokenkit.read_listing, argument, {"path": saved})
    assert_ours(tokenkit.read_snapshot, "path", {})
    taken = workspace.snapshot(tmp_path / "taken.parquet")
    for argument in arguments_of(tokenkit.changes):
        assert_ours(tokenkit.changes, argument, {"before": taken, "after": taken})


@pytest.mark.parametrize("argument", arguments_of(tokenkit.rule))
def test_of_a_rule(argument):
    def make(**given):
        return tokenkit.rule(**given)(lambda *_: None)

    assert_ours(make, argument, {"id": "x", "title": "x", "severity": "low"})


@pytest.mark.parametrize("chart", [charts.expiry_calendar, charts.age, charts.idle, charts.risk_by_owner])
def test_of_a_chart(objects, chart):
    audit = objects[tokenkit.Workspace].audit()
    required = {"findings": audit.findings} if chart is charts.risk_by_owner else {"tokens": audit.tokens}
    required |= {"now": NOW} if chart is charts.expiry_calendar else {}
    for argument in arguments_of(chart):
        assert_ours(chart, argument, required)


def test_of_an_explorer_of_a_saved_listing(objects):
    tokens = objects[tokenkit.Workspace].tokens()
    for argument in arguments_of(tokenkit.explore):
        assert_ours(tokenkit.explore, argument, {"tokens": tokens})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda ws: ws.explore(page_size=0), "page_size must be a whole number, at least 1."),
        (lambda ws: ws.revoke([], reason=5), "reason must be of type str, not int."),
        (lambda ws: ws.revoke([], include_own="no"), "include_own must be True or False, not str."),
        (lambda ws: ws.plan_permissions(ADMINS, replace="no"), "replace must be True or False, not str."),
        (lambda _: RetryPolicy(budget_seconds=-1), "budget_seconds must be a number of seconds, from 0 to 1,000,000."),
        (lambda _: tokenkit.connect("sandbox", clock="x"), r"clock must be a time, such as .*, or a function that"),
        (lambda _: tokenkit.connect("sandbox", tokens=-1), "tokens must be a whole number, from 1 to 10,000,000."),
        (lambda ws: tokenkit.fleet([ws], home=5), "home must be the path of a folder"),
        (lambda ws: tokenkit.fleet([ws], retries=5), "retries must be of type RetryPolicy, not int."),
        (lambda _: tokenkit.resume("x", workspace="prod"), "workspace must be a Workspace or a Fleet, not str."),
        (lambda ws: ws.tokens(5), "An expression must be of type str, not int."),
        (lambda ws: ws.audit(rules="unused"), "rules must be a list, and each value of type str or Rule."),
        (lambda ws: ws.audit(thresholds={"unused": {"idle_days": "9"}}), "Threshold idle_days of rule unused must be"),
        (lambda ws: ws.audit(waivers="no-such"), r"Cannot read the waivers in no-such: No such file or directory\.$"),
        (lambda ws: ws.find_leaked(file=5), "Expected the path of a file, as a string or a path object, or an open"),
    ],
)
def test_the_message_names_the_argument_and_what_it_has_to_be(workspace, call, message):
    with pytest.raises((tokenkit.UsageError, tokenkit.ConfigurationError), match=f"^{message}"):
        call(workspace)
