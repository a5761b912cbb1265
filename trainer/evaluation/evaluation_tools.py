"""What attempts at evaluations work with, and how evaluations are done on this host."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from shared.database.models import Models, StoredModel
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets
from shared.jobs.evaluations import Evaluations
from trainer.evaluation.evaluation_order import EvaluationChildOrder
from trainer.jobs.child_process import EVALUATION, ChildProcess
from trainer.training.runs.run_tools import DatasetFolders

START = partial(ChildProcess, EVALUATION)


class LocalModels(Protocol):
    """Where models lie on this host."""

    def folder(self, stored: StoredModel) -> Path:
        """Fetched from the store if need be. ModelUnusable."""
        ...

    def sweep(self, registry: Models) -> None:
        """Drop copies of models that are registered no more."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How evaluations are done on this host; `cache_dir` keeps converted models."""

    work_dir: Path
    device: str
    threads: int
    nice: int
    lease_s: float
    engine: str = "auto"
    cache_dir: Path | None = None


@dataclass(frozen=True, slots=True)
class EvaluationTools:
    """The tables, the stores, and what starts a process."""

    evaluations: Evaluations
    datasets: Datasets
    models: Models
    dataset_folders: DatasetFolders
    local_models: LocalModels
    files: FileStore
    settings: EvaluationSettings
    start: Callable[[EvaluationChildOrder, Path], ChildProcess] = START
