"""Asking the CLIs of this host: all at once, each ended when whoever asks gives up."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Callable, Dict, Iterator, TypeVar

from .. import agents
from ..base.cli import AgentCli
from ..base.talk import Talk
from . import commands
from .requests import Request

Said = TypeVar("Said")


def ask_all(ask: Callable[[str, AgentCli], Said]) -> Dict[str, Said]:
    """What each CLI answers, by its name."""
    found: Dict[str, Said] = {}

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
