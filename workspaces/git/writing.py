"""Run git commands that change a repository: with an identity, and so that they are not interrupted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from posixpath import join
from uuid import uuid4

from workspaces.git.commands import GitError, call_git, failure, git
from workspaces.git.locks import retry_while_locked
from workspaces.hostkit import wire
from workspaces.hosts import Completed, HostConnection

SECONDS = 600.0
NO_QUESTIONS = {"GIT_EDITOR": "true", "GIT_SEQUENCE_EDITOR": "true", "GIT_MERGE_AUTOEDIT": "no"}
OUTLIVE_SH = """\
log=$1; shift
test -d "${log%/*}" || mkdir -p -- "${log%/*}"
"$@" >"$log" 2>&1
status=$?
test $status = 0 || cat -- "$log"
rm -f -- "$log"
exit $status
"""
"Output goes to a file: a pipe whose reader has exited would kill git half-way."
NEW_SESSION = "import subprocess,sys;sys.exit(subprocess.Popen(sys.argv[1:],start_new_session=True).wait())"
"A replacement for `setsid --wait` on hosts without it."
FALLBACK_IDENTITY = ("AI Task Manager", "aitask@localhost")


@dataclass(frozen=True)
class Writer:
    """Runs git on a host with an identity, which is part of the environment."""

    host: HostConnection
    environment: Mapping[str, str] = field(default_factory=dict)
    hooks: bool = False
    "Whether the repository's hooks run, as they are trusted. Not for our own book-keeping."

    @property
    def with_hooks(self) -> Writer:
        """The writer for what a person would do with git: merge, commit, push."""
        return replace(self, hooks=True)

    def with_index(self, index: str) -> Writer:
        """Return a writer that uses another index file than the worktree's."""
        return replace(self, environment={**self.environment, "GIT_INDEX_FILE": index})

    def git(self, path: str, *args: str, stdin: str | None = None, check: bool = True) -> Completed:
        """Run git in a folder. It is killed if this process or the link ends."""
        done = call_git(self.host, self._params(path, args, stdin))
        if check and done.rc:
            raise failure(path, args[0], done)
        return done

    def git_to_its_end(self, path: str, *args: str, stdin: str | None = None) -> Completed:
        """Run git so that it survives this process and the link. `err` holds both its output streams."""
        log = join(str(self.host.hello()["state_dir"]), "merges", f"git-{uuid4().hex[:12]}.log")
        outlive = ["sh", "-c", OUTLIVE_SH, "sh", log]
        params = self._params(path, args, stdin)
        try:
            done = call_git(self.host, {**params, "prefix": ["setsid", "-w", *outlive]})
        except GitError as error:
            if error.code != "no_git":
                raise
            python = str(self.host.hello()["executable"])
            done = call_git(self.host, {**params, "prefix": [python, "-c", NEW_SESSION, *outlive]})
        return Completed(done.rc, "", done.out + done.err)

    @property
    def variables(self) -> dict[str, str]:
        return {**NO_QUESTIONS, "GIT_OPTIONAL_LOCKS": "1", **self.environment}

    def _params(self, path: str, args: Sequence[str], stdin: str | None) -> wire.GitParams:
        params: wire.GitParams = {
            "path": path,
            "args": list(args),
            "env": self.variables,
            "hooks": self.hooks,
            "timeout": SECONDS,
        }
        return params if stdin is None else {**params, "stdin": stdin}


def writer(host: HostConnection, path: str, *, name: str = "", email: str = "", reflog: str = "") -> Writer:
    """Return a writer with the given identity, else the host's, else the app's."""
    has_identity = git(host, path, "var", "GIT_COMMITTER_IDENT", check=False).rc == 0
    if not (name and email) and not has_identity:
        name, email = FALLBACK_IDENTITY
    variables = {"GIT_REFLOG_ACTION": reflog} if reflog else {}
    for role in ("AUTHOR", "COMMITTER") if name and email else ():
        variables |= {f"GIT_{role}_NAME": name, f"GIT_{role}_EMAIL": email}
    return Writer(host, variables)


def update_refs(write: Writer, repo: str, changes: Mapping[str, tuple[str, str | None]]) -> None:
    """Set all refs or none: name → (new, old), where None as old means any. Raises GitError."""
    lines = [
        f"update {name}\0{new}\0{'' if old is None else old}\0" for name, (new, old) in changes.items() if new
    ]
    if not lines:
        return
    stdin = "".join(lines)
    done = retry_while_locked(lambda: write.git_to_its_end(repo, "update-ref", "-z", "--stdin", stdin=stdin))
    if done.rc:
        raise GitError(f"git could not set refs: {done.err.strip()[:500]}", code="refs")
