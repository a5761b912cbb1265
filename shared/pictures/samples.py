"""What every reader does with decoded samples: depth, alpha, palette, orientation."""

from typing import Literal

import numpy as np

ORIENTATION_TAG = 0x0112
_ROWS_AT_ONCE = 64


def expand_bits(values: np.ndarray, bits: int) -> np.ndarray:
    """uint8 samples of 1, 2, 4 or 8 bits -> 0..255."""
    return values if bits == 8 else values * np.uint8(255 // ((1 << bits) - 1))


def over_black(color_HWC: np.ndarray, alpha_HW: np.ndarray) -> np.ndarray:
    """Unassociated alpha composited over black, as an MRI's surroundings are: (H, W, C) of the same integer type."""
    top = np.iinfo(color_HWC.dtype).max
    if int(alpha_HW.min()) == top:
        return np.ascontiguousarray(color_HWC)
    wide = np.uint16 if top == 255 else np.uint32  # holds top * top + top / 2
    composited = np.empty(color_HWC.shape, color_HWC.dtype)
    for row in range(
        0, len(color_HWC), _ROWS_AT_ONCE
    ):  # of 16 megapixels, the products alone would be 200 MB
        rows = slice(row, row + _ROWS_AT_ONCE)
        composited[rows] = (color_HWC[rows].astype(wide) * alpha_HW[rows, :, None] + wide(top // 2)) // wide(
            top
        )
    return composited


def transposes(orientation: int) -> bool:
    """Whether this EXIF orientation swaps rows and columns."""
    return orientation in (5, 6, 7, 8)


def upright(pixels_HWC: np.ndarray, orientation: int) -> np.ndarray:
    """Stored pixels turned as EXIF orientation 1..8 says they are to be seen (TIFF 6.0, tag 274); others: as stored."""
    match orientation:
        case 2:
            turned = pixels_HWC[:, ::-1]
        case 3:
            turned = pixels_HWC[::-1, ::-1]
        case 4:
            turned = pixels_HWC[::-1]
        case 5:
            turned = pixels_HWC.transpose(1, 0, 2)
        case 6:
            turned = np.rot90(pixels_HWC, -1)
        case 7:
            turned = pixels_HWC[::-1, ::-1].transpose(1, 0, 2)
        case 8:
            turned = np.rot90(pixels_HWC, 1)
        case _:
            turned = pixels_HWC
    return np.ascontiguousarray(turned)


def exif_orientation(exif: bytes) -> int:
    """The orientation 1..8 in an EXIF block (a small TIFF); 1 where there is none or it is broken."""
    if exif[:4] not in (b"II*\x00", b"MM\x00*"):
        return 1
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"

    def number(offset: int, size: int) -> int:
        return int.from_bytes(exif[offset : offset + size], order)

    directory = number(4, 4)
    for entry in range(directory + 2, directory + 2 + 12 * number(directory, 2), 12):
        if entry + 12 > len(exif):
            return 1
        if number(entry, 2) == ORIENTATION_TAG:
            value = number(entry + 8, 2)
            return value if 1 <= value <= 8 else 1
    return 1
