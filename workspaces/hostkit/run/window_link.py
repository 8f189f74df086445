"""What a guard that was forked by the fork server has in place of the window's process: a link to it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from ..wire import ShellSpec
from .shell import shell_of

LINGER_SECONDS = 5.0


class WindowLink:
    def __init__(self, link: socket.socket) -> None:
        self._link = link

    def close(self) -> None:
        self._link.close()

    def is_gone(self) -> bool:
        """Whether the window's process has ended. It says nothing as long as it lives."""
        try:
            return not self._link.recv(1)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def become_shell(self, spec: ShellSpec) -> None:
        """Let the window's process become the user's shell, as soon as this process has ended."""
        folder, shell, environment = shell_of(spec)
        variables = [f"{name}={value}" for name, value in environment.items()]
        with suppress(OSError):  # the window was closed
            self._link.settimeout(LINGER_SECONDS)
            self._link.sendall(b"shell\n" + b"\0".join(map(os.fsencode, [folder, shell, *variables])))
