"""Runs as a host keeps them, without processes: for tests of what the app makes of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.models import Event, Run, SearchEntry, Task, UnindexedWork
from tasks.repository import site_of
from tasks.runs import launch
from workspaces.hostkit.files import dumps
from workspaces.hostkit.journal import Journal


def start_on_host(run: Run) -> Path:
    """Write the folder of a run as a start does, and claim it for a guard that is not alive; the folder."""
    site = site_of(run.task.workspace)
    tree = launch.worktree(run.task, site)
    folder = site.run_dir(run)
    spec = launch.spec_of(run, tree, site)
    site.host.call("prepare_run", {"dir": folder, "spec": spec, "prompt": run.prompt})
    path = Path(folder)
    (path / "guard.json").write_text(json.dumps({"pid": 1, "start_time": 0, "boot_id": "an earlier boot"}))
    Run.objects.filter(pk=run.pk).update(run_dir=folder)
    run.refresh_from_db()
    return path


def end_on_host(folder: Path, *texts: str, **outcome: Any) -> None:
    """Write events and the outcome of a run, as its guard does."""
    journal = Journal(folder / "events.jsonl")
    for text in texts:
        journal.add({"kind": "notice", "text": text})
    journal.close()
    ended = {"v": 1, "state": "succeeded", "reason_code": "", "reason": "", "last_seq": len(texts)}
    (folder / "outcome.json").write_bytes(dumps({**ended, **outcome}))


def forget(*tasks: Task) -> None:
    """Remove tasks and runs as if the database had been restored from before they were made."""
    for rows in (
        Event.objects.filter(run__task__in=tasks),
        Run.objects.filter(task__in=tasks),
        SearchEntry.objects.filter(task__in=tasks),
        UnindexedWork.objects.filter(task__in=tasks),
    ):
        rows._raw_delete("default")  # without signals
    Task.objects.filter(pk__in=[task.pk for task in tasks])._raw_delete("default")
