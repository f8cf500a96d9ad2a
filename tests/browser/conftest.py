"""A real browser: the system's Chromium, driven by Playwright, which may talk to this machine only."""

import shutil

import pytest

from tests.parts import missing

# Without these a start of Chromium calls home many times.
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def chromium():
    """A running Chromium."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if executable is None:
        missing("No Chromium is installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - starting it costs a process

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_QUIET)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    """A fresh page, 1280 by 900. ``page.sent`` has the address of every request that it makes."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.sent = []
    page.on("request", lambda request: page.sent.append(request.url))
    yield page
    context.close()
