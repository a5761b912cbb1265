"""The pages, as a browser without JavaScript uses them."""

import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from shared.pictures.render import CLASS_COLORS
from tests.fakes.cards import card
from tests.fakes.forms import FORM, PATIENT, form
from tests.fakes.volume_worker import VolumeMade
from tests.fakes.volumes import head, nifti
from tests.service.conftest import SLICE, Api

HTML = {"Accept": "text/html,*/*;q=0.8"}


class Page(HTMLParser):
    """Tags and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def token(self) -> str:
        return next(str(field["value"]) for field in self.all("input") if field.get("name") == "csrf_token")


def nothing_inline(text: str) -> bool:
    """Whether the content security policy leaves the page whole."""
    return all(script.get("src") for script in Page(text).all("script")) and " style=" not in text


def send(api: Api, image: bytes = SLICE, **fields: str):
    page = Page(api.client.get("/").text)
    data = {"csrf_token": page.token(), "threshold": "", "pixel_spacing_mm": "", "model": "default", **fields}
    return api.client.post("/segment", data={**data, "image": (io.BytesIO(image), "a.png")}, headers=HTML)


def test_the_form_has_a_label_for_every_field(api: Api) -> None:
    page = Page(api.client.get("/").text)
    labelled = {label["for"] for label in page.all("label")}
    fields = [f for f in page.all("input") + page.all("select") if f.get("type") != "hidden"]
    options = {"model", "threshold", "pixel_spacing_mm", "slice_spacing_mm", "sequence_order"}
    files = {"image", "modality_t1", "modality_t1ce", "modality_t2", "modality_flair"}
    assert {field["id"] for field in fields} == labelled == options | files
    assert all("multiple" in field for field in page.all("input") if field.get("type") == "file")
    assert page.all("form")[0]["enctype"] == "multipart/form-data"


def test_a_slice_leads_to_its_result(api: Api) -> None:
    answer = send(api, pixel_spacing_mm="0.5")
    assert answer.status_code == 303
    shown = api.client.get(answer.headers["Location"])
    assert shown.status_code == 200 and "tumour found" in shown.text and "mm²" in shown.text
    assert "not a medical device" in shown.text.lower()
    page = Page(shown.text)
    pictures = [image for image in page.all("img") if "/v1/" in str(image["src"])]
    assert len(pictures) == 4 and all(image["alt"] for image in pictures)
    for link in [image["src"] for image in pictures] + [
        a["href"] for a in page.all("a") if "/v1/" in str(a["href"])
    ]:
        assert api.client.get(str(link)).status_code == 200
    assert nothing_inline(shown.text)


def test_pixels_that_are_not_square_are_drawn_in_true_proportion(api: Api) -> None:
    of_a_slice = send(api, pixel_spacing_mm="0.5,1").headers["Location"]
    of_a_volume = send_volume(api, VolumeMade(row_mm=1.0))
    for location, box in ((of_a_slice, "0 0 112 40"), (of_a_volume, "0 0 56 80")):
        shown = api.client.get(location)
        page = Page(shown.text)
        drawn = [svg for svg in page.all("svg") if svg.get("role") == "img"]
        assert len(drawn) == 4 and all(svg["viewbox"] == box and svg["aria-label"] for svg in drawn)
        assert not [image for image in page.all("img") if "/v1/" in str(image["src"])]
        for image in page.all("image"):
            assert image["preserveaspectratio"] == "none"
            assert api.client.get(str(image["href"])).status_code == 200
        assert nothing_inline(shown.text)


def send_volume(api: Api, made: VolumeMade, **fields: object) -> str:
    """The address of the volume's result."""
    assert api.jobs.worker is not None
    api.jobs.worker.volume = made
    token = Page(api.client.get("/").text).token()
    body = form(**{"image": nifti(head(1)), "csrf_token": token, "slice_spacing_mm": "", **fields})
    answer = api.client.post("/segment", data=body, headers=HTML, content_type=FORM)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


@pytest.mark.parametrize(
    "made", [VolumeMade(), VolumeMade(known=False, format="TIFF"), VolumeMade(classes=("core", "oedema"))]
)
def test_a_volume_leads_to_its_largest_slice_and_from_there_to_all_others(api: Api, made: VolumeMade) -> None:
    location = send_volume(api, made)
    shown = api.client.get(location)
    assert shown.status_code == 200 and "Slice 3 of 0 to 5" in shown.text
    assert ("mm³" in shown.text) and ("not in mm³" in shown.text) == (not made.known)
    assert ("oedema" in shown.text) == bool(made.classes)
    assert ("swatch class-2" in shown.text) == bool(made.classes)
    assert ("DICOM SEG" in shown.text) == (made.format == "DICOM")
    page = Page(shown.text)
    assert nothing_inline(shown.text) and "None" not in shown.text
    pictures = [image for image in page.all("img") if "/v1/" in str(image["src"])]
    assert len(pictures) == 4 and all(image["alt"] and "slice=3" in str(image["src"]) for image in pictures)
    links = [str(image["src"]) for image in pictures] + [str(a["href"]) for a in page.all("a")]
    for link in links:
        if not link.startswith("#"):
            assert api.client.get(link.partition("#")[0]).status_code == 200, link
    slices = {link for link in links if link.startswith(location + "?")}
    assert slices == {f"{location}?slice={index}#slice" for index in (2, 3, 4)}


def test_the_ends_of_a_volume_have_no_further_neighbour(api: Api) -> None:
    location = send_volume(api, VolumeMade(first=2, last=1))
    assert "no tumour found" in api.client.get(location).text
    for index, neighbour in ((0, 1), (5, 4)):
        page = Page(api.client.get(f"{location}?slice={index}").text)
        assert {
            str(a["href"])
            for a in page.all("a")
            if "slice=" in str(a["href"]) and "/v1/" not in str(a["href"])
        } == {f"{location}?slice={neighbour}#slice"}
    answer = api.client.get(f"{location}?slice=6", headers=HTML)
    assert answer.status_code == 422 and "from 0 to 5" in answer.text


def test_a_volume_that_has_not_ended_looks_again_by_itself(api: Api) -> None:
    api.jobs.paused = True
    location = send_volume(api, VolumeMade())
    assert "http-equiv" in api.client.get(location).text
    assert "segmentations" in api.client.get("/results").text or location in api.client.get("/results").text
    api.jobs.work()
    assert "http-equiv" not in api.client.get(location).text


def test_what_is_wrong_with_a_volume_is_said_above_the_form(api: Api) -> None:
    token = Page(api.client.get("/").text).token()
    body = form(image=[SLICE, SLICE], modality_t1=SLICE, csrf_token=token)
    answer = api.client.post("/segment", data=body, headers=HTML, content_type=FORM)
    assert answer.status_code == 422 and "Image files:" in answer.text and PATIENT not in answer.text
    body = form(modality_t1=SLICE, csrf_token=token)
    answer = api.client.post("/segment", data=body, headers=HTML, content_type=FORM)
    assert answer.status_code == 422 and "T1 volume:" in answer.text


def test_the_page_and_the_api_make_the_same_thing(api: Api) -> None:
    page_id = send(api, threshold="0.4").headers["Location"].rsplit("/", 1)[1]
    by_page = api.client.get(f"/v1/segmentations/{page_id}").json
    assert by_page["result"] == api.post(threshold="0.4").json["result"]


def test_a_job_that_has_not_ended_looks_again_by_itself(api: Api) -> None:
    api.jobs.paused = True
    location = send(api).headers["Location"]
    pending = api.client.get(location)
    refresh = [meta for meta in Page(pending.text).all("meta") if meta.get("http-equiv") == "refresh"]
    assert refresh and pending.status_code == 200
    api.jobs.work()
    assert "http-equiv" not in api.client.get(location).text


@pytest.mark.parametrize(
    ("image", "fields", "status", "words"),
    [
        (b"text", {}, 415, "not an image"),
        (b"", {}, 422, "empty"),
        (SLICE, {"threshold": "7"}, 422, "at most 1"),
        (SLICE, {"pixel_spacing_mm": "<script>"}, 422, "Pixel spacing"),
        (SLICE, {"model": "unknown"}, 422, "unknown"),
    ],
)
def test_what_is_wrong_is_said_above_the_form(
    api: Api, image: bytes, fields: dict[str, str], status: int, words: str
) -> None:
    answer = send(api, image, **fields)
    assert answer.status_code == status and words in answer.text
    page = Page(answer.text)
    assert page.all("form") and nothing_inline(answer.text)
    assert any(tag.get("role") == "alert" for _, tag in page.tags)


def test_no_worker_and_no_redis_are_said_in_words(api: Api) -> None:
    api.jobs.down = True
    answer = send(api)
    assert answer.status_code == 503 and "queue" in answer.text and Page(answer.text).all("form")


def test_a_model_without_an_encoder_is_shown_without_one(api: Api) -> None:
    made = card("gates", architecture="attention_unet", encoder=None)
    api.parts.stored.models.register(made, "models/gates.1")
    job = api.post(model="gates").json
    assert job["model"]["encoder"] is None
    page = api.client.get(f"/results/{job['id']}").text
    assert "attention_unet" in page and "None" not in page


def test_results_are_listed_and_can_be_deleted(api: Api) -> None:
    assert "Nothing here yet" in api.client.get("/results").text
    location = send(api).headers["Location"]
    assert location in api.client.get("/results").text
    token = Page(api.client.get(location).text).token()
    assert api.client.post(f"{location}/delete", data={"csrf_token": token}).status_code == 303
    gone = api.client.get(location, headers=HTML)
    assert gone.status_code == 410 and gone.mimetype == "text/html" and "deleted" in gone.text


def test_a_failed_job_says_why(api: Api) -> None:
    api.jobs.paused = True
    location = send(api).headers["Location"]
    (claim,) = api.parts.stored.segmentations.claim([location.rsplit("/", 1)[1]], "w", 10)
    api.parts.stored.segmentations.fail(claim, "inference_failed", "The network broke.")
    page = api.client.get(location)
    assert page.status_code == 200 and "The network broke." in page.text


def sign_in(api: Api, secret: str, **fields: str):
    token = Page(api.client.get("/login").text).token()
    return api.client.post("/login", data={"csrf_token": token, "key": secret, **fields}, headers=HTML)


def test_without_a_session_every_page_leads_to_login_and_back(guarded: Api) -> None:
    answer = guarded.client.get("/results")
    assert answer.status_code == 303 and answer.headers["Location"] == "/login?next=/results"
    _, secret = guarded.parts.stored.keys.create("ward", ["infer"])
    back = sign_in(guarded, secret, next="/results")
    assert back.status_code == 303 and back.headers["Location"] == "/results"
    cookie = back.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and secret not in cookie
    assert guarded.client.get("/results").status_code == 200


@pytest.mark.parametrize("wanted", ["/results?limit=5", "/system"])
def test_login_leads_back_below_the_path_where_the_service_is_mounted(guarded: Api, wanted: str) -> None:
    mounted = {"environ_overrides": {"SCRIPT_NAME": "/mri"}}
    asked = guarded.client.get(wanted, **mounted).headers["Location"]
    assert asked.startswith("/mri/login?next=/")
    form = Page(guarded.client.get(asked.removeprefix("/mri"), **mounted).text)
    (onward,) = [field["value"] for field in form.all("input") if field.get("name") == "next"]
    _, secret = guarded.parts.stored.keys.create("ward", ["infer"])
    data = {"csrf_token": form.token(), "key": secret, "next": onward}
    answer = guarded.client.post("/login", data=data, **mounted)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/mri{wanted}")


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_login_does_not_lead_elsewhere(guarded: Api, target: str) -> None:
    _, secret = guarded.parts.stored.keys.create("ward", ["infer"])
    assert sign_in(guarded, secret, next=target).headers["Location"] == "/"


def test_a_wrong_key_is_said(guarded: Api) -> None:
    answer = sign_in(guarded, "wrong")
    assert answer.status_code == 401 and "unknown" in answer.text


def test_a_session_segments_with_a_token_and_not_without(guarded: Api) -> None:
    _, secret = guarded.parts.stored.keys.create("ward", ["infer"])
    sign_in(guarded, secret)
    assert send(guarded).status_code == 303
    refused = send(guarded, csrf_token="wrong")
    assert refused.status_code == 403
    assert "No page of this service sent this" in refused.text and "API key may not" not in refused.text
    data = {"image": (io.BytesIO(SLICE), "a.png")}
    assert guarded.client.post("/segment", data=data).status_code == 403


def test_a_session_reads_pictures_and_other_sites_cannot_use_it(guarded: Api) -> None:
    _, secret = guarded.parts.stored.keys.create("ward", ["infer"])
    sign_in(guarded, secret)
    made = guarded.post()
    assert made.status_code == 201
    assert guarded.client.get(made.json["links"]["overlay"]).status_code == 200
    assert guarded.post(headers={"Origin": "https://evil.example"}).status_code == 403


def test_signing_out_and_revoking_end_the_session(guarded: Api) -> None:
    key_id, secret = guarded.parts.stored.keys.create("ward", ["infer"])
    sign_in(guarded, secret)
    token = Page(guarded.client.get("/").text).token()
    assert guarded.client.post("/logout", data={"csrf_token": token}).status_code == 303
    assert guarded.client.get("/").status_code == 303
    sign_in(guarded, secret)
    guarded.parts.stored.keys.revoke(key_id)
    assert guarded.client.get("/").status_code == 303


def test_a_cookie_that_was_changed_is_worth_nothing(guarded: Api) -> None:
    guarded.client.set_cookie("segmentation_session", "eyJrZXlfaWQiOiJ4In0.aaaa.bbbb")
    assert guarded.client.get("/").status_code == 303


def test_the_docs_page_has_no_inline_script(api: Api) -> None:
    page = Page(api.client.get("/docs").text)
    assert page.all("script") and all(script.get("src") for script in page.all("script"))
    for script in page.all("script"):
        answer = api.client.get(str(script["src"]))
        assert answer.status_code == 200 and "javascript" in answer.content_type
    assert api.client.get("/docs/ui/index.html").status_code == 404


def test_every_code_has_its_place_on_the_page_of_problems(api: Api) -> None:
    text = api.client.get("/problems").text
    assert re.search(r'id="invalid_fields"', text) and 'id="queue_full"' in text


def test_the_swatches_have_the_colours_of_the_overlay() -> None:
    style = (Path(__file__).resolve().parents[3] / "service" / "static" / "style.css").read_text()
    for number, color in enumerate(CLASS_COLORS, 1):
        assert f".class-{number} {{ background: rgb({' '.join(map(str, color))}); }}" in style
