"""The inference worker in this process: database, files, preprocessing, network, measuring; nothing else."""

import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.forward import Rate
from shared.contract.messages import SegmentMessage
from shared.database.database import Database
from shared.database.migrate import upgrade
from shared.files.paths import pixels_path
from shared.files.store import FileStore
from shared.jobs.segmentations import NewSegmentation, SegmentationJobs
from trainer.engines.warm_models import ServedModel, WarmModels
from trainer.inference.held_claims import HeldClaims
from trainer.inference.slice_worker import SliceWorker


class _Memory:
    """In place of Redis: pixels in a dictionary, ends counted."""

    def __init__(self) -> None:
        self.cache: dict[str, bytes] = {}
        self.ended = 0

    def pixels(self, job_ids: Sequence[str]) -> list[bytes | None]:
        return [self.cache.pop(id, None) for id in job_ids]

    def announce(self, ends: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
        self.ended += sum(1 for _ in ends)


def measure(model: ServedModel, arrays: Sequence[bytes], jobs_to_do: int) -> Rate:
    """Accept so many jobs, then let the worker do them; `arrays` are pixels as .npy."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/benchmark.sqlite3")
        upgrade(database)
        jobs, files, link = SegmentationJobs(database), FileStore(Path(folder) / "files"), _Memory()
        messages = [
            _accept(jobs, files, link, model.id, arrays[n % len(arrays)], n) for n in range(jobs_to_do)
        ]
        models = WarmModels(lambda _: model, limit=1)
        models.warm_up(model.id)
        worker = SliceWorker(jobs, files, link, models, HeldClaims(jobs, "benchmark", 60))  # type: ignore[arg-type]
        cpu, started = time.process_time(), time.perf_counter()
        worker.start()
        for message in messages:
            worker.wait_for_room(60)
            worker.submit(message)
        worker.stop(600)
        wall = time.perf_counter() - started
        database.close()
    if link.ended != jobs_to_do:
        raise SystemExit(f"error: {link.ended} of {jobs_to_do} jobs ended")
    cpu_ms = (time.process_time() - cpu) * 1000 / jobs_to_do
    return Rate(model.engine.max_batch, jobs_to_do / wall, cpu_ms, 1000 * wall / jobs_to_do)


def _accept(
    jobs: SegmentationJobs, files: FileStore, link: _Memory, model_id: str, npy: bytes, number: int
) -> SegmentMessage:
    new = NewSegmentation(owner="benchmark", request_id=f"r{number}", image={}, model_id=model_id)
    files.write(pixels_path(new.id), npy)
    link.cache[new.id] = npy
    jobs.accept(new)
    return SegmentMessage(new.id, new.request_id)
