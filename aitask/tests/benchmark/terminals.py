"""Terminals of an ssh host, against `ssh -tt` by hand and other web terminals, and beside floods."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from aitask.tests.benchmark.rows import Row
from terminal.tests import figures, floods
from terminal.tests.peers import ByHand, Ours
from terminal.tests.site import Site

ROUNDS, KEYS, TERMINALS = 6, 50, 50
FLOODS, UNATTENDED_SECONDS = 20, 60
MOST_OF_A_READER = 10
"MB by which the web process may grow for a browser that never reads."


def measure() -> Iterator[Row]:
    for rows in (echo, opening, interrupt, never_reading, cat):
        with figures.bench_site(4) as site:
            yield from rows(site)
    with figures.bench_site(4 + TERMINALS) as site:
        yield from many(site)
    with figures.bench_site(4 + FLOODS) as site:
        yield from beside_floods(site)


def echo(site: Site) -> Iterator[Row]:
    """The echo of each way to the same shell; the floor is that by hand."""
    times = figures.echo_figures(site, ROUNDS, KEYS)
    floor = statistics.median(times.pop(ByHand.name))
    for name, found in times.items():
        most = 1.4 if name == Ours.name else None
        yield Row("terminals", f"echo over ssh, {name}", statistics.median(found), "ms", floor, most)


def opening(site: Site) -> Iterator[Row]:
    site.make_session(site.tasks[1])
    figures.open_times(site, 1)  # the host is connected from now on
    yield Row(
        "terminals", "from a click to the screen", statistics.median(figures.open_times(site)), "ms", most=15
    )


def interrupt(site: Site) -> Iterator[Row]:
    site.make_session(site.tasks[1])
    seen = figures.interrupt_times(site)
    yield Row("terminals", "Ctrl-C in a flood", statistics.median(seen), "ms", most=10)


def never_reading(site: Site) -> Iterator[Row]:
    site.make_session(site.tasks[2])
    grown, _ = figures.never_reading(site)
    yield Row("terminals", "web, for one that never reads", grown / 1e6, "MB", most=MOST_OF_A_READER)


def cat(site: Site) -> Iterator[Row]:
    for task in site.tasks[:2]:
        site.make_session(task)
    hand, ours = figures.cat_figures(site)
    yield Row("terminals", "cat of 50 MB", ours, "s", floor=hand, most=1)


def many(site: Site) -> Iterator[Row]:
    working, held = figures.many(site, TERMINALS)
    yield Row("terminals", f"of {TERMINALS} at once that work", working, "", at_least=TERMINALS)
    yield Row("terminals", "web process then", held / 1e6, "MB")


def beside_floods(site: Site) -> Iterator[Row]:
    tasks = site.tasks[4:]
    floods.start_floods(site, tasks)
    times = floods.echo_beside(site, tasks, KEYS, 2)
    hand, ours = (statistics.median(times[name]) for name in (ByHand.name, Ours.name))
    yield Row("terminals", f"echo beside {FLOODS} floods", ours, "ms", floor=hand, most=1.5)
    memory = floods.memory_of_tmux(site, tasks, UNATTENDED_SECONDS)
    yield Row("terminals", f"tmux with {FLOODS} unattended floods", memory / 1e6, "MB", most=400)
