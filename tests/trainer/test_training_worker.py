"""The training side of a worker is put together with the worker's own settings."""

from shared.files.store import FileStore
from trainer import training_worker
from trainer.settings import WorkerSettings


def test_evaluations_use_the_worker_s_engine_and_its_converted_models(database, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(training_worker, "Evaluator", lambda *parts: given.extend(parts))
    env = {
        "DATA_DIR": str(tmp_path),
        "REDIS_URL": "redis://nowhere:6379/0",
        "ENGINE": "torch",
        "DEVICE": "cpu",
    }
    settings = WorkerSettings.from_env(env)
    training_worker.Training(settings, "w", database, FileStore(tmp_path / "files"))
    (used,) = (part for part in given if isinstance(part, training_worker.EvaluationSettings))
    assert (used.engine, used.device, used.cache_dir) == ("torch", "cpu", tmp_path / "cache")
