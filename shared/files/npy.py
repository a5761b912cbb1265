"""Arrays as .npy bytes, for the file store and for Redis; never pickled objects."""

import io
import math
from functools import lru_cache
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_HEAD = 10  # magic, version and the length of the header, in version 1.0


def to_npy(array: npt.NDArray[np.generic]) -> bytes:
    """The bytes of a .npy file, C order."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    return stream.getvalue()


def from_npy(data: bytes) -> npt.NDArray[np.generic]:
    """The array of a .npy file, read-only, where it lies in `data`; ValueError if it is broken or holds objects."""
    start = _HEAD + int.from_bytes(data[_HEAD - 2 : _HEAD], "little")
    shape, fortran_order, dtype = _header(data[:start])
    if dtype.hasobject:
        raise ValueError("the array holds objects")
    count = math.prod(shape)
    array = np.frombuffer(data, dtype, count, offset=start)
    return array.reshape(shape, order="F" if fortran_order else "C")


def item_of_npy(file: BinaryIO, index: int) -> npt.NDArray[np.generic]:
    """Item `index` of the first axis of a .npy file in C order; nothing else of it is read.

    IndexError beyond its end, ValueError if the file is broken, in Fortran order or holds objects.
    """
    head = file.read(_HEAD)
    shape, fortran_order, dtype = _header(head + file.read(int.from_bytes(head[_HEAD - 2 :], "little")))
    if dtype.hasobject or fortran_order:
        raise ValueError("the array is not one of plain numbers in C order")
    if not 0 <= index < shape[0]:
        raise IndexError(f"item {index} of {shape[0]}")
    count = math.prod(shape[1:])
    file.seek(index * count * dtype.itemsize, io.SEEK_CUR)
    return np.frombuffer(file.read(count * dtype.itemsize), dtype, count).reshape(shape[1:])


@lru_cache(maxsize=256)  # numpy parses it as Python; pictures of one size have the same
def _header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    stream = io.BytesIO(head)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("not a version 1.0 .npy file")
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = np.lib.format.read_array_header_1_0(stream)
    return header
