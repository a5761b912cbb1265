"""POST, GET, list, cancel and resume of training runs, as API.md says."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.contract.messages import TrainMessage
from shared.contract.names import Queue
from shared.database.audit import AuditLog
from shared.files.paths import run_folder, run_log_path
from tests.fakes.studies import claimed, dataset, ready_dataset
from tests.service.conftest import Api

RUNS = "/v1/training-runs"
GIVEN = {"recipe": "lgg-unet", "dataset": "study", "epochs": 2}
KEY = {"Idempotency-Key": "run-17"}


@pytest.fixture
def api(api: Api) -> Api:
    """With a dataset to train on."""
    ready_dataset(api.parts.stored.datasets)
    return api


def start(api: Api, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    """POST of a run that can be done, with changes."""
    return api.client.post(RUNS, json=GIVEN | changes, headers=headers)


def test_a_run_is_accepted_and_waits(api: Api) -> None:
    answer = start(api, name="first try")
    assert answer.status_code == 202 and int(answer.headers["Retry-After"]) > 0
    run = answer.json
    assert answer.headers["Location"] == f"{RUNS}/{run['id']}" == run["links"]["self"]
    assert (run["status"], run["name"], run["recipe"]) == ("queued", "first try", "lgg-unet")
    assert run["specification"]["epochs"] == 2 and run["specification"]["card"]["licence"]
    assert run["epochs"] == [] and run["model"] is None and run["error"] is None and run["attempts"] == 0
    assert run["progress"].keys() == {"stage", "epoch", "epochs", "step", "steps", "eta_s"}
    assert api.client.get(run["links"]["self"]).json == run
    assert api.client.get(RUNS).json == {"items": [run], "next": None}


def test_a_training_worker_is_woken_and_none_is_needed(make_api: Callable[..., Api]) -> None:
    api = make_api(workers=False)
    ready_dataset(api.parts.stored.datasets)
    run = start(api, headers={"X-Request-ID": "ward-3.42"}).json
    assert api.jobs.woken == [TrainMessage(run["id"], "ward-3.42")]
    assert api.jobs.waiting(Queue.TRAINING) == 1 and not api.jobs.sent


def test_the_specification_can_be_sent_again_as_it_is(api: Api) -> None:
    first = start(api).json
    again = api.client.post(RUNS, json=first["specification"])
    assert again.status_code == 202 and again.json["specification"] == first["specification"]
    assert again.json["recipe"] is None and again.json["id"] != first["id"]


def test_progress_epochs_and_error_are_shown(api: Api) -> None:
    at = start(api).headers["Location"]
    runs, claim = api.parts.stored.runs, claimed(api.parts.stored.runs)
    runs.progress(claim, {"stage": "training", "epoch": 2, "epochs": 2, "step": 1, "steps": 9, "eta_s": 8.5})
    runs.epoch(claim, {"epoch": 1, "train_loss": 0.7, "validation_loss": None, "validation_dice": 0.4})
    run = api.client.get(at).json
    assert run["status"] == "running" and run["attempts"] == 1 and run["started_at"]
    assert run["progress"]["stage"] == "training" and run["progress"]["eta_s"] == 8.5
    assert [epoch["validation_dice"] for epoch in run["epochs"]] == [0.4]
    runs.fail(claim, "out_of_memory", "Too little.")
    ended = api.client.get(at)
    assert ended.json["error"] == {"code": "out_of_memory", "message": "Too little."}
    assert "Retry-After" not in ended.headers


def test_all_mistakes_are_told_at_once_and_nothing_is_accepted(api: Api) -> None:
    answer = start(api, dataset="nothing", loss="l3", epochs=0, flop=1, augmentations={"flop": 1})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    assert answer.json["errors"].keys() == {"dataset", "loss", "epochs", "flop", "augmentations.flop"}
    assert api.client.get(RUNS).json["items"] == [] and api.jobs.woken == []


def test_a_dataset_is_found_by_id_or_by_a_name_that_only_one_has(api: Api) -> None:
    one = api.parts.stored.datasets.list("local", 10).items[0].id
    assert start(api, dataset=one).json["dataset"] == start(api).json["dataset"] == one
    ready_dataset(api.parts.stored.datasets)
    errors = start(api).json["errors"]
    assert errors.keys() == {"dataset"} and "give the id" in errors["dataset"][0]
    dataset(api.parts.stored.datasets, "new")
    assert "looked through" in start(api, dataset="new").json["errors"]["dataset"][0]
    for name in ("", "\x00", "\ud800", "x" * 5000):
        assert start(api, dataset=name).json["errors"].keys() == {"dataset"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 10000, b'{"seed": ' + b"9" * 9999 + b"}"]
    + [b'{"card": ' + b"[" * 20 + b"]" * 20 + b"}"],
)
def test_what_is_no_json_object_is_400(api: Api, body: bytes) -> None:
    answer = api.client.post(RUNS, data=body, content_type="application/json", headers=KEY)
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
    assert api.client.post(RUNS, data=b"{}").status_code == 400


def test_strange_json_is_422_and_never_a_5xx(api: Api) -> None:
    for text in (
        '{"\\ud800": 1, "name": "\\ud800", "learning_rate": 1e999, "seed": NaN}',
        f'{{"weight_decay": {10**400}, "seed": {-(10**400)}, "dataset": null, "name": ""}}',
        '{"split_fractions": {}, "limit": [], "loss_options": {"\\ud800": 1}, "card": {"data": "\\u0000"}}',
    ):
        answer = api.client.post(RUNS, data=text, content_type="application/json", headers=KEY)
        assert answer.status_code == 422 and len(answer.json["errors"]) >= 4, answer.json


def test_a_body_that_is_too_large_is_413(api: Api) -> None:
    assert start(api, description="x" * 70_000).status_code == 413


def test_the_same_request_again_is_200_with_the_same_run(api: Api) -> None:
    first, again = start(api, KEY), start(api, KEY)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json == first.json and again.headers["Location"] == first.headers["Location"]
    assert (start(api, KEY, epochs=3).status_code, len(api.jobs.woken)) == (422, 1)
    api.parts.stored.datasets.delete(first.json["dataset"])
    assert start(api, KEY).json["id"] == first.json["id"]


def test_a_request_that_was_refused_may_be_sent_again_with_its_key(api: Api) -> None:
    assert start(api, KEY, epochs=0).status_code == 422
    for trouble in ("down", "send_fails"):
        setattr(api.jobs, trouble, True)
        answer = start(api, KEY)
        assert (answer.status_code, answer.json["code"]) == (503, "queue_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert api.client.get(RUNS).json["items"] == []
        setattr(api.jobs, trouble, False)
    assert start(api, KEY).status_code == 202


def test_a_run_that_a_worker_found_before_its_message_failed_is_accepted(api: Api) -> None:
    def taken_meanwhile(message: TrainMessage) -> None:
        claimed(api.parts.stored.runs)
        api.jobs.send_fails = True
        send(message)

    send, api.jobs.send = api.jobs.send, taken_meanwhile  # type: ignore[method-assign]
    assert start(api).status_code == 202


def test_a_full_queue_is_503(make_api: Callable[..., Api]) -> None:
    api = make_api(max_queued_runs=1)
    ready_dataset(api.parts.stored.datasets)
    assert start(api).status_code == 202
    answer = start(api)
    assert (answer.status_code, answer.json["code"]) == (503, "queue_full")
    assert int(answer.headers["Retry-After"]) > 0
    claimed(api.parts.stored.runs)
    assert start(api).status_code == 202


def test_a_run_that_waits_is_cancelled_at_once_and_resumed(api: Api) -> None:
    links = start(api).json["links"]
    cancelled = api.client.post(links["cancel"])
    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    again = api.client.post(links["cancel"])
    assert (again.status_code, again.json["code"]) == (409, "conflict")
    api.jobs.woken.clear()
    resumed = api.client.post(links["resume"])
    assert (resumed.status_code, resumed.json["status"]) == (202, "queued")
    assert resumed.headers["Location"] == links["self"] and len(api.jobs.woken) == 1
    assert api.client.post(links["resume"]).status_code == 409


def test_a_running_run_is_cancelled_when_its_process_is_gone(api: Api) -> None:
    links = start(api).json["links"]
    claim = claimed(api.parts.stored.runs)
    answer = api.client.post(links["cancel"])
    assert (answer.status_code, answer.json["status"]) == (202, "cancelling")
    assert api.client.post(links["cancel"]).status_code == 202
    api.parts.stored.runs.cancelled(claim)
    assert api.client.get(links["self"]).json["status"] == "cancelled"


def test_a_failed_run_is_resumed_unless_that_would_come_to_nothing(make_api: Callable[..., Api]) -> None:
    api = make_api(max_queued_runs=1)
    study = ready_dataset(api.parts.stored.datasets)
    links = start(api).json["links"]
    api.parts.stored.runs.fail(claimed(api.parts.stored.runs), "out_of_memory", "Too little.")
    api.jobs.down = True
    assert api.client.post(links["resume"]).status_code == 503
    api.jobs.down = False
    other = start(api).json["links"]
    assert api.client.post(links["resume"]).json["code"] == "queue_full"
    api.client.post(other["cancel"])
    api.jobs.send_fails = True  # it is queued in the database, where workers look
    resumed = api.client.post(links["resume"]).json
    assert resumed["status"] == "queued" and resumed["error"] is None
    api.client.post(links["cancel"])
    api.parts.stored.datasets.delete(study)
    assert api.client.post(links["resume"]).status_code == 409


def test_runs_of_others_are_404_and_admin_sees_all(guarded: Api) -> None:
    keys = guarded.parts.stored.keys
    (mine, my_secret), (_, other_secret) = keys.create("mine", ("train",)), keys.create("other", ("train",))
    my_key, other = ({"Authorization": f"Bearer {secret}"} for secret in (my_secret, other_secret))
    admin, infer = guarded.key("admin"), guarded.key("infer")
    study = ready_dataset(guarded.parts.stored.datasets, owner=mine)
    run = start(guarded, my_key).json
    for verb, link in (
        ("get", "self"),
        ("post", "cancel"),
        ("post", "resume"),
        ("get", "events"),
        ("get", "log"),
    ):
        ask = getattr(guarded.client, verb)
        assert ask(run["links"][link], headers=other).status_code == 404
        assert ask(run["links"][link], headers=infer).status_code == 403
        assert ask(run["links"][link]).status_code == 401
    assert guarded.client.get(RUNS, headers=other).json["items"] == []
    for dataset_of_another in ("study", study):
        refused = start(guarded, other, dataset=dataset_of_another)
        assert refused.status_code == 422 and refused.json["errors"].keys() == {"dataset"}
    assert start(guarded, infer).status_code == 403
    assert guarded.client.get(RUNS, headers=admin).json["items"] == [run]
    assert start(guarded, admin, dataset=study).status_code == 202


def test_an_unknown_run_is_404(api: Api) -> None:
    for id in ("nothing", "%00", "%ff", "x" * 300, "a-b", "0" * 32):
        for link in ("", "/events", "/log", "/curves.png", "/samples.png"):
            assert api.client.get(f"{RUNS}/{id}{link}").status_code == 404
        assert api.client.post(f"{RUNS}/{id}/cancel").status_code == 404


def test_lists_are_pages_newest_first(api: Api) -> None:
    made = [start(api, name=f"run {number}").json["id"] for number in range(3)]
    page = api.client.get(RUNS + "?limit=2").json
    rest = api.client.get(f"{RUNS}?limit=2&cursor={page['next']}").json
    assert [run["id"] for run in page["items"] + rest["items"]] == made[::-1] and rest["next"] is None
    assert api.client.get(RUNS + "?limit=0&x=1").json["errors"].keys() == {"limit", "x"}


def test_a_run_that_has_ended_is_deleted_with_its_files(api: Api) -> None:
    run = start(api).json
    assert api.client.delete(run["links"]["self"]).json["code"] == "conflict"
    api.parts.stored.files.write(run_log_path(run["id"]), b"a log")
    api.client.post(run["links"]["cancel"])
    assert api.client.delete(run["links"]["self"]).status_code == 204
    assert not api.parts.stored.files.exists(run_folder(run["id"]))
    for path in (run["links"]["self"], run["links"]["log"], run["links"]["events"]):
        assert api.client.get(path).status_code == 404
    assert api.client.delete(run["links"]["self"]).status_code == 404
    assert api.client.get(RUNS).json["items"] == []
    deeds = [(deed.action, deed.object_id) for deed in AuditLog(api.parts.stored.database).list().items]
    assert ("training_run.delete", run["id"]) in deeds
