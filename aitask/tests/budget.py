"""The budget of a test run: how long it and each of its tests may take, and which tests may be rerun.

`.ci/test` starts pytest several times with the same `--budget=FILE`, to which every test adds a line. Each
time the slowest tests so far, the reruns with their reasons and the total are printed. The run fails if
there were more reruns than allowed, or if a test or the total took more than `BUSY` times its limit. Only
tests that use a browser or a real CLI are rerun.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

TEST_SECONDS = 40.0
"""The limit of one test; a longer one needs `@pytest.mark.long(reason)`."""
RUN_SECONDS = 25 * 60.0
"""The limit of a whole run on two cores, including the installation."""
BUSY = 2.0
"""A busy machine may take this many times as long."""
MAX_RERUNS = 2
SLOWEST = 10


@dataclass(frozen=True)
class Entry:
    """One attempt at one test; `rerun` is the reason of a rerun, `long` why it may take longer."""

    test: str
    seconds: float
    rerun: str = ""
    long: str = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--budget", metavar="FILE", help="add times and re-runs to this file, and check its sums"
    )


def pytest_configure(config: pytest.Config) -> None:
    file = config.getoption("--budget")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Budget(Path(file)), "budget-of-the-run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow one rerun of tests that use third-party programs; elsewhere a rerun would hide a race."""
    for item in items:
        if item.get_closest_marker("browser") or item.get_closest_marker("cli"):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))
        if long := item.get_closest_marker("long"):
            item.user_properties.append(("long", str(long.args[0])))


class Budget:
    """Adds the entries of this run to `file`, whose first line is the start time of the whole run."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._seconds: dict[str, float] = {}
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        is_rerun = report.outcome == "rerun"  # type: ignore[comparison-overlap]  # of pytest-rerunfailures
        if is_rerun or report.when == "teardown":
            self._write(report, reason_of(report) if is_rerun else "")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        began, entries = read(self.file)
        total = time.time() - began
        found = problems(entries, total)
        self._lines = [*summary(entries, total), *found]
        if found and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("budget")
        for line in self._lines:
            terminalreporter.write_line(line)

    def _write(self, report: pytest.TestReport, rerun: str) -> None:
        long = dict(report.user_properties).get("long", "")
        entry = Entry(report.nodeid, round(self._seconds.pop(report.nodeid), 2), rerun, str(long))
        with self.file.open("a") as out:
            out.write(f"{json.dumps(asdict(entry))}\n")


def reason_of(report: pytest.TestReport) -> str:
    """Return the first line of the error that made the test fail."""
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = str(crash.message if crash else report.longrepr).strip().splitlines()
    return lines[0] if lines else "no reason given"


def read(file: Path) -> tuple[float, list[Entry]]:
    """Return the start time of the whole run and its entries."""
    first, *rest = file.read_text().splitlines()
    return float(first), [Entry(**json.loads(line)) for line in rest]


def summary(entries: list[Entry], total: float) -> list[str]:
    slowest = sorted(entries, key=lambda entry: -entry.seconds)[:SLOWEST]
    reruns = [entry for entry in entries if entry.rerun]
    return [
        *(f"{entry.seconds:6.1f} s  {entry.test}{mark(entry)}" for entry in slowest),
        *(f"run again: {entry.test}: {entry.rerun}" for entry in reruns),
        f"so far {total:.0f} s of {RUN_SECONDS:.0f} s; {len(reruns)} of {MAX_RERUNS} re-runs",
    ]


def mark(entry: Entry) -> str:
    if entry.long:
        return f" (long: {entry.long})"
    return f" (over {TEST_SECONDS:.0f} s)" if entry.seconds > TEST_SECONDS else ""


def problems(entries: list[Entry], total: float) -> list[str]:
    """Return the reasons for which the run fails."""
    found = [
        f"over budget: {entry.test} took {entry.seconds:.0f} s; make it faster, or mark it long and say why"
        for entry in entries
        if entry.seconds > TEST_SECONDS * BUSY and not entry.long
    ]
    reruns = sum(bool(entry.rerun) for entry in entries)
    if reruns > MAX_RERUNS:
        found.append(f"over budget: {reruns} tests had to be run again; {MAX_RERUNS} are allowed")
    if total > RUN_SECONDS * BUSY:
        found.append(f"over budget: {total:.0f} s; {RUN_SECONDS:.0f} s are allowed")
    return found
