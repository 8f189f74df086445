"""What the app knows about the agent CLIs: a module with a `Cli` for each, found by listing this package.

The module with the same name in `hostkit/agents` controls the CLI. To add a CLI, add these two modules. No
other code names a CLI.
"""

from __future__ import annotations

import pkgutil
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module


@dataclass(frozen=True)
class Cli:
    """One CLI. Its module assigns it to `CLI`."""

    name: str
    "Used in the database, in the API and for its modules; at most 20 characters."
    label: str
    provider: str
    "Provider id in genai-prices, for prices of tokens. Empty if no prices are published."
    console: str
    "Web page with the limits of a subscription."
    api_console: str
    "Web page with the usage of an API key."
    how_to_install: str
    "Shell command."
    how_to_log_in: str
    "Shell command."
    resume_pattern: str
    "POSIX regular expression for its command line with `{session}`, starting with the program's name."
    oldest: str = ""
    "The oldest supported version; empty if every version is."
    runner_words: str = ""
    "Part of such a command line that only hostkit's runner uses, and users do not. Empty if there is none."
    file_sign: str = ""
    "What a message has before the path of a file whose content goes along. Empty: only the path is written."
    reports_reasoning: bool = True
    "Whether it reports reasoning tokens."
    has_plan_mode: bool = False
    "Whether its agent supports the permission mode `plan`, in which nothing is written unasked."
    has_plan_runs: bool = False
    "Whether its agent can only read, and answer with proposed tasks (`kind` of the run is `plan`)."
    forgets_at_compaction: bool = False
    "Whether its sessions can't be forked at a place before their last compaction."
    order: int = 100
    "Position in lists, lowest first. The first CLI is the default of new workspaces."

    def is_too_old(self, version: str) -> bool:
        """Return whether a version is older than the oldest supported one; False if it can't be compared."""
        found, oldest = _numbers(version), _numbers(self.oldest)
        return bool(found and oldest) and found < oldest


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers that a version begins with, at least two; empty if it begins otherwise."""
    match = re.match(r"\d{1,6}(\.\d{1,6}){1,3}", version)
    return tuple(int(part) for part in match.group(0).split(".")) if match else ()


@cache
def every() -> tuple[Cli, ...]:
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(sorted((module.CLI for module in modules), key=lambda cli: (cli.order, cli.name)))


def find(name: str) -> Cli | None:
    """Return the CLI, or None if this version does not have it: rows of another version may name it."""
    return next((cli for cli in every() if cli.name == name), None)


def names() -> list[str]:
    return [cli.name for cli in every()]


def choices() -> list[tuple[str, str]]:
    """Return choices for model and form fields."""
    return [(cli.name, cli.label) for cli in every()]


def default() -> str:
    return every()[0].name


def label_of(name: str) -> str:
    cli = find(name)
    return cli.label if cli else name
