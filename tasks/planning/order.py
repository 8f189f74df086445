"""The order of tasks that are not created yet: each names the places of those that it comes after."""

from __future__ import annotations

from collections.abc import Sequence

MOST_PLANNED = 200
"Maximum number of tasks that are created at once."


def makes_circle(after: Sequence[Sequence[int]], place: int, target: int) -> bool:
    """Return whether `target` comes after `place` already, or is the same."""
    seen, waiting = set(), [target]
    while waiting:
        current = waiting.pop()
        if current == place:
            return True
        if current not in seen:
            seen.add(current)
            waiting += after[current]
    return False


def circle_in(after: Sequence[Sequence[int]]) -> list[int]:
    """Return the places of a circle, each after the next one; empty if there is none."""
    state = [0] * len(after)  # 1: on the path, 2: in no circle
    for start in range(len(after)):
        path: list[int] = []
        stack = [(start, iter(after[start]))] if not state[start] else []
        while stack:
            place, rest = stack[-1]
            if not state[place]:
                state[place] = 1
                path.append(place)
            following = next(rest, None)
            if following is None:
                state[place] = 2
                path.pop()
                stack.pop()
            elif state[following] == 1:
                return path[path.index(following) :]
            elif not state[following]:
                stack.append((following, iter(after[following])))
    return []
