"""/v1/catalog: everything that a run may name, with words and limits."""

from pathlib import Path

import marshmallow as ma

from service.schemas.training import Catalog
from shared import catalog
from shared.recipe import Augmentation, recipe_from
from tests.service.conftest import Api

TABLES = {
    "architectures": catalog.MODELS,
    "encoders": catalog.ENCODERS,
    "losses": catalog.LOSSES,
    "optimizers": catalog.OPTIMIZERS,
    "schedules": catalog.SCHEDULES,
    "normalizations": catalog.NORMALIZATIONS,
    "splits": catalog.SPLITS,
    "dataset_formats": catalog.DATASETS,
}


def test_it_has_every_table_with_a_sentence_for_each_name(api: Api) -> None:
    told = api.client.get("/v1/catalog").json
    assert Catalog(unknown=ma.RAISE).load(told)
    assert {kind: [entry["name"] for entry in told[kind]] for kind in TABLES} == {
        kind: list(table) for kind, table in TABLES.items()
    }
    for kind in (*TABLES, "augmentations"):
        assert all(entry["description"].endswith(".") for entry in told[kind]), kind


def test_options_have_defaults_and_limits(api: Api) -> None:
    told = api.client.get("/v1/catalog").json
    options = {loss["name"]: loss["options"] for loss in told["losses"]}
    weight = {"default": 1.0, "minimum": 0.0, "maximum": 100.0, "whole": False}
    assert options["bce_dice"]["bce_weight"] == weight
    augmentations = {entry["name"]: entry for entry in told["augmentations"]}
    assert augmentations.keys() == Augmentation.__dataclass_fields__.keys()
    assert augmentations["degrees"].items() >= {"default": 20.0, "minimum": 0, "maximum": 180}.items()


def test_a_presets_fields_are_a_recipe(api: Api) -> None:
    presets = api.client.get("/v1/catalog").json["recipes"]
    assert [preset["name"] for preset in presets] == sorted(
        path.stem for path in Path("recipes").glob("*.yaml")
    )
    for preset in presets:
        assert recipe_from(preset["fields"]).to_dict() == preset["fields"]
        assert preset["description"] == preset["fields"]["description"] != ""


def test_it_says_what_goes_with_what(api: Api) -> None:
    told = api.client.get("/v1/catalog").json
    encoders = {entry["name"]: entry["encoders"] for entry in told["architectures"]}
    assert "vgg16" in encoders["unet"] and encoders["attention_unet"] == []
    assert [loss["name"] for loss in told["losses"] if loss["several_classes"]] == ["ce_dice"]


def test_recipes_name_what_their_projects_reported(api: Api) -> None:
    recipes = {entry["name"]: entry for entry in api.client.get("/v1/catalog").json["recipes"]}
    assert all(entry["reported"] for entry in recipes.values())
    for report in recipes["vgg16-unet"]["reported"]:
        assert report.keys() == {"project", "source", "reported", "on", "why_not_comparable"}


def test_it_needs_the_scope_train(guarded: Api) -> None:
    get = guarded.client.get
    assert get("/v1/catalog").status_code == 401
    assert get("/v1/catalog", headers=guarded.key("infer")).status_code == 403
    assert get("/v1/catalog", headers=guarded.key("train")).status_code == 200
