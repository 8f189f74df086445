"""The browser libraries kept in the repository: what they are, and whether they are as recorded."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

APP = Path(__file__).parents[1]
MANIFEST = APP / "vendor.toml"
FOLDER = APP / "static" / "vendor"


class VendorError(Exception):
    """A library can't be fetched, or is not what the registry promised."""


@dataclass(frozen=True)
class Library:
    """One library as the manifest describes it."""

    name: str
    package: str
    version: str
    licence: str
    why: str
    integrity: str = ""
    take: list[str] = field(default_factory=list)
    icons: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return FOLDER / f"{self.name}-{self.version}"

    @property
    def url(self) -> str:
        """Its folder below STATIC_URL."""
        return f"vendor/{self.folder.name}"


@cache
def libraries() -> dict[str, Library]:
    """All libraries of the manifest by name."""
    entries: dict[str, dict[str, Any]] = tomllib.loads(MANIFEST.read_text())
    return {name: Library(name, **entry) for name, entry in entries.items()}


def problems() -> Iterator[str]:
    """What differs between the kept files and the manifest, a sentence each; needs no network."""
    for library in libraries().values():
        if not library.files:
            yield f"{library.name}: no files are recorded"
        kept = {path.name for path in library.folder.glob("*")}
        for extra in sorted(kept - set(library.files)):
            yield f"{library.folder.name}/{extra} is not recorded"
        for name, digest in library.files.items():
            path = library.folder / name
            if not path.is_file():
                yield f"{library.folder.name}/{name} is missing"
            elif sha256(path.read_bytes()) != digest:
                yield f"{library.folder.name}/{name} was changed"


def fetch(library: Library) -> tuple[str, dict[str, bytes]]:
    """Get a library from the npm registry: its integrity and the files to keep, by name.

    Raises VendorError when npm fails, or when the archive is not what was recorded for this version, or for a
    new one not what the registry promises.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{library.package}@{library.version}"
        _npm("pack", "--silent", "--pack-destination", folder, wanted)
        promised = library.integrity or _npm("view", wanted, "dist.integrity")
        archive = next(Path(folder).glob("*.tgz"))
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if integrity != promised:
            raise VendorError(f"{archive.name} has {integrity}, but {promised} was promised")
        with tarfile.open(archive) as tar:
            return integrity, dict(_wanted(library, tar))


def _npm(*arguments: str) -> str:
    try:
        done = subprocess.run(["npm", *arguments], capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError as error:
        raise VendorError("npm is not installed") from error
    if done.returncode:
        raise VendorError(done.stderr.strip() or f"npm ended with {done.returncode}")
    return done.stdout.strip()


def _wanted(library: Library, tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
    def content(member: str) -> bytes:
        file = tar.extractfile(f"package/{member}")
        if file is None:
            raise VendorError(f"{library.package} has no {member}")
        return file.read()

    yield "LICENSE", content("LICENSE")
    for member in library.take:
        yield Path(member).name, content(member)
    if library.icons:
        icons = {name: content(f"icons/{name}.svg").decode() for name in library.icons}
        yield "sprite.svg", sprite(icons).encode()


def sprite(icons: dict[str, str]) -> str:
    """One SVG with a symbol for each icon; stroke and size come from the page's CSS."""
    symbols = []
    for name, svg in sorted(icons.items()):
        match = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
        if match is None:
            raise VendorError(f"the icon {name} is no SVG")
        inner = " ".join(match[1].split())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def keep(library: Library, integrity: str, files: dict[str, bytes]) -> None:
    """Write the files in place of the older ones and record their checksums in the manifest."""
    for old in FOLDER.glob(f"{library.name}-*"):
        for path in old.iterdir():
            path.unlink()
        old.rmdir()
    library.folder.mkdir(parents=True)
    for name, content in files.items():
        (library.folder / name).write_bytes(content)
    _record(library, integrity, {name: sha256(content) for name, content in files.items()})
    libraries.cache_clear()


def _record(library: Library, integrity: str, digests: dict[str, str]) -> None:
    """Rewrite the library's part of the manifest; comments and the other parts stay as they are."""
    head, *parts = re.split(r"(?m)^(?=\[\w+\]$)", MANIFEST.read_text())
    for index, part in enumerate(parts):
        if part.startswith(f"[{library.name}]"):
            part = re.sub(r"(?m)^files = \{[^}]*\}\n", "", part).rstrip() + "\n"
            part = re.sub(r'(?m)^version = ".*"$', f'version = "{library.version}"', part)
            part = re.sub(r'(?m)^integrity = ".*"$', f'integrity = "{integrity}"', part)
            listed = ", ".join(f'"{name}" = "{digest}"' for name, digest in digests.items())
            parts[index] = f"{part}files = {{ {listed} }}\n\n"
    MANIFEST.write_text((head + "".join(parts)).rstrip() + "\n")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
