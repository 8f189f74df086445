"""A machine as an ssh configuration describes it."""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workspaces.hosts.errors import HostError

UNSAFE = re.compile(r"""[\s'"`$\\;&<>|(){}]|[^\x20-\x7e]""")
"""Characters that OpenSSH refuses in names, too: a ProxyCommand's shell could interpret them."""
JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@/]+)@)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/]+))(?::(?P<port>\d+))?/?"
)
PROGRAM_DATA = "__PROGRAMDATA__"
"""What `ssh -G` on Windows prints for the folder of settings for all users."""
Options = dict[str, list[str]]


@dataclass(frozen=True)
class Name:
    """What the user types after `ssh`, or one hop of a ProxyJump."""

    alias: str
    user: str = ""
    port: int | None = None


@dataclass(frozen=True)
class SshTarget:
    """One machine as the configuration describes it. `options` has all options, by names in lower case."""

    alias: str
    host: str
    port: int
    user: str
    options: Mapping[str, list[str]]

    def first(self, option: str, default: str = "") -> str:
        """Return the first value of an option; "none" counts as not set."""
        value = (self.options.get(option) or [""])[0]
        return default if value.lower() in {"", "none"} else value

    def flag(self, option: str) -> bool:
        return self.first(option).lower() in {"yes", "true"}

    def number(self, option: str, default: float) -> float:
        try:
            return float(self.first(option)) or default
        except ValueError:
            return default

    def algorithms(self, option: str) -> list[str]:
        return self.first(option).split(",") if self.first(option) else []

    @property
    def jumps(self) -> list[Name]:
        """The hops of its ProxyJump, in order."""
        return [parse_jump(part) for part in self.first("proxyjump").split(",") if part]

    def paths(self, option: str) -> list[Path]:
        """Return the existing files of an option, with tokens and ~ replaced. A value may list several."""
        values = [self.expand(value) for value in self.options.get(option, [])]
        return [path for value in values for path in existing_files(value)]

    def expand(self, text: str) -> str:
        """Replace the %-tokens of ssh_config."""
        tokens = self._tokens()
        return re.sub(r"%(.)", lambda found: tokens.get(found[1], found[0]), text)

    def _tokens(self) -> dict[str, str]:
        full, port = socket.gethostname(), str(self.port)
        jump = self.first("proxyjump")
        return {
            "%": "%",
            "C": hashlib.sha1(f"{full}{self.host}{port}{self.user}{jump}".encode()).hexdigest(),  # noqa: S324
            "d": str(home()),
            "h": self.host,
            "i": str(os.getuid()) if hasattr(os, "getuid") else "",
            "j": jump,
            "k": self.first("hostkeyalias", self.host),
            "L": full.split(".")[0],
            "l": full,
            "n": self.alias,
            "p": port,
            "r": self.user,
            "u": local_user(),
        }


def home() -> Path:
    """Return the home folder that ssh uses: the account's, not $HOME."""
    try:
        import pwd
    except ImportError:
        return Path.home()
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def local_user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def from_home(text: str) -> Path:
    """Return the path, with ~ expanded like ssh does, and the token that Windows' ssh prints for a folder."""
    if text.startswith("~/") or (os.name == "nt" and text.startswith("~\\")):
        return home() / text[2:]
    machine = os.environ.get("PROGRAMDATA")
    return Path(text.replace(PROGRAM_DATA, machine, 1) if machine else text)


def existing_files(value: str) -> list[Path]:
    """Return the existing files of a list. It is separated by spaces, which names may contain too."""
    parts = value.split(" ")
    found: list[Path] = []
    while parts:
        for count in range(len(parts), 0, -1):
            path = from_home(" ".join(parts[:count]))
            if path.is_file():
                found.append(path)
                break
        parts = parts[count:]
    return found


def parse_jump(text: str) -> Name:
    """Parse one hop of a ProxyJump: host, user@host:port, [::1]:22 or ssh://user@host:port."""
    found = JUMP.fullmatch(text.strip())
    if not found:
        raise config_error(f"ProxyJump {text!r} is not valid.")
    return Name(
        found["six"] or found["host"], found["user"] or "", int(found["port"]) if found["port"] else None
    )


def config_error(reason: str, hint: str = "Correct your ssh configuration.") -> HostError:
    return HostError(reason, hint, code="config")


def check_name(name: Name) -> None:
    """Refuse names that ssh would take for an option, or a shell for a command."""
    for text in (name.alias, name.user):
        if text.startswith("-") or UNSAFE.search(text):
            raise config_error(
                f"{text!r} is not a valid name of a host or user.", "Use an alias of your ssh configuration."
            )


def target_of(name: Name, options: Options) -> SshTarget:
    """Return the machine that resolved options describe."""
    bare = SshTarget(name.alias, name.alias, 22, "", options)
    target = SshTarget(
        name.alias,
        bare.first("hostname", name.alias),
        int(bare.first("port", "22")),
        bare.first("user", local_user()),
        options,
    )
    check_name(Name(target.host, target.user))
    return target
