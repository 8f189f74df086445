"""Verbs of `serve` about git: its commands, trusted folders, and what has changed in a repository."""

from __future__ import annotations

import sys
from typing import Dict, List, Optional, TypedDict

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


class GitParams(TypedDict):
    """A git command of the app's own. The other fields are those of `exec`."""

    path: str
    "The worktree or repository, or a folder in it."
    args: List[str]
    hooks: NotRequired[bool]
    "Whether trusted hooks run, and drivers whose program lies in the worktree; default false."
    prefix: NotRequired[List[str]]
    "A command that runs git, with its arguments."
    env: NotRequired[Dict[str, str]]
    stdin: NotRequired[str]
    timeout: NotRequired[float]
    max_output: NotRequired[int]
    stdout_path: NotRequired[str]
    binary: NotRequired[bool]


class PlaceParams(TypedDict):
    """A worktree and its git folders, as absolute paths."""

    path: str
    git_dir: str
    common_dir: str
    "The git folder that all worktrees of the repository share."


class GitPlace(TypedDict):
    """The worktree that contains a path; empty texts if there is none."""

    top: str
    "Its top folder; empty for a repository without a worktree."
    git_dir: str
    common_dir: str
    main: str
    "The main worktree of the repository; the git folder if it is bare."
    trusted: str
    "The trusted folder, which git takes for the main worktree."


class ChangedSetting(TypedDict):
    """A key of a repository's configuration, with its trusted and its present values."""

    key: str
    trusted: List[str]
    present: List[str]


class ChangedHook(TypedDict):
    """A hook that is new, changed or removed, with the first 256 KiB of both versions."""

    name: str
    trusted: Optional[str]
    present: Optional[str]


class GitChanges(TypedDict):
    """What a repository's configuration and hooks have that is not trusted."""

    settings: List[ChangedSetting]
    hooks: List[ChangedHook]
    digest: str
    "Identifies the present state."
    declined: bool
    "Whether a person has decided not to use it."


class AgentSettingsFile(TypedDict):
    """The start of a file, or what a link points to."""

    name: str
    data: str
    size: int


class AgentSettings(TypedDict):
    """Settings in a worktree by which agent CLIs run programs or allow tools without asking."""

    files: List[AgentSettingsFile]
    digest: str
    "Of their names and content; empty if there are none."


class DecideChangesParams(TypedDict):
    path: str
    digest: str
    use: bool
    "Whether the app's git uses the present state from now on."
