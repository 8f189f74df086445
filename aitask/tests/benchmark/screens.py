"""What somebody waits for in Chromium, on the same machine: the events of agents, and a large diff."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from aitask.tests.benchmark.intake import wait_until_saved
from aitask.tests.benchmark.live_runs import LiveRuns
from aitask.tests.benchmark.rows import Row
from aitask.tests.lab.app import App
from aitask.tests.lab.browser import Chromium, open_browser, open_page
from aitask.tests.lab.ready import USERNAME
from aitask.tests.lab.wait import wait_for

GOALS = {10: 80, 30: 150}
"Runs with an event every half second, and the most milliseconds (p95) until one of them is seen."
PER_SECOND, SECONDS = 2, 15
WATCH = """() => {
  window.seen = {};
  const note = (node) => node.dataset?.place && (window.seen[node.dataset.place] ??= Date.now());
  new MutationObserver((changes) => requestAnimationFrame(() => {
    for (const change of changes) for (const node of change.addedNodes) note(node);
  })).observe(document.getElementById("conversation"), { childList: true, subtree: true });
}"""
LONG_TASKS = """
window.longTasks = [];
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) window.longTasks.push(Math.round(duration));
}).observe({ type: "longtask", buffered: true });
"""
FILES, MOST_NODES, MOST_BLOCKED = 5000, 5000, 100


def measure() -> Iterator[Row]:
    with open_browser() as browser:
        for runs, most in GOALS.items():
            delays = delays_of_events(browser, runs)
            name = f"event to screen, {runs} runs at 0.5 s"
            yield Row("screens", f"{name}, p50", statistics.median(delays), "ms")
            yield Row("screens", f"{name}, p95", statistics.quantiles(delays, n=20)[-1], "ms", most=most)
        yield from review(browser)


def delays_of_events(browser: Chromium, runs: int) -> list[float]:
    """Milliseconds from each event of one run until the frame that shows it."""
    with App() as app:
        live = LiveRuns(app, runs)
        app.start_role("web")
        app.start_role("follower")
        app.wait_until_it_answers()
        with open_page(browser, app.site) as page:
            app.show(page, f"/tasks/{live.tasks[0]}")
            live.write(runs * PER_SECOND, 1)
            page.wait_for_selector(".ev")
            page.evaluate(WATCH)
            live.write(runs * PER_SECOND, SECONDS)
            wait_until_saved(app, live.written)
            wait_for(
                lambda: len(page.evaluate("window.seen")) >= PER_SECOND * SECONDS - 2, 30, "the last events"
            )
            seen: dict[str, float] = page.evaluate("window.seen")
            written = times_of(live.journals[0].path)
    return [at - written[int(place.split(".")[1])] for place, at in seen.items()]


def times_of(journal: Path) -> dict[int, float]:
    """Return the time in milliseconds of each event by its number."""
    events: list[dict[str, Any]] = [json.loads(line) for line in journal.read_text().splitlines()]
    return {event["seq"]: 1000 * datetime.fromisoformat(event["at"]).timestamp() for event in events}


def review(browser: Chromium) -> Iterator[Row]:
    """The page of a change of 5,000 files."""
    with App() as app:
        folder = str(app.folder / "shop")
        build = (
            f"from tasks.tests.review import window; print(window.build({folder!r}, {USERNAME!r})['many'])"
        )
        task = app.manage("shell", "--no-imports", "-c", build).splitlines()[-1]
        app.start_role("web")
        app.wait_until_it_answers()
        with open_page(browser, app.site) as page:
            page.add_init_script(LONG_TASKS)
            began = time.monotonic()
            app.show(page, f"/tasks/{task}/changes")
            wait_for(lambda: page.evaluate("!!document.querySelector('.file code')"), 60, "the first lines")
            seconds = time.monotonic() - began
            nodes, longest = of_page(page)
    yield Row("screens", f"a change of {FILES:,} files, first lines", seconds, "s")
    yield Row("screens", "its elements", nodes, "", most=MOST_NODES)
    yield Row("screens", "its longest task", longest, "ms", most=MOST_BLOCKED)


def of_page(page: Page) -> tuple[int, float]:
    """Return how many elements it has, and the milliseconds of its longest task."""
    nodes, longest = page.evaluate(
        "[document.querySelectorAll('*').length, Math.max(0, ...window.longTasks)]"
    )
    return nodes, longest
