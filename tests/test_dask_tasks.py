"""Tasks on real workers of Dask: all come back, few are under way, a lost one is sent again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from mismartera_analytics.dask_tasks import finished_tasks

pytest.importorskip("distributed", reason="distributed is not installed")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes of Dask, started afresh; a task that kills one is not run there again."""
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit=0,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def never(task: object) -> int:
    raise AssertionError(f"{task} is said to have killed its worker")


def test_every_task_comes_back_once_and_few_are_under_way(client: Any) -> None:
    taken: list[int] = []
    finished: list[tuple[int, int]] = []

    def tasks() -> Iterator[int]:
        for task in range(40):
            taken.append(task)
            yield task

    for pair in finished_tasks(
        client, tasks(), submit=lambda task, _: client.submit(pow, task, 2, pure=False), died=never,
        tries=1, ahead=2,
    ):  # fmt: skip
        finished.append(pair)
        assert len(taken) - len(finished) < 2 * 2
    assert sorted(finished) == [(task, task**2) for task in range(40)]


def test_no_tasks_are_no_results(client: Any) -> None:
    found = finished_tasks(client, [], submit=client.submit, died=never, tries=1, ahead=1)
    assert list(found) == []


def test_a_lost_task_is_sent_again_as_often_as_is_allowed(client: Any) -> None:
    sent: list[tuple[str, int]] = []

    def submit(task: str, number: int) -> Any:
        sent.append((task, number))
        future = client.submit(str.upper, task, pure=False)
        if task == "never" or (task == "third" and number < 3):
            client.cancel(future, force=True)
        return future

    found = finished_tasks(
        client, ["once", "third", "never"], submit=submit, died=lambda task: f"{task} died", tries=3,
        ahead=2,
    )  # fmt: skip
    assert dict(found) == {"once": "ONCE", "third": "THIRD", "never": "never died"}
    assert sorted(sent) == [
        ("never", 1), ("never", 2), ("never", 3), ("once", 1), ("third", 1), ("third", 2), ("third", 3),
    ]  # fmt: skip


def test_a_task_that_kills_its_worker_is_not_sent_again(client: Any) -> None:
    sent: list[int] = []

    def submit(task: int, number: int) -> Any:
        sent.append(number)
        return client.submit(os._exit, task, pure=False)

    found = finished_tasks(client, [9], submit=submit, died=lambda _: "died", tries=3, ahead=1)
    assert list(found) == [(9, "died")]
    assert sent == [1]


def test_what_died_or_a_task_raises_ends_the_work(client: Any) -> None:
    def refuse(task: int) -> int:
        raise LookupError(f"{task} cannot be done")

    with pytest.raises(LookupError, match="9 cannot be done"):
        list(finished_tasks(client, [9], submit=lambda task, _: client.submit(os._exit, task),
                            died=refuse, tries=3, ahead=1))  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        list(finished_tasks(client, [0], submit=lambda task, _: client.submit(divmod, 1, task),
                            died=never, tries=3, ahead=1))  # fmt: skip
