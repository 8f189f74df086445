"""Controls Codex through `codex app-server`."""

from __future__ import annotations

from typing import Callable, Dict, List, Mapping, Optional

from ...base.agent import (
    NOTHING_TO_COMPACT,
    OK,
    Agent,
    AgentHost,
    Answer,
    PendingMessage,
    RequestDecision,
    refusal,
)
from ...base.modes import PLAN
from ...outcome import Outcome
from ...wire import PERMISSION_MODES, Json, RunSpec
from . import starting
from .attached import input_of
from .background import CodexWorks
from .calls import CodexCalls
from .compaction import CodexCompaction
from .decisions import CodexDecisions
from .events import CodexTranslator, failure_of
from .failures import CodexFailures
from .items import CodexItems
from .live import CodexLive, is_partial
from .notices import review_handlers
from .notifications import IGNORED, SessionLines
from .plan import CodexPlans
from .protocol import CLIENT, native_program
from .usage import CodexLedger

STARTING = "starting"
"""Placeholder for the id of a requested turn."""


class Codex(Agent):
    modes = PERMISSION_MODES

    def __init__(self, spec: RunSpec, host: AgentHost) -> None:
        super().__init__(spec, host)
        self.ledger = CodexLedger(spec.get("thread_total"))
        self.plans = CodexPlans(self)
        self.translator = CodexTranslator(spec.get("worktree") or "", host.emit)
        self.translator.keep_picture = host.keep_picture
        self.model: Optional[str] = spec.get("model")
        self.effort: Optional[str] = spec.get("reasoning_effort")
        self._calls = CodexCalls(host)
        self._asked = CodexDecisions(self, self._calls)
        self._turn: Optional[str] = None
        self._opening = ""
        self._queue: List[PendingMessage] = []
        self._busy_threads: Dict[str, bool] = {}
        self._leaving = False
        self._works = CodexWorks(self.background)
        self._compaction = CodexCompaction(host.emit)
        self._items = CodexItems(self, self._works, self._compaction)
        self.live = CodexLive(self.parts, self._items.parent)
        self._other_turns: Dict[str, str] = {}
        self._failures = CodexFailures(self)
        self._default_effort: Optional[str] = None
        self._version = ""
        self._handlers: Dict[str, Callable[[Json], None]] = {
            "thread/status/changed": self._on_status,
            "turn/started": self._on_turn_started,
            "turn/completed": self._on_turn_completed,
            "item/started": self._items.started,
            "item/completed": self._items.completed,
            "thread/tokenUsage/updated": self._on_usage,
            "thread/reverted": self._on_revert,
            "account/rateLimits/updated": self._failures.note_limits,
            "serverRequest/resolved": lambda params: self.close_request(
                str(params["requestId"]), "withdrawn", "agent"
            ),
            "error": self._failures.note_error,
            "warning": self._on_warning,
            **SessionLines(self).handlers,
            **review_handlers(host.emit),
        }

    def command_line(self, program: str) -> List[str]:
        return [native_program(program), "app-server"]

    def environment(self) -> Mapping[str, str]:
        folder = self.temporary_folder()
        return {"TMPDIR": folder} if folder else {}

    def begin(self, prompt: str) -> None:
        self._queue.append(self.prompt_message(prompt))
        params = {"clientInfo": CLIENT, "capabilities": {"experimentalApi": True}}
        self._calls.call("initialize", params, self._on_initialized)

    @property
    def settled(self) -> bool:
        idle = not self._turn and not self._queue and not any(self._busy_threads.values())
        idle = idle and not self._compaction.wanted
        return self.outcome is not None and idle and not self.requests and not self._calls.is_waiting

    def is_partial(self, line: Json) -> bool:
        return is_partial(line)

    def feed(self, line: Json) -> None:
        if self.live.feed(line):
            return
        method = line.get("method")
        if method is None:
            self._calls.note(line)
        elif "id" in line:
            self._asked.ask(self._calls.key_of(line["id"]), str(method), line.get("params"))
        elif method in self._handlers:
            self._handlers[method](line.get("params") or {})
        elif method not in IGNORED:
            self.raw.note(method, line)

    def _give_up(self, line: Json) -> None:
        """Report that the CLI refused to start a thread or a turn."""
        text = str((line.get("error") or {}).get("message") or line)
        self._queue.clear()
        self._turn = None
        failure = failure_of({"message": text})
        self.report_failure(text, failure.code, failure.status)

    # starting

    def _on_initialized(self, line: Json) -> None:
        if "error" in line:
            self._give_up(line)
            return
        agent = str(line["result"].get("userAgent") or "")
        self._version = agent.partition("/")[2].partition(" ")[0]
        self.host.send({"method": "initialized"})
        self._calls.call("account/read", {}, self._failures.note_account)
        self._calls.call(*starting.thread_call(self, self._limits), self._on_thread)

    def _on_thread(self, line: Json) -> None:
        if "error" in line:
            self._give_up(line)
            return
        result = line["result"]
        self.session = result["thread"]["id"]
        self.ledger.begin(self.session, resumed=self.spec.get("resume"))
        self.ledger.model = str(result.get("model") or self.model or "")
        effort = self._default_effort = result.get("reasoningEffort") or self.effort
        self.report_start(self._version, result.get("model") or self.model, effort)
        self._next_turn()

    def _next_turn(self) -> None:
        if self._turn or self.plans.open or self._begin_compaction() or not self._queue:
            return
        message = self._queue.pop(0)
        self.waiting_messages[message.wire] = message
        self._opening = message.wire
        self._turn = STARTING
        params = starting.turn_params(self, message, self._limits)
        if self.model:
            self.ledger.model = self.model
        effort = self.effort or self._default_effort
        params.update(self.plans.collaboration(self.model or self.ledger.model, effort))
        self._calls.call("turn/start", params, self._on_turn)

    @property
    def _limits(self) -> str:
        """The mode whose sandbox and approvals apply. A plan run has those of plan mode, but not the mode."""
        return PLAN if self.is_plan else self.mode

    def _begin_compaction(self) -> bool:
        if not self._compaction.wanted:
            return False
        self._compaction.wanted, self._compaction.own_turn, self._turn = False, True, STARTING

        def reply(line: Json) -> None:
            if "error" in line:
                self._turn = None
                self._compaction.fail(str((line.get("error") or {}).get("message") or line))
                self._next_turn()

        self._calls.call("thread/compact/start", {"threadId": self.session}, reply)
        return True

    def _on_turn(self, line: Json) -> None:
        if "error" in line:
            self._give_up(line)
        elif self._turn == STARTING:
            self._turn = line["result"]["turn"]["id"]

    # messages from the CLI

    def is_own(self, params: Json) -> bool:
        """Whether a notification is about the agent's own thread, not that of a sub-agent."""
        return params.get("threadId") in (None, self.session)

    def _on_status(self, params: Json) -> None:
        kind = (params.get("status") or {}).get("type")
        if not self.is_own(params):
            self._busy_threads[params["threadId"]] = kind == "active"
        elif kind == "active":
            self.set_state("waiting" if self.requests else "running")

    def _on_turn_started(self, params: Json) -> None:
        if self.is_own(params):
            self._turn = params["turn"]["id"]
        else:
            self._other_turns[params["threadId"]] = params["turn"]["id"]
            self._works.turn_started(params["threadId"])

    def _on_turn_completed(self, params: Json) -> None:
        turn = params["turn"]
        interrupted = turn.get("status") == "interrupted"
        if not self.is_own(params):
            self._other_turns.pop(params["threadId"], None)
            self._asked.withdraw_all(params["threadId"])
            self._works.end_thread(params["threadId"], "stopped" if interrupted else "completed")
            self.ledger.end_other_turn(params["threadId"], interrupted=interrupted)
            self.report_usage(self.ledger.total())
            return
        self._turn = None
        self._works.note_open(list(self.translator.items.values()))
        self.taken(self._opening, turn.get("id"))
        self._asked.withdraw_all(params.get("threadId"))
        self.report_usage(self.ledger.end_turn(interrupted=interrupted))
        is_compaction, former = self._compaction.own_turn, self.outcome
        self._compaction.end_turn((turn.get("error") or {}).get("message"))
        if is_compaction and former:
            pass  # what the agent has done before is the outcome
        elif turn.get("status") == "failed":
            self._failures.end_turn(turn.get("error") or {})
        elif interrupted:
            self.outcome = Outcome("cancelled", "interrupted", "The turn was interrupted.")
            # an interrupt does not stop the command that the turn was waiting for
            self._calls.call("thread/backgroundTerminals/clean", {"threadId": self.session})
        elif self.is_plan:
            self.report_answer(None, self._items.answer)
        else:
            self.outcome = Outcome("succeeded")
        self._items.answer = ""
        self._queue = [] if self._leaving else [*self.waiting_messages.values(), *self._queue]
        self.waiting_messages.clear()
        self.plans.propose(is_complete=turn.get("status") == "completed" and not self._leaving)
        self.go_on()

    def go_on(self, words: str = "", by: str = "") -> None:
        """Start the next turn, first with these words. If there is none and nothing to decide, it is idle."""
        if words:
            self._queue.insert(0, PendingMessage(words, by))
        self._next_turn()
        if not self._turn and not self.requests:
            self.set_state("idle")

    def _on_usage(self, params: Json) -> None:
        self.ledger.note(params, own_turn=self._turn)
        self.thread_total = self.ledger.thread_total
        if self.is_own(params):
            self._compaction.note_usage(params)
            self._works.note_open(list(self.translator.items.values()))
        else:
            self._works.note_usage(params)
        if self._turn or not self.is_own(params):
            self.report_usage(self.ledger.total())

    def _on_revert(self, params: Json) -> None:
        if self.is_own(params):
            self.ledger.note_revert()

    def _on_warning(self, params: Json) -> None:
        self.host.emit({"kind": "notice", "text": str(params.get("message"))})

    # messages to the CLI

    def say(self, message: PendingMessage, when: str, answer: Answer) -> None:
        answer({"ok": True, "id": message.identity})
        if self._turn and self._turn != STARTING and when == "now":
            self._steer(message)
        else:
            self._queue.append(message)
            if self.session and self.outcome:
                self._next_turn()

    def _steer(self, message: PendingMessage) -> None:
        self.waiting_messages[message.wire] = message

        def reply(line: Json) -> None:
            if "error" in line and message.wire in self.waiting_messages:
                del self.waiting_messages[message.wire]
                self._queue.append(message)  # the turn has ended: send it in a new one
                self._next_turn()

        params = {
            "threadId": self.session,
            "expectedTurnId": self._turn,
            "input": input_of(message.text, message.files),
            "clientUserMessageId": message.wire,
        }
        self._calls.call("turn/steer", params, reply)

    def withdraw(self, identity: str, answer: Answer) -> None:
        kept = [message for message in self._queue if message.identity != identity]
        found = len(kept) < len(self._queue)
        self._queue = kept
        answer(OK if found else refusal("the agent has already taken this message"))

    def withdraw_all(self) -> None:
        self._leaving = True
        self._compaction.wanted = False
        self._queue.clear()

    def compact(self, answer: Answer) -> None:
        if not self.session or not (self._turn or self.outcome):
            answer(refusal(NOTHING_TO_COMPACT))
            return
        self._compaction.wanted = True
        self._next_turn()
        answer(OK)

    def stop_background(self, key: str, answer: Answer) -> None:
        params: Json = {"threadId": self.session}
        process, turn = self._works.process_of(key), self._other_turns.get(key)
        if process:
            params["processId"] = process
            self._calls.call_and_answer("thread/backgroundTerminals/terminate", params, answer)
        elif turn:
            self._calls.call_and_answer("turn/interrupt", {"threadId": key, "turnId": turn}, answer)
        else:
            answer(refusal("it has ended already"))

    def stop_background_work(self) -> None:
        if self.background.running("command"):
            self._calls.call("thread/backgroundTerminals/clean", {"threadId": self.session})

    def interrupt(self) -> None:
        if self.plans.withdraw():
            self.outcome = Outcome("cancelled", "interrupted", "The turn was interrupted.")
            self.go_on()
        turns = dict(self._other_turns)
        if self._turn and self._turn != STARTING:
            turns[str(self.session)] = self._turn
        self.ledger.note_interrupt()
        for thread, turn in turns.items():
            self._calls.call("turn/interrupt", {"threadId": thread, "turnId": turn})

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        self._asked.decide(key, decision, by)

    def allow(self, key: str, private: Json) -> None:
        self._asked.allow(key, private)

    def set_model(self, model: Optional[str], effort: Optional[str], answer: Answer) -> None:
        """Applies from the next turn on."""
        self.model = model or self.model
        self.effort = effort or self.effort
        answer(OK)

    def set_mode(self, mode: str, answer: Answer) -> None:
        self.mode = mode
        if mode == "full":
            self._asked.allow_all()
        answer(OK)
