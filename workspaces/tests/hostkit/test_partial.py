"""The parts that an agent is writing, and what their readers are told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workspaces.hostkit.base.partial import HELD_SECONDS, KEPT, MOST_PARTS, OpenParts, PartCursor
from workspaces.hostkit.wire import TextEvent

from .replay import Tape, claude, codex

Json = dict[str, Any]


class Copy:
    """A reader that keeps what it was told, as the app does."""

    def __init__(self, source: OpenParts) -> None:
        self.source = source
        self.parts = OpenParts()
        self.cursor = PartCursor()
        self.size = 0

    def read(self) -> None:
        changes = self.cursor.changes(self.source)
        self.size += len(json.dumps(changes))
        self.parts.replace(changes, whole=False)

    def texts(self) -> dict[str, str]:
        return {name: part.text for name, part in self.parts.parts.items()}


def test_a_reader_is_told_only_what_was_added() -> None:
    parts = OpenParts()
    parts.begin("a", "text")
    cursor = PartCursor()
    parts.add("a", "one ")
    assert cursor.changes(parts) == [{"id": "a", "kind": "text", "text": "one ", "skipped": 0, "title": ""}]
    parts.add("a", "two ")
    parts.add("a", "three")
    assert cursor.changes(parts) == [{"id": "a", "kind": "text", "text": "two three", "more": True}]
    assert cursor.changes(parts) == []


def test_a_complete_part_is_named_by_its_event() -> None:
    parts = OpenParts()
    parts.begin("a", "text")
    event: TextEvent = {"kind": "text", "text": "all", "part": "a"}
    parts.settle(event, 7)
    assert event["part"] == "a"
    assert PartCursor().changes(parts)[0]["seq"] == 7
    parts.add("a", "too late")
    assert parts.parts["a"].text == ""


def test_an_event_without_a_part_names_none() -> None:
    event: TextEvent = {"kind": "text", "text": "all", "part": "never seen"}
    OpenParts().settle(event, 1)
    assert "part" not in event


def test_a_complete_part_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = OpenParts()
    parts.begin("a", "text")
    parts.finish("a", 1)
    parts.parts["a"].ended_at -= HELD_SECONDS + 1
    parts.expire()
    assert parts.parts == {}


def test_a_part_without_an_event_is_removed_at_the_reader() -> None:
    parts = OpenParts()
    copy = Copy(parts)
    parts.begin("a", "text")
    copy.read()
    parts.drop("a")
    copy.read()
    assert copy.texts() == {}


def test_ten_megabytes_of_output_leave_their_end() -> None:
    parts = OpenParts()
    copy = Copy(parts)
    parts.begin("o", "output", tool="t")
    for number in range(2000):
        parts.add("o", f"{number}:" + "x" * 5000 + "\n")
        if number % 7 == 0:
            copy.read()
    copy.read()
    assert copy.texts()["o"].endswith(parts.parts["o"].text[-KEPT:])
    assert len(parts.parts["o"].text) <= 2 * KEPT
    assert parts.parts["o"].length == sum(len(f"{n}:") + 5001 for n in range(2000))


def test_a_slow_reader_gets_the_newest_and_no_backlog() -> None:
    parts = OpenParts()
    copy = Copy(parts)
    parts.begin("o", "output", tool="t")
    copy.read()
    for _ in range(10_000):
        parts.add("o", "y" * 1000 + "\n")
    copy.read()
    copy.read()
    assert copy.size < 3 * KEPT
    assert copy.texts()["o"] == parts.parts["o"].text[-KEPT:]


def test_messages_are_bounded_however_many_parts_are_open() -> None:
    parts = OpenParts()
    for number in range(3 * MOST_PARTS):
        parts.begin(f"p{number}", "text")
        parts.add(f"p{number}", "z" * KEPT)
    assert len(parts.parts) == MOST_PARTS
    cursor = PartCursor()
    sizes = [sum(len(change.get("text") or "") for change in cursor.changes(parts)) for _ in range(60)]
    assert max(sizes) <= 2 * KEPT
    assert sum(sizes) == MOST_PARTS * KEPT


def test_codes_for_a_terminal_are_left_out_of_output_even_in_pieces() -> None:
    parts = OpenParts()
    parts.begin("o", "output", tool="t")
    for piece in ("a\x1b", "[3", "1mred\x1b[0m\r", "\n50%\r", "100%\x1b[2Kdone"):
        parts.add("o", piece)
    assert parts.parts["o"].text == "ared\n50%\n100%done"


def test_the_line_is_the_last_one_of_what_is_being_written() -> None:
    parts = OpenParts()
    assert parts.line == ""
    parts.begin("a", "text")
    parts.add("a", "first\nsecond one\n\n")
    assert parts.line == "second one"
    parts.add("a", "w" * 500)
    assert parts.line == "…" + "w" * 160
    parts.finish("a", 1)
    assert parts.line == ""


# the lines of the CLIs


def event(**fields: Any) -> Json:
    return {"type": "stream_event", "event": fields, "parent_tool_use_id": None}


def delta(index: int, kind: str, text: str) -> Json:
    name = {"text": "text", "thinking": "thinking", "input_json": "partial_json"}[kind]
    return event(type="content_block_delta", index=index, delta={"type": f"{kind}_delta", name: text})


def start(index: int, **block: Any) -> Json:
    return event(type="content_block_start", index=index, content_block=block)


def assistant(**block: Any) -> Json:
    return {"type": "assistant", "message": {"id": "m", "content": [block]}, "parent_tool_use_id": None}


def test_claude_streams_thinking_text_and_a_call() -> None:
    agent, tape = claude()
    for line in (
        event(type="message_start", message={"id": "m"}),
        start(0, type="thinking", thinking=""),
        delta(0, "thinking", "hm"),
        start(1, type="text", text=""),
        delta(1, "text", "I will "),
        delta(1, "text", "write."),
        start(2, type="tool_use", id="toolu_1", name="Write", input={}),
        delta(2, "input_json", '{"file_path": "w/a/notes.md", "content": "' + "x" * 3000),
    ):
        agent.feed(line)
    shown = [(part.kind, part.text, part.title) for part in agent.parts.parts.values()]
    assert shown == [
        ("thinking", "hm", ""),
        ("text", "I will write.", ""),
        ("tool", "", "Write notes.md (3 kB)"),
    ]
    assert tape.events == []


def test_claudes_whole_blocks_name_their_parts_in_any_order_of_kinds() -> None:
    agent, tape = claude()
    agent.feed(event(type="message_start", message={"id": "m"}))
    for index, kind in enumerate(("text", "thinking", "text")):
        agent.feed(start(index, type=kind))
        agent.feed(delta(index, kind, f"{kind} {index}"))
    names = list(agent.parts.parts)
    for index, kind in enumerate(("text", "thinking", "text")):
        agent.feed(assistant(type=kind, **{kind: f"{kind} {index}"}))
        agent.parts.settle(tape.events[-1], index)  # type: ignore[arg-type]
    assert [each["part"] for each in tape.events] == names


def test_what_a_broken_answer_left_is_removed_when_claude_tries_again() -> None:
    agent, _ = claude()
    agent.feed(event(type="message_start", message={"id": "m"}))
    agent.feed(start(0, type="text", text=""))
    agent.feed(delta(0, "text", "half"))
    agent.feed({"type": "system", "subtype": "api_retry", "error": "unknown"})
    assert agent.parts.parts == {}


def test_thinking_without_words_is_removed() -> None:
    agent, _ = claude()
    agent.feed(event(type="message_start", message={"id": "m"}))
    agent.feed(start(0, type="thinking", thinking=""))
    agent.feed(event(type="content_block_stop", index=0))
    assert agent.parts.parts == {}


def task_started(**more: Any) -> Json:
    given = {"task_id": "b1", "tool_use_id": "t1", "task_type": "local_bash", "is_backgrounded": False}
    return {"type": "system", "subtype": "task_started", **given, **more}


def asked(tape: Tape) -> list[Json]:
    requests = [line for line in tape.sent if line["type"] == "control_request"]
    return [line for line in requests if line["request"]["subtype"] == "get_task_output"]


def answered(key: str, **response: Any) -> Json:
    return {"type": "control_response", "response": {"request_id": key, **response}}


def test_claude_is_asked_for_the_output_of_a_command_that_takes_long() -> None:
    agent, tape = claude()
    agent.ask_output()
    assert asked(tape) == []
    agent.feed(task_started())
    agent.ask_output()
    agent.ask_output()
    (request,) = asked(tape)
    given = {"output": "line 1\n", "total_bytes": 7, "truncated": False}
    agent.feed(answered(request["request_id"], subtype="success", response=given))
    assert agent.parts.parts["output:t1"].text == "line 1\n"
    assert agent.is_partial(request)
    assert agent.is_partial(answered(request["request_id"]))
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "line 1"}
    agent.feed({"type": "user", "message": {"content": [result]}})
    agent.ask_output()
    assert len(asked(tape)) == 1


def test_an_old_claude_is_asked_once() -> None:
    agent, tape = claude()
    agent.feed(task_started())
    agent.ask_output()
    error = "Unsupported control request subtype: get_task_output"
    agent.feed(answered(asked(tape)[0]["request_id"], subtype="error", error=error))
    agent.ask_output()
    assert len(asked(tape)) == 1
    assert agent.parts.parts == {}


def note(method: str, **params: Any) -> Json:
    return {"method": method, "params": {"threadId": "thread-1", **params}}


def item(kind: str, **fields: Any) -> Json:
    return note("item/started", item={"id": "i1", "type": kind, **fields})


def test_codex_streams_messages_thoughts_and_output() -> None:
    agent, _ = codex()
    agent.feed(item("agentMessage", text=""))
    agent.feed(note("item/agentMessage/delta", itemId="i1", delta="Hello"))
    agent.feed(item("reasoning", id="i2", summary=[], content=[]))
    agent.feed(note("item/reasoning/textDelta", itemId="i2", delta="raw"))
    agent.feed(note("item/reasoning/summaryTextDelta", itemId="i2", delta="first"))
    agent.feed(note("item/reasoning/textDelta", itemId="i2", delta="raw"))
    agent.feed(note("item/reasoning/summaryPartAdded", itemId="i2", summaryIndex=1))
    agent.feed(note("item/reasoning/summaryTextDelta", itemId="i2", delta="second"))
    agent.feed(item("commandExecution", id="i3", command="ls", status="inProgress"))
    agent.feed(note("item/commandExecution/outputDelta", itemId="i3", delta="a file\n"))
    shown = {name: (part.kind, part.text) for name, part in agent.parts.parts.items()}
    assert shown == {
        "i1": ("text", "Hello"),
        "i2": ("thinking", "first\n\nsecond"),
        "output:i3": ("output", "a file\n"),
    }


def test_codex_ends_its_parts_with_their_events() -> None:
    agent, tape = codex()
    agent.feed(item("agentMessage", text=""))
    agent.feed(note("item/agentMessage/delta", itemId="i1", delta="Hel"))
    agent.feed(note("item/completed", item={"id": "i1", "type": "agentMessage", "text": "Hello"}))
    assert tape.of("text")[-1]["part"] == "i1"
    agent.feed(note("error", willRetry=True, error={"message": "stream disconnected"}))
    agent.feed(note("turn/completed", turn={"id": "turn-1", "status": "completed"}))
    assert agent.parts.parts == {}


MALFORMED: list[Json] = [
    {"type": "stream_event"},
    {"type": "stream_event", "event": 7},
    event(type="content_block_delta"),
    event(type="content_block_delta", index="x", delta=[]),
    event(type="content_block_start", index=0, content_block=None),
    event(type="content_block_delta", index=0, delta={"type": "text_delta", "text": {"a": 1}}),
    {"type": "control_response", "response": 3},
    {"type": "system", "subtype": "task_started"},
]


@pytest.mark.parametrize("line", MALFORMED)
def test_a_malformed_line_of_claude_harms_only_itself(line: Json) -> None:
    agent, _ = claude()
    agent.feed(event(type="message_start", message={"id": "m"}))
    agent.feed(start(0, type="text", text=""))
    agent.is_partial(line)
    agent.live.feed(line)
    agent.feed(delta(0, "text", "fine"))
    assert next(iter(agent.parts.parts.values())).text.endswith("fine")


@pytest.mark.parametrize("params", [{}, {"itemId": None}, {"itemId": "i1", "delta": None}, {"item": 1}])
@pytest.mark.parametrize(
    "method", ["item/agentMessage/delta", "item/reasoning/summaryTextDelta", "item/started", "error"]
)
def test_a_malformed_line_of_codex_harms_only_itself(method: str, params: Json) -> None:
    agent, _ = codex()
    agent.feed(item("agentMessage", text=""))
    agent.live.feed({"method": method, "params": params})
    agent.live.feed({"method": method, "params": [params]})
    agent.feed(note("item/completed", item={"id": "i1", "type": "agentMessage", "text": "Hello"}))
