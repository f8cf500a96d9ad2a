"""Workers send what they are ordered to, and nothing once the run is over, stopped or paced anew."""

import threading
import time

import pytest

from tokenkit.actions.journal import Entry
from tokenkit.actions.pacer import Pacer, Permit
from tokenkit.actions.task import Task
from tokenkit.actions.worker import Item, Workers
from tokenkit.errors import AuthenticationError, ConnectionFailedError, FeatureDisabledError, UnavailableError

PERMIT = Permit(0.0, 0)


def workers_for(send, *, count=8, pacer=None, stop=None):
    task = Task(send=send, look_up=lambda _: pytest.fail("looked up"), done="revoked")
    pacer, stop = pacer or Pacer(workers=count), stop or threading.Event()
    return Workers(task, pacer, count=count, clock=time, stop=stop)


def order(workers, count):
    for number in range(count):
        workers.order(Item(entry=Entry(token_id=str(number), owner=None, snapshot={})), PERMIT)


def test_what_waits_for_a_worker_when_the_run_is_stopped_is_not_sent():
    """A worker that is done has its next order at once; after a stop it is not sent."""
    stop, sent = threading.Event(), []
    all_are_busy = threading.Barrier(4, action=stop.set)

    def send(entry):
        sent.append(entry.token_id)
        all_are_busy.wait(timeout=10)

    workers = workers_for(send, count=4, stop=stop)
    order(workers, 6)
    workers.start(4)
    workers.end()
    assert len(sent) == 4
    assert sorted(report.still_to_do for report in workers.reports) == [False] * 4 + [True] * 2
    assert {report.item.entry.token_id for report in workers.reports if report.outcome} == set(sent)


def test_the_decider_is_woken_when_orders_run_low_and_not_for_each_response(monkeypatch):
    workers, woken = workers_for(lambda _: None), []
    monkeypatch.setattr(workers.wanted, "set", lambda: woken.append(len(workers.reports)))
    order(workers, 9)
    workers.start(1)
    workers.end()
    assert len(workers.reports) == 9
    assert woken[-2:] == [8, 9]
    assert len(woken) <= 3  # the end of the queue may come before or after its last orders


def test_a_permit_of_an_earlier_rate_is_given_back_and_nothing_is_sent():
    pacer = Pacer(workers=8)
    workers = workers_for(lambda _: pytest.fail("sent, though the workspace asked for less"), pacer=pacer)
    order(workers, 2)
    pacer.throttled(pacer.permit(0.0), 0.05)
    workers.start(1)
    workers.end()
    assert [(report.still_to_do, report.has_response) for report in workers.reports] == [(True, False)] * 2


@pytest.mark.parametrize("error", [AuthenticationError, FeatureDisabledError])
def test_a_worker_whose_error_applies_to_every_token_sends_nothing_more(error):
    """Whether or not the decider has heard of it."""
    sent = []

    def rejected(entry):
        sent.append(entry.token_id)
        raise error("no", status=404)

    workers = workers_for(rejected, count=1)
    order(workers, 3)
    workers.start(1)
    workers.end()
    assert sent == ["0"]
    assert workers.over.is_set()
    assert [report.still_to_do for report in workers.reports] == [False, True, True]


@pytest.mark.parametrize(
    ("error", "has_response"),
    [(UnavailableError("busy", status=503), True), (ConnectionFailedError("no route"), False)],
)
def test_an_order_that_is_to_be_tried_again_says_whether_the_workspace_responded(error, has_response):
    """The pacer learns from responses alone."""

    def fail(_):
        raise error

    workers = workers_for(fail, count=1)
    order(workers, 1)
    workers.start(1)
    workers.end()
    (report,) = workers.reports
    assert (report.outcome, report.error, report.has_response) == (None, error, has_response)
