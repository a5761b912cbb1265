"""POST /v1/segmentations with volumes: told by content, stored raw, and no name of a file anywhere."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from shared.contract.messages import SegmentVolumeMessage
from shared.contract.names import SegmentationKind
from shared.database.database import Database
from shared.database.tables import Base
from tests.fakes import images, zips
from tests.fakes.cards import card
from tests.fakes.forms import FORM, PATIENT, form
from tests.fakes.volume_worker import VolumeMade
from tests.fakes.volumes import head, nifti
from tests.service.conftest import SLICE, Api

DICOM = bytes(128) + b"DICM" + bytes(400)
NIFTI = nifti(head(1))
STACK = images.tiff(np.zeros((5, 40, 56), np.uint8), photometric="minisblack")
ONE_PAGE = images.tiff(images.picture(channels=1))
ZIP = zips.archive({f"{PATIENT}/1.dcm": DICOM, f"{PATIENT}/2.dcm": DICOM})
FOUR = ("t1", "t1ce", "t2", "flair")


@pytest.fixture
def api(api: Api) -> Api:
    """With a worker that does volumes, and a model of four sequences."""
    assert api.jobs.worker is not None
    api.jobs.worker.volume = VolumeMade()
    api.parts.stored.models.register(card("four", in_channels=4, channels=[*FOUR]), "models/four.1")
    api.parts.stored.models.register(
        card("three", channels=["pre-contrast", "flair", "post-contrast"]), "models/3.1"
    )
    return api


def send(api: Api, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    """Fields of bytes or lists of bytes are files, called like a patient."""
    return api.client.post("/v1/segmentations", data=form(**fields), headers=headers, content_type=FORM)


def entries(api: Api, job_id: str) -> dict[str, bytes]:
    with (
        api.parts.stored.files.open(f"segmentations/{job_id}/source.zip") as file,
        zipfile.ZipFile(file) as archive,
    ):
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in archive.infolist())
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.parametrize(
    ("files", "format"),
    [
        ([DICOM], "DICOM"),
        ([b"II*\0" + DICOM[4:]], "DICOM"),  # a TIFF as well, by its preamble
        ([b"II*\0" + DICOM[4:]] * 3, "DICOM"),
        ([DICOM, DICOM + b"2", DICOM], "DICOM"),
        ([NIFTI], "NIfTI"),
        ([STACK], "TIFF"),
        ([ZIP], None),
        (
            [DICOM[128 + 4 :].replace(b"\0", b"", 0) and b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100" + bytes(99)],
            "DICOM",
        ),
    ],
)
def test_a_volume_is_stored_raw_and_described_as_far_as_it_is_known(
    api: Api, files: list[bytes], format: str | None
) -> None:
    api.jobs.paused = True
    answer = send(api, image=files, wait="0", pixel_spacing_mm="0.5,0.6", slice_spacing_mm="3")
    assert answer.status_code == 202, answer.json
    job = answer.json
    assert job["status"] == "queued" and job["image"]["format"] == format
    assert job["image"]["files"] == len(files) and job["image"]["width"] is None
    assert job["image"]["pixel_spacing_mm"] == [0.5, 0.6] and job["image"]["slice_spacing_mm"] == 3.0
    assert job["image"]["pixel_spacing_source"] == "request"
    assert entries(api, job["id"]) == {f"image/{place:05}": file for place, file in enumerate(files)}
    assert api.parts.stored.segmentations.get(job["id"]).kind is SegmentationKind.VOLUME
    (message,) = api.jobs.sent
    assert isinstance(message, SegmentVolumeMessage) and message.job_id == job["id"]


def test_the_order_of_sequences_goes_to_the_worker_and_belongs_to_the_request(api: Api) -> None:
    api.jobs.paused = True
    header = {"Idempotency-Key": "k"}
    job = send(api, headers=header, image=NIFTI, wait="0", sequence_order="FLAIR, t1,t1ce,t2").json
    assert api.parts.stored.segmentations.get(job["id"]).image["sequence_order"] == ["flair", "t1", "t1ce", "t2"]
    assert "sequence_order" not in job["image"]
    other = send(api, headers=header, image=NIFTI, wait="0", sequence_order="t1,flair,t1ce,t2")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")


def test_the_end_is_answered_with_all_that_the_worker_found(api: Api) -> None:
    answer = send(api, image=[DICOM] * 6)
    assert answer.status_code == 201
    job = answer.json
    assert job["image"]["slices"] == 6 and job["image"]["plane"] == "axial"
    result = job["result"]
    assert result["largest_slice"] == 3 and len(result["slices"]) == 6
    assert result["volume_mm3"] == pytest.approx(result["area_pixels"] * 0.5 * 0.5 * 3)
    assert [each["index"] for each in result["mask"]["slices"]] == [2, 3, 4]
    assert job["links"].keys() >= {"nifti", "segmentation", "montage"} and "labels" not in job["links"]
    assert api.client.get(job["links"]["self"]).json == job
    as_png = api.client.get(job["links"]["self"] + "?mask_format=png").json["result"]["mask"]
    assert [each.keys() for each in as_png["slices"]] == [{"index", "data"}] * 3


def test_a_job_that_failed_says_so(api: Api) -> None:
    api.jobs.paused = True
    job = send(api, image=ZIP, wait="0").json
    (claim,) = api.parts.stored.segmentations.claim([job["id"]], "w", 10)
    api.parts.stored.segmentations.fail(claim, "missing_slices", "Between slice 3 and 4 one is missing.")
    failed = api.client.get(job["links"]["self"]).json
    assert failed["error"]["code"] == "missing_slices" and failed["image"]["slices"] is None
    for name in ("image", "mask", "overlay", "montage", "nifti"):
        assert api.client.get(failed["links"][name]).status_code == 409


def test_sequences_come_in_fields_of_their_own(api: Api) -> None:
    api.jobs.paused = True
    sent = {f"modality_{name}": nifti(head(n)) for n, name in enumerate(FOUR)}
    answer = send(api, model="four", wait="0", **sent)
    assert answer.status_code == 202, answer.json
    assert answer.json["image"]["modalities"] == [*FOUR] and answer.json["image"]["files"] == 4
    stored = entries(api, answer.json["id"])
    assert stored == {f"{name}/00000": sent[f"modality_{name}"] for name in FOUR}
    digests = "".join(hashlib.sha256(sent[f"modality_{name}"]).hexdigest() for name in sorted(FOUR))
    assert answer.json["image"]["sha256"] == hashlib.sha256(digests.encode()).hexdigest()


def test_a_sequence_may_be_a_series(api: Api) -> None:
    api.jobs.paused = True
    fields = {"modality_t1": [DICOM] * 2, "modality_t1ce": STACK, "modality_flair": ZIP, "modality_t2": NIFTI}
    answer = send(api, model="three", wait="0", **fields)
    assert answer.status_code == 202 and answer.json["image"]["format"] is None
    assert [*entries(api, answer.json["id"])] == [
        "t1/00000",
        "t1/00001",
        "t1ce/00000",
        "t2/00000",
        "flair/00000",
    ]


def test_each_sequence_that_is_missing_is_named(api: Api) -> None:
    answer = send(api, model="four", modality_t1=NIFTI, modality_t2=NIFTI)
    assert answer.status_code == 422
    assert answer.json["errors"] == {
        "modality_t1ce": ["The model needs this sequence."],
        "modality_flair": ["The model needs this sequence."],
    }
    named = send(api, model="three", modality_t1=NIFTI).json["errors"]
    assert named.keys() == {
        "modality_flair",
        "modality_t1ce",
    }  # as the model's pre- and post-contrast are called
    assert api.files() == []


def test_one_image_is_not_enough_for_four_sequences_unless_it_may_hold_them(api: Api) -> None:
    answer = send(api, model="four", image=[DICOM] * 3)
    assert answer.status_code == 422 and "modality_t1ce" in answer.json["errors"]["image"][0]
    assert send(api, model="four", image=STACK).status_code == 422
    assert send(api, model="four", image=NIFTI).status_code == 201
    assert send(api, model="four", image=ZIP).status_code == 201
    assert send(api, model="four", image=SLICE).status_code == 422


def test_a_model_whose_channels_no_field_holds_is_refused(api: Api) -> None:
    api.parts.stored.models.register(card("odd", in_channels=2, channels=["dwi", "adc"]), "models/odd.1")
    api.parts.stored.models.register(card("five", in_channels=5), "models/five.1")
    api.parts.stored.models.register(card("one", in_channels=1), "models/one.1")
    for fields in ({"image": [DICOM]}, {"modality_t1": NIFTI}):
        for model in ("odd", "five"):
            assert [*send(api, model=model, **fields).json["errors"]] == ["model"]
    assert send(api, model="one", modality_t1=NIFTI).json["errors"].keys() == {"modality_flair"}
    assert send(api, model="one", modality_flair=NIFTI).status_code == 201
    assert send(api, modality_t1=NIFTI).status_code == 201  # grey, for three channels without names


@pytest.mark.parametrize(
    ("fields", "where", "words"),
    [
        ({"image": [SLICE, SLICE]}, "image", "one picture"),
        ({"image": [SLICE, ONE_PAGE]}, "image", "one picture"),
        ({"image": [DICOM, SLICE]}, "image", "file 2 of 2 is PNG"),
        ({"image": [NIFTI, NIFTI]}, "image", "file 1 of 2 is NIfTI"),
        ({"image": [DICOM, b""]}, "image", "file 2 of 2 is empty"),
        ({"image": [DICOM, b"readme"]}, "image", "file 2 of 2 is text"),
        ({"image": [DICOM, ZIP]}, "image", "file 2 of 2 is ZIP"),
        ({"image": NIFTI, "modality_t1": NIFTI}, "image", "Send either"),
        ({"modality_t1": SLICE}, "modality_t1", "A picture (PNG)"),
        ({"modality_t2": ONE_PAGE}, "modality_t2", "A picture (TIFF)"),
        ({"modality_flair": [SLICE, SLICE]}, "modality_flair", "DICOM series"),
        ({"image": SLICE, "slice_spacing_mm": "3"}, "slice_spacing_mm", "no slices"),
        ({"image": NIFTI, "slice_spacing_mm": "0"}, "slice_spacing_mm", "at least"),
        ({"image": NIFTI, "sequence_order": "flair,dwi"}, "sequence_order", "names of sequences"),
        ({"image": NIFTI, "sequence_order": ""}, "sequence_order", "names of sequences"),
        ({"image": NIFTI, "sequence_order": "flair,t1,flair"}, "sequence_order", "twice"),
        ({"image": SLICE, "sequence_order": "flair"}, "sequence_order", "one NIfTI file"),
        ({"modality_t1": NIFTI, "sequence_order": "flair"}, "sequence_order", "one NIfTI file"),
    ],
)
def test_what_does_not_belong_together_is_said_on_its_field(
    api: Api, fields: dict[str, Any], where: str, words: str
) -> None:
    answer = send(api, **fields)
    assert answer.status_code == 422 and [*answer.json["errors"]] == [where], answer.json
    assert words in answer.json["errors"][where][0] and "Doe" not in answer.text
    assert api.files() == [] and not api.jobs.sent


def test_all_fields_that_are_wrong_are_named_at_once(api: Api) -> None:
    answer = send(
        api, modality_t1=SLICE, modality_t2=[SLICE, DICOM], modality_flair=NIFTI, threshold="2", model="no"
    )
    assert answer.json["errors"].keys() == {"modality_t1", "modality_t2", "threshold", "model"}


@pytest.mark.parametrize(
    ("image", "status", "code", "words"),
    [
        (b"", 422, "empty_image", "empty"),
        (b"hello", 415, "unsupported_format", "DICOM series"),
        (images.foreign_files()["GIF"], 415, "unsupported_format", "NIfTI"),
        (images.foreign_files()["gzip"], 415, "unsupported_format", "gzip"),
        (STACK[: len(STACK) // 8] + STACK[len(STACK) // 8 : -40], 422, "undecodable_image", "TIFF"),
        (zips.by_hand([zips.Entry("ok"), zips.Entry(f"../{PATIENT}")]), 422, "unsafe_upload", "Entry 2 of 2 leads out"),
        (zips.quoted_bomb(50, b"\0" * 10000), 422, "unsafe_upload", "overlaps"),
        (zips.archive({}), 422, "unsafe_upload", "no file"),
        (b"PK\x03\x04" + bytes(99), 422, "unsafe_upload", "no zip"),
        *((bad + DICOM[len(bad) :], 415, "unsafe_file", "program") for bad in (b"MZ", b"\x7fELF", b"#!/bin/sh\n")),
        *((bad + DICOM[4:], 415, "unsafe_file", "program") for bad in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")),
    ],
)  # fmt: skip
@pytest.mark.parametrize("field", ["image", "modality_flair"])
def test_what_is_not_taken_says_why_and_names_no_file(
    api: Api, image: bytes, status: int, code: str, words: str, field: str
) -> None:
    answer = send(api, **{field: image})
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.json
    assert words in answer.json["detail"] and "Doe" not in answer.text
    assert api.files() == []


def test_a_program_among_the_files_of_a_series_is_refused_by_its_number(api: Api) -> None:
    answer = send(api, image=[DICOM, b"MZ" + DICOM[2:], DICOM])
    assert answer.status_code == 415 and "file 2 of 3" in answer.json["detail"]


@pytest.mark.parametrize("image", [SLICE, b"\xff\xd8\xff" + bytes(20_000), ONE_PAGE, bytes(range(256)) * 80])
def test_pictures_have_a_limit_of_their_own(make_api: Callable[..., Api], image: bytes) -> None:
    api = make_api(max_upload_bytes=1024)
    answer = send(api, image=image)
    assert (answer.status_code, answer.json["code"]) == (413, "payload_too_large")
    assert "1024" in answer.json["detail"] and api.files() == []


@pytest.mark.parametrize("image", [NIFTI, STACK, ZIP])
def test_volumes_may_be_larger_than_pictures_up_to_their_own_limit(
    make_api: Callable[..., Api], image: bytes
) -> None:
    assert send(make_api(max_upload_bytes=256), image=image).status_code == 202
    answer = send(make_api(max_upload_bytes=256, max_volume_bytes=1024), image=[image + bytes(600_000)])
    assert answer.status_code == 413


def test_a_zip_that_would_grow_too_large_is_refused(make_api: Callable[..., Api]) -> None:
    packed = zips.archive({"a.dcm": bytes(100_000)})
    answer = send(make_api(max_upload_bytes=1024, max_volume_bytes=20_000), image=packed)
    assert (answer.status_code, answer.json["code"]) == (422, "unsafe_upload")


def test_a_large_stack_is_looked_at_where_it_lies(api: Api) -> None:
    stack = images.tiff(np.zeros((2, 2100, 2100), np.uint8), photometric="minisblack")
    assert len(stack) > 1 << 23
    assert send(api, image=stack).json["image"]["files"] == 1


def test_a_stack_that_imagej_describes_in_one_page_is_a_volume(api: Api) -> None:
    description = b"ImageJ=1.53\nimages=4\nslices=4\n\0"
    tags = {**images.grey_tags(56, 40), 270: description}
    assert (
        send(api, image=images.tiff_by_hand(tags, bytes(4 * 56 * 40))).json["image"]["slices"] == 6
    )  # the fake's


def test_the_order_of_the_files_does_not_make_another_request(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    one, two = DICOM + b"1", DICOM + b"2"
    made = send(api, key, image=[one, two])
    again = send(api, key, image=[two, one])
    assert (made.status_code, again.status_code) == (201, 200) and made.json == again.json
    for other in ({"image": [one]}, {"image": [one, two], "slice_spacing_mm": "2"}, {"image": SLICE}):
        answer = send(api, key, **other)
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_mismatch")


def test_so_many_volumes_wait_and_no_more(make_api: Callable[..., Api]) -> None:
    api = make_api(max_queued_volumes=2)
    assert [send(api, image=NIFTI, wait="0").status_code for _ in range(3)] == [202, 202, 503]
    answer = send(api, image=NIFTI, wait="0")
    assert answer.json["code"] == "queue_full" and "2 volumes" in answer.json["detail"]
    assert len(api.files()) == 2 and send(api, image=SLICE).status_code == 201


@pytest.mark.parametrize("how", ["down", "send_fails", "disk", "no_worker"])
def test_what_cannot_be_accepted_leaves_nothing(make_api: Callable[..., Api], how: str) -> None:
    api = make_api(workers=how != "no_worker")

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    if how == "disk":
        api.parts.stored.files.put = full  # type: ignore[method-assign]
    elif how != "no_worker":
        setattr(api.jobs, how, True)
    key = {"Idempotency-Key": "k"}
    answer = send(api, key, image=[DICOM] * 3)
    assert answer.status_code == 503 and "Retry-After" in answer.headers
    assert api.files() == [] and api.client.get("/v1/segmentations").json["items"] == []
    uploads = api.parts.settings.store.data_dir / "uploads"
    assert not uploads.exists() or not [*uploads.iterdir()]


def test_a_deleted_volume_is_gone_with_its_source(api: Api) -> None:
    api.jobs.paused = True
    job = send(api, image=ZIP, wait="0").json
    assert api.files() == [f"segmentations/{job['id']}/source.zip"]
    assert api.client.delete(job["links"]["self"]).status_code == 204
    assert api.files() == [] and api.client.get(job["links"]["montage"]).status_code == 410


def test_no_name_of_a_file_is_kept_or_logged(api: Api, capfd: pytest.CaptureFixture[str]) -> None:
    made = [
        send(api, image=[DICOM] * 2),
        send(api, image=SLICE),
        send(api, image=ZIP),
        send(api, image=b"hello"),
        send(api, modality_t1=[DICOM, SLICE]),
    ]
    said = "".join(answer.text + str(answer.headers) for answer in made)
    database: Database = api.parts.stored.database
    with database.read() as connection:
        for table in Base.metadata.sorted_tables:
            rows = [tuple(row) for row in connection.execute(table.select())]
            said += json.dumps(rows, default=str)
    out, err = capfd.readouterr()
    assert "Doe" not in said + out + err and "Doe" not in " ".join(api.files())
