"""Pictures of the best, the median and the worst patient: image, truth, prediction and where they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from shared.datasets.base import Dataset
from shared.pictures.render import border, png, to_display
from shared.preprocessing.channels import GREY
from trainer.evaluation.choosing import shown_as
from trainer.evaluation.measured import Measured

# Told apart by people who do not tell red from green (Okabe and Ito 2008).
BOTH, MISSED, TOO_MUCH = (0, 158, 115), (230, 159, 0), (86, 180, 233)
LEGEND = (
    (BOTH, "tumour in both"),
    (MISSED, "missed: in the truth alone"),
    (TOO_MUCH, "too much: in the prediction alone"),
)
_LONGEST = 320  # pixels of a tile's longer side
_OPACITY = 0.65
_TITLES = ("Best", "Median", "Worst")


@dataclass(frozen=True)
class Tile:
    """A PNG with the same in words."""

    title: str
    png: bytes
    text: str


@dataclass(frozen=True)
class Shown:
    """One patient of the gallery, at the slice with the largest true area."""

    title: str
    patient: str
    dice: float
    caption: str
    tiles: tuple[Tile, ...]


def gallery(dataset: Dataset, measured: Sequence[Measured], result: dict[str, Any]) -> list[Shown]:
    """Of the headline's patients by volume Dice; of those that the model learned from where there are no others."""
    rows = {row["patient"]: row for row in result["per_patient"]}
    headline = [one for one in measured if not rows[shown_as(one.patient)]["seen"]] or list(measured)
    # Two empty masks have nothing to look at, and a Dice of 1.
    told = [one for one in headline if one.true_pixels or one.found_pixels] or headline
    told = sorted(told, key=lambda one: rows[shown_as(one.patient)]["dice"], reverse=True)
    places = dict(zip((0, len(told) // 2, len(told) - 1), _TITLES, strict=True))
    if len(told) < len(_TITLES):  # best and worst of two; of one, only that
        places = dict(zip(range(len(told)), ("Best", "Worst") if len(told) == 2 else ("Only",), strict=True))
    return [
        _shown(dataset, told[n], rows[shown_as(told[n].patient)]["dice"], title)
        for n, title in places.items()
    ]


def _shown(dataset: Dataset, one: Measured, dice: float, title: str) -> Shown:
    item = one.place.item
    pixels_HWC, _ = dataset.read(item)
    image_HWC, sequence = _grey(pixels_HWC, dataset.modalities)
    truth_HW, found_HW = one.place.masks()
    patient = shown_as(one.patient)
    where = f"{patient}, slice {item.index}"
    true, found, both = (int(np.count_nonzero(mask)) for mask in (truth_HW, found_HW, truth_HW & found_HW))
    tiles = (
        Tile("Image", _picture(image_HWC), f"{sequence} of {where}."),
        Tile("Truth", _picture(image_HWC, (truth_HW, BOTH)), f"Truth in {where}: {_pixels(true)}."),
        Tile(
            "Prediction",
            _picture(image_HWC, (found_HW, TOO_MUCH)),
            f"Prediction in {where}: {_pixels(found)}.",
        ),
        Tile(
            "Difference",
            _picture(
                image_HWC,
                (truth_HW & found_HW, BOTH),
                (truth_HW & ~found_HW, MISSED),
                (found_HW & ~truth_HW, TOO_MUCH),
            ),
            f"Difference in {where}: {_pixels(both)} in both, {true - both:,} missed, {found - both:,} too much.",
        ),
    )
    caption = f"Volume Dice {dice:.3f}; slice {item.index} of the volume: {tiles[-1].text.partition(': ')[2]}"
    return Shown(title, patient, dice, caption, tiles)


def _pixels(count: int) -> str:
    return "1 pixel of tumour" if count == 1 else f"{count:,} pixels of tumour"


def _grey(pixels_HWC: np.ndarray, modalities: Sequence[str]) -> tuple[np.ndarray, str]:
    """(H, W, 1 or 3) uint8 and what it is: of several sequences the one on which tumours are outlined."""
    if GREY in modalities:
        place = list(modalities).index(GREY)
        return _bright(pixels_HWC[..., place : place + 1]), GREY.upper()
    if pixels_HWC.shape[2] == 3:
        return _bright(pixels_HWC), "Image"
    return _bright(pixels_HWC[..., :1]), modalities[0] if modalities else "Image"


def _bright(pixels_HWC: np.ndarray) -> np.ndarray:
    """With a window as 16 bit has it, since it is only to be looked at: sequences are often stored dark."""
    return to_display(np.ascontiguousarray(pixels_HWC).astype(np.uint16))


def _picture(image_HWC: np.ndarray, *painted: tuple[np.ndarray, tuple[int, int, int]]) -> bytes:
    """Masks are filled half through, with their border in full: what lies under them stays to be seen."""
    height, width = image_HWC.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image_HWC, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    rgb_HWC = np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small.copy()
    for mask_HW, colour in painted:
        inside = cv2.resize(mask_HW.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
        mixed = (1 - _OPACITY) * rgb_HWC[inside] + _OPACITY * np.array(colour)
        rgb_HWC[inside] = np.rint(mixed).astype(np.uint8)
        rgb_HWC[border(inside)] = colour
    return png(rgb_HWC)
