"""Jobs of conversations."""

from __future__ import annotations


def push(attention_id: int) -> None:
    """Send a notification to the browsers that subscribed to it."""
    from tasks.conversation import (
        web_push,
    )  # imports cryptography, which processes that only enqueue don't need

    web_push.send(attention_id)
