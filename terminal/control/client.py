"""A client of tmux control mode (`tmux -C`): sends commands, receives replies, output and notifications."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from terminal.control.listing import HUB
from terminal.control.protocol import Message, NotTmux, Parser, Reply
from workspaces.hosts import HostConnection, HostError
from workspaces.hosts.channel import Channel, open_process
from workspaces.tmux import Tmux, TmuxError, require_version

ATTACH_SECONDS = 20.0
ASK_SECONDS = 20.0
CHANNEL = """
h=$1; shift;
"$@" -C new-session -s "$h" -n idle -x 80 -y 24 "tail -f /dev/null";
exec </dev/null >/dev/null 2>&1;
for n in 1 2 3 4 5 6 7 8 9; do
sleep 3;
"$@" has-session -t "=$h" || exit 0;
c=$("$@" list-clients -F "#{session_name}");
case "$c" in *HUB*) continue;; esac;
"$@" list-windows -t "=$h" -F "#{window_id}" |
while read -r w; do "$@" set-option -w -u -t "$w" window-size </dev/null; done;
"$@" kill-session -t "=$h";
exit 0;
done
""".replace("HUB", HUB)
"""Runs in sh on the host: a control client in a hub's session, then the removal of that session by name.

Its window keeps the session alive. tmux's own destroy-unattached would crash the server if the client is cut
off with unread output (tmux 3.2 to 3.7c). While another hub has a client, or this client still exits, the
removal is left to that hub: tmux 3.3a also crashes if a session ends while a control client attaches (tmux
issue 4980). Windows take their size from their other clients again.
"""
FIND_TMUX = 'command -v tmux && tmux -V && printf "%s\\n" "${TMUX_TMPDIR:-}"'

Replies = list[list[bytes]]


class TmuxRefused(Exception):
    """A tmux command failed. The message is tmux's own."""

    retryable = True


@dataclass(slots=True)
class Command:
    """A line that was sent. tmux replies to each of its commands, up to the first one that fails."""

    expected: int
    done: Callable[[Replies, str], None] | None
    replies: Replies = field(default_factory=list)


class ControlClient:
    """A control client; use it on the hub's event loop only.

    `on_message` is called with output and notifications, `on_end` with the reason when the client ends.
    """

    def __init__(self, on_message: Callable[[Message], None], on_end: Callable[[str], None]) -> None:
        self.ended = False
        self._on_message = on_message
        self._on_end = on_end
        self._parser = Parser()
        self._commands: deque[Command] = deque()
        self._attached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._channel: Channel | None = None

    async def start(self, host: HostConnection, session: str, *, users_server: bool = False) -> None:
        """Create the session `session` on the host, and attach to it. Raises HostError.

        It is on our tmux server, or on the user's.
        """
        tmux = await _tmux(host, users_server=users_server)
        script = " ".join(CHANNEL.split())
        self._channel = await open_process(host, ["sh", "-c", script, "sh", session, *tmux], self)
        try:
            async with asyncio.timeout(ATTACH_SECONDS):
                await self._attached  # tmux before 3.4 loses commands that are sent earlier
        except TimeoutError:
            self.close()
            raise HostError(
                f"tmux on {host.label} did not answer in time.", code="timeout", retryable=True
            ) from None

    def send(
        self, line: str | bytes, expected: int = 1, done: Callable[[Replies, str], None] | None = None
    ) -> None:
        """Send a line with `expected` commands.

        `done` is called with the replies, and with an error message if a command failed (otherwise "").
        """
        if self.ended or self._channel is None:
            if done:
                done([], "The connection to tmux was lost.")
            return
        self._commands.append(Command(expected, done))
        self._channel.write((line.encode() if isinstance(line, str) else line) + b"\n")

    async def ask(self, line: str, expected: int = 1) -> Replies:
        """Send a line of commands and wait for the replies. Raises TmuxRefused."""
        answer: asyncio.Future[Replies] = asyncio.get_running_loop().create_future()

        def done(replies: Replies, error: str) -> None:
            if answer.done():
                return
            if error:
                answer.set_exception(TmuxRefused(error))
            else:
                answer.set_result(replies)

        self.send(line, expected, done)
        try:
            async with asyncio.timeout(ASK_SECONDS):
                return await answer
        except TimeoutError:
            raise TmuxRefused("tmux did not answer in time.") from None

    def close(self) -> None:
        if self._channel:
            self._channel.close()
        self.closed("closed")

    # callbacks of the channel

    def data_received(self, data: bytes) -> None:
        if self.ended:
            return
        try:
            self._receive(data)
        except NotTmux as error:
            if self._channel:
                self._channel.close()
            self.closed(str(error))

    def _receive(self, data: bytes) -> None:
        for message in self._parser.feed(data):
            if isinstance(message, Reply):
                self._handle_reply(message)
            else:
                self._check_attached(message)
                self._on_message(message)

    def closed(self, reason: str) -> None:
        """Fail all commands that wait for a reply: the process or the connection has ended."""
        if self.ended:
            return
        self.ended = True
        if not self._attached.done():
            self._attached.set_exception(
                HostError(f"Attaching to tmux failed: {reason}.", code="remote_failed", retryable=True)
            )
        for command in self._commands:
            if command.done:
                command.done([], f"The connection to tmux was lost: {reason}.")
        self._commands.clear()
        self._on_end(reason)

    def _check_attached(self, message: Message) -> None:
        if not self._attached.done() and getattr(message, "name", "") == "session-changed":
            self._attached.set_result(None)

    def _handle_reply(self, reply: Reply) -> None:
        if not self._commands:
            return
        command = self._commands[0]
        command.replies.append(reply.lines)
        if reply.ok and len(command.replies) < command.expected:
            return
        self._commands.popleft()
        if command.done:
            error = "" if reply.ok else b" ".join(reply.lines).decode("utf-8", "replace") or "tmux refused"
            command.done(command.replies, error)


async def _tmux(host: HostConnection, *, users_server: bool) -> Sequence[str]:
    """Return the command that starts tmux with the same program and socket as hostkit uses."""
    link = await host.link()
    answer = await link.call("exec", {"argv": ["sh", "-c", FIND_TMUX]}, 20.0)
    if answer["rc"]:
        raise HostError(
            f"tmux is not installed on {host.label}.",
            "Install it, for example with: sudo apt install tmux",
            code="not_found",
        )
    path, version, folder = [*answer["out"].splitlines(), ""][:3]
    try:
        require_version(version, host)
    except TmuxError as error:
        raise HostError(error.reason, error.hint, code="tmux_too_old") from error
    server = Tmux(host, "" if users_server else link.hello["tmux_socket"])
    place = [f"TMUX_TMPDIR={folder}"] if folder else []
    return ["env", "-u", "TMUX", "-u", "TMUX_PANE", *place, path, *server.options]
