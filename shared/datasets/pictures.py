"""Images and masks of a dataset as they are in their files."""

import struct
from dataclasses import dataclass
from pathlib import PurePosixPath

import cv2
import numpy as np

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.datasets.source import Source
from shared.files.sniff import HEAD_BYTES, sniff
from shared.pictures.decode import DEFAULT_LIMITS, decode
from shared.pictures.picture import DecodeLimits, Picture

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})
_HIGHEST_LABEL = 20  # numbers of classes; grey levels go higher
_FEW_VALUES = 4  # of grey levels that may stand for classes
_BMP_DEPTHS = (1, 4, 8, 24, 32)


@dataclass(frozen=True)
class MaskFile:
    """A mask: the values in the file (H, W), and what they mean.

    Everything above 0 is tumour, where the values are labels. Soft edges and the marks that a JPEG leaves around every
    edge are many values, and then it is the upper half of their range. `remark` is the code of a finding, where there
    is something to say about this slice.
    """

    values_HW: np.ndarray
    lossy: bool
    remark: str | None = None

    @property
    def tumour_HW(self) -> np.ndarray:
        """bool (H, W)."""
        return self.values_HW > self._highest_outside

    @property
    def _highest_outside(self) -> int:
        if self.lossy:
            return 127
        values = np.unique(self.values_HW)
        highest = int(values[-1])
        if highest <= _HIGHEST_LABEL or len(values) <= _FEW_VALUES:
            return 0
        return 127 if 127 < highest <= 255 else highest // 2


def is_picture(name: str) -> bool:
    """Whether a file's name says that it is an image of a kind that is read here."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def read_picture(source: Source, path: PurePosixPath) -> Picture:
    """PNG, JPEG, TIFF or BMP, 8 or 16 bit, grey or RGB; raises ImageError."""
    data = source.read(path)
    return _bmp(data, DEFAULT_LIMITS) if sniff(data[:HEAD_BYTES]) == "BMP" else decode(data)


def read_mask(source: Source, path: PurePosixPath) -> MaskFile:
    """The mask of a grey picture, or the brightest channel of a coloured one; raises ImageError."""
    picture = read_picture(source, path)
    return MaskFile(picture.pixels.max(axis=2), picture.format == "JPEG")


def _bmp(data: bytes, limits: DecodeLimits) -> Picture:
    """By OpenCV, after the header was held against the limits; only plain Windows bitmaps, as tools write them."""
    if len(data) < 54 or struct.unpack_from("<I", data, 14)[0] < 40:
        raise UnsupportedFormat("This BMP has a header of a kind that is not taken; save it as PNG.")
    width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    limits.check(width, abs(height))
    if depth not in _BMP_DEPTHS or compression not in (0, 3):
        raise UnsupportedFormat(
            "This BMP is compressed or of an odd depth, which is not taken; save it as PNG."
        )
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_BGR)
    except cv2.error:
        bgr = None
    if bgr is None:
        raise UndecodableImage("The BMP image is damaged or cut short and cannot be decoded.")
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    grey = depth <= 8 and bool((rgb[..., :1] == rgb).all())
    return Picture(np.ascontiguousarray(rgb[..., :1]) if grey else rgb, "BMP", 8)
