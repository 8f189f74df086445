"""The agent CLIs, each a module or package that has an `AgentCli` as `CLI`; its name is the CLI's name.

A new CLI is a new module here: nothing else on the host names one.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Dict, List

from ..base.cli import AgentCli


def names() -> List[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def get(name: str) -> AgentCli:
    """Loads no other CLI: a run starts sooner. KeyError for one that this version does not know."""
    if name not in names():
        raise KeyError(name)
    cli: AgentCli = import_module(f"{__name__}.{name}").CLI
    return cli


def everyone() -> Dict[str, AgentCli]:
    return {name: get(name) for name in names()}
