"""SVG plots: stacked bars per day, week or 30 days, and bars per task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils.dateformat import format as date_format
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from usage.aggregation import Sums
from usage.queries import ReportRow, UsageReport

WIDTH, HEIGHT = 720, 160
MAX_BARS = 62
MODELS_SHOWN = 5
OTHERS = "others"
SPANS = {1: "per day", 7: "per week", 30: "per 30 days"}
FROM = {1: "", 7: "Week from ", 30: "30 days from "}


@dataclass(frozen=True)
class Piece:
    """A part of a bar, in SVG units. `colour` is an index, `title` a tooltip."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    title: str


@dataclass(frozen=True)
class AxisLabel:
    """A label on the date axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Plot:
    """A plot with its legend."""

    title: str
    words: str
    "A text alternative for screen readers."
    pieces: list[Piece]
    marks: list[AxisLabel]
    top: str
    legend: list[tuple[int, str]]

    width = WIDTH
    height = HEIGHT

    @property
    def rects(self) -> SafeString:
        """The pieces as SVG. Formatting them here is several times faster than in the template."""
        shape = '<rect class="s{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
        parts = ((p.colour, p.x, p.y, p.width, p.height, p.title) for p in self.pieces)
        return format_html_join("", shape, parts)


Measure = Callable[[Sums], float]
Show = Callable[[float], str]


def by_model(report: UsageReport, what: str, measure: Measure, show: Show) -> Plot | None:
    """Return bars per day, week or 30 days, stacked by model; None if there is nothing to draw.

    `measure` returns the height of a bar, `show` formats it.
    """
    names = list(dict.fromkeys(line.key[1] for line in report.by_model))
    drawn = {line.key[1] for line in report.by_model if measure(line.sums)}
    kept = names[:MODELS_SHOWN]  # sorted by tokens, so that a model has the same colour in all plots
    step = step_of(report.period.days)
    title = f"{what} {SPANS[step]}, by model"
    bars = _bars(report, kept, measure, step)
    highest = max((sum(parts.values()) for _, parts in bars), default=0)
    if not highest:
        return None
    legend = [(colour, name or "unknown model") for colour, name in enumerate(kept) if name in drawn]
    if drawn - set(kept):
        legend.append((MODELS_SHOWN, OTHERS))
    return Plot(
        title=title,
        words=f"{title}, {bars[0][0]} to {bars[-1][0]}; at most {show(highest)}.",
        pieces=_pieces(bars, highest, [*kept, OTHERS], show, FROM[step]),
        marks=_marks([day for day, _ in bars]),
        top=show(highest),
        legend=legend,
    )


def step_of(days: int) -> int:
    """Return the number of days per bar, so that there are not too many bars."""
    return 1 if days <= MAX_BARS else 7 if days <= 7 * MAX_BARS else 30


def _bars(
    report: UsageReport, kept: list[str], measure: Measure, step: int
) -> list[tuple[date, dict[str, float]]]:
    """Return (first day, size per model) of each bar."""
    count = (report.period.days + step - 1) // step
    bars: list[tuple[date, dict[str, float]]] = [
        (report.period.first + timedelta(days=step * number), {}) for number in range(count)
    ]
    for (day, model), sums in report.by_day_and_model.items():
        parts = bars[(day - report.period.first).days // step][1]
        name = model if model in kept else OTHERS
        parts[name] = parts.get(name, 0) + measure(sums)
    return bars


def _pieces(
    bars: list[tuple[date, dict[str, float]]], highest: float, names: list[str], show: Show, since: str
) -> list[Piece]:
    pitch = WIDTH / len(bars)
    gap = min(2.0, pitch / 4)
    pieces = []
    for index, (day, parts) in enumerate(bars):
        bottom = float(HEIGHT)
        for colour, name in enumerate(names):
            size = parts.get(name, 0)
            if size:
                height = HEIGHT * size / highest
                bottom -= height
                title = f"{since}{date_format(day, 'j M Y')}: {name or 'unknown model'} {show(size)}"
                x, width = round(index * pitch, 2), round(min(pitch - gap, 40), 2)
                pieces.append(Piece(x, round(bottom, 2), width, round(height, 2), colour, title))
    return pieces


def _marks(days: list[date]) -> list[AxisLabel]:
    """Return at most six date labels."""
    pitch = WIDTH / len(days)
    step = max(1, -(-len(days) // 6))
    return [
        AxisLabel(round(index * pitch, 2), HEIGHT + 16, date_format(days[index], "j M Y"))
        for index in range(0, len(days), step)
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
