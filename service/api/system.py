"""/v1/system and /metrics: queues, workers, jobs and limits, for operators and for Prometheus."""

from dataclasses import asdict
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from service.api.operation import answer, operation
from service.container import services
from service.intake.upload_kinds import MAX_FILES
from service.presentation.documents import timestamp
from service.schemas.system import System
from service.settings import VERSION, ServiceSettings
from service.web.auth import Principal, require
from service.web.metrics import CONTENT_TYPE
from shared.contract.errors import QueueUnavailable
from shared.contract.names import Queue, Scope
from shared.database.workers import WorkerView
from shared.jobs.last_failures import Failure

blueprint = Blueprint("system", __name__, description="What is going on.")

SEEN_S = 60.0
_TEXT = {"type": "string"}


@blueprint.get("/v1/system")
@operation({200: answer(System, "Now.")}, problems=(401,))
def system() -> Response:
    """Queues, workers, devices, throughput, last errors, limits, version

    `errors` are those of what the asking key sees; all else counts everybody's.
    """
    principal = require()
    parts = services()
    return jsonify(
        {
            "version": VERSION,
            "key": _key(principal),
            "queues": {queue: {"waiting": waiting} for queue, waiting in _queues().items()},
            "workers": [_worker(worker) for worker in parts.stored.workers.seen(within_s=SEEN_S)],
            "jobs": parts.stored.segmentations.count_by_status(),
            "training_runs": parts.stored.runs.count_by_status(),
            "datasets": parts.stored.datasets.count_by_status(),
            "evaluations": parts.stored.evaluations.count_by_status(),
            "throughput": asdict(parts.stored.throughput.lately()),
            "errors": [_failure(failure) for failure in parts.stored.failures.last(principal.sees)],
            "limits": _limits(parts.settings),
        }
    )


@blueprint.get("/metrics")
@operation({200: answer(_TEXT, "Prometheus' text format.", content="text/plain")}, problems=(401,))
def metrics() -> Response:
    """Prometheus metrics"""
    require()
    parts = services()
    workers = [worker.queue for worker in parts.stored.workers.seen(within_s=SEEN_S)]
    rows = {
        "segmentation_jobs": parts.stored.segmentations.count_by_status(),
        "training_runs": parts.stored.runs.count_by_status(),
        "datasets": parts.stored.datasets.count_by_status(),
        "evaluations": parts.stored.evaluations.count_by_status(),
    }
    text = parts.metrics.exposition(_queues(), rows, workers)
    return Response(text, content_type=CONTENT_TYPE)


def _queues() -> dict[str, int | None]:
    """Messages waiting by queue; None while Redis does not answer."""
    lengths: dict[str, int | None] = {}
    for queue in Queue:
        try:
            lengths[queue.value] = services().stored.queue.waiting(queue)
        except QueueUnavailable:
            lengths[queue.value] = None
    return lengths


def _worker(worker: WorkerView) -> dict[str, Any]:
    times = {"started_at": timestamp(worker.started_at), "seen_at": timestamp(worker.seen_at)}
    return asdict(worker) | times


def _key(principal: Principal) -> dict[str, Any]:
    """`admin` may do everything, so it has every scope."""
    scopes = [scope.value for scope in Scope if principal.may(scope)]
    return {"id": principal.owner, "name": principal.name, "scopes": scopes}


def _failure(failure: Failure) -> dict[str, Any]:
    return asdict(failure) | {"at": timestamp(failure.at)}


def _limits(settings: ServiceSettings) -> dict[str, float]:
    """What a client should know before it sends."""
    return {
        "max_upload_bytes": settings.max_upload_bytes,
        "max_pixels": settings.max_pixels,
        "max_volume_bytes": settings.max_volume_bytes,
        "max_volume_files": MAX_FILES,
        "max_dataset_bytes": settings.datasets.max_dataset_bytes,
        "max_model_bytes": settings.max_model_bytes,
        "max_queued": settings.max_queued,
        "max_queued_volumes": settings.max_queued_volumes,
        "max_queued_runs": settings.max_queued_runs,
        "retention_hours": settings.store.retention_hours,
    }
