"""Arrays on disk that are written piece by piece."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt


def new_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> np.memmap:
    """A .npy file of this shape, mapped for writing; OSError where the disk has no room for all of it.

    The room is taken at once: writing to a mapped file on a full disk ends the process without an error.
    """
    array: np.memmap = np.lib.format.open_memmap(path, "w+", dtype, shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array
