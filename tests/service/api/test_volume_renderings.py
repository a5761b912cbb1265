"""Pictures and files of a volume: slice by slice, never the whole."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from shared.masks.rle import rle_slice
from shared.pictures.label_png import read_label_png
from tests.fakes.volume_worker import NIFTI as NIFTI_MASK
from tests.fakes.volume_worker import SEGMENTATION, VolumeMade
from tests.service.api.test_renderings import picture_of
from tests.service.api.test_volumes import NIFTI
from tests.service.conftest import Api

Made = Callable[..., dict[str, Any]]


@pytest.fixture
def made(api: Api) -> Made:
    """A volume that has ended, as the resource."""

    def make(**fields: Any) -> dict[str, Any]:
        assert api.jobs.worker is not None
        api.jobs.worker.volume = VolumeMade(**fields)
        job: dict[str, Any] = api.post(NIFTI).json
        assert job["status"] == "succeeded"
        return job

    return make


def png(api: Api, link: str, query: str = "") -> np.ndarray:
    answer = api.client.get(link + query)
    assert (answer.status_code, answer.content_type) == (200, "image/png"), answer.text
    return picture_of(answer.data)


def test_each_slice_is_shown_in_the_same_window(api: Api, made: Made) -> None:
    job = made(channels=1)
    for index in range(6):
        values = np.clip(np.rint((index * 10 + np.arange(56)) * 255 / 110), 0, 255)
        assert np.array_equal(png(api, job["links"]["image"], f"?slice={index}")[7], values)


def test_without_a_slice_it_is_the_one_with_most_tumour_else_the_middle_one(api: Api, made: Made) -> None:
    job = made()
    for name in ("image", "mask", "overlay", "probability"):
        link = job["links"][name]
        assert np.array_equal(png(api, link), png(api, link, "?slice=3"))
    empty = made(first=2, last=1)["links"]
    assert np.array_equal(png(api, empty["image"]), png(api, empty["image"], "?slice=3"))
    assert not png(api, empty["mask"]).any()


def test_the_mask_of_a_slice_is_what_the_result_says_and_what_the_probability_gives(
    api: Api, made: Made
) -> None:
    job = made()
    for index in range(6):
        mask = png(api, job["links"]["mask"], f"?slice={index}")
        assert np.array_equal(mask == 255, rle_slice(job["result"]["mask"], index))
        assert np.array_equal(mask == 255, png(api, job["links"]["probability"], f"?slice={index}") >= 128)
        assert (mask > 0).sum() == job["result"]["slices"][index]["area_pixels"]


@pytest.mark.parametrize("asked", ["6", "99999", "100000", "-1", "1.5", "x", "", "٣"])
def test_a_slice_that_is_not_there_is_named(api: Api, made: Made, asked: str) -> None:
    job = made()
    for name in ("image", "mask", "overlay", "probability", "contours"):
        answer = api.client.get(f"{job['links'][name]}?slice={asked}")
        assert answer.status_code == 422 and [*answer.json["errors"]] == ["slice"]


def test_a_picture_has_one_slice_and_no_modality(api: Api) -> None:
    links = api.post().json["links"]
    for name in ("image", "mask", "overlay", "probability", "contours"):
        assert api.client.get(links[name] + "?slice=0").status_code == 200
        assert [*api.client.get(links[name] + "?slice=1").json["errors"]] == ["slice"]
    assert [*api.client.get(links["image"] + "?modality=flair").json["errors"]] == ["modality"]
    assert [*api.client.get(links["contours"] + "?coordinates=patient").json["errors"]] == ["coordinates"]


def test_a_modality_is_shown_by_its_name_and_flair_without_one(api: Api, made: Made) -> None:
    job = made(modalities=("t1", "flair"), channels=2, dtype=np.uint8)
    image = job["links"]["image"]
    assert np.array_equal(png(api, image, "?slice=1"), png(api, image, "?slice=1&modality=flair"))
    assert png(api, image, "?slice=1&modality=t1")[0, 0] == 10  # 8 bit as it is; the window is that of flair
    assert png(api, job["links"]["overlay"], "?slice=0&modality=t1").shape == (40, 56, 3)
    answer = api.client.get(image + "?modality=t2")
    assert answer.status_code == 422 and "t1, flair" in answer.json["errors"]["modality"][0]
    answer = api.client.get(made()["links"]["image"] + "?modality=t2")
    assert "no named" in answer.json["errors"]["modality"][0]


def test_colour_stays_colour(api: Api, made: Made) -> None:
    assert png(api, made(channels=3)["links"]["image"]).shape == (40, 56, 3)


def test_the_overlay_of_a_slice_takes_opacity_colour_and_outline(api: Api, made: Made) -> None:
    job = made()
    mask = png(api, job["links"]["mask"], "?slice=3") == 255
    overlay = job["links"]["overlay"]
    assert (png(api, overlay, "?slice=3&opacity=1")[mask] == [255, 0, 0]).all()
    assert (png(api, overlay, "?slice=3&opacity=1&color=00ff00")[mask] == [0, 255, 0]).all()
    edge = (png(api, overlay, "?slice=3&opacity=1&outline=true") == [255, 0, 0]).all(axis=2)
    assert 0 < edge.sum() < mask.sum()


def test_several_classes_have_labels_and_colours_of_their_own(api: Api, made: Made) -> None:
    job = made(classes=("core", "oedema"))
    answer = api.client.get(job["links"]["labels"] + "?slice=3")
    labels = read_label_png(answer.data)
    assert set(np.unique(labels)) == {0, 1, 2}
    painted = png(api, job["links"]["overlay"], "?slice=3&opacity=1")
    assert (painted[labels == 1] == [255, 0, 0]).all() and (painted[labels == 2] == [0, 220, 0]).all()
    one = png(api, job["links"]["overlay"], "?slice=3&opacity=1&color=0000ff")
    assert (one[labels > 0] == [0, 0, 255]).all()
    assert [each["name"] for each in job["result"]["classes"]] == ["core", "oedema"]


def test_a_thumbnail_is_the_slice_with_most_tumour_in_the_colours_of_its_classes(
    api: Api, made: Made
) -> None:
    job = made(classes=("core", "oedema"))
    thumbnail = api.client.get(job["links"]["thumbnail"])
    assert (thumbnail.status_code, thumbnail.content_type) == (200, "image/webp")
    shown = picture_of(thumbnail.data).astype(int)
    assert np.abs(shown - png(api, job["links"]["overlay"])).mean() < 12
    assert api.client.get(made()["links"]["thumbnail"] + "?size=32").status_code == 200


def test_a_list_has_no_masks_of_volumes(api: Api, made: Made) -> None:
    made()
    for asked in ("", "?mask_format=rle", "?mask_format=png"):
        (job,) = api.client.get(f"/v1/segmentations{asked}").json["items"]
        assert job["result"]["mask"] is None and job["result"]["largest_slice"] == 3


def test_a_volume_without_a_result_has_no_thumbnail(api: Api) -> None:
    answer = api.client.get(api.post(NIFTI, wait="0").json["links"]["thumbnail"])
    assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_one_class_has_no_labels_and_says_so(api: Api, made: Made) -> None:
    for job in (made(), api.post().json):
        assert "labels" not in job["links"]
        answer = api.client.get(job["links"]["self"] + "/labels.png")
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")
        assert "one class" in answer.json["detail"]


def test_contours_are_those_of_all_slices_or_of_one(api: Api, made: Made) -> None:
    contours = made()["links"]["contours"]
    every = api.client.get(contours).get_json(force=True)
    assert [each["properties"]["slice"] for each in every["features"]] == [2, 3, 4]
    one = api.client.get(contours + "?slice=4").get_json(force=True)
    assert one["features"] == every["features"][2:] and every["coordinate_system"] == "pixels"
    assert one["features"][0]["properties"]["area_mm2"] == pytest.approx(100 * 0.25)
    assert api.client.get(contours + "?slice=0").get_json(force=True)["features"] == []


@pytest.mark.parametrize("query", ["", "?coordinates=patient"])
def test_contours_are_as_large_as_the_result_says_on_a_grid_that_leans(api: Api, made: Made, query: str) -> None:
    job = made(row_mm=1.0, lean_mm=0.75)
    assert job["image"]["pixel_spacing_mm"] == [1.25, 0.5]
    features = api.client.get(job["links"]["contours"] + query).get_json(force=True)["features"]
    for feature in features:
        properties = feature["properties"]
        assert properties["area_mm2"] == pytest.approx(0.5 * properties["area_pixels"])
        assert properties["area_mm2"] == pytest.approx(job["result"]["slices"][properties["slice"]]["area_mm2"])
    assert len(features) == 3


def test_contours_in_the_patient_are_millimetres_where_the_file_says_how_it_lies(
    api: Api, made: Made
) -> None:
    job = made()
    found = api.client.get(job["links"]["contours"] + "?coordinates=patient&slice=2").get_json(force=True)
    corners = np.array(found["features"][0]["geometry"]["coordinates"][0])
    affine = np.array(job["image"]["affine"])
    first = affine @ (9.5, 9.5, 2, 1)  # the outer corner of the first pixel
    assert np.abs(corners - first[:3]).sum(axis=1).min() < 1e-3
    unknown = made(known=False, format="TIFF")
    answer = api.client.get(unknown["links"]["contours"] + "?coordinates=patient")
    assert answer.status_code == 422 and "how its slices lie" in answer.json["errors"]["coordinates"][0]


def test_the_montage_shows_slices_with_tumour_or_all_of_them(api: Api, made: Made) -> None:
    montage = made()["links"]["montage"]
    assert png(api, montage).shape == (40, 3 * 56 + 2 * 2, 3)
    assert png(api, montage, "?columns=1").shape == (3 * 40 + 2 * 2, 56, 3)
    assert png(api, montage, "?slices=all&columns=2").shape == (3 * 40 + 2 * 2, 2 * 56 + 2, 3)
    assert png(api, made(slices=50, first=2, last=1)["links"]["montage"]).shape[0] == 2 * 40 + 2  # 12
    assert png(api, made(slices=50, first=0, last=49)["links"]["montage"]).shape[0] == 5 * 40 + 4 * 2  # 30
    for wrong in ("columns=0", "columns=31", "slices=some", "slice=1"):
        answer = api.client.get(f"{montage}?{wrong}")
        assert answer.status_code == 422 and [*answer.json["errors"]] == [wrong.partition("=")[0]]


def test_thumbnail_and_montage_have_true_proportions(api: Api, made: Made) -> None:
    links = made(row_mm=1.4)["links"]  # 40 rows of 1.4 mm, 56 columns of 0.5 mm: twice as high as wide
    assert picture_of(api.client.get(links["thumbnail"]).data).shape == (56, 28, 3)
    assert png(api, links["montage"]).shape == (56, 3 * 28 + 2 * 2, 3)
    assert png(api, links["overlay"]).shape == (40, 56, 3)


def test_the_files_for_other_programs_are_there_where_they_can_be(api: Api, made: Made) -> None:
    links = made()["links"]
    nifti, dicom = api.client.get(links["nifti"]), api.client.get(links["segmentation"])
    assert (nifti.content_type, nifti.data) == ("application/gzip", NIFTI_MASK)
    assert (dicom.content_type, dicom.data) == ("application/dicom", SEGMENTATION)
    assert nifti.headers["Content-Length"] == str(len(NIFTI_MASK))
    assert ".nii.gz" in nifti.headers["Content-Disposition"]
    kept = {"If-None-Match": nifti.headers["ETag"]}
    assert api.client.get(links["nifti"], headers=kept).status_code == 304
    other = made(format="NIfTI")
    assert "segmentation" not in other["links"]
    answer = api.client.get(other["links"]["self"] + "/segmentation.dcm")
    assert answer.status_code == 409 and "not DICOM" in answer.json["detail"]


def test_a_single_picture_has_none_of_it(api: Api) -> None:
    at = api.post().json["links"]["self"]
    for name in ("mask.nii.gz", "segmentation.dcm", "montage.png"):
        answer = api.client.get(f"{at}/{name}")
        assert answer.status_code == 409 and "single picture" in answer.json["detail"]


def test_before_the_end_nothing_is_there(api: Api) -> None:
    api.jobs.paused = True
    links = api.post(NIFTI, wait="0").json["links"]
    for name in links.keys() - {"self"}:
        answer = api.client.get(links[name])
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_files_that_vanished_are_410_and_not_500(api: Api, made: Made) -> None:
    job = made(classes=("core",))
    api.parts.stored.files.delete_tree(f"segmentations/{job['id']}")
    for name in ("image", "probability", "overlay", "labels", "montage", "nifti", "segmentation"):
        assert api.client.get(job["links"][name]).status_code == 410


def test_a_slice_is_read_and_never_the_whole(api: Api, made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    job = made(slices=200)
    read = []
    opened = api.parts.stored.files.open

    def counting(path: str) -> Any:
        file = opened(path)
        real = file.read
        counted = type("Counted", (), {"__getattr__": lambda _, name: getattr(file, name)})()
        counted.read = lambda *size: read.append(data := real(*size)) or data  # type: ignore[func-returns-value]
        counted.__class__.__enter__ = lambda self: self
        counted.__class__.__exit__ = lambda *_: file.close()
        return counted

    monkeypatch.setattr(api.parts.stored.files, "open", counting)
    png(api, job["links"]["image"], "?slice=199")
    assert sum(map(len, read)) < 2 * 40 * 56 + 4096
