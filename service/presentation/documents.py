"""Rows as the JSON that clients see (API.md); plain dictionaries, because this runs for every slice."""

import base64
from datetime import datetime
from typing import Any

from shared.contract.errors import Gone
from shared.contract.names import SegmentationKind
from shared.database.models import AliasView, StoredModel
from shared.jobs.evaluations import EvaluationView
from shared.jobs.segmentations import SegmentationView
from shared.jobs.training_runs import RunView
from shared.masks import rle
from shared.pictures.render import png

PROGRESS = ("stage", "epoch", "epochs", "step", "steps", "eta_s")


def timestamp(time: datetime | None) -> str | None:
    """RFC 3339 in UTC, such as 2026-01-31T12:00:00.123456Z."""
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def segmentation(
    job: SegmentationView, model: dict[str, Any], *, root: str = "", mask_format: str = "rle"
) -> dict[str, Any]:
    """The resource; `model` has architecture and encoder, `root` is what stands before /v1. Raises Gone."""
    if job.gone:
        raise Gone("The pixels and the result of this segmentation have expired or were deleted.")
    return {
        "id": job.id,
        "status": job.status.value,
        "progress": job.progress,
        "created_at": timestamp(job.created_at),
        "finished_at": timestamp(job.finished_at),
        "expires_at": timestamp(job.expires_at),
        "error": job.error,
        "image": _image(job.image),
        "model": {"id": job.model_id, "alias": job.alias, **model},
        "result": _result(job.result, mask_format),
        "warnings": job.warnings,
        "timings_ms": {"decode": job.image.get("decode_ms", 0.0), **job.timings},
        "links": links(job, root),
    }


_NOT_SHOWN = ("decode_ms", "sequence_order")  # `modalities` says the latter once the file was read


def _image(image: dict[str, Any]) -> dict[str, Any]:
    """Without what is for workers."""
    shown = {name: value for name, value in image.items() if name not in _NOT_SHOWN}
    if "source" in shown:
        shown["source"] = {name: value for name, value in shown["source"].items() if name != "store"}
    return shown


def links(job: SegmentationView, root: str = "") -> dict[str, str]:
    """Where everything about a segmentation is; what it will never have is left out."""
    at = f"{root}/v1/segmentations/{job.id}"
    found = {
        "self": at,
        "image": f"{at}/image.png",
        "mask": f"{at}/mask.png",
        "overlay": f"{at}/overlay.png",
        "thumbnail": f"{at}/thumbnail.webp",
        "probability": f"{at}/probability.png",
        "contours": f"{at}/contours.geojson",
    }
    if job.result is not None and job.result.get("classes"):
        found["labels"] = f"{at}/labels.png"
    if job.kind != SegmentationKind.PICTURE:
        found["montage"] = f"{at}/montage.png"
        found["nifti"] = f"{at}/mask.nii.gz"
        if job.image.get("format") == "DICOM":
            found["segmentation"] = f"{at}/segmentation.dcm"
    return found


def model_card(model: StoredModel, aliases: dict[str, AliasView], *, root: str = "") -> dict[str, Any]:
    """A model's card, the names that point to it, and where it is."""
    at = f"{root}/v1/models/{model.id}"
    return {
        **model.card.to_dict(),
        "created_at": timestamp(model.created_at),
        "aliases": [name for name, alias in aliases.items() if alias.model_id == model.id],
        "links": {"self": at, "archive": f"{at}/archive", "curves": f"{at}/curves.png"},
    }


def training_run(run: RunView, *, root: str = "") -> dict[str, Any]:
    """The resource; its `specification` can be sent again as it is."""
    at = f"{root}/v1/training-runs/{run.id}"
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status.value,
        "recipe": run.recipe,
        "dataset": run.dataset_id,
        "progress": {name: run.progress.get(name) for name in PROGRESS},
        "epochs": run.epochs,
        "model": run.model_id,
        "error": run.error,
        "attempts": run.attempts,
        "created_at": timestamp(run.created_at),
        "started_at": timestamp(run.started_at),
        "finished_at": timestamp(run.finished_at),
        "specification": {"dataset": run.dataset_id, **run.specification},
        "links": {
            "self": at,
            "events": f"{at}/events",
            "log": f"{at}/log",
            "curves": f"{at}/curves.png",
            "samples": f"{at}/samples.png",
            "report": f"{at}/report.html",
            "cancel": f"{at}/cancel",
            "resume": f"{at}/resume",
            "dataset": f"{root}/v1/datasets/{run.dataset_id}",
        },
    }


def evaluation(view: EvaluationView, *, root: str = "", brief: bool = False) -> dict[str, Any]:
    """The resource; `brief`, in lists, leaves the figures of each patient out."""
    at, result = f"{root}/v1/evaluations/{view.id}", view.result
    if brief and result is not None:
        result = {name: value for name, value in result.items() if name != "per_patient"}
    return {
        "id": view.id,
        "status": view.status.value,
        "progress": view.progress,
        "created_at": timestamp(view.created_at),
        "started_at": timestamp(view.started_at),
        "finished_at": timestamp(view.finished_at),
        "model": view.model_id,
        "against": view.against_id,
        "dataset": view.dataset_id,
        "split": view.split,
        "test_time_augmentation": view.test_time_augmentation,
        "result": result,
        "error": view.error,
        "links": {
            "self": at,
            "report": f"{at}/report.html",
            "model": f"{root}/v1/models/{view.model_id}",
            "dataset": f"{root}/v1/datasets/{view.dataset_id}",
        },
    }


def _result(result: dict[str, Any] | None, mask_format: str) -> dict[str, Any] | None:
    if result is None or mask_format == "rle":
        return result
    return {**result, "mask": _as_png(result["mask"]) if mask_format == "png" else None}


def _as_png(mask: dict[str, Any]) -> dict[str, Any]:
    """The mask of a picture, or of each slice of a volume, as base64."""
    size = mask["size"]
    if "slices" not in mask:
        return {"encoding": "png", "size": size, "data": _base64(mask)}
    slices = [
        {"index": each["index"], "data": _base64({"size": size, "counts": each["counts"]})}
        for each in mask["slices"]
    ]
    return {"encoding": "png", "size": size, "slices": slices}


def _base64(encoded: dict[str, Any]) -> str:
    return base64.b64encode(png(rle.decode(encoded))).decode()
