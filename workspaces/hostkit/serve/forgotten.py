"""`forgotten_runs`: the runs that a database does not know, as after an older one was restored."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Iterator, List, Tuple

from ..folder import RunFolder, state_dir
from ..wire import ForgottenRun, ForgottenRuns, ForgottenRunsParams
from .requests import Request

MARK = re.compile(r"[a-z]{10}")
INSTALLATION = re.compile(r"[A-Za-z0-9]+")
MOST = 50
"""Runs in one answer. The app asks again for the others."""
MAX_PROMPT = 4 * 1024 * 1024


def forgotten_runs(params: ForgottenRunsParams, request: Request) -> ForgottenRuns:
    """Return started runs whose marks are not in `known`, by number, and whether there are more."""
    found: List[ForgottenRun] = []
    known = set(params["known"])
    for _, mark, path in sorted(_runs_of(params["installation"])):
        if request.cancelled or mark in known:
            continue
        run = _read(mark, RunFolder(path))
        if run is None:
            continue
        if len(found) == MOST:
            return {"runs": found, "more": True}
        found.append(run)
    return {"runs": found, "more": False}


def _runs_of(installation: str) -> Iterator[Tuple[int, str, Path]]:
    """Yield number, mark and folder of the installation's runs. Runs of earlier versions have no mark."""
    folder = state_dir() / "runs"
    if not INSTALLATION.fullmatch(installation) or not folder.is_dir():
        return
    for path in folder.iterdir():
        owner, _, rest = path.name.partition("-")
        number, _, mark = rest.partition("-")
        is_ours = owner == installation and number.isdecimal() and MARK.fullmatch(mark)
        if is_ours and len(number) < 19:
            yield int(number), mark, path


def _read(mark: str, folder: RunFolder) -> "ForgottenRun | None":
    """Return what the app needs to make a row of the run again; None if its files don't say that."""
    if not folder.started or not folder.spec.is_file() or not folder.prompt.is_file():
        return None
    spec = folder.read_spec()
    if spec is None or spec.get("mark") != mark:
        return None
    with folder.prompt.open("rb") as source:
        prompt = source.read(MAX_PROMPT)
    kept = {name: value for name, value in spec.items() if name not in ("environment", "path")}
    return {"dir": str(folder.path), "spec": kept, "prompt": prompt.decode("utf-8", "surrogateescape")}
