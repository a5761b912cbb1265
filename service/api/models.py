"""/v1/models: cards, archives to take away and to bring in, deletion."""

from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Blueprint

from service.api.operation import answer, operation, picture
from service.container import services
from service.presentation.documents import model_card
from service.schemas.common import ListQuery
from service.schemas.models import MODEL_FORM, Model, ModelPage
from service.web.auth import require
from service.web.multipart import read_form, receive
from service.web.parameters import query
from shared.contract.errors import NotFound
from shared.contract.names import Scope
from shared.database.models import StoredModel
from shared.registry.archives import packed

blueprint = Blueprint("models", __name__, description="Models, their cards and archives.")

PNG, ZIP = "image/png", "application/zip"
_BINARY = {"type": "string", "format": "binary"}


@blueprint.get("/v1/models")
@operation({200: answer(ModelPage, "A page.")}, problems=(401, 422), query=ListQuery)
def list_models() -> Response:
    """List models, newest first"""
    require()
    asked = query(ListQuery)
    page = services().stored.models.list(asked["limit"], asked["cursor"])
    aliases = services().stored.models.aliases()
    items = [model_card(model, aliases, root=request.script_root) for model in page.items]
    return jsonify({"items": items, "next": page.next})


@blueprint.post("/v1/models")
@operation(
    {
        201: answer(Model, "The model can be used; point an alias to it.", location=True),
        200: answer(Model, "The very same model was here before.", location=True),
    },
    problems=(400, 401, 403, 408, 409, 413, 422, 503),
    body=MODEL_FORM,
)
def import_model() -> Response:
    """Bring a model in

    An archive as `GET /v1/models/{model_id}/archive` gives it: card and safetensors, nothing that can run. Needs the
    scope `admin`.
    """
    principal = require(Scope.ADMIN)
    parts = services()
    with parts.intake.uploads.receiving() as reception:
        receive(request, reception, parts.settings.max_model_bytes)
        form = read_form(request, fields=(), files=("file",))
        if "file" not in form.files:
            form.problems.setdefault("file", []).append("Is missing: send the archive in this field.")
        form.refuse_problems()
        with form.files["file"][0].path.open("rb") as file:
            model, new = parts.intake.models.take_in(file, actor=principal.owner)
    parts.intake.catalogue.forget()
    document = _present(model)
    reply = jsonify(document)
    reply.status_code = 201 if new else 200
    reply.headers["Location"] = document["links"]["self"]
    return reply


@blueprint.get("/v1/models/<model_id>")
@operation({200: answer(Model, "The card.")}, problems=(401, 404))
def read_model(model_id: str) -> Response:
    """Read a model's card

    How it was trained and on what, how good it is, what it is meant for and what not.
    """
    require()
    return jsonify(_present(_find(model_id)))


@blueprint.delete("/v1/models/<model_id>")
@operation({204: {"description": "Its files are gone too."}}, problems=(401, 403, 404, 409, 503))
def delete_model(model_id: str) -> Response:
    """Delete a model

    409 while an alias points to it or it still serves for one, and for the models that are shipped. Slices that were
    accepted for it and wait end as `failed`. Needs the scope `admin`.
    """
    principal = require(Scope.ADMIN)
    services().intake.models.remove(_find(model_id), actor=principal.owner)
    services().intake.catalogue.forget()
    return Response(status=204)


@blueprint.get("/v1/models/<model_id>/archive")
@operation(
    {200: answer(_BINARY, "card.json, weights.safetensors, and what else there is.", content=ZIP)},
    problems=(401, 403, 404),
)
def archive_model(model_id: str) -> Response:
    """Take a model away as one file

    `POST /v1/models` takes it, here or elsewhere. Needs the scope `train`.
    """
    require(Scope.TRAIN)
    model = _find(model_id)
    members = services().intake.models.members(model)
    return _file(model, ZIP, f"{model.id}.zip", lambda: packed(members))


@blueprint.get("/v1/models/<model_id>/curves.png")
@operation({200: picture("Losses and Dice by epoch.")}, problems=(401, 404))
def model_curves(model_id: str) -> Response:
    """The model's training as a picture, if it came with one"""
    require()
    model = _find(model_id)
    png = services().intake.models.curves(model)
    if png is None:
        raise NotFound(f"The model {model.id} came without a picture of its training.")
    return _file(model, PNG, f"{model.id}-curves.png", lambda: [png])


def _find(model_id: str) -> StoredModel:
    return services().stored.models.get(model_id)


def _present(model: StoredModel) -> dict[str, Any]:
    return model_card(model, services().stored.models.aliases(), root=request.script_root)


def _file(model: StoredModel, kind: str, name: str, make: Callable[[], Iterable[bytes]]) -> Response:
    """A file that stays the same as long as the card does."""
    validator = f"{model.card.digest()[:32]}-{kind.partition('/')[2]}"
    if validator in request.if_none_match:
        reply = Response(status=304)
    else:
        reply = Response(make(), content_type=kind)
        reply.headers["Content-Disposition"] = (
            f'{"inline" if kind == PNG else "attachment"}; filename="{name}"'
        )
    reply.set_etag(validator)
    return reply
