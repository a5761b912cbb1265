"""How the slices of a dataset are scaled, as serving scales them: a volume as a whole, a picture by itself."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from shared.datasets.base import Dataset, SliceFile
from shared.preprocessing.preprocess import Preprocessing

Change = Callable[[np.ndarray], np.ndarray]


class Changed(Sequence[np.ndarray]):
    """The slices (H, W, C) of a volume, each changed when it is looked at."""

    def __init__(self, slices: Sequence[np.ndarray], change: Change) -> None:
        self._slices, self._change = slices, change

    def __len__(self) -> int:
        return len(self._slices)

    def __getitem__(self, place: Any) -> Any:
        return self._change(self._slices[place])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[place] for place in range(len(self)))


def levels_of(
    preprocessing: Preprocessing,
    dataset: Dataset,
    items: Sequence[SliceFile],
    change: Change = lambda pixels_HWC: pixels_HWC,
) -> Sequence[np.ndarray | None]:
    """What becomes 0 and 1 in each channel of each slice, after `change`; None: the slice says it itself.

    Of a volume all slices count, also those that the dataset does not list, and no other scan of the patient: so it is
    sent. One volume is in memory at a time.
    """
    found: list[np.ndarray | None] = []
    for volume, group in groupby(items, key=lambda item: _volume_of(dataset, item)):
        slices = list(group)
        if volume is None:
            found += [None] * len(slices)
            continue
        levels = preprocessing.levels_by_slice(Changed(dataset.volume(slices[0]), change))
        found += [levels[place[1]] for place in map(dataset.place_of, slices) if place is not None]
    return found


def _volume_of(dataset: Dataset, item: SliceFile) -> Any:
    place = dataset.place_of(item)
    return None if place is None else place[0]
