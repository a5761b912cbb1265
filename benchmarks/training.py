"""The part `training`: the loop beside its bare step, then a run through the service."""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from benchmarks import machine, slices, training_loop, training_service
from benchmarks.training_report import Run
from shared.recipe import read_recipe
from tests.fakes.study import make_study
from trainer.engines.open_engine import resolve_device

ROOT = Path(__file__).resolve().parent.parent
# The same size of slices in each epoch, and nothing from the network.
FIELDS = {
    "encoder_weights": None,
    "augmentations": {"crop": 208, "crop_until": 1.0},
    "limit": {"patients": 12},
}


def measure(options: argparse.Namespace) -> Run:
    """Everything, one after the other, on an otherwise idle machine."""
    facts = machine.describe()
    recipe = read_recipe(ROOT / "recipes" / f"{training_service.RECIPE}.yaml", FIELDS)
    with _study(options.data) as (folder, description):
        print(f"training loop: {options.rounds} rounds of {options.steps} steps")
        device = torch.device(resolve_device(options.device))
        loop = training_loop.measure(recipe, folder, device, options.steps, options.rounds)
        print("training through the service")
        service = training_service.measure(
            options.models,
            options.device,
            slices.load(options.slices, options.data).files,
            folder,
            options.beside,
            options.seconds,
        )
    return Run(facts, description, f"recipe {recipe.name}", loop, service)


@contextmanager
def _study(data: str | None) -> Iterator[tuple[Path, str]]:
    """A folder of patients with masks: the given one, or a drawn one."""
    if chosen := data or os.environ.get("LGG_DIR"):
        yield Path(chosen), "12 patients of the LGG segmentation dataset"
        return
    with TemporaryDirectory() as folder:
        root = make_study(Path(folder) / "study", patients=12, slices=32, size=256)
        yield root, "a study drawn by the benchmark (no LGG_DIR): 12 patients, 384 slices of 256 x 256 pixels"
