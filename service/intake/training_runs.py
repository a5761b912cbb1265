"""Taking training runs in: check, accept, queue, cancel, resume. The API and the pages come through here; no Flask."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.intake.encoder_weights import EncoderWeights
from service.intake.idempotency import abandon, fingerprint, made_before, undone
from service.intake.lookup import find_dataset
from service.intake.presets import Presets
from service.intake.run_specification import specify
from service.job_queue import Jobs
from shared.contract.errors import Conflict, NotFound, QueueFull, QueueUnavailable
from shared.contract.messages import TrainMessage
from shared.database.idempotency import Idempotency
from shared.jobs.datasets import Datasets
from shared.jobs.training_runs import NewRun, RunView, TrainingRuns

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunOrder:
    """One request for a run; `given` is its JSON object, `sees` whose datasets it may use (None: everybody's)."""

    owner: str
    sees: str | None
    request_id: str
    given: Mapping[str, Any]
    idempotency_key: str | None = None


class Training:
    """Accepts runs. Workers look for runs in the database themselves; a message only wakes them up."""

    def __init__(
        self,
        *,
        runs: TrainingRuns,
        datasets: Datasets,
        idempotency: Idempotency,
        jobs: Jobs,
        presets: Presets,
        encoder_weights: EncoderWeights,
        max_queued: int,
    ) -> None:
        self._runs = runs
        self._datasets = datasets
        self._idempotency = idempotency
        self._jobs = jobs
        self._presets = presets
        self._encoder_weights = encoder_weights
        self._max_queued = max_queued

    def submit(self, order: RunOrder) -> tuple[RunView, bool]:
        """The run, and whether it was there before (Idempotency-Key).

        Raises InvalidFields, QueueFull, QueueUnavailable, IdempotencyInProgress and IdempotencyMismatch; then nothing
        was accepted.
        """
        digest = fingerprint("training-runs", dict(order.given))
        made = made_before(self._idempotency, order.owner, order.idempotency_key, digest)
        if made is not None:
            return self._runs.get(made, owner=order.owner), True
        with undone(self._idempotency, order.owner, order.idempotency_key):
            return self._accept(order), False

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
            self._jobs.send(TrainMessage(run.id, request_id))
        except QueueUnavailable:
            _log.warning("not_woken")  # it is queued in the database, and found there
        return resumed

    def _accept(self, order: RunOrder) -> RunView:
        """Row, then message: what cannot be announced is taken back, unless a worker has found it meanwhile."""
        find = partial(find_dataset, self._datasets, order.owner, order.sees)
        specified = specify(order.given, self._presets, find, self._encoder_weights.lacking)
        self._require_room()
        new = NewRun(
            owner=order.owner,
            name=specified.recipe.name,
            dataset_id=specified.dataset.id,
            recipe=specified.preset,
            specification=specified.recipe.to_dict(),
            request_id=order.request_id,
        )
        run = self._runs.accept(new, idempotency_key=order.idempotency_key)
        try:
            self._jobs.send(TrainMessage(run.id, run.request_id))
        except QueueUnavailable:
            if self._runs.discard(run.id):
                abandon(self._idempotency, order.owner, order.idempotency_key, made=run.id)
                raise
        return run

    def _require_room(self) -> None:
        self._jobs.ping()
        if self._runs.queued_count() >= self._max_queued:
            raise QueueFull(f"{self._max_queued} training runs wait already; come back later.")

    def _require_dataset(self, run: RunView) -> None:
        try:
            self._datasets.get(run.dataset_id)
        except NotFound:
            raise Conflict("The dataset of this run was deleted, so it cannot go on.") from None
