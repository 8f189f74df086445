"""Every way in which an SSH connection fails, in one sentence and with what to do about it."""

from __future__ import annotations

import socket

import asyncssh

from workspaces.hosts.errors import HostError
from workspaces.hosts.ssh_host_keys import Gatekeeper
from workspaces.hosts.ssh_login import Keys
from workspaces.hosts.ssh_target import SshTarget

TRANSIENT = (ConnectionResetError, BrokenPipeError, asyncssh.ConnectionLost)
"""How a server looks that has too many logins under way (MaxStartups)."""


def explain(error: Exception, target: SshTarget, gate: Gatekeeper, keys: Keys) -> HostError:
    """The HostError for whatever connecting to the target has raised."""
    if gate.refusal:
        return gate.refusal
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
            f"Put it into the agent of the account that this server runs under: ssh-add {path}",
            code="passphrase",
        )
    tried = f"{len(keys.pairs)} keys were refused" if keys.pairs else "there is no key to log in with"
    if "too many" in str(error).lower():
        hint = "The agent holds many keys: name the right one with IdentityFile and IdentitiesOnly yes."
    else:
        hint = f"Try `ssh {target.alias}` in a terminal; ssh-copy-id {target.alias} brings your key there."
    return HostError(f"{who} was refused: {tried}.", hint, code="auth")


def _untrusted(error: asyncssh.HostKeyNotVerifiable, target: SshTarget) -> HostError:
    return HostError(
        f"ALARM: {target.alias} shows a host key that must not be trusted: {error.reason}.",
        "Ask whoever runs the machine; do not work around it.",
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
        f"Try it in a terminal: ssh -v {target.alias}",
        code="unreachable",
        retryable=True,
    )


def _broken(error: asyncssh.Error, target: SshTarget) -> HostError:
    if isinstance(error, TRANSIENT):
        return reset(target)
    if isinstance(error, asyncssh.KeyExchangeFailed):
        hint = "The server offers only ciphers or keys that are not supported here; update it."
        return HostError(
            f"{target.alias} and we share no way to encrypt: {error.reason}.", hint, code="config"
        )
    return HostError(
        f"{target.alias} ended the connection: {error.reason}.", code="unreachable", retryable=True
    )


def reset(target: SshTarget) -> HostError:
    """The server hung up before the login, again and again."""
    return HostError(
        f"{target.alias} hung up before the login.",
        "It may have too many logins under way (MaxStartups), or a firewall drops us; it is tried again.",
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
        hint = "The machine is up, but no sshd listens there: check Port, or start sshd."
        return HostError(f"{where} refused the connection.", hint, code="refused", retryable=True)
    if isinstance(error, TRANSIENT):
        return reset(target)
    if isinstance(error, TimeoutError):
        hint = "Is the machine up, and do you need a VPN to reach it?"
        return HostError(f"{where} did not answer in time.", hint, code="timeout", retryable=True)
    reason = str(error) or type(error).__name__
    return HostError(f"{where} can't be reached: {reason}.", code="unreachable", retryable=True)
