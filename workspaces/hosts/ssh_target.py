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
"""As OpenSSH itself refuses them in names: they could get into a ProxyCommand's shell."""
JUMP = re.compile(
    r"(?:ssh://)?(?:(?P<user>[^@/]+)@)?(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/]+))(?::(?P<port>\d+))?/?"
)
Options = dict[str, list[str]]


@dataclass(frozen=True)
class Name:
    """What a person types after `ssh`, or one hop of a ProxyJump."""

    alias: str
    user: str = ""
    port: int | None = None


@dataclass(frozen=True)
class SshTarget:
    """One machine as the configuration describes it. `options` holds the rest, by names in lower case."""

    alias: str
    host: str
    port: int
    user: str
    options: Mapping[str, list[str]]

    def first(self, option: str, default: str = "") -> str:
        """The value of an option; "none" counts as not given."""
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
        """The hops of its ProxyJump, the first one first."""
        return [parse_jump(part) for part in self.first("proxyjump").split(",") if part]

    def paths(self, option: str) -> list[Path]:
        """The files of an option that exist, tokens and ~ replaced; one line may hold several."""
        given = [self.expand(value) for value in self.options.get(option, [])]
        return [path for value in given for path in existing_files(value)]

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
    """The home folder that ssh uses: the one of the account, whatever HOME says."""
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
    """The path, with ~ as ssh understands it."""
    return home() / text[2:] if text.startswith("~/") else Path(text)


def existing_files(value: str) -> list[Path]:
    """The files that a list separated by spaces names; ssh -G does not quote, so spaces may be in a name."""
    words = value.split(" ")
    found: list[Path] = []
    while words:
        for count in range(len(words), 0, -1):
            path = from_home(" ".join(words[:count]))
            if path.is_file():
                found.append(path)
                break
        words = words[count:]
    return found


def parse_jump(text: str) -> Name:
    """One hop of a ProxyJump: host, user@host:port, [::1]:22 or ssh://user@host:port."""
    found = JUMP.fullmatch(text.strip())
    if not found:
        raise config_error(f"ProxyJump {text!r} can't be understood.")
    return Name(
        found["six"] or found["host"], found["user"] or "", int(found["port"]) if found["port"] else None
    )


def config_error(reason: str, hint: str = "Correct your ssh configuration.") -> HostError:
    return HostError(reason, hint, code="config")


def check_name(name: Name) -> None:
    """Refuse names that ssh would take for an option or a shell for a command."""
    for word in (name.alias, name.user):
        if word.startswith("-") or UNSAFE.search(word):
            raise config_error(
                f"{word!r} can't be the name of a host or user.", "Give an alias of your ssh config."
            )


def target_of(name: Name, options: Options) -> SshTarget:
    """The machine that resolved options describe."""
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
