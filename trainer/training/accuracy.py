"""Everything a card says of accuracy, measured on the test patients alone, in the engine that serves."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from shared.datasets.base import Dataset
from shared.preprocessing.unlike import unlike_training_data
from shared.registry.cards import ModelCard
from trainer.training import assess
from trainer.training.card_text import VARIANT_NAMES
from trainer.training.strange import of_folder, rubbish, share_warned


def accuracy(
    folder: Path,
    dataset: Dataset,
    units: Collection[str],
    strange: Sequence[Path],
    device: str,
    *,
    thorough: bool = True,
) -> dict[str, Any]:
    """The card's `metrics` of the model in `folder` on these units of the split.

    `strange` are folders of images of other kinds.

    Without `thorough` only the slices as they are are measured, and only these folders; likewise where the network
    does not take three channels, which pictures of other kinds have.
    """
    card, served = ModelCard.load(folder / "card.json"), assess.served(folder, device)
    wanted = set(units)
    items = [item for item in dataset.slices() if item.unit in wanted]
    limits = card.unlike["limits"]
    thorough = thorough and card.in_channels == 3
    metrics: dict[str, Any] = {"weights_sha256": card.weights.sha256, "engine": served.engine.name}
    dice, warned = {}, {}
    variants = assess.VARIANTS if thorough else {"as_uploaded": assess.as_uploaded}
    for name, change in variants.items():
        found = assess.findings(served, dataset, items, change)
        dice[name] = assess.volume_metrics(found)
        share = float(np.mean([unlike_training_data(f.strangeness, limits) for f in found]))
        warned[f"test slices, {VARIANT_NAMES[name]}"] = {"images": len(found), "warned": round(share, 4)}
        if name == "as_uploaded":
            metrics |= {
                "slices": assess.slice_metrics(found),
                "confidence": assess.calibration_metrics(found),
            }
        else:
            dice[name].pop("per_patient")
    kinds: dict[str, Iterable[np.ndarray]] = {f"folder {path.name}": of_folder(path) for path in strange}
    if thorough:
        kinds |= rubbish(dataset.read(item)[0] for item in items[::10])
    for kind, images in kinds.items():
        count, share = share_warned(served, images, limits)
        warned[kind] = {"images": count, "warned": round(share, 4)}
    return metrics | {"volume_dice": dice, "unlike_training_data": warned}
