"""An agent that asks a person makes its own host wait, and nothing else. A terminal stands for the pipe."""

from __future__ import annotations

import asyncio
import os
import threading
import tty
from collections.abc import Callable, Iterator
from typing import Any

import asyncssh
import pytest

from workspaces.hosts.ssh_agent_pipe import AgentPipe

KEY = asyncssh.generate_private_key("ssh-ed25519")
IDENTITIES_ANSWER = 12


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


ANSWER = string(bytes([IDENTITIES_ANSWER, 0, 0, 0, 1]) + string(KEY.public_data) + string(b"a key"))
Pipe = tuple[str, int]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """The path that the app opens, and the agent's end."""
    agent, app = os.openpty()
    tty.setraw(app)
    yield os.ttyname(app), agent
    os.close(app)
    os.close(agent)


def answer_once(agent: int, wait: Callable[[], object]) -> threading.Thread:
    def run() -> None:
        assert os.read(agent, 100) == string(b"\x0b")
        wait()
        for byte in ANSWER:  # it may come in pieces
            os.write(agent, bytes([byte]))

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def connect(path: str) -> Any:
    return asyncssh.connect_agent(AgentPipe(path))


def test_the_loop_goes_on_while_the_agent_asks_a_person(pipe: Pipe) -> None:
    path, end = pipe
    approved = threading.Event()
    thread = answer_once(end, approved.wait)

    async def ask() -> bytes:
        agent = await connect(path)
        asking = asyncio.create_task(agent.get_keys())
        for _ in range(100):
            await asyncio.sleep(0)
        assert not asking.done()
        approved.set()
        (key,) = await asking
        agent.close()
        data: bytes = key.public_data
        return data

    assert asyncio.run(ask()) == KEY.public_data
    thread.join()


def test_a_login_that_is_given_up_does_not_wait_for_the_agent(pipe: Pipe) -> None:
    path, _ = pipe

    async def ask() -> None:
        agent = await connect(path)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await agent.get_keys()
        agent.close()

    asyncio.run(ask())


def test_a_pipe_that_nobody_listens_on_is_an_error() -> None:
    async def ask() -> None:
        with pytest.raises(OSError, match="No such file"):
            await connect("/nonexistent/pipe")

    asyncio.run(ask())
