"""The address of a host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Address:
    """This machine, or what the user types after `ssh`."""

    kind: Literal["local", "ssh"]
    alias: str = ""
    user: str = ""
    accepted_keys: tuple[str, ...] = ()
    "Host keys that the user accepted, as known_hosts lines."

    @property
    def key(self) -> str:
        """The unique name: local, ssh:alias or ssh:user@alias."""
        if self.kind == "local":
            return "local"
        return f"ssh:{self.user}@{self.alias}" if self.user else f"ssh:{self.alias}"
