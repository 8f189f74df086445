"""Runs a CLI headless, without the app: for tests of the endpoint itself."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .cli_home import CliHome
from .ledger import Tokens
from .tools import require_tool


@dataclass(frozen=True)
class Outcome:
    """Output and exit status of a CLI. `tokens` is the CLI's own final count, in the ledger's terms."""

    returncode: int
    lines: list[dict[str, Any]]
    stderr: str
    session: str
    text: str
    tokens: Tokens

    def all_text(self) -> str:
        return json.dumps(self.lines, ensure_ascii=False)


class RunCli(Protocol):
    def __call__(self, home: CliHome, cwd: Path, prompt: str, *options: str) -> Outcome: ...


def run_claude(home: CliHome, cwd: Path, prompt: str, *options: str, timeout: float = 180) -> Outcome:
    program = require_tool("claude")
    argv = [program, "-p", "--output-format", "stream-json", "--verbose", "--model", "sonnet"]
    done = _run(
        [*argv, "--permission-mode", "acceptEdits", "--allowedTools=Bash", *options],
        home,
        cwd,
        prompt,
        timeout,
    )
    lines = _json_lines(done.stdout)
    result = lines[-1] if lines else {}
    tokens = sum((_tokens_of(line) for line in lines if line["type"] == "result"), Tokens())
    session, text = result.get("session_id", ""), result.get("result", "")
    return Outcome(done.returncode, lines, done.stderr, session, text, tokens)


def _tokens_of(result: dict[str, Any]) -> Tokens:
    """Return the tokens since the result before. An old CLI has one result, with those of the process."""
    by_model = result.get("model_usage_since_last_result", result.get("modelUsage", {}))
    return sum(map(_model_tokens, by_model.values()), Tokens())


def _model_tokens(usage: dict[str, Any]) -> Tokens:
    return Tokens(
        input_tokens=usage["inputTokens"],
        cache_read_tokens=usage["cacheReadInputTokens"],
        cache_write_tokens=usage["cacheCreationInputTokens"],
        output_tokens=usage["outputTokens"],
    )


def run_codex(home: CliHome, cwd: Path, prompt: str, *options: str, timeout: float = 180) -> Outcome:
    program = require_tool("codex")
    argv = [program, "exec", "--json", "--sandbox", "danger-full-access", *options, "-"]
    done = _run(argv, home, cwd, prompt, timeout)
    lines = _json_lines(done.stdout)
    usage: dict[str, int] = next((line["usage"] for line in lines if line["type"] == "turn.completed"), {})
    read, written = usage.get("cached_input_tokens", 0), usage.get("cache_write_input_tokens", 0)
    tokens = Tokens(
        input_tokens=usage.get("input_tokens", 0) - read - written,
        cache_read_tokens=read,
        cache_write_tokens=written,
        output_tokens=usage.get("output_tokens", 0),
        reasoning_tokens=usage.get("reasoning_output_tokens", 0),
    )
    session = next((line["thread_id"] for line in lines if line["type"] == "thread.started"), "")
    return Outcome(done.returncode, lines, done.stderr, session, _last_message(lines), tokens)


def _run(
    argv: list[str], home: CliHome, cwd: Path, prompt: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        input=prompt,
        text=True,
        capture_output=True,
        cwd=cwd,
        env=home.environment,
        timeout=timeout,
        check=False,
    )


def _json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def _last_message(lines: list[dict[str, Any]]) -> str:
    items = [line["item"] for line in lines if line["type"] == "item.completed"]
    return next((item["text"] for item in reversed(items) if item["type"] == "agent_message"), "")
