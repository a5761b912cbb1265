"""What a run over several datasets chooses and measures for each of them; over one, all of it is that one's."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.datasets.base import Dataset, SliceFile
from shared.preprocessing.channels import SAME
from shared.preprocessing.unlike import unlike_training_data
from trainer.training import assess
from trainer.training.accuracy import accuracy
from trainer.training.assess import Finding
from trainer.training.dataset import View
from trainer.training.mixture import Mixture
from trainer.training.slices import Slices
from trainer.training.sources import ListedDataset


def learned_alone(dataset: Dataset) -> list[int]:
    """Places of the channels whose sequence another dataset of the run shows in grey: alone they are no strangers."""
    if not isinstance(dataset, Mixture):
        return []
    shown = {source.sequence for source in dataset.sources.values()}
    return [n for n, name in enumerate(dataset.modalities) if SAME.get(name, name) in shown]


def counted_by(dataset: Dataset, slices: Slices, indices: np.ndarray) -> dict[str, list[np.ndarray]]:
    """For each source what differs as patients do: each patient's slices, or all where patients are not known."""
    found = {}
    for name, own in slices.by_source(indices).items():
        alone = isinstance(dataset, Mixture) and dataset.sources[name].by == "slice"
        found[name] = [own] if alone else [own[rows] for rows in slices.by_patient(own).values()]
    return found


def weights(slices: Slices, indices: np.ndarray) -> dict[str, float]:
    """Of each patient: all of a source's together weigh as much as another source's."""
    found: dict[str, float] = {}
    for own in slices.by_source(indices).values():
        patients = slices.by_patient(own)
        found |= dict.fromkeys(patients, 1 / len(patients))
    return found


def accuracies(
    folder: Path,
    dataset: Dataset,
    units: Collection[str],
    strange: Sequence[Path],
    device: str,
    *,
    thorough: bool = True,
) -> dict[str, Any]:
    """The card's `metrics`: those of the first source that has a test part, and `sources` with each one's."""
    if not isinstance(dataset, Mixture):
        return accuracy(folder, dataset, units, strange, device, thorough=thorough)
    wanted = set(units)
    tested = {name: items for name in dataset.sources if (items := _test(dataset, name, wanted))}
    first = View(dataset, lambda items: [item for item in items if item.source == next(iter(tested))])
    metrics = accuracy(folder, first, units, strange, device, thorough=thorough)
    served = assess.served(folder, device)
    each = {
        name: measured(
            dataset.sources[name],
            items,
            assess.findings(served, dataset, items, assess.as_uploaded),
            served.card.unlike["limits"],
        )
        for name, items in tested.items()
    }
    return metrics | {"source": next(iter(tested)), "sources": each}


def measured(
    source: ListedDataset, items: Sequence[SliceFile], found: Sequence[Finding], limits: Sequence[float]
) -> dict[str, Any]:
    """One source's numbers, and by its groups; `found` are of `items`, in their order."""
    dice = assess.volume_metrics(found)
    if source.by == "slice":
        dice.pop("per_patient")
    warned = [unlike_training_data(f.strangeness, limits) for f in found]
    own = {item: item.image.relative_to(item.source) for item in items}
    grouped: dict[str, dict[str, list[Finding]]] = {name: {} for name in source.groups}
    for item, finding in zip(items, found, strict=True):
        for name, groups in grouped.items():
            if (group := source.group_of(name, own[item])) is not None:
                groups.setdefault(group, []).append(finding)
    return {
        "by": source.by,
        "dice": dice,
        "slices": assess.slice_metrics(found),
        "warned": round(float(np.mean(warned)), 4),
        "groups": {
            name: {group: _brief(groups[group]) for group in sorted(groups)}
            for name, groups in grouped.items()
        },
    }


def _brief(found: Sequence[Finding]) -> dict[str, Any]:
    scores = np.array([*assess.by_patient(found).values()])
    return {
        "patients": len(scores),
        "mean": round(float(scores.mean()), 4),
        "median": round(float(np.median(scores)), 4),
        "sensitivity": assess.slice_metrics(found)["sensitivity"],
    }


def _test(dataset: Mixture, name: str, units: set[str]) -> list[SliceFile]:
    return [item for item in dataset.of(name) if item.unit in units]
