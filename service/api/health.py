"""/health: is the process alive, and is everything there that a segmentation needs?"""

import logging
from collections.abc import Callable
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from service.api.operation import answer, operation
from service.container import Services, services
from service.schemas.models import Live, Ready
from service.web.problems import problem, problem_document
from shared.contract.names import DEFAULT_ALIAS, Queue

blueprint = Blueprint("health", __name__, description="For load balancers and process managers; open to all.")

# A worker says that it is there every few seconds.
LATELY_S = 15.0
_log = logging.getLogger(__name__)


class NotReady(Exception):
    """A check that failed, with a sentence."""


@blueprint.get("/health/live")
@operation({200: answer(Live, "Alive.")}, open_to_all=True)
def live() -> Response:
    """Does the process answer?"""
    return jsonify({"status": "live"})


@blueprint.get("/health/ready")
@operation({200: answer(Ready, "Everything is there.")}, problems=(503,), open_to_all=True)
def ready() -> Response:
    """Is everything there that a segmentation needs?

    Each part by name, with a sentence on what is missing: database, Redis, a worker seen within 15 seconds, and
    the default model warm in a worker. Slices are still taken for two minutes after the last worker was seen,
    because a worker that died is started again and its jobs are kept.
    """
    parts = services()
    checks = {name: _check(look, parts) for name, look in _CHECKS.items()}
    missing = [name for name, found in checks.items() if not found["ok"]]
    if not missing:
        return jsonify({"status": "ready", "checks": checks})
    document = problem_document(
        503, "not_ready", f"Not ready: {', '.join(missing)}.", title="Not ready", checks=checks
    )
    return problem(document | {"status": 503}, {"Retry-After": "5"})


def _check(look: Callable[[Services], str], parts: Services) -> dict[str, Any]:
    try:
        return {"ok": True, "detail": look(parts)}
    except NotReady as error:
        return {"ok": False, "detail": str(error)}
    except Exception as error:
        # whatever it is, the answer of a health check is no, never 500; addresses and passwords stay in the log
        _log.warning("check_failed: %s", type(error).__name__)
        return {"ok": False, "detail": "Does not answer."}


def _database(parts: Services) -> str:
    parts.stored.database.ping()
    return "Answers."


def _redis(parts: Services) -> str:
    parts.stored.queue.ping()
    return "Answers."


def _worker(parts: Services) -> str:
    seen = parts.stored.workers.seen(Queue.INFERENCE, LATELY_S)
    if not seen:
        raise NotReady(f"No inference worker was seen in the last {LATELY_S:g} seconds.")
    return f"{len(seen)} seen lately."


def _model(parts: Services) -> str:
    model, _ = parts.stored.models.resolve(DEFAULT_ALIAS)
    warm = {
        model_id for worker in parts.stored.workers.seen(Queue.INFERENCE, LATELY_S) for model_id in worker.models
    }
    if model.id not in warm:
        raise NotReady(f"The default model, {model.id}, is not loaded by a worker yet.")
    return f"{model.id} is loaded."


_CHECKS: dict[str, Callable[[Services], str]] = {
    "database": _database,
    "redis": _redis,
    "worker": _worker,
    "model": _model,
}
