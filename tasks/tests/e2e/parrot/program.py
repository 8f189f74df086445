#!/usr/bin/env python3
"""The parrot itself: lines of JSON in and out, until its input ends."""

from __future__ import annotations

import json
import sys
import uuid
from pathlib import Path


def tell(**line: object) -> None:
    print(json.dumps(line), flush=True)


STAY = "stay"
"A prompt that it never gets done with."


def work(message: dict[str, str]) -> None:
    tell(type="heard", id=message["id"])
    if message["text"] == STAY:
        return
    with Path("heard.txt").open("a") as file:
        file.write(message["text"] + "\n")
    tell(type="said", text=message["text"].upper())
    tell(type="done", read=len(message["text"].split()), written=7)


def main() -> None:
    if "--version" in sys.argv:
        print("parrot 1.2.3")
        return
    session = sys.argv[-1] if "--resume" in sys.argv else str(uuid.uuid4())
    tell(type="session", id=session, version="1.2.3")
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "models":
            tell(type="models", names=["loud", "quiet"])
        elif message["type"] == "say":
            work(message)


if __name__ == "__main__":
    main()
