"""Forms that are broken as forms: each gets a typed problem, and the service goes on."""

import io

import pytest

from tests.service.conftest import SLICE, Api

URL = "/v1/segmentations"


def raw(api: Api, body: bytes, content_type: str | None):
    return api.client.post(URL, data=body, content_type=content_type)


def part(name: str, body: bytes, filename: str | None = None) -> bytes:
    named = f'; filename="{filename}"' if filename is not None else ""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode("utf-8", "surrogateescape") + body + b"\r\n"


IMAGE = part("image", SLICE, "slice.png")
END = b"--x--\r\n"
FORM = "multipart/form-data; boundary=x"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", None),
        (b"", "application/json"),
        (SLICE, "image/png"),
        (b"{}", "application/json"),
        (b"image=1", "application/x-www-form-urlencoded"),
        (IMAGE + END, "multipart/form-data"),
        (IMAGE + END, "multipart/form-data; boundary="),
        (IMAGE + END, "multipart/form-data; boundary=\u00e4"),
        (IMAGE[:-40], FORM),
        (IMAGE, FORM),
        (b"rubbish", FORM),
    ],
)
def test_what_is_no_readable_form_is_400(api: Api, body: bytes, content_type: str | None) -> None:
    answer = raw(api, body, content_type)
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json" and answer.json["code"] == "bad_request"


def test_a_form_that_others_made_is_read(api: Api) -> None:
    assert raw(api, IMAGE + END, FORM).status_code == 201


def test_5000_parts_are_413(api: Api) -> None:
    answer = raw(api, part("image", b"x") * 5000 + END, FORM)
    assert (answer.status_code, answer.json["code"]) == (413, "payload_too_large")


def test_text_that_fills_the_memory_is_413(api: Api) -> None:
    answer = raw(api, part("model", b"x" * 300_000) * 40 + END, FORM)
    assert (answer.status_code, answer.json["code"]) == (413, "payload_too_large")


def test_a_file_field_that_a_browser_left_empty_is_not_there(api: Api) -> None:
    assert raw(api, IMAGE + part("modality_t1", b"", "") + END, FORM).status_code == 201
    answer = raw(api, part("image", b"", "") + END, FORM)
    assert answer.status_code == 422 and "missing" in answer.json["errors"]["image"][0]


def test_a_body_that_is_too_large_is_413_and_says_the_limit(make_api) -> None:
    api = make_api(max_upload_bytes=10_000)
    answer = raw(api, part("image", bytes(20_000), "a") + END, FORM)
    assert answer.status_code == 413 and "10000" in answer.json["detail"]


def test_a_text_field_of_a_megabyte_is_413(api: Api) -> None:
    assert raw(api, part("model", b"x" * 1_000_000) + END, FORM).status_code == 413


def test_a_large_file_is_taken_whole(api: Api) -> None:
    answer = raw(api, part("image", bytes(5_000_000), "zeros") + END, FORM)
    assert answer.status_code == 415  # read to its end, and no picture


@pytest.mark.parametrize("name", ["x" * 10_000, "../../etc/passwd", "日本.png", ""])
def test_the_file_name_does_not_matter(api: Api, name: str) -> None:
    assert raw(api, part("image", SLICE, name) + END, FORM).status_code == 201


def test_a_file_name_that_is_not_utf_8_is_said(api: Api) -> None:
    answer = raw(api, part("image", SLICE, "a\udcff.png") + END, FORM)
    assert answer.status_code == 400 and "UTF-8" in answer.json["detail"]


def test_a_field_that_is_not_utf_8_is_named(api: Api) -> None:
    answer = raw(api, IMAGE + part("model", b"\xff\xfe") + END, FORM)
    assert answer.status_code == 422 and "UTF-8" in answer.json["errors"]["model"][0]


def test_a_field_name_that_is_not_utf_8_is_refused(api: Api) -> None:
    answer = raw(api, IMAGE + part("mod\udcffel", b"default") + END, FORM)
    assert answer.status_code in (400, 422)


@pytest.mark.parametrize("name", ["model", "threshold"])
def test_a_field_sent_twice_is_named(api: Api, name: str) -> None:
    answer = raw(api, IMAGE + part(name, b"1") * 2 + END, FORM)
    assert answer.status_code == 422 and "2 times" in answer.json["errors"][name][0]


def test_two_images_are_named(api: Api) -> None:
    answer = raw(api, IMAGE * 2 + END, FORM)
    assert answer.status_code == 422 and list(answer.json["errors"]) == ["image"]


def test_the_image_as_text_and_a_value_as_file_are_named(api: Api) -> None:
    answer = raw(api, part("image", b"abc") + part("threshold", b"0.5", "t.txt") + END, FORM)
    assert answer.status_code == 422
    assert "as a file" in answer.json["errors"]["image"][0]
    assert "as text" in answer.json["errors"]["threshold"][0]


def test_unknown_fields_are_named_and_their_names_cannot_fill_the_answer(api: Api) -> None:
    strange = b"".join(part(f"\x01{number}" + "y" * 5000, b"") for number in range(50))
    answer = raw(api, IMAGE + strange + END, FORM)
    assert answer.status_code == 422 and len(answer.data) < 10_000


def test_a_query_string_is_no_way_to_send_fields(api: Api) -> None:
    data = {"image": (io.BytesIO(SLICE), "a.png")}
    answer = api.client.post(f"{URL}?threshold=0.9", data=data)
    assert answer.json["result"]["threshold"] == 0.5
