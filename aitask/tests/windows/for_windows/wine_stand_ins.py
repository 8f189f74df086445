"""What Wine 8 lacks, in every process of Windows' Python there. Loaded by a .pth file before everything else.

- `CopyFile2` ends the process in Wine; without it, `shutil` copies by itself.
- Wine has no Ctrl-Break. It is sent as Ctrl-C to the process group, and taken by a process of such a group as
  Windows would: by its handler of SIGBREAK, else it ends with 0xC000013A.
"""

from __future__ import annotations

import _winapi
import ctypes
import os
import signal
import subprocess
import sys
from typing import Any

assert sys.platform == "win32"

CTRL_C = 0
ENDED_BY_CONTROL = 0xC000013A
IN_GROUP = "WINE_STAND_IN_GROUP"

if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2

kernel = ctypes.WinDLL("kernel32")
create_process, kill = _winapi.CreateProcess, os.kill


def create_marked_process(*arguments: Any) -> Any:
    """Tell the leader of a new process group, and so its children, that Ctrl-C means Ctrl-Break there."""
    flags, variables = arguments[5:7]
    if flags & subprocess.CREATE_NEW_PROCESS_GROUP:
        variables = {**(os.environ if variables is None else variables), IN_GROUP: "1"}
    return create_process(*arguments[:6], variables, *arguments[7:])


def kill_or_break(pid: int, number: int) -> None:
    if number != signal.CTRL_BREAK_EVENT:
        kill(pid, number)
    elif not kernel.GenerateConsoleCtrlEvent(CTRL_C, pid):
        raise ctypes.WinError()


@ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_uint)
def take(event: int) -> int:
    """Take an event of the console; the result says whether it has been handled."""
    if event != CTRL_C:
        return 0
    if signal.getsignal(signal.SIGBREAK) == signal.SIG_DFL:
        os._exit(ENDED_BY_CONTROL)
    signal.raise_signal(signal.SIGBREAK)
    return 1


_winapi.CreateProcess = create_marked_process
os.kill = kill_or_break
if IN_GROUP in os.environ:
    kernel.SetConsoleCtrlHandler(None, 0)  # a new group ignores Ctrl-C
    kernel.SetConsoleCtrlHandler(take, 1)
