"""/v1/dicomweb: segment a series that lies in a PACS, and file the segmentation beside it."""

from typing import Any

import marshmallow as ma
from flask import Response, g, jsonify, request
from flask_smorest import Blueprint

from service.api.operation import answer, leads_to, operation
from service.api.segmentations import RETRY_AFTER_S, present
from service.container import services
from service.intake.pacs_series import SeriesRequest
from service.schemas.dicomweb import JOB_BODY, DicomwebJob, DicomwebServerPage
from service.schemas.examples import IDEMPOTENCY_HEADER
from service.schemas.segmentations import Segmentation
from service.web.auth import require
from service.web.parameters import json_object
from shared.contract.errors import InvalidFields
from shared.contract.names import Scope

blueprint = Blueprint("dicomweb", __name__, description="Segment series that lie in a PACS (DICOMweb).")

_LONGEST_NAME = 60


@blueprint.post("/v1/dicomweb/jobs")
@operation(
    {
        202: leads_to(
            answer(Segmentation, "Accepted; ask `Location` for how it goes.", location=True, retry=True),
            "read",
            "delete",
        ),
        200: answer(
            Segmentation,
            "The same series was asked for within the last 24 hours, and that job has not failed; or this "
            "Idempotency-Key made it before.",
            location=True,
            retry=True,
        ),
    },
    problems=(400, 401, 403, 408, 409, 410, 413, 422, 503),
    body=JOB_BODY,
    headers=(IDEMPOTENCY_HEADER,),
)
def start_dicomweb_job() -> Response:
    """Segment a series of a PACS

    A worker fetches the series (QIDO-RS, WADO-RS), segments it, and stores a DICOM SEG in the same study (STOW-RS). The
    job is a segmentation like any other. The same request again is the same job, so a PACS may ask twice.
    """
    accepted = services().intake.series.submit(_read_order(require(Scope.INFER).owner))
    document = present(accepted.view)
    reply = jsonify(document)
    reply.status_code = 200 if accepted.replayed else 202
    reply.headers["Location"] = document["links"]["self"]
    if not accepted.view.ended:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply


@blueprint.get("/v1/dicomweb/servers")
@operation({200: answer(DicomwebServerPage, "All of them.")}, problems=(401, 403))
def list_dicomweb_servers() -> Response:
    """List the DICOMweb servers that jobs may name

    Their names only: where they are is for the operator to know.
    """
    require(Scope.INFER)
    return jsonify({"items": [{"name": name} for name in services().intake.series.servers], "next": None})


def _read_order(owner: str) -> SeriesRequest:
    """The body as an order; raises InvalidFields with all that is wrong."""
    problems: dict[str, list[str]] = {}
    try:
        values = DicomwebJob().load(json_object())
    except ma.ValidationError as error:
        values = error.valid_data if isinstance(error.valid_data, dict) else {}
        problems = {str(name)[:_LONGEST_NAME]: said for name, said in error.normalized_messages().items()}
    _check(values, problems)
    if problems:
        raise InvalidFields("Some fields are wrong; `errors` names each.", errors=problems)
    return SeriesRequest(
        owner=owner,
        request_id=g.request_id,
        idempotency_key=request.headers.get("Idempotency-Key"),
        **values,
    )


def _check(values: dict[str, Any], problems: dict[str, list[str]]) -> None:
    """What can only be known here: which servers and models there are."""
    fetching = services().intake.series
    if "server" in values and (wrong := fetching.check_server(values["server"])):
        problems["server"] = wrong
    if problems and "model" in values:  # otherwise `submit` says it, with its own code
        try:
            fetching.resolve(values["model"])
        except InvalidFields as error:
            problems.update(error.errors or {})
