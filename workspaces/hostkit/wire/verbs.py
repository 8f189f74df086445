"""Verbs of `serve` about programs, the host, and what tmux and shells have printed."""

from __future__ import annotations

import sys
from typing import Dict, List, Optional, TypedDict

from .clis import EnvironmentParams

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


class NoParams(TypedDict):
    """A verb without parameters."""


class ExecParams(TypedDict):
    argv: List[str]
    cwd: NotRequired[str]
    env: NotRequired[Dict[str, str]]
    stdin: NotRequired[str]
    timeout: NotRequired[float]
    "Seconds; default 30."
    max_output: NotRequired[int]
    "Limit for each of stdout and stderr in bytes; default 4 MiB."
    stdout_path: NotRequired[str]
    "File to write the standard output to."
    binary: NotRequired[bool]
    "Whether `out` is answered in base64: bytes that are no text need far less room then."


class Executed(TypedDict):
    rc: int
    out: str
    err: str
    truncated: bool


class DoctorParams(EnvironmentParams):
    repo_path: str


class ProgramFound(TypedDict):
    path: Optional[str]
    version: Optional[str]


class DiskSpace(TypedDict):
    path: str
    free_bytes: int
    total_bytes: int


class SshdFacts(TypedDict):
    max_sessions: Optional[int]
    "None if it is not set or can't be read."


class HostFacts(TypedDict):
    python: str
    git: ProgramFound
    tmux: ProgramFound
    disk: DiskSpace
    time: float
    sshd: SshdFacts
    shell: str
    path: str
    user: str
    uid: int
    ends_with_login: bool
    "Whether the system ends all programs of this user at the last log-out."


class ScrollbackParams(TypedDict):
    folders: List[str]
    limit: int
    "Bytes. 0: list the records without their text."


class ScrollbackPart(TypedDict):
    folder: str
    name: str
    mtime: float
    data: str


class Scrollback(TypedDict):
    parts: List[ScrollbackPart]
    "Newest first."


class RecoveredTmux(TypedDict):
    recovered: bool
    "Whether a running tmux server of the app had lost its socket, and has it again."


class FolderParams(TypedDict):
    folder: str


class FoldedScrollback(TypedDict):
    shown: int
    "Size of the text that the next shell prints above its prompt, in bytes."
