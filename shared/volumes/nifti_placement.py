"""Where a NIfTI's voxels lie, and how large they are, by the three places in its header that say so.

The sform is a matrix; the qform a rotation with the sizes of `pixdim`; `pixdim` alone says sizes. Writers have filled
in one of them and left another as it was, so what is the odd one out is not believed: sizes are those of `pixdim` where
the qform stands by it, and unknown where it is one word against another.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

_MILLIMETRES = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 1e-3}  # xyzt_units: not said, metre, millimetre, micrometre
_UNITS = {1: "metres", 3: "micrometres"}
_LIKELY_MM = (0.01, 50.0)  # voxels of MRI
_SAME_SIZE = 0.02  # of the size
_APART_MM = 1.0  # below, it is rounding and shear, which a qform cannot say
_UNIT_QUATERNION = 1.01  # squared; a little above 1 is rounding

Affine = np.ndarray


@dataclass(frozen=True)
class Placement:
    """`affine` (4, 4) from the file's voxels to millimetres to the right, front and head; None: nothing usable is said.

    `sized`: whether millimetres mean anything. `remarks` are warnings with `code` and `detail`.
    """

    affine: Affine | None
    sized: bool
    remarks: list[dict[str, Any]] = field(default_factory=list)


def placement_of(header: nib.Nifti1Header, shape: tuple[int, int, int]) -> Placement:
    """Of a header whose `pixdim[0]` is -1 or 1; `shape` is that of the file's array."""
    unit = int(header["xyzt_units"]) & 7
    scale = _MILLIMETRES.get(unit, 1.0)
    sizes = _sizes(header, scale, shape)
    header["dim"][:] = (3, *shape, 1, 1, 1, 1)
    header["pixdim"][1:4] = [size if np.isfinite(size) and size > 0 else 1.0 for size in header["pixdim"][1:4]]
    sform, qform = _sform(header, scale), _qform(header, scale)
    remarks = _unusable(header, sform, qform)
    if sform is None and qform is None:
        # A word about it that makes no sense is no leave to make one up.
        base = None if remarks else _usable(np.asarray(header.get_base_affine(), np.float64), scale)
        placed = Placement(base, sizes is not None, [_NOT_STATED])
    elif sform is None:
        placed = Placement(qform, sizes is not None, remarks)
    else:
        placed = _by_sform(sform, qform, sizes, shape, remarks)
    return _doubting_units(placed, unit, scale)


def _by_sform(
    sform: Affine, qform: Affine | None, sizes: np.ndarray | None, shape: tuple[int, int, int],
    remarks: list[dict[str, Any]],
) -> Placement:  # fmt: skip
    """The sform, unless what else is said of the sizes is against it."""
    its = np.linalg.norm(sform[:3, :3], axis=0)
    # A comparison with NaN, a size that is not said, is false.
    if sizes is not None and bool((abs(its - sizes) > _SAME_SIZE * np.maximum(its, sizes)).any()):
        said = f"The sform gives voxels of {_mm(its)}, pixdim of {_mm(sizes)}"
        if qform is not None:
            detail = f"{said} with the qform: these two were taken."
            return Placement(qform, True, [*remarks, {"code": "voxel_size_contradicts", "detail": detail}])
        detail = f"{said}, and nothing says which is right: sizes are taken as unknown."
        return Placement(sform, False, [*remarks, {"code": "voxel_size_contradicts", "detail": detail}])
    apart = 0.0 if qform is None else _apart_mm(sform, qform, shape)
    if apart > _APART_MM:
        detail = (
            f"The file says twice how it lies, by sform and by qform, up to {apart:.1f} mm apart; the sform was taken."
        )
        remarks.append({"code": "orientation_contradicts", "detail": detail})
    return Placement(sform, True, remarks)


def _doubting_units(placed: Placement, unit: int, scale: float) -> Placement:
    """Voxels of a metre are of a millimetre in all likelihood, but nobody says so."""
    if placed.affine is None or not placed.sized or unit not in _UNITS:
        return placed
    sizes = np.linalg.norm(placed.affine[:3, :3], axis=0)
    if _likely(sizes) or not _likely(sizes / scale):
        return placed
    detail = f"The file gives voxels of {_mm(sizes / scale)[:-3]} {_UNITS[unit]}: sizes are taken as unknown."
    remark = {"code": "voxel_size_unlikely", "detail": detail}
    return Placement(placed.affine, False, [*placed.remarks, remark])


def _sizes(header: nib.Nifti1Header, scale: float, shape: tuple[int, int, int]) -> np.ndarray | None:
    """In millimetres by `pixdim`; NaN along an axis of one voxel that says none. None where an axis with more does."""
    sizes = np.asarray(header["pixdim"][1:4], np.float64) * scale
    sizes[~(np.isfinite(sizes) & (sizes > 0))] = np.nan
    return None if any(np.isnan(size) for size, count in zip(sizes, shape, strict=True) if count > 1) else sizes


def _sform(header: nib.Nifti1Header, scale: float) -> Affine | None:
    if int(header["sform_code"]) <= 0:
        return None
    return _usable(np.array([*(header[f"srow_{axis}"] for axis in "xyz"), [0, 0, 0, 1]], np.float64), scale)


def _qform(header: nib.Nifti1Header, scale: float) -> Affine | None:
    if int(header["qform_code"]) <= 0:
        return None
    names = ("quatern_b", "quatern_c", "quatern_d")
    squared = math.fsum(float(header[name]) ** 2 for name in names)
    if not squared <= _UNIT_QUATERNION:
        return None
    if squared > 1:
        for name in names:
            header[name] = float(header[name]) / (math.sqrt(squared) * (1 + 1e-7))
    try:
        return _usable(np.asarray(header.get_qform(), np.float64), scale)
    except (HeaderDataError, ValueError, np.linalg.LinAlgError):
        return None


def _usable(affine: Affine, scale: float) -> Affine | None:
    with np.errstate(all="ignore"):
        affine = affine.copy()
        affine[:3] *= scale
        if not np.isfinite(affine).all() or abs(affine).max() >= 1e9 or abs(np.linalg.det(affine)) <= 1e-12:
            return None
    return affine


def _unusable(header: nib.Nifti1Header, sform: Affine | None, qform: Affine | None) -> list[dict[str, Any]]:
    """What the header says and what makes no sense."""
    said = {"sform": sform, "qform": qform}
    bad = [name for name, affine in said.items() if int(header[f"{name}_code"]) > 0 and affine is None]
    if not bad:
        return []
    (bad_one, *_), used = bad, next((name for name, affine in said.items() if affine is not None), None)
    detail = f"The {bad_one} of the file makes no sense; the {used} was taken."
    return [{"code": "orientation_repaired", "detail": detail}]


def _apart_mm(one: Affine, other: Affine, shape: tuple[int, int, int]) -> float:
    """Of the volume's corners, at most."""
    corners = np.array([*np.ndindex(2, 2, 2)]) * (np.array(shape) - 1)
    apart = corners @ (one - other)[:3, :3].T + (one - other)[:3, 3]
    return float(np.linalg.norm(apart, axis=1).max())


def _likely(sizes: np.ndarray) -> bool:
    return bool(_LIKELY_MM[0] <= sizes.min() and sizes.max() <= _LIKELY_MM[1])


def _mm(sizes: np.ndarray) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes) + " mm"


_NOT_STATED = {
    "code": "orientation_not_stated",
    "detail": "The file does not say how the patient lies in it (neither sform nor qform): left and right may be"
    " exchanged.",
}
