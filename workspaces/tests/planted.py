"""Programs that an agent could plant where git looks for some; each leaves a mark when it runs."""

from __future__ import annotations

from pathlib import Path

from aitask.tests.lab.repos import git

HOOKS = (
    *("applypatch-msg", "commit-msg", "fsmonitor-watchman", "post-applypatch", "post-checkout"),
    *("post-commit", "post-index-change", "post-merge", "post-rewrite", "post-update", "pre-applypatch"),
    *("pre-auto-gc", "pre-commit", "pre-merge-commit", "pre-push", "pre-rebase", "pre-receive"),
    *("prepare-commit-msg", "proc-receive", "push-to-checkout", "reference-transaction"),
    *("sendemail-validate", "update"),
)
COMMANDS = {
    "core.fsmonitor": "{touch}",
    "core.sshCommand": "{touch}; false",
    "core.editor": "{touch}",
    "core.pager": "{touch}; cat",
    "core.askPass": "{touch}",
    "core.gitProxy": "{touch}",
    "core.alternateRefsCommand": "{touch}",
    "sequence.editor": "{touch}",
    "credential.helper": "!{touch}",
    "diff.external": "{touch}",
    "diff.planted.command": "{touch}",
    "diff.planted.textconv": "{touch}; cat",
    "filter.planted.clean": "{touch}; cat",
    "filter.planted.smudge": "{touch}; cat",
    "filter.späte r.clean": "{touch}; cat",
    "merge.planted.driver": "{touch}; true %A",
    "gpg.program": "{touch}",
    "gpg.ssh.program": "{touch}",
    "interactive.diffFilter": "{touch}; cat",
    "trailer.planted.command": "{touch}",
    "uploadpack.packObjectsHook": "{touch}; false",
    "remote.origin.uploadpack": "{touch}; git-upload-pack",
    "alias.status": "!{touch}",
    "submodule.planted.update": "!{touch}",
}
SWITCHES = {
    "commit.gpgSign": "true",
    "log.showSignature": "true",
    "merge.verifySignatures": "true",
    "protocol.ext.allow": "always",
    "status.submoduleSummary": "true",
    "core.untrackedCache": "true",
}
ATTRIBUTES = "* filter=planted diff=planted merge=planted\n*.md filter=späte\\ r\n"


class Planter:
    """Plants programs; `marks` are the names of those that ran."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "planted"
        self.folder.mkdir()

    @property
    def marks(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith("ran-"))

    def touch(self, name: str) -> str:
        return f"touch '{self.folder}/ran-{name.replace('/', '-')}'"

    def configure(self, config: Path, label: str) -> None:
        """Write all settings that name a program to a configuration file."""
        for key, command in COMMANDS.items():
            value = command.format(touch=self.touch(f"{label}-{key}"))
            git(self.folder, "config", "--file", str(config), key, value)
        for key, value in SWITCHES.items():
            git(self.folder, "config", "--file", str(config), key, value)

    def hooks(self, folder: Path, label: str) -> Path:
        """Write all hooks to a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in HOOKS:
            hook = folder / name
            hook.write_text(f"#!/bin/sh\n{self.touch(f'{label}-{name}')}\n")
            hook.chmod(0o755)
        return folder

    def in_repository(self, git_dir: Path) -> None:
        """Plant settings, an included file, hooks and attributes in a repository's git folder."""
        self.configure(git_dir / "config", "config")
        included = self.folder / "included"
        self.configure(included, "included")
        git(self.folder, "config", "--file", str(git_dir / "config"), "include.path", str(included))
        self.hooks(git_dir / "hooks", "hook")
        (git_dir / "info").mkdir(exist_ok=True)
        (git_dir / "info/attributes").write_text(ATTRIBUTES)

    def in_worktree(self, worktree: Path, git_dir: Path) -> None:
        """Plant attributes, hooks in the tree, and settings of the worktree alone."""
        (worktree / ".gitattributes").write_text(ATTRIBUTES)
        hooks = self.hooks(worktree / ".husky", "husky")
        common = git(worktree, "rev-parse", "--path-format=absolute", "--git-common-dir")
        git(self.folder, "config", "--file", f"{common}/config", "core.hooksPath", str(hooks))
        git(self.folder, "config", "--file", f"{common}/config", "extensions.worktreeConfig", "true")
        self.configure(git_dir / "config.worktree", "worktree")

    def in_nested_repository(self, folder: Path) -> None:
        """A repository with plants and a change of the same size, so that git has to look into the file."""
        folder.mkdir(parents=True)
        git(folder, "init", "-q")
        (folder / "a.txt").write_text("one\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", "Nested")
        self.in_repository(folder / ".git")
        (folder / ".gitattributes").write_text(ATTRIBUTES)
        (folder / "a.txt").write_text("two\n")
