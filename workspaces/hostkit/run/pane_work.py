"""How the run's window shows the agent's list, its background work, and what happens to its session."""

from __future__ import annotations

from typing import Any, Callable, Dict

from ..wire import (
    BackgroundEvent,
    CompactionEvent,
    LocalCommandEvent,
    MessageReturnedEvent,
    ModelChangeEvent,
    ProgressEvent,
    ProposalsEvent,
    TitleEvent,
)

DIM, YELLOW = "2", "33"
MARKS = {"done": "x", "active": ">", "pending": " "}
SHOWN_STEPS = 30


def work_shows(
    say: Callable[[str, str], None], clipped: Callable[[str, int], str]
) -> Dict[str, Callable[[Any], None]]:
    """Return the functions that show these kinds of events. `clipped` makes texts from outside safe."""

    def progress(event: ProgressEvent) -> None:
        items = event["items"]
        done = sum(item["state"] == "done" for item in items)
        rows = [f"  [{MARKS[item['state']]}] {clipped(item['text'], 1)}" for item in items[:SHOWN_STEPS]]
        say("\n".join([f"· {done}/{len(items)}", *rows]), DIM)

    def proposals(event: ProposalsEvent) -> None:
        rows = [f"  {number}. {clipped(item['title'], 1)}" for number, item in enumerate(event["items"], 1)]
        say("\n".join(["· proposed tasks:", *rows[:SHOWN_STEPS]]), DIM)

    def background(event: BackgroundEvent) -> None:
        if event["state"] != "running" and not event.get("waited"):
            say(f"· {event['state']} in the background: {clipped(event['title'], 1)}", DIM)

    def compaction(event: CompactionEvent) -> None:
        words = {"started": "compacting the conversation", "finished": "the conversation was compacted"}
        text = words.get(event["phase"], "the conversation could not be compacted")
        if event.get("before") and event.get("after"):
            text += f": {event['before']} → {event['after']} tokens"
        more = clipped(event.get("text") or "", 3)
        say(f"· {text}" + (f": {more}" if more else ""), DIM)

    def model(event: ModelChangeEvent) -> None:
        text = event.get("text") or f"{event.get('before')} → {event.get('model')}"
        say("! the model was changed: " + clipped(text, 3), YELLOW)

    def title(event: TitleEvent) -> None:
        say("· title: " + clipped(event["text"], 1), DIM)

    def local_command(event: LocalCommandEvent) -> None:
        say(clipped(event["output"], 40), DIM)

    def returned(event: MessageReturnedEvent) -> None:
        say("! not taken: " + clipped(event["text"], 3), YELLOW)

    return {
        "progress": progress,
        "proposals": proposals,
        "background": background,
        "compaction": compaction,
        "model_change": model,
        "title": title,
        "local_command": local_command,
        "message_returned": returned,
    }
