"""Sends commands to the runner of a live run, through its control socket."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Union

from .control_address import reachable
from .files import dumps, loads
from .wire import Json, RunCommand

ANSWER_SECONDS = 20.0
MAX_ANSWER = 4 * 1024 * 1024


class NoListener(Exception):
    """No runner listens: the run has not started or has ended."""


def send_command(path: Path, command: Union[RunCommand, Json], timeout: float = ANSWER_SECONDS) -> Json:
    """Send one command to the control socket `path`, and return the runner's answer.

    Raises NoListener, socket.timeout if it does not answer in time, and ValueError if its answer is no JSON.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(timeout)
        try:
            with reachable(path) as address:
                link.connect(address)
            link.sendall(dumps(command) + b"\n")
            answer = _read_line(link)
        except socket.timeout:
            raise
        except OSError:
            answer = b""
    if not answer:
        raise NoListener("no runner listens: the run has not started or has ended")
    value: Json = loads(answer)
    return value


def _read_line(link: socket.socket) -> bytes:
    data = b""
    while b"\n" not in data and len(data) < MAX_ANSWER:
        chunk = link.recv(65536)
        if not chunk:
            break
        data += chunk
    return data
