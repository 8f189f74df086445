"""The aliases that a form offers are those of the person's ssh configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from workspaces.ssh_aliases import aliases


def written(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_aliases_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    config = written(tmp_path / "config", 'Host cloud edge\n  Port 22\nHost=cloud\nhost  "lab" # ours\n')

    assert aliases(config) == ["cloud", "edge", "lab"]


@pytest.mark.parametrize("pattern", ["*", "*.example.org", "web?", "!cloud", "-oProxyCommand=x"])
def test_patterns_are_not_offered(tmp_path: Path, pattern: str) -> None:
    assert aliases(written(tmp_path / "config", f"Host cloud {pattern}\n")) == ["cloud"]


def test_included_files_count(tmp_path: Path) -> None:
    written(tmp_path / "work.conf", "Host work\n")
    config = written(tmp_path / "config", f"Include {tmp_path}/*.conf\nHost cloud\n")

    assert aliases(config) == ["work", "cloud"]


@pytest.mark.parametrize("form", ["{}", '"{}"'])
def test_a_backslash_in_a_name_is_a_character_like_any_other(tmp_path: Path, form: str) -> None:
    included = written(tmp_path / "ssh\\work.conf", "Host work\n")
    config = written(tmp_path / "config", f"Include {form.format(included)}\n")

    assert aliases(config) == ["work"]


def test_a_byte_order_mark_and_crlf_hide_no_line(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes("\ufeffHost cloud\r\nHost edge\r\n".encode())

    assert aliases(str(tmp_path / "config")) == ["cloud", "edge"]


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    config = written(tmp_path / "config", f"Include {tmp_path}/config\nHost cloud\n")

    assert aliases(config) == ["cloud"]


def test_without_a_configuration_there_is_nothing_to_offer(tmp_path: Path) -> None:
    assert aliases(str(tmp_path / "missing")) == []


def test_a_line_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    assert aliases(written(tmp_path / "config", 'Host "open\nHost cloud\n')) == ["cloud"]
