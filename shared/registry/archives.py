"""A model as one zip file: written as a stream, and read as what it is until proven otherwise: a stranger's file."""

import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from shared.contract.errors import InvalidFields, ModelUnusable
from shared.registry.learned import LEARNED, MAX_BYTES, parse_learned

CARD, WEIGHTS, README = "card.json", "weights.safetensors", "README.md"
CURVES, HISTORY = "curves.png", "history.json"
MIB = 1024 * 1024
# What an archive may hold, and how much of each beside the weights, whose limit the caller gives.
SMALL = {CARD: MIB, README: MIB, CURVES: 8 * MIB, HISTORY: 8 * MIB, LEARNED: MAX_BYTES}
NAMES = (CARD, WEIGHTS, README, CURVES, HISTORY, LEARNED)
NEEDED = (CARD, WEIGHTS)
# What a worker looks at where a model has it.
BESIDE = (CURVES, HISTORY, LEARNED)
_PIECE = 256 * 1024
_TIME = (1980, 1, 1, 0, 0, 0)  # the same model is the same archive, byte for byte
_END, _END_BYTES = b"PK\x05\x06", 22
_ZIP64, _ZIP64_BYTES = b"PK\x06\x07", 20
_MAX_DIRECTORY = 4096
_PNG = b"\x89PNG\r\n\x1a\n"
_ENCRYPTED = 1


class InvalidModel(InvalidFields):
    """A model archive that cannot be used; `errors` names the file in it."""

    code = "invalid_model"
    title = "The model archive cannot be used"


@dataclass(frozen=True, slots=True)
class Member:
    """One file to be packed; `open` is called when its turn comes."""

    name: str
    open: Callable[[], BinaryIO]


def packed(members: Iterable[Member]) -> Iterator[bytes]:
    """The archive in pieces; stored, because weights hardly get smaller. At no time more than a piece in memory."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for member in members:
            with closing(member.open()) as source, archive.open(_entry(member.name), "w") as target:
                while piece := source.read(_PIECE):
                    target.write(piece)
                    yield pipe.taken()
        yield pipe.taken()
    yield pipe.taken()


def write_archive(folder: Path, path: Path) -> None:
    """Pack a model's folder into a zip file (whole or not at all)."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.writelines(packed(members_of(folder)))
    part.replace(path)


def members_of(folder: Path) -> list[Member]:
    """The files of a model's folder that belong into its archive."""
    return [Member(name, _opens(folder / name)) for name in NAMES if (folder / name).is_file()]


def unpack(file: BinaryIO, folder: Path, max_weights: int) -> None:
    """Write the archive's files into the (empty) folder. Raises InvalidModel, with all that is wrong by file.

    Only the known names are taken, each once and up to its limit, whatever the archive says of their sizes.
    """
    _refuse_large_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _refuse_names([entry.filename for entry in entries])
            problems = {
                entry.filename: wrong
                for entry in entries
                if (wrong := _extract(archive, entry, folder, SMALL.get(entry.filename, max_weights)))
            }
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _invalid("file", f"is not a readable zip file: {error}") from None
    problems |= {name: wrong for name in SMALL if name not in problems and (wrong := _odd(folder / name))}
    if problems:
        raise InvalidModel(
            "The files in the archive cannot be used; `errors` names each.",
            {name: [wrong] for name, wrong in problems.items()},
        )


def _opens(path: Path) -> Callable[[], BinaryIO]:
    return lambda: path.open("rb")


class _Pipe:
    """Takes what the zip writer writes until somebody reads it."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes, /) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing waits further down."""

    def close(self) -> None:
        """Nothing to close: what waits is in memory."""

    def taken(self) -> bytes:
        """All bytes written since the last call; they are forgotten here."""
        data = bytes(self._waiting)
        self._waiting.clear()
        return data


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _TIME)
    entry.external_attr = 0o100644 << 16
    return entry


def _refuse_large_directory(file: BinaryIO) -> None:
    """Look at the end record before zipfile does, which would read a directory of millions of entries."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END_BYTES - _ZIP64_BYTES))
    tail = file.read()
    end = tail[-_END_BYTES:]
    file.seek(0)
    if len(end) < _END_BYTES or not end.startswith(_END) or end[-2:] != b"\0\0":
        raise _invalid("file", "is not a zip file, is cut off, or has a comment.")
    count, directory = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if tail[:-_END_BYTES].startswith(_ZIP64) or directory > _MAX_DIRECTORY or count > len(NAMES):
        raise _invalid("file", f"has more entries than a model: {', '.join(NAMES)}.")


def _refuse_names(names: list[str]) -> None:
    problems = {
        f"{name!r:.80}": [f"Is not a file of a model, which has: {', '.join(NAMES)} (in no folder)."]
        for name in names
        if name not in NAMES
    }
    problems |= {name: ["Is in the archive more than once."] for name in NAMES if names.count(name) > 1}
    problems |= {name: ["Is missing."] for name in NEEDED if name not in names}
    if problems:
        raise InvalidModel("The archive does not hold a model; `errors` names the files.", problems)


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, limit: int) -> str | None:
    """What is wrong with the entry, if anything; else it is written."""
    if entry.flag_bits & _ENCRYPTED:
        return "Is encrypted."
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "Is compressed by an unusual method; use store or deflate."
    left = limit
    try:
        with archive.open(entry) as source, (folder / entry.filename).open("xb") as target:
            while piece := source.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    return f"Has more than {limit} bytes."
                target.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return "Is damaged or cut off (its checksum differs)."
    return None


def _odd(path: Path) -> str | None:
    """What keeps a file from being what its name says; the card is looked at by its own reader."""
    if not path.exists() or path.name == CARD:
        return None
    data = path.read_bytes()
    if path.name == CURVES:
        return None if data.startswith(_PNG) else "Is not a PNG."
    if path.name == LEARNED:
        return _odd_learned(data)
    try:
        text = data.decode("utf-8")
        if path.name == HISTORY:
            json.loads(text)
    except (ValueError, RecursionError):
        return "Is not JSON." if path.name == HISTORY else "Is not UTF-8."
    return None


def _odd_learned(data: bytes) -> str | None:
    try:
        parse_learned(data)
    except ModelUnusable as error:
        return error.detail
    return None


def _invalid(name: str, message: str) -> InvalidModel:
    return InvalidModel(f"The {name} {message}", {name: [message[0].upper() + message[1:]]})
