"""/v1/evaluations: accepted or refused at once, shown, deleted; their reports."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.contract.messages import EvaluateMessage
from shared.contract.names import Queue
from shared.files.paths import evaluation_report_path
from shared.jobs.evaluations import EvaluationClaim
from tests.fakes.cards import card
from tests.fakes.studies import WORKER, dataset, ready_dataset
from tests.service.conftest import Api

ALL = "/v1/evaluations"
OF_MODEL = "/v1/models/lgg-unet/evaluations"
KEY = {"Idempotency-Key": "evaluation-17"}
RESULT = {"dice": {"patient": {"mean": 0.9}}, "per_patient": [{"patient": "p-1", "dice": 0.9}]}
FIELDS = {
    "id", "status", "progress", "created_at", "started_at", "finished_at", "model", "against", "dataset", "split",
    "test_time_augmentation", "result", "error", "links",
}  # fmt: skip


@pytest.fixture
def api(api: Api) -> Api:
    """With a dataset to evaluate on, and a second model."""
    ready_dataset(api.parts.stored.datasets)
    api.parts.stored.models.register(card("other"), "models/other")
    return api


def start(api: Api, headers: dict[str, str] | None = None, at: str = OF_MODEL, **changes: Any) -> Any:
    """POST of an evaluation that can be done, with changes."""
    return api.client.post(at, json={"dataset": "study"} | changes, headers=headers)


def claimed(api: Api) -> EvaluationClaim:
    claim = api.parts.stored.evaluations.claim_next(WORKER, 60)
    assert claim is not None
    return claim


def succeeded(api: Api, report: bytes = b"<!doctype html><p>Dice</p>") -> dict[str, Any]:
    """An evaluation that is done, as its worker leaves it."""
    made: dict[str, Any] = start(api).json
    claim = claimed(api)
    api.parts.stored.files.write(evaluation_report_path(claim.id, claim.fence), report)
    assert api.parts.stored.evaluations.succeed(claim, RESULT)
    return made


def test_an_evaluation_is_accepted_and_waits(api: Api) -> None:
    answer = start(api)
    assert answer.status_code == 202 and int(answer.headers["Retry-After"]) > 0
    made = answer.json
    assert made.keys() == FIELDS
    assert answer.headers["Location"] == f"{ALL}/{made['id']}" == made["links"]["self"]
    assert (made["status"], made["progress"], made["model"]) == ("queued", 0.0, "lgg-unet")
    assert (made["split"], made["against"], made["test_time_augmentation"]) == ("all", None, None)
    assert made["result"] is None and made["error"] is None and made["finished_at"] is None
    assert made["links"] == {
        "self": f"{ALL}/{made['id']}",
        "report": f"{ALL}/{made['id']}/report.html",
        "model": "/v1/models/lgg-unet",
        "dataset": f"/v1/datasets/{made['dataset']}",
    }
    assert api.client.get(made["links"]["self"]).json == made
    for listed in (ALL, OF_MODEL):
        assert api.client.get(listed).json == {"items": [made], "next": None}
    assert api.client.get("/v1/models/other/evaluations").json["items"] == []


def test_everything_that_was_asked_for_is_kept(api: Api) -> None:
    kept = {"train": ["p-1"], "validation": [], "test": ["p-2"]}
    api.parts.stored.models.register(card("tested", provenance={"split": kept}), "models/tested")
    answer = start(
        api, at="/v1/models/tested/evaluations", split="test", against="default", test_time_augmentation=False
    )
    assert answer.status_code == 202
    made = answer.json
    assert (made["model"], made["against"], made["split"]) == ("tested", "lgg-unet", "test")
    assert made["test_time_augmentation"] is False
    claim = claimed(api)
    assert (claim.against_id, claim.split, claim.test_time_augmentation) == ("lgg-unet", "test", False)


def test_the_model_may_be_named_by_an_alias(api: Api) -> None:
    assert start(api, at="/v1/models/default/evaluations").json["model"] == "lgg-unet"
    assert len(api.client.get("/v1/models/default/evaluations").json["items"]) == 1


def test_a_training_worker_is_woken_and_none_is_needed(make_api: Callable[..., Api]) -> None:
    api = make_api(workers=False)
    ready_dataset(api.parts.stored.datasets)
    made = start(api, headers={"X-Request-ID": "ward-3.42"}).json
    assert api.jobs.woken == [EvaluateMessage(made["id"], "ward-3.42")]
    assert api.jobs.waiting(Queue.TRAINING) == 1 and not api.jobs.sent


def test_progress_result_and_error_are_shown(api: Api) -> None:
    at = start(api).headers["Location"]
    claim = claimed(api)
    api.parts.stored.evaluations.progress(claim, 0.5)
    answer = api.client.get(at)
    assert (answer.json["status"], answer.json["progress"]) == ("running", 0.5)
    assert answer.json["started_at"] and "Retry-After" in answer.headers
    api.parts.stored.evaluations.fail(claim, "model_unusable", "The model was deleted.")
    ended = api.client.get(at)
    assert ended.json["error"] == {"code": "model_unusable", "message": "The model was deleted."}
    assert ended.json["status"] == "failed" and "Retry-After" not in ended.headers


def test_lists_leave_the_patients_out(api: Api) -> None:
    made = succeeded(api)
    assert api.client.get(made["links"]["self"]).json["result"] == RESULT
    (listed,) = api.client.get(ALL).json["items"]
    assert listed["result"] == {"dice": RESULT["dice"]}


def test_all_mistakes_are_told_at_once_and_nothing_is_accepted(api: Api) -> None:
    answer = start(api, dataset="nothing", split="train", against="nobody", test_time_augmentation=1, flop=2)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    assert answer.json["errors"].keys() == {"dataset", "split", "against", "test_time_augmentation", "flop"}
    assert api.client.get(ALL).json["items"] == [] and api.jobs.woken == []


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("dataset", None, "missing"),
        ("dataset", 3, "text"),
        ("dataset", "new", "looked through"),
        ("dataset", "broken", "no images"),
        ("dataset", "\x00", "no such"),
        ("split", None, "one of"),
        ("split", [], "one of"),
        ("split", "test", "kept for testing"),
        ("against", 3, "text"),
        ("against", "lgg-unet", "same model"),
        ("against", "default", "same model"),
        ("against", "\x00", "no such"),
        ("against", "\ud800", "no such"),
        ("test_time_augmentation", "true", "true, false or null"),
    ],
)
def test_each_mistake_is_named_by_field(api: Api, field: str, value: Any, says: str) -> None:
    broken = dataset(api.parts.stored.datasets, "broken")
    claim = api.parts.stored.datasets.claim_next(WORKER, 60)
    assert claim is not None and claim.id == broken
    api.parts.stored.datasets.fail(claim, "dataset_invalid", "no images")
    dataset(api.parts.stored.datasets, "new")
    answer = start(api, **{field: value})
    assert answer.status_code == 422
    assert answer.json["errors"].keys() == {field} and says in answer.json["errors"][field][0]


def test_a_dataset_that_has_not_the_channels_is_refused(api: Api) -> None:
    models = api.parts.stored.models
    modalities = ["t1", "t1ce", "t2", "flair"]
    ready_dataset(api.parts.stored.datasets, "brats", format="brats", channels=4, modalities=modalities)
    models.register(card("four", in_channels=4, channels=modalities), "models/four")
    assert start(api, at="/v1/models/four/evaluations", dataset="brats").status_code == 202
    for refused, fields in (
        (start(api, dataset="brats"), {"dataset"}),
        (start(api, at="/v1/models/four/evaluations", dataset="brats", against="other"), {"against"}),
    ):
        assert refused.status_code == 422 and refused.json["errors"].keys() == fields


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10000])
def test_what_is_no_json_object_is_400(api: Api, body: bytes) -> None:
    answer = api.client.post(OF_MODEL, data=body, content_type="application/json", headers=KEY)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")


def test_the_same_request_again_is_200_with_the_same_evaluation(api: Api) -> None:
    first, again = start(api, KEY), start(api, KEY)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json == first.json and again.headers["Location"] == first.headers["Location"]
    assert start(api, KEY, against="other").status_code == 422
    assert start(api, KEY, at="/v1/models/other/evaluations").status_code == 422
    assert len(api.jobs.woken) == 1


def test_the_same_request_again_is_answered_though_the_alias_moved_or_the_model_has_gone(api: Api) -> None:
    by_alias, by_id = "/v1/models/default/evaluations", "/v1/models/other/evaluations"
    other_key = {"Idempotency-Key": "evaluation-18"}
    first, second = start(api, KEY, at=by_alias), start(api, other_key, at=by_id)
    api.parts.stored.models.set_alias("default", "other")
    again = start(api, KEY, at=by_alias)
    assert (again.status_code, again.json) == (200, first.json)
    assert again.json["model"] == "lgg-unet"
    api.parts.stored.models.set_alias("default", "lgg-unet")
    api.parts.stored.models.delete("other")
    again = start(api, other_key, at=by_id)
    assert (again.status_code, again.json) == (200, second.json)
    assert start(api, {"Idempotency-Key": "evaluation-19"}, at=by_id).status_code == 404
    assert len(api.jobs.woken) == 2


def test_a_key_that_named_an_unknown_model_may_be_used_again(api: Api) -> None:
    assert start(api, KEY, at="/v1/models/nobody/evaluations").status_code == 404
    assert start(api, KEY).status_code == 202


def test_a_request_that_was_refused_may_be_sent_again_with_its_key(api: Api) -> None:
    assert start(api, KEY, split="?").status_code == 422
    for trouble in ("down", "send_fails"):
        setattr(api.jobs, trouble, True)
        answer = start(api, KEY)
        assert (answer.status_code, answer.json["code"]) == (503, "queue_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert api.client.get(ALL).json["items"] == []
        setattr(api.jobs, trouble, False)
    assert start(api, KEY).status_code == 202


def test_one_that_a_worker_found_before_its_message_failed_is_accepted(api: Api) -> None:
    def taken_meanwhile(message: EvaluateMessage) -> None:
        claimed(api)
        api.jobs.send_fails = True
        send(message)

    send, api.jobs.send = api.jobs.send, taken_meanwhile  # type: ignore[assignment,method-assign]
    assert start(api).status_code == 202


def test_a_full_queue_is_503(make_api: Callable[..., Api]) -> None:
    api = make_api(max_queued_runs=1)
    ready_dataset(api.parts.stored.datasets)
    assert start(api).status_code == 202
    answer = start(api)
    assert (answer.status_code, answer.json["code"]) == (503, "queue_full")
    claimed(api)
    assert start(api).status_code == 202


def test_a_report_is_a_page_that_runs_nothing_and_loads_nothing(api: Api) -> None:
    made = succeeded(api, b"<!doctype html><p>Dice 0.9</p>")
    answer = api.client.get(made["links"]["report"])
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert answer.data == b"<!doctype html><p>Dice 0.9</p>"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script" not in policy and "'self'" not in policy
    assert "style-src 'unsafe-inline'" in policy and "img-src data:" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = api.client.get(made["links"]["report"], headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert "script-src 'self'" in api.client.get("/").headers["Content-Security-Policy"]


def test_there_is_no_report_before_it_succeeded_nor_once_its_file_is_gone(api: Api) -> None:
    link = start(api).json["links"]["report"]
    for status in ("queued", "running", "failed"):
        answer = api.client.get(link)
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")
        assert status in answer.json["detail"]
        if status == "queued":
            claim = claimed(api)
        else:
            api.parts.stored.evaluations.fail(claim, "evaluation_failed", "no")
    made = succeeded(api)
    api.parts.stored.files.delete_tree("evaluations")
    assert api.client.get(made["links"]["report"]).status_code == 404


def test_a_deleted_one_is_gone_with_its_report(api: Api) -> None:
    made = succeeded(api)
    assert any("report.html" in path for path in api.files())
    assert api.client.delete(made["links"]["self"]).status_code == 204
    assert not any("evaluations" in path for path in api.files())
    for answer in (
        api.client.get(made["links"]["self"]),
        api.client.get(made["links"]["report"]),
        api.client.delete(made["links"]["self"]),
    ):
        assert answer.status_code == 404
    assert api.client.get(ALL).json["items"] == []


def test_one_that_runs_can_be_deleted_and_its_worker_changes_nothing(api: Api) -> None:
    made = start(api).json
    claim = claimed(api)
    assert api.client.delete(made["links"]["self"]).status_code == 204
    assert api.parts.stored.evaluations.renew(claim, 10) is None
    assert not api.parts.stored.evaluations.succeed(claim, RESULT)


def test_evaluations_outlive_their_model_and_dataset(api: Api) -> None:
    made = start(api, at="/v1/models/other/evaluations").json
    api.parts.stored.evaluations.succeed(claimed(api), RESULT)
    api.parts.stored.models.delete("other")
    api.parts.stored.datasets.delete(made["dataset"])
    kept = api.client.get(made["links"]["self"]).json
    assert (kept["status"], kept["model"], kept["result"]) == ("succeeded", "other", RESULT)
    assert [item["id"] for item in api.client.get(ALL).json["items"]] == [made["id"]]
    assert api.client.get("/v1/models/other/evaluations").status_code == 404


def test_evaluations_of_others_are_404_and_admin_sees_all(guarded: Api) -> None:
    keys = guarded.parts.stored.keys
    (mine, my_secret), (_, other_secret) = keys.create("mine", ("train",)), keys.create("other", ("train",))
    my_key, other = ({"Authorization": f"Bearer {secret}"} for secret in (my_secret, other_secret))
    admin, infer = guarded.key("admin"), guarded.key("infer")
    study = ready_dataset(guarded.parts.stored.datasets, owner=mine)
    made = start(guarded, my_key).json
    for verb, link in (("get", "self"), ("get", "report"), ("delete", "self")):
        ask = getattr(guarded.client, verb)
        assert ask(made["links"][link], headers=other).status_code == 404
        assert ask(made["links"][link], headers=infer).status_code == 403
        assert ask(made["links"][link]).status_code == 401
    for listed in (ALL, OF_MODEL):
        assert guarded.client.get(listed, headers=other).json["items"] == []
        assert guarded.client.get(listed, headers=infer).status_code == 403
        assert guarded.client.get(listed).status_code == 401
        assert guarded.client.get(listed, headers=admin).json["items"] == [made]
    for dataset_of_another in ("study", study):
        refused = start(guarded, other, dataset=dataset_of_another)
        assert refused.status_code == 422 and refused.json["errors"].keys() == {"dataset"}
    assert start(guarded, infer).status_code == 403 and start(guarded).status_code == 401
    assert start(guarded, admin, dataset=study).status_code == 202


def test_unknown_evaluations_and_models_are_404(api: Api) -> None:
    for id in ("nothing", "%00", "%ff", "x" * 300, "a-b", "0" * 32):
        assert api.client.get(f"{ALL}/{id}").status_code == 404
        assert api.client.get(f"{ALL}/{id}/report.html").status_code == 404
        assert api.client.delete(f"{ALL}/{id}").status_code == 404
        assert start(api, at=f"/v1/models/{id}/evaluations").status_code == 404
        assert api.client.get(f"/v1/models/{id}/evaluations").status_code == 404


def test_lists_come_in_pages_and_refuse_what_they_do_not_know(api: Api) -> None:
    ids = [start(api).json["id"] for _ in range(3)]
    first = api.client.get(f"{OF_MODEL}?limit=2").json
    second = api.client.get(f"{OF_MODEL}?limit=2&cursor={first['next']}").json
    assert [item["id"] for item in first["items"] + second["items"]] == ids[::-1] and second["next"] is None
    assert api.client.get(f"{ALL}?flop=1").json["errors"].keys() == {"flop"}


def test_evaluations_are_counted(api: Api) -> None:
    succeeded(api)
    start(api)
    assert api.client.get("/v1/system").json["evaluations"] == {"succeeded": 1, "queued": 1}
    assert 'evaluations{status="succeeded"} 1.0' in api.client.get("/metrics").text
