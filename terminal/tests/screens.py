"""Programs that fill a terminal in different ways."""

from __future__ import annotations

from dataclasses import dataclass

INLINE_TUI = r"""
import os, shutil, signal, sys
def draw(*_):
    size = shutil.get_terminal_size()
    sys.stdout.write("\r\x1b[J" + f"{size.columns}x{size.lines} status\n> input\x1b[1A\r\x1b[7C")
    sys.stdout.flush()
signal.signal(signal.SIGWINCH, draw)
for n in range(40):
    print("log", n)
print("ready")
draw()
while True:
    signal.pause()
"""


@dataclass(frozen=True)
class Case:
    """How it is started and left, and a word by which it is known to be there."""

    start: str
    shows: str
    quit: str = ""
    alternate: bool = True
    program: str = ""


SCREENS = {
    "vim": Case(
        "vi -n -u NONE -c 'call setline(1, range(1,99))' -c 'normal 50G'\r", "50", ":q!\r", program="vi"
    ),
    "less": Case("seq 1 500 | less\r", "23", "q", program="less"),
    "htop": Case("htop\r", "Load average", "q", program="htop"),
    "alternate": Case(
        r"printf '\033[?1049h\033[H\033[2Jfull screen\033[10;20Hmiddle'; read -n1; printf '\033[?1049l'"
        + "\r",
        "middle",
        "x",
    ),
    "wide": Case("clear; echo '漢字かな äöü e\u0301 ok' \r", "ok", alternate=False),
    "scroll region": Case(
        r"clear; printf '\033[5;15r\033[15;1H'; seq 1 30; printf '\033[20;3Hbelow'" + "\r",
        "below",
        alternate=False,
    ),
    "origin mode": Case(
        r"clear; printf '\033[5;15r\033[?6h\033[3;4Hinside'; sleep 100" + "\r", "inside", alternate=False
    ),
    "colours": Case(
        r"clear; printf '\033[44mblue\n  more \033[0m\nplain end\n'" + "\r", "plain end", alternate=False
    ),
    "a full line": Case(r"clear; printf '%080d' 7; sleep 100" + "\r", "0007", alternate=False),
    "pending sequence": Case(r"clear; printf 'half\033[3'; sleep 100" + "\r", "half", alternate=False),
}
