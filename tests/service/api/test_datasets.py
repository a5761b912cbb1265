"""/v1/datasets: what is taken, what is refused and how, and that nothing is left behind."""

import io
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import cv2
import marshmallow as ma
import numpy as np
import pytest

from service.schemas.datasets import Dataset
from shared.contract.config import DatasetSettings
from shared.contract.messages import ValidateDatasetMessage
from shared.files.paths import dataset_archive_path
from tests.fakes import zips
from tests.fakes.datasets import picture_files
from tests.fakes.study import make_study
from tests.fakes.volumes import case_files
from tests.service.conftest import Api
from trainer.datasets.local_datasets import LocalDatasets
from trainer.datasets.validation_job import ValidationJob

URL = "/v1/datasets"
ZIP = zips.archive(picture_files())
FORM = "multipart/form-data; boundary=x"
KEY = {"Idempotency-Key": "upload-1"}


def post(api: Api, data: bytes | None = ZIP, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    form: dict[str, Any] = {"name": "my study"} | fields
    form = {name: value for name, value in form.items() if value is not None}
    if data is not None:
        form["file"] = (io.BytesIO(data), "x.zip")
    return api.client.post(URL, data=form, headers=headers, content_type="multipart/form-data")


def part(data: bytes) -> bytes:
    """The beginning of a form with this file."""
    return b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + data


def validate(api: Api, tmp_path: Path) -> None:
    """What a worker does."""
    local = LocalDatasets(api.parts.stored.files, tmp_path / "cache", api.parts.settings.datasets)
    rows = api.parts.stored.datasets
    while claim := rows.claim_next("w", 10):
        ValidationJob(rows, local, 10, lambda: False).run(claim)


def left(api: Api) -> list[str]:
    """Files in the store and among the uploads."""
    folder = api.parts.settings.store.data_dir / "uploads"
    return [*api.files(), *(path.name for path in folder.rglob("*"))]


@pytest.fixture
def with_folder(make_api: Callable[..., Api], tmp_path: Path) -> Api:
    make_study(tmp_path / "datasets" / "lgg", patients=4, slices=4)
    return make_api(datasets=DatasetSettings(datasets_dir=tmp_path / "datasets"))


def test_an_archive_is_accepted_stored_and_announced(api: Api) -> None:
    answer = post(api, format="image_mask", patient_pattern="(P.)/")
    assert answer.status_code == 202 and answer.headers["Retry-After"]
    document = answer.json
    assert Dataset(unknown=ma.RAISE).load(document)
    assert (document["status"], document["name"], document["patients"]) == ("validating", "my study", None)
    assert document["options"] == {"patient_pattern": "(P.)/"} and document["archive_bytes"] == len(ZIP)
    assert answer.headers["Location"] == document["links"]["self"] == f"{URL}/{document['id']}"
    assert api.parts.stored.files.read(dataset_archive_path(document["id"])) == ZIP
    assert left(api) == [dataset_archive_path(document["id"])]
    assert [(type(m), m.job_id) for m in api.jobs.woken] == [(ValidateDatasetMessage, document["id"])]
    assert api.client.get(answer.headers["Location"]).json == document


def test_after_the_validation_the_numbers_are_there(api: Api, tmp_path: Path) -> None:
    made = post(api)
    validate(api, tmp_path)
    answer = api.client.get(made.headers["Location"])
    document = answer.json
    assert Dataset(unknown=ma.RAISE).load(document) and "Retry-After" not in answer.headers
    assert (document["status"], document["format"], document["error"]) == ("ready", "image_mask", None)
    assert (document["patients"], document["slices"], document["tumour_slices"]) == (4, 12, 8)
    assert document["findings"][0]["code"] == "few_patients"
    assert api.client.get(URL).json["items"] == [document]


def test_a_dataset_that_is_wrong_fails_and_says_why(api: Api, tmp_path: Path) -> None:
    made = post(api, zips.archive(picture_files() | {"P1/2.png": b"broken"}))
    validate(api, tmp_path)
    document = api.client.get(made.headers["Location"]).json
    assert Dataset(unknown=ma.RAISE).load(document)
    assert document["status"] == "failed" and document["error"]["code"] == "dataset_invalid"
    assert document["findings"][0]["files"] == ["P1/2.png"]
    preview = api.client.get(document["links"]["preview"])
    assert (preview.status_code, preview.json["code"]) == (409, "conflict")


# --- refused -------------------------------------------------------------------------------------

HOSTILE = {
    "../evil.png": zips.by_hand([zips.Entry("../evil.png")]),
    "link.png": zips.by_hand([zips.Entry("link.png", b"/etc/passwd", mode=stat.S_IFLNK | 0o777)]),
    "inner.zip": zips.archive({"inner.zip": b""}),
    "no zip": b"hello",
    "cut short": ZIP[:-5],
    "grow": zips.archive({"bomb.bmp": bytes(20 << 20)}),
}


@pytest.mark.parametrize("said", sorted(HOSTILE))
def test_an_archive_that_could_do_harm_is_422_and_leaves_nothing(said: str, api: Api) -> None:
    answer = post(api, HOSTILE[said])
    assert (answer.status_code, answer.json["code"]) == (422, "unsafe_archive")
    assert said in answer.json["detail"]
    assert left(api) == [] and api.client.get(URL).json["items"] == [] and not api.jobs.woken


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"name": None}, ["name"]),
        ({"name": "a\nb"}, ["name"]),
        ({"name": "x" * 101}, ["name"]),
        ({"format": "nifti"}, ["format"]),
        ({"format": "image_mask", "patient_pattern": "(a+)+"}, ["patient_pattern"]),
        ({"format": "lgg", "mask_suffix": "_m"}, ["mask_suffix"]),
        ({"mask_suffix": "../x", "name": ""}, ["mask_suffix", "name"]),
        ({"folder": "lgg", "colour": "red"}, ["colour", "folder"]),
    ],
)
def test_wrong_fields_are_named_all_at_once(fields: dict[str, Any], wrong: list[str], api: Api) -> None:
    answer = post(api, **fields)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    assert sorted(answer.json["errors"]) == wrong and left(api) == []


def test_a_missing_file_and_two_files_are_named(api: Api) -> None:
    assert list(post(api, None).json["errors"]) == ["file"]
    twice = {"name": "a", "file": [(io.BytesIO(ZIP), "a"), (io.BytesIO(ZIP), "b")]}
    answer = api.client.post(URL, data=twice, content_type="multipart/form-data")
    assert answer.status_code == 422 and "2 times" in answer.json["errors"]["file"][0]
    assert left(api) == []


def test_more_bytes_than_allowed_are_413_and_a_dataset_may_be_larger_than_a_slice(
    make_api: Callable[..., Api],
) -> None:
    small = make_api(max_upload_bytes=2000)
    assert len(ZIP) > 2000 and post(small).status_code == 202
    strict = make_api(datasets=DatasetSettings(max_dataset_bytes=5000))
    answer = strict.client.post(URL, data=part(bytes(2_000_000)), content_type=FORM)
    assert (answer.status_code, answer.json["code"]) == (413, "payload_too_large")


def test_limits_of_the_archive_are_settings(make_api: Callable[..., Api]) -> None:
    for limit in ({"max_dataset_files": 5}, {"max_dataset_unpacked_bytes": 3000}):
        answer = post(make_api(datasets=DatasetSettings(**limit)))
        assert answer.json["code"] == "unsafe_archive" and str(*limit.values()) in answer.json["detail"]


def test_a_body_that_breaks_off_leaves_nothing(api: Api) -> None:
    answer = api.client.post(URL, data=part(bytes(300_000)), content_type=FORM)
    assert answer.status_code == 400 and left(api) == []


def test_a_key_without_the_scope_is_told_before_the_body_is_read(guarded: Api) -> None:
    class Unread(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

    for headers, status in (({}, 401), (guarded.key("infer"), 403)):
        answer = guarded.client.post(
            URL, input_stream=Unread(part(bytes(1000))), headers=headers,
            content_type=FORM,
        )  # fmt: skip
        assert answer.status_code == status


def test_without_redis_nothing_is_accepted(api: Api) -> None:
    api.jobs.down = True
    assert (post(api).status_code, left(api)) == (503, [])
    api.jobs.down, api.jobs.send_fails = False, True
    assert (post(api, headers=KEY).status_code, left(api)) == (503, [])
    api.jobs.send_fails = False
    assert api.client.get(URL).json["items"] == []
    assert post(api, headers=KEY).status_code == 202


def test_a_full_disk_is_503_and_leaves_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(api.parts.stored.files, "put", full)
    answer = post(api)
    assert (answer.status_code, answer.json["code"], left(api)) == (503, "storage_unavailable", [])


# --- idempotency, owners, deleting ---------------------------------------------------------------


def test_the_same_request_again_is_200_with_the_same_dataset(api: Api) -> None:
    first, again = post(api, headers=KEY), post(api, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 200) and again.json == first.json
    assert len(api.client.get(URL).json["items"]) == 1 and len(left(api)) == 1
    for other in (post(api, headers=KEY, name="other"), post(api, zips.archive({"a.png": b""}), headers=KEY)):
        assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")
    assert len(left(api)) == 1


def test_another_owner_sees_nothing(guarded: Api) -> None:
    mine, other, admin = guarded.key("train"), guarded.key("train"), guarded.key("admin")
    at = post(guarded, headers=mine).headers["Location"]
    get = guarded.client.get
    assert (get(at, headers=mine).status_code, get(at, headers=admin).status_code) == (200, 200)
    for path in (at, f"{at}/preview.png"):
        assert get(path, headers=other).status_code == 404
    assert guarded.client.delete(at, headers=other).status_code == 404
    assert get(URL, headers=other).json["items"] == [] and len(get(URL, headers=mine).json["items"]) == 1
    assert get(URL, headers=guarded.key("infer")).status_code == 403


def test_a_deleted_dataset_is_gone_with_its_files(api: Api) -> None:
    at = post(api).headers["Location"]
    assert api.client.delete(at).status_code == 204
    assert api.client.get(at).status_code == api.client.delete(at).status_code == 404
    assert left(api) == [] and api.client.get(URL).json["items"] == []


@pytest.mark.parametrize("name", ["nope", "a%00b", "..", "x" * 65, "ü"])
def test_an_unknown_dataset_is_404(name: str, api: Api) -> None:
    for path in (f"{URL}/{name}", f"{URL}/{name}/preview.png"):
        assert api.client.get(path).status_code == 404


# --- the operator's folders ----------------------------------------------------------------------


def test_a_folder_of_the_operator_is_taken(with_folder: Api, tmp_path: Path) -> None:
    made = with_folder.client.post(URL, json={"name": "lgg", "format": "auto", "folder": "lgg"})
    assert made.status_code == 202 and made.json["folder"] == "lgg" and made.json["archive_bytes"] is None
    validate(with_folder, tmp_path)
    document = with_folder.client.get(made.headers["Location"]).json
    assert (document["status"], document["format"], document["slices"]) == ("ready", "lgg", 16)
    assert with_folder.client.get(document["links"]["preview"]).status_code == 200
    assert with_folder.client.delete(made.headers["Location"]).status_code == 204
    assert (tmp_path / "datasets" / "lgg" / "kaggle_3m").is_dir()


@pytest.mark.parametrize(
    "folder", ["nope", "..", "../datasets", "/etc", "lgg/kaggle_3m", ".", "", 7, None, "a\x00b"]
)
def test_other_folders_are_refused_by_field(folder: Any, with_folder: Api) -> None:
    answer = with_folder.client.post(URL, json={"name": "a", "folder": folder})
    assert answer.status_code == 422 and list(answer.json["errors"]) == ["folder"]


def test_without_a_folder_of_datasets_that_is_said(api: Api) -> None:
    answer = api.client.post(URL, json={"name": "a", "folder": "lgg"})
    assert answer.status_code == 422 and "DATASETS_DIR" in answer.json["errors"]["folder"][0]
    assert api.client.post(URL, json={"name": "a"}).json["errors"].keys() == {"folder"}
    assert api.client.post(URL, data=b"[]", content_type="application/json").status_code == 400
    assert api.client.post(URL, data=b"x=1", content_type="text/plain").status_code == 400


# --- the preview ---------------------------------------------------------------------------------


@pytest.fixture
def ready(api: Api, tmp_path: Path) -> tuple[Api, str]:
    at = post(api).headers["Location"]
    validate(api, tmp_path)
    return api, f"{at}/preview.png"


def pixels(answer: Any) -> np.ndarray:
    assert answer.status_code == 200 and answer.content_type == "image/png", answer.data[:500]
    return cv2.imdecode(np.frombuffer(answer.data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_the_preview_shows_the_slice_and_the_outline(ready: tuple[Api, str]) -> None:
    api, at = ready
    shown = pixels(api.client.get(at))
    files = picture_files()
    image = cv2.imdecode(np.frombuffer(files["P0/1.png"], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    np.testing.assert_array_equal(shown[:, :56], image)
    assert (shown[10, 56 + 10] == (255, 0, 0)).all() and (shown[15, 56 + 15] == image[15, 15]).all()


def test_patients_and_slices_are_chosen_by_name_or_number(ready: tuple[Api, str]) -> None:
    api, at = ready
    by_name = api.client.get(f"{at}?patient=P2&slice=3").data
    for question in ("patient=2&slice=3.png", "patient=P2&slice=P2/3.png", "patient=P2&slice=P2/3.png"):
        assert api.client.get(f"{at}?{question}").data == by_name
    assert api.client.get(f"{at}?patient=0").data == api.client.get(at).data
    assert api.client.get(f"{at}?slice=0").data == api.client.get(f"{at}?slice=1").data  # named 1, the first


def place_of(answer: Any) -> tuple[str, int, str, int, int]:
    """What the headers say: patient and its place, slice, its place and how many there are."""
    said = answer.headers
    patient, shown = unquote(said["X-Patient"]), unquote(said["X-Slice"])
    return patient, int(said["X-Patient-Index"]), shown, int(said["X-Slice-Index"]), int(said["X-Slices"])


def test_headers_say_which_slice_is_shown_and_how_many_there_are(ready: tuple[Api, str]) -> None:
    api, at = ready
    assert place_of(api.client.get(at)) == ("P0", 0, "P0/1.png", 0, 3)
    chosen = api.client.get(f"{at}?patient=P2&slice=3.png")
    assert place_of(chosen) == ("P2", 2, "P2/3.png", 2, 3)
    for question in (
        "patient=P2&slice=P2/3.png",
        "patient_index=2&slice_index=2",
        "patient=P2&slice_index=2",
    ):
        again = api.client.get(f"{at}?{question}")
        assert (again.data, place_of(again)) == (chosen.data, place_of(chosen))
    kept = api.client.get(
        f"{at}?patient_index=2&slice_index=2", headers={"If-None-Match": chosen.headers["ETag"]}
    )
    assert (kept.status_code, place_of(kept)) == (304, place_of(chosen))


def test_by_its_place_every_slice_is_shown_whatever_the_files_are_called(
    ready: tuple[Api, str], api: Api, tmp_path: Path
) -> None:
    """Files called 1 to 3 make `slice=1` the first; folders called 1 to 4 the same of patients."""
    at = ready[1]
    shown = [place_of(api.client.get(f"{at}?patient_index=1&slice_index={n}"))[2] for n in range(3)]
    assert shown == ["P1/1.png", "P1/2.png", "P1/3.png"]
    renamed = {name.replace("P", ""): data for name, data in picture_files().items()}
    made = post(api, zips.archive({f"{int(name[0]) + 1}{name[1:]}": data for name, data in renamed.items()}))
    validate(api, tmp_path)
    other = f"{made.headers['Location']}/preview.png"
    assert place_of(api.client.get(f"{other}?patient=1"))[:2] == ("1", 0)
    found = [place_of(api.client.get(f"{other}?patient_index={n}"))[:2] for n in range(4)]
    assert found == [("1", 0), ("2", 1), ("3", 2), ("4", 3)]


def test_names_in_headers_are_percent_encoded(api: Api, tmp_path: Path) -> None:
    files = {name.replace("P0/", "Müller <b>/"): data for name, data in picture_files().items()}
    made = post(api, zips.archive(files))
    validate(api, tmp_path)
    answer = api.client.get(f"{made.headers['Location']}/preview.png?patient=M%C3%BCller%20%3Cb%3E&slice=2")
    assert answer.headers["X-Patient"] == "M%C3%BCller%20%3Cb%3E" and answer.headers["X-Slice"].isascii()
    assert place_of(answer)[2] == "Müller <b>/2.png"


def test_a_channel_can_be_shown_alone(ready: tuple[Api, str], with_folder: Api, tmp_path: Path) -> None:
    api, at = ready
    grey = pixels(api.client.get(f"{at}?modality=1"))[:, :56]
    assert (grey[..., 0] == grey[..., 2]).all() and (
        grey[..., 0] == pixels(api.client.get(at))[:, :56, 1]
    ).all()
    made = with_folder.client.post(URL, json={"name": "lgg", "folder": "lgg"})
    validate(with_folder, tmp_path)
    other = f"{made.headers['Location']}/preview.png"
    assert (
        with_folder.client.get(f"{other}?modality=FLAIR").data
        == with_folder.client.get(f"{other}?modality=1").data
    )


@pytest.fixture
def volumes(api: Api, tmp_path: Path) -> tuple[Api, str]:
    made = post(api, zips.archive(case_files("A") | case_files("B", 1)))
    validate(api, tmp_path)
    return api, made.headers["Location"]


def test_a_dataset_of_volumes_says_what_it_has(volumes: tuple[Api, str]) -> None:
    document = volumes[0].client.get(volumes[1]).json
    assert Dataset(unknown=ma.RAISE).load(document) and (document["status"], document["format"]) == (
        "ready",
        "brats",
    )
    assert document["modalities"] == ["t1", "t1ce", "t2", "flair"] and document["spacing_mm"] == [1, 1, 1]
    assert document["classes"] == ["necrotic core", "oedema", "enhancing"] and document["label_values"] == [
        0,
        1,
        2,
        3,
    ]
    assert "BraTS" in document["truth"] and document["channels"] == 4


def test_of_volumes_all_modalities_are_shown_and_the_classes_outlined(volumes: tuple[Api, str]) -> None:
    api, at = volumes[0], f"{volumes[1]}/preview.png"
    shown = pixels(api.client.get(f"{at}?patient=B&slice=3"))
    assert shown.shape == (24, 5 * 20, 3)
    assert (shown[:, :80, 0] == shown[:, :80, 2]).all()
    panels = [shown[:, 20 * n : 20 * (n + 1), 0] for n in range(4)]
    assert len({panel.tobytes() for panel in panels}) == 4
    outlined = shown[:, 80:]
    assert [tuple(outlined[12, x]) for x in (8, 9, 10)] == [(255, 0, 0), (0, 220, 0), (255, 220, 0)]
    assert (outlined[:10] == shown[:10, 60:80]).all()  # flair
    assert (
        api.client.get(f"{at}?patient=1&slice=3&modality=ALL").data
        == api.client.get(f"{at}?patient=B&slice=3").data
    )


def test_of_volumes_one_modality_and_a_slice_by_its_number_can_be_shown(volumes: tuple[Api, str]) -> None:
    api, at = volumes[0], f"{volumes[1]}/preview.png"
    shown = pixels(api.client.get(f"{at}?patient=A&slice=4&modality=t2"))
    assert shown.shape == (24, 40, 3) and (shown[:, :20] == shown[:, 20:]).all()  # no tumour in slice 4
    assert (shown[:, :20] == pixels(api.client.get(f"{at}?patient=A&slice=4"))[:, 40:60]).all()
    assert api.client.get(f"{at}?patient=A&slice=9").status_code == 404
    for missing in ("0", "5", "00"):  # slices without brain: another one must not be shown in their place
        answer = api.client.get(f"{at}?patient=A&slice={missing}")
        assert answer.status_code == 404 and "from 1 to 4" in answer.json["detail"]
    name, index, path, place, count = place_of(api.client.get(f"{at}?patient=A&slice=4"))
    assert (name, index, place, count) == ("A", 0, 3, 4) and path.endswith("_flair.nii.gz/4")
    assert place_of(api.client.get(f"{at}?patient_index=0&slice_index=3"))[2] == path
    answer = api.client.get(f"{at}?modality=t1n")
    assert answer.status_code == 422 and "t1ce" in answer.json["errors"]["modality"][0]
    assert pixels(api.client.get(at)).shape == (24, 100, 3)


def test_colours_can_be_shown_side_by_side_in_grey(ready: tuple[Api, str]) -> None:
    shown = pixels(ready[0].client.get(f"{ready[1]}?modality=all"))
    assert shown.shape == (40, 4 * 56, 3)
    plain = pixels(ready[0].client.get(ready[1]))
    for channel in range(3):
        assert (shown[:, 56 * channel : 56 * (channel + 1), 1] == plain[:, :56, channel]).all()


@pytest.mark.parametrize(
    ("question", "status", "field"),
    [
        ("patient=P9", 404, None), ("patient=4", 404, None), ("slice=9", 404, None), ("slice=-1", 404, None),
        ("modality=t2", 422, "modality"), ("modality=3", 422, "modality"), ("patient=", 422, "patient"),
        ("size=3", 422, "size"), ("patient_index=4", 404, None), ("slice_index=3", 404, None),
        ("patient_index=-1", 422, "patient_index"), ("slice_index=x", 422, "slice_index"),
        ("slice_index=0&slice=1", 422, "slice_index"), ("patient=0&patient_index=0", 422, "patient_index"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_said(
    question: str, status: int, field: str | None, ready: tuple[Api, str]
) -> None:
    answer = ready[0].client.get(f"{ready[1]}?{question}")
    assert answer.status_code == status
    assert field is None or list(answer.json["errors"]) == [field]


def test_a_client_that_has_the_picture_gets_304(ready: tuple[Api, str]) -> None:
    api, at = ready
    tag = api.client.get(at).headers["ETag"]
    assert api.client.get(at, headers={"If-None-Match": tag}).status_code == 304
    assert api.client.get(f"{at}?patient=1", headers={"If-None-Match": tag}).status_code == 200


def test_files_that_have_vanished_are_410(ready: tuple[Api, str]) -> None:
    api, at = ready
    api.parts.stored.files.delete_tree("datasets")
    assert api.client.get(at).status_code == 410


def test_a_store_elsewhere_works_too(make_api: Callable[..., Api], settings: Any, tmp_path: Path) -> None:
    api = make_api(store=replace(settings.store, store_url="memory://datasets-test"))
    at = post(api).headers["Location"]
    validate(api, tmp_path)
    assert api.client.get(at).json["status"] == "ready"
    assert pixels(api.client.get(f"{at}/preview.png")).shape == (40, 112, 3)
    assert not [*(api.parts.settings.store.data_dir / "uploads").iterdir()]


def test_the_list_comes_in_pages(api: Api) -> None:
    made = [post(api, name=f"n{number}").json["id"] for number in range(3)]
    first = api.client.get(f"{URL}?limit=2").json
    rest = api.client.get(f"{URL}?limit=2&cursor={first['next']}").json
    assert [item["id"] for item in first["items"] + rest["items"]] == made[::-1] and rest["next"] is None
