"""JPEG (ITU-T T.81), 8 bit baseline, extended and progressive. Markers are walked here before anything is decoded.

A file without its end marker is refused: the decoder would fill what is missing with grey. Huffman data carries no
checksum, so damage inside complete data cannot be told from the picture.
"""

import io
import re
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, JpegImagePlugin

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.pictures.picture import DecodeLimits, Picture
from shared.pictures.samples import exif_orientation, upright

_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_HUFFMAN_DCT = (0xC0, 0xC1, 0xC2)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # all but DHT, JPG, DAC
_FRAME_NAMES = {0xC3: "lossless", 0xC7: "lossless", 0xCB: "lossless", 0xCF: "lossless", 0xF7: "JPEG-LS"}
_KEPT = frozenset((0xE0, 0xEE)) | frozenset(
    range(0xC0, 0xE0)
)  # JFIF and Adobe say which colours; the rest is not ours
# Each progressive scan passes over the whole picture: hundreds of them would be an attack on the CPU.
_MAX_SCANS = 64
_MAX_SEGMENTS = 10_000
_MARKER_IN_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


@dataclass
class _Jpeg:
    """The segments that pixels need, and what the header says."""

    parts: list[memoryview] = field(default_factory=list)
    frame: bool = False
    scans: int = 0
    exif: bytes = b""


def read(data: bytes, limits: DecodeLimits) -> Picture:
    """JPEG bytes -> Picture; raises ImageError subclasses."""
    jpeg = _parse(data, limits)
    with JpegImagePlugin.JpegImageFile(io.BytesIO(b"".join(jpeg.parts))) as image:
        decoded: Image.Image = image if image.mode in ("L", "RGB") else image.convert("RGB")
        pixels = np.asarray(decoded)
    pixels_HWC = pixels[..., None] if pixels.ndim == 2 else pixels
    return Picture(upright(pixels_HWC, exif_orientation(jpeg.exif)), "JPEG", 8)


def _parse(data: bytes, limits: DecodeLimits) -> _Jpeg:
    """Walk the markers to the end of the image; what follows it is not the picture's."""
    jpeg, view, position = _Jpeg(), memoryview(data), 2
    jpeg.parts.append(view[:2])
    for _ in range(_MAX_SEGMENTS):
        while data[position : position + 2] == b"\xff\xff":  # fill bytes
            position += 1
        marker = _marker(data, position)
        if marker == _EOI:
            jpeg.parts.append(view[position : position + 2])
            return _complete(jpeg)
        if marker == _TEM or 0xD0 <= marker <= _SOI:
            raise UndecodableImage("The JPEG is damaged: a marker stands where it must not.")
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        if end > len(data) or end < position + 4:
            raise UndecodableImage("The JPEG is cut short.")
        end = _segment(jpeg, data, marker, position, end, limits)
        if marker in _KEPT:
            jpeg.parts.append(view[position:end])
        position = end
    raise UndecodableImage(f"The JPEG has more than {_MAX_SEGMENTS} segments: no real picture needs them.")


def _complete(jpeg: _Jpeg) -> _Jpeg:
    if not jpeg.frame or not jpeg.scans:
        raise UndecodableImage("The JPEG holds no picture data.")
    return jpeg


def _marker(data: bytes, position: int) -> int:
    if position + 2 > len(data):
        raise UndecodableImage("The JPEG is cut short.")
    if data[position] != 0xFF:
        raise UndecodableImage("The JPEG is damaged: a marker is missing.")
    return data[position + 1]


def _segment(jpeg: _Jpeg, data: bytes, marker: int, position: int, end: int, limits: DecodeLimits) -> int:
    """Take note of one segment; returns where the next marker stands."""
    if marker in _FRAMES or marker in _FRAME_NAMES:
        _check_frame(jpeg, marker, data[position + 4 : end], limits)
    elif marker == 0xE1 and data[position + 4 : position + 10] == b"Exif\x00\x00":
        jpeg.exif = jpeg.exif or data[position + 10 : end]
    elif marker == _SOS:
        return _skip_scan(jpeg, data, end)
    return end


def _check_frame(jpeg: _Jpeg, marker: int, body: bytes, limits: DecodeLimits) -> None:
    if marker not in _HUFFMAN_DCT:
        kind = _FRAME_NAMES.get(marker, "arithmetic-coded or hierarchical")
        raise UnsupportedFormat(f"This is a {kind} JPEG; baseline and progressive ones are taken.")
    if jpeg.frame or len(body) < 6:
        raise UndecodableImage("The JPEG's frame header is damaged.")
    if body[0] != 8:
        raise UnsupportedFormat(
            f"This is a {body[0]}-bit JPEG; 8-bit ones are taken (PNG and TIFF also with 16)."
        )
    if body[5] not in (1, 3, 4):
        raise UnsupportedFormat(f"This JPEG has {body[5]} channels; grey, RGB and CMYK ones are taken.")
    height, width = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
    limits.check(width, height)
    jpeg.frame = True


def _skip_scan(jpeg: _Jpeg, data: bytes, start: int) -> int:
    if not jpeg.frame:
        raise UndecodableImage("The JPEG's picture data comes before its frame header.")
    jpeg.scans += 1
    if jpeg.scans > _MAX_SCANS:
        raise UndecodableImage(f"The JPEG has more than {_MAX_SCANS} scans: no real picture needs them.")
    found = _MARKER_IN_SCAN.search(data, start)
    if found is None:
        raise UndecodableImage("The JPEG is cut short: its end marker is missing.")
    return found.start()
