"""Slices as training sees them: decoded once, scaled by their volume, labels kept apart."""

from pathlib import PurePosixPath

import numpy as np

from shared.datasets.base import SliceFile
from shared.datasets.digest import channel_digests
from shared.preprocessing.preprocess import Preprocessing
from trainer.training.slices import fitted_labels, prepare


class Volumes:
    """Two patients of three slices with four channels, the second twice as bright; three classes."""

    channels, modalities, classes = 4, ("t1", "t1ce", "t2", "flair"), ("a", "b", "c")
    def __init__(self):
        generator = np.random.default_rng(0)
        self.pixels = generator.integers(1, 1000, (3, 32, 32, 4)).astype(np.uint16)
        self.labels = np.zeros((32, 32), np.uint8)
        self.labels[4:12, 4:12], self.labels[12:20, 4:12], self.labels[20:28, 4:12] = 1, 2, 3

    def slices(self):
        return [
            SliceFile(p, n, PurePosixPath(p) / str(n), PurePosixPath(p) / "seg")
            for p in "ab"
            for n in range(3)
        ]

    def read(self, item):
        return self.pixels[item.index] * (1 if item.patient == "a" else 2), self.labels > 0

    def read_labels(self, item):
        return self.read(item)[0], self.labels

    def place_of(self, item):
        return item.image.parent, item.index

    def volume(self, item):
        return self.pixels * (1 if item.patient == "a" else 2)

    def spacing_mm(self, item):
        return None

    def pixel_spacing_mm(self, item):
        return None

    def cohorts(self):
        return {}


def test_brightness_is_that_of_the_patients_volume(tmp_path):
    dataset = Volumes()
    slices = prepare(dataset, Preprocessing(4, 32, "min_max"), tmp_path)
    assert slices.channels == 4
    assert np.array_equal(slices.images_NHWC[:3], slices.images_NHWC[3:])
    volume = dataset.pixels.astype(float)
    low, high = volume.min(axis=(0, 1, 2)), volume.max(axis=(0, 1, 2))
    assert np.abs(slices.images_NHWC[:3] / 255 - (volume - low) / (high - low)).max() <= 0.5 / 255 + 1e-6


def test_several_classes_are_kept_apart_and_one_is_a_mask(tmp_path):
    several = prepare(Volumes(), Preprocessing(4, 32), tmp_path / "several", classes=3)
    assert several.masks_NHW.dtype == np.uint8
    assert np.array_equal(several.masks_NHW[0], Volumes().labels)
    one = prepare(Volumes(), Preprocessing(4, 32), tmp_path / "one")
    assert one.masks_NHW.dtype == bool
    assert np.array_equal(one.masks_NHW[0], Volumes().labels > 0)


def test_a_cache_is_not_used_for_other_classes_or_another_preprocessing(tmp_path):
    made = [
        prepare(Volumes(), Preprocessing(4, size), tmp_path, classes=classes).masks_NHW.shape + (classes,)
        for size, classes in ((32, 1), (32, 3), (64, 3))
    ]
    assert made == [(6, 32, 32, 1), (6, 32, 32, 3), (6, 64, 64, 3)]


def test_pictures_are_known_again(tmp_path):
    dataset = Volumes()
    slices = prepare(dataset, Preprocessing(4, 32), tmp_path)
    digests = slices.digests(np.arange(6))
    assert {*digests} == {d for item in dataset.slices() for d in channel_digests(dataset.read(item)[0])}
    assert len(digests) == 6 * 4


def test_where_classes_meet_there_is_no_hole():
    """Three classes in stripes of one pixel: none fills half of a smaller pixel, and all of it is tumour."""
    labels = np.tile(np.array([1, 2, 3], np.uint8), (96, 32))
    fitted = fitted_labels(Preprocessing(1, 32), labels)
    assert (fitted > 0).all()


def test_a_label_takes_the_pixels_that_it_fills_by_half():
    labels = np.zeros((64, 64), np.uint8)
    labels[:, :33], labels[:, 33:] = 2, 1
    fitted = fitted_labels(Preprocessing(1, 32), labels)
    assert (fitted[:, :16] == 2).all() and (fitted[:, 16:] == 1).all()  # the first label where they are even
