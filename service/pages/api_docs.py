"""/openapi.json and /docs: the API's description, and a reader for it that needs no network and no inline script."""

from flask import Blueprint, Response, current_app, render_template, send_from_directory
from flask_smorest import Api
from swagger_ui_bundle import swagger_ui_path

from service.settings import VERSION
from service.web.problems import status_of
from shared.contract.errors import NotFound, ServiceError

blueprint = Blueprint("docs", __name__)

_UI_FILES = frozenset(
    {"swagger-ui.css", "swagger-ui-bundle.js", "swagger-ui-standalone-preset.js", "favicon-32x32.png"}
)

DESCRIPTION = """Segments brain tumours in MRI slices. **Research use only; not a medical device.**

Send a slice to `POST /v1/segmentations`; the answer has the mask, yes or no with a confidence, coverage and area.
Errors are `application/problem+json` with a stable `code`. Lists are newest first, with `limit` and `cursor`.
Keys go into `Authorization: Bearer KEY`; a start on loopback alone asks for none. A key with the scope `admin`
may do everything and sees everything; other keys see what they made.
"""

API_CONFIG = {
    "API_TITLE": "Brain tumour segmentation",
    "API_VERSION": VERSION,
    "OPENAPI_VERSION": "3.0.3",
    "API_SPEC_OPTIONS": {
        "info": {"description": DESCRIPTION, "license": {"name": "Apache-2.0"}},
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key."},
            }
        },
        "security": [{"key": []}, {}],
    },
}


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The OpenAPI document."""
    api: Api = current_app.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    document = current_app.json.dumps(api.spec.to_dict())
    return Response(document, content_type="application/json", headers={"Cache-Control": "no-cache"})


@blueprint.get("/docs")
def reader() -> str:
    """Swagger UI over /openapi.json."""
    return render_template("docs.html")


@blueprint.get("/docs/ui/<name>")
def ui_file(name: str) -> Response:
    """A file of the bundled Swagger UI."""
    if name not in _UI_FILES:
        raise NotFound
    answer = send_from_directory(str(swagger_ui_path), name, max_age=86400)
    answer.headers["Cache-Control"] = "public, max-age=86400"
    return answer


@blueprint.get("/problems")
def problems() -> str:
    """What each `code` means; `type` of a problem points here."""
    kinds = sorted(
        ((cls.code, status_of(cls), cls.title) for cls in _tree(ServiceError)),
        key=lambda kind: kind[0],
    )
    return render_template("problems.html", problems=[kind for kind in kinds if kind[1] != 500])


def _tree(cls: type[ServiceError]) -> set[type[ServiceError]]:
    return {cls}.union(*(_tree(child) for child in cls.__subclasses__()))
