"""Controls Codex through `codex app-server`."""

from __future__ import annotations

import itertools
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
from ...base.consent import picked
from ...base.modes import PLAN
from ...base.proposals import SCHEMA
from ...outcome import Outcome
from ...wire import PERMISSION_MODES, Json, LimitEvent, RunSpec
from . import sandbox
from .asked import FOR_MACHINES, QUESTIONS, asked_event, grants_of, refusal_for, reply_of
from .attached import input_of
from .background import CodexWorks
from .compaction import CodexCompaction
from .events import CodexTranslator, breaks_off, failure_of, limit_event
from .live import CodexLive, is_partial
from .notices import review_handlers
from .notifications import IGNORED, PROGRESS_CONFIG, SessionLines
from .plan import METHOD, CodexPlans
from .protocol import CLIENT, decision_of, listed, native_program, place_of, wire_id
from .usage import CodexLedger

STARTING = "starting"
"""Placeholder for the id of a requested turn."""
NOT_LOGGED_IN = "Codex is not logged in on this host: run `codex login` there."
Reply = Callable[[Json], None]


class Codex(Agent):
    modes = PERMISSION_MODES

    def __init__(self, spec: RunSpec, host: AgentHost) -> None:
        super().__init__(spec, host)
        self.ledger = CodexLedger(spec.get("thread_total"))
        self.plans = CodexPlans(self)
        self.translator = CodexTranslator(spec.get("worktree") or "", host.emit)
        self.translator.keep_picture = host.keep_picture
        self.live = CodexLive(self.parts, self._parent)
        self.model: Optional[str] = spec.get("model")
        self.effort: Optional[str] = spec.get("reasoning_effort")
        self._numbers = itertools.count(1)
        self._replies: Dict[int, Reply] = {}
        self._turn: Optional[str] = None
        self._opening = ""
        self._answer = ""
        self._queue: List[PendingMessage] = []
        self._busy_threads: Dict[str, bool] = {}
        self._leaving = False
        self._works = CodexWorks(self.background)
        self._compaction = CodexCompaction(host.emit)
        self._other_turns: Dict[str, str] = {}
        self._logged_in = True
        self._limit: Optional[LimitEvent] = None
        self._default_effort: Optional[str] = None
        self._version = ""
        self._handlers: Dict[str, Callable[[Json], None]] = {
            "thread/status/changed": self._on_status,
            "turn/started": self._on_turn_started,
            "turn/completed": self._on_turn_completed,
            "item/started": self._on_item_started,
            "item/completed": self._on_item_completed,
            "thread/tokenUsage/updated": self._on_usage,
            "thread/reverted": self._on_revert,
            "account/rateLimits/updated": self._on_limits,
            "serverRequest/resolved": lambda params: self.close_request(
                str(params["requestId"]), "withdrawn", "agent"
            ),
            "error": self._on_error,
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
        self._call("initialize", params, self._on_initialized)

    @property
    def settled(self) -> bool:
        idle = not self._turn and not self._queue and not any(self._busy_threads.values())
        idle = idle and not self._compaction.wanted
        return self.outcome is not None and idle and not self.requests and not self._replies

    # protocol

    def _call(self, method: str, params: Json, reply: Reply) -> None:
        number = next(self._numbers)
        self._replies[number] = reply
        self.host.send({"id": number, "method": method, "params": params})

    def _respond(self, key: str, result: Json) -> None:
        self.host.send({"id": wire_id(key), "result": result})

    def is_partial(self, line: Json) -> bool:
        return is_partial(line)

    def feed(self, line: Json) -> None:
        if self.live.feed(line):
            return
        method = line.get("method")
        if method is None:
            self._on_reply(line)
        elif "id" in line:
            self._on_request(str(line["id"]), str(method), line.get("params") or {})
        elif method in self._handlers:
            self._handlers[method](line.get("params") or {})
        elif method not in IGNORED:
            self.raw.note(method, line)

    def _on_reply(self, line: Json) -> None:
        reply = self._replies.pop(int(line.get("id") or 0), None)
        if reply:
            reply(line)

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
        self._call("account/read", {}, self._on_account)
        config: Json = {"model_reasoning_effort": self.effort} if self.effort else {}
        config["tools"] = PROGRESS_CONFIG
        params: Json = {"cwd": self.spec["worktree"], "config": config}
        params["approvalPolicy"] = sandbox.APPROVALS[self._limits]
        params.update(sandbox.of_thread(self.spec, self._limits))
        config.update(sandbox.profiles(self.spec))
        if self.model:
            params["model"] = self.model
        if self.spec.get("trial"):
            params["ephemeral"] = True  # without a transcript
        if self.fork:
            params.update(threadId=self.spec["resume"], excludeTurns=True, **place_of(self.fork))
            self._call("thread/fork", params, self._on_thread)
        elif self.spec.get("resume"):
            params.update(threadId=self.spec["resume"], excludeTurns=True)
            self._call("thread/resume", params, self._on_thread)
        else:
            self._call("thread/start", params, self._on_thread)

    def _on_account(self, line: Json) -> None:
        account = line.get("result") or {}
        self._logged_in = bool(account.get("account")) or not account.get("requiresOpenaiAuth")

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
        params: Json = {
            "threadId": self.session,
            "input": input_of(message.text, message.files),
            "clientUserMessageId": message.wire,
            "approvalPolicy": sandbox.APPROVALS[self._limits],
            **sandbox.of_turn(self.spec, self._limits),
        }
        if self.is_plan:
            params["outputSchema"] = SCHEMA
        if self.effort:
            params["effort"] = self.effort
        if self.model:
            params["model"] = self.ledger.model = self.model
        effort = self.effort or self._default_effort
        params.update(self.plans.collaboration(self.model or self.ledger.model, effort))
        self._call("turn/start", params, self._on_turn)

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

        self._call("thread/compact/start", {"threadId": self.session}, reply)
        return True

    def _on_turn(self, line: Json) -> None:
        if "error" in line:
            self._give_up(line)
        elif self._turn == STARTING:
            self._turn = line["result"]["turn"]["id"]

    # messages from the CLI

    def _is_own(self, params: Json) -> bool:
        return params.get("threadId") in (None, self.session)

    def _on_status(self, params: Json) -> None:
        kind = (params.get("status") or {}).get("type")
        if not self._is_own(params):
            self._busy_threads[params["threadId"]] = kind == "active"
        elif kind == "active":
            self.set_state("waiting" if self.requests else "running")

    def _on_turn_started(self, params: Json) -> None:
        if self._is_own(params):
            self._turn = params["turn"]["id"]
        else:
            self._other_turns[params["threadId"]] = params["turn"]["id"]
            self._works.turn_started(params["threadId"])

    def _on_turn_completed(self, params: Json) -> None:
        turn = params["turn"]
        interrupted = turn.get("status") == "interrupted"
        if not self._is_own(params):
            self._other_turns.pop(params["threadId"], None)
            self._withdraw_requests(params["threadId"])
            self._works.end_thread(params["threadId"], "stopped" if interrupted else "completed")
            self.ledger.end_other_turn(params["threadId"], interrupted=interrupted)
            self.report_usage(self.ledger.total())
            return
        self._turn = None
        self._works.note_open(list(self.translator.items.values()))
        self.taken(self._opening, turn.get("id"))
        self._withdraw_requests(params.get("threadId"))
        self.report_usage(self.ledger.end_turn(interrupted=interrupted))
        is_compaction, former = self._compaction.own_turn, self.outcome
        self._compaction.end_turn((turn.get("error") or {}).get("message"))
        if is_compaction and former:
            pass  # what the agent has done before is the outcome
        elif turn.get("status") == "failed":
            self._on_failed_turn(turn.get("error") or {})
        elif interrupted:
            self.outcome = Outcome("cancelled", "interrupted", "The turn was interrupted.")
            # an interrupt does not stop the command that the turn was waiting for
            self._call("thread/backgroundTerminals/clean", {"threadId": self.session}, lambda _line: None)
        elif self.is_plan:
            self.report_answer(None, self._answer)
        else:
            self.outcome = Outcome("succeeded")
        self._answer = ""
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

    def _withdraw_requests(self, thread: Optional[str]) -> None:
        """Close what a turn of this thread has left open: after an interrupt, the CLI does not say so."""
        for key, request in list(self.requests.items()):
            if request.private["params"].get("threadId") in (None, thread):
                self.close_request(key, "withdrawn", "agent")

    def _on_failed_turn(self, error: Json) -> None:
        failure = failure_of(error)
        code = "login" if failure.code in ("connection", "other") and not self._logged_in else failure.code
        resets_at = self._limit.get("resets_at") if self._limit and code == "limit" else None
        text = failure.text if code == failure.code else f"{NOT_LOGGED_IN} ({failure.text})"
        self.report_failure(text, code, failure.status, resets_at)

    def _on_item_started(self, params: Json) -> None:
        item = params["item"]
        self.progress()
        if self._is_own(params):
            self.ledger.note_begin(item)
        self._works.item_started(item, self._thread(params))
        if item["type"] == "userMessage":
            self.taken(str(item.get("clientId")), params.get("turnId"))
        elif item["type"] == "contextCompaction":
            if self._is_own(params):
                self._compaction.started()
        else:
            self.translator.started(item, self._parent(params))

    def _on_item_completed(self, params: Json) -> None:
        self.progress()
        self.ledger.note_end(params["item"])
        self._works.item_completed(params["item"], self._thread(params))
        if params["item"]["type"] == "contextCompaction" and self._is_own(params):
            self._compaction.completed()
        self.translator.turn = params.get("turnId")
        if self._is_own(params) and params["item"]["type"] == "agentMessage":
            self._answer = str(params["item"].get("text") or "")
        if self._is_own(params) and self.plans.note(params["item"]):
            return
        self.translator.completed(params["item"], self._parent(params))

    def _parent(self, params: Json) -> Optional[str]:
        """Return the call that has started the sub-agent; None for the agent itself."""
        thread = self._thread(params)
        return None if thread is None else self._works.call_of(thread)

    def _thread(self, params: Json) -> Optional[str]:
        return None if self._is_own(params) else str(params["threadId"])

    def _on_usage(self, params: Json) -> None:
        self.ledger.note(params, own_turn=self._turn)
        self.thread_total = self.ledger.thread_total
        if self._is_own(params):
            self._compaction.note_usage(params)
            self._works.note_open(list(self.translator.items.values()))
        else:
            self._works.note_usage(params)
        if self._turn or not self._is_own(params):
            self.report_usage(self.ledger.total())

    def _on_revert(self, params: Json) -> None:
        if self._is_own(params):
            self.ledger.note_revert()

    def _on_limits(self, params: Json) -> None:
        event = limit_event(params.get("rateLimits") or {})
        if event and event != self._limit:
            self._limit = event
            self.host.emit(event)

    def _on_error(self, params: Json) -> None:
        if breaks_off(params.get("error") or {}):
            self.ledger.note_break()
        if not params.get("willRetry"):
            return  # the end of the turn reports the same
        failure = failure_of(params.get("error") or {})
        text = failure.text if self._logged_in else f"{NOT_LOGGED_IN} ({failure.text})"
        self.report_retry(text, failure.code if self._logged_in else "login", failure.status)

    def _on_warning(self, params: Json) -> None:
        self.host.emit({"kind": "notice", "text": str(params.get("message"))})

    def _on_request(self, key: str, method: str, params: Json) -> None:
        if method in FOR_MACHINES:
            error = refusal_for(method)
            self.host.send({"id": wire_id(key), "error": error})
            self.host.emit({"kind": "notice", "text": error["message"]})
            return
        event = asked_event(key, method, params, self.translator)
        private = {"method": method, "params": params}
        if self.mode == "full" and event["request_kind"] == "approval":
            self.allow(key, private)
        else:
            self.open_request(event, private)

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
        self._call("turn/steer", params, reply)

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
            call = "thread/backgroundTerminals/terminate", {**params, "processId": process}
        elif turn:
            call = "turn/interrupt", {"threadId": key, "turnId": turn}
        else:
            answer(refusal("it has ended already"))
            return

        def reply(line: Json) -> None:
            error = (line.get("error") or {}).get("message")
            answer(refusal(str(error)) if "error" in line else OK)

        self._call(*call, reply)

    def stop_background_work(self) -> None:
        if self.background.running("command"):
            self._call("thread/backgroundTerminals/clean", {"threadId": self.session}, lambda _line: None)

    def interrupt(self) -> None:
        if self.plans.withdraw():
            self.outcome = Outcome("cancelled", "interrupted", "The turn was interrupted.")
            self.go_on()
        turns = dict(self._other_turns)
        if self._turn and self._turn != STARTING:
            turns[str(self.session)] = self._turn
        self.ledger.note_interrupt()
        for thread, turn in turns.items():
            self._call("turn/interrupt", {"threadId": thread, "turnId": turn}, lambda _line: None)

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        private = self.requests[key].private
        method, params = private["method"], private["params"]
        if method == QUESTIONS:
            self._answer_questions(key, decision, by)
        elif method == METHOD:
            self.plans.decide(key, decision, by)
        elif self.requests[key].event["request_kind"] != "approval":
            self.host.send({"id": wire_id(key), **reply_of(method, params, decision)})
            self.close_other(key, decision, by)
        elif decision.grant:
            grant = picked(grants_of(params), decision.grant)
            accepted = {"action": "accept", "content": {}, "_meta": {"persist": grant.update["persist"]}}
            self._respond(key, accepted)
            self.close_request(key, "allow_for_run", by, grant.text)
        elif decision.allow:
            for_run = decision.scope == "run"
            if for_run:
                self.allow_call(key)
            self.allow(key, private)
            self.close_request(key, "allow_for_run" if for_run else "allow", by)
        else:
            reply = "cancel" if decision.interrupt else "decline"
            self._respond(key, decision_of(method, params, reply))
            self.close_request(key, "deny", by, decision.text)
            if decision.text and not decision.interrupt:
                self.say(PendingMessage(decision.text, by), "now", lambda _answer: None)

    def allow(self, key: str, private: Json) -> None:
        """Allow this call alone: `acceptForSession` would cover each later change of the same files."""
        self._respond(key, decision_of(private["method"], private["params"], "accept"))

    def _answer_questions(self, key: str, decision: RequestDecision, by: str) -> None:
        given = decision.answers or {}
        if not decision.allow:
            questions = self.requests[key].private["params"].get("questions") or []
            given = {question["id"]: decision.text or "No answer." for question in questions}
        answers = {name: {"answers": listed(value)} for name, value in given.items()}
        self._respond(key, {"answers": answers})
        self.close_request(key, "allow" if decision.allow else "deny", by, decision.text)

    def set_model(self, model: Optional[str], effort: Optional[str], answer: Answer) -> None:
        """Applies from the next turn on."""
        self.model = model or self.model
        self.effort = effort or self.effort
        answer(OK)

    def set_mode(self, mode: str, answer: Answer) -> None:
        self.mode = mode
        if mode == "full":
            for key, request in list(self.requests.items()):
                if request.event["request_kind"] == "approval":
                    self.allow(key, request.private)
                    self.close_request(key, "allow", "mode")
        answer(OK)
