"""image, mask, probability, overlay and contours of a segmentation."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.masks import rle
from tests.fakes import images
from tests.service.conftest import Api


def picture_of(data: bytes) -> np.ndarray:
    """RGB or grey pixels of a PNG."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize(
    "pixels",
    [
        images.picture(33, 47, 3),
        images.picture(47, 33, 1),
        images.picture(20, 90, 1, np.uint16),
        images.picture(64, 64, 3, np.uint16),
    ],
)
def test_every_picture_has_the_size_of_the_upload(api: Api, pixels: np.ndarray) -> None:
    made = api.post(images.png(pixels)).json
    for name in ("image", "mask", "probability", "overlay"):
        answer = api.client.get(made["links"][name])
        assert answer.status_code == 200 and answer.content_type == "image/png"
        assert picture_of(answer.data).shape[:2] == pixels.shape[:2]


def test_an_8_bit_image_comes_back_as_it_was(api: Api) -> None:
    pixels = images.picture(33, 47, 3)
    made = api.post(images.png(pixels)).json
    assert np.array_equal(picture_of(api.client.get(made["links"]["image"]).data), pixels)


def test_the_mask_is_what_the_result_says_and_what_the_probability_gives(api: Api) -> None:
    made = api.post(threshold="0.7").json
    mask = picture_of(api.client.get(made["links"]["mask"]).data)
    assert set(np.unique(mask)) == {0, 255}
    said = made["result"]["mask"]
    assert np.array_equal(mask, rle.decode(said) * 255)
    probability = picture_of(api.client.get(made["links"]["probability"]).data)
    assert np.array_equal(mask == 255, probability >= 0.7 * 255)


def test_the_overlay_takes_opacity_colour_and_outline(api: Api) -> None:
    made = api.post().json
    image = picture_of(api.client.get(made["links"]["image"]).data)
    mask = picture_of(api.client.get(made["links"]["mask"]).data) == 255
    overlay = made["links"]["overlay"]
    painted = picture_of(api.client.get(f"{overlay}?opacity=1&color=00ff00").data)
    assert (painted[mask] == [0, 255, 0]).all() and np.array_equal(painted[~mask], image[~mask])
    assert np.array_equal(picture_of(api.client.get(f"{overlay}?opacity=0").data), image)
    edge = picture_of(api.client.get(f"{overlay}?opacity=1&color=%230000FF&outline=true").data)
    assert 0 < (edge == [0, 0, 255]).all(axis=2).sum() < mask.sum()


@pytest.mark.parametrize(
    "asked",
    ["opacity=2", "opacity=nan", "opacity=-0.1", "color=red", "color=ff00", "outline=maybe", "colour=ff0000"],
)
def test_a_wrong_option_of_the_overlay_is_named(api: Api, asked: str) -> None:
    answer = api.client.get(f"{api.post().json['links']['overlay']}?{asked}")
    assert answer.status_code == 422 and list(answer.json["errors"]) == [asked.partition("=")[0]]


@pytest.mark.parametrize(
    ("height", "width", "asked", "expected"),
    [(300, 200, "", (96, 64)), (200, 300, "?size=256", (171, 256)), (40, 56, "?size=96", (40, 56))],
)
def test_a_thumbnail_is_small_and_never_enlarged(
    api: Api, height: int, width: int, asked: str, expected: tuple[int, int]
) -> None:
    made = api.post(images.png(images.picture(height, width, 1, np.uint16))).json
    answer = api.client.get(made["links"]["thumbnail"] + asked)
    assert (answer.status_code, answer.content_type) == (200, "image/webp")
    assert answer.headers["Content-Disposition"] == 'inline; filename="thumbnail.webp"'
    assert picture_of(answer.data).shape == (*expected, 3)


def test_a_thumbnail_has_true_proportions_and_the_other_pictures_those_of_the_upload(api: Api) -> None:
    links = api.post(images.png(images.picture(64, 256, 3)), pixel_spacing_mm="2,0.5").json["links"]
    assert picture_of(api.client.get(links["thumbnail"]).data).shape == (96, 96, 3)
    for name in ("image", "mask", "probability", "overlay"):
        assert picture_of(api.client.get(links[name]).data).shape[:2] == (64, 256)


def test_a_thumbnail_of_a_real_slice_is_a_few_kilobytes(api: Api) -> None:
    made = api.post(Path("samples/tumour.tif").read_bytes()).json
    assert len(api.client.get(made["links"]["thumbnail"]).data) < 4000


def test_a_thumbnail_shows_the_mask_once_there_is_one(api: Api) -> None:
    api.jobs.paused = True
    grey = np.full((80, 80, 1), 100, np.uint8)
    links = api.post(images.png(grey), wait="0").json["links"]
    before = api.client.get(links["thumbnail"])
    assert np.ptp(picture_of(before.data)) < 8
    api.jobs.paused = False
    api.jobs.work()
    after = api.client.get(links["thumbnail"], headers={"If-None-Match": before.headers["ETag"]})
    red, green, _ = picture_of(after.data)[30, 30].astype(int)
    assert red > green + 80


def test_a_thumbnail_of_a_picture_that_failed_is_the_picture_alone(api: Api) -> None:
    api.jobs.paused = True
    made = api.post(wait="0").json
    rows = api.parts.stored.segmentations
    assert rows.fail(*rows.claim([made["id"]], "w", 10), "bad", "Bad.")
    assert api.client.get(made["links"]["thumbnail"]).status_code == 200


@pytest.mark.parametrize("size", ["31", "257", "x", ""])
def test_a_wrong_size_of_a_thumbnail_is_named(api: Api, size: str) -> None:
    answer = api.client.get(f"{api.post().json['links']['thumbnail']}?size={size}")
    assert answer.status_code == 422 and [*answer.json["errors"]] == ["size"]


def test_a_client_that_kept_the_thumbnail_gets_304(api: Api) -> None:
    link = api.post().json["links"]["thumbnail"]
    kept = {"If-None-Match": api.client.get(link).headers["ETag"]}
    assert api.client.get(link, headers=kept).status_code == 304
    assert api.client.get(link + "?size=64", headers=kept).status_code == 200


def test_contours_are_geojson(api: Api) -> None:
    answer = api.client.get(api.post().json["links"]["contours"])
    assert answer.content_type == "application/geo+json"
    assert answer.get_json(force=True)["type"] == "FeatureCollection"


def test_before_the_end_only_the_image_is_there(api: Api) -> None:
    api.jobs.paused = True
    links = api.post(wait="0").json["links"]
    assert api.client.get(links["image"]).status_code == 200
    for name in ("mask", "probability", "overlay", "contours"):
        answer = api.client.get(links[name])
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def test_a_client_that_kept_the_picture_gets_304_until_it_is_deleted(api: Api) -> None:
    links = api.post().json["links"]
    first = api.client.get(links["overlay"])
    assert "no-store" in first.headers["Cache-Control"]
    kept = {"If-None-Match": first.headers["ETag"]}
    again = api.client.get(links["overlay"], headers=kept)
    assert again.status_code == 304 and again.data == b""
    assert api.client.get(links["overlay"] + "?opacity=0.1", headers=kept).status_code == 200
    api.client.delete(links["self"])
    assert api.client.get(links["overlay"], headers=kept).status_code == 410


def test_files_that_vanished_are_410_and_not_500(api: Api) -> None:
    made = api.post().json
    api.parts.stored.files.delete_tree(f"segmentations/{made['id']}")
    for name in ("image", "probability", "overlay", "thumbnail"):
        assert api.client.get(made["links"][name]).status_code == 410
