"""Files that tools run or obey by themselves: a change of them deserves a look before it is merged."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from fnmatch import translate

COMMAND = "the setup or check command runs it"
AGENTS, GIT, BUILDS = "agents run or obey it", "git runs or obeys it", "builds run it"
TESTS, CI, EDITORS = "tests run it", "CI runs it", "editors and shells run it"
FOLDERS = {
    AGENTS: ".claude .codex .cursor .gemini .agents",
    GIT: ".husky .githooks .git-hooks githooks",
    BUILDS: ".cargo .mvn .yarn",
    CI: """.github/workflows .github/actions .gitea/workflows .forgejo/workflows .circleci .buildkite
        .woodpecker .ci""",
    EDITORS: ".vscode .idea .devcontainer .zed .fleet",
}
NAMES = {
    AGENTS: ".mcp.json claude.md claude.local.md agents.md agents.override.md gemini.md .cursorrules",
    GIT: """.gitattributes .gitmodules .lfsconfig .pre-commit-config.yaml .pre-commit-hooks.yaml
        lefthook*.yml lefthook*.yaml .lefthook*.yml""",
    BUILDS: """package.json .npmrc .yarnrc* .pnpmfile.cjs bunfig.toml deno.json* makefile gnumakefile *.mk
        justfile rakefile taskfile.y*ml dockerfile* containerfile *compose*.y*ml setup.py setup.cfg
        pyproject.toml build.rs build.zig build.sbt build.xml cmakelists.txt configure configure.ac
        meson.build build.bazel *.gradle *.gradle.kts gradlew* mvnw* pom.xml *.csproj *.targets gemfile
        composer.json mix.exs package.swift cargo.toml *.config.js *.config.cjs *.config.mjs *.config.ts
        *.config.mts""",
    TESTS: """conftest.py tox.ini pytest.ini noxfile.py sitecustomize.py usercustomize.py *.pth *.setup.js
        *.setup.ts .mocharc.* spec_helper.rb .rspec phpunit.xml*""",
    CI: """.gitlab-ci*.yml azure-pipelines*.yml .travis.yml .drone.yml jenkinsfile
        bitbucket-pipelines.yml""",
    EDITORS: ".envrc .tool-versions mise.toml .mise.toml",
}
"Folders and names of files in lower case; names may have the wildcards of `fnmatch`."
_folders = [(f"/{folder}/", kind) for kind, folders in FOLDERS.items() for folder in folders.split()]
_names = [
    (re.compile("|".join(translate(name) for name in names.split())), kind) for kind, names in NAMES.items()
]


def why_it_runs(path: str, commands: Iterable[str] = ()) -> str:
    """Return who runs or obeys a file by itself; empty if nobody is known to.

    `commands` are the workspace's setup and check command: the files that they name count, too.
    """
    if any(path in _files_of(command) for command in commands):
        return COMMAND
    lower = f"/{path.lower()}"
    name = lower.rpartition("/")[2]
    found = [kind for folder, kind in _folders if folder in lower]
    return next(iter(found), "") or next((kind for names, kind in _names if names.match(name)), "")


def that_run(paths: Iterable[str], commands: Sequence[str] = ()) -> list[str]:
    """Return the paths that somebody runs or obeys by itself, sorted."""
    return sorted(path for path in paths if why_it_runs(path, commands))


def _files_of(command: str) -> set[str]:
    """Return the words of a shell command that could be paths in the repository."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        words = command.split()
    pieces = (piece for word in words for piece in re.split(r"[;&|()=<>]+", word))
    return {piece.removeprefix("./") for piece in pieces if piece}
