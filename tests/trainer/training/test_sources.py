"""Several datasets in one run: each keeps its own split, its share of an epoch and its own numbers."""

from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from shared.contract.errors import InvalidFields
from shared.datasets.lgg import LggDataset
from shared.ml.checkpoint import load_model
from shared.recipe import read_recipe, recipe_from
from tests.fakes.study import make_study
from trainer.training.by_source import learned_alone, measured
from trainer.training.finish import finish
from trainer.training.mixture import open_mixture
from trainer.training.progress import Terminal
from trainer.training.run import Feed, Paths, run_training
from trainer.training.sources import ListedDataset, read_sources
from trainer.training.split import split_by_patient

CPU = torch.device("cpu")
GREY = {
    "folder": "grey",
    "format": "image_mask",
    "by": "slice",
    "validation": ["*/fold2/*"],
    "test": ["*/fold3/*"],
    "groups": {"kind": "^([^/]+)/"},
    "sequence": "t1ce",
}


def make_grey(root, size=64, folds=3, slices=4):
    """`KIND/foldN/NUMBER.png`: a bright disc in each slice, no colours, no patients."""
    generator = np.random.default_rng(1)
    rows, columns = np.mgrid[:size, :size]
    for kind in ("glioma", "meningioma"):
        for fold in range(1, folds + 1):
            folder = root / kind / f"fold{fold}"
            folder.mkdir(parents=True)
            for number in range(slices):
                y, x = generator.uniform(0.35, 0.65, 2) * size
                disc = (rows - y) ** 2 + (columns - x) ** 2 < (0.15 * size) ** 2
                picture = generator.integers(40, 60, (size, size)) + disc * 120
                Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number}.png")
                Image.fromarray(disc.astype(np.uint8) * 255).save(folder / f"{number}_mask.png")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    make_study(root / "lgg", patients=8)
    make_grey(root / "grey")
    return root


def listed(folder, **changes):
    """The file of both datasets; `changes` are of the grey one."""
    path = folder / f"sources-{len([*folder.glob('sources-*')])}.yaml"
    sources = {"lgg": {"folder": "lgg", "format": "lgg"}, "t1ce": GREY | changes}
    path.write_text(yaml.safe_dump(sources, sort_keys=False))
    return path


def tiny(**changes):
    values = {
        "name": "tiny",
        "encoder": "resnet18",
        "encoder_weights": None,
        "image_size": 64,
        "batch_size": 4,
        "epochs": 2,
        "split_fractions": [0.5, 0.25, 0.25],
        "augmentations": {"crop": 0},
        "ema_decay": 0.5,
        "validate_every": 1,
    }
    return recipe_from(values | changes)


def test_patients_are_dealt_out_as_they_would_be_alone_and_folds_as_they_are_told(data):
    mixture = open_mixture(tiny(), listed(data))
    split = mixture.split(tiny())
    alone = split_by_patient([i.patient for i in LggDataset(data / "lgg").slices()], (0.5, 0.25, 0.25), 2026)
    for part in ("train", "validation", "test"):
        expected = {f"lgg/{patient}" for patient in getattr(alone, part)} | {f"t1ce/{part}"}
        assert set(getattr(split, part)) == expected
    folds = {item.unit: item.image.parts[2] for item in mixture.of("t1ce")}
    assert folds == {"t1ce/train": "fold1", "t1ce/validation": "fold2", "t1ce/test": "fold3"}


def test_slices_are_read_from_their_own_dataset(data):
    mixture = open_mixture(tiny(), listed(data))
    lgg, grey = mixture.of("lgg")[1], mixture.of("t1ce")[0]
    own = LggDataset(data / "lgg").slices()[1]
    assert np.array_equal(mixture.read(lgg)[0], LggDataset(data / "lgg").read(own)[0])
    pixels, labels = mixture.read_labels(grey)
    assert pixels.shape == (64, 64, 3) and (pixels == pixels[..., :1]).all() and labels.any()
    assert mixture.channels == 3 and tuple(mixture.modalities) == ("pre-contrast", "flair", "post-contrast")


def test_what_is_left_out_is_in_no_part(data):
    mixture = open_mixture(tiny(), listed(data, leave_out=["glioma/fold1/*"]))
    assert not [item for item in mixture.slices() if "glioma/fold1" in str(item.image)]
    assert len(mixture.of("t1ce")) == 2 * 3 * 4 - 4


def test_a_channel_that_another_dataset_shows_alone_is_no_stranger(data):
    assert learned_alone(open_mixture(tiny(), listed(data))) == [2]
    assert learned_alone(open_mixture(tiny(), listed(data, sequence=None))) == []


@pytest.mark.parametrize("share", [0.5, 1.0, 2.5])
def test_an_epoch_holds_each_datasets_share(data, tmp_path, share):
    from trainer.training.slices import prepare

    mixture = open_mixture(tiny(), listed(data, share=share))
    slices = prepare(mixture, tiny().preprocessing, tmp_path)
    feed = Feed(tiny(batch_size=2), slices, slices.of(mixture.split(tiny()).train), mixture.shares)
    order = feed.items(0, 0).order
    drawn = [slices.sources[n] for n in order].count("t1ce")
    assert abs(drawn - 8 * share) <= 1  # of 8 slices; the last one may not fill a batch
    assert {slices.units[n] for n in order if slices.sources[n] == "t1ce"} == {"t1ce/train"}


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": "mat"}, "data.t1ce.format"),
        ({"share": 0.0}, "data.t1ce.share"),
        ({"by": "fold"}, "data.t1ce.by"),
        ({"validation": [], "test": []}, "data.t1ce.by"),
        ({"groups": {"kind": "("}}, "data.t1ce.groups.kind"),
        ({"sise": 1}, "data.t1ce.sise"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(data, change, place):
    with pytest.raises(InvalidFields) as raised:
        read_sources(listed(data, **change))
    assert list(raised.value.errors) == [place]


def test_a_file_of_nothing_and_what_is_no_yaml_are_refused(tmp_path):
    for text in ("", "- lgg", "lgg: ["):
        (tmp_path / "sources.yaml").write_text(text)
        with pytest.raises(InvalidFields):
            read_sources(tmp_path / "sources.yaml")


def test_parts_by_path_do_not_tear_a_known_patient_apart(data):
    with pytest.raises(ValueError, match="tear"):
        open_mixture(tiny(), listed(data, by="patient", validation=["*/1.png"], test=["*/2.png"]))


def test_what_goes_with_one_dataset_only_is_refused(data):
    for change in ({"split": "slice"}, {"limit": {"patients": 3}}, {"in_channels": 4}):
        with pytest.raises(InvalidFields):
            open_mixture(tiny(**change), listed(data))


def test_groups_are_told_by_the_path():
    source = ListedDataset("x", groups={"kind": "^([^/]+)/", "fold": r"fold\d"})
    assert source.group_of("kind", PurePosixPath("glioma/fold3/1.png")) == "glioma"
    assert source.group_of("fold", PurePosixPath("glioma/fold3/1.png")) == "fold3"
    assert source.group_of("fold", PurePosixPath("glioma/1.png")) is None


def test_each_dataset_counts_the_same_in_a_validation(data, tmp_path):
    trained = run_training(tiny(epochs=1), Paths(listed(data), tmp_path), CPU, Terminal(1))
    entry = trained.history[-1]
    by_source = entry["validation_dice_by_source"]
    assert by_source.keys() == {"lgg", "t1ce"}
    assert entry["validation_dice"] == pytest.approx(sum(by_source.values()) / 2)


@pytest.mark.slow
def test_a_run_over_two_datasets_makes_a_model_whose_card_has_the_numbers_of_both(data, tmp_path):
    recipe = tiny(epochs=20, learning_rate=3e-3, validate_every=20)
    paths = Paths(listed(data, share=2.0), tmp_path)
    folder = finish(recipe, paths, run_training(recipe, paths, CPU, Terminal(1)), CPU, thorough=False)
    _, card = load_model(folder)
    assert card.metrics["source"] == "lgg"
    assert set(card.metrics["volume_dice"]["as_uploaded"]["per_patient"]) == {
        name for name in card.provenance["split"]["test"] if name.startswith("lgg/")
    }
    grey = card.metrics["sources"]["t1ce"]
    assert (grey["by"], grey["dice"]["patients"]) == ("slice", 8)
    assert {kind: figures["patients"] for kind, figures in grey["groups"]["kind"].items()} == {
        "glioma": 4,
        "meningioma": 4,
    }
    assert grey["dice"]["mean"] > 0.6
    assert card.provenance["sources"]["t1ce"]["share"] == 2.0
    assert "folder" not in card.provenance["sources"]["t1ce"]
    readme = (folder / "README.md").read_text()
    assert "| t1ce | 8 slices |" in readme and "| t1ce: glioma | 4 slices |" in readme


def test_numbers_by_group_are_those_of_their_slices(data):
    from trainer.training.assess import Finding

    mixture = open_mixture(tiny(), listed(data))
    items = [item for item in mixture.of("t1ce") if item.unit == "t1ce/test"]
    found = [
        Finding(item.patient, both=10 * (item.image.parts[1] == "glioma"), found=10, true=10, highest=200,
                confidence=0.8, strangeness=np.zeros(2))
        for item in items
    ]  # fmt: skip
    figures = measured(mixture.sources["t1ce"], items, found, [1.0, 1.0])
    assert figures["groups"]["kind"]["glioma"] == {"patients": 4, "mean": 1.0, "median": 1.0, "sensitivity": 1.0}
    assert figures["groups"]["kind"]["meningioma"]["mean"] == 0.0
    assert figures["dice"]["mean"] == 0.5 and "per_patient" not in figures["dice"]


def test_the_recipe_over_two_datasets_and_its_list_are_sound():
    folder = Path(__file__).resolve().parents[3] / "recipes" / "final"
    assert read_recipe(folder / "brain-mri.yaml").augmentations.other_channel > 0
    parts = read_sources(folder / "brain-mri-data.yaml")["t1ce"]
    paths = [PurePosixPath(f"glioma/fold{fold}/7.png") for fold in (1, 2, 3, 4)]
    assert [parts.part_of(path) for path in paths] == ["train", "train", "validation", "test"]
