"""The command line. Each subcommand (see USAGE) imports only the modules that it needs."""

from __future__ import annotations

import sys

USAGE = (
    "usage: hostkit serve | run DIR | join DIR | shell DIR | interactive DIR | check DIR"
    " | record FILE [SKIPPED] | clone DIR LOCK | fork-server SOCKET"
)


def main() -> int:
    arguments = sys.argv[1:]
    if arguments == ["serve"]:
        from .serve.server import main as serve

        return serve()
    if len(arguments) == 2 and arguments[0] == "run":
        from .run.start import main as start

        return start(arguments[1])
    if len(arguments) >= 2 and arguments[0] == "fork-server":
        from .run.fork_server import main as fork_server

        return fork_server(arguments[1])
    if len(arguments) == 2 and arguments[0] == "join":
        from .run.join import main as join

        return join(arguments[1])
    if len(arguments) == 2 and arguments[0] == "shell":
        from .run.shell import main as shell

        return shell(arguments[1])
    if len(arguments) == 2 and arguments[0] == "interactive":
        from .run.interactive import main as interactive

        return interactive(arguments[1])
    if len(arguments) == 2 and arguments[0] == "check":
        from .run.check import main as check

        return check(arguments[1])
    if len(arguments) in (2, 3) and arguments[0] == "record":
        from .run.record import main as record

        return record(arguments[1], int((*arguments, "0")[2]))
    if len(arguments) == 3 and arguments[0] == "clone":
        from .run.clone import main as clone

        return clone(arguments[1], int(arguments[2]))
    print(USAGE, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
