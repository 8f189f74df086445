"""Verbs of `serve` about the folders of runs: preparing, asking, cancelling and following them."""

from __future__ import annotations

import sys
from typing import Dict, List, Optional, TypedDict, Union

from .base import Json
from .commands import RunCommand
from .runs import CheckSpec, RunSpec

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


class DirParams(TypedDict):
    dir: str
    "Folder of a run or of a check."


class PrepareParams(DirParams):
    spec: Union[RunSpec, CheckSpec]
    prompt: str


class Prepared(TypedDict):
    started: NotRequired[bool]
    "True: the run was started before, and nothing was written."


class ForgottenRunsParams(TypedDict):
    installation: str
    known: List[str]
    "Marks of the runs that the database knows."


class ForgottenRun(TypedDict):
    """A run that the database does not know."""

    dir: str
    spec: Json
    "Its `RunSpec` without variables. An agent could have written it."
    prompt: str


class ForgottenRuns(TypedDict):
    runs: List[ForgottenRun]
    more: bool
    "Whether there are more."


class RunState(TypedDict):
    exists: bool
    started: bool
    "A guard has claimed the folder."
    alive: bool
    finished: bool
    outcome: Optional[Json]
    "Content of outcome.json."
    last_seq: int


class ControlParams(DirParams):
    command: Union[RunCommand, Json]


class CancelParams(DirParams):
    reason: NotRequired[str]
    patience: NotRequired[float]
    "Seconds to wait for the end; default: until there is one."


class CancelledRun(TypedDict):
    outcome: Optional[Json]
    "None if the run has not started, or is still ending."
    ending: bool
    "Whether it is still ending. The same request asks again, and goes on where this one has stopped."


class TailParams(TypedDict):
    runs: Dict[str, int]
    "Folders, each with the offset in its events.jsonl to start from."


class TailChangeParams(TypedDict):
    add: Dict[str, int]
    remove: List[str]


class TailItem(TypedDict):
    """One item of the stream `tail` for the run in `dir`: `lines`, or one of the last three fields."""

    dir: str
    lines: NotRequired[List[object]]
    "Events from byte `start` to byte `offset` of the file."
    start: NotRequired[int]
    offset: NotRequired[int]
    outcome: NotRequired[Json]
    gone: NotRequired[str]
    "The guard died without an outcome."
    missing: NotRequired[bool]
    "The folder does not exist."
