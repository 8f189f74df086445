"""serve: commands, and how requests are kept apart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aitask.tests.lab.wait import wait_for

from .client import Refused, Serve
from .test_sweep import alive_with


def test_hello_says_who_and_where(serve: Serve, pyz: Path, host_environment: dict[str, str]) -> None:
    assert serve.hello["protocol"] == 1
    assert serve.hello["hostkit"] == pyz.name
    assert serve.hello["state_dir"] == f"{host_environment['HOME']}/.local/state/aitask"
    assert serve.hello["pid"] == serve.process.pid
    assert abs(serve.hello["time"] - time.time()) < 5


def test_a_command_gets_its_input_folder_and_variables(serve: Serve, tmp_path: Path) -> None:
    script = "cat; pwd; echo $A; echo err >&2; exit 3"
    done = serve.call("exec", argv=["sh", "-c", script], stdin="in\n", cwd=str(tmp_path), env={"A": "b c"})
    assert done == {"rc": 3, "out": f"in\n{tmp_path}\nb c\n", "err": "err\n", "truncated": False}


def test_bytes_that_are_no_utf8_come_through_both_ways(serve: Serve) -> None:
    raw = b"\xff\xfe a\n".decode("utf-8", "surrogateescape")
    assert serve.call("exec", argv=["cat"], stdin=raw)["out"] == raw


def test_arguments_are_never_read_by_a_shell(serve: Serve) -> None:
    words = ["$(id)", "a b", "'\"", "*", "", "-n", "ü🎉"]
    done = serve.call("exec", argv=["printf", "%s\\n", *words])
    assert done["out"].split("\n")[:-1] == words


def test_a_command_that_takes_too_long_ends_with_its_group(serve: Serve) -> None:
    mark = f"{os.getpid()}.4713"
    with pytest.raises(Refused) as refused:
        serve.call("exec", argv=["sh", "-c", f"sleep {mark} & sleep {mark}"], timeout=0.4)
    assert refused.value.kind == "timeout"
    wait_for(lambda: not alive_with(mark))


def test_a_cancelled_command_ends_with_its_group(serve: Serve) -> None:
    mark = f"{os.getpid()}.4714"
    number = serve.begin("exec", argv=["sh", "-c", f"sleep {mark} & sleep {mark}"])
    wait_for(lambda: len(alive_with(mark)) >= 2)
    serve.send({"id": number, "cancel": True})
    assert serve.next(number)["ok"]["rc"] == -9
    wait_for(lambda: not alive_with(mark))


def test_output_beyond_the_limit_is_cut_without_blocking_the_command(serve: Serve) -> None:
    done = serve.call("exec", argv=["sh", "-c", "yes | head -c 3000000; echo end >&2"], max_output=1000)
    assert (done["rc"], len(done["out"]), done["err"], done["truncated"]) == (0, 1000, "end\n", True)


def test_output_can_go_to_a_private_file(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "new" / "out"
    done = serve.call("exec", argv=["echo", "hello"], stdout_path=str(path))
    assert (done["rc"], done["out"], path.read_text()) == (0, "", "hello\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_background_child_does_not_hold_the_answer(serve: Serve) -> None:
    assert serve.call("exec", argv=["sh", "-c", "sleep 4715 & echo done"])["out"] == "done\n"


@pytest.mark.parametrize(
    ("params", "kind"),
    [
        ({"argv": ["no-such-program"]}, "not_found"),
        ({"argv": ["true"], "cwd": "/nonexistent"}, "not_found"),
        ({}, "bad_request"),
        ({"argv": ["true"], "timeout": "soon"}, "bad_request"),
    ],
)
def test_what_cannot_run_says_why(serve: Serve, params: dict[str, Any], kind: str) -> None:
    with pytest.raises(Refused) as refused:
        serve.call("exec", **params)
    assert refused.value.kind == kind


def test_an_unknown_verb_is_refused_and_the_next_request_works(serve: Serve) -> None:
    with pytest.raises(Refused, match="unknown verb"):
        serve.call("dance")
    assert serve.call("exec", argv=["true"])["rc"] == 0


def test_a_line_that_is_no_request_is_answered(serve: Serve) -> None:
    assert serve.process.stdin
    serve.process.stdin.write(b"what?\n")
    serve.process.stdin.flush()
    assert serve.call("exec", argv=["true"])["rc"] == 0


def test_a_slow_request_does_not_hold_up_others(serve: Serve, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    slow = serve.begin("exec", argv=["sh", "-c", f"until test -e {gate}; do sleep 0.05; done"])
    for _ in range(5):
        serve.call("exec", argv=["true"])
    gate.touch()
    assert serve.next(slow)["ok"]["rc"] == 0


def test_the_end_of_input_ends_serve_and_its_commands(pyz: Path, host_environment: dict[str, str]) -> None:
    serve = Serve(pyz, host_environment)
    mark = f"{os.getpid()}.4716"
    serve.begin("exec", argv=["sh", "-c", f"sleep {mark} & sleep {mark}"])
    wait_for(lambda: len(alive_with(mark)) >= 2)
    serve.close()
    assert serve.process.returncode == 0
    wait_for(lambda: not alive_with(mark))


def test_programs_of_the_login_shells_path_are_found(
    pyz: Path, tmp_path: Path, host_environment: dict[str, str]
) -> None:
    tools = tmp_path / "my tools"
    tools.mkdir()
    (tools / "mytool").write_text("#!/bin/sh\necho mine\n")
    (tools / "mytool").chmod(0o755)
    home = Path(host_environment["HOME"])
    (home / ".bash_profile").write_text(f'echo noise; PATH="$PATH:{tools}"\necho PATH=/wrong\n')
    serve = Serve(pyz, {**host_environment, "SHELL": "/bin/bash"})
    assert serve.call("exec", argv=["mytool"])["out"] == "mine\n"
    serve.close()


def test_what_an_rc_file_leaves_running_holds_nothing_up(pyz: Path, host_environment: dict[str, str]) -> None:
    mark = f"{os.getpid()}.4717"
    home = Path(host_environment["HOME"])
    (home / ".bash_profile").write_text(f'setsid sleep {mark} &\nPATH="$PATH:/of/the/profile"\n')
    serve = Serve(pyz, {**host_environment, "SHELL": "/bin/bash"})
    began = time.monotonic()
    assert "/of/the/profile" in serve.call("exec", argv=["env"])["out"]
    assert time.monotonic() - began < 4
    serve.close()
    for pid in alive_with(mark):
        os.kill(pid, signal.SIGKILL)


def test_a_login_shell_that_takes_its_time_ends_with_serve(
    pyz: Path, host_environment: dict[str, str]
) -> None:
    mark = f"{os.getpid()}.4718"
    (Path(host_environment["HOME"]) / ".bash_profile").write_text(f"sleep {mark}\n")
    serve = Serve(pyz, {**host_environment, "SHELL": "/bin/bash"})
    wait_for(lambda: alive_with(mark))
    serve.close()
    wait_for(lambda: not alive_with(mark), 3)


def test_traces_of_tmux_are_not_handed_on(pyz: Path, host_environment: dict[str, str]) -> None:
    serve = Serve(pyz, {**host_environment, "TMUX": "/tmp/x,1,0", "TMUX_PANE": "%1"})
    assert "TMUX" not in serve.call("exec", argv=["env"])["out"]
    serve.close()


def test_noise_before_the_hello_is_the_readers_to_skip(pyz: Path, host_environment: dict[str, str]) -> None:
    command = f"echo welcome; exec {sys.executable} {pyz} serve"
    done = subprocess.run(
        ["sh", "-c", command], env=host_environment, capture_output=True, text=True, input="", timeout=20
    )
    assert '{"hello":' in done.stdout.splitlines()[1]
