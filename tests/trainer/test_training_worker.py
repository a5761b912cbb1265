"""The training side of a worker is put together with the worker's own settings."""

from shared.files.store import FileStore
from trainer import training_worker
from trainer.evaluation.evaluation_job import EvaluationJob
from trainer.settings import WorkerSettings


def test_evaluations_use_the_worker_s_engine_and_its_converted_models(database, tmp_path, monkeypatch):
    given = []

    def job(tools, stopping):
        given.append(tools.settings)
        return EvaluationJob(tools, stopping)

    monkeypatch.setattr(training_worker, "EvaluationJob", job)
    env = {
        "DATA_DIR": str(tmp_path),
        "REDIS_URL": "redis://nowhere:6379/0",
        "ENGINE": "torch",
        "DEVICE": "cpu",
    }
    settings = WorkerSettings.from_env(env)
    training_worker.TrainingWorker(settings, "w", database, FileStore(tmp_path / "files"))
    (used,) = given
    assert (used.engine, used.device, used.cache_dir) == ("torch", "cpu", tmp_path / "cache")
