"""The commands that control a run, from the socket and from the keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, List, Optional

from ..base import modes, plans
from ..base.agent import OK, Agent, Answer, PendingMessage, RequestDecision, refusal
from ..base.submission import submission_problem
from ..outcome import CLOSED, Outcome
from ..wire import CommandAnswer, Json, RequestEvent, RunStatus, SettingsEvent

if TYPE_CHECKING:
    from .runner import Runner

NOT_ALLOWED = {
    "question": "this is a question: answer or deny it",
    "form": "this is a form: fill it in, decline or cancel it",
    "unknown": "this is not an approval: send an answer, or decline it",
}
"""Kinds of requests that nobody can just allow."""
ENDING = "the run is ending: send it as a follow-up"


class Commands:
    def __init__(self, runner: "Runner") -> None:
        self.runner = runner
        self._answers: Dict[str, CommandAnswer] = {}
        self._pending: Dict[str, List[Answer]] = {}
        self._handlers: Dict[str, Callable[[Json, str, Answer], None]] = {
            "message": self._message,
            "withdraw": self._withdraw,
            "interrupt": self._interrupt,
            "approve": self._approve,
            "deny": self._deny,
            "answer": self._answer,
            "submit": self._submit,
            "set_model": self._set_model,
            "set_mode": self._set_mode,
            "compact": self._compact,
            "stop_background": self._stop_background,
            "stop": self._stop,
            "status": self._status,
            "keyboard": self._keyboard,
            "hang_up": self._hang_up,
            "window_lost": self._window_lost,
        }

    def handle(self, command: Json, by: str, answer: Answer) -> None:
        """Execute one command. `answer` is called once: now, or when the CLI has answered."""
        handler = self._handlers.get(str(command.get("command")))
        repeated = self._repeated(command)
        if repeated is not None:
            answer(repeated)
            return
        if handler is None:
            answer(refusal(f"unknown command {command.get('command')!r}"))
            return
        if str(command.get("id") or "") in self._pending and handler != self._withdraw:
            self._pending[str(command["id"])].append(answer)  # sent again while the CLI has not answered
            return
        answer_once = self._once(command, answer)
        try:
            handler(command, by, answer_once)
        except KeyError as error:
            answer_once(refusal(f"{error} is missing"))

    def _repeated(self, command: Json) -> Optional[CommandAnswer]:
        """Return the stored answer if there is one: senders repeat a command if its answer was lost."""
        if command.get("command") == "withdraw":  # its id is the message's
            return None
        return self._answers.get(str(command.get("id") or ""))

    def _once(self, command: Json, answer: Answer) -> Answer:
        """Wrap `answer` to store the answer by the command's id, unless it asks to retry later."""
        key = str(command.get("id") or "")
        if not key or command.get("command") == "withdraw":
            return answer

        self._pending[key] = [answer]

        def store(value: CommandAnswer) -> None:
            if not value.get("later"):
                self._answers[key] = value
            for each in self._pending.pop(key, []):
                each(value)

        return store

    def _message(self, command: Json, by: str, answer: Answer) -> None:
        text = str(command["text"]).replace("\0", "")
        files = command.get("attachments") or ()
        if not text.strip() and not files:
            answer(refusal("the message is empty"))
        elif self._is_ready(answer):
            message = PendingMessage(text, by, command.get("id"), files)
            self.runner.agent.say(message, str(command.get("when") or "now"), answer)

    def _is_ready(self, answer: Answer) -> bool:
        """Whether the CLI accepts commands now. If not, answer that the command should be sent later."""
        if self.runner.closing or self.runner.stopped or self.runner.cli_ended:
            answer({"ok": False, "error": ENDING, "later": True})
            return False
        if not self.runner.process:
            answer({"ok": False, "error": "the agent has not started yet", "later": True})
            return False
        return True

    def _withdraw(self, command: Json, _by: str, answer: Answer) -> None:
        self.runner.agent.withdraw(str(command["id"]), answer)

    def _interrupt(self, _command: Json, _by: str, answer: Answer) -> None:
        self.runner.interrupt()
        answer(OK)

    def _open(self, command: Json, answer: Answer) -> Optional[str]:
        """Return the id of the open request that the command names; if there is none, refuse, return None."""
        key = str(command["request"])
        if key in self.runner.agent.requests:
            return key
        answer(refusal("this request is no longer open"))
        return None

    def _approve(self, command: Json, by: str, answer: Answer) -> None:
        key = self._open(command, answer)
        if key is None:
            return
        agent = self.runner.agent
        request, mode_before = agent.requests[key].event, agent.mode
        command = _with_mode(request, command)
        mode = command["mode"] = command.get("mode") or agent.mode_after(request)
        problem = self._ceiling_problem(mode, by) or _approval_problem(agent, key, command)
        if problem:
            answer(refusal(problem))
            return
        scope, changed, grant = command.get("scope"), command.get("input"), command.get("grant")
        decision = RequestDecision(True, scope=scope, input=changed, mode=mode, grant=grant)
        agent.decide(key, decision, by)
        if mode and mode != mode_before:
            self.runner.emit({"kind": "settings", "by": by, "permission_mode": mode})
        answer(OK)

    def _deny(self, command: Json, by: str, answer: Answer) -> None:
        key = self._open(command, answer)
        if key is not None:
            stop, cancel = bool(command.get("interrupt")), bool(command.get("cancel"))
            decision = RequestDecision(False, text=command.get("text"), interrupt=stop, cancel=cancel)
            self.runner.agent.decide(key, decision, by)
            answer(OK)

    def _answer(self, command: Json, by: str, answer: Answer) -> None:
        key = self._open(command, answer)
        if key is None:
            return
        answers = command["answers"]
        problem = _answers_problem(self.runner.agent.requests[key].event, answers)
        if problem:
            answer(refusal(problem))
            return
        self.runner.agent.decide(key, RequestDecision(True, answers=answers), by)
        answer(OK)

    def _submit(self, command: Json, by: str, answer: Answer) -> None:
        key = self._open(command, answer)
        if key is None:
            return
        request, content = self.runner.agent.requests[key].event, command["content"]
        problem = submission_problem(request, content) or _consent_problem(request, command)
        if problem:
            answer(refusal(problem))
            return
        self.runner.agent.decide(key, RequestDecision(True, content=content), by)
        answer(OK)

    def _set_model(self, command: Json, by: str, answer: Answer) -> None:
        model, effort = command.get("model"), command.get("reasoning_effort")
        if not model and not effort:
            answer(refusal("model or reasoning_effort is missing"))
        elif self._is_ready(answer):
            settings: SettingsEvent = {"kind": "settings", "by": by}
            if model:
                settings["model"] = model
            if effort:
                settings["reasoning_effort"] = effort
            self.runner.agent.set_model(model, effort, self._record_if_ok(answer, settings))

    def _record_if_ok(self, answer: Answer, settings: SettingsEvent) -> Answer:
        """Wrap `answer` to record the new settings if the CLI has accepted them."""

        def record(value: CommandAnswer) -> None:
            if value.get("ok"):
                self.runner.emit(settings)
            answer(value)

        return record

    def _set_mode(self, command: Json, by: str, answer: Answer) -> None:
        mode = command["permission_mode"]
        problem = _mode_problem(self.runner.agent, mode) or self._ceiling_problem(mode, by)
        if self.runner.agent.is_plan:
            problem = "a plan run only reads, in every mode"
        if problem:
            answer(refusal(problem))
        elif self._is_ready(answer):
            settings: SettingsEvent = {"kind": "settings", "by": by, "permission_mode": mode}
            self.runner.agent.set_mode(mode, self._record_if_ok(answer, settings))

    def _ceiling_problem(self, mode: Optional[str], by: str) -> str:
        """Return why the mode is refused at the keyboard. The app has checked its own commands."""
        ceiling = self.runner.agent.spec.get("max_permission_mode")
        return modes.ceiling_problem(mode, ceiling) if by == "keyboard" else ""

    def _compact(self, _command: Json, _by: str, answer: Answer) -> None:
        if self._is_ready(answer):
            self.runner.agent.compact(answer)

    def _stop_background(self, command: Json, _by: str, answer: Answer) -> None:
        key = str(command["work"])
        if key not in self.runner.agent.background:
            answer(refusal("it has ended already"))
        elif self._is_ready(answer):
            self.runner.agent.stop_background(key, answer)

    def _stop(self, command: Json, _by: str, answer: Answer) -> None:
        self.runner.stop(Outcome("cancelled", "cancelled", str(command.get("reason") or "Stopped.")))
        answer(OK)

    def _keyboard(self, command: Json, _by: str, answer: Answer) -> None:
        self.runner.keyboard.line(str(command["line"]))
        answer(OK)

    def _hang_up(self, _command: Json, _by: str, answer: Answer) -> None:
        self.runner.stop(CLOSED)
        answer(OK)

    def _window_lost(self, _command: Json, _by: str, answer: Answer) -> None:
        self.runner.report_lost_window()
        answer(OK)

    def _status(self, _command: Json, _by: str, answer: Answer) -> None:
        agent = self.runner.agent
        status: RunStatus = {
            "ok": True,
            "state": agent.state,
            "cli_session": agent.session,
            "permission_mode": agent.mode,
            "requests": [request.event for request in agent.requests.values()],
            "last_seq": self.runner.journal.last_seq,
            "pid": self.runner.process.pid if self.runner.process else None,
        }
        answer(status)


def _approval_problem(agent: Agent, key: str, command: Json) -> str:
    """Return why this approval is refused, or an empty string.

    Options that the CLI would ignore are refused, so that they do not seem to be in effect.
    """
    request, mode = agent.requests[key].event, command.get("mode")
    if mode is not None and _mode_problem(agent, mode):
        return _mode_problem(agent, mode)
    if request["request_kind"] in NOT_ALLOWED:
        return NOT_ALLOWED[request["request_kind"]]
    if request["request_kind"] == "link" and "url" not in request:
        return "this link can't be shown: decline or cancel it"
    if request["request_kind"] == "plan" and (
        problem := plans.approval_problem(request, mode, command.get("input"))
    ):
        return problem
    if command.get("input") is not None and not request.get("can_edit"):
        return "its input can't be changed: allow it unchanged, or deny it with a message"
    if command.get("scope") == "run" and not request.get("can_allow_for_run"):
        return "this can't be allowed for the whole run: allow it once"
    return _consent_problem(request, command)


def _mode_problem(agent: Agent, mode: object) -> str:
    """Return why the CLI can't have this mode, or an empty string."""
    if mode in agent.modes:
        return ""
    names = ", ".join(agent.modes)
    return f"unknown permission mode {mode!r}: this CLI has {names}"


def _with_mode(request: RequestEvent, command: Json) -> Json:
    """Return the command with its grant as a mode if that is what it is."""
    for grant in request.get("grants") or []:
        if grant["id"] == command.get("grant") and grant.get("mode"):
            return {**command, "grant": None, "mode": grant["mode"], "scope": "once"}
    return dict(command)


def _consent_problem(request: RequestEvent, command: Json) -> str:
    """Return why this is not what the user has seen, or an empty string."""
    grant, digest = command.get("grant"), command.get("digest")
    if request.get("digest") == "":
        return "this is nested too deeply to be shown: deny it"
    if digest is not None and digest != request.get("digest"):
        return "this is not the request that was shown: look at it again"
    if grant is not None and grant not in [each["id"] for each in request.get("grants") or []]:
        return "this permission was not offered"
    if command.get("input") is not None and (grant is not None or command.get("scope") == "run"):
        return "a changed input is allowed once, not for the run"
    return ""


def _answers_problem(request: RequestEvent, answers: object) -> str:
    """Return why these answers are refused, or an empty string. Each question needs an answer, by its id."""
    if request["request_kind"] != "question" or not isinstance(answers, dict):
        return "this request is not a question, or the answers are not an object"
    expected = {str(question["id"]) for question in request.get("questions") or []}
    unknown, missing = sorted(set(answers) - expected), sorted(expected - set(answers))
    if unknown:
        return f"there is no question {unknown[0]!r}"
    return f"not answered: {missing[0]!r}" if missing else ""
