import logging
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contract.errors import ImageError, MixedGeometry, UnsupportedFormat
from shared.volumes.scan import VolumeLimits
from tests.fakes import dicom
from trainer.volumes.dicom.series import read_series
from trainer.volumes.dicom.values import quiet

LIMITS = VolumeLimits()
MARK = 4000


def read(folder, datasets, syntax=dicom.NATIVE[1]):
    return read_series(dicom.write(folder, datasets, syntax), LIMITS)


def place_of(series, value=MARK):
    """(w, h, d) of the only voxel with this value, and where that is in the patient."""
    (d,), (h,), (w,), _ = np.nonzero(series.scan.voxels_DHWC == value)
    return (w, h, d), (series.scan.grid.affine_lps @ (w, h, d, 1))[:3]


@st.composite
def lies(draw):
    """Any turn and reflection of the row and column directions, any spacing, a tilt of up to 27 degrees."""
    quaternion = np.array(draw(st.tuples(*[st.floats(-1, 1)] * 4)))
    size = np.linalg.norm(quaternion)
    w, x, y, z = quaternion / size if size > 0.1 else (1, 0, 0, 0)
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    turn = turn[:, draw(st.permutations(range(3)))] * draw(st.tuples(*[st.sampled_from((-1, 1))] * 3))
    mm = st.floats(0.3, 6)
    apart = draw(mm)
    tilt = draw(st.sampled_from((0, 0, 0.5))) * apart * turn[:, 1]
    origin = draw(st.tuples(*[st.floats(-200, 200)] * 3))
    return dicom.Lie(origin, turn[:, 0], turn[:, 1], turn[:, 2] * apart + tilt, (draw(mm), draw(mm)))


@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_marked_voxel_keeps_its_place_in_the_patient(tmp_path_factory, data):
    lie = data.draw(lies())
    depth = data.draw(st.sampled_from((1, 3, 4, 7)))
    voxels = np.zeros((depth, data.draw(st.integers(16, 20)), data.draw(st.integers(16, 20))), np.uint16)
    z, y, x = (data.draw(st.integers(0, size - 1)) for size in voxels.shape)
    voxels[z, y, x] = MARK
    order = data.draw(st.permutations(range(depth)))
    if data.draw(st.booleans()):
        made = [dicom.enhanced(voxels, lie, order=order)]
        expected = (0, order.index(z))
    else:
        slices = dicom.series(voxels, lie)
        made, expected = [slices[index] for index in order], (order.index(z), 0)
    series = read(tmp_path_factory.mktemp("s"), made)
    (w, h, d), found = place_of(series)
    np.testing.assert_allclose(found, lie.point(x, y, z), atol=2e-3)
    grid = series.scan.grid
    along_z = int(np.argwhere(grid.in_file_order(series.scan.voxels_DHWC[..., 0]) == MARK)[0][2])
    assert series.frames[along_z] == expected
    apart = abs(np.linalg.det(np.array([lie.row, lie.column, lie.step])))
    row, column = series.scan.spacing_mm[1:]
    assert {round(row, 3), round(column, 3)} == {round(mm, 3) for mm in lie.spacing}
    if depth > 1:
        assert series.scan.spacing_mm[0] == pytest.approx(apart, abs=1e-3)


@pytest.mark.parametrize(
    ("lie", "plane"), [(dicom.AXIAL, "axial"), (dicom.CORONAL, "coronal"), (dicom.SAGITTAL, "sagittal")]
)
def test_slices_stand_as_radiologists_see_them(tmp_path, lie, plane):
    voxels = dicom.head()
    series = read(tmp_path, dicom.series(voxels, lie)[::-1])
    assert series.scan.grid.plane == plane
    # The series of `dicom` run from the feet to the head, from the front to the back and from the left to the right.
    np.testing.assert_array_equal(
        series.scan.voxels_DHWC[..., 0], voxels if plane == "axial" else voxels[::-1]
    )


def test_a_tilted_stack_is_as_far_apart_as_along_its_normal(tmp_path):
    series = read(tmp_path, dicom.series(dicom.head(), dicom.TILTED))
    assert series.scan.spacing_mm == (3.0, 0.9, 0.8)
    assert series.scan.grid.voxel_mm3 == pytest.approx(3 * 0.9 * 0.8)


@pytest.mark.parametrize("sop_class", [dicom.ENHANCED, dicom.LEGACY])
@pytest.mark.parametrize(
    "shared",
    [
        (),
        ("PlaneOrientationSequence", "PixelMeasuresSequence"),
        (
            "PlaneOrientationSequence",
            "PixelMeasuresSequence",
            "PixelValueTransformationSequence",
            "FrameVOILUTSequence",
        ),
    ],
)
def test_a_multi_frame_file_is_the_same_volume(tmp_path, sop_class, shared):
    voxels = dicom.head()
    one = read(
        tmp_path / "one", [dicom.enhanced(voxels, order=[3, 1, 4, 0, 2], sop_class=sop_class, shared=shared)]
    )
    many = read(tmp_path / "many", dicom.series(voxels))
    np.testing.assert_array_equal(one.scan.voxels_DHWC, many.scan.voxels_DHWC)
    np.testing.assert_allclose(one.scan.grid.affine, many.scan.grid.affine)
    assert one.frames == [(0, 3), (0, 1), (0, 4), (0, 0), (0, 2)]
    assert one.scan.window is not None


def test_several_multi_frame_files_may_be_one_stack(tmp_path):
    voxels = dicom.head((6, 24, 20))
    whole = dicom.enhanced(voxels)
    parts = [dicom.enhanced(voxels, order=order) for order in ((5, 1, 3), (0, 2, 4))]
    with pytest.raises(MixedGeometry, match="SOPInstanceUID"):
        read(tmp_path, parts)
    parts[1].SOPInstanceUID = parts[1].file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    series = read(tmp_path, parts)
    np.testing.assert_array_equal(series.scan.voxels_DHWC[..., 0], voxels)
    assert series.frames == [(1, 0), (0, 1), (1, 1), (0, 2), (1, 2), (0, 0)]
    assert series.sources[0].SeriesInstanceUID == whole.SeriesInstanceUID


def test_sources_keep_everything_but_the_pixels(tmp_path):
    made = dicom.series(dicom.head(), **dicom.planted("CANARY"))
    made[0].add_new(0x00291010, "OB", b"private ")
    series = read(tmp_path, made)
    for source, dataset in zip(series.sources, made, strict=True):
        del dataset.PixelData
        assert source == dataset
        assert source.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


def test_a_dicomdir_beside_the_slices_is_skipped(tmp_path):
    listing = dicom.series(dicom.head((1, 24, 20)), seed=7, SOPClassUID="1.2.840.10008.1.3.10")[0]
    series = read(tmp_path, [listing, *dicom.series(dicom.head())])
    assert series.frames == [(index, 0) for index in range(5)]
    with pytest.raises(UnsupportedFormat, match="no DICOM image"):
        read(tmp_path, [listing])


def test_remarks_say_what_is_worth_knowing(tmp_path):
    made = dicom.series(dicom.head(), BurnedInAnnotation="YES", LossyImageCompression="01")
    remarks = read(tmp_path, made).scan.remarks
    assert [remark["code"] for remark in remarks] == ["burned_in_annotation", "lossy_compression"]


def test_progress_is_told_and_may_end_the_reading(tmp_path):
    paths = dicom.write(tmp_path, dicom.series(dicom.head()))
    shares = []
    read_series(paths, LIMITS, shares.append)
    assert shares == [0.2, 0.4, 0.6, 0.8, 1.0]

    class Cancelled(Exception):
        pass

    def cancel(share):
        raise Cancelled

    with pytest.raises(Cancelled):
        read_series(paths, LIMITS, cancel)


CANARY = dicom.planted("CANARY")
BROKEN = {
    "several series": [
        *dicom.series(dicom.head((3, 24, 20)), **CANARY),
        *dicom.series(dicom.head(), seed=3, **CANARY),
    ],
    "modality": dicom.series(dicom.head(), **CANARY, Modality="CANARY"),
    "photometric": dicom.series(dicom.head(), **CANARY, PhotometricInterpretation="CANARY"),
    "position": dicom.series(dicom.head(), **CANARY, ImagePositionPatient=None),
    "hole": [slice_ for z, slice_ in enumerate(dicom.series(dicom.head(), **CANARY)) if z != 2],
    "twice": dicom.series(dicom.head(), **CANARY) * 2,
    "bits": dicom.series(dicom.head(), **CANARY, BitsStored=0),
}


@pytest.mark.parametrize("name", BROKEN)
def test_no_error_log_or_warning_holds_anything_of_the_patient(tmp_path, name, caplog, capfd):
    folder = tmp_path / "CANARY"
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        with pytest.raises(ImageError) as refused:
            read(folder, BROKEN[name])
    uids = [BROKEN[name][0].SeriesInstanceUID, BROKEN[name][0].SOPInstanceUID]
    told = [refused.value.detail, *map(str, caught), caplog.text, *capfd.readouterr()]
    assert not any(secret in text for secret in ("CANARY", *uids) for text in told)
    assert refused.value.detail.endswith(".")


def test_a_folder_of_ones_own_is_read_or_refused_by_name():
    """DICOM_DIR=FOLDER: every folder in it with files is one series."""
    root = os.environ.get("DICOM_DIR")
    if not root:
        pytest.skip("DICOM_DIR names no folder")
    for folder in sorted({path.parent for path in Path(root).rglob("*") if path.is_file()}):
        try:
            scan = read_series(sorted(path for path in folder.iterdir() if path.is_file()), LIMITS).scan
        except ImageError as error:
            print(folder.name, error.code, error.detail)
        else:
            assert np.isfinite(scan.voxels_DHWC).all()


def test_quiet_gives_the_level_back():
    logger = logging.getLogger("pydicom")
    before = logger.level
    with quiet():
        assert not logging.getLogger("pydicom.pixels").isEnabledFor(logging.CRITICAL)
    assert logger.level == before
