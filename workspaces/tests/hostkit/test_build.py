from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workspaces import hostkit_build
from workspaces.hostkit import agents

SOURCES = sorted(hostkit_build.PACKAGE.rglob("*.py"))


def test_the_same_source_gives_the_same_bytes_and_name() -> None:
    assert hostkit_build.build() == hostkit_build.build()
    assert hostkit_build.build()[0].startswith("hostkit-")


def cache(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Let the kit be kept in this folder instead of the project's."""
    kept = folder / "__pycache__" / "kit.pyz"
    monkeypatch.setattr(hostkit_build, "_cache", lambda: kept)
    return kept


def test_what_is_kept_is_used_only_for_the_same_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = cache(monkeypatch, tmp_path)
    name, content = hostkit_build.build()
    assert kept.read_bytes() == content
    monkeypatch.setattr(hostkit_build, "MAIN", hostkit_build.MAIN + b"# changed\n")
    changed, _ = hostkit_build.build()
    assert changed != name
    for torn in (b"", content[:-7], b"x" * 100):
        kept.write_bytes(torn)
        assert hostkit_build.build()[0] == changed


def test_a_read_only_installation_ships_the_source_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "__pycache__").touch()  # no folder, so nothing can be kept there, even by root
    cache(monkeypatch, tmp_path)
    name, content = hostkit_build.build()
    kit = tmp_path / name
    kit.write_bytes(content)
    assert loaded(kit) == {".py"}
    assert hostkit_build.build() == (name, content)


def test_the_bytecode_is_used_by_this_python_and_the_source_by_others(pyz: Path, tmp_path: Path) -> None:
    assert loaded(pyz) == {".pyc"}
    other = tmp_path / "other.pyz"
    with zipfile.ZipFile(pyz) as given, zipfile.ZipFile(other, "w") as archive:
        for name in given.namelist():
            data = given.read(name)
            archive.writestr(name, b"\0\0\r\n" + data[4:] if name.endswith(".pyc") else data)
    assert loaded(other) == {".py"}


def loaded(kit: Path) -> set[str]:
    """The suffixes of the files that modules of the kit were loaded from."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hostkit.serve.server, hostkit.run.runner\n"
        "print(*(m.__file__ for n, m in sys.modules.items() if n.startswith('hostkit')), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(kit)], capture_output=True, text=True, check=True
    )
    return {Path(line).suffix for line in done.stdout.splitlines()}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_the_source_is_python_3_8(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_beyond_the_standard_library_is_imported(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [str(node.module)]
        for name in names:
            assert name.partition(".")[0] in sys.stdlib_module_names


def test_the_packed_kit_finds_the_same_clis(pyz: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from hostkit import agents; print(*agents.get_all())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(pyz)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == agents.names()


def test_an_unknown_subcommand_says_how_it_is_used(pyz: Path) -> None:
    done = subprocess.run([sys.executable, str(pyz), "dance"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "serve" in done.stderr


def test_a_run_that_was_never_prepared_is_refused(pyz: Path, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, str(pyz), "run", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert "There is no run" in done.stderr
