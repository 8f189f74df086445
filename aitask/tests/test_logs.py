"""A fault that returns does not fill the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from aitask.logs import BURST, KINDS, REFILL_SECONDS, Repeats

log = logging.getLogger("aitask.tests.logs")


class Lines(logging.Handler):
    """Keeps what is logged, and has a clock of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.lines: list[str] = []
        self.addFilter(Repeats(lambda: self.now))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[Lines]:
    lines = Lines()
    log.addHandler(lines)
    yield lines
    log.removeHandler(lines)


def fail(number: int) -> None:
    log.warning("application %d took too long", number)


def test_a_fault_that_returns_each_second_for_hours_stays_small(lines: Lines) -> None:
    for second in range(3 * 3600):
        lines.now = float(second)
        fail(second)
    assert len(lines.lines) <= BURST + 3 * 3600 / REFILL_SECONDS + 1


def test_what_was_left_out_is_counted_in_the_next_line(lines: Lines) -> None:
    for number in range(BURST + 7):
        fail(number)
    assert len(lines.lines) == BURST
    lines.now += REFILL_SECONDS
    fail(99)
    assert lines.lines[-1] == "application 99 took too long (7 more of this kind were not logged)"


def test_after_a_quiet_time_all_is_logged_again(lines: Lines) -> None:
    for number in range(2 * BURST):
        fail(number)
    lines.now += BURST * REFILL_SECONDS
    for number in range(BURST):
        fail(number)
    assert len(lines.lines) == 2 * BURST


def test_a_flood_of_one_kind_hides_no_other(lines: Lines) -> None:
    for number in range(10 * BURST):
        fail(number)
    log.warning("something else, 100%")
    log.error("and %s", "this")
    assert lines.lines[-2:] == ["something else, 100%", "and this"]


def test_a_percent_sign_in_a_value_is_no_placeholder(lines: Lines) -> None:
    for _ in range(BURST + 2):
        log.warning("%s", "50%s")
        lines.now += 1
    lines.now += REFILL_SECONDS
    assert lines.lines[-1] == "50%s"


def test_the_memory_is_bounded() -> None:
    limit = Repeats()
    for line in range(2 * KINDS):
        limit.filter(logging.LogRecord("x", logging.INFO, "x.py", line, "text", None, None))
    assert len(limit._kinds) == KINDS
