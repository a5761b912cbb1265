"""Pages for people: a form, results, and errors in words; the same functions as the API, and no JavaScript needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, send_from_directory, url_for
from werkzeug.wrappers import Response

from service.api.segmentation_form import read_segmentation_form
from service.api.segmentations import awaited, find, present, remove, submit
from service.container import services
from service.intake.upload_kinds import OF_MODALITIES
from service.pages.login import check_form
from service.pages.volume_navigation import view_of
from service.schemas.common import ListQuery
from service.schemas.segmentations import SliceQuery
from service.settings import MIB
from service.web.auth import Principal, require
from service.web.parameters import query
from service.web.problems import problem_document, status_of
from service.web.security_headers import CAMERA_HERE
from shared.contract.errors import NotFound, ServiceError, Unauthenticated
from shared.contract.names import DEFAULT_ALIAS, Scope, SegmentationKind

blueprint = Blueprint("pages", __name__)

FIELD_NAMES = {
    "image": "Image files",
    **{field: f"{name.upper()} volume" for field, name in OF_MODALITIES.items()},
    "model": "Model",
    "threshold": "Threshold",
    "pixel_spacing_mm": "Pixel spacing in mm",
    "slice_spacing_mm": "Slice spacing in mm",
    "sequence_order": "Order of the sequences",
}


@dataclass(frozen=True)
class Example:
    """An image to try: a file of samples/, and its picture in static/examples."""

    file: str
    picture: str
    title: str
    detail: str


SAMPLES = Path(__file__).resolve().parents[2] / "samples"
EXAMPLES = (
    Example("tumour.tif", "tumour.webp", "Slice with a glioma", "TIFF, three sequences"),
    Example("no-tumour.tif", "no-tumour.webp", "Slice without tumour", "same patient"),
    Example("volume.tif", "volume.webp", "Volume of 21 slices", "TIFF stack, FLAIR"),
)


@blueprint.before_request
def sign_in_first() -> Response | None:
    """A person without a session goes to /login and comes back."""
    try:
        require(Scope.INFER)
    except Unauthenticated:
        wanted = request.full_path.rstrip("?") if request.method == "GET" else ""
        return redirect(url_for("login.form", next=wanted), 303)
    return None


@blueprint.after_request
def allow_camera(answer: Response) -> Response:
    """The browser may ask for a camera here, and on no other page."""
    answer.headers["Permissions-Policy"] = CAMERA_HERE
    return answer


@blueprint.get("/")
def home() -> str:
    """The upload form; with JavaScript it shows results beside it."""
    return _form()


@blueprint.get("/examples/<name>")
def example(name: str) -> Response:
    """An image of the service's own to try it with."""
    if name not in {example.file for example in EXAMPLES}:
        raise NotFound
    return send_from_directory(SAMPLES, name, max_age=86_400)


@blueprint.post("/segment")
def segment() -> Response | tuple[str, int]:
    """Segment what the form holds, then show its page; what is wrong is said above the form."""
    principal: Principal = g.principal
    try:
        with read_segmentation_form(principal.owner, also=("csrf_token",), drop_empty=True) as form:
            check_form()
            accepted = submit(form)
    except ServiceError as error:
        if (status := status_of(type(error))) == 500:
            raise
        document = problem_document(status, error.code, error.detail, title=error.title, errors=error.errors)
        return _form(document, request.form if status == 422 else {}), status
    # A slice is there in a moment, and then its page needs no second look; a volume takes longer than one waits.
    accepted = awaited(accepted, form.wait if form.picture else 0)
    return redirect(url_for("pages.result", job_id=accepted.view.id), 303)


@blueprint.get("/results/<job_id>")
def result(job_id: str) -> str:
    """One result; while there is none yet the page looks again by itself. `?slice=N` shows a slice of a volume."""
    found, wanted = find(job_id), query(SliceQuery)["slice"]
    job = present(found, "none")
    if found.kind != SegmentationKind.PICTURE and job["result"] is not None:
        view = view_of(found, wanted)
        return render_template("volume.html", job=job, view=view, headline=_headline(job))
    return render_template("result.html", job=job, pending=not found.ended, headline=_headline(job))


@blueprint.get("/results")
def results() -> str:
    """Results, newest first."""
    asked = query(ListQuery)
    page = services().stored.segmentations.list(g.principal.sees, asked["limit"], asked["cursor"])
    return render_template("results.html", jobs=[present(job, "none") for job in page.items], next=page.next)


@blueprint.post("/results/<job_id>/delete")
def delete(job_id: str) -> Response:
    """Remove the image and the result, as the button says."""
    check_form()
    remove(find(job_id))
    return redirect(url_for("pages.results"), 303)


def _form(problem: Mapping[str, Any] | None = None, values: Mapping[str, str] | None = None) -> str:
    parts = services()
    aliases = parts.stored.models.aliases()
    models = [model.id for model in parts.stored.models.list(100).items]
    return render_template(
        "home.html",
        problem=problem,
        values=values or {},
        field_names=FIELD_NAMES,
        models=[DEFAULT_ALIAS, *(name for name in aliases if name != DEFAULT_ALIAS), *models],
        modalities={field: FIELD_NAMES[field] for field in OF_MODALITIES},
        max_megabytes=parts.settings.max_upload_bytes // MIB,
        max_volume_megabytes=parts.settings.max_volume_bytes // MIB,
        opened=bool(problem and problem.get("errors")),
        examples=EXAMPLES,
    )


def _headline(job: Mapping[str, Any]) -> str:
    if job["result"] is not None:
        return "Tumour found" if job["result"]["tumor_detected"] else "No tumour found"
    return {"failed": "This did not work", "cancelled": "Cancelled"}.get(job["status"], "Working on it")
