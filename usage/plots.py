"""Plots as plain SVG figures that the template draws: stacked bars, one per day or week, or one per task."""

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
SPANS = {1: "a day", 7: "a week", 30: "in 30 days"}
FROM = {1: "", 7: "Week from ", 30: "30 days from "}


@dataclass(frozen=True)
class Piece:
    """A part of a bar, in the units of the picture."""

    x: float
    y: float
    width: float
    height: float
    colour: int
    title: str


@dataclass(frozen=True)
class AxisLabel:
    """A word on an axis."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Plot:
    """One picture with its legend and words for who does not see it."""

    title: str
    words: str
    pieces: list[Piece]
    marks: list[AxisLabel]
    top: str
    legend: list[tuple[int, str]]

    width = WIDTH
    height = HEIGHT

    @property
    def rects(self) -> SafeString:
        """The pieces as SVG, several times faster than by a template."""
        shape = '<rect class="s{}" x="{}" y="{}" width="{}" height="{}"><title>{}</title></rect>'
        parts = ((p.colour, p.x, p.y, p.width, p.height, p.title) for p in self.pieces)
        return format_html_join("", shape, parts)


Measure = Callable[[Sums], float]
Show = Callable[[float], str]


def by_model(report: UsageReport, what: str, measure: Measure, show: Show) -> Plot | None:
    """Bars of each day, week or 30 days, parted by model; None when there is nothing to draw."""
    names = list(dict.fromkeys(line.key[1] for line in report.by_model))
    drawn = {line.key[1] for line in report.by_model if measure(line.sums)}
    kept = names[:MODELS_SHOWN]  # by tokens, so that a model has one colour in all plots
    step = step_of(report.period.days)
    title = f"{what} {SPANS[step]}, by model"
    bars = _bars(report, kept, measure, step)
    highest = max((sum(parts.values()) for _, parts in bars), default=0)
    if not highest:
        return None
    legend = [(colour, name or "model not named") for colour, name in enumerate(kept) if name in drawn]
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
    """How many days a bar stands for: they are put together when there are too many for the picture."""
    return 1 if days <= MAX_BARS else 7 if days <= 7 * MAX_BARS else 30


def _bars(
    report: UsageReport, kept: list[str], measure: Measure, step: int
) -> list[tuple[date, dict[str, float]]]:
    """(first day, size per model)."""
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
    for place, (day, parts) in enumerate(bars):
        bottom = float(HEIGHT)
        for colour, name in enumerate(names):
            size = parts.get(name, 0)
            if size:
                height = HEIGHT * size / highest
                bottom -= height
                title = f"{since}{date_format(day, 'j M Y')}: {name or 'model not named'} {show(size)}"
                x, width = round(place * pitch, 2), round(min(pitch - gap, 40), 2)
                pieces.append(Piece(x, round(bottom, 2), width, round(height, 2), colour, title))
    return pieces


def _marks(days: list[date]) -> list[AxisLabel]:
    """At most six dates below the bars."""
    pitch = WIDTH / len(days)
    step = max(1, -(-len(days) // 6))
    return [
        AxisLabel(round(place * pitch, 2), HEIGHT + 16, date_format(days[place], "j M Y"))
        for place in range(0, len(days), step)
    ]


@dataclass(frozen=True)
class TaskBar:
    """What one task cost; the parts of its bar in percent of the costliest task."""

    line: ReportRow
    reported: float
    estimated: float


def by_task(lines: list[ReportRow]) -> list[TaskBar]:
    """A bar for each task whose cost is known."""
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
