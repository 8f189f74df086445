"""Files that nobody writes by hand: a review shows them folded."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import translate

LOCK, VENDORED, CACHE, GENERATED = "lock file", "vendored", "cache", "generated"
FOLDERS = {
    VENDORED: "vendor node_modules third_party bower_components pods .yarn/cache .yarn/releases",
    CACHE: """__pycache__ .pytest_cache .mypy_cache .ruff_cache .cache .tox .gradle .next .nuxt .turbo
        .parcel-cache .eslintcache""",
    GENERATED: "dist __generated__ __snapshots__",
}
NAMES = {
    LOCK: """package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock
        poetry.lock uv.lock pdm.lock pipfile.lock cargo.lock gemfile.lock composer.lock go.sum mix.lock
        flake.lock packages.lock.json gradle.lockfile podfile.lock pubspec.lock package.resolved
        .terraform.lock.hcl""",
    CACHE: "*.pyc *.pyo .coverage .ds_store thumbs.db",
    GENERATED: """*.min.js *.min.css *.js.map *.css.map *.pb.go *.pb.cc *.pb.h *_pb2.py *_pb2.pyi
        *_pb2_grpc.py *.g.dart *.freezed.dart *.designer.cs *.generated.*""",
}
"Folders and names of files in lower case; names may have the wildcards of `fnmatch`."
ATTRIBUTES = {"linguist-generated": GENERATED, "linguist-vendored": VENDORED}
MOST_PATTERNS, LONGEST_PATTERN, MOST_STARS = 20, 100, 3
"Of a `.gitattributes` file, which an agent can write: matching must not take long for any file name."
_folders = [(f"/{folder}/", kind) for kind, folders in FOLDERS.items() for folder in folders.split()]
_names = [
    (re.compile("|".join(translate(name) for name in names.split())), kind) for kind, names in NAMES.items()
]


class HandMade:
    """Tells which files are not written by hand, by their names and the repository's `.gitattributes`."""

    def __init__(self, attributes: str = "") -> None:
        self._patterns = list(_patterns(attributes.splitlines()))

    def why_not(self, path: str) -> str:
        """Return what kind of file it is; empty if it seems to be written by hand."""
        for pattern, kind in self._patterns:
            if pattern.match(f"/{path}"):
                return kind
        lower = f"/{path.lower()}"
        name = lower.rpartition("/")[2]
        found = [kind for folder, kind in _folders if folder in lower]
        return next(iter(found), "") or next((kind for names, kind in _names if names.match(name)), "")


def _patterns(lines: Iterable[str]) -> Iterable[tuple[re.Pattern[str], str]]:
    """Yield the patterns that have one of our attributes, the last line first: it decides."""
    found = []
    for line in lines:
        pattern, *attributes = line.split() or [""]
        for name, kind in ATTRIBUTES.items():
            if not pattern or pattern.startswith(("#", "!")) or _is_costly(pattern):
                continue
            if name in attributes or f"{name}=true" in attributes:
                found.append((_compiled(pattern), kind))
            elif f"-{name}" in attributes or f"{name}=false" in attributes:
                found.append((_compiled(pattern), ""))
    return reversed(found[-MOST_PATTERNS:])


def _is_costly(pattern: str) -> bool:
    return len(pattern) > LONGEST_PATTERN or len(re.findall(r"\*+", pattern)) > MOST_STARS


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for a path with a leading slash. A `*` matches slashes, too, unlike in git."""
    anchored = "/" in pattern.rstrip("/") and not pattern.startswith("**/")
    bare = pattern.removeprefix("**/").strip("/")
    return re.compile(translate(f"/{bare}" if anchored else f"*/{bare}"))
