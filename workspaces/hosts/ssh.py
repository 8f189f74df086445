"""A machine reached by SSH: one connection through its jump hosts, and one channel to hostkit."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncssh
from django.conf import settings

from workspaces.hosts import ssh_errors, ssh_login, ssh_options
from workspaces.hosts.address import Address
from workspaces.hosts.bootstrap import Kit, start_hostkit
from workspaces.hosts.errors import HostError
from workspaces.hosts.link import Keepalive, Link
from workspaces.hosts.ssh_config import resolve
from workspaces.hosts.ssh_host_keys import HostKeyPolicy, KnownKeys
from workspaces.hosts.ssh_light import lighten
from workspaces.hosts.ssh_target import Name, SshTarget, config_error

SESSION_SECONDS = 30.0
MAX_HOPS = 8
ATTEMPTS = 4
CHUNK = 1 << 18


@dataclass
class Chain:
    """The connections to a host, through its jump hosts; the last one is the host's own."""

    accepted: Sequence[str]
    keepalive: Keepalive
    connections: list[asyncssh.SSHClientConnection] = field(default_factory=list)
    policy: HostKeyPolicy | None = None
    "The policy of the last connection."

    async def connect(self, target: SshTarget, jumps: list[Name] | None = None, depth: int = 0) -> None:
        """Connect to the target, hop by hop. `jumps` replaces the hops of its configuration."""
        if depth > MAX_HOPS:
            raise config_error(f"ProxyJump has more than {MAX_HOPS} hops, or is circular.")
        hops = target.jumps if jumps is None else jumps
        if hops:
            # Like ssh: the last hop is reached through those before it, else by its own configuration.
            via = await resolve(hops[-1], settings.SSH_CONFIG)
            await self.connect(via, hops[:-1] or None, depth + 1)
        tunnel = self.connections[-1] if hops else None
        self.connections.append(await self._connect(target, tunnel))

    async def _connect(
        self, target: SshTarget, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        """Connect one hop. Try again after a reset, which a server with too many pending logins sends."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._connect_once(target, tunnel)
            except HostError as error:
                if error.code != "reset" or attempt == ATTEMPTS - 1:
                    raise
                await asyncio.sleep(random.uniform(0.2, 0.6) * 2**attempt)  # noqa: S311
        raise AssertionError("unreachable")

    async def _connect_once(
        self, target: SshTarget, tunnel: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        known = KnownKeys.of(target, self.accepted)
        policy = self.policy = HostKeyPolicy(target, known)
        keys = await ssh_login.load(target)
        options = {"tunnel": tunnel} if tunnel else ssh_options.connection(target)
        try:
            connection = await asyncssh.connect(
                target.host,
                target.port,
                client_factory=lambda: policy,
                known_hosts=(known.trusted, known.authorities, known.revoked),
                client_keys=keys.pairs or None,
                **options,
                **ssh_options.session(target, known, self.keepalive),
            )
            return lighten(connection)
        except (OSError, asyncssh.Error, TimeoutError) as error:
            raise ssh_errors.explain(error, target, policy, keys) from error
        except ValueError as error:
            raise config_error(f"Can't connect to {target.alias}: {error}.") from error
        finally:
            keys.close()

    def close(self) -> None:
        """Close the connection to the host first, then those to the jump hosts."""
        for connection in reversed(self.connections):
            connection.abort()


class SshPipe:
    """The standard streams of a process on the host."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes], chain: Chain) -> None:
        self._process = process
        self._chain = chain
        self._error_output = bytearray()
        self._reading = asyncio.create_task(self._read_errors())
        endpoint = chain.connections[0].get_extra_info("socket")
        self.descriptors = frozenset({endpoint.fileno()} if endpoint else ())

    @property
    def connection(self) -> asyncssh.SSHClientConnection:
        """The connection to the host, for further sessions."""
        return self._chain.connections[-1]

    async def read(self) -> bytes:
        try:
            return await self._process.stdout.read(CHUNK)
        except asyncssh.Error as error:
            raise ConnectionError(error.reason) from error

    async def write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except asyncssh.Error as error:
            raise ConnectionError(error.reason) from error

    async def close(self) -> None:
        self._process.close()
        self._chain.close()
        self._reading.cancel()

    async def exit_reason(self) -> str:
        with contextlib.suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(1):
                await asyncio.shield(self._reading)
        lost = self._chain.policy.lost if self._chain.policy else None
        lines = self._error_output.decode(errors="replace").strip().splitlines()
        return str(lost) if lost else lines[-1] if lines else "its shell ended"

    async def _read_errors(self) -> None:
        while chunk := await self._process.stderr.read(CHUNK):
            self._error_output = (self._error_output + chunk)[-4096:]


async def connect(address: Address, kit: Kit, keepalive: Keepalive) -> Link:
    """Connect and start hostkit on the host. Raises HostError with a code for each kind of failure."""
    target = await resolve(Name(address.alias, address.user), settings.SSH_CONFIG)
    chain = Chain(address.accepted_keys, keepalive)
    label = address.key.removeprefix("ssh:")
    try:
        await chain.connect(target)
        process = await _open_session(chain, target, kit.remote_command(), label)
    except BaseException:
        chain.close()
        raise
    return await start_hostkit(SshPipe(process, chain), kit, label, keepalive)


async def _open_session(
    chain: Chain, target: SshTarget, command: str, label: str
) -> asyncssh.SSHClientProcess[bytes]:
    try:
        async with asyncio.timeout(SESSION_SECONDS):
            return await chain.connections[-1].create_process(
                command,
                encoding=None,
                request_pty=False,
                env=[value for value in target.options.get("setenv", []) if "=" in value],
                send_env=target.options.get("sendenv", []),
            )
    except asyncssh.ChannelOpenError as error:
        raise HostError(
            f"Logged in to {label}, but it refused a session: {error.reason}.",
            "Its sshd allows too few sessions (MaxSessions), or the account may not run commands.",
            code="max_sessions",
            retryable=True,
        ) from error
    except (asyncssh.Error, OSError, TimeoutError) as error:
        raise HostError(
            f"The link to {label} was lost during setup: {error or 'no answer'}.",
            code="link_lost",
            retryable=True,
        ) from error
