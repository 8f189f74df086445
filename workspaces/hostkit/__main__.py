"""Command line: each subcommand (see USAGE) loads only its own."""

from __future__ import annotations

import sys

USAGE = "usage: hostkit serve | run DIR | shell DIR | interactive DIR | check DIR | record FILE [PASSED OVER]"


def main() -> int:
    words = sys.argv[1:]
    if words == ["serve"]:
        from .serve.server import main as serve

        return serve()
    if len(words) == 2 and words[0] == "run":
        from .run.guard import main as guard

        return guard(words[1])
    if len(words) == 2 and words[0] == "shell":
        from .run.shell import main as shell

        return shell(words[1])
    if len(words) == 2 and words[0] == "interactive":
        from .run.interactive import main as interactive

        return interactive(words[1])
    if len(words) == 2 and words[0] == "check":
        from .run.check import main as check

        return check(words[1])
    if len(words) in (2, 3) and words[0] == "record":
        from .run.record import main as record

        return record(words[1], int((*words, "0")[2]))
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
