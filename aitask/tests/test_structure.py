"""Imports run one way, without circles, a class's name is found once, and no template line is too long."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("aitask", "workspaces", "tasks", "terminal", "usage")
FLOORS = (
    ("tasks.models",),
    (
        *("tasks.access", "tasks.answers", "tasks.badges", "tasks.editing", "tasks.repository"),
        *("tasks.verbs", "tasks.order"),
    ),
    ("tasks.attachments",),
    ("tasks.runs",),
    ("tasks.services",),
    ("tasks.rendering",),
    ("tasks.conversation",),
    ("tasks.worktrees",),
    ("tasks.spotlight",),
    ("tasks.review",),
    ("tasks.trains",),
    ("tasks.search",),
    ("tasks.live",),
    ("tasks.previews",),
    ("tasks.board",),
    ("tasks",),
)
"""The rooms of `tasks`, lowest first: each may import what is below it."""


@cache
def modules() -> dict[str, ast.Module]:
    """What is shipped: all of ours but tests and migrations."""
    files = (file for app in APPS for file in (ROOT / app).rglob("*.py"))
    shipped = (file for file in files if not {"tests", "migrations"} & set(file.parts))
    return {name_of(file): ast.parse(file.read_text()) for file in shipped}


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(nodes: list[ast.stmt]) -> Iterator[str]:
    """The modules of ours that are imported when these statements run; not those for types alone."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            found = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in modules() else node.module for name in found)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Try):
            yield from imported(node.body)


@cache
def floor_of(module: str) -> int:
    rooms = [
        (len(room), floor) for floor, names in enumerate(FLOORS) for room in names if is_in(module, room)
    ]
    return max(rooms)[1]


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def everywhere(tree: ast.Module) -> list[ast.stmt]:
    """Every statement, also those within functions."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def test_no_room_of_tasks_imports_one_above_it() -> None:
    upward = [
        f"{name} imports {other}"
        for name, tree in modules().items()
        for other in imported(everywhere(tree))
        if is_in(name, "tasks") and name != "tasks.apps" and is_in(other, "tasks")
        if floor_of(other) > floor_of(name)
    ]
    assert upward == []


def test_the_ground_imports_only_itself() -> None:
    above = [
        f"{name} imports {other}"
        for name, tree in modules().items()
        for other in imported(everywhere(tree))
        if is_in(name, "aitask.lib") and other.partition(".")[0] in APPS and not is_in(other, "aitask.lib")
    ]
    assert above == []


def test_no_imports_go_in_a_circle() -> None:
    graph = {name: set(imported(tree.body)) - {name} for name, tree in modules().items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_each_class_has_a_name_of_its_own() -> None:
    places = defaultdict(list)
    for name, tree in modules().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name not in ("Command", "Migration", "Meta"):
                places[node.name].append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
    assert Counter(len(found) for found in places.values())[1] > 200


def test_no_line_of_a_template_is_longer_than_120_characters() -> None:
    too_long = [
        f"{file.relative_to(ROOT)}:{number} has {len(line)}"
        for file in sorted((ROOT / "templates").rglob("*.html"))
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > 120
    ]
    assert too_long == []


def test_no_test_waits_for_a_promise_as_if_it_were_a_value() -> None:
    waits = re.compile(r"wait_for_function\(\s*f?[\"']+async\b")
    tests = [file for app in APPS for file in (ROOT / app).rglob("tests/**/*.py")]
    assert [str(file.relative_to(ROOT)) for file in tests if waits.search(file.read_text())] == []
