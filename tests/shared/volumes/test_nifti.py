"""NIfTI: geometry by the affine, hostile headers and streams refused by name, and nothing inflated in vain."""

import gzip
import tracemalloc
import zlib

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
from shared.volumes.nifti import read, read_grid
from shared.volumes.scan import VolumeLimits
from tests.fakes.volumes import LPS, SHAPE, head, nifti

VOXELS = head(0)
PLAIN = nifti(VOXELS, packed=False)
COUNTED = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("version", [1, 2])
def test_a_file_of_brats_is_only_transposed(version: int, packed: bool) -> None:
    volume = read(nifti(VOXELS, packed=packed, version=version))
    np.testing.assert_array_equal(volume.voxels_DHW, VOXELS.transpose(2, 1, 0))
    assert volume.voxels_DHW.dtype == np.int16 and volume.voxels_DHW.flags.c_contiguous
    assert volume.grid.shape == (6, 24, 20) and volume.grid.spacing_mm == (1, 1, 1)


@pytest.mark.parametrize("codes", ["LPS", "RAS", "SRA", "PIR", "ALI", "IRP"])
def test_the_picture_stands_the_same_however_the_file_is_turned(codes: str) -> None:
    image = nib.Nifti1Image(np.pad(COUNTED, ((0, 0), (0, 0), (5, 9))), np.diag([0.5, 0.75, 3, 1]) @ LPS)
    wanted = nib.orientations.axcodes2ornt(codes)
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(nib.orientations.io_orientation(image.affine), wanted)
    )
    straight, volume = read(image.to_bytes()), read(turned.to_bytes())
    np.testing.assert_array_equal(volume.voxels_DHW, straight.voxels_DHW)
    np.testing.assert_allclose(volume.grid.affine, straight.grid.affine, atol=1e-5)
    assert volume.grid.spacing_mm == (3, 0.75, 0.5)
    np.testing.assert_array_equal(volume.grid.to_file(volume.voxels_DHW), np.asanyarray(turned.dataobj))


def test_rows_run_to_the_back_and_columns_to_the_left() -> None:
    grid = read_grid(nifti(VOXELS, np.diag([1.0, 1, 1, 1])))
    step_mm = grid.affine[:3, :3]
    assert step_mm[:, 0].tolist() == [0, 0, 1]  # slices to the head
    assert step_mm[:, 1].tolist() == [0, -1, 0]
    assert step_mm[:, 2].tolist() == [-1, 0, 0]


def test_an_oblique_volume_has_its_spacing_along_its_own_axes() -> None:
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([-0.5, -0.7, 2])
    assert read_grid(nifti(VOXELS, affine)).spacing_mm == pytest.approx((2, 0.7, 0.5), rel=1e-4)


@pytest.mark.parametrize("shape", [(20, 24), (20, 24, 1), (20, 24, 1, 1), (20, 24, 6, 1)])
def test_single_slices_and_axes_of_one_are_taken(shape: tuple[int, ...]) -> None:
    voxels = COUNTED.ravel()[: np.prod(shape)].reshape(shape)
    volume = read(nib.Nifti1Image(voxels, LPS).to_bytes())
    assert volume.voxels_DHW.shape == ((shape + (1,))[2], 24, 20)
    np.testing.assert_array_equal(volume.grid.to_file(volume.voxels_DHW), voxels)


@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", ">i2", ">f4"])
def test_every_type_of_number_is_read(kind: str) -> None:
    voxels = (COUNTED % 100).astype(kind)
    image = nib.Nifti1Image(voxels, LPS, nib.Nifti1Header(endianness=">" if kind[0] == ">" else "<"))
    image.set_data_dtype(voxels.dtype)
    volume = read(image.to_bytes())
    np.testing.assert_array_equal(volume.voxels_DHW, voxels.transpose(2, 1, 0))
    assert volume.voxels_DHW.dtype.isnative and volume.voxels_DHW.dtype != np.float64


def test_slope_and_intercept_are_applied() -> None:
    volume = read(nifti(VOXELS, scl_slope=0.5, scl_inter=-10))
    np.testing.assert_allclose(volume.voxels_DHW, VOXELS.transpose(2, 1, 0) * 0.5 - 10)
    unscaled = read(nifti(VOXELS, scl_slope=0, scl_inter=7))
    np.testing.assert_array_equal(unscaled.voxels_DHW, VOXELS.transpose(2, 1, 0))


def test_what_is_no_number_takes_the_lowest_value_and_is_counted() -> None:
    voxels = VOXELS.astype(np.float32) - 50
    voxels[3, 3, 3], voxels[4, 4, 4], voxels[5, 5, 5] = np.nan, np.inf, -np.inf
    volume = read(nifti(voxels))
    assert volume.not_finite == 3 and volume.voxels_DHW[3, 3, 3] == volume.voxels_DHW[4, 4, 4] == -50
    assert read(nifti(VOXELS)).not_finite == 0
    with pytest.raises(UndecodableImage, match="no finite number"):
        read(nifti(np.full(SHAPE, np.nan, np.float32)))


@pytest.mark.parametrize(("units", "factor"), [(0, 1), (1, 1000), (2, 1), (3, 0.001)])
def test_units_other_than_millimetres_are_converted(units: int, factor: float) -> None:
    grid = read_grid(nifti(VOXELS, np.diag([-2.0, -2, 2, 1]) / factor, xyzt_units=units))
    assert grid.spacing_mm == pytest.approx((2, 2, 2))


@pytest.mark.parametrize(("qfac", "depth"), [(1, 1), (0, 1), (2, 1), (np.nan, 1), (-1, -1), (-3, -1)])
def test_a_qform_turns_the_third_axis_round_where_qfac_is_negative_and_only_then(
    qfac: float, depth: int
) -> None:
    sizes = [qfac, 1, 1, 1, 0, 0, 0, 0]
    grid = read_grid(nifti(VOXELS, np.eye(4), sform_code=0, qform_code=1, pixdim=sizes))
    np.testing.assert_allclose(grid.file_affine, np.diag([1, 1, depth, 1]))


def dims(*sizes: int) -> list[int]:
    return [*sizes, *[1] * (8 - len(sizes))]


@pytest.mark.parametrize(
    ("fields", "error", "said"),
    [
        ({"dim": dims(3, 32767, 32767, 32767)}, TooManyPixels, "at most"),
        ({"dim": dims(3, 4000, 4000, 4000)}, TooManyPixels, "at most"),
        ({"dim": dims(3, 20, 24, 60)}, UndecodableImage, "cut short"),
        ({"dim": dims(3, 20, 24, -6)}, UndecodableImage, "no sense"),
        ({"dim": dims(3, 20, 24, 0)}, UndecodableImage, "no sense"),
        ({"dim": dims(0, 20, 24, 6)}, UndecodableImage, "no sense"),
        ({"dim": dims(99, 20, 24, 6)}, UndecodableImage, "no sense"),
        ({"dim": dims(1, 2880)}, UnsupportedFormat, "one volume"),
        ({"dim": dims(4, 20, 24, 3, 2)}, UnsupportedFormat, "one volume"),
        ({"dim": dims(3, 12, 24, 10)}, ImageTooSmall, "at least 16"),
        ({"datatype": 128, "bitpix": 24}, UnsupportedFormat, "RGB"),
        ({"datatype": 32, "bitpix": 64}, UnsupportedFormat, "complex"),
        ({"datatype": 77}, UnsupportedFormat, "unknown"),
        ({"bitpix": 64}, UndecodableImage, "contradict"),
        ({"vox_offset": np.nan}, UndecodableImage, "where the voxels begin"),
        ({"vox_offset": -1}, UndecodableImage, "where the voxels begin"),
        ({"vox_offset": 3e9}, UndecodableImage, "where the voxels begin"),
        ({"vox_offset": 100}, UndecodableImage, "where the voxels begin"),
        ({"magic": b"ni1"}, UnsupportedFormat, "Only the header"),
        ({"srow_x": [0, 0, 0, 0]}, UndecodableImage, "how the voxels lie"),
        ({"srow_x": [np.nan, 0, 0, 0]}, UndecodableImage, "how the voxels lie"),
        ({"sform_code": 0, "qform_code": 1, "quatern_b": 9}, UndecodableImage, "how the voxels lie"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packed", [True, False])
def test_a_header_that_makes_no_sense_is_refused_by_name(
    packed: bool, fields: dict, error: type[ImageError], said: str
) -> None:
    with pytest.raises(error, match=said):
        read(nifti(VOXELS, packed=packed, **fields))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyImage), (b"hello", UnsupportedFormat), (gzip.compress(b"hello"), UnsupportedFormat),
        (PLAIN[:200], UnsupportedFormat), (PLAIN[:-1], UndecodableImage), (PLAIN + bytes(9000), UndecodableImage),
        (gzip.compress(PLAIN)[:-20], UndecodableImage), (gzip.compress(PLAIN)[:40], UndecodableImage),
        (gzip.compress(PLAIN[:-1]), UndecodableImage), (gzip.compress(PLAIN + bytes(9000)), UndecodableImage),
        (gzip.compress(PLAIN)[:-8] + bytes(8), UndecodableImage), (b"\x1f\x8b" + bytes(50), UndecodableImage),
    ],
)  # fmt: skip
def test_damaged_bytes_are_refused(data: bytes, error: type[ImageError]) -> None:
    with pytest.raises(error) as caught:
        read(data)
    assert "/" not in caught.value.detail and caught.value.detail.endswith(".")


def test_a_stream_in_several_members_is_one_file() -> None:
    data = gzip.compress(PLAIN[:1000]) + gzip.compress(PLAIN[1000:]) + bytes(100)
    np.testing.assert_array_equal(read(data).voxels_DHW, VOXELS.transpose(2, 1, 0))


def test_a_stream_in_ten_thousand_members_is_read_and_no_more_are_looked_at() -> None:
    empty = gzip.compress(b"")
    most = empty * 9998 + gzip.compress(PLAIN[:1000]) + gzip.compress(PLAIN[1000:])
    np.testing.assert_array_equal(read(most).voxels_DHW, VOXELS.transpose(2, 1, 0))
    for data in (empty + most, most + empty, empty * 200_000):
        with pytest.raises(UndecodableImage, match="more than 10,000 members"):
            read(data)


def test_a_bomb_is_not_inflated() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(PLAIN) + packer.compress(bytes(200_000_000)) + packer.flush()
    tracemalloc.start()
    try:
        with pytest.raises(UndecodableImage, match="more than its header says"):
            read(bomb)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_limits_are_the_callers() -> None:
    with pytest.raises(TooManyPixels, match="2879"):
        read(PLAIN, VolumeLimits(max_voxels=2879))
    assert read_grid(PLAIN, VolumeLimits(max_voxels=2880)).shape == (6, 24, 20)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 347), st.binary(min_size=1, max_size=8))
def test_no_header_breaks_anything_but_the_file(place: int, junk: bytes) -> None:
    data = PLAIN[:place] + junk + PLAIN[place + len(junk) :]
    try:
        assert read(data, VolumeLimits(max_voxels=1 << 16)).voxels_DHW.size <= 1 << 16
    except ImageError as error:
        assert error.detail
