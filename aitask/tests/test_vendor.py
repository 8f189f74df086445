"""The browser libraries in the repository are the ones that were recorded."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from aitask.lib import vendoring

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The libraries and their manifest, free to be changed."""
    shutil.copytree(vendoring.FOLDER, tmp_path / "vendor")
    shutil.copy(vendoring.MANIFEST, tmp_path / "vendor.toml")
    monkeypatch.setattr(vendoring, "FOLDER", tmp_path / "vendor")
    monkeypatch.setattr(vendoring, "MANIFEST", tmp_path / "vendor.toml")
    vendoring.libraries.cache_clear()
    yield tmp_path / "vendor"
    vendoring.libraries.cache_clear()


def test_what_is_kept_is_what_was_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("vendor", "--check")
    assert "match the manifest" in capsys.readouterr().out


def test_a_changed_a_missing_and_a_foreign_file_are_found(copy: Path) -> None:
    library = vendoring.libraries()["htmx"]
    (library.folder / "htmx.min.js").write_text("alert(1)")
    (library.folder / "LICENSE").unlink()
    (library.folder / "extra.js").write_text("")
    with pytest.raises(CommandError) as told:
        call_command("vendor", "--check")
    for problem in ("htmx.min.js was changed", "LICENSE is missing", "extra.js is not recorded"):
        assert problem in str(told.value)


def test_every_library_has_its_licence_and_where_it_came_from() -> None:
    for library in vendoring.libraries().values():
        assert "LICENSE" in library.files
        assert library.integrity.startswith("sha512-")
        assert library.licence
        assert library.why


def test_a_new_version_replaces_the_old_one_and_is_recorded(copy: Path) -> None:
    old = vendoring.libraries()["htmx"]
    new = vendoring.Library("htmx", old.package, "99.0", old.licence, old.why, take=old.take)
    vendoring.keep(new, "sha512-x", {"LICENSE": b"free", "htmx.min.js": b"js"})
    assert not old.folder.exists()
    kept = vendoring.libraries()["htmx"]
    assert (kept.version, kept.integrity, set(kept.files)) == ("99.0", "sha512-x", {"LICENSE", "htmx.min.js"})
    assert not list(vendoring.problems())
    assert vendoring.libraries()["sortablejs"].version == "1.15.7"


def test_a_name_that_is_no_library_is_refused() -> None:
    with pytest.raises(CommandError, match="htmx"):
        call_command("vendor", "--update", "jquery")


def test_the_icons_that_are_used_are_the_icons_that_are_kept() -> None:
    sprite = (vendoring.libraries()["lucide"].folder / "sprite.svg").read_text()
    kept = set(re.findall(r'<symbol id="([\w-]+)"', sprite))
    folders = ("templates", "aitask", "workspaces", "tasks", "terminal", "usage")
    files = [path for folder in folders for path in (ROOT / folder).rglob("*") if is_ours(path)]
    source = "".join(path.read_text() for path in files)
    assert set(re.findall(r'{% icon "([\w-]+)"', source)) <= kept
    assert {name for name in kept if not re.search(rf"[\"'#]{name}[\"'`]", source)} == set()


def is_ours(path: Path) -> bool:
    return path.suffix in {".html", ".py", ".js"} and "vendor" not in path.parts and "tests" not in path.parts
