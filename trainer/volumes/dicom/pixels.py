"""Pixels of a DICOM file: what its header promises, held against limits and bytes, and stored samples -> values."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from shared.contract.errors import (
    ImageTooSmall,
    UndecodableImage,
    UnsupportedFormat,
    UnsupportedPhotometric,
)
from shared.volumes.scan import VolumeLimits
from trainer.volumes.dicom.decoders import Decoded, PixelLayout, decode_frame
from trainer.volumes.dicom.file import BIG_ENDIAN, NATIVE, DicomFile
from trainer.volumes.dicom.fragments import Pieces, frames_at
from trainer.volumes.dicom.values import integer, number, refusing, text

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_REFUSED = ("PALETTE COLOR", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "HSV", "ARGB", "CMYK", "XYB")
# Noise does not get smaller by compression, but hardly larger either: more bytes than this are an attack.
_MAX_GROWTH, _SLACK = 2, 1 << 16
_MOST_PADDING = 1 << 16  # bytes of one value behind the pixels
_MAX_VALUE = 1e30  # float32 holds it, and sums of it


def layout_of(file: DicomFile, limits: VolumeLimits) -> tuple[PixelLayout, int]:
    """How the file's samples are stored, and how many frames it promises.

    Raises UnsupportedPhotometric, UnsupportedFormat, TooManyPixels, ImageTooSmall, UndecodableImage.
    """
    dataset, name = file.dataset, file.name
    photometric = text(dataset, "PhotometricInterpretation")
    if photometric not in GREY + COLOUR:
        kind = photometric if photometric in _REFUSED else "that are not known"
        raise UnsupportedPhotometric(f"{name} has colours {kind}; grey, RGB and YBR pictures are read.")
    if "ModalityLUTSequence" in dataset:
        raise UnsupportedFormat(
            f"{name} gives its values by a lookup table; only slope and intercept are read."
        )
    rows, columns = _whole(file, "Rows"), _whole(file, "Columns")
    frames = _whole(file, "NumberOfFrames") if text(dataset, "NumberOfFrames") else 1
    samples, allocated = _whole(file, "SamplesPerPixel"), _whole(file, "BitsAllocated")
    stored = _whole(file, "BitsStored")
    high = integer(dataset, "HighBit")
    high = stored - 1 if high is None else high
    if samples != (1 if photometric in GREY else 3):
        raise UndecodableImage(f"{name} is damaged: its colours and its channels contradict each other.")
    if allocated not in (8, 16) or (samples == 3 and allocated != 8):
        raise UnsupportedFormat(
            f"{name} has {allocated} bit pixels; 8 and 16 bit grey and 8 bit colours are read."
        )
    if not 2 <= stored <= high + 1 <= allocated:
        raise UndecodableImage(f"{name} is damaged: the bits of its pixels contradict each other.")
    if min(rows, columns) < limits.min_side:
        raise ImageTooSmall(
            f"{name} has {columns} x {rows} pixels; {limits.min_side} on each side are the least."
        )
    limits.check((columns, rows, frames))
    signed, planar = integer(dataset, "PixelRepresentation") == 1, integer(dataset, "PlanarConfiguration")
    signed = signed and samples == 1
    padding = _padding(dataset, signed) if photometric in GREY else None
    layout = PixelLayout(
        rows, columns, samples, photometric, allocated, stored, high, signed, planar or 0, padding
    )
    if file.syntax in NATIVE and (file.pixels.length is None or _too_short(file, layout, frames)):
        raise UndecodableImage(f"{name} is cut short: it holds fewer pixels than its header promises.")
    if file.syntax in NATIVE and _holds_more(file, layout, frames):
        raise UndecodableImage(f"{name} is damaged: it holds more pixels than its header promises.")
    if file.syntax not in NATIVE and file.pixels.length is not None:
        raise UndecodableImage(f"{name} is damaged: its pixels are not compressed as its header says.")
    return layout, frames


def _padding(dataset: Dataset, signed: bool) -> tuple[int, int] | None:
    """PixelPaddingValue, up to PixelPaddingRangeLimit where there is one (PS3.3, C.7.5.1.1.2)."""
    values = []
    for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
        value = integer(dataset, keyword)
        if value is not None:
            # Some write the bits of a signed value as an unsigned one.
            values.append(value - (1 << 16) if signed and value >= 1 << 15 else value)
    return (min(values), max(values)) if "PixelPaddingValue" in dataset and values else None


def _too_short(file: DicomFile, layout: PixelLayout, frames: int) -> bool:
    needed, length = frames * layout.frame_bytes, file.pixels.length or 0
    return length < needed or file.pixels.offset + needed > file.size


def _holds_more(file: DicomFile, layout: PixelLayout, frames: int) -> bool:
    """Whether pixels follow those that the header promises. Some programs pad; a wrong size is wrong by whole rows."""
    needed, row = frames * layout.frame_bytes, layout.frame_bytes // layout.rows
    more = (file.pixels.length or 0) - needed
    if more < row:
        return False
    with file.path.open("rb") as stream:
        stream.seek(file.pixels.offset + needed)
        rest = stream.read(min(more, _MOST_PADDING + 1))
    return len(rest) > _MOST_PADDING or rest.count(rest[:1]) < len(rest)


def _whole(file: DicomFile, keyword: str) -> int:
    value = integer(file.dataset, keyword)
    if value is None or value < 1:
        raise UndecodableImage(f"{file.name} is damaged: it has no sensible {keyword}.")
    return value


@dataclass(frozen=True)
class FrameReader:
    """`read`: from a frame's number (from 0) to its stored samples, (rows, columns) or with a third axis of 3.

    `loose_end`: all pixels are there, but what ends them is missing, or something follows that belongs to none.
    """

    read: Callable[[int], np.ndarray]
    loose_end: bool


@contextmanager
def frame_reader(file: DicomFile, layout: PixelLayout, frames: int) -> Iterator[FrameReader]:
    """Entering and reading raise UndecodableImage and UnsupportedTransferSyntax; one frame at a time is in memory."""
    with file.path.open("rb") as stream:
        if file.syntax in NATIVE:
            offset, length = file.pixels.offset, layout.frame_bytes
            places: list[Pieces] = [[(offset + index * length, length)] for index in range(frames)]
            loose_end = (file.pixels.length or 0) > frames * length + 1  # one byte makes the length even
        else:
            extended = file.extended_offsets
            found = frames_at(stream, file.pixels.offset, file.size, frames, extended, file.name)
            places, loose_end = found.pieces, found.loose_end
        largest = layout.frame_bytes * _MAX_GROWTH + _SLACK

        def read(index: int) -> np.ndarray:
            if sum(length for _, length in places[index]) > largest:
                raise UndecodableImage(f"{file.name} is damaged: a frame has more bytes than pixels need.")
            parts = []
            for at, length in places[index]:
                stream.seek(at)
                parts.append(stream.read(length))
            with refusing(f"{file.name} is damaged: its pixels cannot be decoded."):
                decoded = decode_frame(
                    b"".join(parts), layout, file.syntax, _swapped(file, layout), file.name
                )
                return without_padding(samples_of(decoded, layout), layout)

        yield FrameReader(read, loose_end)


def _swapped(file: DicomFile, layout: PixelLayout) -> bool:
    """8 bit samples as 16 bit words, big endian: PS3.5, 8.1.1. Frames of odd length would share a word: refused."""
    swapped = file.syntax == BIG_ENDIAN and layout.allocated == 8 and file.pixels.vr == "OW"
    if swapped and layout.frame_bytes % 2:
        raise UnsupportedFormat(
            f"{file.name} has an odd number of 8 bit pixels in words of 16, which is not read."
        )
    return swapped


def samples_of(decoded: Decoded, layout: PixelLayout) -> np.ndarray:
    """Bits as decoded -> stored samples, signed or not, of BitsStored bits and without what else the bits held."""
    array = decoded.samples
    if layout.samples == 3:
        return array
    if decoded.compressed:  # samples of `decoded.bits` bits, whatever HighBit says
        bits = min(decoded.bits, layout.stored) if layout.signed else decoded.bits
        shift = 0
    else:
        bits, shift = layout.stored, layout.high + 1 - layout.stored
    width = array.dtype.itemsize * 8
    unsigned = array.astype(f"u{width // 8}", copy=False)
    if layout.signed:
        # Up to the container's sign bit and back, which copies the sign into the bits above.
        up = (unsigned << (width - bits - shift)).view(f"i{width // 8}")
        signed: np.ndarray = up >> (width - bits)
        return signed
    if bits + shift < width or shift:
        unsigned = (unsigned >> shift) & ((1 << bits) - 1)
    # A lossy codestream may overshoot what the header says is stored.
    return np.minimum(unsigned, (1 << layout.stored) - 1) if bits > layout.stored else unsigned


def without_padding(samples: np.ndarray, layout: PixelLayout) -> np.ndarray:
    """Samples of one frame, those that the header declares to be padding as dark as air."""
    if layout.padding is None:
        return samples
    low, high = layout.padding
    padded = (samples >= low) & (samples <= high)
    if not padded.any():
        return samples
    rest = samples[~padded]
    if layout.photometric == "MONOCHROME1":  # white is zero
        dark = int(rest.max()) if rest.size else (1 << (layout.stored - layout.signed)) - 1
    else:
        dark = min(0, int(rest.min())) if rest.size else 0
    return np.where(padded, samples.dtype.type(dark), samples)


@dataclass(frozen=True)
class Rescale:
    """The modality's line from stored samples to values; `turned`: white is zero, so samples are inverted first."""

    slope: float
    intercept: float
    lowest: int  # what BitsStored lets a sample be
    highest: int
    turned: bool

    @property
    def whole(self) -> bool:
        """Every value is a whole number."""
        return self.slope == int(self.slope) and self.intercept == int(self.intercept)

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the greatest value that there can be."""
        one, other = (self.slope * end + self.intercept for end in (self.lowest, self.highest))
        return min(one, other), max(one, other)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Of one frame; integers as long as they are whole."""
        if self.turned:
            stored = self.lowest + self.highest - stored.astype(np.int32)
        if (self.slope, self.intercept) == (1, 0):
            return stored
        if self.whole and max(map(abs, self.ends)) < 1 << 31:
            return stored.astype(np.int64) * int(self.slope) + int(self.intercept)
        return stored * np.float64(self.slope) + self.intercept

    def window(self, group: Dataset) -> tuple[float, float] | None:
        """(low, high) in values of the data set's first window, None where it makes no sense (PS3.3, C.11.2)."""
        centre, width = number(group, "WindowCenter"), number(group, "WindowWidth")
        if centre is None or width is None:
            return None
        if text(group, "VOILUTFunction") != "LINEAR_EXACT":
            centre, width = centre - 0.5, width - 1
        low, high = centre - width / 2, centre + width / 2
        if self.turned:
            mirror = self.slope * (self.lowest + self.highest) + 2 * self.intercept
            low, high = mirror - high, mirror - low
        least, greatest = self.ends
        return (low, high) if low < high and low < greatest and high > least else None


def rescale_of(layout: PixelLayout, group: Dataset, name: str) -> Rescale:
    """RescaleSlope and RescaleIntercept of a data set or functional group. Raises UndecodableImage.

    Real world values (0040,9096) are something else, and left alone.
    """
    slope, intercept = 1.0, 0.0
    if text(group, "RescaleSlope") or text(group, "RescaleIntercept"):
        slope, intercept = (number(group, f"Rescale{part}") or 0.0 for part in ("Slope", "Intercept"))
    lowest = -(1 << (layout.stored - 1)) if layout.signed else 0
    rescale = Rescale(
        slope, intercept, lowest, lowest + (1 << layout.stored) - 1, layout.photometric == "MONOCHROME1"
    )
    if slope == 0 or max(map(abs, rescale.ends)) > _MAX_VALUE:
        raise UndecodableImage(f"{name} is damaged: its rescale slope or intercept makes no sense.")
    return rescale


def dtype_of(rescales: list[Rescale]) -> np.dtype:
    """The smallest type that holds every value there can be: 8 or 16 bit integers, else float32."""
    low = min(rescale.ends[0] for rescale in rescales)
    high = max(rescale.ends[1] for rescale in rescales)
    if all(rescale.whole for rescale in rescales):
        for dtype in (np.uint8, np.uint16, np.int16):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return np.dtype(dtype)
    return np.dtype(np.float32)
