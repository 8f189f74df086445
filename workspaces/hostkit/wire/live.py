"""What an agent is writing at the moment: messages of the runner's command and of the verb, both `live`."""

from __future__ import annotations

import sys
from typing import Dict, List, Literal, Optional, TypedDict

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired

LIVE_RATE = 1024 * 1024
"""Bytes a second that are told of one run. A person can't read that fast: what is more is merged."""
LiveDetail = Literal["parts", "line"]
"""`parts`: everything that is being written. `line`: only its last line, a few times a second."""


class LivePart(TypedDict):
    """A change of one part. The fields that it does not have are as before."""

    id: str
    kind: str
    "text, thinking, tool (the model writes a tool call) or output (of a tool call that runs)."
    text: NotRequired[str]
    more: NotRequired[bool]
    "Whether `text` is added to the end. If not, it is all that is kept of the part."
    skipped: NotRequired[int]
    "Characters before `text` that are not kept."
    title: NotRequired[str]
    parent: NotRequired[Optional[str]]
    "As in events."
    tool: NotRequired[Optional[str]]
    "The tool call whose input or output it is."
    seq: NotRequired[Optional[int]]
    "The part is complete: the event with this number has it."
    gone: NotRequired[bool]
    "It was removed, and no event has it."


class LiveMessage(TypedDict):
    """One line of the runner. Either `parts` or `line`."""

    parts: NotRequired[List[LivePart]]
    whole: NotRequired[bool]
    "Whether there are no other parts, as in the first message."
    line: NotRequired[str]


class LiveParams(TypedDict):
    runs: Dict[str, LiveDetail]
    "By the folders of the runs."


class LiveChangeParams(TypedDict):
    add: Dict[str, LiveDetail]
    remove: List[str]


class LiveItem(TypedDict):
    """One item of the stream `live` for the run in `dir`."""

    dir: str
    live: NotRequired[LiveMessage]
    lost: NotRequired[bool]
    "The runner does not answer any more. It is tried again."
    ended: NotRequired[bool]
    "The run has ended, or its runner is of a version without this."
