"""TIFF (6.0 and BigTIFF): one page, 1 to 16 bit unsigned, grey, RGB, palette or CMYK."""

import numpy as np

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.imaging.picture import DecodeLimits, Picture
from shared.imaging.readers.samples import ORIENTATION_TAG, expand_bits, over_black, transposes, upright
from shared.imaging.readers.tiff_data import Layout, stored_samples
from shared.imaging.readers.tiff_file import Directory, only_page
from shared.imaging.readers.tiff_layout import CMYK, PALETTE, WHITE_IS_ZERO, layout_of
from shared.imaging.readers.tiff_spacing import images_in_description, spacing_of

_COLOR_MAP, _EXTRA_SAMPLES = 320, 338
_UNASSOCIATED_ALPHA = 2


def read(data: bytes, limits: DecodeLimits) -> Picture:
    """TIFF bytes -> Picture; raises ImageError subclasses."""
    page = only_page(data)
    if (images := images_in_description(page)) > 1:
        raise UnsupportedFormat(
            f"This ImageJ TIFF is a stack of {images} images; it is not taken yet: send one slice."
        )
    layout = layout_of(page, limits)
    orientation = page.number(ORIENTATION_TAG, 1)
    pixels = upright(_colors(page, layout, stored_samples(layout, data)), orientation)
    spacing, source = spacing_of(page) or (None, None)
    if spacing and transposes(orientation):
        spacing = spacing[::-1]
    return Picture(pixels, "TIFF", 16 if layout.bits == 16 else 8, spacing, source)


def _colors(page: Directory, layout: Layout, stored_HWC: np.ndarray) -> np.ndarray:
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
