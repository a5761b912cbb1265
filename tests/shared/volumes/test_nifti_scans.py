"""NIfTI as volumes to segment: slabs of any plane, sequences along a fourth axis, and no more memory than is needed."""

import gzip
import tempfile
import tracemalloc
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contract.errors import (
    EmptyImage,
    ImageError,
    ImageTooSmall,
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
)
from shared.volumes import nifti as datasets
from shared.volumes.nifti_scans import read_scans
from shared.volumes.scan import Scan, VolumeLimits
from tests.fakes.volumes import LPS, SHAPE, head, nifti

VOXELS = head(0)
FOUR = np.stack([head(seed) for seed in range(4)], axis=-1)
LIMITS = VolumeLimits(max_voxels=1 << 20)


def scans_of(data: bytes, limits: VolumeLimits = LIMITS) -> list[Scan]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return read_scans(Path(file.name), limits)


def scan_of(data: bytes, limits: VolumeLimits = LIMITS) -> Scan:
    (scan,) = scans_of(data, limits)
    return scan


# --- one volume -----------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_a_volume_is_what_the_datasets_reader_makes_of_it(packed: bool, version: int) -> None:
    data = nifti(VOXELS, packed=packed, version=version)
    scan, volume = scan_of(data), datasets.read(data)
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], volume.voxels_DHW)
    assert scan.voxels_DHWC.shape == (6, 24, 20, 1)
    assert (scan.format, scan.bit_depth, scan.window, scan.remarks) == ("NIfTI", 16, None, [])
    assert (scan.spacing_mm, scan.spacing_source) == ((1, 1, 1), "nifti")


def test_eight_bits_stay_eight_bits() -> None:
    scan = scan_of(nifti((VOXELS // 2).astype(np.uint8)))
    assert scan.bit_depth == 8 and scan.voxels_DHWC.dtype == np.uint8


def test_what_is_no_number_is_counted_in_a_remark() -> None:
    voxels = VOXELS.astype(np.float32)
    voxels[3, 3, 3], voxels[4, 4, 4] = np.nan, np.inf
    scan = scan_of(nifti(voxels))
    (remark,) = scan.remarks
    assert remark["code"] == "not_finite_voxels" and remark["detail"].startswith("2 voxels")
    assert np.isfinite(scan.voxels_DHWC).all()


# --- how it lies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "plane", "sizes"),
    [
        ((20, 24, 5), "axial", (5, 24, 20)),
        ((20, 5, 24), "coronal", (5, 24, 20)),
        ((5, 20, 24), "sagittal", (5, 24, 20)),
        ((20, 24, 17), "axial", (17, 24, 20)),
        ((20, 17, 24), "axial", (24, 17, 20)),
        ((20, 15, 24), "coronal", (15, 24, 20)),
        ((20, 1, 24), "coronal", (1, 24, 20)),
        ((20, 24, 1), "axial", (1, 24, 20)),
        ((20, 16, 200), "axial", (200, 16, 20)),
    ],
)
def test_slices_are_axial_unless_the_volume_is_too_thin_for_that(
    shape: tuple[int, int, int], plane: str, sizes: tuple[int, int, int]
) -> None:
    grid = scan_of(nifti(np.zeros(shape, np.uint8))).grid
    assert (grid.plane, grid.shape) == (plane, sizes)


@pytest.mark.parametrize("shape", [(10, 12, 24), (12, 24, 10), (4, 4, 4)])
def test_a_volume_that_is_thin_in_two_ways_is_too_small(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ImageTooSmall, match="at least 16"):
        scan_of(nifti(np.zeros(shape, np.uint8)))


CODES = [
    "".join(pair[turn] for pair, turn in zip(pairs, turns, strict=True))
    for pairs in (("LR", "AP", "SI"), ("SI", "LR", "AP"), ("AP", "SI", "LR"), ("AP", "LR", "SI"))
    for turns in np.ndindex(2, 2, 2)
]
_WORLD = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "I": (2, -1), "S": (2, 1)}
# Per plane: where slices, rows and columns lead to on a radiologist's screen.
_SCREEN = {"axial": "SPL", "coronal": "AIL", "sagittal": "LIP"}


@settings(max_examples=150, deadline=None)
@given(
    codes=st.sampled_from(CODES),
    sizes=st.tuples(st.integers(16, 24), st.integers(16, 24)),
    thin=st.integers(1, 15),
    world=st.integers(0, 2),
    angles=st.tuples(*[st.floats(-25, 25)] * 3),
)
def test_a_thin_slab_stands_as_radiologists_see_it_however_the_file_is_turned(
    codes: str, sizes: tuple[int, int], thin: int, world: int, angles: tuple[float, float, float]
) -> None:
    """`world` is the direction in the patient in which the slab is thin: left-right, back-front or feet-head."""
    there = [0, 0, 0]
    there[world] = thin
    there[(world + 1) % 3], there[(world + 2) % 3] = sizes
    shape = tuple(there[_WORLD[code][0]] for code in codes)
    affine = np.eye(4)
    for axis, code in enumerate(codes):
        row, sign = _WORLD[code]
        affine[:3, axis] = np.eye(3)[row] * sign * (0.5, 0.75, 3.0)[axis]
    affine[:3, :3] = turned(angles) @ affine[:3, :3]
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    scan = scan_of(nifti(voxels, affine))
    grid = scan.grid

    assert grid.plane == ("sagittal", "coronal", "axial")[world] and grid.shape[0] == thin
    for axis, direction in enumerate(_SCREEN[grid.plane]):
        row, sign = _WORLD[direction]
        step = grid.affine[:3, axis]
        assert np.abs(step).argmax() == row and np.sign(step[row]) == sign
    # A voxel lies where the file says, wherever it stands in the picture.
    values_DHW = scan.voxels_DHWC[..., 0]
    place = tuple(size // 3 for size in grid.shape)
    found = np.argwhere(voxels == values_DHW[place])[0]
    np.testing.assert_allclose(
        (grid.affine @ (*place, 1))[:3], (nifti_affine(voxels, affine) @ (*found, 1))[:3], atol=1e-3
    )
    np.testing.assert_array_equal(grid.to_file(values_DHW), voxels)
    steps = np.linalg.norm(grid.affine[:3, :3], axis=0)
    assert scan.spacing_mm == pytest.approx(tuple(steps), rel=1e-4)


def turned(angles: tuple[float, float, float]) -> np.ndarray:
    """A rotation by these degrees about the three axes, one after the other, with no axis nearer to another's."""
    turn = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(angles) / 2):
        one, two = (axis + 1) % 3, (axis + 2) % 3
        about = np.eye(3)
        about[one, one] = about[two, two] = np.cos(angle)
        about[one, two], about[two, one] = -np.sin(angle), np.sin(angle)
        turn = about @ turn
    return turn


def nifti_affine(voxels: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """As the file has it, in single precision."""
    return nib.Nifti1Image.from_bytes(nifti(voxels, affine, packed=False)).affine


def test_a_file_that_does_not_say_how_the_patient_lies_has_a_remark() -> None:
    scan = scan_of(nifti(VOXELS, sform_code=0, qform_code=0))
    assert [remark["code"] for remark in scan.remarks] == ["orientation_not_stated"]
    assert scan.spacing_mm == (1, 1, 1)
    assert scan_of(nifti(VOXELS, sform_code=0, qform_code=1)).remarks == []


def test_a_file_that_says_two_places_has_a_remark() -> None:
    elsewhere = {"qform_code": 1, "qoffset_x": 99.0}
    (remark,) = scan_of(nifti(VOXELS, **elsewhere)).remarks
    assert remark["code"] == "orientation_contradicts" and "mm apart" in remark["detail"]
    assert scan_of(nifti(VOXELS, qform_code=1)).remarks == []
    (remark,) = scan_of(nifti(VOXELS, quatern_b=7.0, **elsewhere)).remarks  # no rotation at all
    assert remark["code"] == "orientation_repaired" and "the sform was taken" in remark["detail"]


@pytest.mark.parametrize(
    ("qform_code", "size"), [(0, 0), (0, np.nan), (0, np.inf), (0, -1), (1, 0), (1, np.nan), (1, np.inf)]
)
def test_without_sizes_of_voxels_nothing_is_said_in_millimetres(qform_code: int, size: float) -> None:
    sizes = [1, size, size, size, 0, 0, 0, 0]
    scan = scan_of(nifti(VOXELS, sform_code=0, qform_code=qform_code, pixdim=sizes))
    assert scan.spacing_mm == (None, None, None) and scan.spacing_source is None
    assert scan.grid.spacing_mm is None
    assert scan_of(nifti(VOXELS, pixdim=sizes)).spacing_mm == (1, 1, 1)  # the sform has them


def test_voxels_of_a_kilometre_are_of_no_known_size() -> None:
    assert scan_of(nifti(VOXELS, np.diag([2e6, 2e6, 2e6, 1]))).spacing_source is None


# --- several volumes ------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("count", [2, 4, 8])
def test_volumes_along_a_fourth_axis_are_scans_on_one_grid(packed: bool, count: int) -> None:
    voxels = np.stack([head(seed) for seed in range(count)], axis=-1)
    scans = scans_of(nifti(voxels, packed=packed))
    assert len(scans) == count
    for number, scan in enumerate(scans):
        alone = scan_of(nifti(voxels[..., number]))
        np.testing.assert_array_equal(scan.voxels_DHWC, alone.voxels_DHWC)
        assert scan.spacing_mm == alone.spacing_mm and scan.grid.file_shape == SHAPE
        np.testing.assert_array_equal(scan.grid.affine, alone.grid.affine)
    assert scans[0].grid.to_file(scans[0].voxels_DHWC[..., 0]).shape == SHAPE


def test_each_volume_of_a_file_is_scaled_and_has_its_own_remarks() -> None:
    voxels = FOUR.astype(np.float32)
    voxels[3, 3, 3, 2] = np.nan
    scans = scans_of(nifti(voxels, scl_slope=0.5, scl_inter=-10))
    assert [len(scan.remarks) for scan in scans] == [0, 0, 1, 0]
    np.testing.assert_allclose(scans[3].voxels_DHWC[..., 0], FOUR[..., 3].transpose(2, 1, 0) * 0.5 - 10)


def test_a_fourth_axis_of_thin_slabs_or_of_single_slices_is_taken() -> None:
    assert [s.grid.plane for s in scans_of(nifti(np.zeros((20, 5, 24, 3), np.uint8)))] == ["coronal"] * 3
    assert scans_of(nifti(np.zeros((20, 24, 1, 4), np.uint8)))[3].grid.shape == (1, 24, 20)


@pytest.mark.parametrize("shape", [(20, 24, 6, 1), (20, 24, 6, 1, 1)])
def test_a_fourth_axis_of_one_is_one_volume(shape: tuple[int, ...]) -> None:
    scan = scan_of(nifti(VOXELS.reshape(shape)))
    assert scan.grid.to_file(scan.voxels_DHWC[..., 0]).shape == shape


@pytest.mark.parametrize("shape", [(16, 16, 2, 9), (16, 16, 2, 2, 2), (16, 16, 2, 1, 3), (16, 16, 1, 30)])
def test_more_volumes_or_axes_are_refused(shape: tuple[int, ...]) -> None:
    listed = " x ".join(map(str, shape))
    with pytest.raises(UnsupportedFormat, match=f"{listed} voxels.*up to 8 volumes"):
        scans_of(nifti(np.zeros(shape, np.uint8)))


def test_datasets_still_take_one_volume_a_file() -> None:
    with pytest.raises(UnsupportedFormat, match="one volume"):
        datasets.read(nifti(FOUR))


# --- what lies ------------------------------------------------------------------------------------


def dims(*sizes: int) -> list[int]:
    return [*sizes, *[1] * (8 - len(sizes))]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"dim": dims(4, 32767, 32767, 32767, 8)}, TooManyPixels, "at most"),
        ({"dim": dims(4, 200, 200, 200, 8)}, TooManyPixels, "at most"),
        ({"dim": dims(4, 20, 24, 6, 5)}, UndecodableImage, "cut short"),
        ({"dim": dims(4, 20, 24, 6, 3)}, UndecodableImage, "more than its header says"),
        ({"dim": dims(4, 20, 24, 6, -4)}, UndecodableImage, "no sense"),
        ({"dim": dims(4, 20, 24, 6, 0)}, UndecodableImage, "no sense"),
        ({"dim": dims(4, 20, 24, 6, 32767)}, UnsupportedFormat, "up to 8"),
        ({"dim": dims(7, 20, 24, 6, 4, 1, 1, 2)}, UnsupportedFormat, "up to 8"),
        ({"datatype": 128, "bitpix": 24}, UnsupportedFormat, "RGB"),
        ({"datatype": 32, "bitpix": 64}, UnsupportedFormat, "complex"),
        ({"vox_offset": 100}, UndecodableImage, "where the voxels begin"),
        ({"vox_offset": 1 << 23}, UndecodableImage, "cut short"),
        ({"srow_x": [0, 0, 0, 0]}, UndecodableImage, "how the voxels lie"),
        ({"magic": b"ni1"}, UnsupportedFormat, "Only the header"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [True, False])
def test_a_header_of_several_volumes_that_makes_no_sense_is_refused_by_name(
    packed: bool, fields: dict, error: type[ImageError], said: str
) -> None:
    slack = np.concatenate([FOUR, np.zeros_like(FOUR)], axis=-1) if "more than" in said else FOUR
    fields = {"dim": dims(4, *FOUR.shape)} | fields
    with pytest.raises(error, match=said):
        scans_of(nifti(slack, packed=packed, **fields))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyImage), (b"hello", UnsupportedFormat), (gzip.compress(b"hello"), UnsupportedFormat),
        (nifti(FOUR)[:-20], UndecodableImage), (nifti(FOUR, packed=False)[:-1], UndecodableImage),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(data: bytes, error: type[ImageError]) -> None:
    with pytest.raises(error) as caught:
        scans_of(data)
    assert "/" not in caught.value.detail and caught.value.detail.endswith(".")


def test_a_bomb_of_several_volumes_is_not_inflated() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(nifti(FOUR, packed=False)) + packer.compress(bytes(200_000_000)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableImage, match="more than its header says"):
            scans_of(bomb)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("kind", ["f8", "f4", "i2", ">f8"])
def test_memory_is_hardly_more_than_that_of_the_values(packed: bool, kind: str) -> None:
    shape = (128, 128, 64)
    voxels = np.random.default_rng(0).integers(0, 1000, shape).astype(kind)
    voxels[0, 0, 0] = np.nan if "f" in kind else 0
    header = nib.Nifti1Header(endianness=">" if kind[0] == ">" else "<")
    image = nib.Nifti1Image(voxels, LPS, header)
    image.set_data_dtype(voxels.dtype)
    data = gzip.compress(image.to_bytes(), 1) if packed else image.to_bytes()
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        tracemalloc.start()
        try:
            read_scans(Path(file.name), VolumeLimits())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 2 * np.prod(shape) * 4


PLAIN = nifti(FOUR, packed=False)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 347), st.binary(min_size=1, max_size=8))
def test_no_header_breaks_anything_but_the_file(place: int, junk: bytes) -> None:
    data = PLAIN[:place] + junk + PLAIN[place + len(junk) :]
    try:
        scans = scans_of(data, VolumeLimits(max_voxels=1 << 16))
    except ImageError as error:
        assert error.detail.endswith(".")
    else:
        assert sum(scan.voxels_DHWC.size for scan in scans) <= 1 << 16
        assert all(np.isfinite(scan.voxels_DHWC).all() for scan in scans)
