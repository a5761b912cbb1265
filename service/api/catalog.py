"""/v1/catalog: what training runs can be made of."""

from dataclasses import asdict
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint

from service.api.operation import answer, operation
from service.container import services
from service.intake.presets import Preset
from service.schemas.run_fields import run_fields
from service.schemas.training import Catalog
from service.web.auth import require
from shared import catalog
from shared.contract.names import Scope
from shared.recipe import LIMITS, Augmentation

blueprint = Blueprint("catalog", __name__, description="What training runs can be made of.")

_PLACE = "augmentations."


@blueprint.get("/v1/catalog")
@operation({200: answer(Catalog, "Everything.")}, problems=(401, 403))
def read_catalog() -> Response:
    """Architectures, encoders, losses and all else that a run names

    Each with one sentence, its options and their limits; `recipes` are presets to begin with, `fields` all that
    `POST /v1/training-runs` takes.
    """
    require(Scope.TRAIN)
    presets = services().intake.presets.all()
    return jsonify(
        {
            "architectures": _table(catalog.MODELS, "encoders"),
            "encoders": _sentences(catalog.ENCODERS),
            "losses": _table(catalog.LOSSES, "several_classes"),
            "optimizers": _table(catalog.OPTIMIZERS),
            "schedules": _table(catalog.SCHEDULES),
            "normalizations": _sentences(catalog.NORMALIZATIONS),
            "splits": _sentences(catalog.SPLITS),
            "dataset_formats": _table(catalog.DATASETS),
            "augmentations": _augmentations(),
            "recipes": [_preset(preset) for preset in presets],
            "fields": run_fields([preset.name for preset in presets]),
        }
    )


def _table(table: catalog.Table, *more: str) -> list[dict[str, Any]]:
    """Of each entry what all have, and `more` of its attributes."""
    return [
        {
            "name": name,
            "description": entry.sentence,
            "options": {option: asdict(limits) for option, limits in entry.options.items()},
            **{attribute: getattr(entry, attribute) for attribute in more},
        }
        for name, entry in table.items()
    ]


def _sentences(table: catalog.Sentences) -> list[dict[str, Any]]:
    return [{"name": name, "description": sentence, "options": {}} for name, sentence in table.items()]


def _augmentations() -> list[dict[str, Any]]:
    limits = {place.removeprefix(_PLACE): limit for place, *limit in LIMITS if place.startswith(_PLACE)}
    return [
        {
            "name": name,
            "description": catalog.AUGMENTATIONS[name],
            "default": default,
            "minimum": limits[name][0],
            "maximum": limits[name][1],
        }
        for name, default in asdict(Augmentation()).items()
    ]


def _preset(preset: Preset) -> dict[str, Any]:
    recipe = preset.recipe
    reports = [asdict(report) for report in services().presentation.reported.of(preset.name)]
    for report in reports:
        del report["recipe"]
    return {
        "name": preset.name,
        "description": recipe.description,
        "fields": recipe.to_dict(),
        "reported": reports,
    }
