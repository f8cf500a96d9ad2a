"""What every kind of plan has in common: its listener, its stop, its run in the journal, and the line it shows."""

import pkgutil
import threading

import pytest

import tokenkit
from tokenkit import actions
from tokenkit.actions.journal import Journal
from tokenkit.actions.resumption import KINDS
from tokenkit.sandbox import Fault

ONLY_ENGINEERS = [{"group_name": "data-engineers", "permission_level": "CAN_USE"}]


def resumed(ws, company, victims):
    company.faults.add(Fault(method="DELETE", status=400))
    plan = ws.revoke(victims.head(9))
    plan.apply(progress=False)
    company.faults.clear()
    return ws.plan_resume(plan.run_id)


def undone(ws, company, victims):  # noqa: ARG001 - as the others
    plan = ws.plan_update(victims.head(9), comment="new")
    plan.apply(progress=False)
    return plan.undo()


PLANS = {
    "revoke": lambda ws, _, victims: ws.revoke(victims.head(9), reason="spring cleaning"),
    "update": lambda ws, _, victims: ws.plan_update(victims.head(9), comment="new", reason="spring cleaning"),
    "undo": undone,
    "resume": resumed,
}
WRITES = {"DELETE", "PATCH", "PUT", "POST"}


def test_every_kind_of_plan_with_a_request_for_each_token_is_in_the_cases():
    missing = {name for name, kind in KINDS.items() if not kind.is_one_change} - PLANS.keys()
    assert missing == set(), "add the kind to PLANS, by its name: a plan for victims.head(9)"


class Listener:
    def __init__(self):
        self.heard, self.end = [], ""

    def advance(self, done, total):
        self.heard.append((done, total))

    def end_early(self, message):
        self.end = message


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_a_listener_hears_of_every_token_and_no_bar_is_shown(ws, company, victims, make, capsys):
    plan = make(ws, company, victims)
    listener = Listener()
    capsys.readouterr()
    plan.apply(progress=listener)
    assert listener.heard == [(done, len(plan)) for done in range(1, len(plan) + 1)]
    assert listener.end == ""
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_a_plan_that_was_stopped_before_it_began_sends_nothing_and_says_how_to_resume(ws, company, victims, make):
    plan = make(ws, company, victims)
    stop, listener = threading.Event(), Listener()
    stop.set()
    company.requests.clear()
    result = plan.apply(progress=listener, stop=stop)
    assert {record.method for record in company.requests} & WRITES == set()
    assert result.attrs["ended_by"] == "stop"
    assert set(result["outcome"]) <= {"pending", "failed"}
    assert listener.end.startswith(
        f"Stopped. 9 of {len(result)} tokens remaining; to finish, run tokenkit.resume('{plan.run_id}')"
    )


def test_a_stop_is_heard_by_a_change_of_permissions_while_its_tokens_are_looked_up(ws):
    plan = ws.plan_permissions(ONLY_ENGINEERS, replace=True)
    stop = threading.Event()
    stop.set()
    result = plan.apply(stop=stop, progress=False)
    assert result.attrs["ended_by"] == "stop"
    assert len(tokenkit.resume(plan.run_id, workspace=ws)) == len(plan)
    assert ws.journal()["outcome"].eq("revoked").all()


@pytest.mark.parametrize(("kind", "make"), [("revoke", PLANS["revoke"]), ("update", PLANS["update"])])
def test_a_run_in_the_journal_says_what_was_done_where_by_whom_and_why(ws, company, victims, kind, make):
    plan = make(ws, company, victims)
    plan.apply(workers=3, progress=False)
    with Journal(ws.folder) as journal:
        run = journal.run(plan.run_id)
        first = journal.entries(plan.run_id)[0]
    assert (run.kind, run.host, run.caller, run.reason) == (kind, company.host, "admin@example.com", "spring cleaning")
    assert (run.workspace, run.origin) == (ws.name, "arguments")
    assert run.workspace_id == ws.workspace_id != ""
    assert run.settings["workers"] == 3
    token = victims.iloc[0]
    assert (first.token_id, first.owner) == (token["token_id"], token["owner"])
    assert first.snapshot["creation_time"] == int(token["creation_time"].timestamp() * 1000)
    assert first.snapshot["owner_id"] == token["owner_id"]
    assert "warnings" not in first.snapshot


@pytest.mark.parametrize("make", PLANS.values(), ids=PLANS)
def test_a_plan_is_one_line_and_in_ipython_a_preview_in_short(ws, company, victims, make, ipython):
    plan = make(ws, company, victims)
    line = repr(plan)
    assert line.startswith(f"<{type(plan).__name__}: ")
    assert line.endswith("; nothing changes before .apply()>")
    assert "\n" not in line
    shown = ipython.display_formatter.format(plan)[0]
    assert shown["text/plain"].splitlines()[0].lower() == line.partition(": ")[2].removesuffix(">").lower()
    assert "<table" in shown["text/html"]
    assert str(plan) == shown["text/plain"]  # as print shows it


@pytest.mark.parametrize("kind", PLANS)
def test_only_an_update_and_its_undo_can_be_undone(ws, company, victims, kind):
    assert PLANS[kind](ws, company, victims).can_be_undone is (kind in {"update", "undo"})


def test_every_module_of_the_package_is_its_attribute_and_nothing_else_is():
    names = [module.name for module in pkgutil.iter_modules(actions.__path__)]
    assert [getattr(actions, name).__name__ for name in names] == [f"tokenkit.actions.{name}" for name in names]
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        actions.nothing  # noqa: B018 - the attribute is what fails
