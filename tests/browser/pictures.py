"""The pictures of the screens and of the report in ``docs/images``.

After a change that they show, run ``python -m tests.browser.pictures`` in the environment of the tests, then look at
each. They are from JupyterLab and Chromium, with the sandbox of ``connect("sandbox")`` on the day of the guides. Some
comments are Japanese, for which the machine needs a font (Debian: ``apt-get install fonts-ipafont-gothic``).
"""

import tempfile
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect, sync_playwright

import tokenkit
from tests.browser.conftest import QUIET, executable
from tests.browser.jupyter import Lab
from tests.browser.user import Explorer
from tests.conftest import NOW

IMAGES = Path(__file__).parents[2] / "docs" / "images"
WIDTH, FILM_HEIGHT = 1100, 690
LOOKED_AT = "CI pipeline: deploy to team share"
POINTER = """() => {
    const dot = document.body.appendChild(document.createElement("div"));
    dot.style.cssText = `position: fixed; z-index: 9999; width: 16px; height: 16px; margin: -9px; border-radius: 50%;
        pointer-events: none; border: 2px solid #2b7bba; background: #2b7bba59`;
    onmousemove = ({clientX: x, clientY: y}) => Object.assign(dot.style, {left: `${x}px`, top: `${y}px`});
}"""


def opened(notebook, theme):
    notebook.use_theme(f"JupyterLab {theme}")
    notebook.fill(f"tokenkit.connect('sandbox', clock={str(NOW)!r}).explore()")
    notebook.run(0)
    user = Explorer(notebook.page)
    expect(user.rows).to_have_count(50)
    return user


def decode(screenshot):
    return Image.open(BytesIO(screenshot)).convert("RGB")


def reduced(picture):
    """Return a picture in 256 colors: a third of the size, with no visible difference."""
    return picture.quantize(method=Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)


def revocation(user):
    for owner in ("amelie.simic2", "aiko.muller"):
        user.searched.fill(owner)
        expect(user.rows.filter(has_not_text=owner)).to_have_count(0)
        user.tick(*range(user.ticks.count()))
    user.revoke(3)
    user.screen.get_by_label("Reason").fill("owners left the team, ticket SEC-4711")
    reduced(decode(user.screen.screenshot())).save(IMAGES / "explorer-revoke.png", optimize=True)


def explorer(user):
    user.quick("Never expires")
    expect(user.button("Clear")).to_be_visible()  # else a row of all tokens is ticked
    user.tick(0, 3, 7)
    user.rows.filter(has_text=LOOKED_AT).locator(".tks-open").click()
    user.expect_focus("panel")
    user.page.mouse.move(0, 0)
    reduced(decode(user.screen.screenshot())).save(IMAGES / "explorer.png", optimize=True)


def film(user):
    """Find, look, revoke: pictures, each shown for some milliseconds."""
    pictures, durations = [], []

    def show(milliseconds):
        clip = user.screen.bounding_box() | {"width": WIDTH, "height": FILM_HEIGHT}
        pictures.append(decode(user.page.screenshot(clip=clip)))
        durations.append(milliseconds)

    def press(target, before, after, ready):
        target.hover()
        show(before)
        target.click()
        expect(ready).to_be_visible()
        show(after)

    user.page.evaluate(POINTER)
    press(user.screen.locator(".tks-quick button", has_text="Never expires"), 2000, 1400, user.button("Clear"))
    panel, typed = user.screen.locator("aside"), user.screen.get_by_label("to confirm")
    press(user.rows.filter(has_text=LOOKED_AT).locator(".tks-open"), 700, 2600, panel)
    press(panel.get_by_role("button", name="Close"), 700, 500, user.rows.first)
    press(user.ticks.nth(0), 500, 600, user.button("Revoke 1 …"))
    press(user.ticks.nth(3), 500, 600, user.button("Revoke 2 …"))
    press(user.button("Revoke 2 …"), 900, 2600, typed)
    user.screen.get_by_label("Reason").fill("no expiry, ticket SEC-4711")
    press(typed, 1200, 500, typed)
    typed.fill("2")
    press(user.button("Revoke 2 tokens"), 1500, 2400, user.screen.locator(".tks-head", has_text="998 tokens"))
    press(user.button("Close"), 600, 2000, user.rows.first)
    colors = reduced(Image.fromarray(np.vstack(pictures)))  # the same for all: what does not change is stored once
    first, *others = [picture.quantize(palette=colors, dither=Image.Dither.NONE) for picture in pictures]
    first.save(IMAGES / "find-look-revoke.gif", save_all=True, append_images=others, duration=durations, loop=0)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name, Lab(Path(name)) as lab, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable(), args=QUIET)
        page = chromium.new_page(viewport={"width": 1280, "height": 1600})
        notebook = lab.open(page)
        page.add_style_tag(content=f".tk {{ width: {WIDTH}px }}")
        revocation(opened(notebook, "Dark"))
        explorer(opened(notebook, "Light"))
        film(opened(notebook, "Light"))
        lab.close_all()
        page.goto(tokenkit.connect("sandbox", clock=NOW).audit().report(Path(name) / "audit.html").as_uri())
        page.set_viewport_size({"width": WIDTH, "height": 1600})
        last = page.locator("figure").last.bounding_box()
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": last["y"] + last["height"] + 5}
        reduced(decode(page.screenshot(full_page=True, clip=clip))).save(IMAGES / "report.png", optimize=True)
