"""A short run of the benchmark: every part works; the figures themselves need a quiet machine."""

from __future__ import annotations

import statistics

import pytest

from terminal.tests import figures as bench

MOST_MEMORY = 120_000_000


@pytest.mark.slow
@pytest.mark.long("fifty terminals, and each part of the benchmark once")
def test_every_part_of_the_benchmark_gives_figures_and_fifty_terminals_cost_little() -> None:
    with bench.bench_site(4 + bench.TERMINALS) as site:
        working, held = bench.many(site, bench.TERMINALS)
        assert working == bench.TERMINALS
        assert held < MOST_MEMORY
        times = bench.echo_figures(site, rounds=1, keys=20)
        assert {"ours", "ssh -tt + tmux attach"} <= set(times)
        assert statistics.median(times["ours"]) < 200
        assert statistics.median(bench.open_times(site, 3)) < 2000
        grown, speed = bench.never_reading(site, 2.0)
        assert grown < 10_000_000
        assert speed > 100
