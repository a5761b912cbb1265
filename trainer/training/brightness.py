"""How the slices of a patient are scaled, as serving scales them: a volume as a whole, pictures as they come."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from shared.datasets.base import Dataset, SliceFile
from shared.preprocessing.preprocess import Preprocessing

Change = Callable[[np.ndarray], np.ndarray]


def levels_of(
    preprocessing: Preprocessing,
    dataset: Dataset,
    items: Sequence[SliceFile],
    change: Change = lambda pixels_HWC: pixels_HWC,
) -> Sequence[np.ndarray | None]:
    """Of each slice of a patient, after `change`: what becomes 0 and 1 in each channel; None: the slice says it itself.

    Goes through the slices once or twice where brightness is that of the volume, one in memory at a time; a reader
    keeps a volume that is a single file.
    """
    slices = _Slices(dataset, items, change)
    if dataset.numbered:
        return preprocessing.levels_by_slice(slices)
    return [preprocessing.levels(slices)] * len(items)


class _Slices(Sequence[np.ndarray]):
    """The pixels (H, W, C) of slices, each read when it is looked at."""

    def __init__(self, dataset: Dataset, items: Sequence[SliceFile], change: Change) -> None:
        self._dataset, self._items, self._change = dataset, items, change

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        return self._change(self._dataset.read(self._items[place])[0])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[place] for place in range(len(self)))
