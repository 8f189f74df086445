"""Verification of host keys: known, unknown and changed ones. The user's files are never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import asyncssh

from aitask.lib.shell import command_line
from workspaces.hosts.errors import HostError
from workspaces.hosts.ssh_target import SshTarget

CERTIFICATE = "-cert-"
ALARM_HINT = (
    "The connection may be intercepted. Ask the machine's administrator whether its key was changed. Only"
    " then remove the old line: "
)


@dataclass(frozen=True)
class KnownKeys:
    """The known keys of one machine."""

    name: str
    "Its name in known_hosts."
    trusted: list[asyncssh.SSHKey]
    tolerated: list[asyncssh.SSHKey]
    "Keys known for the host without its port: accepted if they match, no alarm if they don't."
    authorities: list[asyncssh.SSHKey]
    revoked: list[asyncssh.SSHKey]

    @classmethod
    def of(cls, target: SshTarget, accepted: Iterable[str]) -> KnownKeys:
        """Read the files that ssh would read, and the lines that the user has accepted here."""
        hosts = read_all([*_lines(target), *accepted])
        name = known_name(target)
        exact = hosts.match(name, "", None)
        plain = hosts.match(target.host.lower(), "", None) if name.startswith("[") else ((), (), ())
        revoked = [*exact[2], *plain[2], *_revoked(target)]
        return cls(name, list(exact[0]), list(plain[0]), [*exact[1], *plain[1]], revoked)

    def algorithms(self, wanted: list[str]) -> list[str]:
        """Return the algorithms to offer: known types first, certificates only for a known authority."""
        known = {alg.decode() for key in [*self.trusted, *self.tolerated] for alg in key.sig_algorithms}
        fit = [name for name in wanted if self.authorities or CERTIFICATE not in name]
        return sorted(fit, key=lambda name: (CERTIFICATE not in name, name not in known))

    def refusal(self, target: SshTarget, key: asyncssh.SSHKey) -> HostError:
        """Return the error for a key that is not known."""
        fingerprint, algorithm = key.get_fingerprint("sha256"), key.get_algorithm()
        data = {
            "fingerprint": fingerprint,
            "algorithm": algorithm,
            "line": f"{self.name} {' '.join(key.export_public_key().decode().split()[:2])}",
            "host": target.alias,
        }
        if self.trusted:
            return HostError(
                f"ALARM: {target.alias} presents a different host key now: {algorithm} {fingerprint}.",
                f"{ALARM_HINT}{command_line('ssh-keygen', '-R', self.name)}",
                code="host_key_changed",
                data=data,
            )
        return HostError(
            f"The host key of {target.alias} is not known yet: {algorithm} {fingerprint}.",
            "Compare the fingerprint with the one that ssh-keygen -lf prints there, then accept the key.",
            code="host_key_unknown",
            data=data,
        )


class HostKeyPolicy(asyncssh.SSHClient):
    """Refuses every unknown key, and keeps the reason."""

    def __init__(self, target: SshTarget, known: KnownKeys) -> None:
        self._target = target
        self._known = known
        self.refusal: HostError | None = None
        self.lost: Exception | None = None

    def validate_host_public_key(self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey) -> bool:
        if key in self._known.tolerated:
            return True
        self.refusal = self._known.refusal(self._target, key)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = exc


def known_name(target: SshTarget) -> str:
    """Return the machine's name in known_hosts: HostKeyAlias, else the host, with a port other than 22."""
    alias = target.first("hostkeyalias")
    if alias:
        return alias.lower()
    host = target.host.lower()
    return host if target.port == 22 else f"[{host}]:{target.port}"


def read_all(lines: Iterable[str]) -> asyncssh.SSHKnownHosts:
    """Parse all valid lines; ssh skips the others, too."""
    every = list(lines)
    try:
        return asyncssh.import_known_hosts("\n".join(every))
    except ValueError:
        return asyncssh.import_known_hosts("\n".join(filter(_is_valid, every)))


def _is_valid(line: str) -> bool:
    try:
        asyncssh.import_known_hosts(line)
    except ValueError:
        return False
    return True


def _lines(target: SshTarget) -> Iterable[str]:
    for option in ("userknownhostsfile", "globalknownhostsfile"):
        for path in target.paths(option):
            yield from path.read_text(errors="replace").splitlines()


def _revoked(target: SshTarget) -> list[asyncssh.SSHKey]:
    keys: list[asyncssh.SSHKey] = []
    for path in target.paths("revokedhostkeys"):
        if path.read_bytes().startswith(b"SSHKRL"):
            raise HostError(
                f"RevokedHostKeys {path} is a binary list, which is not supported.",
                "Use a text file of public keys instead.",
                code="config",
            )
        keys += asyncssh.read_public_key_list(path)
    return keys
