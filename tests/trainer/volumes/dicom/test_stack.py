import numpy as np
import pytest

from shared.contract.errors import (
    DuplicatePositions,
    ImageTooSmall,
    MissingGeometry,
    MissingSlices,
    MixedGeometry,
    MixedOrientation,
    SeveralSeries,
    TooFewSlices,
    TooManyPixels,
    UnevenGaps,
    UnsupportedFormat,
)
from shared.volumes.scan import VolumeLimits
from tests.fakes import dicom
from trainer.volumes.dicom.series import read_series

LIMITS = VolumeLimits()


@pytest.fixture
def read(tmp_path):
    def read_datasets(datasets, limits=LIMITS):
        return read_series(dicom.write(tmp_path / "in", datasets), limits)

    return read_datasets


def slices(count=6, lie=dicom.AXIAL, **attributes):
    return dicom.series(dicom.head((count, 24, 20)), lie, **attributes)


def at(heights, **attributes):
    """Axial slices at these heights."""
    made = slices(len(heights), **attributes)
    for dataset, height in zip(made, heights, strict=True):
        dataset.ImagePositionPatient = dicom.decimals([-8, -12, height])
    return made


def test_more_than_one_series_is_refused(read):
    with pytest.raises(SeveralSeries, match="2 series"):
        read([*slices(3), *slices(3, seed=9)])


def test_more_than_one_frame_of_reference_is_refused(read):
    made = slices()
    made[2].FrameOfReferenceUID = "1.2.3"
    with pytest.raises(MixedGeometry, match="frames of reference"):
        read(made)


def test_no_frame_of_reference_is_taken(read):
    assert read(slices(FrameOfReferenceUID=None)).scan.grid.shape == (6, 24, 20)


def test_other_sizes_and_spacings_and_colours_are_refused(read):
    odd = dicom.series(dicom.head((6, 20, 24)))
    with pytest.raises(MixedGeometry, match="sizes"):
        read([*slices()[:5], odd[5]])
    with pytest.raises(MixedGeometry, match="spacings"):
        read([*slices()[:5], *slices(PixelSpacing=["0.9", "0.81"])[5:]])
    with pytest.raises(MixedGeometry, match="kinds"):
        read([*slices()[:5], *slices(PhotometricInterpretation="MONOCHROME1")[5:]])


def test_a_localiser_is_refused(read):
    lies = (dicom.AXIAL, dicom.CORONAL, dicom.SAGITTAL)
    with pytest.raises(MixedOrientation):
        read([dataset for lie in lies for dataset in slices(1, lie)])


@pytest.mark.parametrize(("degrees", "taken"), [(0.05, True), (0.2, False)])
def test_slices_may_differ_by_rounding_and_by_no_more(read, degrees, taken):
    made = slices()
    turn = np.radians(degrees)
    made[3].ImageOrientationPatient = dicom.decimals(
        [np.cos(turn), np.sin(turn), 0, -np.sin(turn), np.cos(turn), 0]
    )
    if taken:
        read(made)
    else:
        with pytest.raises(MixedOrientation):
            read(made)


@pytest.mark.parametrize("heights", [(0, 3, 3, 6), (0, 3, 3.005, 6), (0, 0, 3, 3, 6, 6), (3, 3)])
def test_two_slices_at_one_place_are_refused(read, heights):
    with pytest.raises(DuplicatePositions):
        read(at(heights))


def test_the_same_file_twice_is_refused(read):
    made = slices()
    with pytest.raises(DuplicatePositions, match="Slices 3 and 4 "):
        read([*made, made[2]])


@pytest.mark.parametrize(
    ("heights", "says"),
    [
        ((0, 3, 9, 12), r"^1 slice is missing \(1 after slice 2,"),
        ((0, 3, 12, 15, 18, 24, 27), r"^3 slices are missing \(2 after slice 2, 1 after slice 5,"),
        ((0, 1, 3), r"^1 slice is missing \(1 after slice 2,"),
        ((0, 2.99, 9.02, 12), r"^1 slice is missing"),
    ],
)
def test_missing_slices_are_counted(read, heights, says):
    with pytest.raises(MissingSlices, match=says):
        read(at(heights))


@pytest.mark.parametrize(
    "heights",
    [
        (0, 3, 6, 10, 13),
        (0, 3, 6.1, 9.1),
        (0, 3, 6, 7.5, 10.5),
        (0, 3, 9, 12, 16),
        (0, 0.05, 5, 5.05, 10, 10.05),
    ],
)
def test_uneven_gaps_are_refused(read, heights):
    with pytest.raises(UnevenGaps):
        read(at(heights))


def test_rounding_of_positions_is_taken(read):
    assert read(at((0, 3.01, 6, 9.01, 12.01))).scan.spacing_mm[0] == pytest.approx(3.0025)


def test_gaps_that_grow_are_refused(read):
    """Each is within the tolerance of the middle one, and the stack is bent all the same."""
    made = dicom.enhanced(dicom.head((302, 24, 20)))
    heights = [0, *np.cumsum(np.linspace(2.971, 3.029, 301))]
    for groups, height in zip(made.PerFrameFunctionalGroupsSequence, heights, strict=True):
        groups.PlanePositionSequence[0].ImagePositionPatient = dicom.decimals([-8, -12, height])
    with pytest.raises(UnevenGaps, match="straight line"):
        read([made])


def test_slices_that_drift_sideways_are_refused(read):
    made = slices()
    made[3].ImagePositionPatient = dicom.decimals(dicom.AXIAL.position(3) + (1.2, 0, 0))
    with pytest.raises(UnevenGaps, match="straight line"):
        read(made)


def test_slices_that_are_shifted_by_more_than_their_distance_are_refused(read):
    with pytest.raises(MixedGeometry, match="sideways"):
        read(slices(lie=dicom.Lie(step=(0, 4, 3))))


def test_two_slices_are_too_few(read):
    with pytest.raises(TooFewSlices):
        read(slices(2))


@pytest.mark.parametrize(
    ("attributes", "distance"),
    [
        ({}, 3.0),
        ({"SpacingBetweenSlices": None, "SliceThickness": "5"}, 5.0),
        ({"SpacingBetweenSlices": "0", "SliceThickness": "5"}, 5.0),
        ({"SpacingBetweenSlices": None, "SliceThickness": ""}, None),
    ],
)
def test_a_single_slice_is_as_thick_as_its_header_says(read, attributes, distance):
    scan = read(slices(1, **attributes)).scan
    assert scan.spacing_mm == (distance, 0.9, 0.8)
    assert scan.grid.spacing_mm == (distance or 1.0, 0.9, 0.8)


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImagePositionPatient": None},
        {"ImagePositionPatient": ["1", "2"]},
        {"ImagePositionPatient": ["1e9", "0", "0"]},
        {"ImageOrientationPatient": None},
        {"ImageOrientationPatient": ["1", "0", "0", "1", "0", "0"]},
        {"ImageOrientationPatient": ["1", "0", "0", "0", "2", "0"]},
        {"ImageOrientationPatient": ["0"] * 6},
        {"PixelSpacing": None},
        {"PixelSpacing": ["0", "1"]},
        {"PixelSpacing": ["-1", "1"]},
        {"PixelSpacing": ["1", "1e5"]},
    ],
    ids=str,
)
def test_senseless_geometry_is_refused(read, attributes):
    with pytest.raises(MissingGeometry, match=r"^File 1 of 6 "):
        read(slices(**attributes))


def test_not_a_number_is_no_position(tmp_path):
    paths = dicom.write(tmp_path, slices(1, ImagePositionPatient=["-8.000", "12345", "0"]))
    paths[0].write_bytes(paths[0].read_bytes().replace(b"-8.000\\12345", b"nan\\inf\\12345"[:12]))
    with pytest.raises(MissingGeometry):
        read_series(paths, VolumeLimits())


def test_a_mosaic_is_refused(read):
    with pytest.raises(UnsupportedFormat, match="mosaic"):
        read(slices(ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]))


def test_frames_without_places_are_refused(read):
    made = dicom.enhanced(
        dicom.head(), PerFrameFunctionalGroupsSequence=None, SharedFunctionalGroupsSequence=None
    )
    with pytest.raises(MissingGeometry, match="5 frames"):
        read([made])
    short = dicom.enhanced(dicom.head())
    del short.PerFrameFunctionalGroupsSequence[4]
    with pytest.raises(MissingGeometry, match="5 frames"):
        read([short])
    empty = dicom.enhanced(dicom.head())
    del empty.PerFrameFunctionalGroupsSequence[2].PlanePositionSequence
    with pytest.raises(MissingGeometry, match="^Frame 3 of the file "):
        read([empty])


def test_echoes_in_one_file_are_refused(read):
    with pytest.raises(DuplicatePositions):
        read([dicom.enhanced(dicom.head(), order=[0, 1, 2, 3, 4, 0, 1, 2, 3, 4])])


def test_limits_hold(read):
    with pytest.raises(TooManyPixels):
        read(slices(), VolumeLimits(max_voxels=24 * 20 * 5))
    with pytest.raises(ImageTooSmall):
        read(dicom.series(dicom.head((3, 24, 12))))
