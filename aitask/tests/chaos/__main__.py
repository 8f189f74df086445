"""The command line: see the package's docstring."""

from __future__ import annotations

import argparse
import json
import random
import sys

from aitask.tests.chaos.faults import FaultMaker
from aitask.tests.chaos.stage import Stage
from aitask.tests.chaos.storm import Storm
from aitask.tests.chaos.verdict import judge


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m aitask.tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="length of the storm")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the random choices")
    parser.add_argument("--runs", type=int, default=20, help="how many runs are kept going")
    parser.add_argument("--pause", type=float, default=0.7, help="mean seconds between two faults")
    given = parser.parse_args()
    dice = random.Random(given.seed)
    print(f"seed {given.seed}", flush=True)
    with Stage() as stage:
        storm = Storm(stage, FaultMaker(stage, dice), dice, given.runs)
        storm.rage(given.minutes * 60, given.pause)
        storm.settle()
        found = judge(stage, storm.started)
    print(json.dumps({"seed": given.seed, **storm.report(), "wrong": found}, indent=1))
    return 1 if found else 0


sys.exit(main())
