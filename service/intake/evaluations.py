"""Taking evaluations in: check, accept, queue, delete. No Flask."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.intake.idempotency import abandon, fingerprint, made_before, undone
from service.intake.lookup import find_dataset, find_model, ready_dataset
from service.job_queue import Jobs
from shared.contract.errors import InvalidFields, QueueFull, QueueUnavailable, UnknownModel
from shared.contract.messages import EvaluateMessage
from shared.database.idempotency import Idempotency
from shared.database.models import Models
from shared.files.paths import evaluation_folder
from shared.files.store import FileStore
from shared.jobs.datasets import Datasets, DatasetView
from shared.jobs.evaluations import Evaluations, EvaluationView, NewEvaluation
from shared.preprocessing.channels import channel_indices
from shared.registry.cards import ModelCard

SPLITS = ("all", "test")
FIELDS = ("dataset", "split", "against", "test_time_augmentation")
_LONGEST_NAME = 60
Problems = dict[str, list[str]]


@dataclass(frozen=True)
class EvaluationOrder:
    """One request for an evaluation; `given` is its JSON object, `sees` whose datasets it may use (None: all).

    `model` is an id or an alias, as it was asked for.
    """

    owner: str
    sees: str | None
    request_id: str
    model: str
    given: Mapping[str, Any]
    idempotency_key: str | None = None


class Evaluating:
    """Accepts evaluations. Workers look for them in the database themselves; a message only wakes them up."""

    def __init__(
        self,
        *,
        evaluations: Evaluations,
        datasets: Datasets,
        models: Models,
        files: FileStore,
        idempotency: Idempotency,
        jobs: Jobs,
        max_queued: int,
    ) -> None:
        self._evaluations, self._datasets, self._models = evaluations, datasets, models
        self._files, self._idempotency, self._jobs = files, idempotency, jobs
        self._max_queued = max_queued

    def submit(self, order: EvaluationOrder) -> tuple[EvaluationView, bool]:
        """The evaluation, and whether it was there before (Idempotency-Key).

        Raises NotFound (the model), InvalidFields, QueueFull, QueueUnavailable, IdempotencyInProgress and
        IdempotencyMismatch; then nothing was accepted.
        """
        # The reference as it stands: an alias may have moved since, and a model have gone.
        digest = fingerprint("evaluations", order.model, dict(order.given))
        made = made_before(self._idempotency, order.owner, order.idempotency_key, digest)
        if made is not None:
            return self._evaluations.get(made, owner=order.owner), True
        with undone(self._idempotency, order.owner, order.idempotency_key):
            return self._accept(order), False

    def remove(self, evaluation: EvaluationView, *, actor: str) -> None:
        """Delete it and its report; a worker that is doing it breaks off. A second time changes nothing."""
        self._evaluations.delete(evaluation.id, actor=actor)
        self._files.delete_tree(evaluation_folder(evaluation.id))

    def _accept(self, order: EvaluationOrder) -> EvaluationView:
        """Row, then message: what cannot be announced is taken back, unless a worker has found it meanwhile."""
        new = self._checked(order, find_model(self._models, order.model).card)
        self._require_room()
        evaluation = self._evaluations.accept(new, idempotency_key=order.idempotency_key)
        try:
            self._jobs.send(EvaluateMessage(evaluation.id, evaluation.request_id))
        except QueueUnavailable:
            if self._evaluations.discard(evaluation.id):
                abandon(self._idempotency, order.owner, order.idempotency_key, made=evaluation.id)
                raise
        return evaluation

    def _require_room(self) -> None:
        self._jobs.ping()
        if self._evaluations.queued_count() >= self._max_queued:
            raise QueueFull(f"{self._max_queued} evaluations wait already; come back later.")

    def _checked(self, order: EvaluationOrder, model: ModelCard) -> NewEvaluation:
        """What was asked for; raises InvalidFields with everything that is wrong with it."""
        given = order.given
        problems: Problems = {
            str(name)[:_LONGEST_NAME]: ["unknown field"] for name in given if name not in FIELDS
        }
        split = given.get("split", "all")
        if split not in SPLITS:
            problems["split"] = [f"must be one of: {', '.join(SPLITS)}"]
        elif split == "test" and not _has_test_patients(model):
            problems["split"] = ["the model's card names no patients that were kept for testing: ask for all"]
        flips = given.get("test_time_augmentation")
        if not isinstance(flips, bool | None):
            problems["test_time_augmentation"] = ["must be true, false or null"]
        find = partial(find_dataset, self._datasets, order.owner, order.sees)
        dataset = ready_dataset(given, find, "evaluated on", problems)
        against = self._against(order.given, model, problems)
        if dataset is not None:
            _check_channels(dataset, model, "dataset", problems)
            if against is not None:
                _check_channels(dataset, against, "against", problems)
        if problems or dataset is None:
            raise InvalidFields("This evaluation cannot be done; `errors` names each field.", problems)
        return NewEvaluation(
            owner=order.owner,
            model_id=model.id,
            against_id=against.id if against else None,
            dataset_id=dataset.id,
            split=split,
            test_time_augmentation=flips,
            request_id=order.request_id,
        )

    def _against(self, given: Mapping[str, Any], ours: ModelCard, problems: Problems) -> ModelCard | None:
        """The other model, if one is named."""
        wanted = given.get("against")
        if wanted is None:
            return None
        if not isinstance(wanted, str):
            problems["against"] = ["must be text or null"]
            return None
        try:
            # PostgreSQL refuses a NUL in a text with an error of its own.
            model = self._models.resolve(wanted if wanted.isascii() and wanted.isprintable() else "")[0]
        except UnknownModel:
            problems["against"] = ["there is no such model or alias"]
            return None
        if model.id == ours.id:
            problems["against"] = ["is the same model: there is nothing to compare"]
            return None
        return model.card


def _has_test_patients(card: ModelCard) -> bool:
    split = card.provenance.get("split")
    return isinstance(split, dict) and bool(split.get("test"))


def _check_channels(dataset: DatasetView, card: ModelCard, field: str, problems: Problems) -> None:
    """What the model takes and the dataset cannot give."""
    report = dataset.report or {}
    channels = report.get("channels")
    if not isinstance(channels, int) or field in problems:
        return
    try:
        channel_indices(card.channels, card.in_channels, report.get("modalities") or (), channels, field)
    except InvalidFields as error:
        problems.update(error.errors or {})
