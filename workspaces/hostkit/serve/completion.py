"""Verbs for completion in messages: the commands and skills of a CLI, and the files of a worktree."""

from __future__ import annotations

import hashlib
import os
import time
from itertools import islice
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from .. import agents, environment
from ..base.cli import AgentCli
from ..base.program import fingerprint
from ..base.talk import MALFORMED, NoAnswer
from ..files import dumps
from ..wire import CommandsAnswer, CommandsParams, GitParams, ListedFiles, ListFilesParams, OfferedCommand
from . import git
from .files import content_inside
from .questions import started
from .requests import Request, RequestFailure

LIMIT_SECONDS = 20.0
MAX_COMMANDS = 500
MAX_FILES, MAX_FILE_BYTES = 500, 64 * 1024
"""Of files with commands. What a command does follows after its head, which is all that is needed."""
MAX_LOOKED_AT = 5000
MAX_TEXT = 1000
MAX_NAMES, MAX_NAME, MAX_OUTPUT = 300_000, 500, 64 * 1024 * 1024


class CommandFiles(NamedTuple):
    """Content by name of the files of a repository that define commands, and how many were left out."""

    contents: Dict[str, bytes]
    left_out: int


def commands(params: CommandsParams, request: Request) -> CommandsAnswer:
    """Ask a CLI for its commands, unless nothing that they depend on has changed.

    The CLI is started in a folder that has a copy of the repository's commands, and nothing else: in the
    worktree itself it could run hooks and servers that an agent has written.
    """
    answer: CommandsAnswer = {
        "items": [],
        "error": None,
        "fingerprint": "",
        "unchanged": False,
        "left_out": 0,
    }
    cli = agents.get_all().get(params["backend"])
    if cli is None:
        answer["error"] = f"There is no CLI {params['backend']}."
        return answer
    env = environment.variables(params.get("environment") or {}, also=cli.variables)
    path = environment.find(cli.program, env["PATH"])
    if not path:
        answer["error"] = f"{cli.program} is not installed, or not on the PATH."
        return answer
    found = _command_files(cli, params, request)
    answer["left_out"] = found.left_out
    answer["fingerprint"] = _fingerprint(cli, path, env, found)
    if params.get("known") == answer["fingerprint"]:
        answer["unchanged"] = True
        return answer
    try:
        answer["items"] = _asked(cli, path, env, found, request)
    except NoAnswer as error:
        answer["error"] = str(error)
    except (OSError, *MALFORMED) as error:
        answer["error"] = f"{cli.program} returned a malformed list of commands: {error!r}"
    return answer


def _asked(
    cli: AgentCli, path: str, env: Dict[str, str], found: CommandFiles, request: Request
) -> List[OfferedCommand]:
    def fill(folder: Path) -> None:
        for name, content in found.contents.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    deadline = time.monotonic() + LIMIT_SECONDS
    with started(cli, path, env, deadline, request, fill) as talk:
        listed = cli.ask_commands(talk)
    return [_shortened(each) for each in listed[:MAX_COMMANDS]]


def _shortened(item: OfferedCommand) -> OfferedCommand:
    description, hint = (" ".join(item[name].split())[:MAX_TEXT] for name in ("description", "hint"))
    return {**item, "description": description, "hint": hint}


def _fingerprint(cli: AgentCli, path: str, env: Dict[str, str], found: CommandFiles) -> str:
    own = [each for place in cli.own_commands(env) for each in islice(_below(place), MAX_LOOKED_AT)]
    digests = [(name, hashlib.sha256(data).hexdigest()) for name, data in sorted(found.contents.items())]
    parts = [fingerprint([*cli.files(path, env), *own]), digests]
    return hashlib.sha256(dumps(parts)).hexdigest()[:32]


def _below(place: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder, without hidden ones: there CLIs keep what they bring."""
    if place.is_file():
        yield place
    for parent, folders, names in os.walk(str(place)):
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        for name in sorted(names):
            yield Path(parent, name)


def _command_files(cli: AgentCli, params: CommandsParams, request: Request) -> CommandFiles:
    if not cli.project_commands:
        return CommandFiles({}, 0)
    if params["commit"]:
        return _in_commit(cli, params, request)
    top = os.path.realpath(params["path"])
    contents: Dict[str, bytes] = {}
    left_out = 0
    for name, inside in islice(_in_worktree(cli, top), MAX_LOOKED_AT):
        data = _regular(top, inside) if len(contents) < MAX_FILES else None
        if data is None:
            left_out += 1
        else:
            contents[name] = data
    return CommandFiles(contents, left_out)


def _regular(top: str, inside: str) -> Optional[bytes]:
    """Return the start of a regular file of the worktree. A link in it could lead anywhere."""
    if Path(top, inside).is_symlink():
        return None
    return content_inside(top, inside, MAX_FILE_BYTES)[0]


def _in_worktree(cli: AgentCli, top: str) -> Iterator[Tuple[str, str]]:
    """Yield names as the CLI sees them, with where they are. A folder may be a link within the worktree."""
    for folder in map(Path, cli.project_commands):
        real = os.path.realpath(str(Path(top, folder)))
        if not real.startswith(top + os.sep):
            continue
        for parent, folders, names in os.walk(real):
            folders.sort()
            for name in sorted(name for name in names if name.endswith(".md")):
                path = Path(parent, name)
                yield str(folder / path.relative_to(real)), str(path.relative_to(top))


def _in_commit(cli: AgentCli, params: CommandsParams, request: Request) -> CommandFiles:
    args = ["ls-tree", "-r", "-z", "--full-tree", _commit(params["commit"]), "--", *cli.project_commands]
    listed = _git(params["path"], args, request)
    found = [_entry(record) for record in listed.split("\0") if record]
    files = [(blob, name) for mode, blob, name in found if mode.startswith("100") and name.endswith(".md")]
    wanted = [(blob, name) for blob, name in files[:MAX_FILES] if ".." not in name.split("/")]
    batch = "".join(blob + "\n" for blob, _ in wanted)
    output = _git(params["path"], ["cat-file", "--batch"], request, stdin=batch) if wanted else ""
    blobs = _blobs(os.fsencode(output))
    contents = {name: blob for (_, name), blob in zip(wanted, blobs)}  # noqa: B905 - not in Python 3.8
    return CommandFiles(contents, sum(name.endswith(".md") for _, _, name in found) - len(contents))


def _entry(record: str) -> Tuple[str, str, str]:
    """Return mode, object and name of a line of `git ls-tree`."""
    head, _, name = record.partition("\t")
    mode, _, blob = [*head.split(" "), "", ""][:3]
    return mode, blob, name


def _blobs(output: bytes) -> Iterator[bytes]:
    """Yield the objects in the output of `git cat-file --batch`, up to the first that is missing."""
    while output:
        head, _, output = output.partition(b"\n")
        words = head.split(b" ")
        if len(words) != 3 or not words[2].isdigit():
            return
        size = int(words[2])
        yield output[: min(size, MAX_FILE_BYTES)]
        output = output[size + 1 :]


def list_files(params: ListFilesParams, request: Request) -> ListedFiles:
    """Return the files that git does not ignore: tracked ones, and new ones of a worktree."""
    path, commit = params["path"], params["commit"]
    listed = ""
    if commit:
        digest = _git(path, ["rev-parse", "--verify", "-q", _commit(commit) + "^{tree}"], request).strip()
    else:
        listed = _git(path, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], request)
        digest = hashlib.sha256(os.fsencode(listed)).hexdigest()[:32]
    if params.get("known") == digest:
        return {"names": [], "digest": digest, "unchanged": True, "left_out": 0}
    if commit:
        listed = _git(path, ["ls-tree", "-r", "-z", "--name-only", "--full-tree", digest], request)
    every = sorted(set(listed.split("\0")) - {""})
    names = [name for name in every if _is_writable(name)][:MAX_NAMES]
    return {"names": names, "digest": digest, "unchanged": False, "left_out": len(every) - len(names)}


def _is_writable(name: str) -> bool:
    """Return whether a message can name a file. Characters that can't be seen could hide another name."""
    return len(name) <= MAX_NAME and name.isprintable() and '"' not in name


def _commit(name: str) -> str:
    if name.startswith("-"):
        raise RequestFailure("bad_request", f"{name} is no commit")
    return name


def _git(path: str, args: List[str], request: Request, *, stdin: str = "") -> str:
    params: GitParams = {"path": path, "args": args, "max_output": MAX_OUTPUT, "timeout": LIMIT_SECONDS}
    if stdin:
        params["stdin"] = stdin
    done = git.git(params, request)
    if done["rc"]:
        raise RequestFailure("failed", f"git could not list the files of {path}: {done['err'][-400:]}")
    if done["truncated"]:
        raise RequestFailure("failed", f"{path} has too many files to complete their names.")
    return done["out"]
