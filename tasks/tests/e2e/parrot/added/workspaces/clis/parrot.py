"""Parrot, an invented CLI."""

from __future__ import annotations

from workspaces.clis import Cli

CLI = Cli(
    name="parrot",
    label="Parrot",
    provider="",
    console="https://parrot.invalid/plan",
    api_console="https://parrot.invalid/usage",
    how_to_install="pipx install parrot",
    how_to_log_in="parrot login",
    resume_pattern=r"parrot (.* )?--resume {session}",
)
