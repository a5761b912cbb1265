"""PNG (ISO/IEC 15948), 1 to 16 bit. Chunks are walked and checked here; the decoder sees only what pixels need.

So compressed text and colour profiles (a bomb can hide in each) are never inflated, and palette and transparency
are applied here, alike for every depth.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.pictures.picture import DecodeLimits, Picture
from shared.pictures.samples import exif_orientation, over_black, upright

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {
    _GREY: (1, 2, 4, 8, 16),
    _RGB: (8, 16),
    _PALETTE: (1, 2, 4, 8),
    _GREY_ALPHA: (8, 16),
    _RGB_ALPHA: (8, 16),
}
_MAX_CHUNKS = 100_000  # walking empty ones costs time; 16 megapixels in the usual 8 kB chunks are 12,000


@dataclass
class _Png:
    """The chunks that pixels need."""

    width: int = 0
    height: int = 0
    depth: int = 0
    color: int = -1
    interlace: int = 0
    palette: bytes = b""
    transparency: bytes = b""
    exif: bytes = b""
    data: list[memoryview] = field(default_factory=list)


def read(data: bytes, limits: DecodeLimits) -> Picture:
    """PNG bytes -> Picture; raises ImageError subclasses."""
    png = _parse(data, limits)
    samples = _samples(png)
    if png.color == _PALETTE:
        pixels = _apply_palette(samples, png)
    elif png.color in (_GREY_ALPHA, _RGB_ALPHA):
        pixels = over_black(samples[..., :-1], samples[..., -1])
    else:
        pixels = _apply_transparent_color(samples, png)
    pixels = upright(pixels, exif_orientation(png.exif))
    return Picture(pixels, "PNG", 16 if png.depth == 16 else 8)


def _parse(data: bytes, limits: DecodeLimits) -> _Png:
    png = _Png()
    for kind, body in _chunks(data):
        if kind == b"IHDR" and png.color < 0:
            _read_header(png, body, limits)
        elif png.color < 0:
            raise UndecodableImage("The PNG does not begin with its header.")
        elif kind == b"IDAT":
            png.data.append(body)
        elif kind == b"PLTE":
            png.palette = bytes(body)
        elif kind == b"tRNS":
            png.transparency = bytes(body)
        elif kind == b"eXIf":
            png.exif = bytes(body)
        elif kind == b"acTL":
            raise UnsupportedFormat("This is an animated PNG; send one slice as a still picture.")
        elif kind[:1].isupper() and kind != b"IEND":
            raise UndecodableImage("The PNG holds a critical chunk that does not belong there.")
    if not png.data:
        raise UndecodableImage("The PNG holds no picture data.")
    return png


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Chunks up to IEND, checksums verified; what follows IEND is not the picture's."""
    view, position = memoryview(data), len(_SIGNATURE)
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(data):
            raise UndecodableImage("The PNG is cut short.")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            raise UndecodableImage("The PNG is cut short.")
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            raise UndecodableImage("The PNG is damaged: a checksum does not fit.")
        yield kind, view[position + 8 : end]
        if kind == b"IEND":
            return
        position = end + 4
    raise UndecodableImage(f"The PNG has more than {_MAX_CHUNKS} chunks: no real picture needs them.")


def _read_header(png: _Png, body: memoryview, limits: DecodeLimits) -> None:
    if len(body) != 13:
        raise UndecodableImage("The PNG's header has the wrong length.")
    png.width, png.height, png.depth, png.color, compression, filters, png.interlace = struct.unpack(
        ">IIBBBBB", body
    )
    if png.depth not in _DEPTHS.get(png.color, ()) or compression or filters or png.interlace > 1:
        raise UndecodableImage("The PNG's header holds values that the standard does not know.")
    limits.check(png.width, png.height)


def _samples(png: _Png) -> np.ndarray:
    """Decoded samples (H, W, C) in RGB order; grey and palette indices of less than 8 bits scaled to 0..255."""
    color = (
        _GREY if png.color == _PALETTE else png.color
    )  # indices are decoded as grey: same layout in the file
    header = struct.pack(">IIBBBBB", png.width, png.height, png.depth, color, 0, 0, png.interlace)
    clean = b"".join(
        (_SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", b"".join(png.data)), _chunk(b"IEND", b""))
    )
    decoded = cv2.imdecode(np.frombuffer(clean, np.uint8), cv2.IMREAD_UNCHANGED)
    if decoded is None or decoded.shape[:2] != (png.height, png.width):
        raise UndecodableImage("The PNG's picture data is damaged or cut short.")
    if color == _GREY:
        return decoded[..., None]
    if color == _RGB:
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
    rgba = cv2.cvtColor(decoded, cv2.COLOR_BGRA2RGBA)
    return rgba[..., 2:] if color == _GREY_ALPHA else rgba


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _apply_palette(samples_HWC: np.ndarray, png: _Png) -> np.ndarray:
    """Indices (scaled by the decoder) -> RGB, transparent entries over black; an index past the palette is black."""
    if not png.palette or len(png.palette) % 3 or len(png.palette) > 768:
        raise UndecodableImage("The PNG's palette is missing or has the wrong length.")
    colors = np.frombuffer(png.palette, np.uint8).reshape(-1, 3)
    alpha = np.full(len(colors), 255, np.uint8)
    given = np.frombuffer(png.transparency, np.uint8)[: len(colors)]
    alpha[: len(given)] = given
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = over_black(colors[None], alpha[None])[0]
    step = 255 // ((1 << png.depth) - 1)
    return table[samples_HWC[..., 0] // np.uint8(step)]


def _apply_transparent_color(samples_HWC: np.ndarray, png: _Png) -> np.ndarray:
    """The one colour that tRNS names as transparent, if any, becomes black."""
    channels = samples_HWC.shape[2]
    if len(png.transparency) != 2 * channels:
        return samples_HWC
    top = (1 << png.depth) - 1
    scale = max(1, 255 // top)  # less than 8 bits: the decoder has scaled the samples to 0..255
    key = np.array([(value & top) * scale for value in struct.unpack(f">{channels}H", png.transparency)])
    hidden_HW = (samples_HWC == key).all(axis=2)
    return np.where(hidden_HW[..., None], samples_HWC.dtype.type(0), samples_HWC)
