"""A clean home folder for both CLIs, with the scripted endpoint and fake credentials."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .tools import search_path

Login = Literal["api_key", "oauth", "none"]

ANTHROPIC_KEY = "sk-ant-lab-0123456789abcdefghijklmnop"
OAUTH_TOKEN = "sk-ant-oat01-lab-0123456789abcdefghij"
OPENAI_KEY = "sk-lab-0123456789"
DEAD_PROXY = "http://127.0.0.1:9"
CODEX_MODEL = "gpt-5.5"

CODEX_CONFIG = """\
model = "{model}"
model_provider = "lab"
check_for_update_on_startup = false

[features]
daemon_auto_start = false

[model_providers.lab]
name = "lab"
base_url = "{url}/v1"
env_key = "LAB_OPENAI_KEY"
wire_api = "responses"
request_max_retries = {retries}
stream_max_retries = {retries}

[tui.model_availability_nux]
"gpt-6.1-sol" = 1

[notice.model_migrations]
"gpt-5.5" = "gpt-6-sol"
"""


@dataclass(frozen=True)
class CliHome:
    """HOME with the settings of both CLIs below `folder`."""

    folder: Path
    url: str
    login: Login = "api_key"
    retries: int = 2

    @property
    def environment(self) -> dict[str, str]:
        """The `environment` of a workspace whose runs use only the scripted endpoint."""
        return {
            "HOME": str(self.folder),
            "PATH": search_path(),
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": self.url,
            "CLAUDE_CONFIG_DIR": str(self.folder / ".claude"),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": str(self.retries),
            "CODEX_HOME": str(self.folder / ".codex"),
            "HTTPS_PROXY": DEAD_PROXY,
            "NO_PROXY": "127.0.0.1,localhost",
            **self._credentials(),
        }

    def _credentials(self) -> dict[str, str]:
        match self.login:
            case "api_key":
                return {"ANTHROPIC_API_KEY": ANTHROPIC_KEY, "LAB_OPENAI_KEY": OPENAI_KEY}
            case "oauth":
                return {"CLAUDE_CODE_OAUTH_TOKEN": OAUTH_TOKEN, "LAB_OPENAI_KEY": OPENAI_KEY}
            case "none":
                return {}


def make_cli_home(
    folder: Path,
    url: str,
    *,
    login: Login = "api_key",
    codex_model: str = CODEX_MODEL,
    retries: int = 2,
) -> CliHome:
    """Create the home in `folder`, for the endpoint `url` (`ScriptedEndpoint.url`).

    `retries` keeps failures short: with the CLIs' own defaults some of them take three minutes.
    """
    (folder / ".codex").mkdir(parents=True)
    config = CODEX_CONFIG.format(model=codex_model, url=url, retries=retries)
    (folder / ".codex" / "config.toml").write_text(config)
    (folder / ".claude").mkdir()
    approved = {"approved": [ANTHROPIC_KEY[-20:]], "rejected": []}
    onboarded = {"hasCompletedOnboarding": True, "projects": {}, "customApiKeyResponses": approved}
    (folder / ".claude" / ".claude.json").write_text(json.dumps(onboarded))
    return CliHome(folder, url, login, retries)
