"""The agent CLIs. Each is a module or package with the name of the CLI that assigns an `AgentCli` to `CLI`.

To add a CLI, add a module here. No other code on the host names a CLI.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Dict, List

from ..base.cli import AgentCli


def names() -> List[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> AgentCli:
    """Return one CLI, and import no other, so that runs start quickly. Raises KeyError if it is unknown."""
    if name not in names():
        raise KeyError(name)
    cli: AgentCli = import_module(f"{__name__}.{name}").CLI
    return cli


def get_all() -> Dict[str, AgentCli]:
    return {name: get(name) for name in names()}
