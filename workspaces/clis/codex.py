"""Codex CLI."""

from __future__ import annotations

from workspaces.clis import Cli

CLI = Cli(
    name="codex",
    label="Codex",
    provider="openai",
    console="https://chatgpt.com/codex/settings/usage",
    api_console="https://platform.openai.com/usage",
    how_to_install="npm install -g @openai/codex",
    how_to_log_in="codex login",
    oldest="0.169.0",
    resume_pattern=r"codex[^ ]* (.* )?resume (.* )?{session}",
    has_plan_mode=True,
    has_plan_runs=True,
    order=2,
)
