"""TIFF (6.0 and BigTIFF): one page, 1 to 16 bit unsigned, grey, RGB, palette or CMYK."""

from typing import Literal

import numpy as np

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.pictures.picture import DecodeLimits, Picture, SpacingSource
from shared.pictures.samples import ORIENTATION_TAG, expand_bits, over_black, transposes, upright
from shared.pictures.tiff.directories import Directory, only_page
from shared.pictures.tiff.layout import CMYK, PALETTE, WHITE_IS_ZERO, layout_of
from shared.pictures.tiff.samples import Layout, stored_samples
from shared.pictures.tiff.spacing import Spacing, images_in_description, spacing_of

_COLOR_MAP, _EXTRA_SAMPLES = 320, 338
_UNASSOCIATED_ALPHA = 2


def read(data: bytes, limits: DecodeLimits) -> Picture:
    """TIFF bytes -> Picture; raises ImageError subclasses."""
    page = only_page(data)
    if (images := images_in_description(page)) > 1:
        raise UnsupportedFormat(
            f"This ImageJ TIFF is a stack of {images} images: a volume, which POST /v1/segmentations takes; where a"
            " single picture is asked for, send one slice a file."
        )
    layout = layout_of(page, limits)
    pixels = upright(colors(page, layout, stored_samples(layout, data)), page.number(ORIENTATION_TAG, 1))
    spacing, source = upright_spacing(page) or (None, None)
    return Picture(pixels, "TIFF", depth_of(layout), spacing, source)


def depth_of(layout: Layout) -> Literal[8, 16]:
    """Bits of the decoded samples; fewer than 8 are spread over the range."""
    return 16 if layout.bits == 16 else 8


def upright_spacing(page: Directory) -> tuple[Spacing, SpacingSource] | None:
    """(row, column) in millimetres of the picture as it is to be seen, and who said so."""
    found = spacing_of(page)
    if found and transposes(page.number(ORIENTATION_TAG, 1)):
        return found[0][::-1], found[1]
    return found


def colors(page: Directory, layout: Layout, stored_HWC: np.ndarray) -> np.ndarray:
    """Stored samples -> (H, W, 1 or 3) as they are meant: palette looked up, white and alpha dealt with."""
    if layout.photometric == PALETTE:
        return _palette(page, layout.bits)[stored_HWC[..., 0]]
    samples = expand_bits(stored_HWC, layout.bits) if layout.bits < 8 else stored_HWC
    if layout.photometric == WHITE_IS_ZERO:
        return np.invert(samples)
    if layout.photometric == CMYK:
        return over_black(np.invert(samples[..., :3]), np.invert(samples[..., 3]))
    if layout.samples == 4:
        # Associated alpha has the composition over black done already; other extra samples are not alpha.
        unassociated = page.number(_EXTRA_SAMPLES, 0) == _UNASSOCIATED_ALPHA
        return over_black(samples[..., :3], samples[..., 3]) if unassociated else samples[..., :3]
    return samples


def _palette(page: Directory, bits: int) -> np.ndarray:
    """uint8 (2^bits, 3); the file holds 16-bit values, all reds first (some writers put 8-bit values there)."""
    if page.count(_COLOR_MAP) != 3 << bits:
        raise UndecodableImage("The TIFF's palette is missing or has the wrong length.")
    values = page.numbers(_COLOR_MAP).reshape(3, -1).T
    return np.ascontiguousarray(values >> 8 if values.max() > 255 else values).astype(np.uint8)
