"""The part of a run that is common to all CLIs: states, requests, messages, tokens and errors."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple, Union, cast

from ..files import make_private_folder
from ..outcome import Outcome
from ..wire import (
    PERMISSION_MODES,
    AttachedFile,
    CommandAnswer,
    Json,
    MessageEvent,
    RequestEvent,
    RunEvent,
    RunSpec,
    ShownPicture,
    UsageEvent,
    UsageTotals,
)
from . import proposals
from .attachments import ids_of
from .background import Background
from .consent import digest_of, same_call
from .modes import PLAN, STRICTEST_AT_WORK
from .partial import OpenParts
from .progress import Progress
from .raw import RawLines
from .submission import recorded_content

MILLISECONDS = 1e11
"""Larger times since 1970 are in milliseconds: in seconds, it would be the year 5138."""
Answer = Callable[[CommandAnswer], None]
OK: CommandAnswer = {"ok": True}
NOTHING_TO_COMPACT = "there is no conversation to compact yet"


def refusal(reason: str) -> CommandAnswer:
    return {"ok": False, "error": reason}


def iso(moment: object) -> Optional[str]:
    """Format a time as ISO 8601; None if there is none, or it is no time.

    It is in seconds since 1970, in milliseconds (services send both), or a text in ISO 8601 already.
    """
    try:
        if isinstance(moment, str) and not moment.isdigit():
            time_of = datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(timezone.utc)
        else:
            seconds = float(moment or 0)  # type: ignore[arg-type]  # what is no number is caught
            time_of = datetime.fromtimestamp(seconds / (1000 if seconds > MILLISECONDS else 1), timezone.utc)
        return time_of.strftime("%Y-%m-%dT%H:%M:%SZ") if time_of.timestamp() > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def code_of_status(status: Optional[int]) -> str:
    """Return our error code for an HTTP status. None means that there was no response."""
    if status is None:
        return "connection"
    if status in (401, 403):
        return "login"
    if status == 429:
        return "limit"
    if status == 404:
        return "model"
    return "rejected" if status < 500 else "server"


class AgentHost:
    """The environment of an agent: sends lines to its CLI and records its events."""

    def send(self, message: Json) -> None:
        """Send one line to the CLI."""
        raise NotImplementedError

    def emit(self, event: RunEvent) -> None:
        """Record one event. Fields that are None are omitted."""
        raise NotImplementedError

    def keep_picture(self, content: bytes) -> Optional[ShownPicture]:
        """Keep a picture that the agent has read or made. Return None if it is none, or not kept."""
        return None


class PendingMessage:
    """A message of the user that the CLI has not taken yet. `wire` is its id in the CLI's protocol."""

    def __init__(
        self, text: str, by: str, identity: Optional[str] = None, files: Sequence[AttachedFile] = ()
    ) -> None:
        self.identity = identity or str(uuid.uuid4())
        self.text = text
        self.files = files
        self.by = by
        self.wire = str(uuid.uuid4())


class RequestDecision(NamedTuple):
    """The user's decision about an open request: see approve, deny, answer and submit in wire/commands.py."""

    allow: bool
    text: Optional[str] = None
    scope: Optional[str] = None
    input: Optional[Json] = None
    mode: Optional[str] = None
    grant: Optional[str] = None
    answers: Optional[Dict[str, Union[str, List[str]]]] = None
    content: Optional[Json] = None
    interrupt: bool = False
    cancel: bool = False


class OpenRequest(NamedTuple):
    """A request that waits for the user. `private` is what the CLI's module needs to answer it."""

    event: RequestEvent
    private: Json


class Agent:
    """One CLI in one run, as a state machine that is fed with lines. It has no threads.

    It does no I/O, except that it reads the files that a user has attached to a message.
    """

    modes: Tuple[str, ...] = tuple(mode for mode in PERMISSION_MODES if mode != PLAN)
    """The permission modes that the CLI supports. `plan` only if nothing at all is written without asking."""
    death_signal = 0
    """Signal that the kernel sends to the CLI when the runner dies; 0 for none."""

    def __init__(self, spec: RunSpec, host: AgentHost) -> None:
        self.spec = spec
        self.host = host
        self.mode: str = spec.get("permission_mode") or "ask"
        self.is_plan = spec.get("kind") == "plan"
        self.fork = spec.get("fork")
        self.session: Optional[str] = None if self.fork else spec.get("resume")
        self.background = Background(host.emit)
        self.steps = Progress(host.emit, spec.get("progress") or [])
        self.raw = RawLines(host.emit)
        self.requests: Dict[str, OpenRequest] = {}
        self.allowed_calls: Set[str] = set()
        self.waiting_messages: Dict[str, PendingMessage] = {}
        self.usage: Optional[UsageTotals] = None
        self.thread_total: Optional[Json] = None
        self.outcome: Optional[Outcome] = None
        self.retrying_since: Optional[float] = None
        self.last_retry = Outcome("failed", "connection", "The service does not answer.")
        self._state = ""
        self.parts = OpenParts()

    # required for each CLI

    def command_line(self, program: str) -> List[str]:
        raise NotImplementedError

    def begin(self, prompt: str) -> None:
        """Start the conversation. Called once, after the CLI has started."""
        raise NotImplementedError

    def feed(self, line: Json) -> None:
        """Process one line of the CLI's output."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """Whether the run may end: nothing is running or queued."""
        raise NotImplementedError

    def say(self, message: PendingMessage, when: str, answer: Answer) -> None:
        """Send a message of the user to the CLI. `when` is `now` or `after_turn`."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """Interrupt the current turn. `outcome` is set when it has ended."""
        raise NotImplementedError

    # optional

    def environment(self) -> Mapping[str, str]:
        """Return additional environment variables for the CLI."""
        return {}

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        """Send the decision about an open request, and close it. Required for CLIs that open requests."""
        raise NotImplementedError

    def allow(self, key: str, private: Json) -> None:
        """Tell the CLI that a request is allowed, once. Required for CLIs that open approvals."""
        raise NotImplementedError

    def withdraw(self, identity: str, answer: Answer) -> None:
        """Withdraw a message that the CLI has not taken."""
        answer(refusal("the agent has already taken this message"))

    def set_model(self, model: Optional[str], effort: Optional[str], answer: Answer) -> None:
        answer(refusal("this CLI can't change its model in a run"))

    def set_mode(self, mode: str, answer: Answer) -> None:
        answer(refusal("this CLI can't change its permission mode in a run"))

    def withdraw_all(self) -> None:
        """Withdraw all messages that the CLI has not taken, so that no turn starts before the run ends."""

    def compact(self, answer: Answer) -> None:
        """Let the CLI replace the conversation by a summary when the current turn has ended."""
        answer(refusal("this CLI can't compact a conversation"))

    def stop_background(self, key: str, answer: Answer) -> None:
        """End one command or sub-agent that runs in the background."""
        answer(refusal("this CLI can't stop it"))

    def background_commands(self) -> List[str]:
        """Return the commands that run in the background, in a few words each. They end with the run."""
        return [work["title"] for work in self.background.running("command")]

    def is_partial(self, line: Json) -> bool:
        """Whether a line, in either direction, only repeats a part of another one, and is not recorded."""
        return False

    def ask_output(self) -> None:
        """Ask the CLI for the output of commands that run. Called often while somebody watches the run."""

    def stop_background_work(self) -> None:
        """Stop what the CLI runs in the background. Called before its input is closed."""

    # common to all CLIs

    def prompt_message(self, prompt: str) -> PendingMessage:
        """Return the run's prompt as the first message, with the files that belong to it."""
        return PendingMessage(prompt, "prompt", "prompt", self.spec.get("attachments") or ())

    def temporary_folder(self) -> Optional[str]:
        """Make the run's private folder for what the CLI keeps for a while; None if the run has none."""
        folder = self.spec.get("temporary")
        if folder:
            make_private_folder(Path(folder))
        return folder

    def set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.host.emit({"kind": "state", "state": state})

    @property
    def state(self) -> str:
        return self._state

    def report_start(self, version: Optional[str], model: Optional[str], effort: Optional[str]) -> None:
        """Record that the CLI has started or resumed `session`."""
        self.host.emit(
            {
                "kind": "started",
                "backend": self.spec["backend"],
                "cli_version": version,
                "cli_session": self.session,
                "model": model,
                "reasoning_effort": effort,
                "permission_mode": self.mode,
                "resumed": bool(self.spec.get("resume")),
                "forked_from": self.spec.get("resume") if self.fork else None,
            }
        )

    def open_request(self, event: RequestEvent, private: Json) -> None:
        """Ask the user, unless this very call was allowed for the run."""
        if event["request_kind"] == "approval" and _call_of(event) in self.allowed_calls:
            text = f"Allowed by your rule for this run: {event['tool']}: {event['title']}"
            self.host.emit({"kind": "notice", "text": text})
            self.allow(event["id"], private)
            return
        event["digest"] = digest_of(event)
        self.requests[event["id"]] = OpenRequest(event, private)
        self.host.emit(event)
        if self.is_plan:  # nobody is asked: it only reads
            self.decide(event["id"], RequestDecision(False), "mode")
        else:
            self.set_state("waiting")

    def allow_call(self, key: str) -> None:
        """Remember that the call of an open request is allowed for the run.

        The CLIs are not asked to: their own rules cover more, such as each command with the same beginning.
        """
        self.allowed_calls |= {_call_of(self.requests[key].event)} - {""}

    def mode_after(self, event: RequestEvent) -> Optional[str]:
        """Return the mode that approving this request leads to if the user picks none; None: it stays."""
        if event["request_kind"] != "plan":
            return None
        return self.mode if self.mode != PLAN else self.spec.get("mode_after_plan") or STRICTEST_AT_WORK

    def close_request(
        self, key: str, decision: str, by: str, text: Optional[str] = None, facts: Optional[Json] = None
    ) -> None:
        """Record that a request is closed. `facts` are further fields of the event."""
        request = self.requests.pop(key, None)
        if request is not None:
            closed: Json = {"kind": "request_closed", "id": key, "decision": decision, "by": by}
            if request.event["request_kind"] == "plan":
                closed["request_kind"] = "plan"
            if text:
                closed["text"] = text
            self.host.emit(cast("RunEvent", {**closed, **(facts or {})}))
            if not self.requests and self.state == "waiting":
                self.set_state("running")

    def close_other(self, key: str, decision: RequestDecision, by: str) -> None:
        """Close a request that is no approval, question or plan, and record what was answered."""
        request = self.requests[key].event
        word = "cancel" if decision.cancel else "deny"
        if decision.allow:
            word = "submit" if decision.content is not None else "allow"
        content = recorded_content(request, decision.content)
        facts = {} if content is None else {"content": content}
        self.close_request(key, word, by, decision.text, facts)

    def taken(self, wire: str, anchor: Optional[str] = None) -> None:
        """Record that the CLI has taken a message. `wire` is its id in the CLI's protocol."""
        message = self.waiting_messages.pop(wire, None)
        if message:
            event: MessageEvent = {
                "kind": "message",
                "id": message.identity,
                "text": message.text,
                "by": message.by,
            }
            if message.files:
                event["attachments"] = ids_of(message.files)
            if anchor:
                event["anchor"] = anchor
            self.host.emit(event)

    def return_message(self, wire: str, reason: str) -> None:
        """Record that the CLI will not take a message that it has accepted."""
        message = self.waiting_messages.pop(wire, None)
        if message:
            identity, text = message.identity, message.text
            self.host.emit({"kind": "message_returned", "id": identity, "text": text, "reason": reason})

    def move_session(self, session: object) -> None:
        """Record that the conversation goes on in another session of the CLI."""
        if isinstance(session, str) and session and session != self.session:
            self.session = session
            self.host.emit({"kind": "session", "cli_session": session})

    def conclude(self) -> None:
        """Report what is still open when the run ends."""
        self.background.end_all()
        self.raw.flush()

    def message_of(self, identity: str) -> Optional[PendingMessage]:
        return next((each for each in self.waiting_messages.values() if each.identity == identity), None)

    def report_usage(self, usage: UsageTotals) -> None:
        if usage != self.usage:
            self.usage = usage
            self.host.emit(cast("UsageEvent", {"kind": "usage", **usage}))

    def progress(self) -> None:
        """Note output of the model: retries, if any, have succeeded."""
        self.retrying_since = None

    def report_answer(self, value: object, text: str) -> None:
        """Record the answer of a plan run: what the CLI gives as an object, else its text."""
        reading = proposals.read_text(text) if value is None else proposals.read(value)
        if reading.problem:
            self.report_failure(f"{reading.problem} {proposals.ASK_AGAIN}", proposals.CODE)
            return
        self.host.emit({"kind": "proposals", "items": reading.items, "notes": reading.notes})
        self.outcome = Outcome("succeeded")

    def report_retry(self, text: str, code: str, status: Optional[int]) -> None:
        if self.retrying_since is None:
            self.retrying_since = time.monotonic()
        self.last_retry = Outcome("failed", code, text)
        self.host.emit({"kind": "error", "text": text, "code": code, "http_status": status, "retrying": True})

    def report_failure(
        self, text: str, code: str, status: Optional[int] = None, resets_at: Optional[str] = None
    ) -> None:
        """Record that a turn has failed, and will not be retried."""
        self.outcome = Outcome("failed", code, text, resets_at)
        self.host.emit(
            {
                "kind": "error",
                "text": text,
                "code": code,
                "http_status": status,
                "retrying": False,
                "resets_at": resets_at,
            }
        )


def _call_of(event: RequestEvent) -> str:
    return same_call(event["tool"], event.get("input"), event.get("cwd"))
