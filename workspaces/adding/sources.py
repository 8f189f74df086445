"""Addresses that can be cloned: only those that git reaches by https, http or ssh, without a password."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from workspaces.git import GitError

MAX_LENGTH = 2000
SCHEMES = ("https", "http", "ssh")
SHORT = re.compile(r"(?:(?P<user>[\w.+-]+)@)?(?P<host>\w[\w.-]*):(?P<path>[^:].*)")
"""An address as scp has it, such as git@example.org:team/shop.git."""
HOST = re.compile(r"\w[\w.-]*|\[[0-9A-Fa-f:.]+\]")
FORMS = "Use an address such as https://example.org/team/shop.git or git@example.org:team/shop.git."


def checked(url: str) -> str:
    """Return the address without spaces around it. Raises GitError unless git may clone it.

    Other transports could run programs (ext::) or read folders of the host (file).
    """
    url = url.strip()
    if not url:
        raise _refused("Enter the address of the repository.")
    if len(url) > MAX_LENGTH or not url.isprintable() or " " in url or url.startswith("-"):
        raise _refused("This is not the address of a repository.")
    if "://" in url:
        _check_parts(url)
    elif not SHORT.fullmatch(url):
        raise _refused("This is not the address of a repository on a server.")
    return url


def name_of(url: str) -> str:
    """Return the name that git would give to the clone's folder; empty if it has none."""
    name = re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")
    return name if re.fullmatch(r"[\w.+-]+", name) and name.strip(".") else ""


def ssh_name(url: str) -> str:
    """Return what to type after `ssh` to log in to the address's server; empty for other transports."""
    if "://" not in url:
        return url.partition(":")[0]
    parts = urlsplit(url)
    if parts.scheme != "ssh" or not parts.hostname:
        return ""
    return f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname


def _check_parts(url: str) -> None:
    try:
        parts = urlsplit(url)
        host, password = parts.netloc.rpartition("@")[2], parts.password
        _ = parts.port
    except ValueError:
        raise _refused("This is not the address of a repository.") from None
    if parts.scheme not in SCHEMES:
        raise _refused(f"Repositories can't be cloned by {parts.scheme} here.")
    if not HOST.fullmatch(re.sub(r":\d*$", "", host)) or (parts.username or "").startswith("-"):
        raise _refused("This address has no valid server.")
    if password or (parts.username and parts.scheme != "ssh"):
        raise GitError(
            "The address contains a login. git would keep it in the repository, where agents can read it.",
            "Use an SSH key, or a credential helper of git on the host.",
            code="bad_url",
        )


def _refused(reason: str) -> GitError:
    return GitError(reason, FORMS, code="bad_url")
