"""Records what a pane prints, in a file that outlives tmux, by programs that each host has.

There is one recorder for each run, so that it must not take the memory of a Python process.
"""

from __future__ import annotations

ROLL_BYTES = 8 * 1024 * 1024
"""A record of this size becomes the older part. That is looked at after 128 reads, of 64 KB at most."""
SCRIPT = (
    'trap "" INT TERM HUP; umask 077; LC_ALL=C; export LC_ALL; while :; do '
    'said=$(dd bs=65536 count=128 2>&1 >>"$0") || said=$(dd bs=65536 count=16 2>&1 >/dev/null); '
    'case $said in "0+0 records in"*) exit 0 ;; esac; '
    f'if [ -f "$0" ] && [ "$(wc -c <"$0")" -gt {ROLL_BYTES} ]; then mv -f "$0" "$0.1"; fi; '
    "done 2>/dev/null"
)
"""Reads to the end, as tmux does not wait for readers: what can't be written is discarded.

The files are those of hostkit's `Record`, and together they are no larger.
"""


def recorder(file: str) -> list[str]:
    """Return the command that appends its standard input to this file on a host."""
    return ["sh", "-c", SCRIPT, file]
