"""Taking evaluations in: check, accept, queue, delete."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from service.intake.acceptance import Acceptance, Accepted
from service.intake.idempotency import fingerprint
from service.intake.lookup import find_dataset, find_model, ready_dataset
from service.job_queue import JobQueue
from shared.contract.errors import InvalidFields, NotFound, QueueFull
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
class EvaluationRequest:
    """One request for an evaluation; `given` is its JSON object, `sees` whose datasets it may use (None: all).

    `model` is an id or an alias, as it was asked for.
    """

    owner: str
    sees: str | None
    request_id: str
    model: str
    given: Mapping[str, Any]
    idempotency_key: str | None = None


class EvaluationIntake:
    """Accepts evaluations. Workers look for them in the database themselves; a message only wakes them up."""

    def __init__(
        self,
        *,
        acceptance: Acceptance[NewEvaluation, EvaluationView],
        evaluations: Evaluations,
        datasets: Datasets,
        models: Models,
        files: FileStore,
        queue: JobQueue,
        max_queued: int,
    ) -> None:
        self._acceptance, self._evaluations = acceptance, evaluations
        self._datasets, self._models = datasets, models
        self._files, self._queue = files, queue
        self._max_queued = max_queued

    def submit(self, asked: EvaluationRequest) -> Accepted[EvaluationView]:
        """Accept the evaluation.

        Raises NotFound (the model), InvalidFields, QueueFull, QueueUnavailable, IdempotencyInProgress and
        IdempotencyMismatch; then nothing was accepted.
        """
        # The reference as it stands: an alias may have moved since, and a model have gone.
        digest = fingerprint("evaluations", asked.model, dict(asked.given))
        return self._acceptance.submit(asked.owner, asked.idempotency_key, digest, lambda: self._row(asked))

    def remove(self, evaluation: EvaluationView, *, actor: str) -> None:
        """Delete it and its report; a worker that is doing it breaks off. A second time changes nothing."""
        self._evaluations.delete(evaluation.id, actor=actor)
        self._files.delete_tree(evaluation_folder(evaluation.id))

    def _row(self, asked: EvaluationRequest) -> NewEvaluation:
        """Raises what is wrong with the request."""
        new = self._checked(asked, find_model(self._models, asked.model).card)
        self._require_room()
        return new

    def _require_room(self) -> None:
        self._queue.ping()
        if self._evaluations.queued_count() >= self._max_queued:
            raise QueueFull(f"{self._max_queued} evaluations wait already; come back later.")

    def _checked(self, asked: EvaluationRequest, model: ModelCard) -> NewEvaluation:
        """What was asked for; raises InvalidFields with everything that is wrong with it."""
        given = asked.given
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
        find = partial(find_dataset, self._datasets, asked.owner, asked.sees)
        dataset = ready_dataset(given, find, "evaluated on", problems)
        against = self._against(asked.given, model, problems)
        if dataset is not None:
            _check_channels(dataset, model, "dataset", problems)
            if against is not None:
                _check_channels(dataset, against, "against", problems)
        if problems or dataset is None:
            raise InvalidFields("This evaluation cannot be done; `errors` names each field.", problems)
        return NewEvaluation(
            owner=asked.owner,
            model_id=model.id,
            against_id=against.id if against else None,
            dataset_id=dataset.id,
            split=split,
            test_time_augmentation=flips,
            request_id=asked.request_id,
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
            model = find_model(self._models, wanted)
        except NotFound:
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
