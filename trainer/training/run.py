"""One training run, from a recipe and a folder of data to averaged weights: the one place where the parts meet."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from shared.contract.errors import InvalidFields, LossNotFinite
from shared.contract.names import Stage
from shared.datasets.base import Dataset
from shared.ml.checkpoint import build_network, load_network
from shared.ml.encoder_weights import load_encoder_weights
from shared.ml.models.network import SegmentationNetwork
from shared.recipe import Recipe
from trainer.training import checkpoint, pictures
from trainer.training.augment import Augment
from trainer.training.dataset import open_dataset
from trainer.training.loop import Batch, EpochReport, State, new_state, train
from trainer.training.mixture import Mixture, open_mixture
from trainer.training.progress import Reporter
from trainer.training.slices import Slices, TrainingSlices, draw_sources, prepare
from trainer.training.sources import SUFFIXES
from trainer.training.split import Split, split_by_patient
from trainer.training.validate import validate


@dataclass(frozen=True)
class Paths:
    """Where a run reads and writes."""

    data: Path  # a folder, or a file that lists several (trainer.training.sources)
    out: Path
    encoder_weights: Path | None = None
    start_from: Path | None = None  # a model folder whose weights the run goes on from
    strange: tuple[Path, ...] = ()  # folders of images of other kinds, to measure the warning on
    resume_from: Path | None = None  # a checkpoint that another attempt has left
    cache: Path | None = None  # decoded slices, shared by the attempts
    options: dict[str, Any] = field(default_factory=dict)  # of the dataset's reader
    pseudonyms: bool = False  # patients by digest instead of by name

    @property
    def checkpoint(self) -> Path:
        """The run's newest state."""
        return self.out / "checkpoint.safetensors"


@dataclass(frozen=True)
class Trained:
    """What a finished run hands on."""

    network: SegmentationNetwork
    dataset: Dataset
    slices: Slices
    split: Split
    history: list[dict[str, Any]]
    origin: str


class EarlyStop(Exception):
    """Validation no longer gets better."""


def run_training(recipe: Recipe, paths: Paths, device: torch.device, reporter: Reporter) -> Trained:
    """Train or go on training; whatever was finished stays in `paths.out`."""
    paths.out.mkdir(parents=True, exist_ok=True)
    dataset = _open(recipe, paths)
    reporter.stage(Stage.LOADING, len(dataset.slices()))
    cache = paths.cache or paths.out / "cache"
    slices = prepare(
        dataset,
        recipe.preprocessing,
        cache,
        classes=recipe.classes,
        aside=paths.out,
        on_slice=reporter.step,
    )
    split = _split(recipe, dataset, slices)
    (paths.out / "split.json").write_text(json.dumps(split.to_dict(), indent=1))
    torch.manual_seed(recipe.seed)
    resume_from = paths.resume_from or (paths.checkpoint if paths.checkpoint.is_file() else None)
    network, origin = _start(recipe, paths, resuming=resume_from is not None)
    state = new_state(network, recipe, device)
    history: list[dict[str, Any]] = []
    if resume_from is not None:
        history, origin = checkpoint.load(resume_from, state, recipe.identity())
        reporter.resumed(history)
    shares = dataset.shares if isinstance(dataset, Mixture) else {}
    feed = Feed(recipe, slices, slices.of(split.train), shares)
    classes = dataset.classes if recipe.classes > 1 else ("tumour",)
    keeper = _Keeper(recipe, paths, device, reporter, slices, split, classes, feed.steps, history, origin)
    try:
        _stop_early(history, recipe.early_stopping_patience)  # a run killed just after it had decided to stop
        reporter.stage(Stage.TRAINING, feed.steps * recipe.epochs)
        train(state, feed.batches, feed.steps, recipe, device, keeper.on_epoch, keeper.on_step)
    except EarlyStop:
        reporter.say("validation no longer gets better: stopped early")
    return Trained(state.ema.network.float().cpu(), dataset, slices, split, history, origin)


class _Keeper:
    """Keeps what a step or an epoch has brought: validates, saves, draws, reports."""

    def __init__(
        self,
        recipe: Recipe,
        paths: Paths,
        device: torch.device,
        reporter: Reporter,
        slices: Slices,
        split: Split,
        classes: Sequence[str],
        steps: int,
        history: list[dict[str, Any]],
        origin: str,
    ) -> None:
        self.recipe, self.paths, self.device, self.reporter = recipe, paths, device, reporter
        self.slices, self.split, self.steps, self.classes = slices, split, steps, classes
        self.history, self.origin = history, origin

    def on_step(self, state: State) -> None:
        """After every step; the last one of an epoch is saved by `on_epoch`."""
        self.reporter.step(state.step)
        if state.step % self.steps and self.reporter.wants_checkpoint():
            self._save(state)

    def on_epoch(self, state: State, report: EpochReport) -> None:
        """After every epoch."""
        entry: dict[str, Any] = asdict(report)
        last = report.epoch == self.recipe.epochs
        if self.split.validation and (report.epoch % self.recipe.validate_every == 0 or last):
            indices = self.slices.of(self.split.validation)
            self.reporter.stage(Stage.VALIDATING, len(indices))
            found = validate(
                state.ema.network, self.slices, indices, self.recipe, self.device, self.reporter.step
            )
            if not math.isfinite(found.loss):
                raise LossNotFinite(f"The validation loss is {found.loss} after epoch {report.epoch}.")
            state.validation_losses.append(found.loss)
            entry |= {
                "validation_loss": found.loss,
                "validation_dice": float(np.mean([*found.dice.values()])),
            }
            if self.slices.sources:
                by_source = self.slices.by_source(indices)
                means = {name: _mean_of(found.dice, self.slices, own) for name, own in by_source.items()}
                # Each dataset counts the same, however many patients or slices it is counted by.
                entry |= {"validation_dice": float(np.mean([*means.values()])), "validation_dice_by_source": means}
            if len(self.classes) > 1:
                entry["validation_dice_by_class"] = found.by_class(self.classes)
            self.reporter.picture(pictures.samples(self.paths.out / "samples.png", found.samples))
        self.history.append(entry)
        (self.paths.out / "history.json").write_text(json.dumps(self.history, indent=1))
        self._save(state)
        self.reporter.epoch(entry)
        self.reporter.picture(pictures.curves(self.paths.out / "curves.png", self.history))
        _stop_early(self.history, self.recipe.early_stopping_patience)
        if not last:
            self.reporter.stage(Stage.TRAINING, self.steps * self.recipe.epochs)

    def _save(self, state: State) -> None:
        checkpoint.save(self.paths.checkpoint, state, self.recipe.identity(), self.history, self.origin)
        self.reporter.checkpoint(self.paths.checkpoint, state.epoch, state.step)


class Feed:
    """Batches of an epoch, the same for the same seed, epoch and slices."""

    def __init__(
        self,
        recipe: Recipe,
        slices: Slices,
        allowed: np.ndarray,
        shares: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.recipe, self.slices, self.shares = recipe, slices, shares
        self.allowed = slices.by_source(allowed)
        self.tumour_N = slices.with_tumour
        self.together = recipe.batch_size * recipe.gradient_accumulation  # slices of one step
        self.steps = len(self._order(0)) // self.together
        if recipe.limit.steps_per_epoch is not None:
            self.steps = min(self.steps, recipe.limit.steps_per_epoch)
        if self.steps < 1:
            raise InvalidFields(
                errors={"batch_size": ["times gradient_accumulation is more than the training slices"]}
            )

    def batches(self, epoch: int, first: int) -> Iterator[Batch]:
        """The full batches of this epoch from the `first` on, augmented by other processes meanwhile."""
        # One helper process keeps two cores busy; a GPU wants more of them.
        workers = min(8, max(1, (os.cpu_count() or 1) // 2))
        yield from DataLoader(
            self.items(epoch, first), self.recipe.batch_size, num_workers=workers, drop_last=True
        )

    def items(self, epoch: int, first: int) -> TrainingSlices:
        """The slices of those batches, one by one."""
        crop = self.recipe.augmentations.crop
        whole = epoch >= self.recipe.augmentations.crop_until * self.recipe.epochs
        augment = Augment(self.recipe.augmentations, 0 if whole else crop, self.recipe.main_channel)
        order = self._order(epoch)[: self.steps * self.together]
        return TrainingSlices(self.slices, order, augment, self._seed(epoch), first * self.together)

    def _order(self, epoch: int) -> list[int]:
        seed, empty = self._seed(epoch), self.recipe.empty_per_tumour
        return draw_sources(self.tumour_N, self.allowed, self.shares, empty, seed)

    def _seed(self, epoch: int) -> int:
        return self.recipe.seed * 1000 + epoch


def _open(recipe: Recipe, paths: Paths) -> Dataset:
    """The dataset, or several as one."""
    if paths.data.suffix in SUFFIXES:
        return open_mixture(recipe, paths.data)
    return open_dataset(recipe, paths.data, paths.options, pseudonyms=paths.pseudonyms)


def _split(recipe: Recipe, dataset: Dataset, slices: Slices) -> Split:
    if isinstance(dataset, Mixture):
        return dataset.split(recipe)
    return split_by_patient(slices.units, recipe.split_fractions, recipe.seed)


def _start(recipe: Recipe, paths: Paths, *, resuming: bool) -> tuple[SegmentationNetwork, str]:
    """The network to begin with; a resumed run has its weights in the checkpoint."""
    if paths.start_from is not None:
        network, _, card = load_network(paths.start_from)
        return network, f"weights of {card.name} {card.version}"
    network = build_network(
        recipe.architecture, recipe.encoder, recipe.in_channels, recipe.classes, recipe.architecture_options
    )
    if recipe.encoder_weights is None or resuming:
        return network, "random"
    return network, load_encoder_weights(network, recipe.encoder, paths.encoder_weights)


def _mean_of(dice: Mapping[str, float], slices: Slices, indices: np.ndarray) -> float:
    return float(np.mean([dice[patient] for patient in slices.by_patient(indices)]))


def _stop_early(history: list[dict[str, Any]], patience: int) -> None:
    """Raise EarlyStop when the best validation Dice is `patience` epochs old."""
    scores = [(e["validation_dice"], -e["epoch"]) for e in history if "validation_dice" in e]
    if patience and scores and history[-1]["epoch"] + max(scores)[1] >= patience:
        raise EarlyStop
