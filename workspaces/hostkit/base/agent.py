"""What all CLIs have in common in a run: states, requests, messages, tokens and errors, in our own words."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timezone
from typing import Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple, Union, cast

from ..outcome import Outcome
from ..wire import (
    PERMISSION_MODES,
    CommandAnswer,
    Json,
    RequestEvent,
    RunEvent,
    RunSpec,
    UsageEvent,
    UsageTotals,
)

Answer = Callable[[CommandAnswer], None]
OK: CommandAnswer = {"ok": True}


def refusal(why: str) -> CommandAnswer:
    return {"ok": False, "error": why}


def iso(epoch: Optional[float]) -> Optional[str]:
    """A time in seconds since 1970 as text, None as None."""
    if not epoch:
        return None
    return datetime.fromtimestamp(float(epoch), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def code_of_status(status: Optional[int]) -> str:
    """Our error code for an HTTP status; no status at all means that no answer came."""
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
    """What an agent needs around it: a way to its CLI and a place for its events."""

    def send(self, message: Json) -> None:
        """Hand one line to the CLI."""
        raise NotImplementedError

    def emit(self, event: RunEvent) -> None:
        """Record one event; fields that are None are left out."""
        raise NotImplementedError


class PendingMessage:
    """What a person said, until the CLI has taken it."""

    def __init__(self, text: str, by: str, identity: Optional[str] = None) -> None:
        self.identity = identity or str(uuid.uuid4())
        self.text = text
        self.by = by
        self.wire = str(uuid.uuid4())


class RequestDecision(NamedTuple):
    """What the user says to an open request; see the commands approve, deny and answer in wire.py."""

    allow: bool
    text: Optional[str] = None
    scope: Optional[str] = None
    input: Optional[Json] = None
    mode: Optional[str] = None
    answers: Optional[Dict[str, Union[str, List[str]]]] = None
    interrupt: bool = False


class OpenRequest(NamedTuple):
    """A request that waits for the user, and what the CLI's module needs to answer it."""

    event: RequestEvent
    private: Json


class Agent:
    """One CLI in one run, as a state machine that is fed lines: no threads, no waiting, no files."""

    modes: Tuple[str, ...] = PERMISSION_MODES
    """The permission modes that it knows."""
    death_signal = 0
    """Signal that the kernel sends to the CLI when the runner dies; 0 for none."""

    def __init__(self, spec: RunSpec, host: AgentHost) -> None:
        self.spec = spec
        self.host = host
        self.mode: str = spec.get("permission_mode") or "ask"
        self.session: Optional[str] = spec.get("resume")
        self.requests: Dict[str, OpenRequest] = {}
        self.waiting_messages: Dict[str, PendingMessage] = {}
        self.usage: Optional[UsageTotals] = None
        self.thread_total: Optional[Json] = None
        self.outcome: Optional[Outcome] = None
        self.retrying_since: Optional[float] = None
        self.last_retry = Outcome("failed", "connection", "The service does not answer.")
        self._state = ""

    # needed of each CLI

    def command_line(self, program: str) -> List[str]:
        raise NotImplementedError

    def begin(self, prompt: str) -> None:
        """Start the conversation: called once, when the CLI runs."""
        raise NotImplementedError

    def feed(self, line: Json) -> None:
        """Take one line of the CLI."""
        raise NotImplementedError

    @property
    def settled(self) -> bool:
        """True when nothing is running and nothing is queued: the run may end."""
        raise NotImplementedError

    def say(self, message: PendingMessage, when: str, answer: Answer) -> None:
        """Pass on a message of the user: `when` is now or after_turn."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """End the turn that is running; `outcome` tells when it has ended."""
        raise NotImplementedError

    # what a CLI may not be able to do

    def environment(self) -> Mapping[str, str]:
        """Further variables for the CLI."""
        return {}

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        """Send the decision about an open request, and close it: needed of those that open any."""
        raise NotImplementedError

    def withdraw(self, identity: str, answer: Answer) -> None:
        """Take back a message that the CLI has not taken."""
        answer(refusal("the agent has taken this message already"))

    def set_model(self, model: Optional[str], effort: Optional[str], answer: Answer) -> None:
        answer(refusal("this CLI can't change its model in a run"))

    def set_mode(self, mode: str, answer: Answer) -> None:
        answer(refusal("this CLI can't change its permission mode in a run"))

    def take_back(self) -> None:
        """Withdraw what the CLI has not taken: the run is about to end, and nothing more shall begin."""

    def part(self) -> None:
        """Last words before the CLI's input is closed."""

    # in common

    def set_state(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self.host.emit({"kind": "state", "state": state})

    @property
    def state(self) -> str:
        return self._state

    def report_start(self, version: Optional[str], model: Optional[str], effort: Optional[str]) -> None:
        """The CLI has begun or resumed `session`."""
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
            }
        )

    def open_request(self, event: RequestEvent, private: Json) -> None:
        self.requests[event["id"]] = OpenRequest(event, private)
        self.host.emit(event)
        self.set_state("waiting")

    def close_request(self, key: str, decision: str, by: str, text: Optional[str] = None) -> None:
        if self.requests.pop(key, None) is not None:
            self.host.emit(
                {"kind": "request_closed", "id": key, "decision": decision, "by": by, "text": text or None}
            )
            if not self.requests and self.state == "waiting":
                self.set_state("running")

    def taken(self, wire: str) -> None:
        """The CLI has taken a message."""
        message = self.waiting_messages.pop(wire, None)
        if message:
            self.host.emit(
                {"kind": "message", "id": message.identity, "text": message.text, "by": message.by}
            )

    def message_of(self, identity: str) -> Optional[PendingMessage]:
        return next((each for each in self.waiting_messages.values() if each.identity == identity), None)

    def report_usage(self, usage: UsageTotals) -> None:
        if usage != self.usage:
            self.usage = usage
            self.host.emit(cast("UsageEvent", {"kind": "usage", **usage}))

    def progress(self) -> None:
        """Something came through: a retry that was under way has worked."""
        self.retrying_since = None

    def report_retry(self, text: str, code: str, status: Optional[int]) -> None:
        if self.retrying_since is None:
            self.retrying_since = time.monotonic()
        self.last_retry = Outcome("failed", code, text)
        self.host.emit({"kind": "error", "text": text, "code": code, "http_status": status, "retrying": True})

    def report_failure(
        self, text: str, code: str, status: Optional[int] = None, resets_at: Optional[str] = None
    ) -> None:
        """A turn failed for good."""
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
