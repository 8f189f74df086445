"""Ports that containers publish on this host, and the folders that they were started from.

Docker is asked by its own program, as far as there is one and the user may use it. What it says is only used
for sockets that listen here and that no process of the user holds.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from typing import FrozenSet, List, NamedTuple

from . import environment

PROGRAM = "docker"
LABELS = ("com.docker.compose.project.working_dir", "devcontainer.local_folder")
"""Where Compose and Dev Containers note the folder of a container's project."""
COLUMNS = (".Names", ".Ports", ".Mounts", *(f'(.Label "{label}")' for label in LABELS))
ARGUMENTS = ["ps", "--no-trunc", "--format", "\t".join("{{json %s}}" % column for column in COLUMNS)]
SECONDS = 2.0
"""How long an answer is waited for."""
PAUSE_SECONDS = 60.0
"""How long Docker is left alone after it has not answered."""
PUBLISHED = re.compile(r"(?:0\.0\.0\.0|127\.0\.0\.1|\[?::1?\]?):(\d{1,5})(?:-(\d{1,5}))?->[\d-]+/tcp")
"""Such as `127.0.0.1:3000-3001->3000-3001/tcp`, if loopback reaches it."""

_not_before = 0.0


class Container(NamedTuple):
    """A container that runs. Its folders are empty if it is not known where it was started."""

    name: str
    ports: FrozenSet[int]
    folders: List[str]


def running() -> List[Container]:
    """Return the containers that publish ports; none if there is no Docker, or if it does not answer."""
    global _not_before
    variables = environment.own_variables({})
    program = environment.find(PROGRAM, variables["PATH"])
    if not program or time.monotonic() < _not_before:
        return []
    try:
        done = subprocess.run(
            [program, *ARGUMENTS],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        _not_before = time.monotonic() + PAUSE_SECONDS
        return []
    found = map(_parsed, done.stdout.decode("utf-8", "replace").splitlines())
    return [each for each in found if each.ports]


def _parsed(line: str) -> Container:
    try:
        name, ports, mounts, *labels = [str(json.loads(column)) for column in line.split("\t")]
    except ValueError:  # no line of ours
        return Container("", frozenset(), [])
    noted = list(filter(os.path.isabs, labels))
    mounted = list(filter(os.path.isabs, mounts.split(",")))  # volumes have a name instead of a path
    return Container(name, _ports(ports), noted or mounted)


def _ports(text: str) -> FrozenSet[int]:
    found = filter(None, map(PUBLISHED.fullmatch, text.split(", ")))
    return frozenset(port for match in found for port in range(int(match[1]), int(match[2] or match[1]) + 1))
