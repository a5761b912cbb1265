"""The health check of the worker containers."""

from pathlib import Path

import pytest

from shared.contract.names import Queue
from shared.database.database import Database
from shared.database.migrate import upgrade
from shared.database.workers import Workers
from trainer.health import is_alive


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return {"DATABASE_URL": f"sqlite:///{tmp_path}/test.sqlite3", "DATA_DIR": str(tmp_path)}


def beat(env: dict[str, str], id: str, queue: Queue) -> None:
    database = Database(env["DATABASE_URL"])
    upgrade(database)
    Workers(database).beat(id, queue, "cpu", "torch", [], "1")
    database.close()


def test_a_worker_of_this_host_and_queue_is_alive(env: dict[str, str]) -> None:
    beat(env, "here-12-ab", Queue.TRAINING)
    assert is_alive(env, Queue.TRAINING, "here")


def test_a_worker_of_another_host_or_queue_is_not_this_one(env: dict[str, str]) -> None:
    beat(env, "here-12-ab", Queue.TRAINING)
    assert not is_alive(env, Queue.INFERENCE, "here")
    assert not is_alive(env, Queue.TRAINING, "her")
