"""The LGG MRI Segmentation dataset (Buda et al. 2019) as it is published: PATIENT/NAME_N.tif and NAME_N_mask.tif."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from shared.contract.errors import DatasetError
from shared.imaging.datasets.base import SliceFile

_SLICE = re.compile(r"^(?P<stem>.+)_(?P<index>\d+)\.tif$")


class LggDataset:
    """Three channels: pre-contrast, FLAIR, post-contrast; the mask is the FLAIR abnormality."""

    channels = 3

    def __init__(self, root: Path) -> None:
        nested = root / "kaggle_3m"  # the archive's own top folder may be given or not
        self.root = nested if nested.is_dir() else root

    def slices(self) -> Sequence[SliceFile]:
        """All slices, ordered by patient and position; raises DatasetError naming a slice without its mask."""
        found = []
        for image in self.root.glob("*/*.tif"):
            match = _SLICE.match(image.name)
            if match is None:
                continue
            mask = image.with_name(f"{image.stem}_mask.tif")
            if not mask.is_file():
                raise DatasetError(f"{image.parent.name}/{image.name} has no mask {mask.name} beside it")
            found.append(SliceFile(image.parent.name, int(match["index"]), image, mask))
        if not found:
            raise DatasetError("no folder PATIENT with NAME_N.tif and NAME_N_mask.tif in it was found")
        return sorted(found, key=lambda item: (item.patient, item.index))

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 (H, W, 3) and mask bool (H, W)."""
        with Image.open(item.image) as image, Image.open(item.mask) as mask:
            pixels_HWC, mask_HW = np.asarray(image.convert("RGB")), np.asarray(mask.convert("L")) > 127
        if pixels_HWC.shape[:2] != mask_HW.shape:
            raise DatasetError(f"{item.image.name} is {pixels_HWC.shape[:2]}, its mask {mask_HW.shape}")
        return pixels_HWC, mask_HW
