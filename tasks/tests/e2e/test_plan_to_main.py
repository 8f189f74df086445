"""A document of twelve points becomes twelve commits of `main`, by agents of both real CLIs."""

from __future__ import annotations

import pytest

from tasks.tests.e2e import plan_to_main
from tasks.tests.e2e.world import World, embedded

pytestmark = [pytest.mark.cli, pytest.mark.server, pytest.mark.slow, embedded]


@pytest.mark.long("thirteen runs of the real CLIs, four of them one after the other")
@pytest.mark.timeout(600)
def test_a_document_becomes_twelve_checked_commits_in_its_order(world: World) -> None:
    (plan,) = plan_to_main.run(world, kills=0)["rounds"]
    assert plan["wrong"] == []


@pytest.mark.nightly
@pytest.mark.long("fifty kills within plans of a minute and a half each")
@pytest.mark.timeout(1800)
def test_fifty_kills_on_the_way_change_nothing() -> None:
    with World() as world:
        seen = plan_to_main.run(world, kills=50, seed=50)
    assert seen["kills"] == 50
    assert [plan["wrong"] for plan in seen["rounds"]] == [[]] * len(seen["rounds"])
