"""/v1/training-runs: start a run, look at it, cancel and resume it."""

from flask import Response, g, jsonify, request
from flask_smorest import Blueprint

from service.api.operation import answer, leads_to, operation
from service.container import services
from service.intake.training_runs import RunRequest
from service.presentation.documents import training_run
from service.schemas.common import ListQuery
from service.schemas.examples import IDEMPOTENCY_HEADER
from service.schemas.specification import RUN_BODY
from service.schemas.training import TrainingRun, TrainingRunPage
from service.web.auth import require
from service.web.parameters import json_object, query
from shared.contract.names import Scope
from shared.files.paths import run_folder
from shared.jobs.training_runs import RunView

blueprint = Blueprint("training runs", __name__, description="Train models.")

RETRY_AFTER_S = 5
# operationIds
_LINKED = (
    "read_run",
    "cancel_run",
    "resume_run",
    "delete_run",
    "run_events",
    "run_log",
    "run_curves",
    "run_samples",
    "run_report",
)


@blueprint.post("/v1/training-runs")
@operation(
    {
        202: leads_to(
            answer(TrainingRun, "Accepted; it waits for a worker.", location=True, retry=True),
            *_LINKED,
            by="run_id",
        ),
        200: answer(TrainingRun, "This Idempotency-Key made it before.", location=True),
    },
    problems=(400, 401, 403, 408, 409, 413, 422, 503),
    body=RUN_BODY,
    headers=(IDEMPOTENCY_HEADER,),
)
def start_run() -> Response:
    """Start a training run

    Send the name of a preset as `recipe`, any fields of your own, or both. Everything that is wrong is named at once,
    by field, before anything starts.
    """
    principal = require(Scope.TRAIN)
    order = RunRequest(
        owner=principal.owner,
        sees=principal.sees,
        request_id=g.request_id,
        given=json_object(),
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    accepted = services().intake.runs.submit(order)
    return _answer(accepted.view, 200 if accepted.replayed else 202)


@blueprint.get("/v1/training-runs")
@operation({200: answer(TrainingRunPage, "A page.")}, problems=(401, 403, 422), query=ListQuery)
def list_runs() -> Response:
    """List training runs, newest first"""
    principal = require(Scope.TRAIN)
    asked = query(ListQuery)
    page = services().stored.runs.list(principal.sees, asked["limit"], asked["cursor"])
    items = [training_run(run, root=request.script_root) for run in page.items]
    return jsonify({"items": items, "next": page.next})


@blueprint.get("/v1/training-runs/<run_id>")
@operation({200: answer(TrainingRun, "The run.", retry=True)}, problems=(401, 403, 404))
def read_run(run_id: str) -> Response:
    """Read a training run

    How far it is, the epochs that are done, and everything that was decided; `model` once it succeeded.
    """
    return _answer(find_run(run_id), 200)


@blueprint.post("/v1/training-runs/<run_id>/cancel")
@operation(
    {
        200: answer(TrainingRun, "It is cancelled.", location=True),
        202: answer(TrainingRun, "It will be, once its process is gone.", location=True, retry=True),
    },
    problems=(401, 403, 404, 409, 503),
)
def cancel_run(run_id: str) -> Response:
    """Cancel a training run

    409 if it has ended. Its last checkpoint is kept, so that it can be resumed.
    """
    run = services().intake.runs.cancel(find_run(run_id))
    return _answer(run, 200 if run.ended else 202)


@blueprint.post("/v1/training-runs/<run_id>/resume")
@operation(
    {202: answer(TrainingRun, "It waits for a worker again.", location=True, retry=True)},
    problems=(401, 403, 404, 409, 503),
)
def resume_run(run_id: str) -> Response:
    """Resume a cancelled or failed training run

    It goes on from its last checkpoint, or from the beginning where there is none. 409 in any other state.
    """
    return _answer(services().intake.runs.resume(find_run(run_id), g.request_id), 202)


@blueprint.delete("/v1/training-runs/<run_id>")
@operation(
    {204: {"description": "It is gone, with its checkpoint, log and pictures."}},
    problems=(401, 403, 404, 409, 503),
)
def delete_run(run_id: str) -> Response:
    """Delete a training run that has ended

    Its model stays. 409 while it has not ended: cancel it first.
    """
    run = find_run(run_id)
    services().stored.runs.delete(run.id, actor=require(Scope.TRAIN).owner)
    services().stored.removals.remove(run_folder(run.id))
    return Response(status=204)


def find_run(run_id: str) -> RunView:
    """The run, if it is there and the asking key sees it; raises NotFound."""
    principal = require(Scope.TRAIN)
    return services().stored.runs.get(run_id, owner=principal.sees)


def _answer(run: RunView, status: int) -> Response:
    document = training_run(run, root=request.script_root)
    reply = jsonify(document)
    reply.status_code = status
    if request.method == "POST":
        reply.headers["Location"] = document["links"]["self"]
    if not run.ended:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply
