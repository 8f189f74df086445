"""The browser libraries vendored in the repository: fetching and verifying them."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tarfile

APP = Path(__file__).parents[1]
MANIFEST = APP / "vendor.toml"
FOLDER = APP / "static" / "vendor"


class VendorError(Exception):
    """A library can't be fetched, or its checksum is wrong."""


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
        """The path of its folder below STATIC_URL."""
        return f"vendor/{self.folder.name}"


@cache
def libraries() -> dict[str, Library]:
    """Return all libraries of the manifest by name."""
    entries: dict[str, dict[str, Any]] = tomllib.loads(MANIFEST.read_text())
    return {name: Library(name, **entry) for name, entry in entries.items()}


def problems() -> Iterator[str]:
    """Yield each difference between the files and the manifest, without network access."""
    for library in libraries().values():
        if not library.files:
            yield f"{library.name}: no files are recorded"
        existing = {path.name for path in library.folder.glob("*")}
        for extra in sorted(existing - set(library.files)):
            yield f"{library.folder.name}/{extra} is not recorded"
        for name, digest in library.files.items():
            path = library.folder / name
            if not path.is_file():
                yield f"{library.folder.name}/{name} is missing"
            elif sha256(path.read_bytes()) != digest:
                yield f"{library.folder.name}/{name} was changed"


def fetch(library: Library) -> tuple[str, dict[str, bytes]]:
    """Fetch a library from the npm registry; return its integrity and its files by name.

    Raises VendorError if npm fails, or if the archive does not have the integrity that is recorded for this
    version (for a new version: that the registry reports).
    """
    with tempfile.TemporaryDirectory() as folder:
        package = f"{library.package}@{library.version}"
        _npm("pack", "--silent", "--pack-destination", folder, package)
        expected = library.integrity or _npm("view", package, "dist.integrity")
        archive = next(Path(folder).glob("*.tgz"))
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if integrity != expected:
            raise VendorError(f"{archive.name} has {integrity}, but {expected} was expected")
        import tarfile  # takes memory in the web process, which only reads the manifest

        with tarfile.open(archive) as tar:
            return integrity, dict(_files(library, tar))


def _npm(*arguments: str) -> str:
    try:
        done = subprocess.run(["npm", *arguments], capture_output=True, text=True, timeout=120, check=False)
    except FileNotFoundError as error:
        raise VendorError("npm is not installed") from error
    if done.returncode:
        raise VendorError(done.stderr.strip() or f"npm ended with {done.returncode}")
    return done.stdout.strip()


def _files(library: Library, tar: tarfile.TarFile) -> Iterator[tuple[str, bytes]]:
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
    """Return one SVG with a symbol per icon; stroke and size come from the page's CSS."""
    symbols = []
    for name, svg in sorted(icons.items()):
        match = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
        if match is None:
            raise VendorError(f"the icon {name} is not an SVG")
        inner = " ".join(match[1].split())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def keep(library: Library, integrity: str, files: dict[str, bytes]) -> None:
    """Replace the older files and record the checksums in the manifest."""
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
    """Rewrite the library's section of the manifest; comments and other sections are not changed."""
    head, *sections = re.split(r"(?m)^(?=\[\w+\]$)", MANIFEST.read_text())
    for index, section in enumerate(sections):
        if section.startswith(f"[{library.name}]"):
            section = re.sub(r"(?m)^files = \{[^}]*\}\n", "", section).rstrip() + "\n"
            section = re.sub(r'(?m)^version = ".*"$', f'version = "{library.version}"', section)
            section = re.sub(r'(?m)^integrity = ".*"$', f'integrity = "{integrity}"', section)
            listed = ", ".join(f'"{name}" = "{digest}"' for name, digest in digests.items())
            sections[index] = f"{section}files = {{ {listed} }}\n\n"
    MANIFEST.write_text((head + "".join(sections)).rstrip() + "\n")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
