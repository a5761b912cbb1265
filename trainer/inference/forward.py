"""The stage that runs the network: single slices, and those of volumes among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trainer.engines.engine import EngineOutput
from trainer.engines.warm_models import ServedModel
from trainer.inference.batcher import Batcher
from trainer.inference.job import Job, Stopwatch

MAX_PREPARED = 16

Outcome = EngineOutput | Exception
Submit = Callable[["VolumeSlice", Callable[[Outcome], None]], None]


@dataclass(slots=True)
class VolumeSlice:
    """One slice of a volume on its way through the network; `forward_ms` is its share of the batch's time."""

    model: ServedModel | None
    x_CHW: np.ndarray | None
    forward_ms: float = 0.0


def forward_stage() -> Batcher[Job | VolumeSlice, EngineOutput]:
    """Batches of one model, as large as its engine gains by."""
    return Batcher(
        "forward",
        _run,
        max_batch=lambda job: model_of(job).engine.max_batch,
        max_waiting=MAX_PREPARED,
        key=lambda job: model_of(job).id,
    )


def model_of(job: Job | VolumeSlice) -> ServedModel:
    """The model that the job was prepared for."""
    assert job.model is not None  # jobs come here from `Prepare`, which sets it
    return job.model


def _run(jobs: list[Job | VolumeSlice]) -> Sequence[EngineOutput]:
    """One pass of the network for jobs of one model."""
    inputs = [job.x_CHW for job in jobs if job.x_CHW is not None]
    watch = Stopwatch()
    # One input is not copied into a batch.
    output = model_of(jobs[0]).engine.predict(inputs[0][None] if len(inputs) == 1 else np.stack(inputs))
    took_ms = watch.ms()
    for job in jobs:  # the slices of a volume are added up
        job.forward_ms = took_ms / len(jobs) if isinstance(job, VolumeSlice) else took_ms
    return [EngineOutput(*arrays) for arrays in zip(*output, strict=True)]
