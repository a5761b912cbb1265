"""What every dataset reader offers: a list of slices, told by patient, each read when it is asked for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any, ClassVar, Protocol

import numpy as np

from shared.contract.errors import DatasetError
from shared.datasets.pictures import MaskFile, read_mask, read_picture
from shared.datasets.source import Source
from shared.pictures.picture import Picture

MAX_FILES_NAMED = 20
LEVELS = ("error", "warning", "note")
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class SliceFile:
    """One slice and its mask, by their paths in the dataset; `index` is the position in the patient's volume.

    `part` is what goes as a whole into one part of a split: the patient, if it is not given. `source` is which of
    several datasets the slice is from, in a run that learns from more than one.
    """

    patient: str
    index: int
    image: PurePosixPath
    mask: PurePosixPath
    part: str = ""
    source: str = ""

    @property
    def unit(self) -> str:
        """See `part`."""
        return self.part or self.patient


@dataclass(frozen=True)
class Finding:
    """What is wrong (`error`), doubtful (`warning`) or good to know (`note`); `files` are the first of `count`."""

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
    patients_from: str  # folder | file_name | pattern | csv | content


class Dataset(Protocol):
    """A folder of patients. Listing costs no decoding of pictures; pixels are read slice by slice."""

    @property
    def channels(self) -> int:
        """Of the images that `read` gives."""
        ...

    @property
    def modalities(self) -> Sequence[str]:
        """Names of the channels; empty where they have none."""
        ...

    @property
    def classes(self) -> Sequence[str]:
        """Names of the labels from 1 on."""
        ...

    def slices(self) -> Sequence[SliceFile]:
        """All slices, ordered by patient and position."""
        ...

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 or uint16 (H, W, channels) and mask bool (H, W)."""
        ...

    def read_labels(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image as `read`, and labels uint8 (H, W): 0, or a class's place in `classes`, from 1."""
        ...

    def place_of(self, item: SliceFile) -> tuple[PurePosixPath, int] | None:
        """The volume that a slice is sent with, and its number in it; None for a picture, which is sent by itself."""
        ...

    def volume(self, item: SliceFile) -> Sequence[np.ndarray]:
        """All slices (H, W, channels) of that volume, listed or not, 8 bit where serving keeps them so."""
        ...

    def spacing_mm(self, item: SliceFile) -> tuple[float, float, float] | None:
        """Distance of slices, of rows and of columns in the patient, where it is known."""
        ...

    def pixel_spacing_mm(self, item: SliceFile) -> tuple[float, float] | None:
        """Distance of rows and of columns, where it is known; cheap after `read`."""
        ...

    def cohorts(self) -> Mapping[str, Mapping[str, str]]:
        """What patients can be grouped by: name of the grouping -> patient -> group."""
        ...


class SliceDataset:
    """A dataset of picture files, read the same way by every reader; they differ in `contents`.

    `truth` says where the masks come from; `modalities` names the channels where they have names; `in_colour`:
    whether three channels side by side are one picture in colours; `numbered`: whether slices are named by their
    number in the patient's volume.
    """

    format: ClassVar[str]
    classes: ClassVar[tuple[str, ...]] = ("tumour",)
    truth: ClassVar[str] = "masks of the dataset"
    in_colour: ClassVar[bool] = True
    numbered: ClassVar[bool] = False

    def __init__(self, source: Source) -> None:
        self.source = source
        # Who reads a picture asks for its spacing next, and it need not be decoded again.
        self._last: tuple[PurePosixPath, tuple[float, float] | None] | None = None

    @property
    def channels(self) -> int:
        """Of the images that `read` gives."""
        return 3

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the channels, where they have names."""
        return ()

    def contents(self, on_progress: OnProgress = lambda done, of: None) -> Contents:
        """List, decoding as little as can be; raises DatasetError where there is nothing of this format.

        `on_progress` is called now and then where that takes long, and may raise to break off.
        """
        raise NotImplementedError

    def slices(self) -> Sequence[SliceFile]:
        """All slices, ordered by patient and position; raises DatasetError with the first thing that is wrong."""
        return sound(self.contents())

    def patients(self) -> Sequence[str]:
        """All patients, sorted; raises DatasetError."""
        return sorted({item.patient for item in self.slices()})

    def slices_of(self, patient: str) -> Sequence[SliceFile]:
        """One patient's slices by position; cheaper than all where listing decodes. Raises DatasetError."""
        return [item for item in self.slices() if item.patient == patient]

    def picture(self, item: SliceFile) -> Picture:
        """The image as it is in the file; raises ImageError."""
        picture = read_picture(self.source, item.image)
        self._last = item.image, picture.pixel_spacing_mm
        return picture

    def mask(self, item: SliceFile) -> MaskFile:
        """The mask as it is in the file; raises ImageError."""
        return read_mask(self.source, item.mask)

    def read(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image uint8 or uint16 (H, W, channels), grey repeated, and mask bool (H, W).

        Raises DatasetError, ImageError.
        """
        pixels_HWC, mask_HW = self.picture(item).pixels, self.mask(item).tumour_HW
        if pixels_HWC.shape[:2] != mask_HW.shape:
            raise DatasetError(f"{item.image} is {pixels_HWC.shape[:2]}, its mask {mask_HW.shape}")
        if pixels_HWC.shape[2] == 1:
            pixels_HWC = np.repeat(pixels_HWC, self.channels, axis=2)
        return pixels_HWC, mask_HW

    def read_labels(self, item: SliceFile) -> tuple[np.ndarray, np.ndarray]:
        """Image as `read`, and labels uint8 (H, W): here everything above 0 is the one class."""
        pixels_HWC, mask_HW = self.read(item)
        return pixels_HWC, mask_HW.astype(np.uint8)

    def place_of(self, item: SliceFile) -> tuple[PurePosixPath, int] | None:
        """Pictures are sent by themselves."""
        return None

    def volume(self, item: SliceFile) -> Sequence[np.ndarray]:
        """All slices that are sent with this one: a picture alone."""
        return [self.read(item)[0]]

    def spacing_mm(self, item: SliceFile) -> tuple[float, float, float] | None:
        """Distance of slices, of rows and of columns: pictures do not say."""
        return None

    def pixel_spacing_mm(self, item: SliceFile) -> tuple[float, float] | None:
        """Distance of rows and of columns, as the volume or the picture itself says; raises ImageError."""
        spacing = self.spacing_mm(item)
        if spacing is not None:
            return spacing[1:]
        if self._last is not None and self._last[0] == item.image:
            return self._last[1]
        return self.picture(item).pixel_spacing_mm

    def cohorts(self) -> Mapping[str, Mapping[str, str]]:
        """What patients can be grouped by: nothing that is known here."""
        return {}


def sound(contents: Contents) -> Sequence[SliceFile]:
    """The slices; raises DatasetError with the first thing that is wrong."""
    for finding in contents.findings:
        if finding.level == "error":
            raise DatasetError(f"{finding.detail} ({', '.join(finding.files[:3])})")
    return contents.slices


def in_order(slices: Iterable[SliceFile]) -> list[SliceFile]:
    """By patient and position; the path decides where a position comes twice."""
    return sorted(slices, key=lambda item: (item.patient, item.index, str(item.image)))
