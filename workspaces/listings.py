"""What messages can be completed with, kept in the memory of a web process.

A host is asked in the background: whoever completes a word gets the newest known list at once. Lists are
fingerprinted, so that an unchanged one is neither made nor sent again.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from workspaces import hosts
from workspaces.file_index import FileIndex
from workspaces.git.commands import GitError, expand
from workspaces.hostkit import wire
from workspaces.hosts import HostError
from workspaces.hosts.untrusted import fit
from workspaces.models import Workspace
from workspaces.models.model_list import digest_of

FRESH_SECONDS = {"commands": 15.0, "files": 4.0}
"How long a list is taken as it is, before its host is asked whether it has changed."
SHARE_OF_TIME = 20
"A list that takes long to make is asked for less often: at most for one part in so many of the time."
CALL_SECONDS = 40.0
MAX_LISTS, MAX_NAMES = 40, 1_000_000
INSERTED = re.compile(r"[/$][\w:.-]+\Z")
"Commands and skills as messages have them. A host that an agent controls could send anything."
MAX_CALLS = 6
"Calls to hosts at once."


class Source(NamedTuple):
    """What is listed: a worktree (`commit` is empty), or a branch of a repository."""

    kind: str
    host: str
    path: str
    commit: str
    backend: str = ""
    environment: str = ""


@dataclass(frozen=True)
class Listing:
    """The newest known list. It is pending until the host has answered for the first time."""

    commands: tuple[wire.OfferedCommand, ...] = ()
    files: FileIndex = field(default_factory=lambda: FileIndex([]))
    left_out: int = 0
    fingerprint: str = ""
    error: str = ""
    pending: bool = True
    fetched: float = 0.0
    seconds: float = 0.0

    def is_fresh(self, kind: str) -> bool:
        age = time.monotonic() - self.fetched
        return not self.pending and age < max(FRESH_SECONDS[kind], self.seconds * SHARE_OF_TIME)


Fetch = Callable[[Listing], Listing]


class Listings:
    """Lists by source. Old ones are forgotten."""

    def __init__(self) -> None:
        self._known: OrderedDict[Source, Listing] = OrderedDict()
        self._busy: set[Source] = set()
        self._lock = threading.Lock()

    def get(self, source: Source, fetch: Fetch) -> Listing:
        """Return what is known at once; let `fetch` renew it in the background if it is old."""
        with self._lock:
            known = self._known.get(source, Listing())
            if source in self._known:
                self._known.move_to_end(source)
            if known.is_fresh(source.kind) or source in self._busy or len(self._busy) >= MAX_CALLS:
                return known
            self._busy.add(source)
        threading.Thread(target=self._renew, args=(source, known, fetch), daemon=True).start()
        return known

    def _renew(self, source: Source, known: Listing, fetch: Fetch) -> None:
        started = time.monotonic()
        try:
            listing = fetch(known)
        except (HostError, GitError) as error:
            listing = replace(known, error=str(error))
        except Exception as error:  # a list that can't be read must not be asked for at every key
            listing = replace(known, error=f"The list could not be read: {type(error).__name__}.")
        now = time.monotonic()
        with self._lock:
            self._busy.discard(source)
            self._known[source] = replace(listing, pending=False, fetched=now, seconds=now - started)
            self._known.move_to_end(source)
            while len(self._known) > 1 and self._is_too_much():
                self._known.popitem(last=False)

    def _is_too_much(self) -> bool:
        names = sum(len(listing.files) for listing in self._known.values())
        return len(self._known) > MAX_LISTS or names > MAX_NAMES


_listings = Listings()


def commands_of(workspace: Workspace, backend: str, *, path: str, commit: str) -> Listing:
    """Return the commands and skills of a CLI in a worktree, or in a branch of the repository."""
    address, environment = workspace.address, dict(workspace.environment)
    source = Source("commands", address.key, path, commit, backend, digest_of(environment))

    def fetch(known: Listing) -> Listing:
        host = hosts.get(address)
        params: wire.CommandsParams = {
            "backend": backend,
            "path": expand(host, path),
            "commit": commit,
            "known": known.fingerprint,
            "environment": environment,
        }
        answer = fit(host.call("commands", params, timeout=CALL_SECONDS), wire.CommandsAnswer)
        if answer["unchanged"]:
            return replace(known, error="")
        if answer["error"]:
            return replace(known, error=answer["error"])
        items = tuple(item for item in answer["items"] if INSERTED.match(item["insert"]))
        return Listing(commands=items, left_out=answer["left_out"], fingerprint=answer["fingerprint"])

    return _listings.get(source, fetch)


def files_of(workspace: Workspace, *, path: str, commit: str) -> Listing:
    """Return the files of a worktree, or of a branch of the repository, without ignored ones."""
    address = workspace.address
    source = Source("files", address.key, path, commit)

    def fetch(known: Listing) -> Listing:
        host = hosts.get(address)
        params: wire.ListFilesParams = {
            "path": expand(host, path),
            "commit": commit,
            "known": known.fingerprint,
        }
        answer = fit(host.call("list_files", params, timeout=CALL_SECONDS), wire.ListedFiles)
        if answer["unchanged"]:
            return replace(known, error="")
        names = [name for name in answer["names"] if name.isprintable()]
        left_out = answer["left_out"] + len(answer["names"]) - len(names)
        return Listing(files=FileIndex(names), left_out=left_out, fingerprint=answer["digest"])

    return _listings.get(source, fetch)


def forget_all() -> None:
    """Forget all lists, for tests."""
    global _listings
    _listings = Listings()
