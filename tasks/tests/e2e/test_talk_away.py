"""What people say and change while the link to the host is cut arrives once, in order, when it is back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aitask.tests.lab.client import ApiError
from aitask.tests.lab.sshd import SshLab
from aitask.tests.lab.wait import wait_for
from tasks.tests.e2e.cloud import Cloud

pytestmark = [pytest.mark.cli, pytest.mark.slow]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with SshLab() as lab, Cloud(lab) as world:
        world.api.patch(f"/api/workspaces/{world.workspace}", {"permission_mode": "ask"})
        yield world


def test_an_answer_messages_and_a_model_wait_for_the_link_and_arrive_once(cloud: Cloud, backend: str) -> None:
    run = cloud.start("@bash touch there.txt\n@text fine", backend)
    request = cloud.api.wait_for_run(run["id"], {"waiting"}, timeout=60)["open_requests"][0]
    cloud.lab.link.cut()
    wait_for(lambda: cloud.task_of(run)["badge"] == "link lost", 60, "the badge")
    address = f"/api/runs/{run['id']}"
    model = {"claude_code": "claude-sonnet-5", "codex": "gpt-5.5"}[backend]
    cloud.api.post(f"{address}/settings", {"model": model, "reasoning_effort": "low"})
    for text in ("@text one", "@text two"):
        cloud.api.post(f"{address}/message", {"text": text, "when": "after_turn"})
    cloud.api.post(f"{address}/requests/{request['id']}", {"decision": "allow"})
    with pytest.raises(ApiError, match="409"):
        cloud.api.post(f"{address}/requests/{request['id']}", {"decision": "deny"})
    assert cloud.api.run(run["id"])["open_requests"][0]["id"] == request["id"]
    cloud.lab.link.mend()
    ended = cloud.api.wait_for_run(run["id"], timeout=120)
    assert ended["state"] == "succeeded", ended["reason"]
    taken = [event["text"] for event in cloud.events(ended, "message") if event["by"] == "web"]
    assert taken == ["@text one", "@text two"]
    assert [event["decision"] for event in cloud.events(ended, "request_closed")] == ["allow"]
    assert cloud.show(ended, "there.txt") == ""
    assert len(cloud.events(ended, "settings")) == 1
    last = cloud.endpoint.ledger.turns(ended["cli_session"])[-1]
    assert (last.model, last.effort) == (model, "low")
