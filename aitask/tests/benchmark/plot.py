"""Draws each figure of the kept runs over time, as one SVG with a small chart for each row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from aitask.tests.lab.tools import PROJECT

KEPT = PROJECT / "docs" / "benchmark"
"Kept runs: one JSON file each, named by version and date."
WIDTH, HEIGHT, COLUMNS = 300, 110, 3
TOP, BOTTOM, SIDE = 34, 24, 12
"Space for the title, the names of the runs, and at both sides."

Chart = tuple[dict[str, Any], dict[str, float]]
"The newest row, and its figure in each run that has it."


def draw(folder: Path = KEPT) -> Path:
    """Write `figures.svg` beside the kept runs; return its path. Raises FileNotFoundError without any."""
    runs = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    if not runs:
        raise FileNotFoundError(f"There is no kept run in {folder}.")
    charts: dict[tuple[str, str], Chart] = {}
    for name, rows in runs.items():
        for row in rows:
            earlier = charts.get((row["part"], row["what"]), (row, {}))[1]
            charts[row["part"], row["what"]] = row, {**earlier, name: measured(row)}
    lines = -(-len(charts) // COLUMNS)
    size = f'width="{WIDTH * COLUMNS}" height="{HEIGHT * lines}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="white"/>',
        *(one(chart, place % COLUMNS, place // COLUMNS) for place, chart in enumerate(charts.values())),
        "</svg>",
    ]
    target = folder / "figures.svg"
    target.write_text("\n".join(parts) + "\n")
    return target


def measured(row: dict[str, Any]) -> float:
    """Return what the goal is about: the ratio to the floor if there is one."""
    return float(row["figure"] if row["ratio"] is None else row["ratio"])


def one(chart: Chart, column: int, line: int) -> str:
    """Return the chart of one row: its figures as a line with dots, and its goal as a dashed line."""
    row, figures = chart
    goal = row["most"] if row["most"] is not None else row["at_least"]
    top = max([*figures.values(), goal or 0]) * 1.15 or 1
    places = [SIDE + (WIDTH - 2 * SIDE) * (n + 0.5) / len(figures) for n in range(len(figures))]
    heights = [y_of(value, top) for value in figures.values()]
    unit = "×" if row["ratio"] is not None else row["unit"]
    title = escape(f"{row['part']}: {row['what']}"[:52])
    parts = [
        f'<g transform="translate({column * WIDTH},{line * HEIGHT})">',
        f'<text x="{SIDE}" y="16" font-weight="bold">{title}</text>',
        *([] if goal is None else [goal_line(goal, top)]),
        f'<polyline fill="none" stroke="#1f5fbf" points="{points(places, heights)}"/>',
    ]
    for (name, value), x, y in zip(figures.items(), places, heights, strict=True):
        parts += [
            f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="#1f5fbf"/>',
            f'<text x="{x + 5:.0f}" y="{y - 5:.0f}">{value:.3g} {escape(unit)}</text>',
            f'<text x="{x:.0f}" y="{HEIGHT - 8}" text-anchor="middle" fill="#666">{escape(name)}</text>',
        ]
    return "\n".join([*parts, "</g>"])


def y_of(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def points(places: list[float], heights: list[float]) -> str:
    return " ".join(f"{x:.0f},{y:.0f}" for x, y in zip(places, heights, strict=True))


def goal_line(goal: float, top: float) -> str:
    y = y_of(goal, top)
    end = WIDTH - SIDE
    return (
        f'<line x1="{SIDE}" x2="{end}" y1="{y:.0f}" y2="{y:.0f}" stroke="#2c7a3f" stroke-dasharray="4 3"/>'
        f'<text x="{end}" y="{y - 3:.0f}" text-anchor="end" fill="#2c7a3f">goal {goal:g}</text>'
    )
