"""The keys to log in with, in the order in which ssh tries them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from workspaces.hosts.ssh_agent_pipe import AgentPipe
from workspaces.hosts.ssh_target import SshTarget, from_home


@dataclass
class Keys:
    """The usable keys, and those that need a passphrase."""

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    locked: list[Path] = field(default_factory=list)
    "Key files that need a passphrase and are not in the agent."
    agent: asyncssh.SSHAgentClient | None = None

    def close(self) -> None:
        if self.agent:
            self.agent.close()


def agent_path(target: SshTarget) -> str:
    """Return the agent's socket; empty if there is none."""
    value = target.first("identityagent", "SSH_AUTH_SOCK")
    if (target.options.get("identityagent") or [""])[0].lower() == "none":
        return ""
    if value == "SSH_AUTH_SOCK" or value.startswith("$"):
        default = r"\\.\pipe\openssh-ssh-agent" if os.name == "nt" else ""
        return os.environ.get(value.strip("${}"), default)
    return str(from_home(target.expand(value)))


async def load(target: SshTarget) -> Keys:
    """Return the agent's keys that the configuration names, then its other keys, then key files."""
    keys = Keys()
    agent_pairs = await _agent_pairs(target, keys)
    files = target.paths("identityfile")
    certificates = [str(path) for path in target.paths("certificatefile")]
    named = {public for path in files if (public := _public_data(path))}
    keys.pairs += [pair for pair in agent_pairs if pair.public_data in named]
    if not target.flag("identitiesonly"):
        keys.pairs += [pair for pair in agent_pairs if pair.public_data not in named]
    in_agent = {pair.public_data for pair in keys.pairs}
    for path in files:
        if _public_data(path) not in in_agent:
            _add_file(keys, path, certificates)
    return keys


async def _agent_pairs(target: SshTarget, keys: Keys) -> Sequence[asyncssh.SSHKeyPair]:
    path = agent_path(target)
    if not path:
        return []
    try:
        keys.agent = await asyncssh.connect_agent(AgentPipe(path) if os.name == "nt" else path)
        return await keys.agent.get_keys()
    except (OSError, ValueError, asyncssh.Error):
        return []  # a missing agent is no failure: there may be key files


def _add_file(keys: Keys, path: Path, certificates: list[str]) -> None:
    try:
        keys.pairs += asyncssh.load_keypairs([str(path)], certlist=certificates)
    except (OSError, ValueError) as error:
        if "passphrase" in str(error).lower():
            keys.locked.append(path)


def _public_data(path: Path) -> bytes | None:
    """Return the public key of a key file; None if it can't be read without a passphrase."""
    for candidate in (path.with_name(f"{path.name}.pub"), path):
        try:
            return asyncssh.read_public_key(str(candidate)).public_data
        except (OSError, ValueError):
            continue
    return None
