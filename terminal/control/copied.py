"""What programs copy with tmux, such as `tmux load-buffer -w -`, for the user who has just typed.

tmux tells control clients of new buffers since 3.4 only. Hence the newest buffer is a subscription, which
tmux checks once per second. Buffers with names of their own are left alone, also those of our pastes.
"""

from __future__ import annotations

import asyncio
import codecs

from terminal.control.client import ControlClient, Replies
from terminal.control.viewer import Viewer

SUBSCRIPTION = "aitask-copied"
SUBSCRIBE = f"refresh-client -B '{SUBSCRIPTION}::#{{buffer_name}} #{{buffer_size}} #{{buffer_created}}'"
MAX_COPIED = 1 << 20
"""Maximum size of a copied text, in bytes."""
TYPED_SECONDS = 10.0
"""How long after a key press a new buffer counts as its result. tmux does not say who has made a buffer."""


class CopiedTexts:
    """Sends the text of each new buffer to the viewer who typed last."""

    def __init__(self) -> None:
        self._newest: str | None = None
        "The last value of the subscription; None until the first one, which is not news."
        self._typed: tuple[Viewer, float] | None = None

    def reset(self) -> None:
        """Forget the previous channel."""
        self._newest = None

    def typed(self, viewer: Viewer) -> None:
        """Note that the viewer has sent input."""
        self._typed = viewer, asyncio.get_running_loop().time()

    def changed(self, client: ControlClient, value: str) -> None:
        """Handle a new value of the subscription: name, size and time of the newest buffer."""
        before, self._newest = self._newest, value
        name, _, rest = value.partition(" ")
        size = rest.partition(" ")[0]
        viewer = self._recent()
        if before is None or viewer is None or not size.isdecimal() or not name.startswith("buffer"):
            return
        if int(size) > MAX_COPIED:
            viewer.send_message({"t": "copied", "text": "", "size": int(size)})
            return

        def done(replies: Replies, error: str) -> None:
            if not error:
                text = text_of(replies[0])
                viewer.send_message({"t": "copied", "text": text, "size": len(text.encode())})

        client.send(f"show-buffer -b {name}", done=done)

    def _recent(self) -> Viewer | None:
        if self._typed is None:
            return None
        viewer, when = self._typed
        recent = asyncio.get_running_loop().time() - when < TYPED_SECONDS
        return viewer if recent and viewer.pane else None


def text_of(lines: list[bytes]) -> str:
    """Return the text of a reply of `show-buffer`, which escapes control characters and backslashes.

    Return an empty text if it is malformed.
    """
    try:
        data = codecs.escape_decode(b"\n".join(lines))[0]
    except ValueError:
        return ""
    return bytes(data).decode("utf-8", "replace")
