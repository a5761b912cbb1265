"""From a request to what a run does: presets, fields, datasets, and every mistake at once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.intake.presets import Presets, read_presets
from service.intake.run_specification import specify
from shared.contract.errors import InvalidFields
from shared.contract.names import DatasetStatus
from shared.database.tables import utc_now
from shared.jobs.dataset_views import DatasetView
from shared.recipe import part_sizes, recipe_from
from tests.fakes.studies import REPORT
from trainer.training.split import split_by_patient

PRESETS = read_presets(Path("recipes"))


def study(**report: Any) -> DatasetView:
    return DatasetView(
        id="d1", owner="me", name="study", format="lgg", options={}, folder=None, archive_bytes=1,
        archive_sha256=None, status=DatasetStatus.READY, created_at=utc_now(), finished_at=utc_now(), error=None,
        report=REPORT | report, findings=[], request_id="r",
    )  # fmt: skip


def errors_of(given: dict[str, Any], dataset: DatasetView | None = None, presets: Presets = PRESETS) -> Any:
    """What is wrong, by field."""
    with pytest.raises(InvalidFields) as raised:
        specify(given, presets, lambda _: dataset or study())
    return raised.value.errors


def test_a_preset_alone_makes_its_recipe() -> None:
    done = specify({"recipe": "lgg-unet", "dataset": "study"}, PRESETS, lambda _: study())
    assert done.recipe.identity() == PRESETS.get("lgg-unet").recipe.identity()
    assert done.preset == "lgg-unet" and done.dataset.id == "d1"


def test_fields_alone_make_a_recipe_with_defaults() -> None:
    done = specify({"name": "mine", "dataset": "study", "epochs": 3}, PRESETS, lambda _: study())
    assert (
        done.recipe.identity() == recipe_from({"name": "mine", "epochs": 3}).identity()
        and done.preset is None
    )


def test_the_card_speaks_of_this_dataset_and_not_of_the_presets() -> None:
    made = specify(
        {"recipe": "lgg-unet", "dataset": "study"}, PRESETS, lambda _: study(patients=7, slices=90)
    )
    card = made.recipe.card
    assert "LGG MRI" in PRESETS.get("lgg-unet").recipe.card.data
    assert card.data.endswith("7 patients, 90 slices.") and "77" not in card.data + made.recipe.description
    assert card.licence == "unknown"
    own = {"recipe": "lgg-unet", "dataset": "study", "card": {"licence": "CC0"}, "description": "Mine."}
    told = specify(own, PRESETS, lambda _: study()).recipe
    assert (told.card.licence, told.description) == ("CC0", "Mine.") and "patients" in told.card.data


def test_given_fields_replace_the_presets_and_objects_member_by_member() -> None:
    preset = PRESETS.get("lgg-unet").recipe
    given = {"recipe": "lgg-unet", "dataset": "d", "epochs": 2, "augmentations": {"degrees": 5}}
    made = specify(given, PRESETS, lambda _: study()).recipe
    expected = replace(preset, epochs=2, augmentations=replace(preset.augmentations, degrees=5.0))
    assert made.identity() == expected.identity()
    assert preset.augmentations.crop == made.augmentations.crop != 0


def test_options_of_the_presets_loss_are_not_given_to_another_loss(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nloss: bce_dice\nloss_options: {bce_weight: 2.0}\n")
    presets = read_presets(tmp_path)
    same = specify({"recipe": "a", "dataset": "d"}, presets, lambda _: study()).recipe
    other = specify({"recipe": "a", "dataset": "d", "loss": "dice"}, presets, lambda _: study()).recipe
    assert same.loss_options == {"bce_weight": 2.0} and other.loss_options == {}


def test_the_presets_crop_is_not_taken_for_slices_smaller_than_it() -> None:
    def crop(**given: Any) -> int:
        request = {"recipe": "lgg-unet", "dataset": "d", **given}
        return specify(request, PRESETS, lambda _: study()).recipe.augmentations.crop

    preset = PRESETS.get("lgg-unet").recipe.augmentations
    assert crop(image_size=224) == preset.crop > 128
    assert crop(image_size=128) == crop(image_size=128, augmentations={"degrees": 5}) == 0
    assert crop(image_size=128, augmentations={"crop": 64}) == 64
    given = {"recipe": "lgg-unet", "dataset": "d", "image_size": 128, "augmentations": {"crop": 208}}
    assert errors_of(given).keys() == {"augmentations.crop"}


def test_the_format_is_the_datasets_and_another_one_is_refused() -> None:
    other = replace(study(), format="image_mask")
    assert errors_of({"recipe": "lgg-unet", "dataset": "d", "dataset_format": "lgg"}, other).keys() == {
        "dataset_format"
    }
    assert errors_of({"name": "x", "dataset": "d", "dataset_format": 7}).keys() == {"dataset_format"}
    given = {"name": "x", "dataset": "d", "dataset_format": "lgg"}
    assert specify(given, PRESETS, lambda _: study()).recipe.dataset_format == "lgg"


def test_everything_that_is_wrong_is_named_at_once() -> None:
    given = {
        "recipe": "nothing",
        "dataset": "d",
        "loss": "l3",
        "epochs": "many",
        "batch_size": 1000,
        "split_fractions": [0.2, 0.4, 0.4],
        "augmentations": {"flop": 1},
        "learning_rat": 1,
        "limit": {"patients": 2},
        "seed": 10**400,
        "weight_decay": 10**400,
        "description": "\ud800",
        "in_channels": 3,
    }
    found = errors_of(given, study(slices=90, tumour_slices=40, channels=4))
    assert found.keys() == {
        *("recipe", "loss", "epochs", "batch_size", "augmentations.flop", "learning_rat", "limit.patients"),
        *("seed", "weight_decay", "description", "in_channels"),
    }
    assert "80" in found["batch_size"][0]


def test_a_run_without_a_name_is_called_by_what_is_trained_on_what() -> None:
    assert specify({"dataset": "d"}, PRESETS, lambda _: study()).recipe.name == "unet on study"
    plain = {"dataset": "d", "architecture": "plain_unet", "encoder": None, "encoder_weights": None}
    assert specify(plain, PRESETS, lambda _: study()).recipe.name == "plain_unet on study"
    assert errors_of({}).keys() == {"dataset"}
    assert errors_of({"dataset": "d", "name": ""}).keys() == {"name"}
    assert errors_of({"recipe": 7, "dataset": 7}).keys() == {"recipe", "dataset"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"status": DatasetStatus.VALIDATING}, "looked through"),
        ({"status": DatasetStatus.FAILED, "error": {"code": "x", "message": "no masks"}}, "no masks"),
    ],
)
def test_only_a_ready_dataset_is_trained_on(change: dict[str, Any], words: str) -> None:
    assert (
        words in errors_of({"recipe": "lgg-unet", "dataset": "d"}, replace(study(), **change))["dataset"][0]
    )


def test_too_few_patients_for_the_split_are_named_before_anything_starts() -> None:
    given = {"name": "x", "dataset": "d", "batch_size": 2}
    assert errors_of(given, study(patients=2)).keys() == {"split_fractions"}
    assert errors_of({**given, "limit": {"patients": 2}}).keys() == {"limit.patients"}
    assert errors_of(given, study(split_feasible=False)).keys() == {"split"}
    assert errors_of({**given, "split": "slice"}, study(slices=2)).keys() == {"split_fractions"}
    halves = {**given, "split_fractions": [0.5, 0.5, 0]}
    assert specify(halves, PRESETS, lambda _: study(patients=2, split_feasible=False)).recipe
    assert errors_of({**given, "split_fractions": [1, 0, 0]}).keys() == {"split_fractions"}


def test_a_dataset_without_tumour_teaches_nothing() -> None:
    assert "tumour" in errors_of({"recipe": "lgg-unet", "dataset": "d"}, study(tumour_slices=0))["dataset"][0]


@pytest.mark.parametrize("count", range(1, 30))
@pytest.mark.parametrize("fractions", [(0.7, 0.12, 0.18), (1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.1, 0.2, 0.7)])
def test_what_is_refused_is_what_the_trainer_cannot_split(
    count: int, fractions: tuple[float, float, float]
) -> None:
    names = [f"patient-{number}" for number in range(count)]
    expected = part_sizes(count, fractions)
    if expected[0] < 1:
        with pytest.raises(ValueError):
            split_by_patient(names, fractions, 1)
    else:
        split = split_by_patient(names, fractions, 1)
        assert (len(split.train), len(split.validation), len(split.test)) == expected


BRATS = {
    "channels": 4,
    "modalities": ["t1", "t1ce", "t2", "flair"],
    "classes": ["necrotic core", "oedema", "enhancing"],
}


def recipe_of(given: dict[str, Any], **report: Any) -> Any:
    return specify({"name": "x", "dataset": "d", **given}, PRESETS, lambda _: study(**report)).recipe


def test_a_run_takes_all_channels_of_its_dataset_unless_it_asks_for_some() -> None:
    assert recipe_of({}, **BRATS).in_channels == 4
    fewer = recipe_of({"modalities": ["flair", "t1ce"]}, **BRATS)
    assert (fewer.in_channels, fewer.main_channel) == (2, 0)
    assert recipe_of({"recipe": "brats-unet"}).in_channels == 3  # on a dataset without these modalities
    assert recipe_of({"recipe": "lgg-unet"}, channels=1).in_channels == 1


def test_channels_and_modalities_that_the_dataset_does_not_have_are_refused() -> None:
    given = {"name": "x", "dataset": "d"}
    assert errors_of(given | {"in_channels": 3}, study(**BRATS)).keys() == {"in_channels"}
    missing = errors_of(given | {"modalities": ["flair", "pet"]}, study(**BRATS))
    assert "pet" in missing["modalities"][0] and "t1ce" in missing["modalities"][0]
    assert "none with a name" in errors_of(given | {"modalities": ["flair"]}, study())["modalities"][0]


def test_classes_are_one_or_those_of_the_dataset() -> None:
    assert recipe_of({"classes": 3}, **BRATS).loss == "ce_dice"
    given = {"name": "x", "dataset": "d"}
    assert "oedema" in errors_of(given | {"classes": 4}, study(**BRATS))["classes"][0]
    assert errors_of(given | {"classes": 3}, study()).keys() == {"classes"}


def test_what_the_preset_says_of_another_architecture_is_left_out() -> None:
    recipe = recipe_of({"recipe": "lgg-unet", "architecture": "attention_unet"})
    assert recipe.encoder is None and recipe.encoder_weights is None
    recipe = recipe_of({"recipe": "brats-unet", "architecture": "unet"})
    assert recipe.encoder == "mobilenet_v2"


def test_the_presets_crop_is_made_to_fit_another_architecture() -> None:
    assert recipe_of({"recipe": "lgg-unet", "architecture": "unet"}).augmentations.crop == 208
    assert recipe_of({"recipe": "lgg-unet", "architecture": "fpn"}).augmentations.crop == 192
    given = {"name": "x", "dataset": "d", "architecture": "fpn", "augmentations": {"crop": 208}}
    assert errors_of(given).keys() == {"augmentations.crop"}


def test_weight_decay_of_a_preset_is_for_its_optimizer() -> None:
    assert recipe_of({"recipe": "lgg-unet", "optimizer": "adam"}).weight_decay == 0
    assert recipe_of({"recipe": "lgg-unet"}).weight_decay == recipe_of({}).weight_decay == 0.01


def test_several_classes_take_another_loss_than_the_presets() -> None:
    assert recipe_of({"recipe": "brats-unet", "classes": 3}, **BRATS).loss == "ce_dice"
