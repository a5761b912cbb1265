"""One training run, from a recipe and a folder of data to averaged weights: the one place where the parts meet."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from shared import catalog
from shared.contract.errors import InvalidFields
from shared.ml.checkpoint import build_network, load_network
from shared.ml.encoder_weights import load_encoder_weights
from shared.ml.models.network import SegmentationNetwork
from trainer.training import checkpoint
from trainer.training.augment import Augment
from trainer.training.config import Recipe
from trainer.training.loop import Batch, EpochReport, State, new_state, train
from trainer.training.progress import Progress
from trainer.training.slices import Slices, TrainingSlices, draw_epoch, prepare
from trainer.training.split import Split, split_by_patient
from trainer.training.validate import volume_dice


@dataclass(frozen=True)
class Paths:
    """Where a run reads and writes."""

    data: Path
    out: Path
    encoder_weights: Path | None = None
    start_from: Path | None = None  # a model folder whose weights the run goes on from
    strange: tuple[Path, ...] = ()  # folders of images of other kinds, to measure the warning on

    @property
    def checkpoint(self) -> Path:
        """The run's state after its last finished epoch."""
        return self.out / "checkpoint.safetensors"


@dataclass(frozen=True)
class Trained:
    """What a finished run hands on."""

    network: SegmentationNetwork
    slices: Slices
    split: Split
    history: list[dict[str, Any]]
    origin: str


class EarlyStop(Exception):
    """Raised by the epoch callback when validation no longer gets better."""


def run_training(recipe: Recipe, paths: Paths, device: torch.device) -> Trained:
    """Train or go on training; whatever was finished stays in `paths.out`."""
    paths.out.mkdir(parents=True, exist_ok=True)
    slices = prepare(_dataset(recipe, paths), recipe.preprocessing, paths.out / "cache")
    split = split_by_patient(slices.patients, recipe.split_fractions, recipe.seed)
    (paths.out / "split.json").write_text(json.dumps(split.to_dict(), indent=1))
    torch.manual_seed(recipe.seed)
    network, origin = _start(recipe, paths)
    state = new_state(network, recipe, device)
    history = checkpoint.load(paths.checkpoint, state, recipe.to_dict()) if paths.checkpoint.is_file() else []
    feed = _Feed(recipe, slices, slices.of(split.train))
    progress = Progress(recipe.epochs, feed.steps)

    def on_epoch(state: State, report: EpochReport) -> None:
        entry: dict[str, Any] = asdict(report)
        if split.validation and (report.epoch % recipe.validate_every == 0 or report.epoch == recipe.epochs):
            scores = volume_dice(state.ema.network, slices, split.validation, device)
            entry["validation_dice"] = float(np.mean(list(scores.values())))
        history.append(entry)
        progress.epoch(entry)
        checkpoint.save(paths.checkpoint, state, recipe.to_dict(), history)
        (paths.out / "history.json").write_text(json.dumps(history, indent=1))
        _stop_early(history, recipe.early_stopping_patience)

    try:
        train(state, feed.batches, feed.steps, recipe, device, on_epoch, progress.step)
    except EarlyStop:
        progress.say("validation no longer gets better: stopped early")
    return Trained(state.ema.network.float().cpu(), slices, split, history, origin)


class _Feed:
    """Batches of an epoch, the same for the same seed, epoch and slices."""

    def __init__(self, recipe: Recipe, slices: Slices, allowed: np.ndarray) -> None:
        self.recipe, self.slices, self.allowed = recipe, slices, allowed
        self.tumour_N = slices.with_tumour
        self.steps = len(self._order(0)) // recipe.batch_size
        if self.steps < 1:
            raise InvalidFields(errors={"batch_size": ["is larger than the number of training slices"]})

    def batches(self, epoch: int) -> Iterator[Batch]:
        """All full batches of this epoch, augmented by a second process while the network learns."""
        crop = self.recipe.augmentation.crop
        whole = epoch >= self.recipe.augmentation.crop_until * self.recipe.epochs
        augment = Augment(self.recipe.augmentation, 0 if whole else crop)
        data = TrainingSlices(self.slices, self._order(epoch), augment, self._seed(epoch))
        # One helper process keeps two cores busy; a GPU wants more of them.
        workers = min(8, max(1, (os.cpu_count() or 1) // 2))
        yield from DataLoader(data, self.recipe.batch_size, num_workers=workers, drop_last=True)

    def _order(self, epoch: int) -> list[int]:
        return draw_epoch(self.tumour_N, self.allowed, self.recipe.empty_per_tumour, self._seed(epoch))

    def _seed(self, epoch: int) -> int:
        return self.recipe.seed * 1000 + epoch


def _dataset(recipe: Recipe, paths: Paths) -> Any:
    return catalog.load(catalog.DATASETS, recipe.dataset, "dataset")(paths.data)


def _start(recipe: Recipe, paths: Paths) -> tuple[SegmentationNetwork, str]:
    if paths.start_from is not None:
        network, _, card = load_network(paths.start_from)
        return network, f"weights of {card.name} {card.version}"
    network = build_network(recipe.architecture, recipe.encoder, recipe.in_channels, recipe.classes)
    if recipe.encoder_weights is None:
        return network, "random"
    return network, load_encoder_weights(network, recipe.encoder, paths.encoder_weights)  # type: ignore[arg-type]


def _stop_early(history: list[dict[str, Any]], patience: int) -> None:
    scores = [(e["validation_dice"], e["epoch"]) for e in history if "validation_dice" in e]
    if patience and scores and history[-1]["epoch"] - max(scores)[1] >= patience:
        raise EarlyStop
