"""Which reader a dataset is for: a choice by name, or by looking at the names of its files."""

from collections.abc import Mapping
from pathlib import Path

from shared.contract.errors import DatasetError
from shared.datasets.base import SliceDataset
from shared.datasets.brats import BratsDataset
from shared.datasets.image_mask import ImageMaskDataset
from shared.datasets.lgg import LggDataset
from shared.datasets.source import Source, source_of
from shared.datasets.yes_no import YesNoDataset

AUTO = "auto"
OPTIONS: Mapping[str, tuple[str, ...]] = {
    AUTO: ("patient_pattern", "mask_suffix"),
    ImageMaskDataset.format: ("patient_pattern", "mask_suffix"),
    LggDataset.format: ("patient_pattern",),
    BratsDataset.format: ("patient_pattern",),
    YesNoDataset.format: ("patient_pattern",),
}

# The narrower first; pictures with masks before pictures whose folders say yes and no.
_IN_ORDER = (LggDataset, ImageMaskDataset, BratsDataset, YesNoDataset)


def open_auto(root: Path | Source, **options: str) -> SliceDataset:
    """The reader that fits these files; with options only one that takes them. Raises DatasetError."""
    source = source_of(root)
    names = source.names()
    if "mask_suffix" in options:
        return ImageMaskDataset(source, **options)
    for reader in _IN_ORDER:
        if reader.fits(names):
            return reader(source, **options)
    raise DatasetError(
        "no known layout: neither PATIENT/NAME_N.tif with NAME_N_mask.tif (lgg), nor images with masks beside them "
        "or in folders images and masks (image_mask), nor NIfTI files named like those of BraTS with segmentations "
        "(brats), nor pictures in two folders such as yes and no (yes_no)"
    )
