"""The agent CLIs as the server knows them: one module with a `Cli` for each, found by listing this package.

The module of the same name in `hostkit/agents` drives it on the host. A new CLI is these two files: nothing
else names one.
"""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module


@dataclass(frozen=True)
class Cli:
    """One CLI; its module has it as `CLI`."""

    name: str
    "In the database and the API, and of its modules: at most 20 characters."
    label: str
    provider: str
    "Whose prices its tokens have, as genai-prices calls it; empty where no price is published."
    console: str
    "Web page with the limits of a subscription."
    api_console: str
    "Web page with the usage of an API key."
    how_to_install: str
    "Shell command."
    how_to_log_in: str
    "Shell command."
    resume_pattern: str
    "Its command line when it works on `{session}`, from the program's name on: a POSIX regular expression."
    runner_words: str = ""
    "Words of such a command line by which hostkit's own runner is told from a user; empty: it has none."
    reports_reasoning: bool = True
    "Whether its runs and transcripts count reasoning tokens."
    order: int = 100
    "Its place in lists, lowest first. The first one is the default of new workspaces."


@cache
def every() -> tuple[Cli, ...]:
    modules = (import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(sorted((module.CLI for module in modules), key=lambda cli: (cli.order, cli.name)))


def find(name: str) -> Cli | None:
    """None for a CLI that this version does not have: rows of it may be left of another one."""
    return next((cli for cli in every() if cli.name == name), None)


def names() -> list[str]:
    return [cli.name for cli in every()]


def choices() -> list[tuple[str, str]]:
    """For fields of models and forms."""
    return [(cli.name, cli.label) for cli in every()]


def default() -> str:
    return every()[0].name


def label_of(name: str) -> str:
    cli = find(name)
    return cli.label if cli else name
