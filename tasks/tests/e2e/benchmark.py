"""How long from Run to the agent's process, and from the CLI's word to the screen; prints both.

python -m tasks.tests.e2e.benchmark
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from aitask.tests.lab.browser import open_browser, open_page
from aitask.tests.lab.repos import git
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.world import BACKENDS, World

RUNS = 10
WATCH = """() => {
  window.seen = {};
  const note = (node) => node.dataset?.place && (window.seen[node.dataset.place] ??= Date.now());
  new MutationObserver((changes) => requestAnimationFrame(() => {
    for (const change of changes) for (const node of change.addedNodes) note(node);
  })).observe(document.getElementById("conversation"), { childList: true, subtree: true });
}"""


def by_hand(world: World) -> float:
    """Median seconds of `git worktree add` and `tmux new-session`, typed by a person who knows them."""
    times = []
    for number in range(5):
        begin = time.monotonic()
        git(world.repo, "worktree", "add", "-q", "-b", f"hand-{number}", f"../hand-{number}", "main")
        world.app.tmux.run("new-session", "-d", "-s", f"hand-{number}", "-c", f"{world.repo}", "sleep 600")
        times.append(time.monotonic() - begin)
    return statistics.median(times)


def start_times(world: World) -> list[float]:
    """Seconds from pressing Run to the start of the agent's process, one run after the other."""
    times = []
    for number in range(RUNS):
        task = world.api.add_task(world.workspace, "@steps 2 1", BACKENDS[number % 2])
        pressed = time.time()
        run = world.api.run_task(task["id"])
        started = wait_for(lambda run=run: world.events(run, "started"), 30, "the agent's first word")  # type: ignore[misc]
        times.append(born(started[0]["pid"]) - pressed)
        world.api.wait_for_run(run["id"])
    return times


def born(pid: int) -> float:
    """When a process was started, in epoch seconds, to a hundredth."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    now = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - now + ticks / os.sysconf("SC_CLK_TCK")


def screen_delays(world: World, page: Page) -> list[float]:
    """Seconds from an event's own time to the frame that shows it, with RUNS runs going.

    A step every three seconds: at two a second the agents alone take all of two cores.
    """
    runs = [world.start("@steps 8 3", BACKENDS[number % 2]) for number in range(RUNS)]
    watched = runs[0]
    world.app.show(page, f"/tasks/{watched['task']}")
    page.wait_for_selector(".ev")
    page.evaluate(WATCH)
    for run in runs:
        world.api.wait_for_run(run["id"], timeout=120)
    seen: dict[str, float] = page.evaluate("window.seen")
    return [at_screen / 1000 - said_at(world, watched, place) for place, at_screen in seen.items()]


def said_at(world: World, run: dict[str, Any], place: str) -> float:
    seq = int(place.split(".")[1])
    (event,) = [event for event in world.events(run) if event["seq"] == seq]
    return datetime.fromisoformat(event["at"]).timestamp()


def measure() -> dict[str, float]:
    """All figures, in seconds; browser and app share this machine with the agents."""
    with World() as world, open_browser() as browser:
        hand = by_hand(world)
        starts = start_times(world)
        with open_page(browser, world.app.site) as page:
            delays = sorted(screen_delays(world, page))
    return {
        "by hand (median)": hand,
        "run to process (median)": statistics.median(starts),
        "event to screen (median)": statistics.median(delays),
        "event to screen (p95)": delays[int(len(delays) * 0.95) - 1],
        "events seen": len(delays),
    }


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name:28} {value:.3f}")
    subprocess.run(["uptime"], check=False)
