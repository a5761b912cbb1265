"""Which reader a dataset is for: a choice by name, or by looking at the names of its files."""

from collections.abc import Mapping
from pathlib import Path

from shared.contract.errors import DatasetError
from shared.imaging.datasets.base import SliceDataset
from shared.imaging.datasets.image_mask import ImageMaskDataset
from shared.imaging.datasets.lgg import LggDataset
from shared.imaging.datasets.source import Source, source_of

AUTO = "auto"
OPTIONS: Mapping[str, tuple[str, ...]] = {
    AUTO: ("patient_pattern", "mask_suffix"),
    ImageMaskDataset.format: ("patient_pattern", "mask_suffix"),
    LggDataset.format: (),
}


def open_auto(root: Path | Source, **options: str) -> SliceDataset:
    """The reader that fits these files; with options only one that takes them. Raises DatasetError."""
    source = source_of(root)
    names = source.names()
    if not options and LggDataset.fits(names):
        return LggDataset(source)
    if options or ImageMaskDataset.fits(names):
        return ImageMaskDataset(source, **options)
    raise DatasetError(
        "no known layout: neither PATIENT/NAME_N.tif with NAME_N_mask.tif (lgg), nor images with masks beside them "
        "or in folders images and masks (image_mask)"
    )
