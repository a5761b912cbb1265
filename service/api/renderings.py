"""Pictures of one segmentation, and the files that other programs take."""

from collections.abc import Callable

from flask import Response, request
from flask_smorest import Blueprint
from werkzeug.wsgi import wrap_file

from service.api.operation import operation, picture
from service.api.segmentations import find
from service.container import services
from service.presentation.slice_pictures import Paint, Painter, Place, etag, result_of, still_there
from service.schemas.segmentations import (
    ContoursQuery,
    ImageQuery,
    MontageQuery,
    NoQuery,
    OverlayQuery,
    SliceQuery,
    ThumbnailQuery,
)
from service.web.parameters import query
from shared.contract.errors import Conflict, Gone
from shared.contract.names import SegmentationKind
from shared.files.paths import nifti_path, segmentation_object_path
from shared.jobs.segmentations import SegmentationView

blueprint = Blueprint(
    "pictures", __name__, description="Pictures of a segmentation, of the upload's own size."
)

PNG = "image/png"
WEBP = "image/webp"
GEOJSON = "application/geo+json"
GZIP = "application/gzip"
DICOM = "application/dicom"
_ENDINGS = {PNG: "png", WEBP: "webp", GEOJSON: "geojson"}
_PROBLEMS = (401, 403, 404, 409, 410, 422)
_STEP = 1 << 18


@blueprint.get("/v1/segmentations/<job_id>/image.png")
@operation({200: picture("The slice as a browser can show it.")}, problems=_PROBLEMS, query=ImageQuery)
def image(job_id: str) -> Response:
    """The upload as PNG

    Of a volume one slice, all slices in the same window.
    """
    job, wish = _kept(job_id), query(ImageQuery)
    place = Place(wish["slice"], wish["modality"])
    return _answer(job, PNG, "image", lambda: _painter(job).image(job, place), place)


@blueprint.get("/v1/segmentations/<job_id>/mask.png")
@operation({200: picture("0 and 255.")}, problems=_PROBLEMS, query=SliceQuery)
def mask(job_id: str) -> Response:
    """The mask as PNG: 255 is tumour

    Of a volume one slice.
    """
    job, place = _kept(job_id), Place(query(SliceQuery)["slice"])
    return _answer(job, PNG, "mask", lambda: _painter(job).mask(job, place), place)


@blueprint.get("/v1/segmentations/<job_id>/labels.png")
@operation({200: picture("0, and the label of each class.")}, problems=_PROBLEMS, query=SliceQuery)
def labels(job_id: str) -> Response:
    """The classes of tumour as PNG with a palette: the value of a pixel is its label

    Of a volume one slice. 409 where the model knows one class of tumour only.
    """
    job, place = _kept(job_id), Place(query(SliceQuery)["slice"])
    return _answer(job, PNG, "labels", lambda: _painter(job).labels(job, place), place)


@blueprint.get("/v1/segmentations/<job_id>/probability.png")
@operation({200: picture("0..255.")}, problems=_PROBLEMS, query=SliceQuery)
def probability(job_id: str) -> Response:
    """The probability of tumour at each pixel as PNG: 255 is 1.0

    The mask is made from these very values: `value >= ceil(threshold * 255)`, without small regions. Of a volume one
    slice.
    """
    job, place = _kept(job_id), Place(query(SliceQuery)["slice"])
    return _answer(job, PNG, "probability", lambda: _painter(job).probability(job, place), place)


@blueprint.get("/v1/segmentations/<job_id>/overlay.png")
@operation({200: picture("RGB.")}, problems=_PROBLEMS, query=OverlayQuery)
def overlay(job_id: str) -> Response:
    """The upload with the mask painted over it, as PNG

    Of a volume one slice.
    """
    job, wish = _kept(job_id), query(OverlayQuery)
    place = Place(wish["slice"], wish["modality"])
    paint = Paint(wish["opacity"], wish["color"], wish["outline"])
    return _answer(job, PNG, "overlay", lambda: _painter(job).overlay(job, place, paint), place, paint)


@blueprint.get("/v1/segmentations/<job_id>/thumbnail.webp")
@operation({200: picture("RGB.", WEBP)}, problems=_PROBLEMS, query=ThumbnailQuery)
def thumbnail(job_id: str) -> Response:
    """The overlay small, for lists, as WebP

    In true proportion where pixels are not square, and with no more pixels along its longer side than the upload. Of a
    volume the slice with most tumour, else the middle one; of a picture without a result the picture alone.
    """
    job, size = _kept(job_id), query(ThumbnailQuery)["size"]
    return _answer(job, WEBP, "thumbnail", lambda: _painter(job).thumbnail(job, size), size)


@blueprint.get("/v1/segmentations/<job_id>/contours.geojson")
@operation(
    {200: picture("A FeatureCollection of polygons.", GEOJSON)}, problems=_PROBLEMS, query=ContoursQuery
)
def contours(job_id: str) -> Response:
    """The outlines of the mask as GeoJSON

    Of a volume those of all slices, or of one; each feature says its `slice`. In pixels, or, where the file says how
    it lies, in the patient's millimetres.
    """
    job, wish = _kept(job_id), query(ContoursQuery)
    place, in_patient = Place(wish["slice"]), wish["coordinates"] == "patient"
    return _answer(
        job, GEOJSON, "contours", lambda: _painter(job).contours(job, place, in_patient), place, in_patient
    )


@blueprint.get("/v1/segmentations/<job_id>/montage.png")
@operation({200: picture("RGB.")}, problems=_PROBLEMS, query=MontageQuery)
def montage(job_id: str) -> Response:
    """Overlays of a volume's slices beside each other, as PNG

    In true proportion where pixels are not square. 409 for a single picture.
    """
    job, wish = _kept(job_id), query(MontageQuery)
    _require_volume(job)
    options = (wish["columns"], wish["slices"] == "all")
    return _answer(job, PNG, "montage", lambda: services().presentation.volumes.montage(job, *options), *options)


@blueprint.get("/v1/segmentations/<job_id>/mask.nii.gz")
@operation({200: picture("On the grid of the file.", GZIP)}, problems=_PROBLEMS, query=NoQuery)
def mask_nifti(job_id: str) -> Response:
    """A volume's mask as NIfTI, on the grid of its file

    Of a model of several classes with their labels. 409 for a single picture.
    """
    job = _kept(job_id)
    query(NoQuery)
    _require_volume(job)
    result_of(job)
    return _file(job, nifti_path(job.id), GZIP, f"mask-{job.id}.nii.gz")


@blueprint.get("/v1/segmentations/<job_id>/segmentation.dcm")
@operation({200: picture("A Segmentation Storage object.", DICOM)}, problems=_PROBLEMS, query=NoQuery)
def segmentation_object(job_id: str) -> Response:
    """A DICOM volume's mask as DICOM SEG, filed under its patient and study

    409 for what was not made from DICOM.
    """
    job = _kept(job_id)
    query(NoQuery)
    _require_volume(job)
    result_of(job)
    if job.image.get("format") != "DICOM":
        raise Conflict(
            "A DICOM segmentation refers to the images it was made from, and these were not DICOM."
        )
    return _file(job, segmentation_object_path(job.id), DICOM, f"segmentation-{job.id}.dcm")


def _painter(job: SegmentationView) -> Painter:
    parts = services()
    return parts.presentation.slices if job.kind == SegmentationKind.PICTURE else parts.presentation.volumes


def _require_volume(job: SegmentationView) -> None:
    if job.kind == SegmentationKind.PICTURE:
        raise Conflict("This segmentation is of a single picture; only volumes have this.")


def _kept(job_id: str) -> SegmentationView:
    job = find(job_id)
    if job.gone:
        raise Gone("The pixels and the result of this segmentation have expired or were deleted.")
    return job


def _answer(
    job: SegmentationView, kind: str, name: str, make: Callable[[], bytes], *options: object
) -> Response:
    """304 for a client that kept the picture itself; no cache on the way keeps it (headers.py)."""
    validator = etag(job, name, *map(str, options))
    if validator in request.if_none_match:
        answer = Response(status=304)
    else:
        answer = Response(make(), content_type=kind)
        answer.headers["Content-Disposition"] = f'inline; filename="{name}.{_ENDINGS[kind]}"'
    answer.set_etag(validator)
    return answer


def _file(job: SegmentationView, path: str, kind: str, name: str) -> Response:
    """A file of the store, in pieces."""
    validator = etag(job, name)
    if validator in request.if_none_match:
        answer = Response(status=304)
    else:
        files = services().stored.files
        size = still_there(lambda: files.size(path))
        file = still_there(lambda: files.open(path))
        answer = Response(wrap_file(request.environ, file, _STEP), content_type=kind, direct_passthrough=True)
        answer.content_length = size
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.set_etag(validator)
    return answer
