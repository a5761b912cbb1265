"""The mask as NIfTI: on the source's own grid, whatever that is."""

import gzip

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings

from shared.volumes.grid import Grid, grid_of
from tests.fakes.affines import grids, marked
from trainer.volumes.nifti_mask import nifti_mask

STRAIGHT = np.array([[-0.5, 0, 0, 10], [0, -0.7, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])


def read(data: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(data))


def labels(grid: Grid, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 4, grid.shape, dtype=np.uint8)


@settings(max_examples=60, deadline=None)
@given(grids())
def test_the_voxels_are_those_of_the_file_and_so_is_the_affine(grid):
    image = read(nifti_mask(labels(grid), grid))
    assert image.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(image.dataobj), grid.to_file(labels(grid)))
    assert np.allclose(image.affine, grid.file_affine, rtol=1e-6, atol=1e-4)
    assert image.header.get_xyzt_units()[0] == "mm"
    assert image.header["sform_code"] == 1


@settings(max_examples=60, deadline=None)
@given(marked())
def test_a_voxel_keeps_its_place_in_the_patient(case):
    grid, (d, h, w) = case
    mask = np.zeros(grid.shape, bool)
    mask[d, h, w] = True
    image = read(nifti_mask(mask, grid))
    (place,) = np.argwhere(np.asarray(image.dataobj))
    in_ras = nib.affines.apply_affine(image.affine, place)
    in_lps = (grid.affine_lps @ (w, h, d, 1))[:3]
    assert np.allclose(in_ras * (-1, -1, 1), in_lps, atol=1e-2)


@settings(max_examples=30, deadline=None)
@given(grids(sheared=True))
def test_a_sheared_grid_has_no_quaternion_that_would_straighten_it(grid):
    header = read(nifti_mask(labels(grid), grid)).header
    assert header["qform_code"] == 0
    zooms = np.linalg.norm(grid.file_affine[:3, :3], axis=0)
    assert np.allclose(header.get_zooms(), zooms, rtol=1e-5)


@settings(max_examples=30, deadline=None)
@given(grids(sheared=False))
def test_quaternion_and_matrix_say_the_same_of_a_grid_that_is_not(grid):
    image = read(nifti_mask(labels(grid), grid))
    assert image.header["qform_code"] == 1
    assert np.allclose(image.get_qform(), image.affine, atol=1e-3)


def test_equal_labels_give_equal_bytes_and_no_name_or_time():
    grid = grid_of(STRAIGHT, (4, 5, 6))
    data = nifti_mask(labels(grid), grid)
    assert data == nifti_mask(labels(grid), grid)
    assert data[4:8] == bytes(4)  # gzip's time
    assert data[3] == 0  # and its flags: no file name


def test_it_is_three_axes_where_the_source_has_more():
    grid = grid_of(STRAIGHT, (4, 5, 6, 1))
    assert read(nifti_mask(labels(grid), grid)).shape == (4, 5, 6)
    flat = grid_of(STRAIGHT, (4, 5))
    assert read(nifti_mask(labels(flat), flat)).shape == (4, 5, 1)


def test_without_known_millimetres_the_units_are_unknown():
    grid = grid_of(STRAIGHT, (4, 5, 6), known=False)
    assert read(nifti_mask(labels(grid), grid)).header.get_xyzt_units()[0] == "unknown"


@pytest.mark.parametrize("slice_axis", [0, 1, 2])
def test_any_plane_is_turned_back(slice_axis):
    grid = grid_of(STRAIGHT, (4, 5, 6), slice_axis=slice_axis)
    assert np.array_equal(
        np.asarray(read(nifti_mask(labels(grid), grid)).dataobj), grid.to_file(labels(grid))
    )


def test_nibabel_opens_it_from_a_file(tmp_path):
    grid = grid_of(STRAIGHT, (4, 5, 6))
    path = tmp_path / "mask.nii.gz"
    path.write_bytes(nifti_mask(labels(grid), grid))
    assert np.array_equal(np.asarray(nib.load(path).dataobj), grid.to_file(labels(grid)))
