"""Taking training runs in: check, accept, queue, cancel, resume. The API and the pages come through here."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.intake.acceptance import Acceptance, Accepted
from service.intake.encoder_weights import EncoderWeightsCheck
from service.intake.idempotency import fingerprint
from service.intake.lookup import find_dataset
from service.intake.presets import Presets
from service.intake.run_specification import specify
from service.job_queue import JobQueue
from shared.contract.errors import Conflict, NotFound, QueueFull, QueueUnavailable
from shared.contract.messages import TrainMessage
from shared.jobs.datasets import Datasets
from shared.jobs.training_runs import NewRun, RunView, TrainingRuns

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunRequest:
    """One request for a run; `given` is its JSON object, `sees` whose datasets it may use (None: everybody's)."""

    owner: str
    sees: str | None
    request_id: str
    given: Mapping[str, Any]
    idempotency_key: str | None = None


class RunIntake:
    """Accepts runs. Workers look for runs in the database themselves; a message only wakes them up."""

    def __init__(
        self,
        *,
        acceptance: Acceptance[NewRun, RunView],
        runs: TrainingRuns,
        datasets: Datasets,
        queue: JobQueue,
        presets: Presets,
        encoder_weights: EncoderWeightsCheck,
        max_queued: int,
    ) -> None:
        self._acceptance = acceptance
        self._runs = runs
        self._datasets = datasets
        self._queue = queue
        self._presets = presets
        self._encoder_weights = encoder_weights
        self._max_queued = max_queued

    def submit(self, asked: RunRequest) -> Accepted[RunView]:
        """Accept the run.

        Raises InvalidFields, QueueFull, QueueUnavailable, IdempotencyInProgress and IdempotencyMismatch; then nothing
        was accepted.
        """
        digest = fingerprint("training-runs", dict(asked.given))
        return self._acceptance.submit(asked.owner, asked.idempotency_key, digest, lambda: self._row(asked))

    def cancel(self, run: RunView) -> RunView:
        """A run that waits is cancelled at once, a running one when its process is gone. Raises Conflict, NotFound."""
        self._runs.cancel(run.id)
        return self._runs.get(run.id)

    def resume(self, run: RunView, request_id: str) -> RunView:
        """A cancelled or failed run goes on from its last checkpoint.

        Raises Conflict, QueueFull and QueueUnavailable; then nothing has changed.
        """
        self._require_dataset(run)
        self._require_room()
        resumed = self._runs.resume(run.id)
        try:
            self._queue.send(TrainMessage(run.id, request_id))
        except QueueUnavailable:
            _log.warning("not_woken")  # it is queued in the database, and found there
        return resumed

    def _row(self, asked: RunRequest) -> NewRun:
        """Raises what is wrong with the request."""
        find = partial(find_dataset, self._datasets, asked.owner, asked.sees)
        specified = specify(asked.given, self._presets, find, self._encoder_weights.lacking)
        self._require_room()
        return NewRun(
            owner=asked.owner,
            name=specified.recipe.name,
            dataset_id=specified.dataset.id,
            recipe=specified.preset,
            specification=specified.recipe.to_dict(),
            request_id=asked.request_id,
        )

    def _require_room(self) -> None:
        self._queue.ping()
        if self._runs.queued_count() >= self._max_queued:
            raise QueueFull(f"{self._max_queued} training runs wait already; come back later.")

    def _require_dataset(self, run: RunView) -> None:
        try:
            self._datasets.get(run.dataset_id)
        except NotFound:
            raise Conflict("The dataset of this run was deleted, so it cannot go on.") from None
