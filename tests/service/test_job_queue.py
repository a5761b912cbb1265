"""Celery's queue on a real Redis: what is put there, and what happens while it is away."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.job_queue import ROUTES, RedisJobQueue
from shared.contract.errors import QueueUnavailable
from shared.contract.messages import Message, SegmentMessage, TrainMessage, ValidateDatasetMessage
from shared.contract.names import PIXELS_MAX_BYTES, Queue, Task, done_key, pixels_key
from tests.fakes.redis_server import RedisServer

MESSAGE = SegmentMessage("job-1", "request-1")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path).start()
    yield server
    server.stop()


@pytest.fixture
def jobs(server: RedisServer) -> Iterator[RedisJobQueue]:
    jobs = RedisJobQueue(server.url, server.broker_url, threads=4)
    yield jobs
    jobs.close()


def test_a_message_names_the_task_and_the_job_and_holds_no_pixels(
    server: RedisServer, jobs: RedisJobQueue
) -> None:
    jobs.send(MESSAGE)
    with server.client() as client:
        message = json.loads(client.lindex(Queue.INFERENCE, 0))
    assert message["headers"]["task"] == "inference.segment" and message["headers"]["ignore_result"] is True
    assert message["headers"]["request_id"] == "request-1"
    arguments, named, _ = json.loads(base64.b64decode(message["body"]))
    assert arguments == [] and named == {"job_id": "job-1", "request_id": "request-1"}


@pytest.mark.parametrize(
    ("message", "task"),
    [
        (TrainMessage("run-1", "request-1"), "training.run"),
        (ValidateDatasetMessage("data-1", "request-1"), "training.validate_dataset"),
    ],
)
def test_work_for_the_training_worker_goes_to_its_queue(
    server: RedisServer, jobs: RedisJobQueue, message: Message, task: str
) -> None:
    jobs.send(message)
    assert jobs.waiting(Queue.TRAINING) == 1 and jobs.waiting() == 0
    with server.client() as client:
        sent = json.loads(client.lindex(Queue.TRAINING, 0))
    assert sent["headers"]["task"] == task
    assert json.loads(base64.b64decode(sent["body"]))[1] == message.to_json()


def test_every_message_has_a_task_and_a_queue() -> None:
    assert ROUTES.keys() == set(Message.__subclasses__())
    assert {task for task, _ in ROUTES.values()} == set(Task)


def test_pixels_are_offered_for_a_while_and_the_queue_is_counted(
    server: RedisServer, jobs: RedisJobQueue
) -> None:
    assert jobs.offer("a", b"x" * 1000) == 0
    jobs.send(MESSAGE)
    assert jobs.offer("b", b"y") == jobs.waiting() == 1
    with server.client() as client:
        assert client.get(pixels_key("a")) == b"x" * 1000 and 0 < client.ttl(pixels_key("a")) <= 600
        jobs.withdraw("a")
        assert client.get(pixels_key("a")) is None


def test_a_large_picture_stays_out_of_redis(server: RedisServer, jobs: RedisJobQueue) -> None:
    jobs.offer("big", bytes(PIXELS_MAX_BYTES + 1))
    with server.client() as client:
        assert client.exists(pixels_key("big")) == 0


def test_waiting_ends_with_the_push(server: RedisServer, jobs: RedisJobQueue) -> None:
    found = []
    waiter = threading.Thread(target=lambda: found.append(jobs.wait("job-1", 20)))
    waiter.start()
    with server.client() as client:
        client.rpush(done_key("job-1"), json.dumps({"status": "succeeded"}))
    waiter.join(10)
    assert found == [{"status": "succeeded"}]


def test_waiting_ends_with_the_time_and_with_rubbish(server: RedisServer, jobs: RedisJobQueue) -> None:
    assert jobs.wait("job-1", 0.1) is None
    with server.client() as client:
        client.rpush(done_key("job-1"), b"\xff")
    assert jobs.wait("job-1", 5) is None


@pytest.mark.parametrize("way", ["stop", "freeze"])
def test_without_redis_everything_is_said_within_seconds_and_works_again_after(
    server: RedisServer, jobs: RedisJobQueue, way: str
) -> None:
    jobs.send(MESSAGE)
    getattr(server, way)()
    for call in (jobs.ping, jobs.waiting, lambda: jobs.offer("a", b"x"), lambda: jobs.send(MESSAGE)):
        started = time.monotonic()
        with pytest.raises(QueueUnavailable):
            call()
        assert time.monotonic() - started < 4
    jobs.withdraw("a")
    if way == "stop":
        assert jobs.wait("job-1", 20) is None
        server.start()
    else:
        server.thaw()
    jobs.ping()
    jobs.send(MESSAGE)
    assert jobs.waiting() >= 1
