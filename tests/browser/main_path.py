"""What an admin does most, the same in every front end: find, look, copy, download, tick and revoke; then a permission.

After every action the boxes, the rows and the count on the page must agree. In the end the sandbox's own state decides.
"""

import csv
import re

from playwright.sync_api import expect

from tests.browser.user import TICKS


def cells(**connection):
    """Return the cells of a notebook that shows both screens."""
    arguments = ", ".join(f"{name}={value!r}" for name, value in connection.items())
    return f"import tokenkit\nws = tokenkit.connect({arguments})", "ws.explore(page_size=50)", "ws.review_access()"


def ids_of(company):
    return set(company.workspaces[0].state.tokens.ids())


def agree(user, count):
    """Assert that the checked boxes are those of the selected rows, and so many in all as the bar says."""
    expect(user.screen.locator(f"{TICKS}:checked")).to_have_count(count)
    checked = user.ticks.evaluate_all("boxes => boxes.filter(box => box.checked).map(box => box.dataset.id)")
    rows = user.rows.evaluate_all("rows => rows.filter(r => r.matches('.tks-selected')).map(r => r.dataset.row)")
    assert checked == rows
    bar = user.screen.locator(".tks-act-bar")
    expect(bar).to_have_count(1 if count else 0)
    if count:
        expect(bar).to_contain_text(f"{count} selected")
    return checked


def explore(user, company, *, copy, download):
    """Find, look at and revoke tokens; ``copy`` and ``download`` are what a front end allows."""
    before = ids_of(company)
    expect(user.rows).to_have_count(50)
    count = user.quick("Never expires")
    expect(user.rows).to_have_count(count)
    user.hears(f"{count} of 230 tokens match")
    user.expect_focus("quick:Never expires")
    agree(user, 0)
    download(user, count)
    user.rows.nth(1).locator(".tks-open").click()
    user.expect_focus("panel")
    chosen = user.shown_ids()[1]
    expect(user.screen.locator("aside")).to_contain_text(chosen)
    copy(user, chosen)
    user.page.keyboard.press("Escape")
    user.expect_focus(f"look:{chosen}")
    agree(user, 0)
    user.tick(1, 3, 4)
    user.hears("3 selected.")
    ticked = agree(user, 3)
    assert chosen == ticked[0]
    user.tick(4)
    user.hears("2 selected.")
    assert agree(user, 2) == ticked[:2]
    user.expect_focus(f"tick:{ticked[2]}")
    user.revoke(2)
    user.expect_focus("decision")
    user.hears(re.compile(r"^Revoke 2 tokens on .*This cannot be undone\.$"))
    typed = user.screen.get_by_label("to confirm")
    typed.fill("3")
    expect(user.button("Revoke 2 tokens")).to_be_disabled()
    user.page.keyboard.press("Enter")
    user.sees("That is not the number of tokens.")
    assert ids_of(company) == before
    user.confirm(2)
    user.sees("2 revoked.")
    user.expect_focus("decision")
    user.hears("2 revoked.")
    assert before - ids_of(company) == set(ticked[:2])
    user.press("Close")
    user.expect_focus("list")
    expect(user.rows).to_have_count(count - 2)
    agree(user, 0)


def review(user, company):
    """Remove an entry, after the count of the tokens that end was typed."""
    state = company.workspaces[0].state
    before = ids_of(company)
    expect(user.row("admins")).to_be_visible()
    user.press("Remove group data-scientists")
    _, deletions = user.wait_for_plan()
    user.expect_focus("entry:group data-scientists")
    user.press("Apply …")
    user.expect_focus("decision")
    user.screen.get_by_label(re.compile(r"^Type ")).fill(str(deletions))
    assert ids_of(company) == before
    user.press("Change the permissions")
    user.sees(f"{deletions} revoked.")
    user.sees("Permissions changed.")
    user.expect_focus("decision")
    assert len(before - ids_of(company)) == deletions > 0
    assert "data-scientists" not in {identity.name for identity, _ in state.permissions.entries()}
    user.press("Close")
    expect(user.row("data-scientists")).to_have_count(0)


# What a front end allows


def clipboard(user, token_id):
    user.press("Copy id")
    user.hears("Copied.")
    assert user.page.evaluate("() => navigator.clipboard.readText()") == token_id


def field_to_copy_from(user, token_id):
    user.press("Copy id")
    field = user.screen.get_by_label("Copy id: copy from here")
    expect(field).to_be_focused()
    assert field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)") == token_id


def browser_download(user, count):
    with user.page.expect_download() as download:
        user.press("Download CSV")
    assert len(list(csv.DictReader(download.value.path().read_text().splitlines()))) == count


def file_of_the_kernel(folder):
    def download(user, count):
        user.press("Download CSV")
        user.press("Write it where the kernel runs")
        user.sees(re.compile(rf"^Wrote {count} tokens to {re.escape(str(folder))}"))
        (file,) = folder.glob("*.csv")
        assert len(list(csv.DictReader(file.read_text().splitlines()))) == count

    return download
