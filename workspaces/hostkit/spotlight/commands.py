"""Show a commit in a checkout, and go back."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Tuple

from . import moves, plan, rescue
from .checkout import CanNot, Checkout
from .journal import Busy, ReplacedFile, SpotlightJournal, SpotlightRecords
from .plan import PathChange
from .store import Store


class PutBack(NamedTuple):
    """What `back` has done."""

    was_on: bool
    edited: List[str] = []
    "Files that somebody has changed while they were shown."
    rescue: str = ""
    "The ref that keeps those; empty if there are none."
    left: List[str] = []
    "Files that stay as they are, because a later commit has them so."


class ShownCommit(NamedTuple):
    """What `show` has done: the journal, the user's own changed files that are hidden, and the way there."""

    journal: SpotlightJournal
    covered: List[str]
    before: PutBack


class CheckoutSpotlight:
    """Spotlight in one checkout."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout
        self.records = SpotlightRecords(checkout.git_dir)

    def show(self, commit: str, owner: Dict[str, Any]) -> ShownCommit:
        """Show HEAD with the change of a commit, instead of what is shown now. Raises CanNot and OSError."""
        with self._turn():
            journal = self._journal()
            before = PutBack(was_on=False)
            if journal and journal.phase != "shown":
                before, journal = self._back(journal), None
            with self._new_store() as store:
                head, tree, found = self._prepare(store, commit, journal)
                if journal:
                    before = self._back(journal)
                shown, covered = self._show(store, commit, owner, head, tree, found)
            return ShownCommit(shown, covered, before)

    def back(self) -> PutBack:
        """Put the checkout back to how it was. Raises CanNot and OSError."""
        if self._journal() is None:
            return PutBack(was_on=False)
        with self._turn():
            journal = self._journal()
            return self._back(journal) if journal else PutBack(was_on=False)

    def state(self) -> Tuple[Optional[SpotlightJournal], bool]:
        """Return the journal, and whether what it says was interrupted."""
        journal = self._journal()
        is_interrupted = bool(journal and journal.phase != "shown" and self.records.is_idle())
        return journal, is_interrupted

    # parts

    @contextmanager
    def _turn(self) -> Iterator[None]:
        try:
            with self.records.locked():
                yield
        except Busy:
            raise CanNot("Spotlight is at work in this checkout.", "Try again in a moment.") from None

    def _journal(self) -> Optional[SpotlightJournal]:
        try:
            return self.records.read()
        except ValueError as error:
            raise CanNot(
                str(error), "The rescue refs below refs/aitask/rescue/spotlight have the files."
            ) from None

    @contextmanager
    def _new_store(self) -> Iterator[Store]:
        """Make a store. It is removed again unless something is shown from it."""
        self.records.remove_stale()
        store = Store(self.checkout.top, self.records.folder / uuid.uuid4().hex)
        try:
            yield store
        finally:
            journal = None
            with suppress(ValueError):
                journal = self.records.read()
            if journal is None or journal.store != store.folder.name:
                store.remove()
            store.close()

    def _prepare(
        self, store: Store, commit: str, shown: Optional[SpotlightJournal]
    ) -> Tuple[str, str, List[PathChange]]:
        """Find out what to change, and fill the store, while something else may still be shown."""
        self.checkout.require_usable()
        head = self.checkout.head()
        if not head:
            raise CanNot(f"{self.checkout.top} has no commit checked out.", "Check out a branch there.")
        tree = plan.tree_to_show(self.checkout, head, commit)
        found = plan.changes(self.checkout, head, tree)
        if not found:
            raise CanNot("There is nothing to show: the checkout has this change already.")
        self._require_room(store, found, shown.paths if shown else [])
        plan.fill(self.checkout, store, tree, found)
        return head, tree, found

    def _require_room(self, store: Store, found: List[PathChange], ours: List[str]) -> Set[str]:
        tracked = self.checkout.tracked()
        way = plan.obstacles(store.top, found, tracked, ours)
        if way:
            raise CanNot(
                f"Files that git does not track are in the way in {self.checkout.top}.",
                "Move them to another folder, then try again.",
                way,
            )
        return tracked

    def _show(
        self, store: Store, commit: str, owner: Dict[str, Any], head: str, tree: str, found: List[PathChange]
    ) -> Tuple[SpotlightJournal, List[str]]:
        """Replace the files. Return the journal, and which of them had changes of the user."""
        self.checkout.require_quiet()
        if self.checkout.head() != head:
            raise CanNot("Another commit has been checked out meanwhile.", "Try again.")
        tracked = self._require_room(store, found, [])
        planned = plan.plan(store.top, found, tracked)
        changed = self.checkout.changed()
        journal = SpotlightJournal(
            phase="showing",
            store=store.folder.name,
            head=head,
            head_ref=self.checkout.head_ref(),
            commit=commit,
            tree=tree,
            owner=owner,
            rescue=self._rescue(store, head, {*changed.tracked, *changed.untracked}, found),
            since=time.time(),
            entries=_entries(store, found, planned.had, changed.tracked),
            made=planned.made,
            removed=planned.removed,
        )
        self._carry_out(journal, store)
        return journal._replace(phase="shown"), sorted(changed.tracked.intersection(journal.paths))

    def _rescue(self, store: Store, head: str, changed: Set[str], found: List[PathChange]) -> str:
        paths = {*changed, *(change.path for change in found)}
        return rescue.keep(self.checkout, head, paths, store.folder, "The checkout before Spotlight")

    def _carry_out(self, journal: SpotlightJournal, store: Store) -> None:
        self.records.write(journal)
        try:
            moves.carry_out(journal, store)
            self.records.write(journal._replace(phase="shown"))
        except OSError as error:
            moves.put_back(journal, store)
            self.records.clear()
            raise CanNot(f"Files could not be replaced: {error}", "The checkout is as it was.") from error

    def _back(self, journal: SpotlightJournal) -> PutBack:
        self.checkout.require_quiet()
        store = Store(self.checkout.top, self.records.folder / journal.store)
        try:
            self._require_way_back(journal, store)
            edited = [entry.path for entry in moves.edited(journal, store)]
            left = self._committed_since(journal)
            edited = [path for path in edited if path not in left]
            kept = self._keep_edits(journal, store, edited) if edited else ""
            with suppress(OSError):  # on a full disk: the files themselves show how far it got
                self.records.write(journal._replace(phase="returning"))
            moves.put_back(journal, store, left)
            self.records.clear()
            store.remove()
            return PutBack(True, edited, kept, sorted(left))
        finally:
            store.close()

    def _require_way_back(self, journal: SpotlightJournal, store: Store) -> None:
        way = moves.in_the_way(journal, store)
        if way:
            hint = "Move them to another folder, then go back."
            raise CanNot(f"Files are in the way in {self.checkout.top}.", hint, way)

    def _committed_since(self, journal: SpotlightJournal) -> Set[str]:
        """Return the files that another commit has as they are now, and that had no changes before."""
        if self.checkout.head() == journal.head:
            return set()
        changed, tracked = self.checkout.changed(), self.checkout.tracked()
        differing = changed.tracked | changed.untracked
        settled = (entry.path for entry in journal.entries if entry.clean and entry.path not in differing)
        return {path for path in settled if path in tracked or not self._exists(path)}

    def _exists(self, path: str) -> bool:
        return (Path(self.checkout.top) / path).exists()

    def _keep_edits(self, journal: SpotlightJournal, store: Store, edited: List[str]) -> str:
        args = ("commit-tree", "-p", journal.head, "-m", "What Spotlight showed", journal.tree)
        shown = self.checkout.git(*args, env=rescue.IDENTITY).stdout.strip()
        what = "What was changed while Spotlight showed a task"
        return rescue.keep(self.checkout, shown, edited, store.folder, what)


def _entries(store: Store, found: List[PathChange], had: List[bool], changed: Set[str]) -> List[ReplacedFile]:
    return [
        ReplacedFile(
            change.path,
            has,
            store.mark_of_new(number) if change.stays else None,
            change.path not in changed,
        )
        for number, (change, has) in enumerate(zip(found, had))  # noqa: B905 - not in Python 3.8
    ]
