"""Tasks that an agent proposes in a plan run."""

from __future__ import annotations

from typing import List, TypedDict


class ProposedTask(TypedDict):
    """A task that does not exist yet."""

    title: str
    prompt: str
    after: List[int]
    "Indexes of others in the list, from 0, that it comes after."
    touches: List[str]
    "Files and folders that it will most likely change."
    check: str
    "How to see that it is done."
    size: str
    "S, M or L; or in other words of the agent."
