"""Queries to all CLIs of this host in parallel. They end when the request is cancelled."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Dict, Iterator, Optional, TypeVar

from .. import agents
from ..base.cli import AgentCli
from ..base.talk import Talk
from . import commands
from .requests import Request

Result = TypeVar("Result")


def ask_all(ask: Callable[[str, AgentCli], Result]) -> Dict[str, Result]:
    """Call `ask` for all CLIs in parallel, and return its results by CLI name."""
    found: Dict[str, Result] = {}

    def work(name: str, cli: AgentCli) -> None:
        found[name] = ask(name, cli)

    threads = [threading.Thread(target=work, args=each, daemon=True) for each in agents.get_all().items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@contextmanager
def started(
    cli: AgentCli,
    path: str,
    env: Dict[str, str],
    deadline: float,
    request: Request,
    fill: Optional[Callable[[Path], None]] = None,
) -> Iterator[Talk]:
    """Start a CLI for one query, in a folder that `fill` may write into. Raises NoAnswer or OSError."""
    talk = Talk(cli.question_command(path), env, deadline, fill)
    request.on_change(lambda: talk.end() if request.cancelled else None)
    try:
        with commands.killed_on_exit(talk.process):
            yield talk
    finally:
        talk.close()
