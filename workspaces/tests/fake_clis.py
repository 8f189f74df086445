"""Fake CLIs of any version: small programs that list models and count their runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

PROGRAM = """\
#!/usr/bin/env python3
import json, os, subprocess, sys, time
with open({calls!r}, "a") as calls:
    calls.write(" ".join(sys.argv[1:]) + "\\n")
behaviour = {behaviour!r}
if behaviour == "breaks":
    sys.exit("it is broken today")
if behaviour == "leaves a child":
    subprocess.Popen(["sleep", "600.125"], start_new_session=True)
if behaviour == "is silent":
    time.sleep(600)
answers = json.loads({answers!r})
for line in sys.stdin:
    message = json.loads(line)
    kind = message.get("method") or message["request"]["subtype"]
    if kind == "model/list" and message["params"].get("cursor"):
        kind += " " + message["params"]["cursor"]
    if kind in answers:
        answer = answers[kind]
        if "method" in message:
            print(json.dumps({{"id": message["id"], "result": answer}}), flush=True)
        else:
            response = {{"subtype": "success", "request_id": message["request_id"], "response": answer}}
            print(json.dumps({{"type": "control_response", "response": response}}), flush=True)
"""


class FakeCli:
    """One program in a folder of PATH."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / name
        self.calls = folder / f"{name}.calls"

    def write(self, answers: dict[str, Any], behaviour: str = "") -> None:
        """Install this version, which replaces any other."""
        draft = self.path.with_suffix(".new")
        fields = {"calls": str(self.calls), "behaviour": behaviour}
        draft.write_text(PROGRAM.format(answers=json.dumps(answers), **fields))
        draft.chmod(0o755)
        draft.replace(self.path)

    @property
    def times_run(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


def fake_claude(
    folder: Path, *models: str, version: str = "9.1.0", behaviour: str = "", login: bool = True
) -> FakeCli:
    """Install a fake Claude Code that lists these models, each with two levels."""
    listed = [
        {
            "value": name,
            "displayName": name.title(),
            "description": "",
            "supportedEffortLevels": ["low", "max"],
        }
        for name in models
    ]
    account = {"tokenSource": "none", "apiProvider": "firstParty"}
    if login:
        account["apiKeySource"] = "ANTHROPIC_API_KEY"
    cli = FakeCli(folder, "claude")
    answers = {
        "initialize": {"models": listed, "account": account},
        "get_binary_version": {"version": version},
    }
    cli.write(answers, behaviour)
    return cli


def fake_codex(folder: Path, *pages: Sequence[str], version: str = "0.900.0", behaviour: str = "") -> FakeCli:
    """Install a fake Codex that lists these pages of models; a name that starts with a dot is hidden."""
    answers: dict[str, Any] = {
        "initialize": {"userAgent": f"aitask/{version} (Linux)"},
        "account/read": {"account": {"type": "apiKey"}, "requiresOpenaiAuth": True},
    }
    for number, page in enumerate(pages):
        data = [codex_model(name, number == 0 and place == 0) for place, name in enumerate(page)]
        cursor = f"page {number + 1}" if number + 1 < len(pages) else None
        key = f"model/list page {number}" if number else "model/list"
        answers[key] = {"data": data, "nextCursor": cursor}
    cli = FakeCli(folder, "codex")
    cli.write(answers, behaviour)
    return cli


def codex_model(name: str, is_default: bool) -> dict[str, Any]:
    return {
        "id": name.lstrip("."),
        "model": name.lstrip("."),
        "displayName": name,
        "description": f"{name} is good",
        "hidden": name.startswith("."),
        "isDefault": is_default,
        "defaultReasoningEffort": "low",
        "supportedReasoningEfforts": [{"reasoningEffort": "low", "description": "Quick"}],
    }
