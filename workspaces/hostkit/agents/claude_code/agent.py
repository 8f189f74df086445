"""Controls Claude Code through `claude -p` with stream-json input and output."""

from __future__ import annotations

import signal
from typing import Callable, Dict, List, Mapping, Optional, Sequence

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
from ...outcome import Outcome
from ...wire import PERMISSION_MODES, AttachedFile, Json, RunSpec
from . import starting
from .attached import blocks_of
from .background import ClaudeTasks
from .calls import ClaudeCalls
from .commands import SlashCommands
from .decisions import ClaudeDecisions
from .events import ClaudeTranslator
from .failures import ClaudeFailures
from .lifecycle import Deliveries
from .live import ClaudeLive, is_partial
from .local_commands import LocalCommands
from .notices import NOTICES, peer_notice
from .plans import ProposedPlans
from .system_lines import IGNORED_SUBTYPES, IGNORED_TYPES, SystemLines
from .todo import VARIABLES as TODO_VARIABLES
from .todo import ClaudeTodo
from .usage import ClaudeLedger

COMPACT = "/compact"


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
        self._failures = ClaudeFailures(self)
        self._calls = ClaudeCalls(host)
        self._asked = ClaudeDecisions(self, self._calls, self.plans, self.translator.worktree)
        self._announced = False
        self._handlers: Dict[str, Callable[[Json], None]] = {
            "system": self._on_system,
            "assistant": self._on_assistant,
            "user": self._on_user,
            "result": self._on_result,
            "control_request": self._asked.ask,
            "control_cancel_request": self._asked.withdraw,
            "control_response": self._calls.note,
            "rate_limit_event": self._failures.note_limit,
            "command_lifecycle": self._deliveries.note,
            "conversation_reset": self._on_reset,
            "model_refusal_fallback": self._lines.handlers["model_refusal_fallback"],
        }
        self._system_handlers: Dict[str, Callable[[Json], None]] = {
            **self._lines.handlers,
            **dict.fromkeys(NOTICES, self._on_notice),
            "init": self._on_init,
            "session_state_changed": self._on_state,
            "task_started": self._tasks.started,
            "task_progress": self._tasks.went_on,
            "task_updated": self._on_tasks(self._tasks.updated),
            "task_notification": self._on_tasks(self._tasks.notified),
            "background_tasks_changed": self._on_tasks(self._tasks.changed),
            "api_retry": self._failures.note_retry,
            "compact_boundary": self._on_compaction,
        }

    def command_line(self, program: str) -> List[str]:
        return starting.arguments(self, program)

    def environment(self) -> Mapping[str, str]:
        own = {"CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS": "1", **TODO_VARIABLES}
        folder = self.temporary_folder()
        if folder:  # else copies of pictures would stay in /tmp when the task is removed
            own["CLAUDE_CODE_TMPDIR"] = folder
        return {**own, **starting.effort_variables(self.spec.get("reasoning_effort"))}

    def begin(self, prompt: str) -> None:
        message = self.prompt_message(prompt)
        if not prompt.startswith("/"):
            self._send_message(message, None)
            return

        def reply(response: Json) -> None:
            self._commands.learn((response.get("response") or {}).get("commands"))
            self._send_message(message, None)

        self._calls.call({"subtype": "initialize"}, reply)

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
            and not self._calls.is_waiting
        )

    # messages from the CLI

    def _on_system(self, line: Json) -> None:
        subtype = str(line.get("subtype"))
        handler = self._system_handlers.get(subtype)
        if handler:
            handler(line)
        elif subtype not in IGNORED_SUBTYPES:
            self.raw.note(f"system/{subtype}", line)

    def _on_notice(self, line: Json) -> None:
        notice = NOTICES[line["subtype"]](line)
        parent = self.translator.parent_of(line.get("tool_use_id"))
        self.host.emit({**notice, "parent": parent} if parent else notice)

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
            self._deliveries.take_prompt()

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

    def _on_assistant(self, line: Json) -> None:
        if line.get("error"):
            self._failures.note_error(line)
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
            self._deliveries.note_replay(str(line.get("uuid")))
        else:
            self.ledger.note_agent(line)
            self._todo.note_results(line)
            self.translator.user(line)

    def _on_result(self, line: Json) -> None:
        self.progress()
        self._deliveries.end_turn(line)
        self._lines.end_turn(line)
        self.report_usage(self.ledger.close(line))
        if self._local.note_result(line, self._deliveries, self._lines) and self.outcome:
            return
        if self._announced:  # else it names a session that has not begun, as of a fork that was refused
            self.session = line.get("session_id") or self.session
        reason = str(line.get("terminal_reason") or "")
        if reason.startswith("aborted") and line.get("subtype") == "error_during_execution":
            self.outcome = Outcome("cancelled", "interrupted", "The turn was interrupted.")
            for key in list(self.requests):  # old versions do not withdraw forms
                self.close_request(key, "withdrawn", "agent")
        elif line.get("is_error"):
            self._failures.end_turn(line)
        elif self.is_plan:  # a success may be without the object
            self.report_answer(line.get("structured_output"), str(line.get("result") or ""))
        else:
            self.outcome = Outcome("succeeded")

    # messages to the CLI

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

        self._calls.call({"subtype": "cancel_async_message", "message_uuid": wire}, reply)

    def interrupt(self) -> None:
        request: Json = {"subtype": "interrupt"}
        if self._deliveries.leaving:
            request["cancel_queued"] = True  # older versions ignore it
        self._calls.call(request, lambda _response: None)
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
        if self._deliveries.compactions:
            answer(OK)  # one is enough
            return
        message = PendingMessage(COMPACT, "web")
        self._deliveries.compactions.add(message.wire)
        self._send_text(message.wire, COMPACT, "later")
        answer(OK)

    def stop_background(self, key: str, answer: Answer) -> None:
        self._calls.call_and_answer({"subtype": "stop_task", "task_id": key}, answer)

    def stop_background_work(self) -> None:
        for task in self._tasks.keys:
            self._calls.call({"subtype": "stop_task", "task_id": task}, lambda _response: None)

    def decide(self, key: str, decision: RequestDecision, by: str) -> None:
        self._asked.decide(key, decision, by)

    def allow(self, key: str, private: Json) -> None:
        self._asked.allow(key, private)

    def set_model(self, model: Optional[str], effort: Optional[str], answer: Answer) -> None:
        if effort:
            settings = {"effortLevel": effort, "env": starting.effort_variables(effort)}
            answer_effort: Answer = (lambda _: None) if model else answer
            self._calls.call_and_answer(
                {"subtype": "apply_flag_settings", "settings": settings}, answer_effort
            )
        if model:
            self._calls.call_and_answer({"subtype": "set_model", "model": model}, answer)

    def set_mode(self, mode: str, answer: Answer) -> None:
        self.mode = mode
        self._calls.call_and_answer({"subtype": "set_permission_mode", "mode": starting.MODES[mode]}, answer)
        if mode == "full":
            self._asked.allow_all()
