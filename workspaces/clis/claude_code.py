"""Claude Code."""

from __future__ import annotations

from workspaces.clis import Cli

CLI = Cli(
    name="claude_code",
    label="Claude Code",
    provider="anthropic",
    console="https://claude.ai/settings/usage",
    api_console="https://console.anthropic.com/settings/usage",
    how_to_install="npm install -g @anthropic-ai/claude-code",
    how_to_log_in="claude",
    oldest="2.1.197",
    resume_pattern=r"claude[^ ]* (.* )?(-r|--resume)[ =](.* )?{session}",
    runner_words=" --permission-prompt-tool ",
    file_sign="@",
    reports_reasoning=False,
    has_plan_mode=True,
    has_plan_runs=True,
    forgets_at_compaction=True,
    order=1,
)
