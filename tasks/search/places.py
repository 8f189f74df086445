"""What the id of an entry says: where its text comes from.

An event has up to `SLOTS` texts. Their ids are made of the event's, so indexing it again changes nothing, and
the newest ones have the largest ids. Texts that belong to no event have negative ids, made of their task's;
those of its diff are below all others.
"""

from __future__ import annotations

SLOTS = 4
OWN = 1024
"Texts of a task that belong to no event: its title, its prompt, and parts of its saved terminal."
TITLE, PROMPT, FIRST_TERMINAL = 0, 1, 2
MOST_TERMINAL = OWN - FIRST_TERMINAL
WORK = 1 << 52
"What is subtracted from the ids of parts of a task's diff, so that these are apart from its other texts."


def of_event(event: int, slot: int) -> int:
    return event * SLOTS + slot


def of_task(task: int, part: int) -> int:
    return -(task * OWN + part)


def of_work(task: int, part: int) -> int:
    return of_task(task, part) - WORK


def event_and_slot(entry: int) -> tuple[int, int]:
    return divmod(entry, SLOTS)


def is_of_event(entry: int) -> bool:
    return entry > 0


def is_of_work(entry: int) -> bool:
    return entry < -WORK
