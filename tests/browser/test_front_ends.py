"""The main path in other front ends than JupyterLab, and with ipywidgets 7.8."""

import asyncio
import re

import pytest
from playwright.sync_api import expect

from tests.browser import main_path
from tests.browser.conftest import opened
from tests.browser.jupyter import Lab, NotebookSeven
from tests.browser.marimo import Marimo
from tests.browser.overlays import overlay
from tests.browser.test_explorer import HOSTILE
from tests.browser.user import Explorer, Review, fits
from tests.browser.voila import OWN_REQUESTS, Voila
from tests.conftest import NOW

JUPYTER = {
    "Notebook 7": (NotebookSeven, "notebook"),
    "JupyterLab with ipywidgets 7.8": (Lab, "ipywidgets 7.8"),
    "Notebook 7 with ipywidgets 7.8": (NotebookSeven, "notebook", "ipywidgets 7.8"),
}


def elsewhere(page, *here):
    """Return what a page asked of others."""
    return [url for url in page.sent if not url.startswith((*here, "data:", "blob:"))]


def cells(company, home):
    return main_path.cells(host=company.host, token=company.token, clock=str(NOW), home=str(home))


@pytest.fixture(scope="module")
def jupyter(request, tmp_path_factory):
    """A front end of Jupyter."""
    server, *overlays = JUPYTER[request.param]
    with server(tmp_path_factory.mktemp("front end"), *map(overlay, overlays)) as running:
        running.versions = request.param
        yield running
        running.close_all()


@pytest.mark.parametrize("jupyter", JUPYTER, indirect=True)
def test_tokens_are_revoked_and_permissions_changed(jupyter, chromium, company):
    with opened(chromium) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=jupyter.url)
        notebook = jupyter.open(page)
        notebook.fill("import ipywidgets\nipywidgets.__version__", *cells(company, jupyter.folder))
        assert ("7.8" in jupyter.versions) == notebook.value(0).startswith("'7.8.")
        notebook.run(1)
        notebook.run(2)
        main_path.explore(Explorer(page), company, copy=main_path.clipboard, download=main_path.browser_download)
        notebook.run(3)
        main_path.review(Review(page), company)
        assert elsewhere(page, jupyter.url) == []
        asyncio._set_running_loop(None)


@pytest.mark.parametrize("jupyter", ["JupyterLab with ipywidgets 7.8"], indirect=True)
def test_hostile_text_is_text_in_every_screen_with_ipywidgets_7(jupyter, chromium, company):
    """Version 7 shows descriptions, and the suggestions of a Combobox, as HTML."""
    state = company.workspaces[0].state
    person = state.directory.add("user", '"><svg onload=window.__xss=1>@example.com')
    for text in HOSTILE:
        state.directory.add_members(state.directory.add("group", text).id, [person.id])
        state.directory.add("service_principal", text)
        state.permissions.update([{"group_name": text, "permission_level": "CAN_USE"}], now_ms=1_772_357_400_000)
    for info, text in zip(state.tokens.infos()[1:], HOSTILE, strict=False):
        changed = {"comment": text, "created_by_username": text, "scopes": [text]}
        state.tokens.replace({**info, **changed, "owner_id": 4711, "created_by_id": 4711})
    connect, explore, review = cells(company, jupyter.folder)
    plain = [cell.replace(")", ", plain=True)").replace("(, ", "(") for cell in (explore, review)]
    with opened(chromium) as page:
        notebook = jupyter.open(page)
        notebook.fill(connect, explore, *plain, review)
        notebook.run(0)
        notebook.run(1)
        explorer = Explorer(page)
        explorer.searched.fill("__xss")
        expect(explorer.rows).to_have_count(4)
        explorer.rows.first.locator(".tks-open").click()
        expect(explorer.screen.locator("aside")).to_be_visible()
        explorer.screen.get_by_label("Select all tokens on this page").click()
        explorer.revoke(4)
        expect(explorer.screen.locator(".tks-dialog tbody tr")).to_have_count(4)
        for number in (2, 3):
            shown = notebook.run(number).locator(".tokenkit")
            expect(shown).to_contain_text("This is the plain screen")
        listed = page.locator(".tokenkit").first.get_by_label(re.compile("^Tokens"))
        listed.select_option(listed.locator("option", has_text="onerror").first.get_attribute("value"))
        page.locator(".tokenkit").first.get_by_role("button", name="Revoke …").click()
        expect(page.locator(".tokenkit").first.get_by_text(re.compile("^Revoke 1 token on"))).to_be_visible()
        notebook.run(4)
        expect(Review(page).row(HOSTILE[0])).to_be_visible()
        injected = (
            ":is(.tk, .tokenkit) :is(img, svg[onload], script:not([type^=math]), a[href^=javascript], mjx-container)"
        )
        assert page.locator(injected).count() == 0
        assert page.evaluate("() => window.__xss") is None
        assert fits(page)
        assert elsewhere(page, jupyter.url) == []
        asyncio._set_running_loop(None)


def test_voila_in_a_frame_that_may_only_run_scripts(chromium, company, tmp_path):
    shown = cells(company, tmp_path / "home")
    with Voila(tmp_path, shown) as voila, opened(chromium) as page:
        frame = voila.open(page)
        explorer, review = Explorer(page, frame), Review(page, frame)
        main_path.explore(
            explorer,
            company,
            copy=main_path.field_to_copy_from,
            download=main_path.file_of_the_kernel(tmp_path),
        )
        main_path.review(review, company)
        assert elsewhere(page, voila.url, OWN_REQUESTS) == []
        asyncio._set_running_loop(None)


def test_marimo(chromium, company, tmp_path):
    with Marimo(tmp_path, cells(company, tmp_path / "home")) as marimo, opened(chromium) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=marimo.url)
        page.goto(marimo.url)
        explorer, review = Explorer(page), Review(page)
        main_path.explore(explorer, company, copy=main_path.clipboard, download=main_path.browser_download)
        main_path.review(review, company)
        assert elsewhere(page, marimo.url) == []
        asyncio._set_running_loop(None)
