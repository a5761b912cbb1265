"""The header of a safetensors file, read without torch and believed only where all of it adds up.

Format: 8 bytes with the header's length (little endian), the header as JSON, then the tensors, one after another.
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any, BinaryIO, NoReturn

MAX_HEADER_BYTES = 4 * 1024 * 1024
MAX_DIMENSIONS = 8
MAX_SIDE = 2**40
# Bytes of a value.
DTYPES = {
    "BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "I32": 4, "I64": 8, "F16": 2, "BF16": 2, "F32": 4, "F64": 8,
}  # fmt: skip
_FIELDS = {"dtype", "shape", "data_offsets"}


class InvalidWeights(ValueError):
    """Not a safetensors file that may be loaded; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """One tensor: its type as safetensors names it, and where its bytes lie after the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(file: BinaryIO, size: int) -> dict[str, TensorEntry]:
    """The tensors by name; `size` is the file's, in bytes. Raises InvalidWeights."""
    prefix = file.read(8)
    length = int.from_bytes(prefix, "little")
    if len(prefix) < 8 or not 2 <= length <= size - 8:
        raise InvalidWeights("it is no safetensors file, or it ends too early")
    if length > MAX_HEADER_BYTES:
        raise InvalidWeights(f"its header has {length} bytes; at most {MAX_HEADER_BYTES} are read")
    tensors = {name: _entry(name, entry) for name, entry in _parse(file.read(length)).items()}
    _refuse_gaps(tensors, size - 8 - length)
    return tensors


def _parse(data: bytes) -> dict[str, Any]:
    """The header's object without its metadata."""
    try:
        header = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except InvalidWeights:
        raise
    except (ValueError, RecursionError):
        raise InvalidWeights("its header is not JSON") from None
    if not data.startswith(b"{") or not isinstance(header, dict):
        raise InvalidWeights("its header is not a JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise InvalidWeights("its metadata is not texts by name")
    if not header:
        raise InvalidWeights("it holds no tensor")
    return header


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidWeights("its header has a name twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise InvalidWeights(f"its header holds {name}, which is not JSON")


def _entry(name: str, entry: Any) -> TensorEntry:
    shown = repr(name[:80])
    if not isinstance(entry, dict) or entry.keys() != _FIELDS:
        raise InvalidWeights(f"the entry of {shown} has not just dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise InvalidWeights(f"{shown} is of the type {dtype!r:.40}; known are: {', '.join(DTYPES)}")
    if not _sizes(shape) or len(shape) > MAX_DIMENSIONS:
        raise InvalidWeights(f"the shape of {shown} is not a list of at most {MAX_DIMENSIONS} sizes")
    if not _sizes(offsets) or len(offsets) != 2:
        raise InvalidWeights(f"the offsets of {shown} are not two positions")
    begin, end = offsets
    if end - begin != prod(shape) * DTYPES[dtype]:
        raise InvalidWeights(f"{shown} has {end - begin} bytes, which do not fit its type and shape")
    return TensorEntry(dtype, tuple(shape), begin, end)


def _sizes(values: Any) -> bool:
    """Whole numbers from 0 to what no file reaches; a bool is none."""
    return isinstance(values, list) and all(type(v) is int and 0 <= v <= MAX_SIDE for v in values)


def _refuse_gaps(tensors: dict[str, TensorEntry], size: int) -> None:
    """The tensors must fill what follows the header: no overlap, no gap, nothing behind them."""
    places = sorted((tensor.begin, tensor.end) for tensor in tensors.values())
    if places[0][0] != 0 or any(before[1] != after[0] for before, after in pairwise(places)):
        raise InvalidWeights("its tensors overlap or leave gaps")
    if places[-1][1] != size:
        raise InvalidWeights(f"its tensors take {places[-1][1]} bytes, and {size} follow the header")
