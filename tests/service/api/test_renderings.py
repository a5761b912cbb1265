"""image, mask, probability, overlay and contours of a segmentation."""

import cv2
import numpy as np
import pytest

from shared.imaging import rle
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
    api.parts.files.delete_tree(f"segmentations/{made['id']}")
    for name in ("image", "probability", "overlay"):
        assert api.client.get(made["links"][name]).status_code == 410
