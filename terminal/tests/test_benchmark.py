"""A short run of the benchmark: every part works; the figures themselves need a quiet machine."""

from __future__ import annotations

import statistics

import pytest

from terminal.tests import benchmark_terminal as bench


@pytest.mark.slow
def test_every_part_of_the_benchmark_gives_figures() -> None:
    with bench.bench_site(4 + 12) as site:
        times = bench.echo_figures(site, rounds=1, keys=20)
        assert {"ours", "ssh -tt + tmux attach"} <= set(times)
        assert statistics.median(times["ours"]) < 200
        assert statistics.median(bench.open_times(site, 3)) < 2000
        working, held = bench.many(site, 12)
        assert working == 12
        assert held > 0
        grown, speed = bench.never_reading(site, 2.0)
        assert grown < 10_000_000
        assert speed > 100


@pytest.mark.slow
@pytest.mark.xfail(reason="seen: 123 MB with 12 terminals; the target is not met yet", strict=False)
def test_the_web_server_stays_under_120_mb() -> None:
    with bench.bench_site(4 + 12) as site:
        _, held = bench.many(site, 12)
        assert held < 120_000_000
