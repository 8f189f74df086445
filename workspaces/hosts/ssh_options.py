"""Converts the configuration of a target to asyncssh's options."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from asyncssh.encryption import get_encryption_algs
from asyncssh.kex import get_kex_algs
from asyncssh.mac import get_mac_algs
from asyncssh.public_key import get_certificate_algs, get_public_key_algs

from workspaces.hosts.link import Keepalive
from workspaces.hosts.ssh_host_keys import KnownKeys
from workspaces.hosts.ssh_login import agent_path
from workspaces.hosts.ssh_target import SshTarget

CONNECT_SECONDS, LOGIN_SECONDS = 15.0, 30.0
FAST_CIPHER = "aes128-gcm@openssh.com"
CALL_LINE = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1], stderr=subprocess.DEVNULL))"
"""A program that executes its argument as a command line of Windows."""
FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}


def session(target: SshTarget, known: KnownKeys, keepalive: Keepalive) -> dict[str, Any]:
    """Return the options for login and encryption. Empty lists are omitted: asyncssh's defaults apply."""
    key_algorithms = [*get_certificate_algs(), *get_public_key_algs()]
    options = {
        "config": None,
        "username": target.user,
        "agent_path": None,
        "agent_forwarding": forwarded_agent(target),
        "preferred_auth": ("publickey",),
        "login_timeout": LOGIN_SECONDS,
        "keepalive_interval": target.number("serveraliveinterval", keepalive.interval),
        "keepalive_count_max": int(target.number("serveralivecountmax", keepalive.misses)),
        "compression_algs": ["zlib@openssh.com", "none"] if target.flag("compression") else ["none"],
        "server_host_key_algs": known.algorithms(chosen(target, "hostkeyalgorithms", key_algorithms)),
        "encryption_algs": ciphers(target.algorithms("ciphers")),
        "kex_algs": chosen(target, "kexalgorithms", get_kex_algs()),
        "mac_algs": chosen(target, "macs", get_mac_algs()),
        "signature_algs": chosen(target, "pubkeyacceptedalgorithms", get_public_key_algs()),
    }
    return {name: value for name, value in options.items() if value != []}


def connection(target: SshTarget) -> dict[str, Any]:
    """Return the options for connecting without a jump host."""
    options: dict[str, Any] = {
        "connect_timeout": target.number("connecttimeout", CONNECT_SECONDS),
        "family": FAMILIES.get(target.first("addressfamily"), socket.AF_UNSPEC),
    }
    if command := target.first("proxycommand"):
        options["proxy_command"] = proxy_argv(target.expand(command))
    if bind := target.first("bindaddress"):
        options["local_addr"] = (bind, 0)
    return options


def chosen(target: SshTarget, option: str, known: Sequence[bytes]) -> list[str]:
    """Return the algorithms of an option that asyncssh supports."""
    names = {name.decode() for name in known}
    return [name for name in target.algorithms(option) if name in names]


def ciphers(wanted: list[str]) -> list[str]:
    """Return the supported ciphers, with the fastest one first if it is among them."""
    names = {name.decode() for name in get_encryption_algs()}
    return sorted((name for name in wanted if name in names), key=lambda name: name != FAST_CIPHER)


def proxy_argv(command: str) -> list[str]:
    """Return the command line for a ProxyCommand: a shell that executes it, like ssh.

    asyncssh takes standard error for data of the server, and its end for the end of the connection. So
    nothing is written to it, and it is kept open. On Windows ssh uses no shell: it passes the line to the
    system as it is, with its quotes, and so does this.
    """
    if os.name == "nt":
        return [sys.executable, "-c", CALL_LINE, command]
    return ["sh", "-c", f"exec 9>&2 2>/dev/null; exec {command}"]


def forwarded_agent(target: SshTarget) -> bool | str:
    """Return the agent's socket if ForwardAgent is set, else False."""
    value = target.first("forwardagent", "no")
    if value in {"no", "false"}:
        return False
    if value in {"yes", "true"}:
        return agent_path(target) or False
    return os.environ.get(value.strip("${}"), "") if value.startswith("$") else target.expand(value)
