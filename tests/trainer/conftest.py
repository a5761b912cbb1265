"""A database, a file store and jobs in them, as the API leaves them."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from shared.database.database import Database, create_all
from shared.database.tables import utc_now
from shared.files.npy import to_npy
from shared.files.paths import pixels_path
from shared.files.store import FileStore
from shared.jobs.segmentations import NewSegmentation, SegmentationJobs
from tests.fakes.inference import SIZE


class Clock:
    """The time, and as much later as a test says."""

    def __init__(self):
        self.ahead = timedelta()

    def __call__(self):
        return utc_now() + self.ahead

    def skip(self, seconds):
        self.ahead += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/test.sqlite3")
    create_all(made)
    yield made
    made.close()


@pytest.fixture
def jobs(database, clock) -> SegmentationJobs:
    return SegmentationJobs(database, max_attempts=3, clock=clock)


@pytest.fixture
def files(tmp_path) -> FileStore:
    return FileStore(tmp_path / "files")


@pytest.fixture
def accept(jobs, files) -> Callable[..., str]:
    """Accept a job of a bright (or given) slice; its id."""

    def job(pixels=None, **changes):
        pixels = np.full((SIZE, SIZE, 3), 255, np.uint8) if pixels is None else pixels
        new = NewSegmentation(
            **{
                "owner": "o",
                "request_id": "r-1",
                "image": {"width": SIZE, "height": SIZE, "pixel_spacing_mm": [0.5, 0.5], "decode_ms": 1.5},
                "model_id": "m",
                **changes,
            }
        )
        files.write(pixels_path(new.id), to_npy(pixels))
        jobs.accept(new)
        return new.id

    return job
