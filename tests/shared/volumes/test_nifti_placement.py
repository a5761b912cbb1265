"""Sizes and orientation by sform, qform and pixdim, of which any may be the odd one out."""

import nibabel as nib
import numpy as np
import pytest

from tests.fakes.volumes import head, nifti
from tests.shared.volumes.test_nifti_scans import scan_of

VOXELS = head(0)
SIZES = (0.8, 0.9, 3.0)  # of the file's axes, to the left, to the back and to the head
LIES = np.diag([-0.8, -0.9, 3.0, 1.0])
PIXDIM = [1, *SIZES, 0, 0, 0, 0]
STRAIGHT = {"qform_code": 1, "quatern_b": 0.0, "quatern_c": 0.0, "quatern_d": 1.0, "pixdim": PIXDIM}
SCREEN = (3.0, 0.9, 0.8)  # slices, rows, columns
UNKNOWN = (None, None, None)


def rows(affine: np.ndarray) -> dict[str, list[float]]:
    return {f"srow_{axis}": affine[place].tolist() for place, axis in enumerate("xyz")}


def codes(scan) -> list[str]:
    return [remark["code"] for remark in scan.remarks]


def test_what_agrees_has_no_remark() -> None:
    scan = scan_of(nifti(VOXELS, LIES, **STRAIGHT))
    assert scan.spacing_mm == pytest.approx(SCREEN) and codes(scan) == []


@pytest.mark.parametrize("odd", [(1, 1, 1), (1, 1, 3), (0.8, 0.9, 1), (8, 9, 30), (0.8, 0.9, 3.3)])
def test_an_sform_of_other_sizes_than_qform_and_pixdim_is_not_believed(odd: tuple[float, ...]) -> None:
    sform = np.diag([-odd[0], -odd[1], odd[2], 1.0])
    scan = scan_of(nifti(VOXELS, LIES, **STRAIGHT | rows(sform)))
    assert scan.spacing_mm == pytest.approx(SCREEN)
    assert scan.grid.voxel_mm3 == pytest.approx(0.8 * 0.9 * 3)
    assert codes(scan) == ["voxel_size_contradicts"]


@pytest.mark.parametrize("pixdim", [(1, 1, 1), (0.8, 0.9, 1), (2, 2, 2)])
def test_one_word_against_another_is_no_known_size(pixdim: tuple[float, ...]) -> None:
    scan = scan_of(nifti(VOXELS, LIES, qform_code=0, pixdim=[1, *pixdim, 0, 0, 0, 0]))
    assert scan.spacing_mm == UNKNOWN and scan.grid.voxel_mm3 is None
    assert codes(scan) == ["voxel_size_contradicts"]
    assert scan.grid.plane == "axial"


def test_rounding_is_no_contradiction() -> None:
    scan = scan_of(nifti(VOXELS, LIES, qform_code=0, pixdim=[1, 0.8001, 0.8999, 3.01, 0, 0, 0, 0]))
    assert scan.spacing_mm == pytest.approx(SCREEN) and codes(scan) == []


@pytest.mark.parametrize(
    "sform",
    [np.zeros((3, 4)), np.full((3, 4), np.nan), np.ones((3, 4)), np.diag([1e30, 1, 1, 1])[:3], np.eye(4)[:3] * 0],
)
def test_a_senseless_sform_leaves_the_qform(sform: np.ndarray) -> None:
    scan = scan_of(nifti(VOXELS, LIES, **STRAIGHT | rows(sform)))
    assert scan.spacing_mm == pytest.approx(SCREEN) and codes(scan) == ["orientation_repaired"]


@pytest.mark.parametrize("squared", [1.000001, 1.0001, 1.005])
def test_a_quaternion_a_little_too_long_is_rounding(squared: float) -> None:
    quaternion = {"sform_code": 0, "quatern_b": 0.6 * squared**0.5, "quatern_c": 0.8 * squared**0.5, "quatern_d": 0.0}
    scan = scan_of(nifti(VOXELS, LIES, **STRAIGHT | quaternion))
    assert scan.spacing_mm is not None and sorted(scan.spacing_mm) == pytest.approx(sorted(SIZES), rel=1e-3)
    assert codes(scan) == []


@pytest.mark.parametrize(
    ("unit", "sizes", "spacing"),
    [
        (1, (0.0008, 0.0009, 0.003), SCREEN),  # metres
        (3, (800, 900, 3000), SCREEN),  # micrometres
        (1, SIZES, UNKNOWN),
        (3, SIZES, UNKNOWN),
        (2, SIZES, SCREEN),
        (0, SIZES, SCREEN),
    ],
)
def test_units_that_no_scanner_has_are_not_believed(unit: int, sizes: tuple, spacing: tuple) -> None:
    lies = np.diag([-sizes[0], -sizes[1], sizes[2], 1.0])
    scan = scan_of(nifti(VOXELS, lies, qform_code=0, xyzt_units=unit, pixdim=[1, *sizes, 0, 0, 0, 0]))
    assert scan.spacing_mm == (pytest.approx(spacing) if spacing is not UNKNOWN else UNKNOWN)
    assert codes(scan) == (["voxel_size_unlikely"] if spacing is UNKNOWN else [])


@pytest.mark.parametrize("order", ["<", ">"])
def test_either_byte_order_is_judged_alike(order: str) -> None:
    image = nib.Nifti1Image(VOXELS, LIES, nib.Nifti1Header(endianness=order))
    assert scan_of(image.to_bytes()).spacing_mm == pytest.approx(SCREEN)
