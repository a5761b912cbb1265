"""Which TIFF pages are taken, and where their samples lie: every tag checked before any picture data is touched."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.pictures.picture import DecodeLimits
from shared.pictures.tiff.directories import Directory
from shared.pictures.tiff.samples import BYTEWISE, FAX, JPEG, NONE, PREDICTABLE, Layout, Values

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR = 273, 277, 278, 279, 284
_FAX_OPTIONS, _PREDICTOR = (292, 293), 317
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_BYTES = 322, 323, 324, 325
_SAMPLE_FORMAT, _JPEG_TABLES, _YCBCR_SUBSAMPLING = 339, 347, 530

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
# Samples a pixel -> what they may mean; three channels of grey are three MRI sequences side by side.
_MEANINGS = {
    1: (WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE), 3: (BLACK_IS_ZERO, RGB, YCBCR), 4: (RGB, CMYK),
}  # fmt: skip
_SAMPLE_KINDS = {
    2: "signed integers",
    3: "floating-point numbers",
    5: "complex numbers",
    6: "complex numbers",
}
_UNSIGNED = (1, 4)  # 4: "undefined", which writers use for plain bytes


def layout_of(page: Directory, limits: DecodeLimits) -> Layout:
    """The checked layout of a page; raises UnsupportedFormat, UndecodableImage, TooManyPixels or ImageTooSmall."""
    width, height = page.number(_WIDTH), page.number(_HEIGHT)
    limits.check(width, height)
    samples, bits = _samples_and_bits(page)
    compression = _compression(page, bits)
    planar = samples > 1 and page.number(_PLANAR, 1) == 2
    photometric = _photometric(page, samples, bits, compression)
    if compression == JPEG and planar:
        raise UnsupportedFormat("A TIFF with JPEG compression in separate planes is not taken.")
    tiled = _TILE_WIDTH in page
    segment_width, segment_height = _tile_size(page) if tiled else _strip_size(page, width, height)
    layout = Layout(
        width=width, height=height, bits=bits, samples=samples, photometric=photometric, compression=compression,
        predictor=_predictor(page, bits, compression), planar=planar, tiled=tiled, segment_width=segment_width,
        segment_height=segment_height, offsets=np.empty(0), byte_counts=np.empty(0), order=page.order,
        extra=_decoder_tags(page, compression, photometric),
    )  # fmt: skip
    if layout.across * segment_width * layout.rows > 2 * limits.max_pixels:
        raise UndecodableImage("The TIFF is damaged: its tiles are far larger than the picture.")
    offsets, byte_counts = _segments(page, layout)
    return replace(layout, offsets=offsets, byte_counts=byte_counts)


def _samples_and_bits(page: Directory) -> tuple[int, int]:
    samples = page.number(_SAMPLES, 1)
    if samples not in _MEANINGS:
        raise UnsupportedFormat(
            f"This TIFF has {samples} channels; grey (1) and RGB (3, or 4 with alpha) are taken."
        )
    for tag, default in ((_BITS, 1), (_SAMPLE_FORMAT, 1)):
        if page.count(tag) not in (0, 1, samples):
            raise UndecodableImage(f"The TIFF's tag {tag} does not fit its {samples} channels.")
        if page.count(tag) and np.any(page.numbers(tag) != page.number(tag, default)):
            raise UnsupportedFormat(
                "This TIFF's channels have different types; all of 8 or all of 16 bit are taken."
            )
    bits, kind = page.number(_BITS, 1), page.number(_SAMPLE_FORMAT, 1)
    if kind not in _UNSIGNED:
        raise UnsupportedFormat(
            f"This TIFF holds {_SAMPLE_KINDS.get(kind, 'samples of an unknown kind')} ({bits} bit), whose range of"
            " brightness is not defined; save it as unsigned 8 or 16 bit."
        )
    if bits not in ((1, 2, 4, 8, 16) if samples == 1 else (8, 16)):
        raise UnsupportedFormat(f"This TIFF has {bits} bits a sample; 8 and 16 are taken.")
    return samples, bits


def _compression(page: Directory, bits: int) -> int:
    compression = page.number(_COMPRESSION, NONE)
    any_depth = compression in (NONE, *BYTEWISE)
    if not (any_depth or (compression == JPEG and bits == 8) or (compression in FAX and bits == 1)):
        raise UnsupportedFormat(
            f"A {bits}-bit TIFF with compression {compression} is not taken;"
            " save it uncompressed, or with LZW or Deflate."
        )
    if compression not in FAX and page.number(_FILL_ORDER, 1) != 1:
        raise UnsupportedFormat("A TIFF with reversed bit order (FillOrder 2) is not taken.")
    return compression


def _photometric(page: Directory, samples: int, bits: int, compression: int) -> int:
    photometric = page.number(_PHOTOMETRIC, BLACK_IS_ZERO if samples == 1 else RGB)
    taken = photometric in _MEANINGS[samples] and not (photometric == PALETTE and bits == 16)
    if not taken or (photometric == YCBCR and compression != JPEG):
        raise UnsupportedFormat(
            f"A TIFF with {samples} channels in colour scheme {photometric} is not taken."
        )
    return photometric


def _predictor(page: Directory, bits: int, compression: int) -> int:
    predictor = page.number(_PREDICTOR, 1) if compression in PREDICTABLE else 1
    if predictor not in (1, 2) or (predictor == 2 and bits < 8):
        raise UnsupportedFormat(f"A {bits}-bit TIFF with predictor {predictor} is not taken.")
    return predictor


def _tile_size(page: Directory) -> tuple[int, int]:
    width, height = page.number(_TILE_WIDTH), page.number(_TILE_HEIGHT)
    if not (width and height) or width % 16 or height % 16:
        raise UndecodableImage("The TIFF is damaged: the size of its tiles is not a multiple of 16.")
    return width, height


def _strip_size(page: Directory, width: int, height: int) -> tuple[int, int]:
    rows = page.number(_ROWS_PER_STRIP, height)
    if rows < 1:
        raise UndecodableImage("The TIFF is damaged: its strips have no rows.")
    return width, min(rows, height)


def _decoder_tags(page: Directory, compression: int, photometric: int) -> Mapping[int, Values]:
    if compression == JPEG:
        tags: dict[int, Values] = {_JPEG_TABLES: page.raw(_JPEG_TABLES)} if _JPEG_TABLES in page else {}
        if photometric == YCBCR and page.count(_YCBCR_SUBSAMPLING) == 2:
            tags[_YCBCR_SUBSAMPLING] = page.numbers(_YCBCR_SUBSAMPLING).tolist()
        return tags
    if compression in FAX:
        return {tag: [page.number(tag)] for tag in (_FILL_ORDER, *_FAX_OPTIONS) if tag in page}
    return {}


def _segments(page: Directory, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and byte counts of every strip or tile, all inside the file and none shared."""
    offsets_tag, counts_tag = (_TILE_OFFSETS, _TILE_BYTES) if layout.tiled else (_STRIP_OFFSETS, _STRIP_BYTES)
    expected = layout.planes * layout.down * layout.across
    if offsets_tag not in page or page.count(offsets_tag) < expected:
        raise UndecodableImage("The TIFF is damaged: it does not say where its picture data lies.")
    offsets = page.numbers(offsets_tag)[:expected]
    if counts_tag not in page and expected == 1 and layout.compression == NONE:
        byte_counts = np.array([layout.rows * layout.row_bytes], np.int64)  # some old writers leave it out
    elif page.count(counts_tag) < expected:
        raise UndecodableImage("The TIFF is damaged: it does not say how long its picture data is.")
    else:
        byte_counts = page.numbers(counts_tag)[:expected]
    length = len(page.data)
    if np.any(offsets < 0) or np.any(byte_counts < 0) or np.any(offsets > length - byte_counts):
        raise UndecodableImage("The TIFF is cut short: its picture data lies beyond the end of the file.")
    if int(byte_counts.sum()) > length:
        raise UndecodableImage("The TIFF is damaged: its strips or tiles overlap.")
    return offsets, byte_counts
