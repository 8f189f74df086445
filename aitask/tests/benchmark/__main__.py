"""Measures the whole application: python -m aitask.tests.benchmark [PART…] [--json FILE] [--compare FILE]

Prints a table with each figure, its floor, their ratio, the goal and the load of the machine. `--json` writes
it, and `--compare` shows the figures of an earlier run beside these. Without a PART, all are measured.
`--keep NAME` writes it to docs/benchmark/, and draws all that is kept there.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from aitask.tests.benchmark import (
    changes,
    files,
    idle,
    intake,
    live,
    pages,
    plot,
    previews,
    screens,
    searches,
    starts,
    terminals,
    trains,
)
from aitask.tests.benchmark.rows import HEAD, Row, line

PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "pages": pages.measure,
    "changes": changes.measure,
    "intake": intake.measure,
    "live": live.measure,
    "starts": starts.measure,
    "trains": trains.measure,
    "terminals": terminals.measure,
    "screens": screens.measure,
    "previews": previews.measure,
    "search": searches.measure,
    "files": files.measure,
    "idle": idle.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m aitask.tests.benchmark", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="figures of an earlier run")
    parser.add_argument("--keep", metavar="NAME", help="keep the figures in docs/benchmark, and draw them")
    options = parser.parse_args()
    earlier = json.loads(options.compare.read_text()) if options.compare else []
    before = {(row["part"], row["what"]): row["figure"] for row in earlier}
    rows, failed = [], []
    print(HEAD)
    for part in options.parts or PARTS:
        try:
            for row in PARTS[part]():
                rows.append(row)
                print(line(row, before.get((row.part, row.what))), flush=True)
        except Exception:  # the other parts take many minutes, and do not need this one
            traceback.print_exc()
            failed.append(part)
    for file in filter(None, [options.json, options.keep and plot.KEPT / f"{options.keep}.json"]):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")
    if options.keep:
        print(f"Drawn: {plot.draw()}")
    if failed:
        sys.exit(f"Not measured to the end: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
