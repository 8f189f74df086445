"""Files that a user has given to an agent, and how they come onto the host."""

from __future__ import annotations

import sys
from typing import List, Literal, TypedDict

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired

AttachmentKind = Literal["picture", "pdf", "text", "file"]


class AttachedFile(TypedDict):
    """A file on the host that belongs to a prompt or a message."""

    id: int
    path: str
    name: str
    "As the user has named it."
    media_type: str
    kind: AttachmentKind
    size: int


class UploadParams(TypedDict):
    """A file of a task. The same parameters are sent with each of the three verbs of an upload."""

    folder: str
    "Name of the task's folder."
    id: int
    name: str
    size: int
    sha256: str


class UploadBegun(TypedDict):
    path: str
    complete: bool
    "Whether the file is there already, with this digest."
    size: int
    "Bytes that an earlier upload has left. The last of them may be missing."


class UploadPart(UploadParams):
    offset: int
    data: str
    "In base64."


class UploadEnded(TypedDict):
    path: str


class LeftFoldersParams(TypedDict):
    names: List[str]
    "Paths relative to the state folder. All that is in them is removed."


class BlankParams(TypedDict):
    folder: str
    "The task's folder with files, relative to the state folder. If it does not exist, nothing is done."
    runs: List[str]
    "The folders of the task's runs, relative to the state folder."


class ShownPicture(TypedDict):
    """A picture that an agent has read or made; a copy is in the folder `pictures` of its run."""

    sha256: str
    media_type: str
    size: int
    name: NotRequired[str]
    "Its path in the worktree, if it is a file that a command has made."
