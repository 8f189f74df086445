from __future__ import annotations

from pathlib import Path

import pytest

from workspaces.tests.spotlight.scene import Scene, copy_scene, make_scene


@pytest.fixture(scope="session")
def made_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        return make_scene(tmp_path_factory.mktemp("scene") / "my repo").top


@pytest.fixture
def scene(made_scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    return copy_scene(made_scene, tmp_path / "my repo")
