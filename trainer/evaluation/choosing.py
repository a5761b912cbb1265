"""Which slices of a dataset are asked about, and which of them a model has seen before."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.contract.errors import InvalidFields, JobFailed
from shared.datasets.base import Dataset, SliceFile
from shared.datasets.pseudonym import pseudonym
from shared.preprocessing.channels import channel_indices
from shared.registry.cards import ModelCard
from shared.registry.learned import Learned, read_learned

TEST, ALL = "test", "all"
_PSEUDONYM = re.compile(r"p-[0-9a-f]{12}", re.ASCII)


class NothingToEvaluate(JobFailed):
    """The dataset has none of the patients that were asked for."""

    code = "nothing_to_evaluate"
    title = "There is nothing to evaluate on"


class DoesNotFit(JobFailed):
    """The dataset cannot give the channels that a model takes."""

    code = "model_does_not_fit"
    title = "The model cannot be used on this dataset"


def check_channels(card: ModelCard, dataset: Dataset) -> None:
    """Raises DoesNotFit."""
    try:
        channel_indices(card.channels, card.in_channels, dataset.modalities, dataset.channels)
    except InvalidFields as error:
        why = "; ".join(text for texts in (error.errors or {}).values() for text in texts)
        raise DoesNotFit(f"The model {card.id} {why} in this dataset.") from error


def shown_as(patient: str) -> str:
    """What the patient is called in results: stored datasets hide the names already."""
    return patient if _PSEUDONYM.fullmatch(patient) else pseudonym(patient)


def chosen(items: Sequence[SliceFile], split: str, card: ModelCard) -> list[SliceFile]:
    """The slices of the split, ordered by patient and position; raises NothingToEvaluate."""
    if split == TEST:
        names = _named(card, "test")
        if not names:
            raise NothingToEvaluate(
                f"The card of the model {card.id} names no test patients: evaluate it on all patients of a dataset "
                'that it has not seen ("split": "all").'
            )
        items = [item for item in items if _is_named(item, names)]
        if not items:
            raise NothingToEvaluate(
                f"None of the {len(names)} test patients of the model {card.id} is in this dataset: evaluate it on "
                'the dataset that it was trained on, or on all patients of this one ("split": "all").'
            )
    if not items:
        raise NothingToEvaluate("The dataset has no slices.")
    return sorted(items, key=lambda item: (item.patient, item.index, str(item.image)))


def split_by_slice(card: ModelCard) -> bool:
    """Whether slices of the same patient were in more than one part of the training's split."""
    recipe = card.provenance.get("recipe")
    by = recipe.get("split") if isinstance(recipe, dict) else None
    return "slice" in (by, card.metrics.get("split_by"))


@dataclass(frozen=True)
class Memory:
    """What a model has seen: pictures by their digest, else, where that was not recorded, patients by their name."""

    pictures: Learned | None
    names: frozenset[str]

    @classmethod
    def of(cls, folder: Path, card: ModelCard) -> "Memory":
        """Raises ModelUnusable where the record is damaged."""
        return cls(read_learned(folder), frozenset(_named(card, "train") | _named(card, "validation")))

    @property
    def known(self) -> bool:
        """Whether the pictures were recorded."""
        return self.pictures is not None

    def has(self, item: SliceFile, digests: Collection[bytes]) -> bool:
        """Whether training, or the choice of constants, saw this slice: any of its channels."""
        if self.pictures is not None:
            return any(digest in self.pictures for digest in digests)
        return _is_named(item, self.names)


def _named(card: ModelCard, part: str) -> set[str]:
    """Units of the split by pseudonym, as results call them; a card from elsewhere may hold anything.

    The card of a run on the command line has plain names. Units are patients, or PATIENT/INDEX, single slices.
    """
    split = card.provenance.get("split")
    names = split.get(part) if isinstance(split, dict) else None
    found = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    patients, slices = {shown_as(name) for name in found}, (name.rpartition("/") for name in found)
    return patients | {f"{shown_as(patient)}/{index}" for patient, _, index in slices if patient}


def _is_named(item: SliceFile, names: Collection[str]) -> bool:
    """Whether the names hold its patient, or the slice alone."""
    patient = shown_as(item.patient)
    return patient in names or f"{patient}/{item.index}" in names
