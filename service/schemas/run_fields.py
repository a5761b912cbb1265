"""The fields of a training run as a form needs them: of the schema of its body, so that they stay true."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from service.schemas.run_words import GROUPS
from service.schemas.specification import PROPERTIES, REQUIRED

Field = dict[str, Any]
TYPES = ("string", "integer", "number", "boolean", "choice", "choices", "names", "numbers", "options")
# The table of the catalog that explains a field's choices, and whose entry has the numbers of a field of options.
TABLES = {
    "recipe": "recipes",
    "dataset_format": "dataset_formats",
    "architecture": "architectures",
    "encoder": "encoders",
    "normalization": "normalizations",
    "split": "splits",
    "loss": "losses",
    "optimizer": "optimizers",
    "schedule": "schedules",
}
OPTIONS_OF = {"architecture_options": "architecture", "loss_options": "loss"}


def run_fields(presets: Sequence[str]) -> list[Field]:
    """Every field that a run takes, members of objects as `limit.patients`, by group; `presets` are their names."""
    found = dict(_leaves(PROPERTIES, ""))
    found["recipe"] = {**found["recipe"], "enum": [*presets]}
    return [
        _field(place, found[place], group)
        for group, places in GROUPS.items()
        for place in places
        if place in found
    ]


def _leaves(properties: Mapping[str, Any], place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, schema in properties.items():
        if "properties" in schema:
            yield from _leaves(schema["properties"], f"{place}{name}.")
        else:
            yield place + name, schema


def _field(place: str, schema: Mapping[str, Any], group: str) -> Field:
    each = schema.get("items", schema)  # of a list, what holds for its members
    return {
        "name": place,
        "group": group,
        "description": schema["description"],
        "type": _type(schema),
        "required": place in REQUIRED,
        "nullable": schema.get("nullable", False),
        "default": schema.get("default"),
        "minimum": each.get("minimum"),
        "exclusive_minimum": each.get("exclusiveMinimum", False),
        "maximum": each.get("maximum"),
        "multiple_of": each.get("multipleOf"),
        "max_length": each.get("maxLength"),
        "choices": each.get("enum"),
        "table": TABLES.get(place),
        "options_of": OPTIONS_OF.get(place),
    }


def _type(schema: Mapping[str, Any]) -> str:
    """A form's kind of input: `choices` are several of the choices, `names` several words, `numbers` a list of them."""
    kind: str = schema["type"]
    if kind == "object":
        return "options"
    if kind == "array":
        items = schema["items"]
        return "numbers" if items["type"] == "number" else "choices" if "enum" in items else "names"
    return "choice" if "enum" in schema else kind
