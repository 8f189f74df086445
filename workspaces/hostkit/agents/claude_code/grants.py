"""The permissions that Claude Code suggests with a request, one by one and in words.

None of them is sent unless the user picks it, and all of them end with the CLI's session: a suggestion's own
destination would be a settings file in the worktree.
"""

from __future__ import annotations

from typing import Iterator, List

from ...base.consent import WideGrant
from ...wire import Json

SESSION = {"destination": "session"}
FILE_TOOLS = {"Read": "reading", "Edit": "changing", "Write": "changing", "NotebookEdit": "changing"}


def grants_of(request: Json) -> List[WideGrant]:
    """Return what the CLI suggests to allow, without what this very call covers."""
    found: List[WideGrant] = []
    for suggestion in request.get("permission_suggestions") or []:
        if isinstance(suggestion, dict):
            found.extend(_grants(suggestion, request))
    return found


def _grants(suggestion: Json, request: Json) -> Iterator[WideGrant]:
    kind = suggestion.get("type")
    if kind == "setMode" and suggestion.get("mode") == "acceptEdits":
        text = "Switch this run to “Edit files, ask for commands”: files are changed without asking"
        yield WideGrant(text, {"type": "setMode", "mode": "acceptEdits", **SESSION}, mode="edits")
    elif kind == "addDirectories":
        for folder in suggestion.get("directories") or []:
            text = (
                f"Treat the folder `{folder}` like the worktree for this run: everything in it is read "
                "without asking, and changed without asking in the mode “Edit files, ask for commands”"
            )
            yield WideGrant(text, {"type": "addDirectories", "directories": [folder], **SESSION})
    elif kind == "addRules" and suggestion.get("behavior") == "allow":
        for rule in suggestion.get("rules") or []:
            if isinstance(rule, dict) and rule.get("toolName") and not _is_this_call(rule, request):
                update = {"type": "addRules", "rules": [rule], "behavior": "allow", **SESSION}
                yield WideGrant(f"Allow {words_of(rule)} for this run", update)


def _is_this_call(rule: Json, request: Json) -> bool:
    """Whether the rule is just the command that is asked about."""
    command = (request.get("input") or {}).get("command")
    return rule.get("toolName") == request.get("tool_name") == "Bash" and rule.get("ruleContent") == command


def words_of(rule: Json) -> str:
    """Return in words what a rule {toolName, ruleContent} covers."""
    tool, content = str(rule["toolName"]), str(rule.get("ruleContent") or "")
    if not content:
        return f"every call of {tool}, with any input,"
    if tool == "Bash":
        return _command_words(content)
    if tool in FILE_TOOLS:
        return _file_words(FILE_TOOLS[tool], content)
    if content.startswith("domain:"):
        return f"every call of {tool} for the domain `{content[len('domain:') :]}`"
    return f"every call of {tool} that its rule `{content}` matches"


def _command_words(content: str) -> str:
    for end in (":*", " *"):
        prefix = content[: -len(end)]
        if content.endswith(end) and "*" not in prefix:
            return f"every command that begins with `{prefix}`, also as a part of a longer one,"
    if "*" in content:
        return f"every command of the form `{content}` (`*` stands for anything)"
    return f"the command `{content}`, also as a part of a longer one,"


def _file_words(verb: str, content: str) -> str:
    path = content[1:] if content.startswith("//") else content
    for end in ("/**", "/*"):
        folder = path[: -len(end)]
        if path.endswith(end) and "*" not in folder:
            return f"{verb} every file in `{folder or '/'}`{' and below' if end == '/**' else ''}"
    if "*" in path:
        return f"{verb} every file of the form `{path}` (`*` stands for anything)"
    return f"{verb} the file `{path}`"
