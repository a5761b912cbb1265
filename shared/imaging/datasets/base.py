"""What every dataset reader offers: a list of slices, told by patient, each read when it is asked for."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Protocol

import numpy as np

from shared.contract.errors import DatasetError
from shared.imaging.datasets.pictures import MaskFile, read_mask, read_picture
from shared.imaging.datasets.source import Source
from shared.imaging.picture import Picture

MAX_FILES_NAMED = 20


@dataclass(frozen=True)
class SliceFile:
    """One slice and its mask, by their paths in the dataset; `index` is the position in the patient's volume."""

    patient: str
    index: int
    image: PurePosixPath
    mask: PurePosixPath


@dataclass(frozen=True)
class Finding:
    """What is wrong (`error`) or worth knowing (`warning`) about a dataset; `files` are the first of `count`."""

    level: str
    code: str
    detail: str
    files: tuple[str, ...] = ()
    count: int = 0

    @classmethod
    def of(cls, level: str, code: str, detail: str, files: Iterable[object]) -> "Finding":
        """With the first files named and all counted."""
        names = [str(file) for file in files]
        return cls(level, code, detail, tuple(names[:MAX_FILES_NAMED]), len(names))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"files": list(self.files)}


@dataclass(frozen=True)
class Contents:
    """What listing found: slices by patient and position, what is wrong, and what told the patients apart."""

    slices: Sequence[SliceFile]
    findings: Sequence[Finding]
    patients_from: str  # folder | file_name | pattern | csv


class Dataset(Protocol):
    """A folder of patients. Listing costs no decoding; pixels are read slice by slice."""

    channels: int

    def slices(self) -> Sequence[SliceFile]:
        """All slices, ordered by patient and position."""
        ...

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 or uint16 (H, W, channels) and mask bool (H, W)."""
        ...


class SliceDataset:
    """A dataset of picture files, read the same way by every reader; they differ in `contents`."""

    format: ClassVar[str]
    channels: ClassVar[int] = 3
    modalities: ClassVar[tuple[str, ...]] = ()  # names of the channels, where they have some

    def __init__(self, source: Source) -> None:
        self.source = source

    def contents(self) -> Contents:
        """List without decoding anything; raises DatasetError where there is nothing of this format."""
        raise NotImplementedError

    def slices(self) -> Sequence[SliceFile]:
        """All slices, ordered by patient and position; raises DatasetError with the first thing that is wrong."""
        contents = self.contents()
        for finding in contents.findings:
            if finding.level == "error":
                raise DatasetError(f"{finding.detail} ({', '.join(finding.files[:3])})")
        return contents.slices

    def picture(self, item: SliceFile) -> Picture:
        """The image as it is in the file; raises ImageError."""
        return read_picture(self.source, item.image)

    def mask(self, item: SliceFile) -> MaskFile:
        """The mask as it is in the file; raises ImageError."""
        return read_mask(self.source, item.mask)

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 or uint16 (H, W, 3), grey repeated, and mask bool (H, W); raises DatasetError, ImageError."""
        pixels_HWC, mask_HW = self.picture(item).pixels, self.mask(item).tumour_HW
        if pixels_HWC.shape[:2] != mask_HW.shape:
            raise DatasetError(f"{item.image} is {pixels_HWC.shape[:2]}, its mask {mask_HW.shape}")
        if pixels_HWC.shape[2] == 1:
            pixels_HWC = np.repeat(pixels_HWC, self.channels, axis=2)
        return pixels_HWC, mask_HW


def in_order(slices: Iterable[SliceFile]) -> list[SliceFile]:
    """By patient and position; the path decides where a position comes twice."""
    return sorted(slices, key=lambda item: (item.patient, item.index, str(item.image)))
