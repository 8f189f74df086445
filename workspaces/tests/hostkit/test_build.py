from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from workspaces import hostkit_build
from workspaces.hostkit import agents
from workspaces.hostkit.serve import packed
from workspaces.hostkit.serve.packed import compiled_name

from .client import Serve

SOURCES = sorted(hostkit_build.PACKAGE.rglob("*.py"))


def test_the_same_source_gives_the_same_bytes_and_name() -> None:
    assert hostkit_build.build() == hostkit_build.build()
    assert hostkit_build.build()[0].startswith("hostkit-")


def test_it_contains_the_source_alone_and_does_not_depend_on_a_compressor(sent_pyz: Path) -> None:
    with zipfile.ZipFile(sent_pyz) as archive:
        assert {Path(each.filename).suffix for each in archive.infolist()} == {".py"}
        assert {each.compress_type for each in archive.infolist()} == {zipfile.ZIP_STORED}


def test_changed_source_gets_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    name, _ = hostkit_build.build()
    monkeypatch.setattr(hostkit_build, "MAIN", hostkit_build.MAIN + b"# changed\n")
    assert hostkit_build.build.__wrapped__()[0] != name


@pytest.fixture
def zipapp(sent_pyz: Path, tmp_path: Path) -> Path:
    """A copy of what is sent, in a folder of its own."""
    alone = tmp_path / "kit" / sent_pyz.name
    alone.parent.mkdir()
    shutil.copy(sent_pyz, alone)
    return alone


def started_from(zipapp: Path, environment: dict[str, str]) -> str:
    """Start a zipapp; return the name of the file that answers."""
    client = Serve(zipapp, environment)
    client.close()
    return str(client.hello["hostkit"])


def test_a_host_makes_a_copy_with_bytecode_and_starts_from_it(
    zipapp: Path, host_environment: dict[str, str]
) -> None:
    assert started_from(zipapp, host_environment) == compiled_name(zipapp).name
    assert loaded(compiled_name(zipapp)) == {".pyc"}


def test_a_damaged_copy_is_made_again(pyz: Path, zipapp: Path, host_environment: dict[str, str]) -> None:
    compiled_name(zipapp).write_bytes(pyz.read_bytes()[:-7])
    assert started_from(zipapp, host_environment) == compiled_name(zipapp).name
    assert packed.is_whole(compiled_name(zipapp))


def test_a_host_that_can_not_write_the_copy_starts_from_the_source(
    zipapp: Path, host_environment: dict[str, str]
) -> None:
    compiled_name(zipapp).mkdir()  # in its place, so that even root can't write it
    assert started_from(zipapp, host_environment) == zipapp.name


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder where the copy for this machine is kept, instead of the project's."""
    folder = tmp_path / "__pycache__"
    monkeypatch.setattr("importlib.util.cache_from_source", lambda _: str(folder / "hostkit.pyc"))
    return folder


def build_anew() -> tuple[str, bytes]:
    """As another process of the app would."""
    return hostkit_build.build_for_this_machine.__wrapped__()


def test_this_machine_gets_a_copy_that_all_processes_share(kept: Path, pyz: Path) -> None:
    name, content = build_anew()
    assert (name, loaded(kept / name)) == (pyz.name, {".pyc"})
    changed_at = (kept / name).stat().st_mtime_ns
    assert build_anew() == (name, content)
    assert (kept / name).stat().st_mtime_ns == changed_at


def test_a_damaged_copy_for_this_machine_is_made_again_and_an_earlier_one_removed(kept: Path) -> None:
    name, _ = build_anew()
    (kept / name).write_bytes(b"x" * 100)
    (kept / "hostkit-0123.cpython-311.pyz").touch()
    assert packed.is_whole(kept / build_anew()[0])
    build_anew()
    assert {file.name for file in kept.iterdir()} == {name}


def test_a_read_only_installation_compiles_in_each_process(kept: Path) -> None:
    kept.touch()  # no folder, so that nothing can be kept there, even by root
    name, content = build_anew()
    (kept.parent / name).write_bytes(content)
    assert packed.is_whole(kept.parent / name)


def test_another_python_uses_the_source_in_the_copy(pyz: Path, tmp_path: Path) -> None:
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
