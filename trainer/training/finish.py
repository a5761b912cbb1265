"""From averaged weights to a model folder: constants chosen on validation, numbers from the test split, the card."""

from dataclasses import asdict, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from shared.datasets.base import Dataset
from shared.ml.checkpoint import load_network, save_weights
from shared.ml.predict import Predictor, Strangeness
from shared.recipe import Recipe
from shared.registry.cards import SCHEMA, Calibration, Label, ModelCard, Weights
from shared.registry.learned import LEARNED, Learned, read_learned, write_learned
from trainer.training.by_source import accuracies, counted_by, learned_alone, weights
from trainer.training.card_text import render
from trainer.training.mixture import Mixture
from trainer.training.run import Paths, Trained
from trainer.training.select import Selection, select
from trainer.training.slices import Slices
from trainer.training.strangeness import Change, fit, kinds, negative_of
from trainer.training.validate import predict

CARD = "card.json"


def finish(
    recipe: Recipe,
    paths: Paths,
    trained: Trained,
    device: torch.device,
    *,
    model_id: str | None = None,
    thorough: bool = True,
) -> Path:
    """Write `out`/model: weights, card.json and the card as Markdown. Returns the folder.

    `thorough` measures other sizes, bit depths and kinds of images as well.
    """
    folder = paths.out / "model"
    features = _strangeness(trained, recipe, device)
    if trained.split.validation:
        selection = _select(trained, recipe, paths.out, device)
        unlike = _unlike_limits(trained, recipe, features, device)
    else:  # every patient was trained on: nothing is left to choose by, so the constants are those of the start
        selection, unlike = _inherited(paths)
    saved = save_weights(folder, trained.network, features)
    _remember(folder, paths, trained)
    card = _card(recipe, trained, selection, unlike, saved, model_id or recipe.name)
    card.dump(folder / CARD)
    if trained.split.test:
        metrics = accuracies(
            folder, trained.dataset, trained.split.test, paths.strange, str(device), thorough=thorough
        )
    else:
        metrics = _inherited_metrics(paths)
    card = replace(card, metrics=metrics | {"split_by": recipe.split})
    card.dump(folder / CARD)
    (folder / "README.md").write_text(render(card))
    return folder


def _remember(folder: Path, paths: Paths, trained: Trained) -> None:
    """Which pictures the weights have seen; nothing is said where that of the weights they began with is not known."""
    before = Learned() if paths.start_from is None else read_learned(paths.start_from)
    (folder / LEARNED).unlink(missing_ok=True)
    if before is not None:
        seen = trained.slices.of((*trained.split.train, *trained.split.validation))
        write_learned(folder, Learned(trained.slices.digests(seen), joined=before.joined()))


def _strangeness(trained: Trained, recipe: Recipe, device: torch.device) -> dict[str, torch.Tensor]:
    """Fitted on the training patients' slices and on other images made of them."""
    slices, predictor = trained.slices, Predictor(trained.network)
    like_NF, other_MF = [], []
    for indices in slices.by_source(slices.of(trained.split.train)).values():
        like, other = kinds(recipe.in_channels, recipe.main_channel, learned_alone(trained.dataset))
        # Where a sequence is missing, another stands in for it: its copies are no images of another kind.
        complete = indices[_complete(slices, indices)]
        if not len(complete):  # grey slices: there are no other sequences to make others of
            complete, like, other = indices, like[:1], [negative_of(recipe.main_channel)]
        like_NF.append(_second_outputs(predictor, slices, indices, like, recipe, device))
        # Every third slice is enough to draw a line by, and there are many kinds.
        other_MF.append(_second_outputs(predictor, slices, complete[::3], other, recipe, device))
    return fit(np.concatenate(like_NF), np.concatenate(other_MF))


def _complete(slices: Slices, indices: np.ndarray) -> np.ndarray:
    """bool (N,): all channels of the slice differ; a single one has no others to be missing."""
    pairs = list(combinations(range(slices.channels), 2))
    images = (slices.images_NHWC[n] for n in indices)
    return np.array([not any((i[..., a] == i[..., b]).all() for a, b in pairs) for i in images])


def _second_outputs(
    predictor: Predictor,
    slices: Slices,
    indices: np.ndarray,
    changes: list[Change],
    recipe: Recipe,
    device: torch.device,
) -> np.ndarray:
    found = (predict(predictor, slices, indices, recipe, device, change) for change in changes)
    return np.concatenate([second for batches in found for _, second in batches])


def _select(trained: Trained, recipe: Recipe, out: Path, device: torch.device) -> Selection:
    """The maps of all validation slices lie on the disk meanwhile: a large study would not fit into memory."""
    slices, indices = trained.slices, trained.slices.of(trained.split.validation)
    shape = (len(indices), *slices.masks_NHW.shape[1:])
    predictor = Predictor(trained.network, recipe.test_time_augmentation)
    with TemporaryDirectory(dir=out) as folder:
        make = np.lib.format.open_memmap
        logits_NHW = make(Path(folder) / "logits.npy", "w+", np.float16, shape)
        truth_NHW = make(Path(folder) / "truth.npy", "w+", np.bool_, shape)
        done = 0
        for found_BHW, _ in predict(predictor, slices, indices, recipe, device):
            part = slice(done, done + len(found_BHW))
            found_BHW = np.clip(found_BHW, 1e-7, 1 - 1e-7)
            logits_NHW[part] = np.log(found_BHW / (1 - found_BHW))
            truth_NHW[part] = slices.masks_NHW[indices[part]] > 0
            done = part.stop
        return select(logits_NHW, truth_NHW, slices.by_patient(indices), weights(slices, indices))


def _unlike_limits(
    trained: Trained, recipe: Recipe, tensors: dict[str, torch.Tensor], device: torch.device
) -> dict[str, list[float]]:
    """For each measure, what the slices of a patient not yet seen hardly reach.

    Patients differ more than slices do: the limit is the mean over validation patients (in colour and in grey) of
    their 99th percentile, plus two of its standard deviations. Of several datasets the highest limit is taken: none
    of them is unlike what was learned.
    """
    strangeness = Strangeness(tensors["mean"], tensors["whitening"], tensors["direction"])
    predictor = Predictor(trained.network, strangeness=strangeness)
    like, _ = kinds(recipe.in_channels, recipe.main_channel)
    indices = trained.slices.of(trained.split.validation)
    limits = np.full(2, -np.inf)
    for patients in counted_by(trained.dataset, trained.slices, indices).values():
        highest = []
        for own in patients:
            for change in like:
                measured = _second_outputs(predictor, trained.slices, own, [change], recipe, device)
                highest.append(np.quantile(measured, 0.99, axis=0))
        limits = np.maximum(limits, np.mean(highest, axis=0) + 2 * np.std(highest, axis=0))
    return {"limits": [round(float(value), 4) for value in limits]}


def _inherited(paths: Paths) -> tuple[Selection, dict[str, Any]]:
    if paths.start_from is None:
        raise ValueError(
            "a run without validation patients needs --start-from: a model whose constants it takes over"
        )
    _, _, card = load_network(paths.start_from)
    score = float(card.provenance["selection"]["validation_dice"])
    scale, bias = card.calibration.scale, card.calibration.bias
    return Selection(scale, bias, card.threshold, card.min_region_pixels, score), dict(card.unlike)


def _inherited_metrics(paths: Paths) -> dict[str, Any]:
    """The start's, which say by `weights_sha256` whose they are: its own, or of a start before it."""
    if paths.start_from is None:
        return {}
    _, _, card = load_network(paths.start_from)
    return dict(card.metrics)


def _card(
    recipe: Recipe,
    trained: Trained,
    selection: Selection,
    unlike: dict[str, Any],
    weights: Weights,
    model_id: str,
) -> ModelCard:
    plain = recipe.to_dict()
    return ModelCard(
        schema=SCHEMA,
        id=model_id,
        name=recipe.name,
        version=recipe.card.version,
        description=recipe.description,
        architecture=recipe.architecture,
        encoder=recipe.encoder,
        network=dict(recipe.architecture_options),
        in_channels=recipe.in_channels,
        classes=recipe.classes,
        labels=_labels(recipe, trained.dataset),
        preprocessing=asdict(recipe.preprocessing),
        threshold=selection.threshold,
        min_region_pixels=selection.min_region_pixels,
        test_time_augmentation=list(recipe.test_time_augmentation),
        calibration=Calibration(round(selection.scale, 6), round(selection.bias, 6)),
        unlike=dict(unlike),
        metrics={},
        provenance=_provenance(recipe, plain, trained, selection),
        licence=recipe.card.licence,
        intended_use=recipe.card.intended_use,
        not_for=recipe.card.not_for,
        weights=weights,
        channels=list(trained.dataset.modalities),
    )


def _labels(recipe: Recipe, dataset: Dataset) -> list[Label]:
    names = dataset.classes if recipe.classes > 1 else ("tumour",)
    return [Label(value, name) for value, name in enumerate(names, 1)]


def _provenance(
    recipe: Recipe, plain: dict[str, Any], trained: Trained, selection: Selection
) -> dict[str, Any]:
    several = {"sources": trained.dataset.described()} if isinstance(trained.dataset, Mixture) else {}
    return several | {
        "data": recipe.card.data,
        "recipe": plain,
        "start": trained.origin,
        "split": trained.split.to_dict(),
        "slices": len(trained.slices.units),
        "epochs": trained.history[-1]["epoch"],
        "seconds": round(sum(entry["seconds"] for entry in trained.history)),
        "selection": {
            "on": "validation slices" if recipe.split == "slice" else "validation patients",
            "validation_dice": round(selection.validation_dice, 4),
        },
    }
