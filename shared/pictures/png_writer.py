"""PNGs of 8-bit samples, written as fast as zlib goes."""

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _INDEXED = 0, 3  # colour types


def grey_png(image_HW: np.ndarray) -> bytes:
    """uint8 (H, W) -> PNG, unfiltered (PNG specification, 3rd edition, sections 5 and 7).

    Probability maps are flat almost everywhere: a filter gains nothing, and OpenCV, which filters, takes four times
    as long for the same size.
    """
    return _png(image_HW, _GREY, b"")


def indexed_png(image_HW: np.ndarray, palette: bytes) -> bytes:
    """uint8 (H, W) -> PNG of places in `palette`, which has red, green and blue of each value in `image_HW`."""
    return _png(image_HW, _INDEXED, _chunk(b"PLTE", palette))


def _png(image_HW: np.ndarray, kind: int, before: bytes) -> bytes:
    height, width = image_HW.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter type, 0
    rows[:, 1:] = image_HW
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    return (
        _SIGNATURE
        + _chunk(b"IHDR", header)
        + before
        + _chunk(b"IDAT", zlib.compress(rows.data, 1))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
