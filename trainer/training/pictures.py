"""Pictures of a run for people: how its numbers went, and what it finds on some validation slices."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from shared.pictures.render import border, png
from trainer.training.validate import Sample

TILE = 256
COLUMNS = 4
EXPERT, NETWORK = (0, 200, 0), (255, 40, 40)


def curves(path: Path, history: Sequence[dict[str, Any]]) -> Path:
    """Losses and validation Dice over the epochs -> PNG; returns the path."""
    figure = Figure(figsize=(8, 4.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # no screen, and no state shared with anybody
    losses = figure.add_subplot()
    scores = losses.twinx()
    for axes, name, label, colour in (
        (losses, "train_loss", "training loss", "tab:blue"),
        (losses, "validation_loss", "validation loss", "tab:orange"),
        (scores, "validation_dice", "validation Dice", "tab:green"),
    ):
        points = [(entry["epoch"], entry[name]) for entry in history if name in entry]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, label=label, marker=".")
    losses.set_xlabel("epoch")
    losses.set_ylabel("loss")
    losses.set_ylim(bottom=0)
    scores.set_ylabel("mean volume Dice, validation patients")
    scores.set_ylim(0, 1)
    losses.grid(alpha=0.3)
    handles = [*losses.get_lines(), *scores.get_lines()]
    losses.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, format="png")
    return path


def samples(path: Path, shown: Sequence[Sample]) -> Path:
    """Slices in a grid, outlined by the expert (green) and by the network (red) -> PNG; returns the path."""
    tiles = [_tile(sample) for sample in shown] or [np.zeros((TILE, TILE, 3), np.uint8)]
    rows = -(-len(tiles) // COLUMNS)
    width = min(COLUMNS, len(tiles))
    grid = np.zeros((rows * TILE, width * TILE, 3), np.uint8)
    for n, tile in enumerate(tiles):
        row, column = divmod(n, COLUMNS)
        grid[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = tile
    path.write_bytes(png(grid))
    return path


def _tile(sample: Sample) -> np.ndarray:
    """Masks are enlarged before they are outlined, so that the lines stay thin."""
    size = (TILE, TILE)
    tile = cv2.resize(sample.image_HWC, size, interpolation=cv2.INTER_LINEAR)
    for mask, colour in ((sample.truth_HW, EXPERT), (sample.found_HW, NETWORK)):
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
        tile[border(large)] = colour
    return tile
