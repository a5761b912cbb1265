"""A study from its files: which sequence is which channel, and what is refused."""

import io
import zipfile

import numpy as np
import pytest

from shared.contract import errors
from shared.preprocessing.square_pixels import Squared
from tests.fakes import dicom
from tests.fakes.volumes import LPS, head, nifti
from trainer.volumes.axial_cut import Cut
from trainer.volumes.reading import read_study
from trainer.volumes.source import unpacked
from trainer.volumes.volume_order import VOLUME, VolumeChildOrder

FOUR = ["t1", "t1ce", "t2", "flair"]


@pytest.fixture
def order(tmp_path):
    def build(**changes):
        values = {
            "folder": str(tmp_path), "source": None, "dicomweb": None, "in_channels": 3, "channels": [], "labels": [],
            "model": {}, "threshold": 0.5, "min_region_pixels": 1, "image_size": 24, "pixel_spacing_mm": None,
            "slice_spacing_mm": None, "sequence_order": None, "seed": "s", "made": "", "max_voxels": 1 << 20,
            "max_bytes": 1 << 20, "memory_bytes": 1 << 40, "seconds": 60, "nice": 0,
        }  # fmt: skip
        return VolumeChildOrder(**{**values, **changes})

    return build


@pytest.fixture
def put(tmp_path):
    def file(name, data):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return file


def test_grey_fills_all_channels(order, put, tmp_path):
    study = read_study({"image": [put("a", nifti(head(1)))]}, order())
    assert study.channels == (0, 0, 0)
    assert study.image["modalities"] == []
    assert study.series is None
    assert np.load(tmp_path / VOLUME).shape == (6, 24, 20, 1)
    assert (study.image["width"], study.image["height"], study.image["slices"]) == (20, 24, 6)
    low, high = study.image["window"]
    assert 0 <= low < high <= 400


def test_sequences_go_where_the_card_wants_them(order, put, tmp_path):
    parts = {name: [put(name, nifti(head(n)))] for n, name in enumerate(["flair", "t2", "t1", "t1ce"])}
    study = read_study(parts, order(in_channels=4, channels=FOUR))
    volume = np.load(tmp_path / VOLUME)
    assert [["flair", "t2", "t1", "t1ce"][c] for c in study.channels] == FOUR
    assert study.image["modalities"] == ["flair", "t2", "t1", "t1ce"]
    assert (volume[..., 0] != volume[..., 1]).any()


def test_the_shipped_models_names_are_known(order, put):
    parts = {name: [put(name, nifti(head(n)))] for n, name in enumerate(["t1", "t1ce", "flair"])}
    study = read_study(parts, order(channels=["pre-contrast", "flair", "post-contrast"]))
    assert study.channels == (0, 2, 1)


def test_a_sequence_that_is_missing_is_named(order, put):
    parts = {name: [put(name, nifti(head(1)))] for name in ("t1", "flair")}
    with pytest.raises(errors.MissingModality, match="t1ce"):
        read_study(parts, order(in_channels=4, channels=FOUR))


def four_in_one(put, volumes=4):
    return {"image": [put("a", nifti(np.stack([head(n) for n in range(volumes)], axis=-1)))]}


@pytest.mark.parametrize("volumes", [2, 3, 4, 5])
def test_a_fourth_axis_is_refused_where_nothing_says_its_order(order, put, volumes):
    said = rf"holds {volumes} volumes .* Send sequence_order .* modality_t1"
    with pytest.raises(errors.SequenceOrderUnknown, match=said):
        read_study(four_in_one(put, volumes), order(in_channels=4, channels=FOUR))


@pytest.mark.parametrize("named", [["flair", "t1", "t1ce", "t2"], ["t2", "flair", "t1ce", "t1"], FOUR])
def test_a_fourth_axis_is_taken_in_the_order_that_the_request_names(order, put, tmp_path, named):
    study = read_study(four_in_one(put), order(in_channels=4, channels=FOUR, sequence_order=named))
    assert [named[place] for place in study.channels] == FOUR
    assert study.image["modalities"] == named and study.remarks == []
    volume = np.load(tmp_path / VOLUME)
    for place in range(4):
        assert (volume[..., place] == volume[..., 0]).all() == (place == 0)


def test_a_model_of_three_sequences_takes_those_that_it_knows(order, put):
    study = read_study(
        four_in_one(put),
        order(channels=["pre-contrast", "flair", "post-contrast"], sequence_order=["flair", "t1", "t1ce", "t2"]),
    )
    assert study.channels == (1, 0, 2)
    assert [remark["code"] for remark in study.remarks] == ["sequence_not_used"]


@pytest.mark.parametrize(
    ("volumes", "named", "said"),
    [(4, ["flair", "t1"], "names 2 .*holds 4 volumes"), (1, ["flair", "t1"], "names 2 .*holds one volume")],
)
def test_names_for_another_number_of_volumes_are_refused(order, put, volumes, named, said):
    with pytest.raises(errors.SequenceOrderUnknown, match=said):
        read_study(four_in_one(put, volumes), order(in_channels=4, channels=FOUR, sequence_order=named))


def test_an_order_without_a_sequence_that_the_model_needs_names_it(order, put):
    with pytest.raises(errors.MissingModality, match="t1ce"):
        read_study(four_in_one(put, 3), order(in_channels=4, channels=FOUR, sequence_order=["flair", "t1", "t2"]))


@pytest.mark.parametrize(
    "moved", [LPS + np.diag([0, 0, 0.2, 0]), LPS + np.array([[0, 0, 0, 5.0]] + [[0] * 4] * 3)]
)
def test_sequences_that_lie_differently_are_refused(order, put, moved):
    parts = {"t1": [put("a", nifti(head(1)))], "flair": [put("b", nifti(head(2), moved))]}
    with pytest.raises(errors.GridsDiffer, match="modality_flair"):
        read_study(parts, order(in_channels=2, channels=["t1", "flair"]))


@pytest.mark.parametrize("first", ["dicom", "nifti"])
def test_the_sequence_that_stands_for_the_study_says_what_it_is(order, put, tmp_path, first):
    """FLAIR is written with its rows from the other side: the same voxels at the same places, in another order."""
    voxels_ZYX = dicom.head((5, 24, 20))
    lie = dicom.AXIAL
    turned = dicom.Lie(lie.point(0, 23, 0), lie.row, [-one for one in lie.column], lie.step, lie.spacing)
    flair = dicom.write(
        tmp_path / "flair", dicom.series(voxels_ZYX[:, ::-1], turned, FrameOfReferenceUID="1.2.3")
    )
    if first == "dicom":
        t1 = dicom.write(tmp_path / "t1", dicom.series(voxels_ZYX, lie, seed=5, FrameOfReferenceUID="1.2.3"))
    else:
        affine = np.diag([-0.8, -0.9, 3.0, 1.0])
        affine[:3, 3] = np.array(lie.origin) * (-1, -1, 1)
        t1 = [put("t1.nii", nifti(voxels_ZYX.transpose(2, 1, 0), affine))]
    study = read_study({"t1": t1, "flair": flair}, order(in_channels=2, channels=["t1", "flair"]))
    volume = np.load(tmp_path / VOLUME)
    np.testing.assert_array_equal(volume[..., 0], volume[..., 1])
    assert study.image["format"] == "DICOM"
    assert study.grid is study.series.scan.grid


@pytest.mark.parametrize(
    ("other", "error"),
    [
        ({"PatientID": "SOMEONE"}, errors.SeveralPatients),
        ({"PatientName": "Else^Someone"}, errors.SeveralPatients),
        ({"FrameOfReferenceUID": "1.2.4"}, errors.GridsDiffer),
    ],
)
def test_sequences_of_others_are_refused(order, tmp_path, other, error):
    same = {"FrameOfReferenceUID": "1.2.3"}
    t1 = dicom.write(tmp_path / "t1", dicom.series(dicom.head(), **same))
    flair = dicom.write(tmp_path / "flair", dicom.series(dicom.head(), seed=5, **{**same, **other}))
    with pytest.raises(error) as refused:
        read_study({"t1": t1, "flair": flair}, order(in_channels=2, channels=["t1", "flair"]))
    assert not any(value in refused.value.detail for value in other.values())


def test_a_slice_of_another_patient_in_a_series_is_refused(order, tmp_path):
    made = dicom.series(dicom.head())
    made[2].PatientID = "SOMEONE"
    with pytest.raises(errors.SeveralPatients):
        read_study({"image": dicom.write(tmp_path / "files", made)}, order())


def test_a_spacing_that_is_not_the_files_is_said(order, tmp_path):
    paths = dicom.write(tmp_path / "files", dicom.series(dicom.head()))
    assert read_study({"image": paths}, order(pixel_spacing_mm=[0.9, 0.8])).remarks == []
    (remark,) = read_study({"image": paths}, order(pixel_spacing_mm=[0.5, 0.5])).remarks
    assert remark["code"] == "spacing_contradicts_file"


def test_a_sequence_that_the_model_does_not_take_is_named(order, put):
    parts = {name: [put(name, nifti(head(1)))] for name in ("t1", "t1ce", "t2", "flair")}
    study = read_study(parts, order(channels=["pre-contrast", "flair", "post-contrast"]))
    (remark,) = study.remarks
    assert remark["code"] == "sequence_not_used" and "t2" in remark["detail"]


def test_all_sequences_together_keep_to_the_limits(order, put):
    parts = {name: [put(name, nifti(head(1)))] for name in ("t1", "flair")}
    one = 20 * 24 * 6
    read_study(parts, order(in_channels=2, channels=["t1", "flair"], max_voxels=2 * one))
    with pytest.raises(errors.TooManyPixels):
        read_study(parts, order(in_channels=2, channels=["t1", "flair"], max_voxels=2 * one - 1))


def test_inverted_grey_begins_at_black(order, tmp_path):
    voxels = dicom.head((4, 24, 20))
    plain = dicom.write(tmp_path / "plain", dicom.series(voxels))
    read_study({"image": plain}, order())
    wanted = np.load(tmp_path / VOLUME).copy()
    inverted = dicom.series(
        (65535 - voxels.astype(int)).astype(np.uint16), PhotometricInterpretation="MONOCHROME1"
    )
    read_study({"image": dicom.write(tmp_path / "inverted", inverted)}, order())
    np.testing.assert_array_equal(np.load(tmp_path / VOLUME), wanted)


def test_sequences_of_other_sizes_are_refused(order, put):
    parts = {"t1": [put("a", nifti(head(1)))], "flair": [put("b", nifti(head(2, (20, 24, 7))))]}
    with pytest.raises(errors.GridsDiffer, match="7 x 24 x 20"):
        read_study(parts, order(in_channels=2, channels=["t1", "flair"]))


def test_what_the_request_says_of_the_spacing_wins(order, put):
    parts = {"image": [put("a", nifti(head(1)))]}
    image = read_study(parts, order()).image
    assert (image["pixel_spacing_mm"], image["slice_spacing_mm"]) == ([1, 1], 1)
    assert image["pixel_spacing_source"] == "nifti"
    image = read_study(parts, order(pixel_spacing_mm=[0.5, 0.7], slice_spacing_mm=5.0)).image
    assert (image["pixel_spacing_mm"], image["slice_spacing_mm"]) == ([0.5, 0.7], 5)
    assert image["pixel_spacing_source"] == "request"
    image = read_study(parts, order(slice_spacing_mm=5.0)).image
    assert (image["pixel_spacing_mm"], image["pixel_spacing_source"]) == ([1, 1], "nifti")


def test_files_of_which_none_is_dicom_are_no_volume(order, put):
    with pytest.raises(errors.UnsupportedFormat, match="none of 2 files"):
        read_study({"image": [put("a", nifti(head(1))), put("b", nifti(head(1)))]}, order())


def test_a_series_has_its_headers_and_says_its_plane(order, tmp_path):
    paths = dicom.write(tmp_path / "files", dicom.series(dicom.head((4, 24, 20)), dicom.CORONAL))
    study = read_study({"image": paths}, order())
    assert study.series is not None
    assert [remark["code"] for remark in study.remarks] == ["not_axial"]
    assert "may be wrong" in study.remarks[0]["detail"]
    paths = dicom.write(tmp_path / "more", dicom.series(dicom.head((20, 24, 20)), dicom.CORONAL))
    assert "cut across" in read_study({"image": paths}, order()).remarks[0]["detail"]


def test_a_series_that_is_tiff_as_well_is_read_as_dicom(order, tmp_path):
    paths = dicom.write(tmp_path / "files", dicom.series(dicom.head((4, 24, 20))))
    for path in paths:
        path.write_bytes(b"II*\0" + path.read_bytes()[4:])
    assert read_study({"image": paths}, order()).image["format"] == "DICOM"


@pytest.mark.parametrize("plane", ["coronal", "sagittal"])
def test_a_cut_across_shows_the_network_what_an_axial_grid_would(plane):
    voxels_DHW = np.arange(20 * 18 * 16).reshape(20, 18, 16)
    cut = Cut.of(plane, voxels_DHW.shape)
    axial = cut.view(voxels_DHW)
    # coronal: D to the front, H to the feet, W to the left; sagittal: D to the left, H to the feet, W to the back
    to_the_back, to_the_left = (axial[0, 1, 0] - axial[0, 0, 0], axial[0, 0, 1] - axial[0, 0, 0])
    assert (to_the_back, to_the_left) == ((-18 * 16, 1) if plane == "coronal" else (1, 18 * 16))
    assert cut.spacing((3.0, 1.0, 2.0)) == ((3.0, 2.0) if plane == "coronal" else (2.0, 3.0))


def test_thin_slabs_and_axial_slices_are_shown_as_they_are():
    assert not Cut.of("coronal", (15, 200, 200)).across
    assert not Cut.of("axial", (200, 200, 200)).across
    assert Cut.of("sagittal", (16, 200, 200)).across


@pytest.mark.parametrize(
    ("spacing", "size"),
    [
        ((1, 1), (40, 60)),
        ((1, 1.04), (40, 60)),
        ((2, 1), (80, 60)),
        ((0.5, 1), (40, 120)),
        ((None, 1), (40, 60)),
    ],
)
def test_long_pixels_are_made_square_and_back(spacing, size):
    squared = Squared.of(40, 60, spacing)
    pixels = np.zeros((40, 60, 4), np.uint16)
    pixels[10:30, 20:50] = 60000
    there = squared.there(pixels)
    assert there.shape == (*size, 4)
    back = squared.back(np.ascontiguousarray(there[..., 0] > 30000).astype(np.uint8) * 255)
    assert ((back > 127) != (pixels[..., 0] > 0)).mean() < 0.01


def test_the_stored_zip_is_its_files_and_a_zip_within_is_what_it_holds(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("DOE^JANE/b", b"2")
        archive.writestr("a", b"1")
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        archive.writestr("t1/00000", b"x")
        archive.writestr("t1/00001", b"y")
        archive.writestr("flair/00000", inner.getvalue())
    parts = unpacked(tmp_path / "source.zip", tmp_path / "files", 1 << 20)
    assert {name: sorted(path.read_bytes() for path in paths) for name, paths in parts.items()} == {
        "t1": [b"x", b"y"],
        "flair": [b"1", b"2"],
    }


def test_a_hostile_zip_within_is_refused_without_a_name(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("../DOE^JANE", b"2")
    with zipfile.ZipFile(tmp_path / "source.zip", "w") as archive:
        archive.writestr("image/00000", inner.getvalue())
    with pytest.raises(errors.UnsafeUpload) as refused:
        unpacked(tmp_path / "source.zip", tmp_path / "files", 1 << 20)
    assert "DOE" not in refused.value.detail


APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(60)
LEFT_BY_SYSTEMS = {
    "S/._IM0": APPLE_DOUBLE,
    "S/.DS_Store": b"\x00\x00\x00\x01Bud1" + bytes(50),
    "Thumbs.db": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500),
    "S/desktop.ini": b"[.ShellClassInfo]\r\n",
    "__MACOSX/S/._IM1": APPLE_DOUBLE,
    ".hidden/IM9": b"anything",
}


def archive(files):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as made:
        for name, data in files.items():
            made.writestr(name, data)
    return stream.getvalue()


def series_files():
    return {f"S/IM{n}": dicom.as_bytes(one) for n, one in enumerate(dicom.series(dicom.head((4, 24, 20))))}


def test_what_systems_leave_in_a_zip_is_not_missed(order, put, tmp_path):
    sent = archive({"image/00000": archive(series_files() | LEFT_BY_SYSTEMS)})
    parts = unpacked(put("source.zip", sent), tmp_path / "out", 1 << 20)
    study = read_study(parts, order())
    assert study.image["slices"] == 4 and study.remarks == []


def test_what_systems_leave_among_the_files_of_a_form_is_told_by_content(order, put, tmp_path):
    contents = [*series_files().values(), *(LEFT_BY_SYSTEMS[name] for name in list(LEFT_BY_SYSTEMS)[:5])]
    sent = archive({f"image/{n:05}": data for n, data in enumerate(contents)})
    study = read_study(unpacked(put("source.zip", sent), tmp_path / "out", 1 << 20), order())
    assert study.image["slices"] == 4 and study.remarks == []


def test_what_else_lies_on_a_cd_is_left_out_and_that_is_said(order, put, tmp_path):
    more = {
        "viewer.exe": b"MZ\x90\x00" + bytes(99), "index.html": b"<html>", "a.pdf": b"%PDF-1",
        "logo.png": b"\x89PNG\r\n\x1a\n",
    }  # fmt: skip
    sent = archive({"image/00000": archive(series_files() | more)})
    parts = unpacked(put("source.zip", sent), tmp_path / "out", 1 << 20)
    study = read_study(parts, order())
    assert study.image["slices"] == 4
    assert [remark["code"] for remark in study.remarks] == ["files_left_out"]
    assert study.remarks[0]["detail"].startswith("4 of 8 files")


def test_a_file_that_nobody_knows_may_be_a_damaged_slice_and_is_refused(order, put, tmp_path):
    broken = series_files() | {"S/IM9": b"\x01\x02\x03" * 99}
    sent = archive({"image/00000": archive(broken)})
    parts = unpacked(put("source.zip", sent), tmp_path / "out", 1 << 20)
    with pytest.raises(errors.UnsupportedFormat, match="not DICOM"):
        read_study(parts, order())


def test_a_note_beside_a_nifti_in_a_zip_is_left_out(order, put, tmp_path):
    sent = archive({"image/00000": archive({"a.nii": nifti(head(1)), "README.txt": b"Made today.\n"})})
    study = read_study(unpacked(put("source.zip", sent), tmp_path / "out", 1 << 20), order())
    assert study.image["format"] == "NIfTI"
    assert [remark["code"] for remark in study.remarks] == ["files_left_out"]
