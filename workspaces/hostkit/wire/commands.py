"""Commands to the runner of a live run, through the verb `control` or from the pane's keyboard."""

from __future__ import annotations

import sys
from typing import Dict, List, Literal, Optional, TypedDict, Union

from .attachments import AttachedFile
from .base import Json
from .events import RequestEvent
from .live import LiveDetail

if sys.version_info >= (3, 11):  # annotations are never evaluated in earlier versions
    from typing import NotRequired


class CommandHead(TypedDict):
    id: NotRequired[str]
    "A command that is repeated with the same id is executed once."
    by: NotRequired[str]


class MessageCommand(CommandHead):
    command: Literal["message"]
    text: str
    when: NotRequired[str]
    "now: as soon as the CLI accepts it; after_turn: in a separate turn."
    attachments: NotRequired[List[AttachedFile]]
    "Files on the host. With some, the text may be empty."


class WithdrawCommand(TypedDict):
    """Withdraw a message that the agent has not taken."""

    command: Literal["withdraw"]
    id: str
    "Id of the message."


class InterruptCommand(CommandHead):
    command: Literal["interrupt"]


class ApproveCommand(CommandHead):
    command: Literal["approve"]
    request: str
    scope: NotRequired[Optional[str]]
    "`run`: do not ask for this very call again in this run."
    grant: NotRequired[Optional[str]]
    "Id of one of the request's grants, which the CLI gets for the rest of the run."
    digest: NotRequired[Optional[str]]
    "Digest of the request that was shown. The command is refused if it is not the request's."
    input: NotRequired[Optional[Json]]
    "Replaces the tool's input. Of a plan, only the text can be replaced: `plan`."
    mode: NotRequired[Optional[str]]
    "The permission mode from now on. A plan that is approved without one: see `mode_after_plan`."


class DenyCommand(CommandHead):
    command: Literal["deny"]
    request: str
    text: NotRequired[Optional[str]]
    interrupt: NotRequired[Optional[bool]]
    "Also end the turn."
    cancel: NotRequired[Optional[bool]]
    "Close a form or a link without saying no to it."


class AnswerCommand(CommandHead):
    command: Literal["answer"]
    request: str
    answers: Dict[str, Union[str, List[str]]]
    "By question id."


class SubmitCommand(CommandHead):
    """Fill in a form, or answer a request that hostkit does not know with a raw answer."""

    command: Literal["submit"]
    request: str
    content: Json
    digest: NotRequired[Optional[str]]
    "As in `approve`."


class SetModelCommand(CommandHead):
    command: Literal["set_model"]
    model: NotRequired[Optional[str]]
    reasoning_effort: NotRequired[Optional[str]]


class SetModeCommand(CommandHead):
    command: Literal["set_mode"]
    permission_mode: str


class CompactCommand(CommandHead):
    """Replace the conversation by a summary when the current turn has ended."""

    command: Literal["compact"]


class StopBackgroundCommand(CommandHead):
    """End a command or a sub-agent that runs in the background."""

    command: Literal["stop_background"]
    work: str
    "Its id in the `background` events."


class StopCommand(CommandHead):
    """End the run."""

    command: Literal["stop"]
    reason: NotRequired[str]


class StatusCommand(CommandHead):
    command: Literal["status"]


class KeyboardCommand(CommandHead):
    """A line that was typed in the window that has joined the run."""

    command: Literal["keyboard"]
    line: str


class WindowCommand(CommandHead):
    """A person has closed the run's window, or its tmux server has ended."""

    command: Literal["hang_up", "window_lost"]


class LiveCommand(TypedDict):
    """Turns the connection into a stream of `LiveMessage`s."""

    command: Literal["live"]
    detail: LiveDetail


RunCommand = Union[
    MessageCommand,
    WithdrawCommand,
    InterruptCommand,
    ApproveCommand,
    DenyCommand,
    AnswerCommand,
    SubmitCommand,
    SetModelCommand,
    SetModeCommand,
    CompactCommand,
    StopBackgroundCommand,
    StopCommand,
    StatusCommand,
    KeyboardCommand,
    WindowCommand,
    LiveCommand,
]


class CommandAnswer(TypedDict):
    """The runner's answer to a command."""

    ok: bool
    error: NotRequired[str]
    later: NotRequired[bool]
    "Refused only for now: the command can be sent again later."
    id: NotRequired[str]
    "Id of an accepted message."


class RunStatus(CommandAnswer):
    """The runner's answer to `status`."""

    state: str
    cli_session: Optional[str]
    permission_mode: str
    requests: List[RequestEvent]
    last_seq: int
    pid: Optional[int]
