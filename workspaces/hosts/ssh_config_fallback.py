"""Read the ssh configuration with asyncssh where `ssh` is not installed, in the form of `ssh -G`."""

from __future__ import annotations

import codecs
import locale
import os
from pathlib import Path
from typing import Any

from asyncssh.config import ConfigParseError, SSHClientConfig

from workspaces.hosts.errors import HostError
from workspaces.hosts.ssh_target import Name, Options, SshTarget, home, local_user, target_of

DEFAULT_KEYS = ("id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk")
EXPANDED = {"certificatefile", "forwardagent", "identityagent", "identityfile", "proxycommand"}
"""Options in which asyncssh has replaced the tokens already."""


BOMS = {"\ufeff", codecs.BOM_UTF8.decode(locale.getpreferredencoding(False), "replace").lower()}
"""The mark that some editors write before the first word of a file, as asyncssh reads it."""


class Configuration(SSHClientConfig):
    """Knows the first word of a file also with a byte order mark: a `Host` line must not be overlooked."""

    _conditionals = {
        *SSHClientConfig._conditionals,
        *(f"{bom}{word}" for bom in BOMS for word in ("host", "match")),
    }
    _handlers = {
        **SSHClientConfig._handlers,
        **{f"{bom}{word}": known for bom in BOMS for word, known in SSHClientConfig._handlers.items()},
    }


def read(name: Name, config: str) -> SshTarget:
    """Return the target, from `config` or the usual files. Raises HostError with file and line."""
    files = [Path(config)] if config else usual_files()
    known = (local_user(), name.user or (), name.alias, name.port or ())
    try:
        found = Configuration.load(None, files, False, False, False, *known)
        if found.has_match_final():
            found = Configuration.load(found, files, True, False, True, *known)
    except (ConfigParseError, OSError, UnicodeError) as error:
        raise HostError(
            f"The ssh configuration can't be read: {error}.",
            "Correct that line, or install OpenSSH's ssh, which is more lenient.",
            code="config",
        ) from error
    return target_of(name, in_form_of_ssh(found.get_options(False)))


def usual_files() -> list[Path]:
    """Return the user's and the machine's configuration files that exist."""
    files = (home() / ".ssh" / "config", folder_for_all_users() / "ssh_config")
    return [path for path in files if path.is_file()]


def folder_for_all_users() -> Path:
    machine = os.environ.get("PROGRAMDATA")
    return Path(machine) / "ssh" if machine else Path("/etc/ssh")


def in_form_of_ssh(found: dict[str, Any]) -> Options:
    """Return the options as `ssh -G` would print them, with the defaults that the app needs."""
    folder, machine = home() / ".ssh", folder_for_all_users()
    options: Options = {
        "identityfile": [str(folder / key) for key in DEFAULT_KEYS],
        "userknownhostsfile": [str(folder / "known_hosts"), str(folder / "known_hosts2")],
        "globalknownhostsfile": [str(machine / "ssh_known_hosts"), str(machine / "ssh_known_hosts2")],
    }
    for option, value in found.items():
        values = value if isinstance(value, list | tuple) else [value]
        texts = [{True: "yes", False: "no", None: "none"}.get(item, str(item)) for item in values]
        escaped = option.lower() in EXPANDED
        options[option.lower()] = [text.replace("%", "%%") if escaped else text for text in texts]
    return options
