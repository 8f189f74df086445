"""Copies hostkit to a host and starts it there, through any login shell and over one channel.

The remote command must mean the same to bash, fish and csh: one line of plain words and single quotes,
without `!`, backslashes or single quotes inside the quotes. A random nonce marks our own lines, because
start-up files of the shell may print others.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import sys
import zlib
from dataclasses import dataclass, field

from workspaces.hostkit.wire import Hello
from workspaces.hosts.errors import HostError
from workspaces.hosts.link import Keepalive, Lines, Link, Pipe, parse_hello

START_SECONDS = 40.0

RECEIVER = """
import hashlib, os, sys
nonce, name, size, digest = sys.argv[-4:]
def send(text):
    os.write(1, ("\\naitask %s %s\\n" % (nonce, text)).encode())
state = os.environ.get("XDG_STATE_HOME") or ""
if not state.startswith("/"):
    state = os.path.expanduser("~/.local/state")
folder = os.path.join(state, "aitask", "hostkit")
path = os.path.join(folder, name)
def complete():
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == digest
    except OSError:
        return False
def is_whole(compiled):
    try:
        with open(compiled, "rb") as file:
            data = file.read()
        return hashlib.sha256(data[:-64]).hexdigest().encode() == data[-64:]
    except OSError:
        return False
def receive():
    data = b""
    while len(data) < int(size):
        chunk = os.read(0, int(size) - len(data))
        if not chunk:
            sys.exit(1)
        data += chunk
    return data
def store(data):
    before = os.umask(0o077)
    os.makedirs(folder, exist_ok=True)
    temporary = "%s.%s" % (path, nonce)
    with open(temporary, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    os.umask(before)
try:
    if complete():
        send("have")
    else:
        send("need")
        store(receive())
    compiled = "%s.%s.pyz" % (path[:-4], sys.implementation.cache_tag)
    os.execv(sys.executable, [sys.executable, compiled if is_whole(compiled) else path, "serve"])
except OSError as error:
    send("failed %s" % error)
"""
"""Runs on the host: reads the zipapp from standard input unless it exists, then executes it."""

STARTER = """
t() {
  v=$("$1" -c "import sys;print(sys.version.split()[0], sys.version_info>=(3,8))" 2>/dev/null) || return 1;
  case $v in *True) p=$1;; *) o="$o $1 ${v% *}"; return 1;; esac;
};
p=; o=;
for c in python3 /usr/bin/python3 /usr/local/bin/python3 /opt/homebrew/bin/python3
  "$HOME/.local/bin/python3" "$HOME/.pyenv/shims/python3";
do t "$c" && break; done;
if [ -z "$p" ]; then
  c=$("${SHELL:-/bin/sh}" -lc "command -v python3" </dev/null 2>/dev/null | tail -n 1);
  [ -n "$c" ] && t "$c";
fi;
if [ -z "$p" ]; then echo; echo "aitask NONCE nopython$o"; exit 0; fi;
exec "$p" -c "import sys,zlib,base64;exec(zlib.decompress(base64.b64decode(sys.argv[1])))"
  CODE NONCE NAME SIZE DIGEST
"""
"""Runs in sh on the host, joined to one line: finds a new enough Python and starts the receiver."""


@dataclass(frozen=True)
class Kit:
    """The zipapp to copy to a host."""

    name: str
    content: bytes
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def arguments(self) -> list[str]:
        """The command line arguments of the receiver."""
        return [self.nonce, self.name, str(len(self.content)), hashlib.sha256(self.content).hexdigest()]

    def local_argv(self) -> list[str]:
        return [sys.executable, "-c", RECEIVER, *self.arguments]

    def remote_command(self) -> str:
        """Return one command for any login shell."""
        code = base64.b64encode(zlib.compress(RECEIVER.encode(), 9)).decode()
        names = ("NONCE", "NAME", "SIZE", "DIGEST", "CODE")
        script = " ".join(line.strip() for line in STARTER.strip().splitlines())
        for name, value in zip(names, (*self.arguments, code), strict=True):
            script = script.replace(name, value)
        return f"exec sh -c '{script}'"


async def start_hostkit(pipe: Pipe, kit: Kit, name: str, keepalive: Keepalive) -> Link:
    """Copy hostkit to the host if needed, and start it. On failure, close the pipe and raise HostError."""
    try:
        async with asyncio.timeout(START_SECONDS):
            return await _start(pipe, kit, name, keepalive)
    except BaseException as error:
        await pipe.close()
        if isinstance(error, TimeoutError):
            raise _no_answer(name) from None
        if isinstance(error, OSError | EOFError):
            reason = f"The link to {name} was lost during setup: {error}."
            raise HostError(reason, code="link_lost", retryable=True) from error
        raise


async def _start(pipe: Pipe, kit: Kit, name: str, keepalive: Keepalive) -> Link:
    lines = Lines(pipe)
    answer = await lines.skip_noise(lambda line: _answer(line, kit.nonce))
    if answer == "need":
        await pipe.write(kit.content)
    elif answer != "have":
        raise _refusal(answer, name, await pipe.exit_reason())

    def greeting(line: bytes) -> Hello | str | None:
        return parse_hello(line) or _answer(line, kit.nonce)

    hello: Hello | str | None = await lines.skip_noise(greeting)
    if hello is None or isinstance(hello, str):
        raise _refusal(hello, name, await pipe.exit_reason())
    return Link(pipe, hello, lines=lines, name=name, keepalive=keepalive)


def _answer(line: bytes, nonce: str) -> str | None:
    mark = f"aitask {nonce} ".encode()
    return line.removeprefix(mark).decode(errors="replace").strip() if line.startswith(mark) else None


def _no_answer(name: str) -> HostError:
    return HostError(
        f"Logged in to {name}, but its shell did not answer within {START_SECONDS:g} s.",
        "Check whether a start-up file there (.bashrc, config.fish) waits for input.",
        code="timeout",
        retryable=True,
    )


def _refusal(answer: str | None, name: str, exit_reason: str) -> HostError:
    """Return the error that says why hostkit did not start."""
    kind, _, detail = (answer or "").partition(" ")
    if kind == "nopython" and detail:
        reason = f"{name} has only an old Python: {detail}."
        return HostError(reason, "Install Python 3.8 or newer there, as python3.", code="no_python")
    if kind == "nopython":
        return HostError(f"{name} has no python3.", "Install Python 3.8 or newer there.", code="no_python")
    if kind == "failed":
        reason = f"hostkit could not be saved on {name}: {detail}."
        hint = "Check that the home folder there is writable and its disk is not full."
        return HostError(reason, hint, code="remote_failed")
    detail = f": {exit_reason}" if exit_reason else ""
    return HostError(
        f"Logged in to {name}, but its shell did not run hostkit{detail}.",
        "Check the account's login shell: `ssh HOST true` must work.",
        code="remote_failed",
        retryable=True,
    )
