"""Explains each failure of an SSH connection: what happened, and what to do about it."""

from __future__ import annotations

import socket

import asyncssh

from aitask.lib.shell import command_line
from workspaces.hosts.errors import HostError
from workspaces.hosts.ssh_host_keys import HostKeyPolicy
from workspaces.hosts.ssh_login import Keys
from workspaces.hosts.ssh_target import SshTarget

TRANSIENT = (ConnectionResetError, BrokenPipeError, asyncssh.ConnectionLost)
"""The errors of a server with too many pending logins (MaxStartups)."""


def explain(error: Exception, target: SshTarget, policy: HostKeyPolicy, keys: Keys) -> HostError:
    """Return the HostError for an exception that connecting to the target has raised."""
    if policy.refusal:
        return policy.refusal
    if isinstance(error, asyncssh.PermissionDenied):
        return _denied(error, target, keys)
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return _untrusted(error, target)
    if isinstance(error, asyncssh.ChannelOpenError):
        return _not_forwarded(error, target)
    if isinstance(error, TRANSIENT) and target.first("proxycommand") and not target.jumps:
        return _proxy_ended(target)
    if isinstance(error, asyncssh.Error):
        return _broken(error, target)
    return _no_network(error, target)


def _denied(error: asyncssh.PermissionDenied, target: SshTarget, keys: Keys) -> HostError:
    who = f"{target.user}@{target.alias}"
    if keys.locked:
        path = keys.locked[0]
        return HostError(
            f"{who} was refused: the key {path} needs its passphrase.",
            "Add it to the ssh agent of the account that the app runs under: "
            f"{command_line('ssh-add', str(path))}",
            code="passphrase",
        )
    tried = f"{len(keys.pairs)} keys were refused" if keys.pairs else "there is no key to log in with"
    if "too many" in str(error).lower():
        hint = "The ssh agent has many keys: set the right one with IdentityFile and IdentitiesOnly yes."
    else:
        hint = (
            f"Try `{command_line('ssh', target.alias)}` in a terminal. "
            f"`{command_line('ssh-copy-id', target.alias)}` installs your key there."
        )
    return HostError(f"{who} was refused: {tried}.", hint, code="auth")


def _untrusted(error: asyncssh.HostKeyNotVerifiable, target: SshTarget) -> HostError:
    return HostError(
        f"ALARM: {target.alias} presents a host key that must not be trusted: {error.reason}.",
        "Ask the machine's administrator. Do not work around this.",
        code="host_key_changed",
    )


def _not_forwarded(error: asyncssh.ChannelOpenError, target: SshTarget) -> HostError:
    return HostError(
        f"The jump host could not reach {target.host} port {target.port}: {error.reason}.",
        "Check HostName and Port, and that the machine is up.",
        code="unreachable",
        retryable=True,
    )


def _proxy_ended(target: SshTarget) -> HostError:
    command = target.expand(target.first("proxycommand"))
    return HostError(
        f"The ProxyCommand of {target.alias} ended before the login: {command}.",
        f"Try it in a terminal: {command_line('ssh', '-v', target.alias)}",
        code="unreachable",
        retryable=True,
    )


def _broken(error: asyncssh.Error, target: SshTarget) -> HostError:
    if isinstance(error, TRANSIENT):
        return reset(target)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        hint = "The server offers only algorithms that the app does not support. Update the server."
        return HostError(
            f"No common encryption algorithm with {target.alias}: {error.reason}.", hint, code="config"
        )
    return HostError(
        f"{target.alias} ended the connection: {error.reason}.", code="unreachable", retryable=True
    )


def reset(target: SshTarget) -> HostError:
    """Return the error of a server that closed every connection before the login."""
    return HostError(
        f"{target.alias} closed the connection before the login.",
        "It may have too many pending logins (MaxStartups), or a firewall blocks it. The app will try again.",
        code="reset",
        retryable=True,
    )


def _no_network(error: Exception, target: SshTarget) -> HostError:
    where = f"{target.host} port {target.port}"
    if isinstance(error, socket.gaierror):
        return HostError(
            f"The name {target.host} can't be resolved.",
            f"Check HostName of {target.alias} in your ssh configuration, and your network.",
            code="dns",
            retryable=True,
        )
    if isinstance(error, ConnectionRefusedError):
        hint = "The machine is up, but no SSH server listens there. Check Port, or start sshd."
        return HostError(f"{where} refused the connection.", hint, code="refused", retryable=True)
    if isinstance(error, TRANSIENT):
        return reset(target)
    if isinstance(error, TimeoutError):
        hint = "Check that the machine is up, and whether you need a VPN to reach it."
        return HostError(f"{where} did not answer in time.", hint, code="timeout", retryable=True)
    reason = str(error) or type(error).__name__
    return HostError(f"{where} can't be reached: {reason}.", code="unreachable", retryable=True)
