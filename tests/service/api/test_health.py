"""Health, system and metrics."""

from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families

from shared.contract.names import Queue
from tests.fakes.studies import queued_run, ready_dataset
from tests.service.conftest import Api


def test_live_says_that_the_process_answers(api: Api) -> None:
    api.jobs.down = True
    assert api.client.get("/health/live").json == {"status": "live"}


def test_ready_names_each_part(api: Api) -> None:
    answer = api.client.get("/health/ready")
    assert answer.status_code == 200 and answer.json["status"] == "ready"
    assert {name: check["ok"] for name, check in answer.json["checks"].items()} == dict.fromkeys(
        ["database", "redis", "worker", "model"], True
    )


def test_redis_that_is_gone_is_named(api: Api) -> None:
    api.jobs.down = True
    answer = api.client.get("/health/ready")
    assert answer.status_code == 503 and answer.json["code"] == "not_ready"
    assert [name for name, check in answer.json["checks"].items() if not check["ok"]] == ["redis"]
    assert answer.headers["Retry-After"]


def test_no_worker_is_named_and_so_is_the_model_that_nobody_has(make_api: Callable[..., Api]) -> None:
    api = make_api(workers=False)
    checks = api.client.get("/health/ready").json["checks"]
    assert [name for name, check in checks.items() if not check["ok"]] == ["worker", "model"]
    api.parts.stored.workers.beat("starting", Queue.INFERENCE, "cpu", "fake", [], "1")
    checks = api.client.get("/health/ready").json["checks"]
    assert checks["worker"]["ok"] and not checks["model"]["ok"] and "lgg-unet" in checks["model"]["detail"]


def test_a_training_worker_is_no_inference_worker(make_api: Callable[..., Api]) -> None:
    api = make_api(workers=False)
    api.parts.stored.workers.beat("trainer", Queue.TRAINING, "cpu", "fake", [], "1")
    assert not api.client.get("/health/ready").json["checks"]["worker"]["ok"]


def test_a_database_that_is_gone_is_named_and_its_address_is_not(api: Api) -> None:
    def broken() -> None:
        raise RuntimeError("postgres://user:password@host")

    api.parts.stored.database.ping = broken  # type: ignore[method-assign]
    answer = api.client.get("/health/ready")
    assert answer.status_code == 503 and not answer.json["checks"]["database"]["ok"]
    assert "password" not in answer.text


def test_system_tells_queues_workers_jobs_and_limits(api: Api) -> None:
    api.post()
    ready_dataset(api.parts.stored.datasets)
    queued_run(api.parts.stored.runs)
    told = api.client.get("/v1/system").json
    assert told["training_runs"] == {"queued": 1} and told["datasets"] == {"ready": 1}
    assert told["queues"] == {"inference": {"waiting": 0}, "training": {"waiting": 0}}
    assert told["workers"][0]["models"] == ["lgg-unet"] and told["workers"][0]["seen_at"].endswith("Z")
    assert told["jobs"] == {"succeeded": 1} and told["version"]
    api.jobs.down = True
    assert api.client.get("/v1/system").json["queues"]["inference"] == {"waiting": None}


def test_metrics_count_requests_by_rule_and_jobs_by_status(api: Api) -> None:
    made = api.post().json
    for path in (made["links"]["self"], "/v1/segmentations/other", "/nothing/at/all"):
        api.client.get(path)
    queued_run(api.parts.stored.runs)
    api.jobs.backlog = 7
    answer = api.client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    rule = "/v1/segmentations/<job_id>"
    values = {key: value for key, value in found.items() if key[0] == "http_requests_total"}
    assert values["http_requests_total", *sorted(["GET", rule, "200"])] == 1
    assert values["http_requests_total", *sorted(["GET", rule, "404"])] == 1
    assert values["http_requests_total", *sorted(["GET", "unmatched", "404"])] == 1
    assert found["queue_messages", "inference"] == 7
    assert found["segmentation_jobs", "succeeded"] == found["training_runs", "queued"] == 1
    assert found["workers_seen", "inference"] == 1
    assert made["id"] not in answer.text
