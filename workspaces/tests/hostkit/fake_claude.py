"""A stand-in for `claude` that speaks just enough of its protocol: the tests of the guard need no model.

The prompt says what it does: `hang`, `die`, `spawn MARK` (children in sessions of their own, then hang),
`until FILE` (work until the file exists), `write FILE` (stream "one two" until the file exists, then say the
whole text, and go on while there is FILE.hold), `flood N` (stream N pieces of 10,000 characters, some
malformed, then hang), `run COMMAND`, `background` (leave a command in the background), or else it answers
and ends its turn.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

SPAWN = """
sleep {0} &
setsid sleep {0} &
(env -i PATH=/usr/bin:/bin setsid sh -c 'sleep {0} & sleep {0}' &)
wait
"""


def say(**line: object) -> None:
    print(json.dumps(line), flush=True)


def text(words: str) -> None:
    usage = {"input_tokens": 3, "output_tokens": 1}
    content = [{"type": "text", "text": words}]
    say(type="assistant", message={"id": "m1", "model": "fake", "content": content, "usage": usage})


def stream(**event: object) -> None:
    say(type="stream_event", event=event, parent_tool_use_id=None)


def delta(words: str) -> None:
    stream(type="content_block_delta", index=0, delta={"type": "text_delta", "text": words})


def begin_text() -> None:
    stream(type="message_start", message={"id": "m1"})
    stream(type="content_block_start", index=0, content_block={"type": "text", "text": ""})


def write(file: Path) -> None:
    begin_text()
    delta("one ")
    delta("two ")
    while not file.exists():
        time.sleep(0.02)
    text("one two three")
    stream(type="content_block_stop", index=0)
    stream(type="message_stop")
    while file.with_suffix(".hold").exists():
        time.sleep(0.02)


def flood(pieces: int) -> None:
    begin_text()
    for number in range(pieces):
        delta(f"{number} " + "x" * 10_000)
        stream(type="content_block_delta", index={}, delta=number)
    delta("the end")
    time.sleep(600)


def work(prompt: str) -> None:
    if prompt.startswith("write"):
        write(Path(prompt.split()[1]))
        return
    if prompt.startswith("flood"):
        flood(int(prompt.split()[1]))
    if prompt.startswith("die"):
        sys.stderr.write("\x1b[31mfake claude fell over\x1b[0m\n")
        sys.exit(3)
    if prompt.startswith("spawn"):
        subprocess.Popen(["sh", "-c", SPAWN.format(prompt.split()[1])], start_new_session=True)
    if prompt.startswith("background"):
        for task, kind in (("t1", "local_bash"), ("t2", "local_bash")):
            say(
                type="system",
                subtype="task_started",
                task_id=task,
                task_type=kind,
                description=f"sleep {task}",
                is_backgrounded=True,
            )
        say(type="system", subtype="task_notification", task_id="t2")
    if prompt.startswith(("hang", "spawn")):
        text("working")
        time.sleep(600)
    if prompt.startswith("until"):
        text("working")
        while not Path(prompt.split()[1]).exists():
            time.sleep(0.05)
    if prompt.startswith("run "):
        done = subprocess.run(prompt[4:], shell=True, capture_output=True, text=True, check=False)
        text(done.stdout + done.stderr)
    text("an answer")


def main() -> None:
    prompt = ""
    while not prompt:
        line = json.loads(sys.stdin.readline())
        if line["type"] == "user":
            prompt = line["message"]["content"][0]["text"]
    say(type="system", subtype="session_state_changed", state="running")
    say(type="system", subtype="init", session_id="s-1", model="fake", claude_code_version="0.0.1")
    work(prompt)
    tokens = {"inputTokens": 3, "outputTokens": 5, "cacheReadInputTokens": 0, "cacheCreationInputTokens": 0}
    say(type="result", subtype="success", is_error=False, session_id="s-1", modelUsage={"fake": tokens})
    say(type="system", subtype="session_state_changed", state="idle")
    sys.stdin.read()


if __name__ == "__main__":
    main()
