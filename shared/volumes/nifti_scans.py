"""NIfTI files as volumes to segment: one volume a file, or the sequences of a study along a fourth axis."""

import mmap
from pathlib import Path
from typing import Any

import numpy as np

from shared.contract.errors import EmptyImage
from shared.volumes.nifti import check_end, next_volume, opened
from shared.volumes.nifti_header import Header, read_header
from shared.volumes.scan import Scan, VolumeLimits

MOST_VOLUMES = 8
DEFAULT_LIMITS = VolumeLimits()


def read_scans(path: Path, limits: VolumeLimits = DEFAULT_LIMITS) -> list[Scan]:
    """One Scan of a 3-D file, and of a 4-D file one for each volume, all on the same grid, in the file's order.

    The Medical Segmentation Decathlon stores its four sequences so. `limits` hold for the whole file. Slices are axial;
    where an axial slice would have fewer than `limits.min_side` voxels across, they follow one another along the
    file's thinnest axis. Raises subclasses of ImageError; never inflates more than the header promises.
    """
    if not path.stat().st_size:
        raise EmptyImage("The file is empty (0 bytes).")
    with path.open("rb") as file:
        # Never closed by hand: arrays may still look into it when an error is on its way.
        stream = opened(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    header = read_header(stream, limits, most_volumes=MOST_VOLUMES, any_plane=True)
    stream.skip(header.offset)
    scans = [_scan(*next_volume(stream, header), header) for _ in range(header.volumes)]
    check_end(stream)
    return scans


def _scan(voxels_DHW: np.ndarray, not_finite: int, header: Header) -> Scan:
    spacing = header.grid.spacing_mm
    return Scan(
        "NIfTI",
        voxels_DHW[..., None],
        header.grid,
        spacing or (None, None, None),
        "nifti" if spacing else None,
        8 if voxels_DHW.itemsize == 1 else 16,
        remarks=_remarks(not_finite, header),
    )


def _remarks(not_finite: int, header: Header) -> list[dict[str, Any]]:
    remarks = list(header.remarks)
    if not_finite:
        detail = f"{not_finite} voxels are no finite number; they were given the lowest value that is one."
        remarks.append({"code": "not_finite_voxels", "detail": detail})
    return remarks
