"""POST /v1/dicomweb/jobs: series of a PACS, each done once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from shared.contract.dicomweb import DicomwebSettings
from shared.contract.dicomweb_server import DicomwebServer
from shared.contract.messages import SegmentVolumeMessage
from shared.contract.names import SegmentationKind
from shared.database.idempotency import Idempotency
from shared.database.tables import Base
from tests.fakes.cards import card
from tests.service.conftest import Api

SERVERS = {
    name: DicomwebServer(name, f"https://{name}.example/dicom-web", (f"{name}.example:443",))
    for name in ("pacs", "archive")
}
SERIES = {"server": "pacs", "study": "1.2.840.1", "series": "1.2.840.1.2"}
JOBS = "/v1/dicomweb/jobs"


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api(dicomweb=DicomwebSettings(SERVERS))


def post(api: Api, headers: dict[str, str] | None = None, **fields: Any) -> Any:
    return api.client.post(JOBS, json={**SERIES, **fields}, headers=headers)


def claim(api: Api, job_id: str) -> Any:
    return api.parts.stored.segmentations.claim([job_id], "a-worker", 10)[0]


def test_a_job_is_a_segmentation_that_waits_for_a_worker(api: Api) -> None:
    answer = post(api, threshold=0.4)
    assert answer.status_code == 202 and answer.headers["Retry-After"]
    assert (
        answer.headers["Location"] == f"/v1/segmentations/{answer.json['id']}" == answer.json["links"]["self"]
    )
    read = api.client.get(answer.headers["Location"])
    assert read.json == answer.json
    assert (read.json["status"], read.json["image"]["format"]) == ("queued", "DICOM")
    row = api.parts.stored.segmentations.get(answer.json["id"])
    assert (row.kind, row.threshold) == (SegmentationKind.DICOMWEB, 0.4)
    assert row.image["source"] == {**SERIES, "store": True}
    assert [type(message) for message in api.jobs.woken] == [SegmentVolumeMessage]


def test_the_same_series_again_is_the_same_job(api: Api) -> None:
    first = post(api)
    for again in (post(api), post(api, model="lgg-unet"), post(api, store=True, threshold=None)):
        assert (again.status_code, again.json["id"]) == (200, first.json["id"])
        assert again.headers["Location"] == first.headers["Location"]
    assert len(api.jobs.woken) == 1


@pytest.mark.parametrize(
    "other",
    [{"server": "archive"}, {"study": "1.2.3"}, {"series": "1.2.3"}, {"store": False}, {"threshold": 0.3}],
)
def test_another_order_is_another_job(api: Api, other: dict[str, Any]) -> None:
    first, second = post(api), post(api, **other)
    assert second.status_code == 202 and second.json["id"] != first.json["id"]


def test_another_model_is_another_job_and_an_alias_is_its_model(api: Api) -> None:
    api.parts.stored.models.register(card("other-unet"), "shipped:other-unet")
    first = post(api)
    assert post(api, model="other-unet").status_code == 202
    assert post(api, model="lgg-unet").json["id"] == first.json["id"]


def test_other_people_have_jobs_of_their_own(make_api: Callable[..., Api]) -> None:
    api = make_api(open_access=False, host="0.0.0.0", dicomweb=DicomwebSettings(SERVERS))
    one, two = post(api, api.key("infer")), post(api, api.key("infer"))
    assert (one.status_code, two.status_code) == (202, 202) and one.json["id"] != two.json["id"]


def test_a_job_that_came_to_nothing_is_made_again(api: Api) -> None:
    failed = post(api).json["id"]
    api.parts.stored.segmentations.fail(claim(api, failed), "pacs_unavailable", "away")
    deleted = post(api)
    assert deleted.status_code == 202
    api.client.delete(deleted.headers["Location"])
    cancelled = post(api)
    assert cancelled.status_code == 202
    api.parts.stored.segmentations.cancel(cancelled.json["id"])
    last = post(api)
    assert last.status_code == 202
    assert len({failed, deleted.json["id"], cancelled.json["id"], last.json["id"]}) == 4
    assert post(api).json["id"] == last.json["id"]


def test_a_job_that_succeeded_is_not_made_again(api: Api) -> None:
    made = post(api).json["id"]
    assert api.parts.stored.segmentations.finish(claim(api, made), {"tumor_detected": False}, {})
    again = post(api)
    assert (again.status_code, again.json["id"], again.json["status"]) == (200, made, "succeeded")


def test_many_at_once_make_one_job(api: Api) -> None:
    for _ in range(3):  # the second and third time after a failure that all of them see
        with ThreadPoolExecutor(8) as pool:
            answers = [*pool.map(lambda _: api.app.test_client().post(JOBS, json=SERIES), range(8))]
        assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
        (made,) = {answer.json["id"] for answer in answers}
        api.parts.stored.segmentations.fail(claim(api, made), "volume_failed", "broke")
    assert len(api.jobs.woken) == 3


def test_only_one_of_two_that_saw_a_failed_job_takes_it_away(api: Api) -> None:
    keys = Idempotency(api.parts.stored.database)
    keys.begin("me", "key", "f")
    keys.complete("me", "key", "old")
    keys.forget("me", "key", made="old")
    keys.begin("me", "key", "f")
    keys.forget("me", "key", made="old")  # the slower one
    keys.complete("me", "key", "new")
    assert getattr(keys.begin("me", "key", "f"), "resource_id", None) == "new"


def test_an_idempotency_key_is_kept_to_its_order(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    first = post(api, key)
    assert (first.status_code, post(api, key).status_code) == (202, 200)
    assert post(api, key, series="1.2.3").json["code"] == "idempotency_mismatch"
    api.parts.stored.segmentations.fail(claim(api, first.json["id"]), "volume_failed", "broke")
    assert post(api, key).json["id"] == first.json["id"]  # the key says: this very job
    assert post(api).status_code == 202


def test_a_new_key_for_a_known_series_leads_to_the_known_job(api: Api) -> None:
    first = post(api)
    second = post(api, {"Idempotency-Key": "k"})
    assert (second.status_code, second.json["id"]) == (200, first.json["id"])
    assert post(api, {"Idempotency-Key": "k"}).json["id"] == first.json["id"]


@pytest.mark.parametrize("trouble", ["down", "send_fails"])
def test_without_a_queue_nothing_is_accepted_and_all_may_be_sent_again(api: Api, trouble: str) -> None:
    key = {"Idempotency-Key": "k"}
    setattr(api.jobs, trouble, True)
    assert post(api, key).status_code == 503
    setattr(api.jobs, trouble, False)
    assert api.client.get("/v1/segmentations").json["items"] == []
    assert post(api, key).status_code == 202


def test_without_a_worker_or_with_too_many_waiting_it_is_503(make_api: Callable[..., Api]) -> None:
    idle = make_api(workers=False, dicomweb=DicomwebSettings(SERVERS))
    assert (post(idle).status_code, post(idle).json["code"]) == (503, "no_worker")


def test_too_many_volumes_waiting_is_503(make_api: Callable[..., Api]) -> None:
    api = make_api(max_queued_volumes=1, dicomweb=DicomwebSettings(SERVERS))
    post(api)
    assert post(api, series="1.2.3").json["code"] == "queue_full"
    assert post(api).status_code == 200


UIDS = [
    "",
    "1.02.3",
    "1..2",
    ".1",
    "1.",
    "1.2.a",
    "1.2 ",
    "1" * 65,
    "1.2\n",
    "1/2",
    12,
    None,
    ["1.2"],
    "\uff11.2",
]
WRONG: list[tuple[str, Any]] = [
    ("server", "elsewhere"), ("server", "https://elsewhere"), ("server", 1), ("store", "yes"), ("store", 1),
    ("threshold", 0), ("threshold", "x"), ("threshold", True), ("model", "none-such"), ("model", ""), ("extra", 1),
]  # fmt: skip


def test_what_is_wrong_is_named(api: Api) -> None:
    for field, value in [*WRONG, *((field, uid) for uid in UIDS for field in ("study", "series"))]:
        answer = post(api, **{field: value})
        assert (answer.status_code, [*answer.json["errors"]]) == (422, [field]), value


def test_everything_wrong_is_named_at_once(api: Api) -> None:
    answer = api.client.post(JOBS, json={"server": "x", "study": "y", "model": "none-such", "more": 1})
    assert {*answer.json["errors"]} == {"server", "study", "series", "model", "more"}


def test_a_model_of_several_sequences_needs_more_than_a_series(api: Api) -> None:
    channels = ["t1", "t1ce", "t2", "flair"]
    api.parts.stored.models.register(card("brats", in_channels=4, channels=channels), "shipped:brats")
    answer = post(api, model="brats")
    assert answer.status_code == 422 and "one series" in answer.json["errors"]["model"][0]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1"])
def test_what_is_no_json_object_is_400(api: Api, body: bytes) -> None:
    assert api.client.post(JOBS, data=body, content_type="application/json").status_code == 400


def test_where_no_server_is_configured_it_says_so(make_api: Callable[..., Api]) -> None:
    answer = post(make_api())
    assert answer.status_code == 422 and "DICOMWEB_SERVERS_FILE" in answer.json["errors"]["server"][0]


def test_servers_are_listed_by_name_and_nothing_else(api: Api) -> None:
    answer = api.client.get("/v1/dicomweb/servers")
    assert answer.json == {"items": [{"name": "archive"}, {"name": "pacs"}], "next": None}


def test_a_key_with_the_scope_is_needed(make_api: Callable[..., Api]) -> None:
    api = make_api(open_access=False, host="0.0.0.0", dicomweb=DicomwebSettings(SERVERS))
    assert post(api).status_code == 401
    assert post(api, api.key("train")).status_code == 403
    assert post(api, api.key("infer")).status_code == 202
    assert api.client.get("/v1/dicomweb/servers").status_code == 401
    assert api.client.get("/v1/dicomweb/servers", headers=api.key("train")).status_code == 403


def test_after_a_delete_no_uid_is_left_in_the_database(api: Api) -> None:
    made = post(api, series="1.2.840.77777.8")
    assert "1.2.840.77777.8" in all_rows(api)
    api.client.delete(made.headers["Location"])
    assert "1.2.840" not in all_rows(api)


def all_rows(api: Api) -> str:
    with api.parts.stored.database.read() as connection:
        return str([connection.execute(table.select()).all() for table in Base.metadata.sorted_tables])
