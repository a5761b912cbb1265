"""Datasets and training runs in the database, as workers leave them there; no files, no training."""

from typing import Any

from shared.jobs.datasets import Datasets, NewDataset
from shared.jobs.training_runs import NewRun, RunClaim, RunView, TrainingRuns

REPORT = {
    "patients": 20,
    "slices": 400,
    "tumour_slices": 150,
    "channels": 3,
    "split_feasible": True,
}
WORKER = "training-worker"


def dataset(datasets: Datasets, name: str = "study", owner: str = "local", format: str = "lgg") -> str:
    """A dataset that is being validated; its id."""
    return datasets.accept(NewDataset(owner, name, format, {}, "request-1", folder="study")).id


def ready_dataset(
    datasets: Datasets, name: str = "study", owner: str = "local", format: str = "lgg", **report: Any
) -> str:
    """A dataset to train on; its id. There may be no other one that waits for its validation."""
    made = dataset(datasets, name, owner, format)
    claim = datasets.claim_next(WORKER, 60)
    assert claim is not None and claim.id == made
    assert datasets.ready(claim, format=format, report=REPORT | report, findings=[])
    return made


def queued_run(runs: TrainingRuns, owner: str = "local") -> RunView:
    """A run that waits."""
    return runs.accept(NewRun(owner, "try", "0" * 32, None, {"name": "try"}, "request-1"))


def claimed(runs: TrainingRuns) -> RunClaim:
    """The run that waits, with a worker."""
    claim = runs.claim_next(WORKER, 60)
    assert claim is not None
    return claim
