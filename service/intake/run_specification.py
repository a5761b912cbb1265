"""From what a client asks for to what a run will do; all mistakes are found at once."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from service.intake.lookup import ready_dataset
from service.intake.presets import Preset, Presets
from shared import catalog
from shared.contract.errors import InvalidFields
from shared.jobs.datasets import DatasetView
from shared.recipe import MAX_NAME, Recipe, part_sizes, recipe_from

# What a preset says of these goes with the other.
_DEPENDENT = {
    "loss": ("loss_options",),
    "classes": ("loss", "loss_options"),
    "optimizer": ("weight_decay",),
    "architecture": ("architecture_options", "encoder", "encoder_weights"),
    "modalities": ("in_channels",),
}
Problems = dict[str, list[str]]
FindDataset = Callable[[str], DatasetView]
_NOT_ITS_OWN = ("recipe", "dataset")  # fields of the request that are none of the recipe
_NESTED = tuple(field.name for field in fields(Recipe) if is_dataclass(field.default_factory))


@dataclass(frozen=True)
class Specified:
    """A run that can be done."""

    recipe: Recipe
    preset: str | None
    dataset: DatasetView


def specify(
    given: Mapping[str, Any],
    presets: Presets,
    find_dataset: FindDataset,
    no_weights: Callable[[Recipe], str | None] = lambda recipe: None,
) -> Specified:
    """The run that `given` (a JSON object) asks for; raises InvalidFields with everything that is wrong with it.

    `find_dataset` takes an id or a name and raises InvalidFields on `dataset`; `no_weights` says why the encoder cannot
    begin with the weights that the recipe wants.
    """
    problems: Problems = {}
    preset = _preset(given, presets, problems)
    dataset = ready_dataset(given, find_dataset, "trained on", problems)
    values = _merge(preset.given if preset else {}, given)
    if dataset is not None:
        values = _about(values, given, dataset)
    if dataset is not None:
        values = _of_dataset(values, given, dataset.report or {})
    if dataset is not None and "dataset_format" not in given:
        values["dataset_format"] = dataset.format
    elif dataset is not None and given["dataset_format"] != dataset.format:
        problems["dataset_format"] = [f"must be {dataset.format}, as the dataset's, or be left out"]
    values.setdefault("name", _named(values, dataset))
    recipe = _read(values, problems)
    if dataset is not None:
        for place, message in _unfit(recipe, dataset.report or {}):
            if place not in problems and place.split(".")[0] not in problems:
                problems[place] = [message]
    if not {"encoder", "encoder_weights"} & problems.keys() and (lacking := no_weights(recipe)):
        problems["encoder_weights"] = [lacking]
    if problems or dataset is None:
        raise InvalidFields("This run cannot be done; `errors` names each field.", problems)
    return Specified(recipe, preset.name if preset else None, dataset)


def _named(values: Mapping[str, Any], dataset: DatasetView | None) -> str:
    """What a run is called that nobody gave a name: what is trained on what."""
    what = values.get("architecture", Recipe.__dataclass_fields__["architecture"].default)
    return f"{what} on {dataset.name}"[:MAX_NAME].strip() if dataset is not None else "-"


def _preset(given: Mapping[str, Any], presets: Presets, problems: Problems) -> Preset | None:
    name = given.get("recipe")
    if name is None:
        return None
    if not isinstance(name, str):
        problems["recipe"] = ["must be text"]
        return None
    try:
        return presets.get(name)
    except InvalidFields as error:
        problems.update(error.errors or {})
        return None


def _merge(preset: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The preset with the given fields in their place; of objects (`augmentations`) only the members given.

    Options of the preset's loss say nothing about another loss, its encoder nothing about another architecture, and
    its crop nothing about smaller slices, and is made to fit another architecture.
    """
    values = dict(preset)
    for name, dependent in _DEPENDENT.items():
        if name in given and given[name] != preset.get(name):
            values = {field: value for field, value in values.items() if field not in dependent}
    crop = preset.get("augmentations", {}).get("crop", 0)
    if _below(given.get("image_size"), crop):
        values["augmentations"] = {**preset["augmentations"], "crop": 0}
    elif crop and (entry := catalog.MODELS.get(str(given.get("architecture")))) is not None:
        values["augmentations"] = {**preset["augmentations"], "crop": crop - crop % entry.stride}
    for name, value in given.items():
        if name in _NESTED and isinstance(value, dict) and isinstance(values.get(name), dict):
            value = {**values[name], **value}
        if name not in _NOT_ITS_OWN:
            values[name] = value
    return values


def _below(image_size: object, crop: object) -> bool:
    return isinstance(image_size, int) and isinstance(crop, int) and image_size < crop


def _about(values: Mapping[str, Any], given: Mapping[str, Any], dataset: DatasetView) -> dict[str, Any]:
    """What the model's card will say in words: the preset's words are about its own data, not about this."""
    own = given.get("card", {})
    if not isinstance(own, dict):
        return dict(values)
    report = dataset.report or {}
    data = (
        f"The dataset {dataset.name} of this service ({dataset.format}): {report.get('patients', 0)} patients, "
        f"{report.get('slices', 0)} slices."
    )
    return {**values, "description": given.get("description", ""), "card": {"data": data, **own}}


def _of_dataset(
    values: Mapping[str, Any], given: Mapping[str, Any], report: Mapping[str, Any]
) -> dict[str, Any]:
    """As many channels as the dataset has, where nobody asked for some; a preset's modalities only if all are there."""
    filled = dict(values)
    names = filled.get("modalities")
    if (
        "modalities" not in given
        and isinstance(names, list)
        and not {*names} <= {*report.get("modalities", ())}
    ):
        filled.pop("modalities")
    if not filled.get("modalities") and "in_channels" not in given and "channels" in report:
        filled["in_channels"] = report["channels"]
        main = filled.get("augmentations")
        if isinstance(main, dict) and "main_channel" not in (given.get("augmentations") or {}):
            filled["augmentations"] = {n: v for n, v in main.items() if n != "main_channel"}
    return filled


def _read(values: Mapping[str, Any], problems: Problems) -> Recipe:
    """The recipe; what is wrong goes into `problems` and its default in its place, so that the rest can be checked."""
    try:
        return recipe_from(values)
    except InvalidFields as error:
        for place, said in (error.errors or {}).items():
            problems.setdefault(place, said)
    sound: dict[str, Any] = {"name": "-"}
    recipe = recipe_from(sound)
    for name in Recipe.__dataclass_fields__.keys() & values.keys():
        try:
            recipe = recipe_from({**sound, name: values[name]})
            sound[name] = values[name]
        except InvalidFields:
            continue
    return recipe


def _unfit(recipe: Recipe, report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What keeps this recipe from being done with this dataset."""
    patients, slices, tumour = (int(report.get(name, 0)) for name in ("patients", "slices", "tumour_slices"))
    yield from _unfit_channels(recipe, report)
    if not tumour:
        yield "dataset", "has no slice with tumour to learn from"
    # Not exact, as patients differ: what passes by a slice or two fails at the start of the run, by the same name.
    share = _training_share(recipe, patients, slices)
    drawn = min(slices, tumour + round(tumour * recipe.empty_per_tumour))
    drawn = int(share * drawn) or drawn
    if recipe.batch_size * recipe.gradient_accumulation > drawn:
        yield (
            "batch_size",
            f"times gradient_accumulation must be at most about {drawn}: so many slices an epoch draws from the "
            "training part",
        )
    yield from _unfit_split(recipe, patients, slices, bool(report.get("split_feasible", True)))


def _unfit_channels(recipe: Recipe, report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    names = report.get("modalities") or []
    if missing := [name for name in recipe.modalities if name not in names]:
        there = ", ".join(names) or "none with a name"
        yield "modalities", f"{', '.join(missing)} not in the dataset, which has: {there}"
    channels = len(recipe.modalities) or report.get("channels", recipe.in_channels)
    if channels != recipe.in_channels:
        yield "in_channels", f"must be {channels}, as the dataset's; or choose some of its modalities"
    classes = report.get("classes") or ["tumour"]
    if recipe.classes not in (1, len(classes)):
        several = f", or {len(classes)} ({', '.join(classes)})" if len(classes) > 1 else ""
        yield "classes", f"must be 1 (tumour or not){several}: background is not counted"


def _training_share(recipe: Recipe, patients: int, slices: int) -> float:
    """The share of the dataset's slices that is trained on, if all patients have as many."""
    taken = min(recipe.limit.patients or patients, patients)
    of_patients = taken / max(patients, 1)
    count = taken if recipe.split == "patient" else round(slices * of_patients)
    return of_patients * max(part_sizes(count, recipe.split_fractions)[0], 0) / max(count, 1)


def _unfit_split(recipe: Recipe, patients: int, slices: int, feasible: bool) -> Iterator[tuple[str, str]]:
    limit, fractions = recipe.limit.patients, recipe.split_fractions
    if not fractions[1]:
        yield "split_fractions", "needs validation patients: threshold and calibration are chosen on them"
    taken = patients if limit is None else min(limit, patients)
    by_patient = recipe.split == "patient"
    count, what = (taken, "patients") if by_patient else (slices, "slices")
    parts = sum(fraction > 0 for fraction in fractions)
    if part_sizes(count, fractions)[0] < 1:
        limited = by_patient and limit is not None and part_sizes(patients, fractions)[0] >= 1
        yield (
            "limit.patients" if limited else "split_fractions",
            f"leaves nothing to train on: {count} {what} cannot be split into {parts} parts like that",
        )
    elif by_patient and not feasible and parts == 3:
        yield "split", "by patient into three parts is not possible with this dataset: too few patients"
