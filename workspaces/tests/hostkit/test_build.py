from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from workspaces import hostkit_build
from workspaces.hostkit import agents

SOURCES = sorted(hostkit_build.PACKAGE.rglob("*.py"))


def test_the_same_source_gives_the_same_bytes_and_name() -> None:
    assert hostkit_build.build() == hostkit_build.build()
    assert hostkit_build.build()[0].startswith("hostkit-")


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
