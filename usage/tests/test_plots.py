"""The plots: what a bar stands for, its figures, the axes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tasks.models import Task
from tasks.tests.factories import make_task, make_user
from usage import plots, queries
from usage.aggregation import Sums
from usage.periods import Period
from usage.tests.rows import used

pytestmark = pytest.mark.django_db
BERLIN = ZoneInfo("Europe/Berlin")
SPRING = date(2026, 3, 29)
"In Berlin, the clocks go from 2:00 to 3:00 on this day."


@pytest.fixture
def task() -> Task:
    return make_task()


def plot_of(task: Task, period: Period) -> plots.Plot:
    report = queries.report(make_user("root", is_superuser=True), period, task.workspace)
    plot = plots.by_model(report, "Tokens", lambda sums: sums.tokens, lambda value: f"{value:g}")
    assert plot
    return plot


def spend(task: Task, at: datetime, tokens: int, **fields: Any) -> None:
    nothing = dict.fromkeys(("output_tokens", "cache_read_tokens", "cache_write_tokens"), 0)
    used(task, queued_at=at, input_tokens=tokens, **nothing, **fields)


@pytest.mark.parametrize(
    ("days", "words"),
    [
        (1, "per hour"),
        (7, "per hour"),
        (8, "per day"),
        (62, "per day"),
        (63, "per week"),
        (435, "per 30 days"),
    ],
)
def test_bars_stand_for_more_time_in_a_longer_period(days: int, words: str) -> None:
    first = date(2026, 1, 1)
    assert plots.step_of(Period(first, first + timedelta(days=days - 1), UTC)).words == words


def test_a_bar_of_an_hour_has_the_local_time_and_the_figures_of_each_model(task: Task) -> None:
    spend(task, datetime(2026, 5, 4, 12, 59, tzinfo=UTC), 300)
    spend(task, datetime(2026, 5, 4, 12, 0, tzinfo=UTC), 100, model="gpt-5.1-codex")
    spend(task, datetime(2026, 5, 4, 13, 0, tzinfo=UTC), 5)
    columns = plot_of(task, Period(date(2026, 5, 4), date(2026, 5, 4), BERLIN)).columns
    assert [column.says for column in columns] == [
        "4 May 2026, 14:00: 400 in total, claude-sonnet-4-5 300, gpt-5.1-codex 100",
        "4 May 2026, 15:00: claude-sonnet-4-5 5",
    ]
    assert columns[0].x == pytest.approx(720 * 14 / 24)


def test_a_day_on_which_the_clocks_change_has_23_bars(task: Task) -> None:
    period = Period(SPRING, SPRING, BERLIN)
    assert len(period.slots()) == 23
    spend(task, datetime(2026, 3, 29, 21, 30, tzinfo=UTC), 7)
    (column,) = plot_of(task, period).columns
    assert column.says.startswith("29 Mar 2026, 23:00:")
    assert column.x + column.width == pytest.approx(720, abs=0.1)


def test_the_sums_of_days_do_not_depend_on_bars_of_hours(task: Task) -> None:
    spend(task, datetime(2026, 5, 3, 23, 30, tzinfo=UTC), 10)  # 1:30 on the fourth, in Berlin
    spend(task, datetime(2026, 5, 4, 9, 0, tzinfo=UTC), 20)
    user = make_user("root", is_superuser=True)
    for length in (2, 10):
        period = Period(date(2026, 5, 3), date(2026, 5, 3) + timedelta(days=length - 1), BERLIN)
        days = queries.report(user, period, task.workspace).by_day
        assert [(row.key.day, row.sums.tokens) for row in days[:2]] == [(3, 0), (4, 30)]
        assert sum((row.sums.tokens for row in days), 0) == 30


@pytest.mark.parametrize(
    ("highest", "scale"),
    [
        (1, ["1", "0.5", "0"]),
        (3, ["4", "2", "0"]),
        (999, ["1000", "500", "0"]),
        (0.021, ["0.04", "0.02", "0"]),
    ],
)
def test_the_axis_ends_at_a_round_number(highest: float, scale: list[str]) -> None:
    top = plots._top_of_axis(highest)
    assert [f"{value:g}" for value in (top, top / 2, 0)] == scale


def test_no_bar_is_higher_than_the_plot_and_the_highest_fills_more_than_half(task: Task) -> None:
    for number in range(5):
        spend(task, datetime(2026, 5, 4 + number, tzinfo=UTC), 17 * 10**number)
    plot = plot_of(task, Period(date(2026, 5, 1), date(2026, 5, 30), UTC))
    assert all(piece.y >= 0 and piece.y + piece.height <= plots.HEIGHT + 0.01 for piece in plot.pieces)
    assert max(piece.height for piece in plot.pieces) > plots.HEIGHT / 2


def test_a_model_name_can_not_end_an_attribute(task: Task) -> None:
    spend(task, datetime(2026, 5, 4, tzinfo=UTC), 7, model='"><script>alert(1)</script>')
    assert "<script>" not in plot_of(task, Period(date(2026, 5, 4), date(2026, 5, 4), UTC)).rects


def test_nothing_is_drawn_without_a_figure() -> None:
    report = queries.UsageReport(Period(date(2026, 5, 4), date(2026, 5, 4), UTC), totals=Sums())
    assert plots.by_model(report, "Cost", lambda sums: sums.tokens, str) is None


def test_bars_of_hours_are_labelled_with_their_days_also_when_the_clocks_change(task: Task) -> None:
    spend(task, datetime(2026, 3, 30, tzinfo=UTC), 7)
    marks = plot_of(task, Period(SPRING - timedelta(days=1), SPRING + timedelta(days=1), BERLIN)).marks
    assert [mark.text for mark in marks] == ["28 Mar", "29 Mar", "30 Mar"]
    assert marks[2].percent == pytest.approx(100 * 47 / 71, abs=0.01)


def test_bars_of_one_day_are_labelled_with_hours(task: Task) -> None:
    spend(task, datetime(2026, 5, 4, tzinfo=UTC), 7)
    marks = plot_of(task, Period(date(2026, 5, 4), date(2026, 5, 4), UTC)).marks
    assert [mark.text for mark in marks] == ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00"]
