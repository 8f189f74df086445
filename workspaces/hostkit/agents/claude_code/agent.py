"""Controls Claude Code through `claude -p` with stream-json input and output."""

from __future__ import annotations

import json
import signal
import uuid
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Union

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
from ...base.plans import SENT_BACK, closing_facts
from ...base.proposals import ASK_AGAIN, CODE, READING_TOOLS, SCHEMA
from ...outcome import Outcome
from ...wire import PERMISSION_MODES, AttachedFile, Json, LimitEvent, RunSpec
from .asked import FOR_MACHINES, asked_event, needs_person, refusal_for, reply_of
from .attached import blocks_of
from .background import ClaudeTasks
from .commands import SlashCommands
from .events import ClaudeTranslator, failure_code, limit_event
from .grants import grants_of
from .lifecycle import Deliveries
from .live import ClaudeLive, is_partial
from .local_commands import LocalCommands
from .notices import NOTICES, peer_notice
from .plans import ProposedPlans
from .settings import settings_argument
from .system_lines import IGNORED_SUBTYPES, IGNORED_TYPES, SystemLines
from .todo import VARIABLES as TODO_VARIABLES
from .todo import ClaudeTodo
from .usage import ClaudeLedger

MODES = {"plan": "plan", "ask": "default", "edits": "acceptEdits", "full": "acceptEdits"}
COMPACT = "/compact"
DENIED = "The user denied this. Ask what to do instead, or continue without it."
TRIAL_OPTIONS = ("--no-session-persistence", "--strict-mcp-config", "--tools", "")
"""Of a trial turn: no transcript, no MCP servers, no tools."""
DENY_ALL = "dontAsk"
"""The permission mode of a plan run: what would be asked is denied."""
PLAN_OPTIONS = ("--strict-mcp-config", "--tools", READING_TOOLS, "--json-schema", json.dumps(SCHEMA))
"""Of a plan run: no tool that writes, no MCP servers, and an answer of this form."""
NO_FORM = "error_max_structured_output_retries"
RETRIED = {
    "login": "Login refused",
    "limit": "Rate limit",
    "model": "Model not found",
    "server": "Server error",
    "connection": "No connection",
}
"""Why a request is tried again, by error code. Others are named as the CLI names them."""
Reply = Callable[[Json], None]


class ClaudeCode(Agent):
    modes = PERMISSION_MODES
    death_signal = signal.SIGINT

    def __init__(self, spec: RunSpec, host: AgentHost) -> None:
        super().__init__(spec, host)
        self.ledger = ClaudeLedger()
        self.translator = ClaudeTranslator(spec.get("worktree") or "", host.emit)
        self.plans = ProposedPlans()
        self.live = ClaudeLive(self.parts, spec.get("worktree") or "", host.send)
        self.translator.part_of = self.live.part_of
        self.translator.keep_picture = host.keep_picture
        self._commands = SlashCommands()
        self._cli_state = ""
        self._tasks = ClaudeTasks(self.background)
        self._todo = ClaudeTodo(self.steps, spec.get("progress") or [])
        self._deliveries = Deliveries(self)
        self._lines = SystemLines(self)
        self._local = LocalCommands(self)
        self._replies: Dict[str, Reply] = {}
        self._announced = False
        self._limit: Optional[LimitEvent] = None
        self._error = ""
        self._replayed = False
        self._handlers: Dict[str, Callable[[Json], None]] = {
            "system": self._on_system,
            "assistant": self._on_assistant,
            "user": self._on_user,
            "result": self._on_result,
            "control_request": self._on_request,
            "control_cancel_request": self._on_withdrawal,
            "control_response": self._on_response,
            "rate_limit_event": self._on_limit,
            "command_lifecycle": self._deliveries.note,
            "conversation_reset": self._on_reset,
            "model_refusal_fallback": self._lines.handlers["model_refusal_fallback"],
        }
        self._system_handlers: Dict[str, Callable[[Json], None]] = {
            **self._lines.handlers,
            **dict.fromkeys(NOTICES, lambda line: self.host.emit(NOTICES[line["subtype"]](line))),
            "init": self._on_init,
            "session_state_changed": self._on_state,
            "task_started": self._tasks.started,
            "task_progress": self._tasks.went_on,
            "task_updated": self._on_tasks(self._tasks.updated),
            "task_notification": self._on_tasks(self._tasks.notified),
            "background_tasks_changed": self._on_tasks(self._tasks.changed),
            "api_retry": self._on_retry,
            "compact_boundary": self._on_compaction,
        }

    def command_line(self, program: str) -> List[str]:
        argv = [program, "-p", "--input-format", "stream-json", "--output-format", "stream-json"]
        argv += ["--verbose", "--permission-prompt-tool", "stdio", "--replay-user-messages"]
        argv.append("--include-partial-messages")
        argv += ["--permission-mode=" + (DENY_ALL if self.is_plan else MODES[self.mode])]
        argv.append(settings_argument(self.spec))
        model, effort, resume = (
            self.spec.get("model"),
            self.spec.get("reasoning_effort"),
            self.spec.get("resume"),
        )
        if model:
            argv.append("--model=" + model)
        if effort:
            argv.append("--effort=" + effort)
        if self.fork:
            argv += ["--fork-session", "--resume-session-at=" + self.fork["anchor"]]
        if self.spec.get("trial"):
            argv += TRIAL_OPTIONS
        if self.is_plan:
            argv += PLAN_OPTIONS
        argv.append("--resume=" + resume if resume else "--session-id=" + str(uuid.uuid4()))
        return argv

    def environment(self) -> Mapping[str, str]:
        own = {"CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1", **TODO_VARIABLES}
        folder = self.temporary_folder()
        if folder:  # else copies of pictures would stay in /tmp when the task is removed
            own["CLAUDE_CODE_TMPDIR"] = folder
        return {**own, **_effort(self.spec.get("reasoning_effort"))}

    def begin(self, prompt: str) -> None:
        message = self.prompt_message(prompt)
        if not prompt.startswith("/"):
            self._send_message(message, None)
            return

        def reply(response: Json) -> None:
            self._commands.learn((response.get("response") or {}).get("commands"))
            self._send_message(message, None)

        self._call({"subtype": "initialize"}, reply)

    def feed(self, line: Json) -> None:
        if self.live.feed(line):
            return
        handler = self._handlers.get(str(line.get("type")))
        if handler:
            handler(line)
        elif line.get("type") not in IGNORED_TYPES:
            self.raw.note(line.get("type"), line)

    def is_partial(self, line: Json) -> bool:
        return is_partial(line)

    def ask_output(self) -> None:
        self.live.ask_output()

    @property
    def settled(self) -> bool:
        return (
            self._cli_state == "idle"
            and self.outcome is not None
            and not self._tasks.awaited
            and not self._deliveries.compactions
            and not self.requests
            and not self.waiting_messages
            and not self._replies
        )

    # messages from the CLI

    def _on_system(self, line: Json) -> None:
        subtype = str(line.get("subtype"))
        handler = self._system_handlers.get(subtype)
        if handler:
            handler(line)
        elif subtype not in IGNORED_SUBTYPES:
            self.raw.note(f"system/{subtype}", line)

    def _on_tasks(self, handle: Callable[[Json], None]) -> Callable[[Json], None]:
        """Wrap a handler of lines about background tasks: the state of the run may depend on them."""

        def handle_and_show(line: Json) -> None:
            handle(line)
            self._show_state()

        return handle_and_show

    def _on_compaction(self, line: Json) -> None:
        self._lines.compacted(line)
        usage = self.ledger.note_compaction(line)
        if usage:
            self.report_usage(usage)

    def _on_init(self, line: Json) -> None:
        self.ledger.note_session(line.get("session_id") or self.session)
        self._commands.learn(line.get("slash_commands"))
        if self._announced:
            self.move_session(line.get("session_id"))
            return
        self.session = line.get("session_id") or self.session
        self._announced = True
        version, effort = line.get("claude_code_version"), self.spec.get("reasoning_effort")
        self.report_start(version, line.get("model"), effort)
        self._deliveries.announce()
        if not self._deliveries.exact:
            self._take_prompt()

    def _take_prompt(self) -> None:
        """Mark the prompt as taken when the first turn starts. It is replayed only with the first answer."""
        self._replayed = True
        if self.waiting_messages:
            self.taken(next(iter(self.waiting_messages)))

    def _on_reset(self, line: Json) -> None:
        """A new, empty conversation has begun, as after `/clear`."""
        self._todo.clear()
        self.move_session(line.get("new_conversation_id"))

    def _on_state(self, line: Json) -> None:
        self._cli_state = line["state"]
        if self._cli_state == "idle":
            self._tasks.settle()
            self._deliveries.settle()
        self._show_state()

    def _show_state(self) -> None:
        if self.requests:
            self.set_state("waiting")
        elif self._cli_state == "idle" and not self._tasks.awaited:
            self.set_state("idle")
        elif self._cli_state:
            self.set_state("running")

    def _on_retry(self, line: Json) -> None:
        status = line.get("error_status")
        code = failure_code(status, str(line.get("error")))
        delay = float(line.get("retry_delay_ms") or 0) / 1000
        attempt = f"retry {line.get('attempt')} of {line.get('max_retries')} in {delay:.0f} s"
        text = f"{RETRIED.get(code) or line.get('error')}: {attempt}"
        self.report_retry(text, code, status)

    def _on_assistant(self, line: Json) -> None:
        if line.get("error"):
            self._error = str(line["error"])  # the result repeats its text
            self.ledger.note(line)
            return
        self.progress()
        self.plans.note(line)
        if not self._local.held_back(line):
            self._todo.note_calls(line)
            self._tasks.note_calls(line)
            self.translator.assistant(line)
        usage = self.ledger.note(line)
        if usage:
            self.report_usage(usage)

    def _on_user(self, line: Json) -> None:
        self.progress()
        if line.get("isReplay"):
            notice = peer_notice(line)
            if notice:
                self.host.emit(notice)
            wire = str(line.get("uuid"))
            self._replayed = self._replayed or wire in self.waiting_messages  # not the output of a command
            self.taken(wire)
        else:
            self.ledger.note_agent(line)
            self._todo.note_results(line)
            self.translator.user(line)

    def _on_result(self, line: Json) -> None:
        self.progress()
        self._take_unreplayed(line)
        self._lines.end_turn(line)
        self.report_usage(self.ledger.close(line))
        if self._local.note_result(line, self._deliveries, self._lines) and self.outcome:
            return
        self.session = line.get("session_id") or self.session
        reason = str(line.get("terminal_reason") or "")
        if reason.startswith("aborted") and line.get("subtype") == "error_during_execution":
            self.outcome = Outcome("cancelled", "interrupted", "The turn was interrupted.")
            for key in list(self.requests):  # old versions do not withdraw forms
                self.close_request(key, "withdrawn", "agent")
        elif line.get("is_error"):
            self._on_error_result(line)
        elif self.is_plan:  # a success may be without the object
            self.report_answer(line.get("structured_output"), str(line.get("result") or ""))
        else:
            self.outcome = Outcome("succeeded")

    def _take_unreplayed(self, line: Json) -> None:
        """Mark the first message as taken if the turn ended before the CLI replayed any."""
        of_task = (line.get("origin") or {}).get("kind") == "task-notification"
        of_compaction = bool(self._deliveries.compactions) and not line.get("num_turns")
        of_task = of_task or of_compaction or self._deliveries.exact
        if not self._replayed and not of_task and self.waiting_messages:
            self.taken(next(iter(self.waiting_messages)))
        self._replayed = False

    def _on_error_result(self, line: Json) -> None:
        status = line.get("api_error_status")
        text = str(line.get("result") or "; ".join(map(str, line.get("errors") or [])) or "The turn failed.")
        code = failure_code(status, self._error, text)
        if line.get("subtype") == NO_FORM:
            text, code = f"The agent's answer was not in the form of a list of tasks. {ASK_AGAIN}", CODE
        resets_at = self._limit.get("resets_at") if self._limit and code == "limit" else None
        self.report_failure(text, code, status, resets_at)

    def _on_limit(self, line: Json) -> None:
        event = limit_event(line.get("rate_limit_info") or {})
        if event != self._limit:
            self._limit = event
            self.host.emit(event)

    def _on_withdrawal(self, line: Json) -> None:
        self.close_request(str(line["request_id"]), "withdrawn", "agent")

    def _on_response(self, line: Json) -> None:
        response = line.get("response") or {}
        reply = self._replies.pop(str(response.get("request_id")), None)
        if reply:
            reply(response)

    def _on_request(self, line: Json) -> None:
        key, request = str(line["request_id"]), self.plans.filled(line.get("request") or {})
        subtype = str(request.get("subtype"))
        if subtype in FOR_MACHINES:
            refused = refusal_for(subtype)
            self._respond(key, refused)
            self.host.emit({"kind": "notice", "text": refused["error"]})
        elif self.mode == "full" and not needs_person(request):
            self.allow(key, request)
        else:
            self.open_request(asked_event(key, request, self.translator.worktree), request)

    # messages to the CLI

    def _call(self, request: Json, reply: Reply) -> None:
        key = "host-" + str(uuid.uuid4())
        self._replies[key] = reply
        self.host.send({"type": "control_request", "request_id": key, "request": request})

    def _call_and_answer(self, request: Json, answer: Answer) -> None:
        """Send a control request, and answer a command with its result."""

        def reply(response: Json) -> None:
            failed = response.get("subtype") == "error"
            answer(refusal(str(response.get("error"))) if failed else OK)

        self._call(request, reply)

    def _respond(self, key: str, response: Json) -> None:
        self.host.send({"type": "control_response", "response": dict(response, request_id=key)})

    def _allow(self, key: str, tool_input: Json, permissions: List[Json]) -> None:
        body: Json = {"behavior": "allow", "updatedInput": tool_input}
        if permissions:
            body["updatedPermissions"] = permissions
        self._respond(key, {"subtype": "success", "response": body})

    def _send_message(self, message: PendingMessage, priority: Optional[str]) -> None:
        self.waiting_messages[message.wire] = message
        text = self._commands.as_text(message.text, is_first=not self.session)
        self._send_text(message.wire, text, priority, message.files)

    def _send_text(
        self, wire: str, text: str, priority: Optional[str], files: Sequence[AttachedFile] = ()
    ) -> None:
        if text.startswith(COMPACT):
            self._lines.asked_to_compact = True
        line: Json = {
            "type": "user",
            "uuid": wire,
            "message": {"role": "user", "content": blocks_of(text, files)},
            "parent_tool_use_id": None,
            "session_id": "",
        }
        if priority:
            line["priority"] = priority
        self.host.send(line)

    def say(self, message: PendingMessage, when: str, answer: Answer) -> None:
        self._send_message(message, "later" if when == "after_turn" else None)
        answer({"ok": True, "id": message.identity})

    def withdraw(self, identity: str, answer: Answer) -> None:
        message = self.message_of(identity)
        if not message:
            answer(refusal("the agent has already taken this message"))
            return
        wire = message.wire
        self._deliveries.withdrawn.add(wire)

        def reply(response: Json) -> None:
            if (response.get("response") or {}).get("cancelled"):
                self.waiting_messages.pop(wire, None)
                answer(OK)
            else:
                self._deliveries.withdrawn.discard(wire)
                answer(refusal("the agent has already taken this message"))

        self._call({"subtype": "cancel_async_message", "message_uuid": wire}, reply)

    def interrupt(self) -> None:
        request: Json = {"subtype": "interrupt"}
        if self._deliveries.leaving:
            request["cancel_queued"] = True  # older versions ignore it
        self._call(request, lambda _response: None)
        self.stop_background_work()  # an interrupt does not stop it

    def withdraw_all(self) -> None:
        self._deliveries.leaving = True
        for message in list(self.waiting_messages.values()):  # else the next one starts a turn
            self.withdraw(message.identity, lambda _answer: None)

    def compact(self, answer: Answer) -> None:
        """As a command after the current turn."""
        if not self._announced:
            answer(refusal(NOTHING_TO_COMPACT))
            return
        message = PendingMessage(COMPACT, "web")
        self._deliveries.compactions.add(message.wire)
        self._send_text(message.wire, COMPACT, "later")
        answer(OK)

    def stop_background(self, key: str, answer: Answer) -> None:
        self._call_and_answer({"subtype": "stop_task", "task_id": key}, answer)

    def stop_background_work(self) -> None:
        for task in self._tasks.keys:
            self._call({"subtype": "stop_task", "task_id": task}, lambda _response: None)

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        request = self.requests[key].private
        if request.get("subtype") != "can_use_tool":
            self._respond(key, reply_of(request, decision))
            self.close_other(key, decision, by)
            return
        if not decision.allow:
            self._deny(key, decision)
            self.close_request(key, "deny", by, decision.text)
            return
        tool_input = dict((request.get("input") or {}) if decision.input is None else decision.input)
        if decision.answers is not None:
            tool_input["answers"] = {name: _joined(value) for name, value in decision.answers.items()}
        if decision.grant:
            grant = picked(grants_of(request), decision.grant)
            self._allow(key, tool_input, [grant.update])
            self.close_request(key, "allow_for_run", by, grant.text)
            return
        for_run = decision.scope == "run" and decision.input is None
        if for_run:
            self.allow_call(key)
        facts = closing_facts(self.requests[key].event, decision.mode, decision.input)
        self._allow(key, tool_input, self._mode_update(request, decision.mode))
        self.close_request(key, "allow_for_run" if for_run else "allow", by, facts=facts)

    def allow(self, key: str, private: Json) -> None:
        self._allow(key, private.get("input") or {}, [])

    def _deny(self, key: str, decision: RequestDecision) -> None:
        default = SENT_BACK if self.requests[key].event["request_kind"] == "plan" else DENIED
        body: Json = {"behavior": "deny", "message": decision.text or default}
        if decision.interrupt:
            body["interrupt"] = True
        self._respond(key, {"subtype": "success", "response": body})

    def _mode_update(self, request: Json, mode: Optional[str]) -> List[Json]:
        """Return the update for a mode that the user has picked; a plan that is approved ends its own."""
        if request.get("tool_name") != "ExitPlanMode" and not mode:
            return []
        self.mode = mode or self.mode
        return [{"type": "setMode", "mode": MODES[self.mode], "destination": "session"}]

    def set_model(self, model: Optional[str], effort: Optional[str], answer: Answer) -> None:
        if effort:
            settings = {"effortLevel": effort, "env": _effort(effort)}
            answer_effort: Answer = (lambda _: None) if model else answer
            self._call_and_answer({"subtype": "apply_flag_settings", "settings": settings}, answer_effort)
        if model:
            self._call_and_answer({"subtype": "set_model", "model": model}, answer)

    def set_mode(self, mode: str, answer: Answer) -> None:
        self.mode = mode
        self._call_and_answer({"subtype": "set_permission_mode", "mode": MODES[mode]}, answer)
        if mode == "full":
            for key, request in list(self.requests.items()):
                if not needs_person(request.private):
                    self.allow(key, request.private)
                    self.close_request(key, "allow", "mode")


def _effort(level: Optional[str]) -> Dict[str, str]:
    """Return the variable that sets the effort, because `--effort` may be ignored (2.1.197: 1 of 20 starts).

    Some models use a default effort unless a file overrides it, and processes that start at the same time
    overwrite that file.
    """
    return {"CLAUDE_CODE_EFFORT_LEVEL": level} if level else {}


def _joined(value: Union[str, List[str]]) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
