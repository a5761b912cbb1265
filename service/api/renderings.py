"""Pictures of one segmentation: image, mask, probability, overlay, contours."""

from collections.abc import Callable

from flask import Response, request
from flask_smorest import Blueprint

from service.api.segmentations import find
from service.container import services
from service.openapi import operation, picture
from service.queries import query
from service.renderings import etag
from service.schemas.segmentations import OverlayQuery
from shared.contract.errors import Gone
from shared.storage.segmentations import SegmentationView

blueprint = Blueprint(
    "pictures", __name__, description="Pictures of a segmentation, of the upload's own size."
)

PNG = "image/png"
GEOJSON = "application/geo+json"
_PROBLEMS = (401, 403, 404, 409, 410)


@blueprint.get("/v1/segmentations/<job_id>/image.png")
@operation({200: picture("The upload as a browser can show it.")}, problems=_PROBLEMS)
def image(job_id: str) -> Response:
    """The upload as PNG"""
    job = _kept(job_id)
    return _answer(job, PNG, "image", lambda: services().renderings.image(job))


@blueprint.get("/v1/segmentations/<job_id>/mask.png")
@operation({200: picture("0 and 255.")}, problems=_PROBLEMS)
def mask(job_id: str) -> Response:
    """The mask as PNG: 255 is tumour"""
    job = _kept(job_id)
    return _answer(job, PNG, "mask", lambda: services().renderings.mask(job))


@blueprint.get("/v1/segmentations/<job_id>/probability.png")
@operation({200: picture("0..255.")}, problems=_PROBLEMS)
def probability(job_id: str) -> Response:
    """The probability of tumour at each pixel as PNG: 255 is 1.0

    The mask is made from these very values: `value >= ceil(threshold * 255)`, without small regions.
    """
    job = _kept(job_id)
    return _answer(job, PNG, "probability", lambda: services().renderings.probability(job))


@blueprint.get("/v1/segmentations/<job_id>/overlay.png")
@operation({200: picture("RGB.")}, problems=(*_PROBLEMS, 422), query=OverlayQuery)
def overlay(job_id: str) -> Response:
    """The upload with the mask painted over it, as PNG"""
    job = _kept(job_id)
    wish = query(OverlayQuery)
    options = (wish["opacity"], wish["color"], wish["outline"])
    return _answer(job, PNG, "overlay", lambda: services().renderings.overlay(job, *options), *options)


@blueprint.get("/v1/segmentations/<job_id>/contours.geojson")
@operation({200: picture("A FeatureCollection of polygons.", GEOJSON)}, problems=_PROBLEMS)
def contours(job_id: str) -> Response:
    """The outlines of the mask as GeoJSON in pixel coordinates"""
    job = _kept(job_id)
    return _answer(job, GEOJSON, "contours", lambda: services().renderings.contours(job))


def _kept(job_id: str) -> SegmentationView:
    job = find(job_id)
    if job.gone:
        raise Gone("The pixels and the result of this segmentation have expired or were deleted.")
    return job


def _answer(
    job: SegmentationView, kind: str, name: str, make: Callable[[], bytes], *options: object
) -> Response:
    """304 for a client that kept the picture itself; no cache on the way keeps it (headers.py)."""
    validator = etag(job, name, *options)
    if validator in request.if_none_match:
        answer = Response(status=304)
    else:
        answer = Response(make(), content_type=kind)
        answer.headers["Content-Disposition"] = (
            f'inline; filename="{name}.{"png" if kind == PNG else "geojson"}"'
        )
    answer.set_etag(validator)
    return answer
