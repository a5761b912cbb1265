"""A run that no training worker could begin is refused before it is accepted."""

from typing import Any

import pytest

from tests.fakes.studies import ready_dataset
from tests.service.conftest import Api

RUN = {"name": "n", "dataset": "study", "encoder": "resnet18", "encoder_weights": "imagenet"}


@pytest.fixture
def api(api: Api) -> Api:
    ready_dataset(api.parts.stored.datasets)
    return api


def worker(api: Api, id: str, said: list[str] | None, queue: str = "training") -> None:
    api.parts.stored.workers.beat(id, queue, "cpu", "none", [], "1", encoder_weights=said)


def start(api: Api, **changes: Any) -> Any:
    return api.client.post("/v1/training-runs", json=RUN | changes)


def test_what_is_missing_is_said_before_the_run_is_accepted(api: Api) -> None:
    worker(api, "a", ["vgg16"])
    worker(api, "b", ["resnet34", "vgg16"])
    answer = start(api)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_fields")
    (message,) = answer.json["errors"]["encoder_weights"]
    assert "resnet18.pth" in message and "ENCODER_WEIGHTS_DIR" in message and "null" in message
    assert "vgg16" in message and "resnet34" not in message  # what all of them have
    assert api.client.get("/v1/training-runs").json["items"] == [] and api.jobs.woken == []


def test_a_worker_that_does_everything_is_a_training_worker_too(api: Api) -> None:
    worker(api, "a", [], queue="inference")
    assert start(api).status_code == 422


@pytest.mark.parametrize("said", [["resnet18"], ["vgg16", "resnet18"], ["*"], None])
def test_workers_that_can_or_do_not_know_yet_are_trusted(api: Api, said: list[str] | None) -> None:
    worker(api, "a", ["resnet18"])
    worker(api, "b", said)
    assert start(api).status_code == 202
    worker(api, "c", [])  # which may be the one that takes the next run
    assert start(api).status_code == 422


def test_it_is_named_together_with_all_else_that_is_wrong(api: Api) -> None:
    worker(api, "a", [])
    assert start(api, epochs=0).json["errors"].keys() == {"encoder_weights", "epochs"}


def test_without_training_workers_the_run_waits_for_one(api: Api) -> None:
    assert start(api).status_code == 202


def test_random_weights_need_nothing(api: Api) -> None:
    worker(api, "a", [])
    assert start(api, encoder_weights=None).status_code == 202
    assert start(api, architecture="plain_unet", encoder=None, encoder_weights=None).status_code == 202


def test_a_refused_run_leaves_its_idempotency_key_free(api: Api) -> None:
    worker(api, "a", [])
    headers = {"Idempotency-Key": "once"}
    assert api.client.post("/v1/training-runs", json=RUN, headers=headers).status_code == 422
    worker(api, "a", ["*"])
    assert api.client.post("/v1/training-runs", json=RUN, headers=headers).status_code == 202
