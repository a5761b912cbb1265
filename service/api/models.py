"""/v1/models: cards, and the aliases that point to models."""

from flask import Response, jsonify, request
from flask_smorest import Blueprint

from service.auth import require
from service.container import services
from service.openapi import answer, operation
from service.presenting import model_card
from service.queries import body, query
from service.schemas.common import ListQuery
from service.schemas.models import Alias, AliasChange, AliasPage, Model, ModelPage
from shared.contract.errors import NotFound
from shared.contract.names import Scope

blueprint = Blueprint("models", __name__, description="Models, their cards and aliases.")

_ALIAS_BODY = {"required": True, "content": {"application/json": {"schema": AliasChange}}}


@blueprint.get("/v1/models")
@operation({200: answer(ModelPage, "A page.")}, problems=(401, 422), query=ListQuery)
def list_models() -> Response:
    """List models, newest first"""
    require()
    asked = query(ListQuery)
    page = services().models.list(asked["limit"], asked["cursor"])
    aliases = services().models.aliases()
    items = [model_card(model, aliases, root=request.script_root) for model in page.items]
    return jsonify({"items": items, "next": page.next})


@blueprint.get("/v1/models/<model_id>")
@operation({200: answer(Model, "The card.")}, problems=(401, 404))
def read_model(model_id: str) -> Response:
    """Read a model's card

    How it was trained and on what, how good it is, what it is meant for and what not.
    """
    require()
    if not model_id.isprintable():
        raise NotFound
    model = services().models.get(model_id)
    return jsonify(model_card(model, services().models.aliases(), root=request.script_root))


@blueprint.get("/v1/models/aliases")
@operation({200: answer(AliasPage, "All of them.")}, problems=(401,))
def list_aliases() -> Response:
    """List aliases"""
    require()
    items = [{"alias": alias, "model": model} for alias, model in services().models.aliases().items()]
    return jsonify({"items": items, "next": None})


@blueprint.put("/v1/models/aliases/<alias>")
@operation(
    {200: answer(Alias, "The alias points there now.")}, problems=(400, 401, 403, 422), body=_ALIAS_BODY
)
def set_alias(alias: str) -> Response:
    """Point an alias to a model

    Promotion and roll back: slices that are accepted from now on use that model. Needs the scope `admin`.
    """
    principal = require(Scope.ADMIN)
    model_id = body(AliasChange)["model"]
    parts = services()
    parts.models.set_alias(alias, model_id, actor=principal.owner)
    parts.catalogue.forget()
    return jsonify({"alias": alias, "model": model_id})
