"""Questions to the CLIs of this host: to all at once, and a CLI ends when its request is cancelled."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, TypeVar

from .. import agents
from ..base.cli import AgentCli
from ..base.talk import Talk
from . import commands
from .requests import Request

CliAnswer = TypeVar("CliAnswer")


def ask_all(ask: Callable[[str, AgentCli], CliAnswer]) -> Dict[str, CliAnswer]:
    """What each CLI answers, by its name."""
    found: Dict[str, CliAnswer] = {}

    def work(name: str, cli: AgentCli) -> None:
        found[name] = ask(name, cli)

    threads = [threading.Thread(target=work, args=each, daemon=True) for each in agents.everyone().items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@contextmanager
def talking(
    cli: AgentCli, path: str, env: Dict[str, str], deadline: float, request: Request
) -> Iterator[Talk]:
    """The CLI, started for one question. Raises NoAnswer or OSError."""
    talk = Talk(cli.question_command(path), env, deadline)
    request.on_change(lambda: talk.end() if request.cancelled else None)
    try:
        with commands.ended_with_us(talk.process):
            yield talk
    finally:
        talk.close()
