"""A real browser: the system's Chromium, driven by Playwright, restricted to this machine."""

import asyncio
import contextlib
import importlib.util
import shutil

import pytest

from tests.browser.jupyter import PATIENCE_MS, Lab
from tests.conftest import NOW
from tests.parts import missing
from tokenkit.sandbox import Sandbox

# Without these, Chromium sends requests to its vendor on startup.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


SETTLE = """
import threading
import ipywidgets
ipywidgets.Widget.close_all()  # a screen would begin its next job when one is done
for thread in threading.enumerate():
    if thread.name == "tokenkit-widget":
        thread.join()
"""


def executable():
    """Return the path of the system's Chromium; None if there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium."""
    if executable() is None:
        missing("No Chromium is installed (Debian: apt-get install chromium)")
    from playwright.sync_api import expect, sync_playwright  # noqa: PLC0415  # its import starts a process

    expect.set_options(timeout=PATIENCE_MS)  # the benchmarks measure the delays
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=QUIET)
        loop = asyncio.get_running_loop()
        # Playwright marks its loop as running, although it is idle between calls. Other tests have their own loops, so
        # the mark is set only while there is a page.
        asyncio._set_running_loop(None)
        browser.loop = loop
        yield browser
        asyncio._set_running_loop(loop)
        browser.close()


@contextlib.contextmanager
def opened(chromium, **settings):
    """A new page, 1280 by 900. ``page.sent`` has the URLs of all its requests."""
    asyncio._set_running_loop(chromium.loop)
    context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | settings)
    page = context.new_page()
    page.sent = []
    page.on("request", lambda request: page.sent.append(request.url))
    try:
        yield page
    finally:
        asyncio._set_running_loop(chromium.loop)
        context.close()
        asyncio._set_running_loop(None)


@pytest.fixture
def page(chromium):
    """A new page for one test."""
    with opened(chromium) as page:
        yield page


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """A running JupyterLab."""
    if not all(importlib.util.find_spec(name) for name in ("jupyterlab", "anywidget")):
        missing("JupyterLab with anywidget is not installed: pip install jupyterlab anywidget")
    with Lab(tmp_path_factory.mktemp("lab")) as running:
        yield running
        running.close_all()


@pytest.fixture(scope="session")
def _notebook(lab, chromium):
    """One page with one kernel for all tests, because starting them is slow."""
    with opened(chromium) as page:
        notebook = lab.open(page)
        asyncio._set_running_loop(None)
        yield notebook


@pytest.fixture
def company():
    """A sandbox for one test, which the kernel accesses over HTTP."""
    with Sandbox(tokens=230, clock=NOW.timestamp) as sandbox:
        yield sandbox
        assert list(sandbox.errors) == []


@pytest.fixture
def notebook(_notebook, lab, company, chromium):
    """Fill the notebook with cells, before which one has connected to the company as ``ws``.

    After the test, no request must have been sent to another machine, and no hostile text executed.
    """
    asyncio._set_running_loop(chromium.loop)
    page = _notebook.page

    def fill(*cells):
        arguments = f"host={company.host!r}, token={company.token!r}, clock={str(NOW)!r}, home={str(lab.folder)!r}"
        _notebook.fill(f"ws = tokenkit.connect({arguments})", *cells)
        _notebook.run(0)
        return _notebook

    yield fill
    # A job that still reads the workspace would fail after its end, and report that in the cells of the next test.
    _notebook.fill(SETTLE)
    _notebook.run(0)
    here = (lab.url, lab.url.replace("http", "ws"), "data:", "blob:")
    assert page.sent != []
    assert [url for url in page.sent if not url.startswith(here)] == []
    assert page.evaluate("() => window.__xss") is None
    asyncio._set_running_loop(None)
