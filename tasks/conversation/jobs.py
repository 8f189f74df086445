"""The worker's jobs of the conversation."""

from __future__ import annotations


def push(attention_id: int) -> None:
    """Send a notification to the browsers that want it."""
    from tasks.conversation import web_push  # with cryptography: not for the processes that only enqueue

    web_push.send(attention_id)
