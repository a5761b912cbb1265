"""/v1/datasets: send pictures and masks to train on, see what was found in them, look at one, delete."""

import hashlib
import json
from typing import Any
from urllib.parse import quote

import marshmallow as ma
from flask import Response, g, jsonify, request
from flask_smorest import Blueprint

from service.api.operation import answer, header, leads_to, operation, picture
from service.container import services
from service.intake.datasets import DatasetRequest
from service.presentation.dataset_previews import Preview, Wanted
from service.presentation.documents import timestamp
from service.schemas.common import ListQuery
from service.schemas.datasets import (
    DATASET_FORM,
    OPTION_NAMES,
    Dataset,
    DatasetBody,
    DatasetFields,
    DatasetPage,
    PreviewQuery,
)
from service.schemas.examples import IDEMPOTENCY_HEADER
from service.web.auth import Principal, require
from service.web.multipart import Form, read_form, receive
from service.web.parameters import body, query
from service.web.uploads import Reception, Upload
from shared.contract.names import DatasetStatus, Scope
from shared.jobs.datasets import DatasetView

blueprint = Blueprint("datasets", __name__, description="Pictures and masks to train on.")

RETRY_AFTER_S = 2
_FIELDS = DatasetFields()
_REPORTED = (
    "patients", "patients_from", "slices", "tumour_slices", "tumour_share", "channels", "modalities", "classes",
    "truth", "spacing_mm", "bit_depths", "label_values", "sizes", "split_feasible",
)  # fmt: skip
_PLACE_HEADERS = {
    "X-Patient": header("string", "The patient shown, as `patient` takes it, percent-encoded."),
    "X-Patient-Index": header("integer", "The same as `patient_index` takes it."),
    "X-Slice": header(
        "string", "The slice shown, as `slice` takes it, percent-encoded; of a volume it ends with /NUMBER."
    ),
    "X-Slice-Index": header("integer", "The same as `slice_index` takes it."),
    "X-Slices": header("integer", "How many slices this patient has."),
}
_LINKED = ("read_dataset", "delete_dataset", "dataset_preview")  # operationIds


@blueprint.post("/v1/datasets")
@operation(
    {
        202: leads_to(
            answer(Dataset, "Accepted; a worker looks through it.", location=True, retry=True),
            *_LINKED,
            by="dataset_id",
        ),
        200: answer(Dataset, "This Idempotency-Key made it before.", location=True, retry=True),
    },
    problems=(400, 401, 403, 404, 408, 409, 413, 422, 503),
    body=DATASET_FORM,
    headers=(IDEMPOTENCY_HEADER,),
)
def create_dataset() -> Response:
    """Send a dataset

    A zip archive as `file` in a multipart form, or JSON with the name of a `folder` that the operator of the service
    put there. An archive that could do harm is refused at once; a worker looks through the rest.
    """
    principal = require(Scope.TRAIN)  # before the body is read
    parts = services()
    if request.mimetype == "application/json":
        values = body(DatasetBody)
        return _submit(principal, values, folder=values["folder"])
    parts.stored.queue.ping()  # rather than after gigabytes
    with parts.intake.uploads.receiving() as reception:
        values, upload = _read_form(reception)
        return _submit(principal, values, upload=upload)


@blueprint.get("/v1/datasets")
@operation({200: answer(DatasetPage, "A page.")}, problems=(401, 403, 422), query=ListQuery)
def list_datasets() -> Response:
    """List datasets, newest first"""
    principal = require(Scope.TRAIN)
    asked = query(ListQuery)
    page = services().stored.datasets.list(principal.sees, asked["limit"], asked["cursor"])
    return jsonify({"items": [present(dataset) for dataset in page.items], "next": page.next})


@blueprint.get("/v1/datasets/<dataset_id>")
@operation({200: answer(Dataset, "The dataset.", retry=True)}, problems=(401, 403, 404))
def read_dataset(dataset_id: str) -> Response:
    """Read a dataset

    Its status, and what was found in it once it was looked through.
    """
    return _answer(find_dataset(dataset_id), 200)


@blueprint.delete("/v1/datasets/<dataset_id>")
@operation({204: {"description": "It is gone; an operator's folder stays."}}, problems=(401, 403, 404, 503))
def delete_dataset(dataset_id: str) -> Response:
    """Delete a dataset with its files

    Models that were trained on it stay; runs that still need it fail.
    """
    services().intake.datasets.remove(find_dataset(dataset_id))
    return Response(status=204)


@blueprint.get("/v1/datasets/<dataset_id>/preview.png")
@operation(
    {
        200: picture(
            "RGB; pictures of the slice from left to right, the outlined one last.", headers=_PLACE_HEADERS
        ),
        304: {"description": "You have it: your `If-None-Match` names it.", "headers": _PLACE_HEADERS},
    },
    problems=(401, 403, 404, 409, 410, 422),
    query=PreviewQuery,
)
def dataset_preview(dataset_id: str) -> Response:
    """A slice, and beside it the same with the outline of its mask, as PNG

    Of a volume with several modalities first all of them, in grey; each class of tumour has its own colour. Headers
    say which slice it is.
    """
    dataset, asked = find_dataset(dataset_id), query(PreviewQuery)
    modality = asked.pop("modality", None)
    with services().presentation.datasets.find(dataset, Wanted(**asked)) as preview:
        text = json.dumps([dataset.id, str(dataset.finished_at), str(preview.item.image), modality])
        validator = hashlib.sha256(text.encode()).hexdigest()[:32]
        if validator in request.if_none_match:
            reply = Response(status=304)
        else:
            reply = Response(preview.png(modality), content_type="image/png")
            reply.headers["Content-Disposition"] = 'inline; filename="preview.png"'
    reply.set_etag(validator)
    reply.headers.update(_place(preview))
    return reply


def _place(preview: Preview) -> dict[str, str]:
    # a header is ASCII; the operator's disk may have names that are not even UTF-8
    return {
        "X-Patient": quote(preview.item.patient, errors="replace"),
        "X-Patient-Index": str(preview.patient_index),
        "X-Slice": quote(str(preview.item.image), errors="replace"),
        "X-Slice-Index": str(preview.slice_index),
        "X-Slices": str(preview.slices),
    }


def find_dataset(dataset_id: str) -> DatasetView:
    """The dataset, if it is there and the asking key sees it; raises NotFound."""
    principal = require(Scope.TRAIN)
    return services().stored.datasets.get(dataset_id, owner=principal.sees)


def present(dataset: DatasetView) -> dict[str, Any]:
    """The resource as JSON."""
    at, report = f"{request.script_root}/v1/datasets/{dataset.id}", dataset.report or {}
    return {
        "id": dataset.id,
        "name": dataset.name,
        "format": dataset.format,
        "options": dataset.options,
        "folder": dataset.folder,
        "archive_bytes": dataset.archive_bytes,
        "archive_sha256": dataset.archive_sha256,
        "status": dataset.status.value,
        "created_at": timestamp(dataset.created_at),
        "finished_at": timestamp(dataset.finished_at),
        "error": dataset.error,
        **{name: report.get(name) for name in _REPORTED},
        "findings": dataset.findings,
        "links": {"self": at, "preview": f"{at}/preview.png"},
    }


def _read_form(reception: Reception) -> tuple[dict[str, Any], Upload]:
    """The values and the file, which lies on disk by now; raises InvalidFields with all problems at once."""
    receive(request, reception, services().settings.datasets.max_dataset_bytes)
    form: Form = read_form(request, fields=tuple(_FIELDS.fields), files=("file",))
    problems = form.problems
    if "file" not in form.files:
        problems.setdefault("file", []).append("Is missing: send the archive in this field.")
    values: dict[str, Any] = {}
    try:
        values = _FIELDS.load(form.fields)
    except ma.ValidationError as error:
        for name, messages in error.normalized_messages().items():
            problems.setdefault(name, []).extend(messages)
    form.refuse_problems()
    return values, form.files["file"][0]


def _submit(
    principal: Principal, values: dict[str, Any], *, upload: Upload | None = None, folder: str | None = None
) -> Response:
    order = DatasetRequest(
        owner=principal.owner,
        request_id=g.request_id,
        name=values["name"],
        format=values["format"],
        options={name: values[name] for name in OPTION_NAMES if name in values},
        upload=upload,
        folder=folder,
        idempotency_key=request.headers.get("Idempotency-Key"),
    )
    accepted = services().intake.datasets.submit(order)
    return _answer(accepted.view, 200 if accepted.replayed else 202, location=True)


def _answer(dataset: DatasetView, status: int, *, location: bool = False) -> Response:
    document = present(dataset)
    reply = jsonify(document)
    reply.status_code = status
    if location:
        reply.headers["Location"] = document["links"]["self"]
    if dataset.status == DatasetStatus.VALIDATING:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply
