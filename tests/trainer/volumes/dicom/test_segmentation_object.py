"""The mask as a DICOM segmentation object: its geometry, its references, what it says, and what it keeps quiet."""

import copy
import io
import logging
import warnings
from datetime import datetime

import highdicom as hd
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from pydicom import Dataset

from shared.volumes.grid import Grid
from tests.fakes.affines import marked
from tests.trainer.volumes.dicom.headers import TILTED, grid, multi_frame, series
from trainer.volumes.dicom.segmentation_object import SegmentationObject, SegmentingModel, segmentation_object

BINARY = [(1, "tumour")]
THREE = [(1, "necrotic core"), (2, "oedema"), (3, "enhancing")]
MODEL = SegmentingModel("demo-unet", "1.2.0", "unet", "ab" * 32)
MADE = datetime(2026, 1, 2, 3, 4, 5)


def labels(where: Grid, seed: int = 0, highest: int = 1) -> np.ndarray:
    """Random labels in all but the first slice and the last."""
    made = np.random.default_rng(seed).integers(0, highest + 1, where.shape, dtype=np.uint8)
    made[[0, -1]] = 0
    return made


def write(where: Grid, labels_DHW: np.ndarray, sources=None, frames=None, classes=BINARY, seed="job 1"):
    sources = series(where) if sources is None else sources
    frames = [(z, 0) for z in range(where.file_shape[2])] if frames is None else frames
    return segmentation_object(sources, frames, where, labels_DHW, classes, MODEL, seed=seed, made=MADE)


def read(written: SegmentationObject) -> hd.seg.Segmentation:
    return hd.seg.segread(io.BytesIO(written.data))


def by_slice(seg: hd.seg.Segmentation, where: Grid) -> np.ndarray:
    """(Z, Y, X, segments), found by the sources' UIDs."""
    return seg.get_pixels_by_source_instance(
        [one.SOPInstanceUID for one in series(where)], assert_missing_frames_are_empty=True
    )


# --- where voxels lie ----------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(marked(slice_axis=2))
def test_a_voxel_keeps_its_place_in_the_patient(case):
    where, (d, h, w) = case
    mask = np.zeros(where.shape, np.uint8)
    mask[d, h, w] = 1
    seg = read(write(where, mask))
    (groups,) = seg.PerFrameFunctionalGroupsSequence
    shared = seg.SharedFunctionalGroupsSequence[0]
    ((row, column),) = np.argwhere(seg.pixel_array.reshape(seg.Rows, seg.Columns))
    position = np.array(groups.PlanePositionSequence[0].ImagePositionPatient)
    along = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient).reshape(2, 3)
    row_mm, column_mm = shared.PixelMeasuresSequence[0].PixelSpacing
    found = position + along[0] * column * column_mm + along[1] * row * row_mm
    assert np.allclose(found, (where.affine_lps @ (w, h, d, 1))[:3], atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(marked(slice_axis=2))
def test_the_frame_of_a_voxel_refers_to_the_instance_that_it_is_on(case):
    where, (d, h, w) = case
    mask = np.zeros(where.shape, np.uint8)
    mask[d, h, w] = 1
    found = by_slice(read(write(where, mask)), where)[..., 0]
    assert np.array_equal(found, where.to_file(mask).transpose(2, 1, 0))


def test_highdicom_makes_the_same_volume_of_it():
    where = grid()
    volume = read(write(where, labels(where))).get_volume(combine_segments=True)
    assert volume.spacing == pytest.approx((3.0, 0.7, 0.5))
    for index in np.argwhere(volume.array):
        d, h, w = where.shape[0] - 1, 0, 0  # the corner that the file's array begins at, or not
        place = np.linalg.solve(where.affine_lps, (volume.affine @ (*index, 1)))
        w, h, d = (round(float(value)) for value in place[:3])
        assert labels(where)[d, h, w]


@pytest.mark.parametrize("frames", [6, 12])
def test_frames_of_a_multi_frame_file_are_referred_to_by_their_number(frames):
    where = grid()
    source = multi_frame(where, frames)
    chosen = list(range(frames - 6, frames))  # of two frames at one place, the second
    mask = labels(where)
    written = write(where, mask, [source], [(0, number) for number in chosen])
    seg = read(written)
    found = seg.get_pixels_by_source_frame(
        source.SOPInstanceUID, [number + 1 for number in chosen], assert_missing_frames_are_empty=True
    )
    assert np.array_equal(found[..., 0], where.to_file(mask).transpose(2, 1, 0))
    (instance,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert instance.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert instance.ReferencedSOPClassUID == source.SOPClassUID


def test_sources_may_come_in_any_order():
    where = grid()
    sources = series(where)[::-1]
    frames = [(5 - z, 0) for z in range(6)]
    found = by_slice(read(write(where, labels(where), sources, frames)), where)[..., 0]
    assert np.array_equal(found, where.to_file(labels(where)).transpose(2, 1, 0))


def test_of_a_tilted_gantry_the_spacing_is_across_the_slices():
    where = grid(TILTED)
    seg = read(write(where, labels(where)))
    assert float(seg.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices) == 3.0
    assert np.array_equal(by_slice(seg, where)[..., 0], where.to_file(labels(where)).transpose(2, 1, 0))


def test_as_many_frames_as_slices_are_needed():
    where = grid()
    with pytest.raises(ValueError, match="5 frames are named for 6 slices"):
        write(where, labels(where), frames=[(z, 0) for z in range(5)])


# --- segments ------------------------------------------------------------------------------------


def test_only_frames_with_something_in_them_are_kept():
    where = grid()
    mask = np.zeros(where.shape, np.uint8)
    mask[2:4, 5, 5] = 1
    assert read(write(where, mask)).NumberOfFrames == 2


def test_an_empty_mask_has_all_frames_and_nothing_in_them():
    where = grid()
    seg = read(write(where, np.zeros(where.shape, np.uint8)))
    assert seg.NumberOfFrames == 6
    assert not seg.pixel_array.any()


def test_each_class_is_a_segment_with_its_code():
    where = grid()
    mask = labels(where, highest=3)
    seg = read(write(where, mask, classes=THREE))
    found = by_slice(seg, where)
    for place, (label, _) in enumerate(THREE):
        assert np.array_equal(found[..., place], where.to_file(mask == label).transpose(2, 1, 0))
    told = [(s.SegmentLabel, s.segmented_property_type.value) for s in seg.SegmentSequence]
    assert told == [("necrotic core", "6574001"), ("oedema", "79654002"), ("enhancing", "C113842")]
    assert {s.segmented_property_category.value for s in seg.SegmentSequence} == {"49755003"}
    assert {s.AnatomicRegionSequence[0].CodeValue for s in seg.SegmentSequence} == {"12738006"}
    assert len({tuple(s.RecommendedDisplayCIELabValue) for s in seg.SegmentSequence}) == 3


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("tumour", "108369006"), ("meningioma", "108369006"), ("peritumoral edema", "79654002"),
        ("necrotic and non-enhancing core", "6574001"), ("non_enhancing tumour", "C81175"),
    ],
)  # fmt: skip
def test_a_name_that_no_code_fits_is_a_neoplasm_of_that_name(name, code):
    where = grid()
    (segment,) = read(write(where, labels(where), classes=[(1, name)])).SegmentSequence
    assert (segment.SegmentLabel, segment.segmented_property_type.value) == (name, code)


def test_labels_need_not_follow_one_another_and_others_are_left_out():
    where = grid()
    mask = labels(where, highest=5)
    found = by_slice(read(write(where, mask, classes=[(2, "oedema"), (4, "enhancing")])), where)
    assert np.array_equal(found[..., 1], where.to_file(mask == 4).transpose(2, 1, 0))
    assert np.array_equal(found.any(axis=-1), where.to_file(np.isin(mask, (2, 4))).transpose(2, 1, 0))


def test_long_and_odd_names_are_cut_to_what_dicom_holds():
    where = grid()
    (segment,) = read(write(where, labels(where), classes=[(1, "Tumör\\" + "x" * 100)])).SegmentSequence
    assert segment.SegmentLabel == "Tumör/" + "x" * 57  # 64 bytes of UTF-8


# --- what it says --------------------------------------------------------------------------------


def test_it_says_which_model_made_it_and_that_it_is_research():
    where = grid()
    seg = read(write(where, labels(where)))
    (algorithm,) = seg.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == (MODEL.id, MODEL.version)
    assert algorithm.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"
    assert MODEL.weights_sha256 in algorithm.AlgorithmParameters
    assert seg.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"
    assert "research" in seg.SeriesDescription
    assert "not a diagnosis" in seg.ContentDescription
    assert "RESEARCH" in seg.ContentLabel


def test_patient_and_study_are_those_of_the_source_and_no_more_than_a_pacs_files_by():
    where = grid()
    seg = read(write(where, labels(where)))
    source = series(where)[0]
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate",
                    "StudyTime", "StudyID", "AccessionNumber", "FrameOfReferenceUID"):  # fmt: skip
        assert seg.get(keyword) == source.get(keyword), keyword
    assert "PatientAge" not in seg
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID


def test_the_same_seed_gives_the_same_bytes_and_another_one_another_instance():
    where = grid()
    one, same, other = (write(where, labels(where), seed=seed) for seed in ("a", "a", "b"))
    assert one == same
    assert one.series_uid.startswith("2.25.")
    assert len({one.series_uid, one.instance_uid, other.series_uid, other.instance_uid}) == 4
    assert read(one).SOPInstanceUID == one.instance_uid


@pytest.mark.parametrize("odd", ["CANARY STUDY", "abc", ""])
def test_uids_that_are_none_are_replaced_and_a_remark_says_so(odd):
    where = grid()
    sources = series(where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in sources:
            one.StudyInstanceUID = odd
        written = write(where, labels(where), sources)
    assert [remark["code"] for remark in written.remarks] == ["no_uids"]
    seg = pydicom.dcmread(io.BytesIO(written.data))
    assert seg.StudyInstanceUID.startswith("2.25.") and seg.StudyInstanceUID.is_valid
    assert b"CANARY" not in written.data


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
@pytest.mark.parametrize("odd", ["1.2.840.00123.", "01.2.3.", "1..2.", "1." + "2" * 70])
def test_odd_uids_are_referred_to_as_they_are_written(odd, keyword):
    where = grid()
    sources = series(where)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for place, one in enumerate(sources):
            one[keyword].value = odd + (str(place) if keyword == "SOPInstanceUID" else "5")
        written = write(where, labels(where), sources)
        seg = pydicom.dcmread(io.BytesIO(written.data))
        assert [remark["code"] for remark in written.remarks] == ["odd_uids"]
        (referenced,) = seg.ReferencedSeriesSequence
        assert seg.StudyInstanceUID == sources[0].StudyInstanceUID
        assert referenced.SeriesInstanceUID == sources[0].SeriesInstanceUID
        instances = [item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence]
        assert instances == [source.SOPInstanceUID for source in sources]
        derived = {
            str(image.ReferencedSOPInstanceUID)
            for groups in seg.PerFrameFunctionalGroupsSequence
            for image in groups.DerivationImageSequence[0].SourceImageSequence
        }
        assert derived and derived <= {str(uid) for uid in instances}


def test_a_series_without_a_frame_of_reference_gets_one_and_a_remark():
    where = grid()
    sources = series(where)
    assert write(where, labels(where), sources).remarks == []
    for one in sources:
        del one.FrameOfReferenceUID
    written, again = (
        write(where, labels(where), sources, seed="a"),
        write(where, labels(where), sources, seed="b"),
    )
    assert [remark["code"] for remark in written.remarks] == ["no_frame_of_reference"]
    assert read(written).FrameOfReferenceUID == read(again).FrameOfReferenceUID != ""


# --- sources as they come ------------------------------------------------------------------------


def stripped(where: Grid) -> list[Dataset]:
    """With little more than pixels would need."""
    kept = {"SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "ImagePositionPatient", "Rows", "Columns",
            "ImageOrientationPatient", "PixelSpacing"}  # fmt: skip
    sources = series(where)
    for one in sources:
        for element in list(one):
            if element.keyword not in kept:
                del one[element.tag]
    return sources


def spoilt(where: Grid) -> list[Dataset]:
    """With values that the standard forbids."""
    wrong = {
        "PatientSex": "FEMALE", "PatientBirthDate": "1970-01-01", "StudyTime": "10:11", "PatientName": "Jane Doe " * 20,
        "PatientID": "ID" * 50, "SeriesNumber": None, "StudyDate": "20251399", "AccessionNumber": ["A", "B"],
    }  # fmt: skip
    sources = series(where)
    for one in sources:
        for keyword, value in wrong.items():
            delattr(one, keyword)
            with pydicom.config.disable_value_validation():
                setattr(one, keyword, value)
    return sources


@pytest.mark.parametrize("made", [stripped, spoilt])
def test_sources_may_lack_what_the_standard_demands_and_hold_what_it_forbids(made):
    where = grid()
    written = write(where, labels(where), made(where))
    with pydicom.config.disable_value_validation():
        seg = read(written)
    assert np.array_equal(by_slice(seg, where)[..., 0], where.to_file(labels(where)).transpose(2, 1, 0))
    for keyword in ("PatientSex", "PatientBirthDate", "StudyTime", "StudyDate"):
        assert keyword in seg
        assert not seg[keyword].value


def test_names_in_other_letters_come_over():
    where = grid()
    sources = series(where)
    for one in sources:
        one.SpecificCharacterSet = "ISO_IR 144"
        one.PatientName = "Люкceмбypг"
    assert read(write(where, labels(where), sources)).PatientName == "Люкceмбypг"


def test_the_sources_are_left_as_they_are():
    where = grid()
    sources = series(where)
    before = copy.deepcopy(sources)
    write(where, labels(where), sources)
    assert sources == before


def test_nothing_of_the_patient_is_logged(caplog, recwarn):
    where = grid()
    with caplog.at_level(logging.DEBUG):
        write(where, labels(where), spoilt(where))
    assert not [record for record in caplog.records if "Doe" in record.getMessage()]
    assert not [warning for warning in recwarn if "Doe" in str(warning.message)]
