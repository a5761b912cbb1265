"""Studies in memory and models that answer by heart, to evaluate without a network."""

import hashlib
import weakref
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np

from shared.datasets.base import SliceFile
from shared.datasets.digest import channel_digests
from shared.registry.cards import Label, ModelCard
from shared.registry.learned import Learned, write_learned
from tests.fakes.stored_model import WEIGHTS, stored_card
from trainer.evaluation.evaluate import Tools
from trainer.training.assess import Volume

SIDE = 12


def square(top=2, left=2, height=4, width=4, label=1, side=SIDE):
    """uint8 (side, side): a rectangle of `label`."""
    labels = np.zeros((side, side), np.uint8)
    labels[top : top + height, left : left + width] = label
    return labels


EMPTY = square(height=0)


@dataclass
class Study:
    """A dataset: labels of each patient's slices; the pictures are noise, different in each slice."""

    truths: dict[str, list[np.ndarray]]
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    spacings: dict[str, tuple[float, float, float]] = field(default_factory=dict)
    classes: tuple[str, ...] = ("tumour",)
    truth: str = "masks of the dataset"
    modalities: tuple[str, ...] = ()
    channels: int = 3
    format: str = "fake"

    def slices(self):
        return [
            SliceFile(patient, n, PurePosixPath(f"{patient}/{n}.png"), PurePosixPath(f"{patient}/{n}_m.png"))
            for patient, labels in sorted(self.truths.items())
            for n in range(1, len(labels) + 1)
        ]

    def read(self, item):
        pixels, labels = self.read_labels(item)
        return pixels, labels > 0

    def read_labels(self, item):
        labels = self.truths[item.patient][item.index - 1]
        seed = int.from_bytes(hashlib.sha256(str(item.image).encode()).digest()[:4])
        pixels = np.random.default_rng(seed).integers(1, 255, (*labels.shape, self.channels), np.uint8)
        return pixels, labels

    def place_of(self, item):
        return None

    def volume(self, item):
        return [self.read(item)[0]]

    def spacing_mm(self, item):
        return self.spacings.get(item.patient)

    def pixel_spacing_mm(self, item):
        spacing = self.spacing_mm(item)
        return None if spacing is None else spacing[1:]

    def cohorts(self):
        return self.groups

    def digests(self, *patients):
        return [
            d
            for i in self.slices()
            if i.patient in patients
            for d in sorted(channel_digests(self.read(i)[0]))
        ]


@dataclass
class Ran:
    """An engine's name and its device."""

    name: str
    device: str


@dataclass
class Open:
    """What `assess.served` would give, as far as it is asked."""

    card: ModelCard
    folder: object
    engine: Ran

    @property
    def classes(self):
        return tuple(label.name for label in self.card.labels)


class Answers:
    """Models by their folder: what they find in each patient; `alive` is the most volumes there were at once."""

    def __init__(self, **found):
        self.found, self.flips, self.kept_in, self.alive = found, [], [], 0

    def tools(self, render=lambda result, shown, model: "a report"):
        """With a report of a word: charts take their time."""
        return Tools(self._open, self._volumes, render)

    def _open(self, folder, device, flips, engine, cache_dir):
        self.flips.append(flips)
        self.kept_in.append(cache_dir)
        return Open(ModelCard.load(folder / "card.json"), folder, Ran(f"{engine}-for-{folder.name}", device))

    def _volumes(self, served, dataset, items):
        made = []
        for patient in dict.fromkeys(item.patient for item in items):
            now = sum(made_before() is not None for made_before in made)
            self.alive = max(self.alive, now + 1)
            yield self._volume(served, dataset, [item for item in items if item.patient == patient], made)

    def _volume(self, served, dataset, items, made):
        patient = items[0].patient
        found = [self.found[served.folder.name][patient][item.index - 1] for item in items]
        volume = Volume(
            patient,
            tuple(items),
            tuple(dataset.read_labels(item)[1] for item in items),
            tuple(found),
            tuple(0.9 if labels.any() else 0.1 for labels in found),
            tuple(channel_digests(dataset.read(item)[0]) for item in items),
            dataset.spacing_mm(items[0]),
        )
        made.append(weakref.ref(volume))
        return volume


def model_folder(root, name="model", learned=(), classes=("tumour",), **card):
    """A model's folder with a card; `learned`: digests of what it was trained on, None where that is not recorded."""
    folder = root / name
    folder.mkdir(parents=True)
    labels = [Label(n, text) for n, text in enumerate(classes, start=1)]
    stored_card(name, labels=labels, classes=len(classes), **card).dump(folder / "card.json")
    (folder / "weights.safetensors").write_bytes(WEIGHTS)
    if learned is not None:
        write_learned(folder, Learned(learned))
    return folder
