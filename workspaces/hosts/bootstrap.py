"""How hostkit gets onto a host and starts there, through whatever login shell and over one channel.

The remote command must mean the same to bash, fish and csh: plain words, single quotes, one line, and in the
quotes neither `!`, a backslash nor a single quote. What start-up files of the shell print is told apart by a
word that nobody can know before.
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

LAND_SECONDS = 40.0

RECEIVER = """
import hashlib, os, sys
nonce, name, size, digest = sys.argv[-4:]
def say(word):
    os.write(1, ("\\naitask %s %s\\n" % (nonce, word)).encode())
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
    fresh = "%s.%s" % (path, nonce)
    with open(fresh, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
    os.umask(before)
try:
    if complete():
        say("have")
    else:
        say("need")
        store(receive())
    os.execv(sys.executable, [sys.executable, path, "serve"])
except OSError as error:
    say("failed %s" % error)
"""
"""Runs on the host: takes the zipapp from standard input unless it is there, then becomes hostkit."""

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
"""For sh on the host, in one line: find a Python that is new enough and start the receiver."""


@dataclass(frozen=True)
class Kit:
    """The zipapp to be brought to a host."""

    name: str
    content: bytes
    nonce: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def words(self) -> list[str]:
        """What the receiver is told."""
        return [self.nonce, self.name, str(len(self.content)), hashlib.sha256(self.content).hexdigest()]

    def local_argv(self) -> list[str]:
        return [sys.executable, "-c", RECEIVER, *self.words]

    def remote_command(self) -> str:
        """One command for a login shell of any kind."""
        code = base64.b64encode(zlib.compress(RECEIVER.encode(), 9)).decode()
        names = ("NONCE", "NAME", "SIZE", "DIGEST", "CODE")
        script = " ".join(line.strip() for line in STARTER.strip().splitlines())
        for name, word in zip(names, (*self.words, code), strict=True):
            script = script.replace(name, word)
        return f"exec sh -c '{script}'"


async def land(pipe: Pipe, kit: Kit, name: str, keepalive: Keepalive) -> Link:
    """Bring hostkit onto the host if it is not there, and greet it. Raises HostError and closes the pipe."""
    try:
        async with asyncio.timeout(LAND_SECONDS):
            return await _land(pipe, kit, name, keepalive)
    except BaseException as error:
        await pipe.close()
        if isinstance(error, TimeoutError):
            raise _silent(name) from None
        if isinstance(error, OSError | EOFError):
            reason = f"The link to {name} was lost while it was set up: {error}."
            raise HostError(reason, code="link_lost", retryable=True) from error
        raise


async def _land(pipe: Pipe, kit: Kit, name: str, keepalive: Keepalive) -> Link:
    lines = Lines(pipe)
    word = await lines.skip_noise(lambda line: _answer(line, kit.nonce))
    if word == "need":
        await pipe.write(kit.content)
    elif word != "have":
        raise _refusal(word, name, await pipe.epitaph())

    def greeting(line: bytes) -> Hello | str | None:
        return parse_hello(line) or _answer(line, kit.nonce)

    hello: Hello | str | None = await lines.skip_noise(greeting)
    if hello is None or isinstance(hello, str):
        raise _refusal(hello, name, await pipe.epitaph())
    return Link(pipe, hello, lines=lines, name=name, keepalive=keepalive)


def _answer(line: bytes, nonce: str) -> str | None:
    mark = f"aitask {nonce} ".encode()
    return line.removeprefix(mark).decode(errors="replace").strip() if line.startswith(mark) else None


def _silent(name: str) -> HostError:
    return HostError(
        f"{name} let us in, but its shell did not answer within {LAND_SECONDS:g} s.",
        "Look for start-up files (.bashrc, config.fish) that wait for input.",
        code="timeout",
        retryable=True,
    )


def _refusal(word: str | None, name: str, last_words: str) -> HostError:
    """Why hostkit did not start."""
    kind, _, detail = (word or "").partition(" ")
    if kind == "nopython" and detail:
        reason = f"{name} has only an old Python: {detail}."
        return HostError(reason, "Install Python 3.8 or newer there as python3.", code="no_python")
    if kind == "nopython":
        return HostError(f"{name} has no python3.", "Install Python 3.8 or newer there.", code="no_python")
    if kind == "failed":
        reason = f"{name} could not keep our helper: {detail}."
        hint = "Check that the home folder there can be written to and is not full."
        return HostError(reason, hint, code="remote_failed")
    said = f": {last_words}" if last_words else ""
    return HostError(
        f"{name} let us in, but its shell did not run our command{said}.",
        "Check the account's login shell: `ssh HOST true` must work.",
        code="remote_failed",
        retryable=True,
    )
