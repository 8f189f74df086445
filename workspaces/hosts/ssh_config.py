"""Resolve `ssh ALIAS` on this machine, with `ssh -G`."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

from workspaces.hosts.ssh_target import Name, Options, SshTarget, check_name, config_error, target_of

RESOLVE_SECONDS = 20.0


def parse(text: str) -> Options:
    """Parse the output of `ssh -G`: option → values in their order."""
    options: Options = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        options.setdefault(name.lower(), []).append(value.strip())
    return options


def program() -> str | None:
    """Return the path of ssh. On Windows its own one comes first: Git Bash's prints paths like `/c/Users`."""
    if os.name == "nt":
        own = Path(os.environ.get("SYSTEMROOT", r"C:\Windows"), "System32", "OpenSSH", "ssh.exe")
        if own.is_file():
            return str(own)
    return shutil.which("ssh")


async def resolve(name: Name, config: str) -> SshTarget:
    """Return what ssh would connect to. `config` is a file to use instead of the user's own, or empty."""
    check_name(name)
    if config and not Path(config).is_file():
        raise config_error(f"There is no file {config}.", "Correct the setting SSH_CONFIG.")
    ssh = program()
    if ssh is None:
        from workspaces.hosts import ssh_config_fallback  # imports asyncssh, which takes long

        return ssh_config_fallback.read(name, config)
    options = parse(await _ask_ssh(ssh, name, config))
    return target_of(name, options)


async def _ask_ssh(ssh: str, name: Name, config: str) -> str:
    argv = [ssh, "-G"]
    argv += ["-F", config] if config else []
    argv += ["-l", name.user] if name.user else []
    argv += ["-p", str(name.port)] if name.port else []
    process = await asyncio.create_subprocess_exec(
        *argv,
        "--",
        name.alias,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise config_error(
            f"ssh did not resolve {name.alias} within {RESOLVE_SECONDS:g} s.",
            "Check your ssh configuration for a slow `Match exec`.",
        ) from None
    if process.returncode:
        lines = err.decode(errors="replace").strip().splitlines()
        raise config_error(
            f"ssh does not accept its configuration: {lines[0] if lines else 'no reason given'}."
        )
    return out.decode(errors="surrogateescape")
