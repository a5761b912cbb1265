"""COCO's compressed run-length encoding of masks (column-major; `size` is [height, width])."""

from typing import Any

import numpy as np
from pycocotools import mask as coco


def encode(mask_HW: np.ndarray) -> dict[str, Any]:
    """Bool mask (H, W) -> {"encoding": "rle", "size": [height, width], "counts": text}."""
    encoded = coco.encode(np.asfortranarray(mask_HW, dtype=np.uint8))
    height, width = mask_HW.shape
    return {"encoding": "rle", "size": [height, width], "counts": encoded["counts"].decode("ascii")}


def decode(encoded: dict[str, Any]) -> np.ndarray:
    """What `encode` made -> bool mask (H, W); ValueError if the runs do not fill it.

    By hand: pycocotools' own decoding leans on an array protocol that numpy 2 has deprecated.
    """
    height, width = encoded["size"]
    runs = _runs(encoded["counts"].encode("ascii"))
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"the runs of the encoded mask do not fill {height} x {width} pixels")
    inside = np.arange(len(runs)) % 2 == 1  # the first run is outside
    return np.ascontiguousarray(np.repeat(inside, runs).reshape(width, height).T)


def rle_slices(mask_DHW: np.ndarray) -> dict[str, Any]:
    """Bool or 0/1 mask (D, H, W) -> {"encoding": "rle", "size": [height, width], "slices": [{"index", "counts"}]}.

    Only slices with anything in them are listed; each one's `counts` is that of `encode`.
    """
    slices = [
        {"index": index, "counts": encode(mask_HW)["counts"]}
        for index, mask_HW in enumerate(mask_DHW)
        if mask_HW.any()
    ]
    return {"encoding": "rle", "size": list(mask_DHW.shape[1:]), "slices": slices}


def rle_slice(encoded: dict[str, Any], index: int) -> np.ndarray:
    """Slice `index` of what `rle_slices` made -> bool mask (H, W), empty for a slice that is not listed."""
    for slice_ in encoded["slices"]:
        if slice_["index"] == index:
            return decode({"size": encoded["size"], "counts": slice_["counts"]})
    return np.zeros(encoded["size"], bool)


def _runs(counts: bytes) -> list[int]:
    """Lengths of the runs (rleFrString in maskApi.c).

    Six bits a character, of which five are the number's, low bits first, and one says that more follow; the sign
    is in the last one; from the fourth run on the number is the difference to the run before the last.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = character - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs
