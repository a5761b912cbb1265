"""A dataset or a model by what a client calls it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from service.web.ids import is_id
from shared.contract.errors import InvalidFields, NotFound, UnknownModel
from shared.contract.names import DatasetStatus
from shared.database.models import Models, StoredModel
from shared.database.paging import MAX_LIMIT
from shared.jobs.datasets import Datasets, DatasetView


def find_dataset(datasets: Datasets, owner: str, sees: str | None, wanted: str) -> DatasetView:
    """By id, else by a name that only one of the owner's datasets has; raises InvalidFields on `dataset`.

    `sees`: whose datasets may be found by id (None: everybody's).
    """
    if is_id(wanted):
        with suppress(NotFound):
            return datasets.get(wanted, owner=sees)
    named = [dataset for dataset in _all(datasets, owner) if dataset.name == wanted]
    if len(named) == 1:
        return named[0]
    many = f"{len(named)} of your datasets have this name: give the id"
    raise InvalidFields(errors={"dataset": [many if named else "there is no such dataset"]})


def ready_dataset(
    given: Mapping[str, Any], find: Callable[[str], DatasetView], use: str, problems: dict[str, list[str]]
) -> DatasetView | None:
    """The dataset that `given` names, if it can be used; else None, and why not in `problems`. `use`: "trained on"."""
    wanted = given.get("dataset")
    if not isinstance(wanted, str):
        missing = "missing: give the id or the name of a dataset"
        problems["dataset"] = [missing if wanted is None else "must be text"]
        return None
    try:
        dataset = find(wanted)
    except InvalidFields as error:
        problems.update(error.errors or {})
        return None
    why = _why_not_ready(dataset, use)
    if why is not None:
        problems["dataset"] = [why]
    return None if why else dataset


def find_model(models: Models, reference: str) -> StoredModel:
    """By id or alias; raises NotFound."""
    if not is_id(reference):
        raise NotFound
    try:
        return models.resolve(reference)[0]
    except UnknownModel as error:
        raise NotFound(error.detail) from None


def _why_not_ready(dataset: DatasetView, use: str) -> str | None:
    if dataset.status == DatasetStatus.READY:
        return None
    if dataset.status == DatasetStatus.VALIDATING:
        return "is still being looked through; wait until its status is ready"
    why = f": {dataset.error['message']}" if dataset.error else ""
    return f"cannot be {use}, it {dataset.status}{why}"


def _all(datasets: Datasets, owner: str) -> Iterator[DatasetView]:
    cursor: str | None = None
    while True:
        page = datasets.list(owner, MAX_LIMIT, cursor)
        yield from page.items
        cursor = page.next
        if cursor is None:
            return
