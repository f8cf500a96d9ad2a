"""Background jobs: the event loop continues, and results arrive on its thread."""

import asyncio
import threading

import tokenkit
from tokenkit.widgets.background import in_background, one_line


def test_the_loop_continues_while_a_job_runs_and_the_result_arrives_on_its_thread():
    release, seen = threading.Event(), []

    async def clicked():
        arrived = asyncio.Event()

        def done(result):
            seen.append((result, threading.current_thread() is threading.main_thread()))
            arrived.set()

        in_background(lambda: release.wait(30) and "done", done=done, failed=seen.append)
        await asyncio.sleep(0)  # another click is handled meanwhile
        assert seen == []
        release.set()
        await asyncio.wait_for(arrived.wait(), 30)

    asyncio.run(clicked())
    assert seen == [("done", True)]


def test_without_a_loop_the_job_reports_itself_and_a_failure_is_one_line():
    reports = []

    def job():
        raise ValueError("what\nwent wrong")

    in_background(job, done=reports.append, failed=reports.append).join(30)
    assert reports == ["ValueError: what went wrong"]
    assert one_line(tokenkit.UsageError("Say which.")) == "Say which."
