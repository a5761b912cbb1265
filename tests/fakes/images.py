"""Image files made by hand: valid ones with every part chosen, and hostile ones that no library would write."""

import gzip
import io
import struct
import zlib
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import tifffile
from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def picture(
    height: int = 40, width: int = 56, channels: int = 3, dtype: type = np.uint8, seed: int = 0
) -> np.ndarray:
    """A smooth picture with some noise, (H, W) for one channel, else (H, W, channels)."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[0:height, 0:width]
    planes = [
        np.hypot(ys - height / (2 + c), xs - width / 2) / np.hypot(height, width) for c in range(channels)
    ]
    values = np.clip(np.stack(planes, axis=-1) + rng.normal(0, 0.02, (height, width, channels)), 0, 1)
    pixels = np.rint(values * np.iinfo(dtype).max).astype(dtype)
    return pixels[..., 0] if channels == 1 else pixels


# --- PNG -----------------------------------------------------------------------------------------


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, depth: int, color: int, interlace: int = 0) -> bytes:
    return png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlace))


def png_of(rows: Sequence[bytes], header: bytes, *extra: bytes, keep: float = 1.0) -> bytes:
    """A PNG of unfiltered rows; `extra` chunks before the data; `keep` cuts the compressed data, checksums right."""
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    data = data[: int(len(data) * keep)]
    return b"".join((PNG_SIGNATURE, header, *extra, png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")))


def png(pixels: np.ndarray) -> bytes:
    """As OpenCV writes it; RGB order given."""
    bgr = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", bgr)[1].tobytes()


# --- JPEG ----------------------------------------------------------------------------------------


def jpeg(pixels: np.ndarray | Image.Image, **options: object) -> bytes:
    return saved(pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels), "JPEG", **options)


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    """As Pillow writes it."""
    file = io.BytesIO()
    image.save(file, name, **options)
    return file.getvalue()


# --- TIFF ----------------------------------------------------------------------------------------


def tiff(pixels: np.ndarray, **options: object) -> bytes:
    """As tifffile writes it."""
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def tiff_by_hand(
    tags: Mapping[int, Sequence[int] | bytes | tuple[int, int]], data: bytes = b"", next_directory: int = 0
) -> bytes:
    """A little-endian TIFF of one directory at byte 8 + len(data); picture data lies at byte 8.

    Values are LONGs, or ASCII where bytes are given.
    """
    start = 8 + len(data)
    tail_at = start + 2 + 12 * len(tags) + 4
    entries, tail = b"", b""
    for tag, value in sorted(tags.items()):
        kind, count = (2, len(value)) if isinstance(value, bytes) else (4, len(value))
        packed = value if isinstance(value, bytes) else struct.pack(f"<{count}I", *value)
        if len(packed) > 4:
            entries += struct.pack("<HHII", tag, kind, count, tail_at + len(tail))
            tail += packed
        else:
            entries += struct.pack("<HHI", tag, kind, count) + packed.ljust(4, b"\0")
    header = b"II*\0" + struct.pack("<I", start)
    return header + data + struct.pack("<H", len(tags)) + entries + struct.pack("<I", next_directory) + tail


def grey_tags(width: int, height: int, **changed: Sequence[int] | None) -> dict[int, Sequence[int]]:
    """Tags of an uncompressed 8-bit grey TIFF whose data lies at byte 8; `changed` by `t259=[5]`, None takes out."""
    tags: dict[int, Sequence[int]] = {
        256: [width], 257: [height], 258: [8], 259: [1], 262: [1], 273: [8], 277: [1], 278: [height],
        279: [width * height],
    }  # fmt: skip
    for name, value in changed.items():
        tags.pop(int(name[1:]), None)
        if value is not None:
            tags[int(name[1:])] = value
    return tags


# --- what is not taken ---------------------------------------------------------------------------


def nifti() -> bytes:
    """The header of a NIfTI-1 file and some voxels."""
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    header[344:348] = b"n+1\0"
    return bytes(header) + bytes(4096)


def foreign_files() -> dict[str, bytes]:
    """One file of each kind that is refused by name, keyed by a word that the refusal says."""
    grey = Image.fromarray(picture(channels=1))
    return {
        "GIF": saved(grey.convert("P"), "GIF"),
        "WebP": saved(grey, "WEBP"),
        "BMP": saved(grey, "BMP"),
        "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
        "ZIP": b"PK\x03\x04\x14\0\0\0\x08\0" + bytes(40),
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40),
        "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1" + bytes(40),
        "DICOM": bytes(128) + b"DICM" + bytes(200),
        "NIfTI": nifti(),
        "gzip": gzip.compress(b"hello" * 100),
        "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40),
        "text": b"id,value\n1,2\n",
        "program": b"\x7fELF\x02\x01\x01" + bytes(60),
        "known": bytes(range(256)) * 4,
    }
