"""The OpenAPI document: complete, and true of the application."""

import io
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import marshmallow as ma
import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from service.intake.evaluations import FIELDS
from service.schemas.evaluations import Evaluation
from service.schemas.segmentations import Segmentation
from service.schemas.training import TrainingRun
from shared import catalog
from shared.recipe import Recipe
from tests.fakes.cards import card
from tests.fakes.studies import ready_dataset
from tests.fakes.volume_worker import VolumeMade
from tests.fakes.volumes import head, nifti
from tests.service.conftest import SLICE, Api
from tests.service.schemathesis_hooks import STUDY

SCHEMATHESIS = str(Path(sys.executable).parent / "schemathesis")
ROOT = Path(__file__).resolve().parents[3]
OPTIONS = [
    *("--exclude-path", "/health/ready"),  # 503 is one of its answers, and no 5xx that needs a look
    *("--checks", "not_a_server_error,status_code_conformance,content_type_conformance"),
    *("--checks", "response_headers_conformance,response_schema_conformance,unsupported_method"),
    *("--max-examples", "25", "--seed", "1", "--no-color", "--workers", "1"),
]
OPEN = {"/health/live", "/health/ready"}


class QuietHandler(WSGIRequestHandler):
    """Writes no line for each of a thousand requests."""

    def log_request(self, *_: object) -> None:
        pass


def test_every_route_of_the_api_is_described(api: Api) -> None:
    document = api.client.get("/openapi.json").json
    described = {
        (path, method.upper())
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }
    rules = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in api.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/v1/", "/health/", "/metrics"))
    }
    assert described == rules


def test_every_operation_has_words_answers_and_problems(api: Api) -> None:
    document = api.client.get("/openapi.json").json
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method == "parameters":
                continue
            assert operation["summary"] and operation["operationId"], path
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert ("401" in operation["responses"]) == (path not in OPEN), path
            assert (operation.get("security") == []) == (path in OPEN)
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_the_body_of_a_run_is_described_field_by_field(api: Api) -> None:
    document = api.client.get("/openapi.json").json
    body = document["paths"]["/v1/training-runs"]["post"]["requestBody"]["content"]["application/json"]
    fields = body["schema"]["properties"]
    assert [*fields] == ["recipe", "dataset", *Recipe.__dataclass_fields__]
    batch_size = {"type": "integer", "minimum": 2, "maximum": 1024, "default": 16}
    assert fields["batch_size"].items() >= batch_size.items()
    assert all(field["description"].endswith(".") for field in fields.values())
    assert fields["learning_rate"]["exclusiveMinimum"] and fields["image_size"]["multipleOf"] == 32
    assert (
        fields["loss"]["enum"] == [*catalog.LOSSES] and fields["limit"]["properties"]["patients"]["nullable"]
    )
    ready_dataset(api.parts.stored.datasets, body["example"]["dataset"])
    made = api.client.post("/v1/training-runs", json=body["example"])
    assert made.status_code == 202 and TrainingRun(unknown=ma.RAISE).load(made.json)


def test_the_body_of_an_evaluation_is_described_and_its_example_works(api: Api) -> None:
    document = api.client.get("/openapi.json").json
    described = document["paths"]["/v1/models/{model_id}/evaluations"]["post"]
    body = described["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"].keys() == {*FIELDS} and body["schema"]["required"] == ["dataset"]
    ready_dataset(api.parts.stored.datasets, body["example"]["dataset"])
    api.parts.stored.models.register(card("another"), "models/another")
    made = api.client.post("/v1/models/another/evaluations", json=body["example"])
    assert made.status_code == 202 and Evaluation(unknown=ma.RAISE).load(made.json)


def test_the_form_is_described_field_by_field(api: Api) -> None:
    document = api.client.get("/openapi.json").json
    body = document["paths"]["/v1/segmentations"]["post"]["requestBody"]["content"]["multipart/form-data"]
    assert list(body["schema"]["properties"]) == [
        "image",
        "modality_t1",
        "modality_t1ce",
        "modality_t2",
        "modality_flair",
        "model",
        "threshold",
        "pixel_spacing_mm",
        "slice_spacing_mm",
        "sequence_order",
        "mask_format",
        "wait",
    ]
    assert body["schema"]["properties"]["image"]["items"] == {"type": "string", "format": "binary"}


def test_real_answers_are_of_the_described_shape(api: Api) -> None:
    schema = Segmentation(unknown=ma.RAISE)
    assert schema.load(api.post(pixel_spacing_mm="0.5").json)
    assert schema.load(api.post(mask_format="png").json)
    api.jobs.paused = True
    assert schema.load(api.post(wait="0").json)


@pytest.mark.parametrize("mask_format", ["rle", "png", "none"])
@pytest.mark.parametrize("made", [VolumeMade(), VolumeMade(known=False, classes=("core", "oedema"))])
def test_real_answers_of_volumes_are_of_the_described_shape(
    api: Api, made: VolumeMade, mask_format: str
) -> None:
    schema = Segmentation(unknown=ma.RAISE)
    assert api.jobs.worker is not None
    api.jobs.worker.volume = made
    assert schema.load(api.post(nifti(head(1)), mask_format=mask_format).json)
    api.jobs.paused = True
    assert schema.load(api.post(nifti(head(1)), wait="0").json)


def test_the_example_is_of_the_described_shape(api: Api) -> None:
    document = api.client.get("/openapi.json").json
    answers = document["paths"]["/v1/segmentations"]["post"]["responses"]
    assert Segmentation(unknown=ma.RAISE).load(answers["201"]["content"]["application/json"]["example"])


# Python 3.11 raises this now and then while one thread of several compiles (python/cpython#106905): it says nothing
# about us. One worker makes it rare, and trying again makes it not come to the point.
PYTHON_BUG = "AST constructor recursion depth mismatch"
TRIES = 4


def run_schemathesis(port: int, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCHEMATHESIS, "run", f"http://127.0.0.1:{port}/openapi.json", *OPTIONS],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.service.schemathesis_hooks",
        },
        capture_output=True,
        text=True,
        timeout=280,
    )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing(make_api: Callable[..., Api], tmp_path: Path) -> None:
    """Requests made from the document, valid and not: no 5xx, no answer that it does not describe."""
    api = make_api(worker_seen_s=3600.0)
    ready_dataset(api.parts.stored.datasets, STUDY)
    assert api.jobs.worker is not None
    api.jobs.worker.volume = VolumeMade()
    server = make_server("127.0.0.1", 0, api.app, threaded=True, request_handler=QuietHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        for _ in range(TRIES):
            done = run_schemathesis(server.server_port, tmp_path)
            if PYTHON_BUG not in done.stdout:
                break
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_the_form_of_the_description_works(api: Api) -> None:
    data = {"image": (io.BytesIO(SLICE), "a"), "threshold": "0.5", "pixel_spacing_mm": "0.5,0.7", "wait": "1"}
    assert api.client.post("/v1/segmentations", data=data).status_code == 201
