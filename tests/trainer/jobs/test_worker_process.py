"""A real training worker on a real Redis whose broker delivers again within a second."""

import time

import pytest

from shared.contract.messages import TrainMessage
from shared.contract.names import Queue, RunStatus, Task
from shared.database.database import Database
from shared.database.migrate import upgrade
from shared.jobs.dataset_views import NewDataset
from shared.jobs.datasets import Datasets
from shared.jobs.run_views import NewRun
from shared.jobs.training_runs import TrainingRuns
from shared.recipe import recipe_from
from tests.fakes.launch import until
from tests.fakes.redis_server import RedisServer
from tests.fakes.study import make_study
from tests.fakes.workers import WorkerProcess
from trainer.celery_app import create_celery

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def server(tmp_path):
    made = RedisServer(tmp_path).start()
    yield made
    made.stop()


@pytest.fixture
def settings(tmp_path, server):
    make_study(tmp_path / "mounted" / "study", patients=6, slices=4)
    return {
        "DATA_DIR": tmp_path / "data", "REDIS_URL": server.url, "DATASETS_DIR": tmp_path / "mounted",
        "MODELS_DIR": tmp_path / "none", "DEVICE": "cpu", "TRAINING_THREADS": 1, "LEASE_S": 2,
    }  # fmt: skip


@pytest.fixture
def database(settings):
    made = Database(f"sqlite:///{settings['DATA_DIR']}/service.sqlite3")
    upgrade(made)
    yield made
    made.close()


def accept(database):
    datasets, runs = Datasets(database), TrainingRuns(database)
    new = NewDataset(
        owner="me", name="d", format="auto", options={}, request_id="r", folder="study", archive_bytes=None,
        archive_sha256=None,
    )  # fmt: skip
    dataset = datasets.accept(new)
    values = {"name": "tiny", "encoder_weights": None, "image_size": 64, "batch_size": 4, "epochs": 12}
    values |= {"test_time_augmentation": [], "validate_every": 12, "split_fractions": [0.5, 0.25, 0.25]}
    until(lambda: datasets.get(dataset.id).status == "ready", 60, "the validation")
    return runs.accept(NewRun("me", "tiny", dataset.id, None, recipe_from(values).to_dict(), "req-1")).id


def test_a_run_longer_than_the_visibility_timeout_starts_once(tmp_path, server, settings, database):
    environment = {name: str(value) for name, value in settings.items()}
    worker = WorkerProcess(
        tmp_path / "log", Queue.TRAINING, app="tests.fakes.short_visibility", **settings
    ).wait_until_ready()
    sender = create_celery(environment)
    try:
        run_id = accept(database)
        runs, begun = TrainingRuns(database), time.monotonic()
        while runs.get(run_id).status != RunStatus.SUCCEEDED:
            message = TrainMessage(run_id, "req-1").to_json()  # whatever else delivers it again
            sender.send_task(Task.TRAIN, kwargs=message, queue=Queue.TRAINING, ignore_result=True)
            assert runs.get(run_id).error is None
            time.sleep(0.5)
            assert time.monotonic() - begun < 150
        assert time.monotonic() - begun > 3, "it was over before anything could be delivered again"
        assert runs.get(run_id).attempts == 1
        assert worker.events().count("process_started") == 1
        # Nothing is kept for a later delivery either.
        assert not list(server.client().scan_iter("*unacked*"))
    finally:
        sender.close()
        worker.stop()


def test_the_worker_stops_in_order_while_it_trains(tmp_path, settings, database):
    worker = WorkerProcess(tmp_path / "log", Queue.TRAINING, **settings).wait_until_ready()
    run_id = accept(database)
    runs = TrainingRuns(database)
    until(lambda: runs.get(run_id).progress.get("step"), 60, "its first step")
    assert worker.stop(timeout_s=12) == 0
    view = runs.get(run_id)
    assert (view.status, view.attempts) == (RunStatus.QUEUED, 0)
    assert view.checkpoint is not None, "what was learned is not lost"


def test_without_redis_runs_are_found_all_the_same(tmp_path, server, settings, database):
    worker = WorkerProcess(tmp_path / "log", Queue.TRAINING, **settings).wait_until_ready()
    server.stop()
    run_id = accept(database)
    try:
        until(lambda: TrainingRuns(database).get(run_id).status == RunStatus.SUCCEEDED, 120, "the run")
    finally:
        worker.stop()
