"""POST, GET, list and DELETE of segmentations, as API.md says."""

import base64
import hashlib
import re
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from shared.contract.names import Queue
from shared.masks import rle
from tests.fakes import images
from tests.fakes.cards import card
from tests.service.conftest import SLICE, Api

HEIGHT, WIDTH = 40, 56


def test_a_slice_is_answered_with_its_result(api: Api) -> None:
    answer = api.post(pixel_spacing_mm="0.5,0.7")
    assert answer.status_code == 201
    body = answer.json
    assert answer.headers["Location"] == f"/v1/segmentations/{body['id']}" == body["links"]["self"]
    assert body["status"] == "succeeded" and body["progress"] == 1.0 and body["error"] is None
    assert body["image"] == {
        "format": "PNG",
        "width": WIDTH,
        "height": HEIGHT,
        "channels": 3,
        "bit_depth": 8,
        "sha256": hashlib.sha256(SLICE).hexdigest(),
        "pixel_spacing_mm": [0.5, 0.7],
        "pixel_spacing_source": "request",
    }
    assert body["model"] == {
        "id": "lgg-unet",
        "alias": "default",
        "architecture": "unet",
        "encoder": "mobilenet_v2",
    }
    result = body["result"]
    assert result["tumor_detected"] is True
    assert result["area_mm2"] == pytest.approx(result["area_pixels"] * 0.35)
    assert body["timings_ms"].keys() >= {"decode", "queue", "forward", "total"}
    for name in ("created_at", "finished_at", "expires_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body[name])


def test_reading_it_again_says_exactly_the_same(api: Api) -> None:
    made = api.post().json
    assert api.client.get(made["links"]["self"]).json == made


def test_the_mask_comes_as_rle_as_png_or_not_at_all(api: Api) -> None:
    as_rle = api.post().json["result"]["mask"]
    assert as_rle["encoding"] == "rle" and as_rle["size"] == [HEIGHT, WIDTH]
    decoded = rle.decode(as_rle)
    as_png = api.post(mask_format="png").json["result"]["mask"]
    data = np.frombuffer(base64.b64decode(as_png["data"]), np.uint8)
    assert np.array_equal(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), decoded * 255)
    made = api.post(mask_format="none").json
    assert made["result"]["mask"] is None
    read = api.client.get(made["links"]["self"] + "?mask_format=png").json
    assert read["result"]["mask"]["encoding"] == "png"


def test_without_spacing_there_is_no_area_and_a_reason(api: Api) -> None:
    result = api.post().json["result"]
    assert result["area_mm2"] is None and "spacing" in result["area_mm2_reason"]


def test_a_job_that_does_not_end_in_time_is_202_and_ends_later(api: Api) -> None:
    api.jobs.paused = True
    answer = api.post(wait="0.1")
    assert answer.status_code == 202
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.json["status"] == "queued" and answer.json["result"] is None
    assert api.jobs.waits == [0.1]
    location = answer.headers["Location"]
    assert api.client.get(location).json["status"] == "queued"
    api.jobs.work()
    assert api.client.get(location).json["status"] == "succeeded"


def test_wait_zero_does_not_wait(api: Api) -> None:
    api.jobs.paused = True
    assert api.post(wait="0").status_code == 202
    assert api.jobs.waits == []


def test_when_the_push_is_lost_the_row_says_how_it_ended(api: Api) -> None:
    api.jobs.wait = lambda job_id, seconds: None  # type: ignore[method-assign]
    answer = api.post()
    assert answer.status_code == 201 and answer.json["status"] == "succeeded"


def test_a_push_that_says_too_little_is_not_believed(api: Api) -> None:
    api.jobs.wait = lambda job_id, seconds: {"status": "succeeded"}  # type: ignore[method-assign]
    assert api.post().json["result"]["tumor_detected"] is True


def test_the_message_carries_the_request_id_and_no_pixels(api: Api) -> None:
    api.jobs.paused = True
    answer = api.post(headers={"X-Request-ID": "ward-3.42"}, wait="0")
    (message,) = api.jobs.sent
    assert message.to_json() == {"job_id": answer.json["id"], "request_id": "ward-3.42"}
    assert answer.headers["X-Request-ID"] == "ward-3.42"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("threshold", value)
            for value in ("0", "-0.1", "1.01", "nan", "inf", "1e30", "abc", "", "1_0", "٠.٥")
        ),
        *(
            ("pixel_spacing_mm", value)
            for value in ("0", "-1", "nan", "1e30", "0.5,", "1,2,3", "1e-9", "a,b", "")
        ),
        *(("wait", value) for value in ("-1", "20.1", "nan", "1e999", "soon")),
        *(("mask_format", value) for value in ("jpeg", "RLE", "")),
        *(("model", value) for value in ("", "a b", "../x", "\x00", "x" * 101, "no-such-model")),
    ],
)
def test_a_wrong_value_is_named(api: Api, field: str, value: str) -> None:
    answer = api.post(**{field: value})
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [field] and answer.json["errors"][field][0]
    assert api.files() == [] and not api.jobs.sent


@pytest.mark.parametrize("value", ["0.0001", "1", "1.0", ".5", "5e-1"])
def test_every_threshold_above_0_up_to_1_is_taken(api: Api, value: str) -> None:
    assert api.post(threshold=value).status_code == 201


@pytest.mark.parametrize(
    ("value", "spacing"), [("0.5", [0.5, 0.5]), (" 0.5 , 2 ", [0.5, 2.0]), ("100", [100, 100])]
)
def test_spacing_is_one_number_or_row_and_column(api: Api, value: str, spacing: list[float]) -> None:
    assert api.post(pixel_spacing_mm=value).json["image"]["pixel_spacing_mm"] == spacing


def test_all_problems_are_named_at_once(api: Api) -> None:
    answer = api.post(None, threshold="2", pixel_spacing_mm="0", model="unknown", colour="red")
    assert answer.status_code == 422 and answer.json["code"] == "invalid_fields"
    assert answer.json["errors"].keys() == {"image", "threshold", "pixel_spacing_mm", "model", "colour"}


def test_an_unknown_model_alone_has_its_own_code(api: Api) -> None:
    answer = api.post(model="unknown")
    assert (answer.status_code, answer.json["code"]) == (422, "unknown_model")


def test_a_model_of_more_channels_than_a_picture_has_is_refused(api: Api) -> None:
    made = card("four", in_channels=4, channels=["t1", "t1ce", "t2", "flair"])
    api.parts.stored.models.register(made, "models/four.1")
    answer = api.post(model="four")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    assert "4 channels (t1, t1ce, t2, flair)" in answer.json["errors"]["model"][0]
    assert api.client.get("/v1/segmentations").json["items"] == []


def test_a_model_can_be_named_by_id(api: Api) -> None:
    assert api.post(model="lgg-unet").json["model"]["alias"] is None


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"", 422, "empty_image"),
        (b"this is text, whatever it is called", 415, "unsupported_format"),
        (SLICE[:-30], 422, "undecodable_image"),
        (images.png(images.picture(1, 1)), 422, "image_too_small"),
        (images.png_of([], images.png_header(60000, 60000, 8, 0)), 413, "too_many_pixels"),
        (images.foreign_files()["GIF"], 415, "unsupported_format"),
    ],
)
def test_an_image_that_cannot_be_taken_says_why(api: Api, image: bytes, status: int, code: str) -> None:
    answer = api.post(image)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json" and answer.json["detail"].endswith(".")
    assert api.files() == []


def test_nothing_is_accepted_while_redis_is_gone_and_nothing_is_left(api: Api) -> None:
    api.jobs.down = True
    answer = api.post()
    assert (answer.status_code, answer.json["code"]) == (503, "queue_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert api.files() == [] and api.client.get("/v1/segmentations").json["items"] == []
    api.jobs.down = False
    assert api.post().status_code == 201


def test_a_message_that_cannot_be_sent_takes_row_and_files_back(api: Api) -> None:
    api.jobs.send_fails = True
    assert api.post().status_code == 503
    assert api.files() == [] and api.jobs.pixels == {}
    assert api.client.get("/v1/segmentations").json["items"] == []


def test_a_job_that_a_worker_has_all_the_same_is_accepted(api: Api) -> None:
    send = api.jobs.send

    def send_and_lose_the_receipt(message):
        send(message)
        api.jobs.send_fails = True
        send(message)

    api.jobs.send = send_and_lose_the_receipt  # type: ignore[method-assign]
    assert api.post().status_code == 201


def test_a_full_queue_is_said(make_api: Callable[..., Api]) -> None:
    api = make_api(max_queued=3)
    api.jobs.backlog = 3
    answer = api.post()
    assert (answer.status_code, answer.json["code"]) == (503, "queue_full")
    assert "Retry-After" in answer.headers and api.files() == [] and api.jobs.pixels == {}


def test_without_a_worker_nothing_is_accepted_until_one_comes(make_api: Callable[..., Api]) -> None:
    api = make_api(workers=False)
    answer = api.post()
    assert (answer.status_code, answer.json["code"]) == (503, "no_worker")
    assert "Retry-After" in answer.headers
    api.parts.stored.workers.beat("late", Queue.INFERENCE, "cpu", "fake", [], "1")
    assert api.post().status_code == 201


def test_a_file_store_that_is_full_is_503(api: Api) -> None:
    def full(path, data):
        raise OSError(28, "No space left on device")

    api.parts.stored.files.write = full  # type: ignore[method-assign]
    answer = api.post()
    assert (answer.status_code, answer.json["code"]) == (503, "storage_unavailable")
    assert "device" not in answer.text


def test_a_deleted_segmentation_is_gone(api: Api) -> None:
    made = api.post().json
    assert len(api.files()) == 2
    assert api.client.delete(made["links"]["self"]).status_code == 204
    assert api.files() == []
    for link in made["links"].values():
        answer = api.client.get(link)
        assert (answer.status_code, answer.json["code"]) == (410, "gone")
    assert api.client.get("/v1/segmentations").json["items"] == []
    assert api.client.delete(made["links"]["self"]).status_code == 204


def test_deleting_cancels_what_has_not_ended(api: Api) -> None:
    api.jobs.paused = True
    made = api.post(wait="0").json
    api.client.delete(made["links"]["self"])
    api.jobs.work()
    assert api.client.get(made["links"]["self"]).status_code == 410
    assert api.files() == []


def test_lists_are_newest_first_and_go_on_at_the_cursor(api: Api) -> None:
    made = [api.post().json["id"] for _ in range(5)]
    seen, cursor = [], ""
    while True:
        page = api.client.get(f"/v1/segmentations?limit=2{cursor}").json
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == made[::-1]


@pytest.mark.parametrize("asked", ["limit=0", "limit=101", "limit=x", "cursor=zzz", "cursor=", "order=up"])
def test_a_wrong_list_parameter_is_named(api: Api, asked: str) -> None:
    answer = api.client.get(f"/v1/segmentations?{asked}")
    assert answer.status_code == 422 and list(answer.json["errors"]) == [asked.partition("=")[0]]


@pytest.mark.parametrize("path", ["nothing", "%00", "..%2f..", "x" * 500, "%ff"])
def test_an_unknown_id_is_404(api: Api, path: str) -> None:
    for method in (api.client.get, api.client.delete):
        answer = method(f"/v1/segmentations/{path}")
        assert answer.status_code == 404 and answer.content_type == "application/problem+json"


def test_a_list_has_the_masks_of_pictures_as_asked(api: Api) -> None:
    mask = api.post().json["result"]["mask"]

    def listed(asked: str) -> Any:
        return api.client.get(f"/v1/segmentations{asked}").json["items"][0]["result"]["mask"]

    assert listed("") == listed("?mask_format=rle") == mask
    assert listed("?mask_format=png")["encoding"] == "png" and listed("?mask_format=none") is None
    answer = api.client.get("/v1/segmentations?mask_format=jpeg")
    assert answer.status_code == 422 and [*answer.json["errors"]] == ["mask_format"]
