"""serve: reading, writing and copying files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workspaces.hostkit.serve import files

from .client import Refused, Serve


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")
    return folder


def copy(serve: Serve, source: Path, target: Path, *patterns: str) -> tuple[list[str], dict[str, str]]:
    target.mkdir(exist_ok=True)
    done = serve.call("copy", source=str(source), target=str(target), patterns=list(patterns))
    return sorted(done["copied"]), {item["path"]: item["why"] for item in done["skipped"]}


def test_a_file_is_written_whole_and_private(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    serve.call("write", path=str(path), data="ü\udcff\n")
    assert path.read_bytes() == "ü".encode() + b"\xff\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["file"]


def test_an_exclusive_write_never_replaces(serve: Serve, tmp_path: Path) -> None:
    path = fill(tmp_path, "file") / "file"
    with pytest.raises(Refused) as refused:
        serve.call("write", path=str(path), data="new", exclusive=True)
    assert refused.value.kind == "exists"
    assert path.read_text() == "content of file"


def test_a_part_of_a_file_is_read(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("0123456789")
    assert serve.call("read", path=str(path), offset=3, limit=4) == {"data": "3456", "size": 10}


def test_what_is_not_there_is_not_found(serve: Serve, tmp_path: Path) -> None:
    assert not serve.call("stat", path=str(tmp_path / "no"))["exists"]
    with pytest.raises(Refused) as refused:
        serve.call("read", path=str(tmp_path / "no"))
    assert refused.value.kind == "not_found"


def test_stat_tells_kind_and_size(serve: Serve, tmp_path: Path) -> None:
    fill(tmp_path, "file")
    known = serve.call("stat", path=str(tmp_path / "file"))
    assert (known["exists"], known["is_dir"], known["size"]) == (True, False, 15)
    assert serve.call("stat", path=str(tmp_path))["is_dir"]


def test_globs_name_files_dot_files_and_whole_folders(serve: Serve, tmp_path: Path) -> None:
    source = fill(tmp_path / "s", ".env", ".env.local", "a/x.key", "a/b/y.key", "deep/c/d.txt", "other")
    copied, skipped = copy(serve, source, tmp_path / "t", ".env*", "**/*.key", "deep")
    assert copied == [".env", ".env.local", "a/b/y.key", "a/x.key", "deep/c/d.txt"]
    assert skipped == {}
    assert (tmp_path / "t" / "a/b/y.key").read_text() == "content of a/b/y.key"


def test_nothing_outside_the_folder_is_copied(serve: Serve, tmp_path: Path) -> None:
    source = fill(tmp_path / "s", "in")
    fill(tmp_path, "secret")
    copied, skipped = copy(serve, source, tmp_path / "t", "../secret", str(tmp_path / "secret"), "in")
    assert copied == ["in"]
    assert set(skipped) == {"../secret", str(tmp_path / "secret")}


def test_an_existing_file_is_never_overwritten(serve: Serve, tmp_path: Path) -> None:
    source = fill(tmp_path / "s", ".env")
    target = fill(tmp_path / "t", ".env")
    (target / ".env").write_text("own")
    assert copy(serve, source, target, ".env") == ([], {".env": "already exists"})
    assert (target / ".env").read_text() == "own"


def test_a_link_is_copied_as_a_link_only_when_it_stays_inside(serve: Serve, tmp_path: Path) -> None:
    source = fill(tmp_path / "s", "real")
    fill(tmp_path, "secret")
    (source / "inner").symlink_to("real")
    (source / "outer").symlink_to("../secret")
    copied, skipped = copy(serve, source, tmp_path / "t", "inner", "outer")
    assert copied == ["inner"]
    assert (tmp_path / "t" / "inner").is_symlink()
    assert list(skipped) == ["outer"]


def test_a_linked_folder_in_the_target_is_no_way_out(serve: Serve, tmp_path: Path) -> None:
    source = fill(tmp_path / "s", "a/x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "a").symlink_to(tmp_path / "elsewhere")
    copied, skipped = copy(serve, source, tmp_path / "t", "a/x")
    assert (copied, list(skipped)) == ([], ["a/x"])
    assert not list((tmp_path / "elsewhere").iterdir())


def test_gits_own_files_and_the_target_itself_stay_out(serve: Serve, tmp_path: Path) -> None:
    source = fill(tmp_path / "s", ".git/config", "trees/1/file", "keep")
    copied, _ = copy(serve, source, source / "trees", "**/*")
    assert copied == ["keep"]


def obstacles(serve: Serve, folder: Path, *names: str) -> list[str]:
    return list(serve.call("obstacles", folder=str(folder), names=list(names))["names"])


def test_what_lies_where_a_file_would_be_created_is_named(serve: Serve, tmp_path: Path) -> None:
    fill(tmp_path, "file", "folder/inner", "a/b/c")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "linked").symlink_to("folder")

    assert obstacles(serve, tmp_path, "new", "folder/new", "a/b/new", "missing/deep/new") == []
    assert obstacles(serve, tmp_path, "file", "file/below/it", "folder/inner") == ["file", "folder/inner"]
    assert obstacles(serve, tmp_path, "folder", "a") == ["a", "folder"]
    assert obstacles(serve, tmp_path, "dangling", "linked/inner") == ["dangling", "linked"]
    assert obstacles(serve, tmp_path, "n" * 300, "odd\0name") == []


def test_an_obstacle_has_the_name_that_its_folder_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a file system that does not tell capital letters from small ones."""
    fill(tmp_path, "Notes/ÄLT.txt")
    lstat = Path.lstat

    def find_by_lower_case(path: Path) -> os.stat_result:
        names = {entry.name.lower(): entry.name for entry in os.scandir(path.parent)}
        return lstat(path.parent / names.get(path.name.lower(), path.name))

    monkeypatch.setattr(Path, "lstat", find_by_lower_case)
    names = files.obstacles({"folder": str(tmp_path), "names": ["Notes/ält.TXT"]}, None)["names"]  # type: ignore[arg-type]
    assert names == ["Notes/ÄLT.txt"]
