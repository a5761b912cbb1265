"""/v1/evaluations: how good a model is on a dataset, beside another one if you like."""

from typing import Any

from flask import Response, g, jsonify, request
from flask_smorest import Blueprint

from service.api.html_reports import HTML, html_report
from service.api.operation import answer, leads_to, operation
from service.container import services
from service.intake.evaluations import EvaluationRequest
from service.intake.lookup import find_model
from service.presentation.documents import evaluation
from service.schemas.common import ListQuery
from service.schemas.evaluations import EVALUATION_BODY, Evaluation, EvaluationPage
from service.schemas.examples import IDEMPOTENCY_HEADER
from service.web.auth import require
from service.web.parameters import json_object, query
from shared.contract.errors import Conflict, NotFound
from shared.contract.names import EvaluationStatus, Scope
from shared.files.paths import evaluation_report_path
from shared.jobs.evaluations import EvaluationView

blueprint = Blueprint("evaluations", __name__, description="Measure models on datasets.")

RETRY_AFTER_S = 5
_LINKED = ("read_evaluation", "delete_evaluation", "evaluation_report")  # operationIds


@blueprint.post("/v1/models/<model_id>/evaluations")
@operation(
    {
        202: leads_to(
            answer(Evaluation, "Accepted; it waits for a worker.", location=True, retry=True),
            *_LINKED,
            by="evaluation_id",
        ),
        200: answer(Evaluation, "This Idempotency-Key made it before.", location=True, retry=True),
    },
    problems=(400, 401, 403, 404, 408, 409, 413, 422, 503),
    body=EVALUATION_BODY,
    headers=(IDEMPOTENCY_HEADER,),
)
def start_evaluation(model_id: str) -> Response:
    """Evaluate a model on a dataset

    `model_id` is an id or an alias, which is resolved now. A training worker does it, beside a training run if need be.
    Patients whose pictures the model learned from are found by their content and kept out of the figures.
    """
    principal = require(Scope.TRAIN)
    order = EvaluationRequest(
        owner=principal.owner,
        sees=principal.sees,
        request_id=g.request_id,
        model=model_id,
        given=json_object(),
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    accepted = services().intake.evaluations.submit(order)
    return _answer(accepted.view, 200 if accepted.replayed else 202)


@blueprint.get("/v1/models/<model_id>/evaluations")
@operation({200: answer(EvaluationPage, "A page.")}, problems=(401, 403, 404, 422), query=ListQuery)
def list_evaluations_of_model(model_id: str) -> Response:
    """List a model's evaluations, newest first

    Without `result.per_patient`, which the evaluation itself has.
    """
    require(Scope.TRAIN)
    return _page(find_model(services().stored.models, model_id).id)


@blueprint.get("/v1/evaluations")
@operation({200: answer(EvaluationPage, "A page.")}, problems=(401, 403, 422), query=ListQuery)
def list_evaluations() -> Response:
    """List evaluations, newest first

    Those of deleted models too. Without `result.per_patient`, which the evaluation itself has.
    """
    return _page(None)


@blueprint.get("/v1/evaluations/<evaluation_id>")
@operation({200: answer(Evaluation, "The evaluation.", retry=True)}, problems=(401, 403, 404))
def read_evaluation(evaluation_id: str) -> Response:
    """Read an evaluation

    How far it is, and what was measured once it succeeded.
    """
    return _answer(find_evaluation(evaluation_id), 200)


@blueprint.delete("/v1/evaluations/<evaluation_id>")
@operation(
    {204: {"description": "It is gone, with its report; if it was running, it is broken off."}},
    problems=(401, 403, 404, 503),
)
def delete_evaluation(evaluation_id: str) -> Response:
    """Delete an evaluation

    Also one that waits or runs: its process ends within seconds.
    """
    found = find_evaluation(evaluation_id)
    services().intake.evaluations.remove(found, actor=require(Scope.TRAIN).owner)
    return Response(status=204)


@blueprint.get("/v1/evaluations/<evaluation_id>/report.html")
@operation(
    {200: answer({"type": "string"}, "One HTML file that needs nothing else.", content=HTML)},
    problems=(401, 403, 404, 409),
)
def evaluation_report(evaluation_id: str) -> Response:
    """The report of an evaluation as a page

    For people: figures, what they mean, and pictures, in one file that can be kept. 409 until it succeeded.
    """
    found = find_evaluation(evaluation_id)
    if found.status != EvaluationStatus.SUCCEEDED:
        raise Conflict(f"There is no report, because the evaluation has not succeeded: it is {found.status}.")
    try:
        data = services().stored.files.read(evaluation_report_path(found.id, found.fence))
    except FileNotFoundError:
        raise NotFound("The report of this evaluation is not in the file store any more.") from None
    return html_report(data, f"evaluation-{found.id}")


def find_evaluation(evaluation_id: str) -> EvaluationView:
    """The evaluation, if it is there and the asking key sees it; raises NotFound."""
    principal = require(Scope.TRAIN)
    return services().stored.evaluations.get(evaluation_id, owner=principal.sees)


def _page(model_id: str | None) -> Response:
    principal = require(Scope.TRAIN)
    asked = query(ListQuery)
    page = services().stored.evaluations.list(principal.sees, asked["limit"], asked["cursor"], model=model_id)
    items: list[dict[str, Any]] = [
        evaluation(found, root=request.script_root, brief=True) for found in page.items
    ]
    return jsonify({"items": items, "next": page.next})


def _answer(found: EvaluationView, status: int) -> Response:
    document = evaluation(found, root=request.script_root)
    reply = jsonify(document)
    reply.status_code = status
    if request.method == "POST":
        reply.headers["Location"] = document["links"]["self"]
    if not found.ended:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply
