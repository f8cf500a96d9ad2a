"""How fast the explorer is with many tokens: the model alone, and in a real browser.

    python -m benchmarks.explorer             # 100,000 tokens
    python -m benchmarks.explorer --tokens 10000
    python -m benchmarks.explorer --quick     # the model alone

The browser part starts JupyterLab and Chromium. Seconds there are a person's: from the key or the click to the frame
that shows the rows, by the page's own clock, which looks at every frame; bytes are those of the kernel's WebSocket.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import Page, sync_playwright

from benchmarks.goals import note
from tests.browser.conftest import QUIET
from tests.browser.jupyter import Lab
from tokenkit.widgets.facets import Span
from tokenkit.widgets.model import Model, completed

SEED_TOKENS = 1_000
NOW = "2026-03-01"
FIRST_RENDER_GOAL_SECONDS = 1.0
FILTER_GOAL_SECONDS = 0.3
# The cell of the browser part that makes what the model part has in hand as well.
MAKE = """
import pandas as pd, tokenkit
ws = tokenkit.connect("sandbox", tokens={seed}, clock="{now}")
audit = ws.audit()
times = {tokens} // {seed}
ids = [f"{{n:064x}}" for n in range({tokens})]
tokens = pd.concat([audit.tokens] * times, ignore_index=True).assign(token_id=ids)
found = audit.findings.dropna(subset="token_id")
place = dict(zip(audit.tokens["token_id"], range({seed})))
rows = [place[each] for each in found["token_id"]]
findings = pd.concat([found.assign(token_id=[ids[row + {seed} * n] for row in rows]) for n in range(times)])
"""
# Tells how long it took from the last thing that somebody did until the page is as a condition says.
WATCH = """condition => {
    const isShown = new Function(`return ${condition}`);
    let acted = performance.now();
    for (const kind of ["keydown", "click", "change"])
        document.addEventListener(kind, () => { acted = performance.now(); }, {capture: true});
    window.shown = new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`after a minute it is not so: ${condition}`)), 60_000);
        const next = requestAnimationFrame;
        const look = () => next(isShown() ? () => resolve(performance.now() - acted) : look);
        look();
    });
}"""


def seconds(act: Callable[[], object], *, times: int = 5) -> float:
    """Return the median of how long something takes."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def of_the_model(tokens: pd.DataFrame, findings: pd.DataFrame, now: pd.Timestamp) -> None:
    """Print what each change costs before anything is shown, the counts of every choice included."""
    model = Model(completed(tokens, now=now), findings)

    def change(**filters: Any) -> Callable[[], object]:  # noqa: ANN401 - as the model takes them
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


def in_the_browser(page: Page, lab: Lab, count: int) -> None:
    """Print how long a person waits, and what is sent to the browser."""
    received: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    notebook = lab.open(page)
    notebook.fill(
        MAKE.format(seed=SEED_TOKENS, now=NOW, tokens=count),
        "tokenkit.explore(tokens, findings=findings, now=ws.now())",
    )
    notebook.run(0)
    status, search = page.get_by_label("Status", exact=True), page.get_by_label("Search", exact=True)

    def measured(name: str, act: Callable[[], object], shown: str, most: float | None = None) -> None:
        received.clear()
        page.evaluate(WATCH, shown)
        act()
        taken = page.evaluate("() => window.shown") / 1000
        note(f"explorer in the browser, {name}", taken, unit=" s", most=most)
        print(f"  {name:20} {taken:.2f} s, {sum(received) / 1e6:.2f} MB, largest message {max(received) / 1e6:.2f} MB")

    print(f"\nJupyterLab and Chromium, {count:,} tokens, 50 rows a page")
    table = "document.querySelector('.tokenkit > .tk-table')"
    # The first rows of a table are hidden: they carry the page's number.
    rows = f"[...{table}?.querySelectorAll('tbody tr') ?? []].filter(row => row.offsetParent)"
    first = f"{rows}[0]?.innerText"
    measured("first render", lambda: notebook.run(1), f"{rows}.length === 50", FIRST_RENDER_GOAL_SECONDS)
    expired = status.locator("option", has_text="expired").inner_text()
    of_status = f"{rows}[0]?.cells[1].innerText"
    measured("filter: status", lambda: status.select_option(expired), f"{of_status} === 'expired'", FILTER_GOAL_SECONDS)
    measured("filter away", lambda: status.select_option("any"), f"{of_status} === 'active'", FILTER_GOAL_SECONDS)

    def type_() -> None:
        search.fill("terraform")
        search.press("Enter")

    measured("search", type_, f"{first}?.includes('erraform')", FILTER_GOAL_SECONDS)
    place = "[...document.querySelectorAll('.tokenkit .tk-text')].some(each => each.innerText.includes('Page 2 of'))"
    measured("next page", lambda: page.get_by_role("button", name="Next →").click(), place)
    size = page.get_by_label("Rows on a page", exact=True)
    measured("500 rows a page", lambda: size.select_option("500"), f"{rows}.length === 500")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokens", type=int, default=100_000, help="how many tokens, in thousands")
    parser.add_argument("--quick", action="store_true", help="the model alone, without a browser")
    options = parser.parse_args()
    count = options.tokens
    made: dict[str, Any] = {}
    exec(MAKE.format(seed=SEED_TOKENS, now=NOW, tokens=count), made)  # noqa: S102 - the text above
    of_the_model(made["tokens"], made["findings"], made["ws"].now())
    if options.quick:
        return
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=QUIET)
        in_the_browser(browser.new_page(viewport={"width": 1280, "height": 1100}), lab, count)
        lab.close_all()
        browser.close()


if __name__ == "__main__":
    main()
