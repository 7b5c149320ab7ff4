"""What a pool of Ray's workers asks of a cluster, without one: machines for its tasks, and none at the end."""

from typing import Any

import pytest

pytest.importorskip("ray", reason="needs Ray: pip install 'pruning-sanity[ray]'")

from sanity.config.engines import RayOptions
from sanity.errors import UserError
from sanity.grid import ray_pool
from sanity.grid.ray_pool import Pool

Asked = list[list[dict[str, float]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the autoscaler is asked for; the cluster has a head without cores."""
    requests: Asked = []
    head: dict[str, Any] = {"NodeID": "head", "Alive": True, "Resources": {}}
    monkeypatch.setattr("ray.nodes", lambda: [head])
    monkeypatch.setattr("sanity.grid.ray_pool.request_resources", lambda bundles: requests.append(bundles))
    return requests


def test_the_autoscaler_hears_of_all_work_until_it_is_done(asked: Asked) -> None:
    pool = Pool(RayOptions(address="auto", cpus_per_run=2, workers=3, wait_minutes=1), 0.5)
    for wanted in (2, 2, 100, 50, 1):
        assert pool.grow(wanted) == 0
    pool.close()
    worker = {"CPU": 2, "GPU": 0.5}
    assert asked == [[worker] * 2, [worker] * 3, [worker], []]


def test_a_cluster_is_not_asked_for_more_than_it_can_be_told_and_a_machine_of_its_own_for_nothing(asked: Asked) -> None:
    Pool(RayOptions(address="auto", wait_minutes=1), 0).grow(100_000)
    assert [len(bundles) for bundles in asked] == [ray_pool._MOST_ASKED]
    asked.clear()
    alone = Pool(RayOptions(wait_minutes=1), 0)
    alone.grow(8)
    alone.close()
    assert not asked


def test_a_machine_that_does_not_come_is_waited_for_as_long_as_is_said(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match=r"cpus_per_run=1 ray.gpus_per_run=0: no machine of the cluster has so much$"):
        Pool(RayOptions(address="auto"), 0).grow(1)
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    pool = Pool(RayOptions(address="auto", wait_minutes=2), 0)
    for now[0] in (0.0, 60.0, 119.0):
        assert pool.grow(1) == 0
    now[0] = 120.0
    with pytest.raises(UserError, match=r"has so much after ray.wait_minutes=2$"):
        pool.grow(1)
