"""/v1/models/aliases: names that point to models."""

from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from service.api.operation import answer, operation
from service.container import services
from service.schemas.models import Alias, AliasChange, AliasPage
from service.web.auth import require
from service.web.ids import is_id
from service.web.parameters import body
from shared.contract.errors import Conflict, NotFound
from shared.contract.names import DEFAULT_ALIAS, Scope
from shared.database.models import AliasView

blueprint = Blueprint("aliases", __name__, description="Names that point to models: promotion and roll back.")

_BODY = {"required": True, "content": {"application/json": {"schema": AliasChange}}}


@blueprint.get("/v1/models/aliases")
@operation({200: answer(AliasPage, "All of them.")}, problems=(401,))
def list_aliases() -> Response:
    """List aliases"""
    require()
    items = [_present(name, alias) for name, alias in services().stored.models.aliases().items()]
    return jsonify({"items": items, "next": None})


@blueprint.put("/v1/models/aliases/<string:alias>")
@operation(
    {200: answer(Alias, "The alias points there; see `ready`.")}, problems=(400, 401, 403, 422), body=_BODY
)
def set_alias(alias: str) -> Response:
    """Point an alias to a model

    Promotion and roll back, without a restart: the model that answered before goes on to until every inference worker
    has the new one warm (`ready`), which takes seconds. A new alias is ready at once. `previous` is what to roll back
    to. Needs the scope `admin`.
    """
    principal = require(Scope.ADMIN)
    model_id = body(AliasChange)["model"]
    parts = services()
    parts.stored.models.set_alias(alias, model_id, actor=principal.owner)
    parts.intake.catalogue.forget()
    return jsonify(_present(alias, parts.stored.models.aliases().get(alias, AliasView(model_id, model_id))))


@blueprint.delete("/v1/models/aliases/<string:alias>")
@operation({204: {"description": "The name is free."}}, problems=(401, 403, 404, 409))
def delete_alias(alias: str) -> Response:
    """Delete an alias

    Slices that were accepted under it keep their model. `default` stays. Needs the scope `admin`.
    """
    principal = require(Scope.ADMIN)
    if alias == DEFAULT_ALIAS:
        raise Conflict(f"{alias} names the model that is used where none is; point it elsewhere.")
    if not is_id(alias):
        raise NotFound
    services().stored.models.delete_alias(alias, actor=principal.owner)
    services().intake.catalogue.forget()
    return Response(status=204)


def _present(name: str, alias: AliasView) -> dict[str, Any]:
    ready = alias.model_id == alias.serving_id
    return {
        "alias": name,
        "model": alias.model_id,
        "serving": alias.serving_id,
        "previous": alias.previous_id,
        "ready": ready,
    }
