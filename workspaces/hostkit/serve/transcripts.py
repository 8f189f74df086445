"""`transcripts`: tokens per session as the CLIs have written them down, for comparing."""

from __future__ import annotations

from .. import environment
from ..agents.transcripts import claude_sessions, codex_sessions
from ..files import Json
from .requests import Request


def transcripts(params: Json, _request: Request) -> Json:
    """{backend: {session: {cwd, tokens, parent?}}} of files written since `since` (Unix time)."""
    env = environment.variables(params.get("environment") or {})
    since = float(params.get("since") or 0)
    return {"claude_code": claude_sessions(env, since), "codex": codex_sessions(env, since)}
