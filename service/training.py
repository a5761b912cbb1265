"""Taking training runs in: check, accept, queue, cancel, resume. The API and the pages come through here; no Flask."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from service.jobs import Jobs
from service.presets import Presets
from service.repeats import fingerprint, made_before
from service.specifying import specify
from shared.contract.errors import Conflict, InvalidFields, NotFound, QueueFull, QueueUnavailable
from shared.contract.messages import TrainMessage
from shared.storage.datasets import Datasets, DatasetView
from shared.storage.idempotency import Idempotency
from shared.storage.paging import MAX_LIMIT
from shared.storage.training_runs import NewRun, RunView, TrainingRuns

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
        max_queued: int,
    ) -> None:
        self._runs = runs
        self._datasets = datasets
        self._idempotency = idempotency
        self._jobs = jobs
        self._presets = presets
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
        with self._undone(order):
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
        specified = specify(order.given, self._presets, partial(self._find_dataset, order))
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
                self._abandon(order, made=run.id)
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

    def _find_dataset(self, order: RunOrder, wanted: str) -> DatasetView:
        """By id, else by a name that only one of the owner's datasets has; raises InvalidFields."""
        # PostgreSQL refuses a NUL in a text with an error of its own.
        if wanted.isascii() and wanted.isalnum():
            with suppress(NotFound):
                return self._datasets.get(wanted, owner=order.sees)
        named = [dataset for dataset in self._all_datasets(order.owner) if dataset.name == wanted]
        if len(named) == 1:
            return named[0]
        many = f"{len(named)} of your datasets have this name: give the id"
        raise InvalidFields(errors={"dataset": [many if named else "there is no such dataset"]})

    def _all_datasets(self, owner: str) -> Iterator[DatasetView]:
        cursor: str | None = None
        while True:
            page = self._datasets.list(owner, MAX_LIMIT, cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    @contextmanager
    def _undone(self, order: RunOrder) -> Iterator[None]:
        """The key may be used again where accepting breaks off."""
        try:
            yield
        except Exception:
            self._abandon(order)
            raise

    def _abandon(self, order: RunOrder, made: str | None = None) -> None:
        if order.idempotency_key is None:
            return
        try:
            self._idempotency.abandon(order.owner, order.idempotency_key, made=made)
        except SQLAlchemyError:
            _log.exception("not_cleaned")
