"""A stand-in for Windows' ssh.exe: answers `ssh -G ALIAS` with recorded output and the user's own options.

The app asks ssh for nothing else: it connects with asyncssh.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

RECORDED = Path(sys.argv[0]).with_name("ssh_g.txt")
FLAGS = {"-F": "config", "-l": "user", "-p": "port"}


def configured(alias: str, config: Path) -> dict[str, str]:
    """Return the options of `Host ALIAS` and `Host *`. As in ssh, the first value of an option counts."""
    found: dict[str, str] = {}
    applies = True
    for line in config.read_text(encoding="utf-8-sig").splitlines():
        name, _, value = line.strip().partition(" ")
        if name.lower() == "host":
            applies = not {alias, "*"}.isdisjoint(value.split())
        elif applies and name and not name.startswith("#"):
            found.setdefault(name.lower(), value.strip())
    return found


def main(words: list[str]) -> int:
    if words[:1] != ["-G"]:
        print("this stand-in knows only ssh -G", file=sys.stderr)
        return 255
    alias = words[-1]
    given = {FLAGS[flag]: value for flag, value in pairwise(words) if flag in FLAGS}
    config = Path(given.pop("config", Path.home() / ".ssh/config"))
    options = (
        {"host": alias, "hostname": alias} | (configured(alias, config) if config.exists() else {}) | given
    )
    text = RECORDED.read_text(encoding="utf-8").replace("C:\\Users\\me", str(Path.home()))
    recorded = [line.partition(" ")[::2] for line in text.splitlines()]
    for name, value in [*options.items(), *(pair for pair in recorded if pair[0] not in options)]:
        print(name, value)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
