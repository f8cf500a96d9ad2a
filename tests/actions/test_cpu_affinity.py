"""Workers of a run stay on one processor, and whoever started the run is where they were."""

import os
import sys
import threading

import pytest

from tokenkit.actions import cpu_affinity

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says where a thread may run")


@linux
def test_workers_of_a_run_share_one_processor_and_the_caller_keeps_all(workspace, monkeypatch):
    everywhere, seen = os.sched_getaffinity(0), []
    served = cpu_affinity.pin_thread_to_one_cpu

    def noted():
        served()
        seen.append(os.sched_getaffinity(0))

    monkeypatch.setattr("tokenkit.actions.worker.pin_thread_to_one_cpu", noted)
    tokens = workspace.tokens()
    workspace.revoke(tokens.tail(20)).apply(workers=4, progress=False)
    assert len(seen) == 4
    assert len(seen[0]) == 1
    assert all(each == seen[0] for each in seen)
    assert os.sched_getaffinity(0) == everywhere


def test_where_threads_run_together_or_the_system_knows_no_such_thing_or_it_is_off_nothing_is_done(monkeypatch):
    def refuse(*_):
        raise AssertionError("a thread was tied to a processor")

    monkeypatch.setattr(os, "sched_setaffinity", refuse, raising=False)
    with monkeypatch.context() as other:
        other.setattr(sys, "platform", "darwin")
        cpu_affinity.pin_thread_to_one_cpu()
    with monkeypatch.context() as free_threaded:
        free_threaded.setattr(sys, "_is_gil_enabled", lambda: False, raising=False)
        cpu_affinity.pin_thread_to_one_cpu()
    monkeypatch.setenv("TOKENKIT_PIN_WORKERS", "0")
    cpu_affinity.pin_thread_to_one_cpu()


@linux
def test_a_system_that_does_not_allow_pinning_is_not_an_error(monkeypatch):
    def refuse(*_):
        raise PermissionError("not in this container")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(cpu_affinity.pin_thread_to_one_cpu()))
    thread.start()
    thread.join()
    assert ended == [None]
