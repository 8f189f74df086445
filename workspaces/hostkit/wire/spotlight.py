"""Spotlight: a commit that is shown in a checkout."""

from __future__ import annotations

import sys
from typing import List, Literal, TypedDict

from .base import Json

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired

SpotlightPhase = Literal["off", "working", "shown", "interrupted"]
"""`interrupted`: the process was killed while it replaced files; the next command puts them back first."""


class SpotlightParams(TypedDict):
    path: str
    "The checkout."
    commit: str
    owner: Json
    "What the app wants to know about it later: installation and task."


class SpotlightState(TypedDict):
    phase: SpotlightPhase
    commit: str
    head: str
    "The commit that was checked out."
    owner: Json
    rescue: str
    "The ref that keeps what was not committed."
    since: float
    files: int
    "Number of files that differ because of it."


class SpotlightReturn(TypedDict):
    was_on: bool
    edited: List[str]
    "Files that somebody has changed while they were shown."
    rescue: str
    "The ref that keeps those; empty if there are none."
    left: List[str]
    "Files that stay as they are, because a later commit has them so."


class SpotlightRefusal(TypedDict):
    reason: str
    hint: str
    paths: List[str]


class SpotlightAnswer(TypedDict):
    state: SpotlightState
    covered: NotRequired[List[str]]
    "Files with uncommitted changes that are hidden until it goes back."
    returned: NotRequired[SpotlightReturn]
    refused: NotRequired[SpotlightRefusal]
