"""/v1/segmentations: send a slice, look at it, list, delete."""

import re
from typing import Any

import marshmallow as ma
from flask import Response, g, jsonify, request
from flask_smorest import Blueprint

from service.auth import require
from service.container import services
from service.forms import read_form
from service.openapi import answer, leads_to, operation
from service.presenting import segmentation
from service.queries import query
from service.schemas.common import ListQuery
from service.schemas.examples import IDEMPOTENCY_HEADER, SEGMENTATION, SEGMENTATION_FORM
from service.schemas.segmentations import ReadQuery, Segmentation, SegmentationFields, SegmentationPage
from service.segmenting import Order
from shared.contract.errors import NotFound, UnknownModel
from shared.contract.names import Scope
from shared.storage.paths import segmentation_folder
from shared.storage.segmentations import SegmentationView

blueprint = Blueprint("segmentations", __name__, description="Segment MRI slices.")

RETRY_AFTER_S = 1
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_FIELDS = SegmentationFields()
_NAMES = tuple(_FIELDS.fields)
_LINKED = ("read", "delete", "image", "mask", "probability", "overlay", "contours")  # operationIds


@blueprint.post("/v1/segmentations")
@operation(
    {
        201: leads_to(
            answer(Segmentation, "It ended: see `status`.", location=True, example=SEGMENTATION), *_LINKED
        ),
        202: leads_to(
            answer(Segmentation, "Accepted; not ended within `wait` seconds.", location=True, retry=True),
            *_LINKED,
        ),
        200: answer(Segmentation, "This Idempotency-Key made it before.", location=True),
    },
    problems=(400, 401, 403, 408, 409, 410, 413, 415, 422, 503),
    body=SEGMENTATION_FORM,
    headers=(IDEMPOTENCY_HEADER,),
)
def create() -> Response:
    """Segment a slice

    Send the file as `image`. The answer is 201 with the result if it is there within `wait` seconds, else 202;
    then ask `Location` again. With `Idempotency-Key` the same request sent again makes nothing new.
    """
    order, mask_format = read_order(require(Scope.INFER).owner)
    outcome = services().segmenter.submit(order)
    document = present(outcome.job, mask_format)
    status = 200 if outcome.replayed else 201 if outcome.job.ended else 202
    reply = jsonify(document)
    reply.status_code = status
    reply.headers["Location"] = document["links"]["self"]
    if not outcome.job.ended:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply


@blueprint.get("/v1/segmentations")
@operation({200: answer(SegmentationPage, "A page.")}, problems=(401, 403, 422), query=ListQuery)
def listing() -> Response:
    """List segmentations, newest first"""
    asked = query(ListQuery)
    page = services().segmentations.list(require(Scope.INFER).sees, asked["limit"], asked["cursor"])
    return jsonify({"items": [present(job) for job in page.items], "next": page.next})


@blueprint.get("/v1/segmentations/<job_id>")
@operation(
    {200: answer(Segmentation, "The segmentation.", retry=True, example=SEGMENTATION)},
    problems=(401, 403, 404, 410, 422),
    query=ReadQuery,
)
def read(job_id: str) -> Response:
    """Read a segmentation

    410 once it has expired or was deleted.
    """
    job = find(job_id)
    reply = jsonify(present(job, query(ReadQuery)["mask_format"]))
    if not job.ended:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply


@blueprint.delete("/v1/segmentations/<job_id>")
@operation({204: {"description": "From now on its addresses answer 410."}}, problems=(401, 403, 404, 503))
def delete(job_id: str) -> Response:
    """Cancel a segmentation and remove its pixels and its result at once

    Once more does no harm.
    """
    remove(find(job_id))
    return Response(status=204)


def read_order(owner: str, *, also: tuple[str, ...] = (), drop_empty: bool = False) -> tuple[Order, str]:
    """The request's form as an order, and the shape of the mask; raises InvalidFields with all problems at once.

    Pages send `also` fields of their own, and leave a field empty that the user did not fill in.
    """
    form = read_form(request, fields=(*_NAMES, *also), files=("image",))
    problems = form.problems
    if "image" not in form.files:
        problems.setdefault("image", []).append("Is missing: send the file in this field.")
    given = {name: text for name, text in form.fields.items() if name in _NAMES and (text or not drop_empty)}
    values: dict[str, Any] = {}
    try:
        values = _FIELDS.load(given)
    except ma.ValidationError as error:
        for name, messages in error.normalized_messages().items():
            problems.setdefault(name, []).extend(messages)
    _check_model(values.get("model", given.get("model")), problems)
    form.refuse_problems()
    order = Order(
        owner=owner,
        request_id=g.request_id,
        image=form.files["image"],
        model=values["model"],
        threshold=values["threshold"],
        pixel_spacing_mm=values["pixel_spacing_mm"],
        wait=values["wait"],
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    return order, values["mask_format"]


def find(job_id: str) -> SegmentationView:
    """The job, if it is there and the asking key sees it; raises NotFound."""
    principal = require(Scope.INFER)
    if not _ID.fullmatch(job_id):  # PostgreSQL refuses a NUL in a text with an error of its own
        raise NotFound
    return services().segmentations.get(job_id, owner=principal.sees)


def remove(job: SegmentationView) -> None:
    """Cancel the job, wipe its row and delete its files; a second time changes nothing."""
    parts = services()
    parts.segmentations.delete_pixels(job.id)
    parts.jobs.withdraw(job.id)
    parts.files.delete_tree(segmentation_folder(job.id))
    parts.segmentations.files_removed([job.id])


def present(job: SegmentationView, mask_format: str = "rle") -> dict[str, Any]:
    """The resource as JSON; raises Gone."""
    model = services().catalogue.used(job.model_id)
    return segmentation(job, model, root=request.script_root, mask_format=mask_format)


def _check_model(name: Any, problems: dict[str, list[str]]) -> None:
    """An unknown model is one more problem of the form where it is not the only one."""
    if not problems or "model" in problems or not isinstance(name, str):
        return
    try:
        services().catalogue.resolve(name)
    except UnknownModel as error:
        problems.update(error.errors or {})
