"""A host that failed is left in peace for a while, longer each time."""

from __future__ import annotations

import pytest

from workspaces.hosts import HostError
from workspaces.hosts.host import BackOff

ERROR = HostError("It refused.", "Start it.", code="refused", retryable=True, data={"port": 22})


def pause(back_off: BackOff) -> float:
    with pytest.raises(HostError) as caught:
        back_off.check()
    return float(caught.value.data["next_try_in"])


def test_a_host_that_never_failed_may_be_tried() -> None:
    BackOff().check()


def test_the_last_error_comes_back_at_once_with_the_time_of_the_next_try() -> None:
    back_off = BackOff()
    back_off.failed(ERROR)

    with pytest.raises(HostError) as caught:
        back_off.check()

    assert (caught.value.reason, caught.value.hint, caught.value.code) == (
        ERROR.reason,
        ERROR.hint,
        "refused",
    )
    assert caught.value.data["port"] == 22
    assert 0 < caught.value.data["next_try_in"] <= 1.3


def test_each_failure_doubles_the_pause_up_to_a_minute() -> None:
    back_off = BackOff()
    pauses = []
    for _ in range(12):
        back_off.failed(ERROR)
        pauses.append(pause(back_off))

    assert all(0.6 * 2**n < pauses[n] <= 1.3 * 2**n for n in range(5))
    assert all(40 < found <= 78 for found in pauses[-4:])
