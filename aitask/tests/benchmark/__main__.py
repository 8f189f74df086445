"""Measures the whole application: python -m aitask.tests.benchmark [PART…] [--json FILE] [--compare FILE]

Prints a table with each figure, its floor, their ratio, the goal and the load of the machine. `--json` writes
it, and `--compare` shows the figures of an earlier run beside these. Without a PART, all are measured.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path

from aitask.tests.benchmark import changes, intake, pages
from aitask.tests.benchmark.rows import Row, table

PARTS: dict[str, Callable[[], Iterator[Row]]] = {
    "pages": pages.measure,
    "changes": changes.measure,
    "intake": intake.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m aitask.tests.benchmark", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to a file")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="figures of an earlier run")
    options = parser.parse_args()
    earlier = json.loads(options.compare.read_text()) if options.compare else []
    rows = [row for part in options.parts or PARTS for row in PARTS[part]()]
    print(table(rows, {(row["part"], row["what"]): row["figure"] for row in earlier}))
    if options.json:
        options.json.write_text(json.dumps([row.as_json() for row in rows], indent=1) + "\n")


if __name__ == "__main__":
    main()
