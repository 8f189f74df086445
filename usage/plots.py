"""SVG plots: stacked bars per hour, day, week or 30 days, and bars per task."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.utils.dateformat import format as date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from usage.aggregation import Sums
from usage.periods import Period
from usage.queries import ReportRow, UsageReport

WIDTH, HEIGHT = 720, 160
MAX_BARS = 62
MAX_MARKS = 6
MODELS_SHOWN = 5
OTHERS = "others"
NICE = (1, 2, 4, 6, 8, 10)
"First digits of the top of an axis, so that its half is a short number, too."


@dataclass(frozen=True)
class Step:
    """What a bar stands for: so many slots of the period. `when` and `mark` are date formats."""

    slots: int
    words: str
    when: str
    mark: str


HOUR = Step(1, "per hour", "j M Y, H:i", "H:i")
DAY = Step(1, "per day", "j M Y", "j M")
WEEK = Step(7, "per week", r"\W\e\e\k \f\r\o\m j M Y", "j M Y")
MONTH = Step(30, "per 30 days", r"30 \d\a\y\s \f\r\o\m j M Y", "j M Y")


@dataclass(frozen=True)
class Piece:
    """A part of a bar, in SVG units. `colour` is an index."""

    x: float
    y: float
    width: float
    height: float
    colour: int


@dataclass(frozen=True)
class PlotColumn:
    """The area of a bar, from bottom to top, in SVG units. `says` are its figures as text."""

    x: float
    width: float
    says: str


@dataclass(frozen=True)
class AxisLabel:
    """A label on the date axis, at so many percent of its length."""

    percent: float
    text: str


@dataclass(frozen=True)
class Plot:
    """A plot with its legend."""

    title: str
    words: str
    "A text alternative for screen readers."
    pieces: list[Piece]
    columns: list[PlotColumn]
    marks: list[AxisLabel]
    scale: list[str]
    "The labels of the other axis from top to bottom, at equal distances."
    legend: list[tuple[int, str]]

    width = WIDTH
    height = HEIGHT
    middle = HEIGHT // 2

    @property
    def rects(self) -> SafeString:
        """The pieces and columns as SVG. Formatting here is several times faster than in the template."""
        shape = '<rect class="s{}" x="{}" y="{}" width="{}" height="{}"></rect>'
        pieces = format_html_join("", shape, ((p.colour, p.x, p.y, p.width, p.height) for p in self.pieces))
        area = f'<rect class="column" x="{{}}" y="0" width="{{}}" height="{HEIGHT}" data-says="{{}}"></rect>'
        return pieces + format_html_join("", area, ((c.x, c.width, c.says) for c in self.columns))


Measure = Callable[[Sums], float]
Show = Callable[[float], str]
Bar = tuple[datetime, dict[str, float]]
"The start of a bar in local time, and its size per model."


def by_model(report: UsageReport, what: str, measure: Measure, show: Show) -> Plot | None:
    """Return bars per hour, day, week or 30 days, stacked by model; None if there is nothing to draw.

    `measure` returns the height of a bar, `show` formats it.
    """
    names = list(dict.fromkeys(line.key[1] for line in report.by_model))
    drawn = {line.key[1] for line in report.by_model if measure(line.sums)}
    kept = names[:MODELS_SHOWN]  # sorted by tokens, so that a model has the same colour in all plots
    step = step_of(report.period)
    title = f"{what} {step.words}, by model"
    bars = _bars(report, kept, measure, step)
    highest = max((sum(parts.values()) for _, parts in bars), default=0)
    if not highest:
        return None
    legend = [(colour, name or "unknown model") for colour, name in enumerate(kept) if name in drawn]
    if drawn - set(kept):
        legend.append((MODELS_SHOWN, OTHERS))
    top = _top_of_axis(highest)
    first, last = (date_format(bars[index][0], "j M Y") for index in (0, -1))
    return Plot(
        title=title,
        words=f"{title}, {first} to {last}; at most {show(highest)}.",
        pieces=_pieces(bars, top, [*kept, OTHERS]),
        columns=_columns(bars, step, show),
        marks=_marks([start for start, _ in bars], step),
        scale=[show(top), show(top / 2), "0"],
        legend=legend,
    )


def step_of(period: Period) -> Step:
    """Return what a bar stands for, so that there are not too many bars."""
    if period.is_by_hour:
        return HOUR
    return DAY if period.days <= MAX_BARS else WEEK if period.days <= WEEK.slots * MAX_BARS else MONTH


def _top_of_axis(highest: float) -> float:
    """Return the next round number."""
    unit = 10.0 ** math.floor(math.log10(highest))
    return next(digit * unit for digit in NICE if digit * unit >= highest * (1 - 1e-9))


def _bars(report: UsageReport, kept: list[str], measure: Measure, step: Step) -> list[Bar]:
    starts = [report.period.moment(start) for start, _ in report.period.slots()[:: step.slots]]
    bars: list[Bar] = [(start, {}) for start in starts]
    for (slot, model), sums in report.by_slot_and_model.items():
        parts = bars[slot // step.slots][1]
        name = model if model in kept else OTHERS
        parts[name] = parts.get(name, 0) + measure(sums)
    return bars


def _pieces(bars: list[Bar], top: float, names: list[str]) -> list[Piece]:
    pitch = WIDTH / len(bars)
    width = round(min(pitch - min(2.0, pitch / 4), 40), 2)
    pieces = []
    for index, (_, parts) in enumerate(bars):
        bottom = float(HEIGHT)
        for colour, name in enumerate(names):
            size = parts.get(name, 0)
            if size:
                height = HEIGHT * size / top
                bottom -= height
                pieces.append(
                    Piece(round(index * pitch, 2), round(bottom, 2), width, round(height, 2), colour)
                )
    return pieces


def _columns(bars: list[Bar], step: Step, show: Show) -> list[PlotColumn]:
    """Return the columns of the bars that are not empty, with their sums, largest first."""
    pitch = WIDTH / len(bars)
    columns = []
    for index, (start, parts) in enumerate(bars):
        sizes = sorted(((size, name) for name, size in parts.items() if size), reverse=True)
        if sizes:
            figures = [f"{name or 'unknown model'} {show(size)}" for size, name in sizes]
            if len(sizes) > 1:
                figures.insert(0, f"{show(sum(size for size, _ in sizes))} in total")
            says = f"{date_format(start, step.when)}: {', '.join(figures)}"
            columns.append(PlotColumn(round(index * pitch, 2), round(pitch, 2), says))
    return columns


def _marks(starts: list[datetime], step: Step) -> list[AxisLabel]:
    """Return a few labels: the days if bars of hours are those of several days, else at equal distances."""
    every = max(1, -(-len(starts) // MAX_MARKS))
    marked, form = list(range(0, len(starts), every)), step.mark
    if step is HOUR and starts[0].date() != starts[-1].date():
        marked, form = [index for index, start in enumerate(starts) if start.hour == 0], DAY.mark
    return [
        AxisLabel(round(100 * index / len(starts), 2), date_format(starts[index], form)) for index in marked
    ]


@dataclass(frozen=True)
class TaskBar:
    """The cost of a task. The parts of its bar are in percent of the costliest task."""

    line: ReportRow
    reported: float
    estimated: float


def by_task(lines: list[ReportRow]) -> list[TaskBar]:
    """Return a bar for each task whose cost is known."""
    priced = [line for line in lines if line.sums.cost_micro is not None]
    most = max((line.sums.cost_micro or 0 for line in priced), default=0)
    scale = 100 / most if most else 0
    return [
        TaskBar(
            line,
            round(scale * ((line.sums.cost_micro or 0) - line.sums.estimated_micro), 2),
            round(scale * line.sums.estimated_micro, 2),
        )
        for line in priced
    ]
