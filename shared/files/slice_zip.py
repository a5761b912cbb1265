"""A zip with a picture of each slice of a volume: `00000.png`, `00001.png` and so on."""

import zipfile
from collections.abc import Iterable
from typing import BinaryIO


def write_slices(file: BinaryIO, pictures: Iterable[bytes]) -> None:
    """Write PNGs, slice by slice, uncompressed: a PNG is compressed as it is. Equal pictures give equal bytes."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for index, picture in enumerate(pictures):
            archive.writestr(zipfile.ZipInfo(_name(index)), picture)  # without a time of day


def read_slice(file: BinaryIO, index: int) -> bytes:
    """The PNG of slice `index`, from 0; KeyError where there is none."""
    with zipfile.ZipFile(file) as archive:
        return archive.read(_name(index))


def _name(index: int) -> str:
    return f"{index:05d}.png"
