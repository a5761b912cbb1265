"""/v1/segmentations: send a slice or a volume, look at it, list, delete."""

from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Blueprint

from service.api.operation import answer, leads_to, operation
from service.api.segmentation_form import SegmentationForm, read_segmentation_form
from service.container import services
from service.intake.acceptance import Accepted
from service.presentation.documents import segmentation
from service.schemas.examples import IDEMPOTENCY_HEADER, SEGMENTATION, SEGMENTATION_FORM
from service.schemas.segmentations import (
    ReadQuery,
    Segmentation,
    SegmentationListQuery,
    SegmentationPage,
)
from service.web.auth import require
from service.web.parameters import query
from shared.contract.names import Scope, SegmentationKind
from shared.files.paths import segmentation_folder
from shared.jobs.segmentations import SegmentationView

blueprint = Blueprint("segmentations", __name__, description="Segment MRI slices and volumes.")

RETRY_AFTER_S = 1
# operationIds
_LINKED = (
    "read", "delete", "image", "mask", "labels", "probability", "overlay", "thumbnail", "contours", "montage",
    "mask_nifti", "segmentation_object",
)  # fmt: skip


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
    """Segment a slice or a volume

    Send the file as `image`: a picture of a slice, or a volume (every file of a DICOM series, a zip of them, a NIfTI
    file, a multi-page TIFF); or, for a model of several sequences, one volume in each of the fields `modality_…`.
    The answer is 201 with the result if it is there within `wait` seconds, else 202; then ask `Location` again.
    A worker reads volumes: what is wrong with one is its `error`. With `Idempotency-Key` the same request sent again
    makes nothing new.
    """
    with read_segmentation_form(require(Scope.INFER).owner) as form:
        accepted = submit(form)
    # The uploaded files are let go by now.
    return answered(awaited(accepted, form.wait), form.mask_format)


@blueprint.get("/v1/segmentations")
@operation({200: answer(SegmentationPage, "A page.")}, problems=(401, 403, 422), query=SegmentationListQuery)
def listing() -> Response:
    """List segmentations, newest first

    Without masks of volumes.
    """
    asked = query(SegmentationListQuery)
    page = services().stored.segmentations.list(require(Scope.INFER).sees, asked["limit"], asked["cursor"])
    items = [_item(job, asked["mask_format"]) for job in page.items]
    return jsonify({"items": items, "next": page.next})


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


def submit(form: SegmentationForm) -> Accepted[SegmentationView]:
    """Accept what was sent."""
    if form.volume is not None:
        return services().intake.volumes.submit(form.volume)
    assert form.picture is not None
    return services().intake.slices.submit(form.picture)


def awaited(accepted: Accepted[SegmentationView], seconds: float) -> Accepted[SegmentationView]:
    """With its end, if it comes within the time; what was there before is not waited for."""
    if accepted.replayed:
        return accepted
    return Accepted(services().intake.job_end.wait(accepted.view, seconds))


def answered(accepted: Accepted[SegmentationView], mask_format: str = "rle") -> Response:
    """201 where it has ended, 202 where it has not, 200 where it was there before."""
    document = present(accepted.view, mask_format)
    reply = jsonify(document)
    reply.status_code = 200 if accepted.replayed else 201 if accepted.view.ended else 202
    reply.headers["Location"] = document["links"]["self"]
    if not accepted.view.ended:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply


def find(job_id: str) -> SegmentationView:
    """The job, if it is there and the asking key sees it; raises NotFound."""
    principal = require(Scope.INFER)
    return services().stored.segmentations.get(job_id, owner=principal.sees)


def remove(job: SegmentationView) -> None:
    """Cancel the job, wipe its row and delete its files; a second time changes nothing."""
    parts = services()
    parts.stored.segmentations.delete_pixels(job.id)
    parts.stored.queue.withdraw(job.id)
    parts.stored.files.delete_tree(segmentation_folder(job.id))
    parts.stored.segmentations.files_removed([job.id])


def _item(job: SegmentationView, mask_format: str) -> dict[str, Any]:
    """In a list; a volume's mask, run lengths of each slice, would be much for one."""
    return present(job, mask_format if job.kind == SegmentationKind.PICTURE else "none")


def present(job: SegmentationView, mask_format: str = "rle") -> dict[str, Any]:
    """The resource as JSON; raises Gone."""
    model = services().intake.catalogue.used(job.model_id)
    return segmentation(job, model, root=request.script_root, mask_format=mask_format)
