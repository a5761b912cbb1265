"""Real workers on a real Redis: what is accepted ends, once, whatever is killed."""

import signal
import time
from collections import Counter

import psutil
import pytest

from shared.contract.names import Queue
from shared.database.database import Database
from shared.database.workers import Workers
from tests.fakes.launch import until
from tests.fakes.model import make_model
from tests.fakes.workers import START_S, Api, Redis, WorkerProcess

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    make_model(folder)
    return folder


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory):
    """Converting the network takes most of a start; what one start converted serves all."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def redis_process(tmp_path):
    made = Redis(tmp_path)
    yield made
    made.client.close()
    made.kill()


@pytest.fixture
def settings(tmp_path, redis_process, models_dir, cache_dir):
    data = tmp_path / "data"
    data.mkdir()
    (data / "cache").symlink_to(cache_dir)
    return {
        "DATA_DIR": data,
        "REDIS_URL": redis_process.url,
        "MODELS_DIR": models_dir,
        "LEASE_S": 2,
        "DEVICE": "cpu",
    }


@pytest.fixture
def api(settings, redis_process):
    made = Api(settings, redis_process.client)
    yield made
    made.close()


@pytest.fixture
def start(tmp_path, settings):
    """Start a worker; whatever is left is killed at the end."""
    started = []

    def worker(queue=Queue.INFERENCE, **changes):
        started.append(WorkerProcess(tmp_path / f"{queue}.log", queue, **{**settings, **changes}))
        return started[-1]

    yield worker
    for one in started:
        one.process.kill()
        one.process.wait()


def test_jobs_end_and_are_pushed_once_each(start, api):
    worker = start().wait_until_ready()
    ids = api.post(20)
    rows = api.ended(ids)
    assert {(row.status, str(row.error)) for row in rows} == {("succeeded", "None")}
    assert {len(api.pushed(id)) for id in ids} == {1}
    told = [line for line in worker.lines() if line["event"] == "segmented"]
    assert {(line["job_id"], line["request_id"]) for line in told} == {
        (row.id, row.request_id) for row in rows
    }


def test_kill_9_with_jobs_in_flight_and_they_finish_once(start, api):
    worker = start().wait_until_ready()
    ids = api.post(60)
    until(lambda: "segmented" in worker.events(), 60, "the first result")
    worker.stop(signal.SIGKILL)
    before = Counter(row.status for row in api.rows(ids))
    assert before["succeeded"] < 60
    start().wait_until_ready(times=2)
    rows = api.ended(ids)
    assert {(row.status, str(row.error)) for row in rows} == {("succeeded", "None")}
    # Each at most twice begun; each pushed once, and not again by whoever was late.
    assert max(row.attempts for row in rows) <= 2
    assert max(len(api.pushed(id)) for id in ids) == 1


def test_redis_killed_and_started_again_and_the_worker_takes_messages_again(start, api, redis_process):
    worker = start().wait_until_ready()
    api.ended(api.post(2))
    for _ in range(2):
        redis_process.kill()
        waiting = [api.accept(number) for number in range(3)]  # their messages are lost
        time.sleep(3)
        redis_process.start()
        fresh = api.post(3)
        assert {row.status for row in api.ended(waiting + fresh)} == {"succeeded"}
    assert worker.process.poll() is None


def test_flushall_with_jobs_queued_loses_nothing(start, api, redis_process):
    ids = api.post(30)
    redis_process.client.flushall()
    worker = start().wait_until_ready()
    assert {row.status for row in api.ended(ids)} == {"succeeded"}
    redis_process.client.flushall()
    more = api.post(5)
    assert {row.status for row in api.ended(more)} == {"succeeded"}
    assert worker.process.poll() is None


def test_a_worker_that_starts_before_redis_waits_for_it(start, api, redis_process):
    redis_process.kill()
    worker = start()
    until(lambda: "worker_ready" in worker.events(), START_S, "the worker's start")
    redis_process.start()
    assert {row.status for row in api.ended(api.post(3))} == {"succeeded"}


def test_sigterm_ends_in_order_and_leaves_the_rest_to_others(start, api):
    worker = start().wait_until_ready()
    ids = api.post(100)
    until(lambda: "segmented" in worker.events(), 60, "the first result")
    assert worker.stop() == 0
    assert worker.events()[-1] == "worker_stopped"
    statuses = Counter(row.status for row in api.rows(ids))
    assert set(statuses) <= {"succeeded", "queued"}, statuses
    assert {row.attempts for row in api.rows(ids) if row.status == "queued"} <= {0}
    start().wait_until_ready(times=2)
    rows = api.ended(ids)
    assert {(row.status, row.attempts) for row in rows} == {("succeeded", 1)}


def test_two_workers_share_the_work_and_do_each_job_once(start, api):
    for _ in range(2):
        start()
    start().wait_until_ready(times=3)
    ids = api.post(60)
    rows = api.ended(ids)
    assert {(row.status, row.attempts) for row in rows} == {("succeeded", 1)}
    assert len({row.lease_owner for row in rows}) > 1


def test_a_missing_model_does_not_keep_the_worker_from_starting(start, api, tmp_path):
    (tmp_path / "no-models").mkdir()
    worker = start(MODELS_DIR=tmp_path / "no-models").wait_until_ready()
    (row,) = api.ended(api.post(1))
    assert (row.status, row.error["code"]) == ("failed", "model_unusable")
    assert worker.process.poll() is None


def test_the_training_worker_starts_without_torch_and_shows_life(start, settings, api):
    worker = start(Queue.TRAINING).wait_until_ready()
    database = Database(f"sqlite:///{settings['DATA_DIR']}/service.sqlite3")
    (seen,) = until(lambda: Workers(database).seen("training"), 20, "a sign of life")
    database.close()
    assert (seen.engine, seen.models) == ("none", [])
    loaded = {part.path for part in psutil.Process(worker.process.pid).memory_maps()}
    assert not any("libtorch" in path or "openvino" in path for path in loaded)
    assert worker.stop() == 0


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("DEVICE", "cuda:7", "error: DEVICE is 'cuda:7', and torch finds "),
        ("DEVICE", "tpu", "error: DEVICE is 'tpu', which is not known"),
        ("REDIS_URL", "", "error: REDIS_URL is not set"),
    ],
)
def test_a_setting_that_cannot_work_is_told_in_a_sentence(start, setting, value, told):
    worker = start(**{setting: value})
    assert worker.process.wait(START_S) != 0
    assert told in worker.log
    assert "Traceback" not in worker.log
