"""/v1/system and /metrics: queues, workers, jobs and limits, for operators and for Prometheus."""

from dataclasses import asdict
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from service.auth import require
from service.container import services
from service.metrics import CONTENT_TYPE
from service.openapi import answer, operation
from service.presenting import timestamp
from service.schemas.models import System
from service.settings import VERSION
from shared.contract.errors import QueueUnavailable
from shared.contract.names import Queue
from shared.storage.workers import WorkerView

blueprint = Blueprint("system", __name__, description="What is going on.")

SEEN_S = 60.0
_TEXT = {"type": "string"}


@blueprint.get("/v1/system")
@operation({200: answer(System, "Now.")}, problems=(401,))
def system() -> Response:
    """Queues, workers, devices, limits, version"""
    require()
    parts = services()
    limits = {
        "max_upload_bytes": parts.settings.max_upload_bytes,
        "max_pixels": parts.settings.max_pixels,
        "max_queued": parts.settings.max_queued,
        "retention_hours": parts.settings.store.retention_hours,
    }
    return jsonify(
        {
            "version": VERSION,
            "queues": {queue: {"waiting": waiting} for queue, waiting in _queues().items()},
            "workers": [_worker(worker) for worker in parts.workers.seen(within_s=SEEN_S)],
            "jobs": parts.segmentations.count_by_status(),
            "training_runs": parts.runs.count_by_status(),
            "datasets": parts.datasets.count_by_status(),
            "evaluations": parts.evaluations.count_by_status(),
            "limits": limits,
        }
    )


@blueprint.get("/metrics")
@operation({200: answer(_TEXT, "Prometheus' text format.", content="text/plain")}, problems=(401,))
def metrics() -> Response:
    """Prometheus metrics"""
    require()
    parts = services()
    workers = [worker.queue for worker in parts.workers.seen(within_s=SEEN_S)]
    rows = {
        "segmentation_jobs": parts.segmentations.count_by_status(),
        "training_runs": parts.runs.count_by_status(),
        "datasets": parts.datasets.count_by_status(),
        "evaluations": parts.evaluations.count_by_status(),
    }
    text = parts.metrics.exposition(_queues(), rows, workers)
    return Response(text, content_type=CONTENT_TYPE)


def _queues() -> dict[str, int | None]:
    """Messages waiting by queue; None while Redis does not answer."""
    lengths: dict[str, int | None] = {}
    for queue in Queue:
        try:
            lengths[queue.value] = services().jobs.waiting(queue)
        except QueueUnavailable:
            lengths[queue.value] = None
    return lengths


def _worker(worker: WorkerView) -> dict[str, Any]:
    times = {"started_at": timestamp(worker.started_at), "seen_at": timestamp(worker.seen_at)}
    return asdict(worker) | times
