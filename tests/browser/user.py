"""A user of the screens in a browser."""

import re

from playwright.sync_api import expect

ROWS = ".tks-table tbody tr"
TICKS = f"{ROWS} input"
# Some hosts show a screen in a tree of its own.
FOCUSED = "(function at({activeElement: it}) { return it?.shadowRoot ? at(it.shadowRoot) : it; })(document)"


def expect_focus(frame, key):
    frame.wait_for_function(f"key => {FOCUSED}?.dataset?.key === key", arg=key)


class Explorer:
    """An explorer on a page, and its user."""

    def __init__(self, page, frame=None):
        self.page = page
        self.frame = frame or page
        self.screen = self.frame.locator(".tk[aria-label^=Tokens]")
        self.rows = self.screen.locator(ROWS)
        self.ticks = self.screen.locator(TICKS)
        self.searched = self.screen.get_by_role("searchbox", name="Search comment, owner, creator and id")

    def button(self, name, *, exact=True):
        return self.screen.get_by_role("button", name=name, exact=exact)

    def press(self, name):
        self.button(name).click()

    def quick(self, name):
        """Press a quick filter; return its count."""
        found = self.screen.locator(".tks-quick button", has_text=name)
        count = int(found.locator("b").inner_text().replace(",", ""))
        found.click()
        return count

    def filter(self, field, value):
        """Filter by a value; return its count."""
        self.press("+ Filter")
        self.screen.get_by_label("Filter by").select_option(field)
        choice = self.screen.locator(".tks-choices label", has_text=value).first
        count = int(choice.locator("b").inner_text().replace(",", ""))
        choice.click()
        expect(self.screen.locator(".tks-chip", has_text=value)).to_be_visible()
        self.close_filters()
        return count

    def close_filters(self):
        self.press("Done")
        expect(self.screen.locator(".tks-popover")).to_have_count(0)

    def sees(self, text):
        expect(self.screen.get_by_text(text).first).to_be_visible()

    def hears(self, text):
        """Assert what was announced last."""
        expect(self.screen.locator("> .tks-unseen[role=status]")).to_have_text(text)

    def tick(self, *positions):
        for position in positions:
            self.ticks.nth(position).click()

    def shown_ids(self):
        """Return the ids of the rows on the page."""
        return self.ticks.evaluate_all("boxes => boxes.map(box => box.dataset.id)")

    @property
    def focused(self):
        """The name of what has the focus; None if it is outside of the screen."""
        return self.frame.evaluate(f"() => {FOCUSED}?.closest('.tk') && {FOCUSED}.dataset.key || null")

    def expect_focus(self, key):
        expect_focus(self.frame, key)

    def revoke(self, count):
        """Ask for a revocation, and wait for the question."""
        self.press(f"Revoke {count} …")
        expect(self.screen.get_by_role("dialog").get_by_label("to confirm")).to_be_visible()

    def confirm(self, count, verb="Revoke"):
        self.screen.get_by_label("to confirm").fill(str(count))
        self.button(re.compile(rf"^{verb} {count} tokens?$"), exact=False).click()


class Review:
    """A permission review on a page, and its user."""

    def __init__(self, page, frame=None):
        self.page = page
        self.frame = frame or page
        self.screen = self.frame.locator(".tk[aria-label^=Permission]")
        self.entries = self.screen.locator(".tks-table tbody tr")

    def row(self, name):
        return self.entries.filter(has_text=name)

    def press(self, name):
        self.screen.get_by_role("button", name=name, exact=isinstance(name, str)).click()

    def sees(self, text):
        expect(self.screen.get_by_text(text).first).to_be_visible()

    def hears(self, text):
        expect(self.screen.locator("> .tks-unseen[role=status]")).to_have_text(text)

    def expect_focus(self, key):
        expect_focus(self.frame, key)

    def wait_for_plan(self):
        """Wait for the plan; return the number of principals losing permission, and of tokens to delete."""
        expect(self.screen).not_to_have_attribute("data-waiting", re.compile(""))  # else it is of an earlier draft
        verdict = self.screen.locator(".tks-verdict")
        expect(verdict).to_have_text(
            re.compile(r"would lose permission, and \d+ tokens? would be deleted or disabled\.")
        )
        return [int(number) for number in re.findall(r"\d+", verdict.inner_text())]


def cut_focus_rings(page, within=".tk"):
    """Return what has, when it has the focus, an outline that a box around it cuts off."""
    page.keyboard.press("Shift")  # outlines are for who uses the keyboard
    return page.evaluate(
        """within => {
            const clips = box => getComputedStyle(box).overflowX !== "visible";
            const ring = node => {
                const [{left, right, top, bottom}, style] = [node.getBoundingClientRect(), getComputedStyle(node)];
                const out = parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth);
                return {left: left - out, right: right + out, top: top - out, bottom: bottom + out};
            };
            const isCut = node => {
                node.focus();
                if (getComputedStyle(node).outlineStyle === "none") return true;
                const own = ring(node);
                for (let box = node.parentElement; box.closest(within); box = box.parentElement) {
                    const around = box.getBoundingClientRect();
                    if (!clips(box)) continue;
                    const [dx, dy] = [Math.max(around.left - own.left, own.right - around.right),
                        Math.max(around.top - own.top, own.bottom - around.bottom)];
                    if (Math.max(dx, dy) > 0.5) return true;
                }
                return false;
            };
            const all = document.querySelectorAll(`${within} :is(button, input, select, summary, [tabindex="0"])`);
            const isShown = node => node.checkVisibility({visibilityProperty: true});
            return [...all].filter(node => isShown(node) && !node.disabled).filter(isCut)
                .map(node => node.outerHTML.slice(0, 120));
        }""",
        within,
    )


def fits(page):
    """Return whether nothing of the screen scrolls sideways, and the screen itself not at all."""
    parts = ", ".join([".tk", *(f".tks-{name}" for name in ("table", "panel", "charts", "popover", "dialog", "rows"))])
    boxes = f"[...document.querySelectorAll({parts!r})]"
    is_whole = "[...document.querySelectorAll('.tk')].every(box => box.scrollHeight <= box.clientHeight)"
    return page.evaluate(f"() => {boxes}.every(box => box.scrollWidth <= box.clientWidth) && {is_whole}")
