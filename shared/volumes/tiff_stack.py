"""TIFF stacks as volumes: one slice a page, or ImageJ's way of all slices in a row behind a single page."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from shared.contract.errors import (
    EmptyImage,
    MixedGeometry,
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
)
from shared.files.sniff import HEAD_BYTES, sniff
from shared.pictures.decode import DECODER_ERRORS
from shared.pictures.picture import DecodeLimits, SpacingSource
from shared.pictures.samples import ORIENTATION_TAG, transposes, upright
from shared.pictures.tiff.directories import Content, Directory, Pages
from shared.pictures.tiff.layout import PALETTE, layout_of
from shared.pictures.tiff.reader import colors, depth_of, upright_spacing
from shared.pictures.tiff.samples import NONE, Layout, segment_sizes, stored_samples
from shared.pictures.tiff.spacing import (
    count_of,
    imagej_fields,
    images_in_description,
    ome_pixels,
    slice_spacing_of,
)
from shared.volumes.grid import Grid, grid_of
from shared.volumes.scan import Scan, VolumeLimits

DEFAULT_LIMITS = VolumeLimits()
_MOST_PIXELS = 4096 * 4096  # of a slice
_HEADER = 8  # bytes before the data in a page that is taken out of its file


@dataclass(frozen=True)
class _Kind:
    """What all pages of a stack must have in common; sizes as the picture is to be seen."""

    width: int
    height: int
    bits: int
    channels: int

    @classmethod
    def of(cls, page: Directory, layout: Layout) -> "_Kind":
        sides = layout.width, layout.height
        if transposes(page.number(ORIENTATION_TAG, 1)):
            sides = sides[::-1]
        channels = 3 if layout.samples > 1 or layout.photometric == PALETTE else 1
        return cls(*sides, depth_of(layout), channels)

    def __str__(self) -> str:
        colour = "colour" if self.channels == 3 else "grey"
        return f"{self.width} x {self.height} pixels of {self.bits} bits, {colour}"


def pages(data: Content) -> int:
    """How many full-resolution pages a TIFF has, or how many images ImageJ says to be in it; 1 for a picture.

    Only directories are read; what ImageJ says is not proved. Raises UndecodableImage, UnsupportedFormat.
    """
    found = Pages(data)
    return len(found) if len(found) > 1 else images_in_description(found[0])


def read_scan(path: Path, limits: VolumeLimits = DEFAULT_LIMITS) -> Scan:
    """A file of one or more slices of the same kind -> Scan; raises subclasses of ImageError.

    Pages are the slices, in their order and as they are to be seen: nothing is known of how they lie in the patient.
    """
    if not path.stat().st_size:
        raise EmptyImage("The file is empty (0 bytes).")
    with path.open("rb") as file:
        # Never closed by hand: arrays may still look into it when an error is on its way.
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if sniff(data[:HEAD_BYTES]) != "TIFF":
        raise UnsupportedFormat("This is not a TIFF file, or it is damaged at its beginning.")
    try:
        return _scan(data, limits)
    except (MemoryError, Image.DecompressionBombError) as error:
        raise TooManyPixels("The TIFF needs more memory than there is to decode it.") from error
    except DECODER_ERRORS as error:
        raise UndecodableImage("The TIFF is damaged or cut short and cannot be decoded.") from error


def _scan(data: Content, limits: VolumeLimits) -> Scan:
    found = Pages(data)
    first = found[0]
    images = _images(found)
    layout = layout_of(first, _page_limits(limits))
    kind = _Kind.of(first, layout)
    limits.check((images, kind.height, kind.width))
    dtype = np.uint16 if kind.bits == 16 else np.uint8
    voxels_DHWC = np.empty((images, kind.height, kind.width, kind.channels), dtype)
    slices = _pages(found, kind, limits) if len(found) > 1 else _in_a_row(first, layout, images)
    for place, picture_HWC in enumerate(slices):
        voxels_DHWC[place] = picture_HWC
    grid, spacing_mm, source = _geometry(first, voxels_DHWC.shape)
    return Scan("TIFF", voxels_DHWC, grid, spacing_mm, source, kind.bits)


def _images(found: Pages) -> int:
    """How many slices there are; raises UnsupportedFormat for what is more than a stack of slices."""
    first, count = found[0], len(found)
    if fields := imagej_fields(first):
        images = count_of(fields, "images")
        if count > 1 and images not in (1, count):
            raise UndecodableImage(f"The TIFF is damaged: ImageJ put {images} images into it, not {count}.")
        _refuse_dimensions("ImageJ", count_of(fields, "channels"), count_of(fields, "frames"))
        return max(images, count)
    if said := ome_pixels(first):
        # Colours are channels too, all of one page.
        samples = first.number(277, 1)
        channels, slices = count_of(said, "SizeC"), count_of(said, "SizeZ")
        _refuse_dimensions("OME", 1 if channels == samples else channels, count_of(said, "SizeT"))
        if slices != count:
            raise UnsupportedFormat(
                f"This OME-TIFF has {count} pages where it says {slices} slices: only one stack in one file is taken."
            )
    return count


def _refuse_dimensions(program: str, channels: int, frames: int) -> None:
    if channels > 1 or frames > 1:
        raise UnsupportedFormat(
            f"This {program} TIFF is a hyperstack of {channels} channels and {frames} frames; only stacks of slices"
            " are taken: split it into one stack for each channel and frame, or, if these are slices, say so in the"
            " file (ImageJ: Image > Properties)."
        )


def _page_limits(limits: VolumeLimits) -> DecodeLimits:
    return DecodeLimits(min(limits.max_voxels, _MOST_PIXELS), limits.max_side, limits.min_side)


def _pages(found: Pages, kind: _Kind, limits: VolumeLimits) -> Iterator[np.ndarray]:
    """Each page as a picture (H, W, C), all of one kind; raises MixedGeometry by the page's number."""
    used = 0
    for number, page in enumerate(found, 1):
        layout = layout_of(page, _page_limits(limits))
        other = _Kind.of(page, layout)
        if other != kind:
            raise MixedGeometry(
                f"Page {number} of {len(found)} has {other}, the first {kind}: all pages of a stack must be alike."
            )
        used += int(layout.byte_counts.sum())
        if used > len(page.data):  # else a small file could make a great deal of work
            raise UndecodableImage(f"The TIFF is damaged: the data of page {number} is that of others too.")
        yield _picture(page, layout)


def _picture(page: Directory, layout: Layout) -> np.ndarray:
    alone, data = _taken_out(layout, page.data)
    return upright(colors(page, alone, stored_samples(alone, data)), page.number(ORIENTATION_TAG, 1))


def _taken_out(layout: Layout, data: Content) -> tuple[Layout, bytes]:
    """The page's data without the rest of the file, which decoders would copy for each page anew."""
    counts = layout.byte_counts
    parts = [
        data[at : at + count] for at, count in zip(layout.offsets.tolist(), counts.tolist(), strict=True)
    ]
    offsets = _HEADER + np.concatenate([[0], np.cumsum(counts)[:-1]])
    return replace(layout, offsets=offsets), b"".join((bytes(_HEADER), *parts))


def _in_a_row(page: Directory, layout: Layout, images: int) -> Iterator[np.ndarray]:
    """The images that follow one another from the page's own data on, uncompressed."""
    if images == 1:
        yield _picture(page, layout)
        return
    sizes = segment_sizes(layout)
    size = int(sizes.sum())
    together = np.array_equal(layout.offsets[1:], (layout.offsets + sizes)[:-1])
    if layout.compression != NONE or layout.tiled or not together:
        raise UnsupportedFormat(
            f"This TIFF has one page where ImageJ says {images} images, and they do not lie in a row; save the stack"
            " with ImageJ again."
        )
    if int(layout.offsets[0]) + images * size > len(page.data):
        raise UndecodableImage(f"The TIFF is cut short: it holds fewer than its {images} images.")
    for number in range(images):
        yield _picture(page, replace(layout, offsets=layout.offsets + number * size, byte_counts=sizes))


def _geometry(
    first: Directory, shape: tuple[int, ...]
) -> tuple[Grid, tuple[float | None, float | None, float | None], SpacingSource | None]:
    """A grid on which the pages stand as they are; millimetres where the file has them."""
    depth, height, width = shape[:3]
    plane, between = upright_spacing(first), slice_spacing_of(first)
    (row, column), slice_mm = plane[0] if plane else (None, None), between[0] if between else None
    affine = np.diag([-(column or 1.0), -(row or 1.0), slice_mm or 1.0, 1.0])
    grid = grid_of(affine, (width, height, depth), known=False)
    source = (plane or between or (None, None))[1]
    return grid, (slice_mm, row, column), source
