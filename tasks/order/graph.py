"""The graph of a workspace's open tasks: who waits for whom, in layers from left to right."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from django.utils.text import Truncator

from tasks.models import Task
from tasks.order.predecessors import Predecessor
from tasks.order.queries import OpenTasks

WIDTH, HEIGHT = 240, 52
GAP_X, GAP_Y, MARGIN = 56, 20, 12
LONGEST = 27
"Characters of a number and a title in a node."

LITTLE, USUAL = 1, 3
"Work that is left of a task that only has to be merged, and of one that an agent has to do."
WORK = {"minimal": 2, "low": 2, "high": 4, "xhigh": 5, "max": 6}
"The same by the effort that an agent is to take."

Edges = Mapping[int, Sequence[int]]


@dataclass(frozen=True)
class Node:
    """A task in the graph. `css` is its state as a class name."""

    number: int
    title: str
    state: str
    css: str
    x: int
    y: int
    is_critical: bool
    is_there: bool
    "False if the task was deleted."
    before: tuple[int, ...]
    "Numbers of the tasks that it comes after."

    @property
    def name(self) -> str:
        return Truncator(f"#{self.number} {self.title}").chars(LONGEST)

    @property
    def text_x(self) -> int:
        return self.x + 14

    @property
    def title_y(self) -> int:
        return self.y + 22

    @property
    def state_y(self) -> int:
        return self.y + 40

    @property
    def label(self) -> str:
        """What a screen reader says: what is seen, and the rest."""
        full = "" if self.title in self.name else f", {self.title}"
        after = f", after {', '.join(f'#{number}' for number in self.before)}" if self.before else ""
        critical = ", on the longest chain" if self.is_critical else ""
        return f"{self.name} {self.state}{full}{after}{critical}"


@dataclass(frozen=True)
class Edge:
    """An arrow from a task to one that comes after it."""

    path: str
    is_critical: bool


@dataclass(frozen=True)
class Graph:
    nodes: list[Node]
    edges: list[Edge]
    width: int
    height: int

    @property
    def chain(self) -> list[Node]:
        """The chain of tasks that are not merged with the most work left, in order."""
        return sorted((node for node in self.nodes if node.is_critical), key=lambda node: node.x)


def graph_of(found: OpenTasks) -> Graph:
    """Return the tasks that come after others or before them, with their places."""
    edges = {pk: [each.number for each in every] for pk, every in found.before.items()}
    layers = layers_of(edges)
    critical = set(longest_chain(edges, {pk: work_left(task) for pk, task in found.tasks.items()}))
    places = _places(layers, edges)
    known = {each.number: each for every in found.before.values() for each in every}
    nodes = {pk: _node(pk, found, known, places[pk], critical, edges) for pk in places}
    ordered = sorted(nodes.values(), key=lambda node: (node.x, node.y))
    arrows = [
        Edge(_path(nodes[before], nodes[pk]), {before, pk} <= critical)
        for pk, every in edges.items()
        for before in every
    ]
    right = max((node.x for node in ordered), default=0) + WIDTH + MARGIN
    bottom = max((node.y for node in ordered), default=0) + HEIGHT + MARGIN
    return Graph(ordered, sorted(arrows, key=lambda edge: edge.is_critical), right, bottom)


def layers_of(edges: Edges) -> dict[int, int]:
    """Return each node's layer: the length of the longest chain before it."""
    layers: dict[int, int] = {}
    for node in TopologicalSorter(edges).static_order():
        layers[node] = max((layers[before] + 1 for before in edges.get(node, ())), default=0)
    return layers


def work_left(task: Task) -> int:
    """Return roughly how much is left to do, for comparing chains: no task says how large it is."""
    return LITTLE if task.status == Task.Status.REVIEW else WORK.get(task.reasoning_effort, USUAL)


def longest_chain(edges: Edges, work: Mapping[int, int]) -> list[int]:
    """Return the nodes of a chain with the most work, the last one first; none without edges.

    A node that is not in `work` counts as little.
    """
    if not edges:
        return []
    until: dict[int, int] = {}
    for node in TopologicalSorter(edges).static_order():
        before = max((until[each] for each in edges.get(node, ())), default=0)
        until[node] = before + work.get(node, LITTLE)
    chain = [min(until, key=lambda node: (-until[node], node))]
    while following := edges.get(chain[-1]):
        chain.append(min(following, key=lambda node: (-until[node], node)))
    return chain


def _places(layers: Mapping[int, int], edges: Edges) -> dict[int, tuple[int, int]]:
    """Return layer and row of each node: near the nodes that it comes after, and no two at one place."""
    by_layer: dict[int, list[int]] = defaultdict(list)
    for node in sorted(layers):
        by_layer[layers[node]].append(node)
    places: dict[int, tuple[int, int]] = {}
    for layer in sorted(by_layer):
        wanted = {node: _middle(places[each][1] for each in edges.get(node, ())) for node in by_layer[layer]}
        row = -1
        for node in sorted(by_layer[layer], key=lambda each: (wanted[each], each)):
            row = max(row + 1, int(wanted[node]))
            places[node] = layer, row
    return places


def _middle(rows: Iterable[int]) -> float:
    found = list(rows)
    return sum(found) / len(found) if found else 0.0


def _node(
    pk: int,
    found: OpenTasks,
    known: Mapping[int, Predecessor],
    place: tuple[int, int],
    critical: set[int],
    edges: Edges,
) -> Node:
    task, before = found.tasks.get(pk), known.get(pk)
    state = task.get_status_display() if task else str(before.progress).capitalize() if before else ""
    return Node(
        number=pk,
        title=task.title if task else before.title if before else "",
        state=state,
        css=task.status if task else "stuck",
        x=MARGIN + place[0] * (WIDTH + GAP_X),
        y=MARGIN + place[1] * (HEIGHT + GAP_Y),
        is_critical=pk in critical,
        is_there=task is not None or (before is not None and not before.is_deleted),
        before=tuple(edges.get(pk, ())),
    )


def _path(left: Node, right: Node) -> str:
    start_x, start_y = left.x + WIDTH, left.y + HEIGHT // 2
    end_x, end_y = right.x - 7, right.y + HEIGHT // 2
    bend = (end_x - start_x) // 2
    return f"M{start_x} {start_y}C{start_x + bend} {start_y} {end_x - bend} {end_y} {end_x} {end_y}"
