"""/v1/system: what goes on, what went wrong, and what the asking key may do."""

from dataclasses import replace
from typing import Any

import marshmallow as ma
import pytest

from service.schemas.system import System
from service.settings import ServiceSettings
from shared.contract.config import DatasetSettings
from tests.fakes.studies import claimed, queued_run
from tests.service.conftest import Api


def system(api: Api, headers: dict[str, str] | None = None) -> dict[str, Any]:
    told = api.client.get("/v1/system", headers=headers).json
    assert System(unknown=ma.RAISE).load(told)
    return told  # type: ignore[no-any-return]


def fail_a_run(api: Api, owner: str = "local") -> str:
    run = queued_run(api.parts.stored.runs, owner)
    api.parts.stored.runs.fail(claimed(api.parts.stored.runs), "diverged", "The loss is not a number.")
    return run.id


def test_throughput_is_what_ended_lately(api: Api) -> None:
    assert system(api)["throughput"]["mean_ms"] is None
    for _ in range(10):
        api.post()
    assert system(api)["throughput"] == {
        "window_s": 3600.0,
        "finished": 10,
        "failed": 0,
        "rate_window_s": 300.0,
        "per_minute": 2.0,
        "mean_ms": {"queue": 1.0, "forward": 2.0, "total": 4.0},
    }


def test_the_last_failures_are_told(api: Api) -> None:
    assert system(api)["errors"] == []
    run = fail_a_run(api)
    (error,) = system(api)["errors"]
    assert error.pop("at").endswith("Z")
    assert error == {
        "kind": "training_run",
        "id": run,
        "code": "diverged",
        "message": "The loss is not a number.",
        "request_id": "request-1",
    }


def test_a_key_sees_its_own_failures_and_admin_all(guarded: Api) -> None:
    mine, other, admin = (guarded.key(scope) for scope in ("train", "train", "admin"))
    run = fail_a_run(guarded, system(guarded, mine)["key"]["id"])
    assert [error["id"] for error in system(guarded, mine)["errors"]] == [run]
    assert system(guarded, other)["errors"] == []
    assert [error["id"] for error in system(guarded, admin)["errors"]] == [run]


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        (["infer"], ["infer"]),
        (["train", "infer"], ["infer", "train"]),
        (["admin"], ["infer", "train", "admin"]),
    ],
)
def test_a_key_learns_what_it_may_do(guarded: Api, scopes: list[str], may: list[str]) -> None:
    key = system(guarded, guarded.key(*scopes))["key"]
    assert (key["name"], key["scopes"]) == ("test", may)


def test_where_no_key_is_asked_everything_is_allowed(api: Api) -> None:
    everything = {"id": "local", "name": "local", "scopes": ["infer", "train", "admin"]}
    assert system(api)["key"] == everything


def test_limits_are_those_of_the_settings(make_api: Any, settings: ServiceSettings) -> None:
    changes = {
        "max_upload_bytes": 1,
        "max_pixels": 2,
        "max_volume_bytes": 3,
        "max_model_bytes": 4,
        "max_queued": 5,
        "max_queued_volumes": 6,
        "max_queued_runs": 7,
    }
    datasets = replace(DatasetSettings(), max_dataset_bytes=8)
    limits = system(make_api(**changes, datasets=datasets))["limits"]
    more = {"max_dataset_bytes": 8, "max_volume_files": 4096, "retention_hours": 24.0}
    assert limits == changes | more


def test_workers_say_what_they_are(api: Api) -> None:
    (worker,) = system(api)["workers"]
    assert (
        worker.items() >= {"device": "cpu", "engine": "fake", "models": ["lgg-unet"], "version": "1"}.items()
    )
