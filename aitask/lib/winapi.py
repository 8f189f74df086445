"""What Python has no function for on Windows. Elsewhere each function raises OSError."""

from __future__ import annotations

import ctypes
import sys
from ctypes import wintypes
from pathlib import Path

KILL_ON_JOB_CLOSE = 0x2000
EXTENDED_LIMIT_INFORMATION = 9
SYNCHRONIZE = 0x00100000
ACCESS_DENIED = 5
WAIT_TIMEOUT = 0x102
REMOTE_DRIVE = 4
CTRL_BREAK = 1
FILE_OBJECT = 1
ACCESS_LIST = 4
SDDL_REVISION = 1
ELSEWHERE = "this function is for Windows only"


class BasicLimits(ctypes.Structure):
    _fields_ = [
        ("per_process_user_time", ctypes.c_int64),
        ("per_job_user_time", ctypes.c_int64),
        ("limit_flags", wintypes.DWORD),
        ("minimum_working_set", ctypes.c_size_t),
        ("maximum_working_set", ctypes.c_size_t),
        ("active_process_limit", wintypes.DWORD),
        ("affinity", ctypes.c_size_t),
        ("priority_class", wintypes.DWORD),
        ("scheduling_class", wintypes.DWORD),
    ]


class ExtendedLimits(ctypes.Structure):
    _fields_ = [
        ("basic", BasicLimits),
        ("io_counters", ctypes.c_uint64 * 6),
        ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t),
        ("peak_process_memory", ctypes.c_size_t),
        ("peak_job_memory", ctypes.c_size_t),
    ]


def create_kill_on_close_job() -> None:
    """Create the job. Its handle stays open until this process ends. Raises OSError if the system refuses."""
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateJobObjectW.restype = wintypes.HANDLE
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    job = wintypes.HANDLE(kernel.CreateJobObjectW(None, None))
    limits = ExtendedLimits()
    limits.basic.limit_flags = KILL_ON_JOB_CLOSE
    size = ctypes.sizeof(limits)
    if not (
        kernel.SetInformationJobObject(job, EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), size)
        and kernel.AssignProcessToJobObject(job, wintypes.HANDLE(kernel.GetCurrentProcess()))
    ):
        raise ctypes.WinError(ctypes.get_last_error())


def has_console() -> bool:
    """Return whether this process has a console, which its children share."""
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    return bool(ctypes.WinDLL("kernel32").GetConsoleCP())


def send_break(group: int) -> None:
    """Send Ctrl-Break to a process group that has another console than this process, which has none."""
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    if not kernel.AttachConsole(wintypes.DWORD(group)):
        raise ctypes.WinError(ctypes.get_last_error())
    try:
        kernel.GenerateConsoleCtrlEvent(CTRL_BREAK, wintypes.DWORD(group))
    finally:
        kernel.FreeConsole()


def is_alive(pid: int) -> bool:
    """Return whether a process runs, also one of another user. (`os.kill(pid, 0)` would kill it.)"""
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = wintypes.HANDLE
    process = kernel.OpenProcess(SYNCHRONIZE, False, wintypes.DWORD(pid))
    if not process:
        return ctypes.get_last_error() == ACCESS_DENIED
    try:
        return bool(kernel.WaitForSingleObject(wintypes.HANDLE(process), 0) == WAIT_TIMEOUT)
    finally:
        kernel.CloseHandle(wintypes.HANDLE(process))


def is_on_network_drive(path: Path) -> bool:
    """Return whether a path is on a drive of another machine."""
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    root = Path(path.anchor)
    return str(root).startswith("\\\\") or ctypes.WinDLL("kernel32").GetDriveTypeW(str(root)) == REMOTE_DRIVE


def access_list(path: Path) -> str:
    """Return who may access a file or folder, in Microsoft's SDDL, such as `D:AI(A;OICIID;FA;;;BA)`."""
    if sys.platform != "win32":
        raise OSError(ELSEWHERE)
    security, kernel = ctypes.WinDLL("advapi32"), ctypes.WinDLL("kernel32")
    descriptor, text = ctypes.c_void_p(), wintypes.LPWSTR()
    code = security.GetNamedSecurityInfoW(
        str(path), FILE_OBJECT, ACCESS_LIST, None, None, None, None, ctypes.byref(descriptor)
    )
    if code:
        raise ctypes.WinError(code)
    convert = security.ConvertSecurityDescriptorToStringSecurityDescriptorW
    try:
        if not convert(descriptor, SDDL_REVISION, ACCESS_LIST, ctypes.byref(text), None):
            raise ctypes.WinError()
        return text.value or ""
    finally:
        kernel.LocalFree(text)
        kernel.LocalFree(descriptor)
