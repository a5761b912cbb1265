"""Which picture a slice is, by its pixels: the same whatever its file is called or packed in."""

import hashlib

import numpy as np

BYTES = 8


def picture_digest(pixels_HWC: np.ndarray) -> bytes | None:
    """8 bytes of BLAKE2b over size and pixels; None for a picture of one value, since all of those are alike.

    Grey pixels and the same repeated in three channels have the same digest.
    """
    if pixels_HWC.min() == pixels_HWC.max():
        return None
    if pixels_HWC.shape[2] == 3 and (pixels_HWC == pixels_HWC[..., :1]).all():
        pixels_HWC = pixels_HWC[..., :1]
    digest = hashlib.blake2b(repr(pixels_HWC.shape).encode(), digest_size=BYTES)
    digest.update(np.ascontiguousarray(pixels_HWC).data)
    return digest.digest()


def channel_digests(pixels_HWC: np.ndarray) -> frozenset[bytes]:
    """Of each channel by itself, so that a patient is known again by one sequence of several."""
    digests = (picture_digest(pixels_HWC[..., c : c + 1]) for c in range(pixels_HWC.shape[2]))
    return frozenset(digest for digest in digests if digest is not None)
