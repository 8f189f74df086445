"""Carries a plan out, and takes it back from wherever it has stopped.

Every move is one system call. `put_back` looks at each file to see what was done to it, so it can follow any
part of `carry_out` and any part of itself.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Collection, List, Optional

from .journal import ReplacedFile, SpotlightJournal
from .names import base, files_below, is_folder, look_at
from .store import Store


def carry_out(journal: SpotlightJournal, store: Store) -> None:
    """Put the new files in place of the old ones. Raises OSError; `put_back` follows then."""
    numbered = list(enumerate(journal.entries))
    for number, entry in numbered:
        if entry.new is None and entry.had:
            store.take(number, entry.path)
    for path, _ in journal.removed:
        _remove_folder(store, path)
    for path in journal.made:
        _make_folder(store, path)
    for number, entry in numbered:
        if entry.new is not None and entry.had:
            store.hold(number, entry.path)
            store.put_over(number, entry.path)
        elif entry.new is not None:
            store.put(number, entry.path)


def edited(journal: SpotlightJournal, store: Store) -> List[ReplacedFile]:
    """Return the entries whose files somebody has changed since they were put."""
    found = []
    for number, entry in enumerate(journal.entries):
        there = look_at(store.top, entry.path)
        if there is None or stat.S_ISDIR(there.st_mode):
            continue
        is_shown = store.has_kept(number) or not entry.had
        if entry.new is not None:
            is_shown = is_shown and store.is_put(number)
        if is_shown and store.mark_at(entry.path) != entry.new:
            found.append(entry)
    return found


def in_the_way(journal: SpotlightJournal, store: Store) -> List[str]:
    """Return what keeps files from going back: folders in their place, and files where a folder was."""
    put = {entry.path for entry in journal.entries if entry.new is not None}
    found: List[str] = []
    for number, entry in enumerate(journal.entries):
        was_put = entry.new is not None and store.is_put(number)
        if (was_put or store.has_kept(number)) and is_folder(store.top, entry.path):
            found += _foreign(store, entry.path, put, journal.made)
    for path, _ in journal.removed:
        if look_at(store.top, path) and not is_folder(store.top, path) and path not in put:
            found.append(path)
    return found


def _foreign(store: Store, path: str, put: Collection[str], made: Collection[str]) -> List[str]:
    """Return the folder at a path, or what others have put into it if it is one of Spotlight's."""
    if path not in made:
        return [path]
    return [name for name in files_below(store.top, path) if name not in put and name not in made]


def put_back(journal: SpotlightJournal, store: Store, leave: Collection[str] = ()) -> None:
    """Move everything back to where it was. Files in `leave` stay as they are now. Can be repeated."""
    numbered = list(enumerate(journal.entries))
    for number, entry in numbered:
        if entry.path in leave:
            _forget(number, entry, store)
        elif entry.new is not None and entry.had:
            _put_back_replaced(number, entry, store)
        elif entry.new is not None:
            _take_out(number, entry, store)
    for path in reversed(journal.made):
        _remove_folder(store, path)
    for path, mode in reversed(journal.removed):
        _make_folder(store, path, mode)
    for number, entry in numbered:
        if entry.new is None and store.has_kept(number):
            store.give_back(number, entry.path)


def _put_back_replaced(number: int, entry: ReplacedFile, store: Store) -> None:
    if not store.has_kept(number):
        return  # not replaced yet, or back already
    if store.is_put(number) or look_at(store.top, entry.path) is None:
        store.give_back(number, entry.path)
    if store.has_kept(number):  # linked, but not replaced yet; or replaced by somebody else since
        store.drop_kept(number)


def _take_out(number: int, entry: ReplacedFile, store: Store) -> None:
    if store.is_put(number):
        store.fetch(number, entry.path)
    elif store.is_new_there(number, entry.path):  # linked, but not counted as put yet
        with store.folder_of(entry.path) as folder:
            os.unlink(base(entry.path), dir_fd=folder)


def _forget(number: int, entry: ReplacedFile, store: Store) -> None:
    store.drop_kept(number)
    if entry.new is not None and store.is_put(number):
        store.touch_new(number)


def _make_folder(store: Store, path: str, mode: Optional[int] = None) -> None:
    with store.folder_of(path) as folder, suppress(FileExistsError):
        os.mkdir(base(path), dir_fd=folder)
        if mode is not None:
            os.chmod(base(path), mode, dir_fd=folder)


def _remove_folder(store: Store, path: str) -> None:
    with suppress(OSError), store.folder_of(path) as folder:  # it may be gone, or not empty
        os.rmdir(base(path), dir_fd=folder)
