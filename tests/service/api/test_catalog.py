"""/v1/catalog: everything that a run may name, with words and limits."""

from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import marshmallow as ma

from service.schemas.run_words import GROUPS
from service.schemas.training import Catalog
from shared import catalog
from shared.recipe import Augmentation, recipe_from
from tests.fakes.studies import ready_dataset
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


def fields_of(api: Api) -> dict[str, dict[str, Any]]:
    """By name."""
    return {field["name"]: field for field in api.client.get("/v1/catalog").json["fields"]}


def leaves(values: dict[str, Any], place: str = "") -> Iterator[str]:
    """The places of all values; options are one."""
    for name, value in values.items():
        if isinstance(value, dict) and not name.endswith("_options"):
            yield from leaves(value, f"{place}{name}.")
        else:
            yield place + name


def sent(place: str, value: object) -> dict[str, Any]:
    """A body with this value at its place."""
    name, _, member = place.partition(".")
    return {name: {member: value} if member else value}


def test_its_fields_are_exactly_those_that_a_run_takes(api: Api) -> None:
    taken = ["recipe", "dataset", *leaves(recipe_from({"name": "x"}).to_dict())]
    assert sorted(fields_of(api)) == sorted(taken)
    groups = [field["group"] for field in fields_of(api).values()]
    assert groups == sorted(groups, key=[*GROUPS].index)
    assert all(field["description"].endswith(".") for field in fields_of(api).values())


def test_a_wrong_value_is_named_as_its_field_is(api: Api) -> None:
    study = ready_dataset(api.parts.stored.datasets)
    for name in fields_of(api):
        body = {"recipe": "lgg-unet", "dataset": study} | sent(name, [["wrong"]])
        errors = api.client.post("/v1/training-runs", json=body).json["errors"]
        assert any(place.partition("[")[0] == name for place in errors), name


def test_a_number_beyond_the_limits_of_its_field_is_refused(api: Api) -> None:
    study = ready_dataset(api.parts.stored.datasets)
    numbers = {n: f for n, f in fields_of(api).items() if f["type"] in ("integer", "number")}
    assert len(numbers) > 30
    for name, field in numbers.items():
        for value in (field["minimum"] - 1, field["maximum"] + 1):
            body = {"name": "x", "dataset": study} | sent(name, value)
            assert name in api.client.post("/v1/training-runs", json=body).json["errors"], (name, value)


def test_a_fields_default_is_the_recipes(api: Api) -> None:
    made = recipe_from({"name": "x"}).to_dict()
    for name, field in fields_of(api).items():
        if name not in ("recipe", "dataset", "name"):
            value = reduce(lambda inner, part: inner[part], name.split("."), made)
            assert field["default"] == value, name
    rate = fields_of(api)["learning_rate"]
    assert rate["exclusive_minimum"] and (rate["minimum"], rate["maximum"]) == (0, 1)


def test_a_field_names_its_choices_and_the_table_that_explains_them(api: Api) -> None:
    told = api.client.get("/v1/catalog").json
    for field in told["fields"]:
        if field["table"] is not None:
            assert field["choices"] == [entry["name"] for entry in told[field["table"]]], field["name"]
        assert (field["choices"] is not None) == (field["type"] in ("choice", "choices"))
    options = {field["name"]: field["options_of"] for field in told["fields"] if field["type"] == "options"}
    assert options == {"architecture_options": "architecture", "loss_options": "loss"}
    assert {*options.values()} <= {field["name"] for field in told["fields"]}


def test_it_needs_the_scope_train(guarded: Api) -> None:
    get = guarded.client.get
    assert get("/v1/catalog").status_code == 401
    assert get("/v1/catalog", headers=guarded.key("infer")).status_code == 403
    assert get("/v1/catalog", headers=guarded.key("train")).status_code == 200
