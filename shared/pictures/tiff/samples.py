"""From the strips or tiles of a TIFF page to its samples, as stored: (H, W, samples), not yet interpreted.

Byte-wise compressions (LZW, Deflate, PackBits, Zstandard, LZMA) know nothing of samples: libtiff unpacks each plane
as an 8-bit picture whose rows have as many bytes, from a fresh directory that holds nothing but checked numbers.
Byte order, predictor, planes and tiles are then undone here, so every depth takes the same way.
"""

import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import TiffImagePlugin

from shared.contract.errors import UndecodableImage
from shared.pictures.tiff.directories import ByteOrder, Content

NONE, LZW, JPEG = 1, 5, 7
FAX = (2, 3, 4)
PREDICTABLE = (LZW, 8, 32946, 50000, 34925)  # LZW, Deflate (new and old number), Zstandard, LZMA
BYTEWISE = (*PREDICTABLE, 32773)  # and PackBits
_RAW_PHOTOMETRIC = {
    1: 1,
    3: 2,
    4: 5,
}  # channels -> grey, RGB, CMYK: Pillow leaves the values of these as they are

Values = Sequence[int] | bytes  # of a tag: unsigned integers, or bytes of no type


@dataclass(frozen=True)
class Layout:
    """Where and how a page's samples lie in the file; sizes in pixels; all numbers checked."""

    width: int
    height: int
    bits: int
    samples: int
    photometric: int
    compression: int
    predictor: int
    planar: bool  # one plane a sample instead of samples side by side
    tiled: bool
    segment_width: int
    segment_height: int
    offsets: np.ndarray
    byte_counts: np.ndarray
    order: ByteOrder
    extra: Mapping[int, Values]  # tags that only the decoder of JPEG or fax data needs

    @property
    def planes(self) -> int:
        """Separately stored planes."""
        return self.samples if self.planar else 1

    @property
    def across(self) -> int:
        """Segments in a row of segments."""
        return -(-self.width // self.segment_width)

    @property
    def down(self) -> int:
        """Rows of segments in one plane."""
        return -(-self.height // self.segment_height)

    @property
    def row_bytes(self) -> int:
        """Bytes in one row of one segment; a row begins on a byte."""
        return -(-self.segment_width * self.bits * (self.samples // self.planes) // 8)

    @property
    def rows(self) -> int:
        """Rows stored in one plane: tiles are always whole, the last strip is not."""
        return self.down * self.segment_height if self.tiled else self.height


def stored_samples(layout: Layout, data: Content) -> np.ndarray:
    """uint8 or uint16 (H, W, samples) in native order; below 8 bits the plain values 0..2^bits-1."""
    if layout.compression == JPEG:
        return _jpeg(layout, data)
    if layout.compression in FAX:
        return _fax(layout, data)
    raw = _uncompressed(layout, data) if layout.compression == NONE else _bytewise(layout, data)
    return _arrange(layout, raw.reshape(layout.planes, layout.rows, layout.across, layout.row_bytes))


def _uncompressed(layout: Layout, data: Content) -> np.ndarray:
    """uint8 (planes * rows, across * row_bytes)."""
    sizes = segment_sizes(layout)
    if np.any(layout.byte_counts < sizes):
        raise UndecodableImage("The TIFF's picture data is cut short.")
    everything = np.frombuffer(data, np.uint8)
    if layout.across == 1 and np.array_equal(layout.offsets[1:], (layout.offsets + sizes)[:-1]):
        return everything[
            layout.offsets[0] : layout.offsets[0] + sizes.sum()
        ]  # one run, as most files have it
    parts = [
        everything[at : at + size] for at, size in zip(layout.offsets.tolist(), sizes.tolist(), strict=True)
    ]
    if layout.across == 1:
        return np.concatenate(parts)
    tiles = np.stack(parts).reshape(-1, layout.across, layout.segment_height, layout.row_bytes)
    return tiles.swapaxes(1, 2)


def segment_sizes(layout: Layout) -> np.ndarray:
    """Uncompressed bytes of each segment."""
    rows = np.full((layout.planes, layout.down, layout.across), layout.segment_height, np.int64)
    rows[:, -1] -= layout.down * layout.segment_height - layout.rows
    return rows.reshape(-1) * layout.row_bytes


def _bytewise(layout: Layout, data: Content) -> np.ndarray:
    """uint8 (planes, rows, across * row_bytes): each plane unpacked as an 8-bit picture of so many bytes.

    Of as many channels as the plane has, because Pillow counts pixels and warns of too many.
    """
    each, channels = layout.down * layout.across, layout.samples // layout.planes
    width = layout.row_bytes // channels
    planes = []
    for first in range(0, layout.planes * each, each):
        tags = {
            256: [layout.across * width], 257: [layout.rows], 258: [8] * channels, 259: [layout.compression],
            262: [_RAW_PHOTOMETRIC[channels]], 277: [channels],
            **_segment_tags(layout, width, slice(first, first + each)),
        }  # fmt: skip
        planes.append(_libtiff(data, tags))
    return np.stack(planes) if layout.planar else planes[0]


def _jpeg(layout: Layout, data: Content) -> np.ndarray:
    for offset, count in zip(layout.offsets.tolist(), layout.byte_counts.tolist(), strict=True):
        if data.rfind(b"\xff\xd9", offset, offset + count) < 0:  # the decoder would go on with grey
            raise UndecodableImage("The TIFF's JPEG data is cut short: its end marker is missing.")
    tags = {
        256: [layout.width], 257: [layout.height], 258: [8] * layout.samples, 259: [JPEG], 262: [layout.photometric],
        277: [layout.samples], **layout.extra,
        **_segment_tags(layout, layout.segment_width, slice(None)),
    }  # fmt: skip
    return _libtiff(data, tags).reshape(layout.height, layout.width, layout.samples)


def _fax(layout: Layout, data: Content) -> np.ndarray:
    tags = {
        256: [layout.width], 257: [layout.height], 258: [1], 259: [layout.compression], 262: [1], 277: [1],
        **layout.extra, **_segment_tags(layout, layout.segment_width, slice(None)),
    }  # fmt: skip
    return _libtiff(data, tags).astype(np.uint8).reshape(layout.height, layout.width, 1)


def _segment_tags(layout: Layout, width: int, which: slice) -> dict[int, Values]:
    offsets, counts = layout.offsets[which].tolist(), layout.byte_counts[which].tolist()
    if layout.tiled:
        return {322: [width], 323: [layout.segment_height], 324: offsets, 325: counts}
    return {273: offsets, 278: [layout.segment_height], 279: counts}


def _tag_bytes(value: Values) -> tuple[int, int, bytes]:
    """(type, count, bytes) of a tag's value: UNDEFINED or LONG."""
    if isinstance(value, bytes):
        return 7, len(value), value
    return 4, len(value), struct.pack(f"<{len(value)}I", *value)


def _libtiff(data: Content, tags: Mapping[int, Values]) -> np.ndarray:
    """Decode through Pillow's libtiff: the file's own data behind a new header, a new directory at the end."""
    values = {tag: _tag_bytes(value) for tag, value in tags.items()}
    directory_at = len(data) + len(data) % 2
    tail_at = directory_at + 2 + 12 * len(values) + 4
    entries, tail = [struct.pack("<H", len(values))], bytearray()
    for tag, (kind, count, value) in sorted(values.items()):
        if len(value) > 4:
            entries.append(struct.pack("<HHII", tag, kind, count, tail_at + len(tail)))
            tail += value
        else:
            entries.append(struct.pack("<HHI4s", tag, kind, count, value))
    header = b"II*\x00" + struct.pack("<I", directory_at)
    clean = b"".join((header, memoryview(data)[8:], bytes(len(data) % 2), *entries, bytes(4), tail))
    with TiffImagePlugin.TiffImageFile(io.BytesIO(clean)) as image:
        return np.asarray(image)


def _arrange(layout: Layout, raw: np.ndarray) -> np.ndarray:
    """uint8 (planes, rows, across, row_bytes) -> samples (H, W, samples)."""
    each = layout.samples // layout.planes
    if layout.bits == 16:
        values = np.ascontiguousarray(raw).view(layout.order + "u2").astype(np.uint16)
    elif layout.bits == 8:
        values = raw
    else:
        values = _unpack(raw, layout.bits)[..., : layout.segment_width]
    values = values.reshape(layout.planes, layout.rows, layout.across, layout.segment_width, each)
    if layout.predictor == 2 and layout.compression in PREDICTABLE:
        values = np.cumsum(values, axis=3, dtype=values.dtype)
    values = values.reshape(layout.planes, layout.rows, -1, each)[:, : layout.height, : layout.width]
    return np.moveaxis(values[..., 0], 0, 2) if layout.planar else values[0]


def _unpack(raw: np.ndarray, bits: int) -> np.ndarray:
    """Bytes (..., n) -> values of 1, 2 or 4 bits (..., n * 8 / bits), the high bits first."""
    shifts = np.arange(8 - bits, -1, -bits, dtype=np.uint8)
    return ((raw[..., None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(*raw.shape[:-1], -1)
