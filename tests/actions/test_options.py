"""The options of a run: what is valid, at the limits, and what is not."""

import threading

import pytest

from tests.actions.examples import RUN
from tokenkit import errors
from tokenkit.actions.options import RunOptions, RunSettings


class Listener:
    def advance(self, done, total): ...

    def end_early(self, message): ...


@pytest.mark.parametrize("options", [RunOptions, RunSettings])
def test_from_one_to_a_thousand_requests_may_be_in_flight(options):
    assert [options(workers=workers).workers for workers in (1, 1_000)] == [1, 1_000]
    for workers in (0, 1_001):
        with pytest.raises(errors.UsageError, match="workers must be a whole number, from 1 to 1,000"):
            options(workers=workers)


@pytest.mark.parametrize("given", [{"progress": Listener()}, {"progress": False}, {"stop": threading.Event()}])
def test_a_listener_and_an_event_are_kept(given):
    ((name, value),) = given.items()
    assert getattr(RunOptions(**given), name) is value


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"progress": "yes"}, "progress must be True, False, or a listener with advance and end_early."),
        ({"progress": object()}, "progress must be True, False, or a listener with advance and end_early."),
        ({"stop": True}, "stop must be a threading.Event."),
        ({"despite_drift": "no"}, "despite_drift must be True or False, not str."),
        ({"ignore_usage": 1}, "ignore_usage must be True or False, not int."),
    ],
)
def test_another_value_is_an_error_that_names_the_option(given, message):
    with pytest.raises(errors.UsageError) as raised:
        RunOptions(**given)
    assert str(raised.value) == message


def test_the_defaults_are_careful():
    options, settings = RunOptions(), RunSettings()
    assert (options.progress, options.despite_drift, options.ignore_usage) == (True, False, False)
    assert (settings.workers, settings.despite_drift) == (options.workers, False)
    assert RunSettings.of(RUN).despite_drift is False
