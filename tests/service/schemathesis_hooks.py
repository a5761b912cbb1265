"""Loaded by schemathesis: some of what it makes up becomes a real slice or volume, a run or an evaluation."""

from typing import Any

import schemathesis

from tests.fakes import images, zips
from tests.fakes.datasets import picture_files
from tests.fakes.volumes import head, nifti

STUDY = "study"
EVALUATIONS = "/v1/models/{model_id}/evaluations"
SLICE = images.png(images.picture())
VOLUME = nifti(head(1))
ARCHIVE = zips.archive(picture_files(2, 2))


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Replace a made-up file by a slice and a made-up dataset by one that is there, depending on their length."""
    if not isinstance(body, dict):
        return body
    if context.operation.path == "/v1/segmentations" and isinstance(body.get("image"), list):
        chosen = ([SLICE], [VOLUME], body["image"])[len(b"".join(_bytes(body["image"]))) % 3]
        modalities = [name for name in body if name.startswith("modality_") and chosen is not body["image"]]
        return {**{name: value for name, value in body.items() if name not in modalities}, "image": chosen}
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


def _bytes(files: list[Any]) -> list[bytes]:
    return [file for file in files if isinstance(file, bytes)]


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Evaluations of a model that is there."""
    return {"model_id": "default"} if context.operation.path == EVALUATIONS else path_parameters
