"""Keyboard input of the pane: lines are messages or slash commands; Ctrl-C, a signal, interrupts."""

from __future__ import annotations

import asyncio
import os
from typing import Callable, Dict, List, Optional, Union

from ..base.forms import NotAForm
from ..base.submission import asks_for_secrets, raw_schema
from ..files import InvalidJson, loads
from ..wire import CommandAnswer, Question, QuestionOption, RequestEvent, RunCommand
from . import terminal
from .commands import Commands
from .form_lines import SECRET, FormLines
from .pane import PaneWriter, plain

HELP = """\
text             send a message to the agent (if it begins with a slash, type two)
Ctrl-C           interrupt the current turn
/y               allow the request · /a also this very call again · /y 2 or /y TEXT answers a question
/y MODE          approve the plan, into ask, edits or full
/show            print the whole input of the request
/n TEXT          deny the request, with a reason · /cancel closes a form or a link without an answer
/y               fill in a form line by line · /y JSON answers what is shown as raw input
/model NAME      change the model · /effort LEVEL · /mode plan, ask, edits or full
/stop            end the run
/help            show this help"""


class Keyboard:
    def __init__(self, commands: Commands, pane: PaneWriter) -> None:
        self.commands = commands
        self.pane = pane
        self._tty: Optional[int] = None
        self._pending = b""
        self._form: Optional[FormLines] = None
        self._commands: Dict[str, Callable[[str], None]] = {
            "/y": self._yes,
            "/a": lambda _text: self._allow(
                lambda key: {"command": "approve", "request": key, "scope": "run"}
            ),
            "/show": lambda _text: self._show(),
            "/n": lambda text: self._decide(lambda key: {"command": "deny", "request": key, "text": text}),
            "/cancel": lambda _text: self._cancel(),
            "/stop": lambda _text: self._send({"command": "stop", "reason": "Stopped at the terminal."}),
            "/model": lambda text: self._send({"command": "set_model", "model": text}),
            "/effort": lambda text: self._send({"command": "set_model", "reasoning_effort": text}),
            "/mode": lambda text: self._send({"command": "set_mode", "permission_mode": text}),
            "/help": lambda _text: self.pane.say(HELP),
        }

    def open(self) -> None:
        """Read the terminal, if there is one.

        It is opened a second time, so that O_NONBLOCK does not apply to the shell that runs later.
        """
        try:
            self._tty = os.open(os.ttyname(terminal.STDIN), os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError:
            return
        terminal.prepare_modes()
        asyncio.get_running_loop().add_reader(self._tty, self._readable)

    def close(self) -> None:
        if self._tty is not None:
            asyncio.get_running_loop().remove_reader(self._tty)
            os.close(self._tty)
            self._tty = None

    def _readable(self) -> None:
        assert self._tty is not None
        try:
            data = os.read(self._tty, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self.line(line.decode("utf-8", "replace").strip())

    def line(self, line: str) -> None:
        """Execute one typed line."""
        command, _, rest = line.partition(" ")
        if self._form and not self._is_command(line):
            self._fill_in(line[1:] if line.startswith("//") else line)
        elif not line:
            return
        elif command in self._commands:
            self._commands[command](rest.strip())
        elif line.startswith("/") and not line.startswith("//"):
            self.pane.say(f"unknown command: {command} (see /help; // begins a message with a slash)")
        else:
            self._send({"command": "message", "text": line[1:] if line.startswith("//") else line})

    def _yes(self, text: str) -> None:
        key = self._oldest()
        request = self.commands.runner.agent.requests.get(key) if key else None
        kind = request.event["request_kind"] if request else ""
        questions = request.event.get("questions") or [] if request else []
        if any(question.get("secret") for question in questions):
            self.pane.say(SECRET)
        elif request and kind == "question":
            answers = _answers(questions, text)
            self._send({"command": "answer", "request": request.event["id"], "answers": answers})
        elif request and kind == "form" and "schema" not in request.event:
            self._answer_raw_form(request.event, text)
        elif request and kind == "form":
            self._begin_form(request.event)
        elif request and kind == "unknown":
            self._send_raw(request.event["id"], text)
        elif request and kind == "plan" and text:
            self._allow(lambda key: {"command": "approve", "request": key, "mode": text})
        else:
            self._allow(lambda key: {"command": "approve", "request": key})

    def _begin_form(self, request: RequestEvent) -> None:
        try:
            self._form = FormLines(request)
        except NotAForm as why:
            self.pane.say(str(why))
            return
        self._ask_next()

    def _ask_next(self) -> None:
        """Ask for the next field, or send the form if there is none."""
        form = self._form
        if form and form.field:
            self.pane.say(form.prompt())
        elif form:
            self._form = None
            self._send({"command": "submit", "request": form.request, "content": form.content})

    def _fill_in(self, line: str) -> None:
        form = self._form
        if form and form.request not in self.commands.runner.agent.requests:
            self._form = None
            self.pane.say("this request is no longer open: the line was not sent")
            return
        problem = form.take(line) if form else ""
        if problem:
            self.pane.say(plain(problem))
        self._ask_next()

    def _is_command(self, line: str) -> bool:
        """Whether a line is a command while a form is filled in. Every command ends the filling in."""
        if line.partition(" ")[0] not in self._commands:
            return False
        self._form = None
        return True

    def _answer_raw_form(self, request: RequestEvent, text: str) -> None:
        if asks_for_secrets(raw_schema(request)):
            self.pane.say(SECRET)
        else:
            self._send_raw(request["id"], text)

    def _send_raw(self, key: str, text: str) -> None:
        try:
            content = loads(text)
        except InvalidJson:
            self.pane.say("type the answer as JSON: /y {...}; or decline it with /n TEXT")
            return
        self._send({"command": "submit", "request": key, "content": content})

    def _cancel(self) -> None:
        self._decide(lambda key: {"command": "deny", "request": key, "cancel": True})

    def _show(self) -> None:
        key = self._oldest()
        if key is None:
            self.pane.say("there is no open request")
        else:
            self.pane.print_unread(key)

    def _allow(self, command_about: Callable[[str], RunCommand]) -> None:
        """Allow the oldest request if all of it was printed."""
        if self._oldest() in self.pane.unread:
            self.pane.say("not all of it is shown: /show prints the rest, then allow it again")
        else:
            self._decide(command_about)

    def _oldest(self) -> Optional[str]:
        return next(iter(self.commands.runner.agent.requests), None)

    def _decide(self, command_about: Callable[[str], RunCommand]) -> None:
        key = self._oldest()
        if key is None:
            self.pane.say("there is no open request")
        else:
            self._send(command_about(key))

    def _send(self, command: RunCommand) -> None:
        def answer(value: CommandAnswer) -> None:
            if not value.get("ok"):
                self.pane.say(str(value.get("error")))

        self.commands.handle({**command}, "keyboard", answer)


def _answers(questions: List[Question], text: str) -> Dict[str, Union[str, List[str]]]:
    """Return answers by question id: `2`, or `2 1` for two questions, selects options by number.

    Any other text is itself the answer. For a single question with several options, `2 1` selects two.
    """
    picks = text.replace(",", " ").split()
    answers: Dict[str, Union[str, List[str]]] = {}
    for place, question in enumerate(questions):
        options = question.get("options") or []
        alone = len(questions) == 1 and question.get("multiple")
        chosen = _labels(options, picks if alone else picks[place : place + 1])
        other = text or (options[0]["label"] if options else "")
        answers[str(question["id"])] = (chosen if len(chosen) > 1 else chosen[0]) if chosen else other
    return answers


def _labels(options: List[QuestionOption], picks: List[str]) -> List[str]:
    """Return the labels of the options with these numbers; empty if one is not a number of an option."""
    numbers = [int(pick) for pick in picks if pick.isdigit() and 0 < int(pick) <= len(options)]
    return [str(options[number - 1]["label"]) for number in numbers] if len(numbers) == len(picks) else []
