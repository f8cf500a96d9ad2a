"""Measure the explorer with many tokens: the model only, and in a real browser.

    python -m benchmarks.explorer             # 100,000 tokens
    python -m benchmarks.explorer --tokens 10000
    python -m benchmarks.explorer --quick     # the model only

The browser part starts JupyterLab and Chromium. Its seconds are the delay that a user sees, from the key press or click
to the frame that shows the rows, measured by the page's clock at every frame. Bytes are those of the kernel's
WebSocket.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Page, sync_playwright

from benchmarks.goals import note
from tests.browser.conftest import QUIET
from tests.browser.jupyter import Lab
from tokenkit.widgets.facets import Span
from tokenkit.widgets.listing import completed
from tokenkit.widgets.model import Model

SEED_TOKENS = 1_000
NOW = "2026-03-01"
FIRST_RENDER_GOAL_SECONDS = 0.5
FILTER_GOAL_SECONDS = 0.15
SCRIPT_GOAL_KILOBYTES = 60
MESSAGE_GOAL_MEGABYTES = 1
# The cell that creates the data, in both parts.
MAKE = """
import pandas as pd, tokenkit
ws = tokenkit.connect("sandbox", tokens={seed}, clock="{now}")
audit = ws.audit()
times = {tokens} // {seed}
ids = [f"{{n:064x}}" for n in range({tokens})]
tokens = pd.concat([audit.tokens] * times, ignore_index=True).assign(token_id=ids)
found = audit.findings.dropna(subset="token_id")
place = dict(zip(audit.tokens["token_id"], range({seed})))
rows = [place[token_id] for token_id in found["token_id"]]
findings = pd.concat([found.assign(token_id=[ids[row + {seed} * n] for row in rows]) for n in range(times)])
"""
# Measures the time from the last event until the page meets a condition.
WATCH = """condition => {
    const isShown = new Function(`return ${condition}`);
    let acted = performance.now();
    for (const kind of ["keydown", "click", "change"])
        document.addEventListener(kind, () => { acted = performance.now(); }, {capture: true});
    window.shown = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`not met after one minute: ${condition}`)), 60_000);
        const next = requestAnimationFrame;
        const look = () => next(isShown() ? () => resolve(performance.now() - acted) : look);
        look();
    });
}"""


def seconds(act: Callable[[], object], *, times: int = 5) -> float:
    """Return the median duration of a call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def measure_model(tokens: pd.DataFrame, findings: pd.DataFrame, now: pd.Timestamp) -> None:
    """Print the cost of each change in the model, including the counts of all choices."""
    model = Model(completed(tokens, now=now), findings)

    def change(**filters: Any) -> Callable[[], object]:  # noqa: ANN401  # as the model takes them
        def look() -> None:
            model.narrow(**dict.fromkeys(filters))
            model.narrow(**filters)
            for name in model.facets:
                model.counts(name)
            model.on_page()

        return look

    print(f"\nmodel, {len(tokens):,} tokens, {len(findings):,} findings (median of 5, seconds)")
    print(f"  load                 {seconds(lambda: Model(completed(tokens, now=now), findings), times=3):.3f}")
    changes: dict[str, dict[str, Any]] = {
        "search": {"text": "prod"},
        "status": {"status": "active"},
        "owner": {"owner": str(tokens["owner"].iloc[0])},
        "rule": {"rule": str(findings["rule"].iloc[0])},
        "scope": {"scope": "sql"},
        "idle days": {"idle": Span(10, 60)},
    }
    for name, filters in changes.items():
        taken = seconds(change(**filters))
        print(f"  filter: {name:12} {taken:.3f}")
        note(f"explorer's model, filter by {name}", taken, unit=" s", most=FILTER_GOAL_SECONDS)
    model.widen()
    for column in ("owner", "comment", "idle_days", "scopes"):
        print(f"  sort: {column:14} {seconds(lambda column=column: model.sort(column), times=3):.3f}")
    print(f"  select all           {seconds(model.choose_matching):.3f}")


def front_end() -> tuple[str, str]:
    """Return the JavaScript and the CSS of the screens."""
    folder = resources.files("tokenkit.widgets")
    return folder.joinpath("front.js").read_text("utf-8"), folder.joinpath("front.css").read_text("utf-8")


def measure_browser(page: Page, lab: Lab, count: int) -> None:
    """Print the delay that a user sees, and the size of the messages to the browser."""
    received: list[int] = []
    largest: list[float] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    notebook = lab.open(page)
    notebook.fill(
        MAKE.format(seed=SEED_TOKENS, now=NOW, tokens=count),
        "tokenkit.explore(tokens, findings=findings, now=ws.now())",
    )
    notebook.run(0)
    search = page.get_by_role("searchbox", name="Search comment, owner, creator and id")

    def measured(name: str, act: Callable[[], object], shown: str, most: float | None = None) -> None:
        received.clear()
        page.evaluate(WATCH, shown)
        act()
        taken = page.evaluate("() => window.shown") / 1000
        note(f"explorer in the browser, {name}", taken, unit=" s", most=most)
        largest.append(max(received) / 1e6)
        print(f"  {name:20} {taken:.2f} s, {sum(received) / 1e6:.2f} MB, largest message {max(received) / 1e6:.2f} MB")

    print(f"\nJupyterLab and Chromium, {count:,} tokens, 50 rows per page")
    rows = "document.querySelectorAll('.tks-table tbody tr')"
    first = f"{rows}[0]?.innerText"
    match = "document.querySelector('.tks-chips > .tks-right')?.innerText"
    measured("first render", lambda: notebook.run(1), f"{rows}.length === 50", FIRST_RENDER_GOAL_SECONDS)
    unused = page.locator(".tks-quick button", has_text="Unused")
    measured("quick filter", unused.click, f"{match}?.includes('match')", FILTER_GOAL_SECONDS)
    measured("filter removed", unused.click, f"!{match}?.includes('match')", FILTER_GOAL_SECONDS)

    def type_() -> None:
        search.fill("terraform")
        search.press("Enter")

    measured("search", type_, f"{first}?.includes('erraform')", FILTER_GOAL_SECONDS)
    place = "document.querySelector('.tks-foot').innerText.includes('Page 2 of')"
    measured("next page", page.get_by_role("button", name="Next page").click, place)
    size = page.get_by_label("Rows per page", exact=True)
    measured("500 rows per page", lambda: size.select_option("500"), f"{rows}.length === 500")
    script, style = (len(text.encode()) / 1000 for text in front_end())
    note("explorer in the browser, its JavaScript", script, unit=" kB", most=SCRIPT_GOAL_KILOBYTES)
    note("explorer in the browser, the largest message", max(largest), unit=" MB", most=MESSAGE_GOAL_MEGABYTES)
    print(f"  JavaScript {script:.1f} kB and CSS {style:.1f} kB, sent once; largest message {max(largest):.2f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000, help="number of tokens, a multiple of 1,000")
    parser.add_argument("--quick", action="store_true", help="the model only, without a browser")
    options = parser.parse_args()
    count = options.tokens
    names: dict[str, Any] = {}
    exec(MAKE.format(seed=SEED_TOKENS, now=NOW, tokens=count), names)  # noqa: S102  # the text above
    measure_model(names["tokens"], names["findings"], names["ws"].now())
    if options.quick:
        return
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=QUIET)
        measure_browser(browser.new_page(viewport={"width": 1280, "height": 1100}), lab, count)
        lab.close_all()
        browser.close()


if __name__ == "__main__":
    main()
