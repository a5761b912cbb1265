"""What attempts at training runs work with, and how runs are done on this host."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from shared.files.store import FileStore
from shared.jobs.dataset_views import DatasetView
from shared.jobs.datasets import Datasets
from shared.jobs.training_runs import TrainingRuns
from trainer.jobs.child_process import TRAINING, ChildProcess
from trainer.training.runs.run_order import RunChildOrder

START = partial(ChildProcess, TRAINING)


class DatasetFolders(Protocol):
    """Where a dataset lies on this host."""

    def folder(self, dataset: DatasetView, on_progress: Callable[[int, int], None]) -> Path:
        """Unpacked from the store if need be, which may take minutes. DatasetGone, DiskFull, DatasetError."""
        ...


@dataclass(frozen=True, slots=True)
class RunSettings:
    """How runs are done on this host."""

    work_dir: Path
    device: str
    threads: int
    nice: int
    checkpoint_s: float
    encoder_weights: Path | None
    lease_s: float


@dataclass(frozen=True, slots=True)
class RunTools:
    """The tables, the stores, and what starts a process."""

    runs: TrainingRuns
    datasets: Datasets
    folders: DatasetFolders
    files: FileStore
    settings: RunSettings
    start: Callable[[RunChildOrder, Path], ChildProcess] = START
