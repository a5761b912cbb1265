"""What every dataset reader offers: a list of slices, told by patient, each read when it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class SliceFile:
    """One slice and its mask on disk; `index` is the position in the patient's volume."""

    patient: str
    index: int
    image: Path
    mask: Path


class Dataset(Protocol):
    """A folder of patients. Listing costs no decoding; pixels are read slice by slice."""

    channels: int

    def slices(self) -> Sequence[SliceFile]:
        """All slices, ordered by patient and position."""
        ...

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 (H, W, channels) and mask bool (H, W)."""
        ...
