"""Loaded by schemathesis: half of what it makes up becomes a real slice, or a run or an evaluation that can be done."""

from typing import Any

import schemathesis

from tests.fakes import images, zips
from tests.fakes.datasets import picture_files

STUDY = "study"
EVALUATIONS = "/v1/models/{model_id}/evaluations"
SLICE = images.png(images.picture())
ARCHIVE = zips.archive(picture_files(2, 2))


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Replace a made-up file by a slice and a made-up dataset by one that is there, depending on their length."""
    if not isinstance(body, dict):
        return body
    if isinstance(body.get("image"), bytes) and len(body["image"]) % 2 == 0:
        return {**body, "image": SLICE}
    if (
        context.operation.path == "/v1/datasets"
        and isinstance(body.get("file"), bytes)
        and len(body["file"]) % 2 == 0
    ):
        return {**body, "file": ARCHIVE}
    dataset = body.get("dataset")
    if not isinstance(dataset, str) or len(dataset) % 2:
        return body
    if context.operation.path == "/v1/training-runs":
        return {"name": "made up", "dataset": STUDY}
    return {"dataset": STUDY} if context.operation.path == EVALUATIONS else body


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Evaluations of a model that is there."""
    return {"model_id": "default"} if context.operation.path == EVALUATIONS else path_parameters
