"""A marked voxel keeps its place in the patient: from DICOM or NIfTI through the network to every output."""

import itertools
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.preprocessing.preprocess import Preprocessing
from tests.fakes import dicom
from tests.fakes.inference import MEASURES, served
from tests.fakes.volumes import nifti
from trainer.engines.engine import EngineOutput
from trainer.volumes.export import export
from trainer.volumes.forward import pass_slices
from trainer.volumes.reading import read_study
from trainer.volumes.volume_order import VolumeChildOrder

MARK = 1000  # brighter than all else
ROTATION = st.tuples(*[st.floats(-0.7, 0.7)] * 3)  # from each of the 24 ways in which axes can lie, any tilt
WAYS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
MODEL = {"id": "m", "version": "1", "architecture": "unet", "weights_sha256": "0" * 64}


def network(item, then):
    """As a network would that finds the mark: what is as bright as can be is tumour."""
    bright_hw = (item.x_CHW[0] > item.x_CHW[0].max() - 0.2) & (item.x_CHW[0].max() > 2)
    then(
        EngineOutput(bright_hw.astype(np.float32), np.zeros(MEASURES, np.float32), np.ones((1, 1), np.uint8))
    )


def segment(folder: Path, paths, image_size: int, min_region_pixels: int = 1):
    """All that a volume goes through, without processes and queues."""
    order = VolumeChildOrder(
        folder=str(folder), source=None, dicomweb=None, in_channels=1, channels=[], labels=[], model=MODEL,
        threshold=0.5, min_region_pixels=min_region_pixels, image_size=image_size, pixel_spacing_mm=None,
        slice_spacing_mm=None,
        sequence_order=None,
        seed="s", made="2026-01-31T12:00:00+00:00", max_voxels=1 << 20, max_bytes=1 << 30, memory_bytes=1 << 40,
        seconds=60, nice=0,
    )  # fmt: skip
    study = read_study({"image": paths}, order)
    model = served(preprocessing=Preprocessing(1, image_size, normalization="min_max"))
    pass_slices(
        model, folder, study.channels, study.grid.plane, study.spacing_mm,
        submit=network, on_slice=lambda done, of: None,
    )  # fmt: skip
    result, _ = export(study, order, lambda share: None)
    return study, result


def volume(shape, generator):
    """Something dark with three marked voxels that no turning maps onto themselves."""
    voxels = generator.integers(0, 300, shape).astype(np.uint16)
    marked = [tuple(int(generator.integers(0, size)) for size in shape) for _ in range(3)]
    for place in marked:
        voxels[place] = MARK
    return voxels, sorted(set(marked))


def turned(way, tilt):
    """A rotation (or reflection) matrix: one of the ways, tilted."""
    order, signs = way
    a, b, c = tilt
    about = [
        np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]),
        np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]),
        np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]),
    ]
    return about[0] @ about[1] @ about[2] @ (np.eye(3)[list(order)] * np.array(signs))


def same_points(found, wanted, apart_mm=0.01):
    """Two sets of points in millimetres."""
    found, wanted = np.asarray(found, float), np.asarray(wanted, float)
    assert len(found) == len(wanted)
    apart = np.linalg.norm(found[:, None] - wanted[None], axis=2)
    assert apart.min(axis=1).max() < apart_mm
    assert apart.min(axis=0).max() < apart_mm


def points_of_nifti(path):
    """LPS millimetres of the voxels of a mask."""
    image = nib.load(path)
    ijk = np.argwhere(np.asarray(image.dataobj) == 1)
    return nib.affines.apply_affine(image.affine, ijk) * (-1, -1, 1)


def points_of_seg(path):
    """LPS millimetres of the pixels of a segmentation object, by the attributes of its frames alone (PS3.3)."""
    seg = pydicom.dcmread(path)
    shared = seg.SharedFunctionalGroupsSequence[0]
    pixels = seg.pixel_array.reshape(-1, seg.Rows, seg.Columns)
    points = []
    for frame_YX, groups in zip(pixels, seg.PerFrameFunctionalGroupsSequence, strict=True):
        oriented = shared if "PlaneOrientationSequence" in shared else groups
        measured = shared if "PixelMeasuresSequence" in shared else groups
        cosines = np.array(oriented.PlaneOrientationSequence[0].ImageOrientationPatient, float)
        rows, columns = map(float, measured.PixelMeasuresSequence[0].PixelSpacing)
        at = np.array(groups.PlanePositionSequence[0].ImagePositionPatient, float)
        points += [at + x * columns * cosines[:3] + y * rows * cosines[3:] for y, x in np.argwhere(frame_YX)]
    return points


@st.composite
def lies(draw, tilted=True):
    """How the slices of a series lie: any axes, any tilt, any flips; pixels are square."""
    axes = turned(draw(st.sampled_from(WAYS)), draw(ROTATION) if tilted else (0, 0, 0)).round(8)
    spacing, between = round(draw(st.floats(0.3, 2)), 3), draw(st.floats(0.5, 6))
    origin = draw(st.tuples(*[st.integers(-200, 200)] * 3))
    shear = draw(st.floats(-0.3, 0.3)) * axes[:, 1] if draw(st.booleans()) else 0  # a tilted gantry
    return dicom.Lie(origin, axes[:, 0], axes[:, 1], between * (axes[:, 2] + shear), (spacing, spacing))


@settings(max_examples=25)
@given(lie=lies(), seed=st.integers(0, 2**16), multi_frame=st.booleans())
def test_a_dicom_series_its_mask_and_its_segmentation_object(tmp_path_factory, lie, seed, multi_frame):
    folder, generator = tmp_path_factory.mktemp("volume"), np.random.default_rng(seed)
    voxels_ZYX, marked = volume((int(generator.integers(3, 7)), 20, 24), generator)
    order = generator.permutation(len(voxels_ZYX))
    if multi_frame:
        datasets = [dicom.enhanced(voxels_ZYX, lie, order=order.tolist())]
    else:
        series = dicom.series(voxels_ZYX, lie)
        datasets = [series[z] for z in order]
    study, result = segment(folder, dicom.write(folder / "files", datasets), 24)
    wanted = [lie.point(x, y, z) for z, y, x in marked]
    same_points(points_of_nifti(folder / "mask.nii.gz"), wanted)
    same_points(points_of_seg(folder / "segmentation.dcm"), wanted)
    affine = np.array(study.image["affine"])
    labels_DHW = np.load(folder / "labels.npy")
    same_points([affine[:3] @ (w, h, d, 1) for d, h, w in np.argwhere(labels_DHW)], wanted)
    assert result["area_pixels"] == len(marked)
    voxel = abs(
        np.linalg.det(
            np.stack(
                [np.multiply(lie.row, lie.spacing[1]), np.multiply(lie.column, lie.spacing[0]), lie.step]
            )
        )
    )
    assert result["volume_mm3"] == pytest.approx(len(marked) * voxel, rel=1e-3)
    told = [point for region in result["regions"] for point in [region["centroid_mm"]]]
    if len(told) == len(marked):
        same_points(told, wanted, 0.02)


@settings(max_examples=25)
@given(way=st.sampled_from(WAYS), tilt=ROTATION, seed=st.integers(0, 2**16))
def test_a_nifti_file_and_its_mask(tmp_path_factory, way, tilt, seed):
    folder, generator = tmp_path_factory.mktemp("volume"), np.random.default_rng(seed)
    voxels_XYZ, marked = volume((24, 24, 24), generator)
    size = generator.uniform(0.5, 2)
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = turned(way, tilt) * size, generator.uniform(-100, 100, 3)
    (folder / "file").write_bytes(nifti(voxels_XYZ, affine))
    _, result = segment(folder, [folder / "file"], 24)
    mask = nib.load(folder / "mask.nii.gz")
    np.testing.assert_allclose(mask.affine, affine, atol=1e-3)
    assert sorted(map(tuple, np.argwhere(np.asarray(mask.dataobj)).tolist())) == marked
    assert result["volume_mm3"] == pytest.approx(len(marked) * size**3, rel=1e-3)


@settings(max_examples=12)
@given(lie=lies(tilted=False), seed=st.integers(0, 2**16))
def test_slices_cut_across_the_acquired_ones_lead_back(tmp_path_factory, lie, seed):
    """As many voxels each way, as wide as deep: coronal and sagittal ones are shown to the network as axial ones."""
    folder, generator = tmp_path_factory.mktemp("volume"), np.random.default_rng(seed)
    step = np.array(lie.step) / np.linalg.norm(lie.step) * lie.spacing[0]
    if abs(step @ np.array(lie.column)) > 1e-6:
        step = np.cross(lie.row, lie.column) * lie.spacing[0]
    cube = dicom.Lie(lie.origin, lie.row, lie.column, step, lie.spacing)
    voxels_ZYX, marked = volume((20, 20, 20), generator)
    segment(folder, dicom.write(folder / "files", dicom.series(voxels_ZYX, cube)), 20)
    wanted = [cube.point(x, y, z) for z, y, x in marked]
    same_points(points_of_nifti(folder / "mask.nii.gz"), wanted)
    same_points(points_of_seg(folder / "segmentation.dcm"), wanted)


def test_small_regions_are_left_out_of_what_the_network_saw(tmp_path):
    """A plate across the coronal slices: a line in each of them, and a whole region in an axial one."""
    cube = dicom.Lie(row=(1, 0, 0), column=(0, 0, -1), step=(0, 1, 0), spacing=(1, 1))
    voxels_ZYX = np.random.default_rng(0).integers(0, 300, (20, 20, 20)).astype(np.uint16)
    voxels_ZYX[5:15, 9, 5:15] = MARK
    study, result = segment(tmp_path, dicom.write(tmp_path / "files", dicom.series(voxels_ZYX, cube)), 20, 50)
    assert study.image["plane"] == "coronal"
    assert (result["area_pixels"], result["min_region_plane"]) == (100, "rows")
