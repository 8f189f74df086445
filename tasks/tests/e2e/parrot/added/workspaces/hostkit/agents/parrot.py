"""Parrot, an invented CLI: it writes each message to a file and repeats it."""

from __future__ import annotations

from ..base.agent import Agent, AgentHost, Answer, PendingMessage
from ..base.cli import AgentCli
from ..base.talk import NoAnswer, Talk
from ..outcome import Outcome
from ..wire import Json, LoginState, ModelOffer, OfferedModel, RunSpec


class ParrotAgent(Agent):
    def command_line(self, program: str) -> list[str]:
        words = [program, "--lines"]
        return [*words, "--resume", self.session] if self.session else words

    def begin(self, prompt: str) -> None:
        self._send(PendingMessage(prompt, "prompt", "prompt"))

    def feed(self, line: Json) -> None:
        kind = line.get("type")
        if kind == "session":
            self.session = str(line["id"])
            self.report_start(line["version"], self.spec.get("model") or "loud", None)
        elif kind == "heard":
            self.taken(str(line["id"]))
            self.set_state("running")
        elif kind == "said":
            self.host.emit({"kind": "text", "text": str(line["text"])})
        elif kind == "done":
            self._end_turn(int(line["read"]), int(line["written"]))
        else:
            self.host.emit({"kind": "raw", "line": line})

    def _end_turn(self, read: int, written: int) -> None:
        turns = 1 + (self.usage["turns"] if self.usage else 0)
        self.report_usage(
            {
                "input_tokens": read,
                "output_tokens": written,
                "cache_read_tokens": 0,
                "cache_write_tokens": 0,
                "reasoning_tokens": 0,
                "cost_usd": None,
                "by_model": {},
                "turns": turns,
                "context_used": read + written,
                "context_window": 1000,
            }
        )
        self.outcome = Outcome("succeeded")
        self.set_state("idle")

    @property
    def settled(self) -> bool:
        return self.outcome is not None and not self.waiting_messages

    def say(self, message: PendingMessage, when: str, answer: Answer) -> None:
        self._send(message)
        answer({"ok": True, "id": message.identity})

    def _send(self, message: PendingMessage) -> None:
        self.waiting_messages[message.wire] = message
        self.host.send({"type": "say", "id": message.wire, "text": message.text})

    def interrupt(self) -> None:
        self.host.send({"type": "stop"})


class Parrot(AgentCli):
    program = "parrot"
    install_hint = "Install it on the host with: pipx install parrot"
    resume_arguments = ("--resume",)

    def agent(self, spec: RunSpec, host: AgentHost) -> Agent:
        return ParrotAgent(spec, host)

    def question_command(self, program: str) -> list[str]:
        return [program, "--lines"]

    def ask_models(self, talk: Talk) -> ModelOffer:
        talk.send({"type": "models"})
        for line in talk.lines():
            if line.get("type") == "models":
                models = [_model(str(name)) for name in line["names"]]
                return {"models": models, "account": "", "logged_in": True}
        raise NoAnswer("parrot did not answer.")

    def login(self, program: str, env: dict[str, str], deadline: float) -> LoginState:
        return {"logged_in": True, "detail": "seeds"}


def _model(name: str) -> OfferedModel:
    return {
        "id": name,
        "name": name.title(),
        "description": "",
        "is_default": name == "loud",
        "reasoning_efforts": [],
        "default_reasoning_effort": None,
        "resolves_to": None,
    }


CLI = Parrot()
