"""One DICOM file: its header as a pydicom Dataset, and where its pixels lie. Nothing is inflated or decoded here."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import UID

from shared.contract.errors import (
    EmptyImage,
    UndecodableImage,
    UnsafeFile,
    UnsupportedFormat,
    UnsupportedTransferSyntax,
    WrongModality,
)
from shared.files.sniff import HEAD_BYTES, PROGRAMS, sniff
from trainer.volumes.dicom.values import quiet, refusing, text

IMPLICIT, EXPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
NATIVE = frozenset((IMPLICIT, EXPLICIT, BIG_ENDIAN))
TRANSFER_SYNTAXES: dict[str, str] = {
    IMPLICIT: "Implicit VR Little Endian",
    EXPLICIT: "Explicit VR Little Endian",
    BIG_ENDIAN: "Explicit VR Big Endian",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline (8 bit, lossy)",
    "1.2.840.10008.1.2.4.51": "JPEG Extended (8 and 12 bit, lossy)",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, Selection Value 1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-Lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
}
LOSSY = frozenset(f"1.2.840.10008.1.2.4.{last}" for last in (50, 51, 81, 91))

_DICOMDIR = "1.2.840.10008.1.3.10"
_MR_IMAGES = frozenset(f"1.2.840.10008.5.1.4.1.1.4{last}" for last in ("", ".1", ".3", ".4"))
# Those that errors name; anything else in the attribute could be a word that does not belong there.
_MODALITIES = frozenset(
    ("CR", "CT", "DOC", "DX", "ECG", "KO", "MG", "NM", "OT", "PR", "PT", "PX", "REG", "RTDOSE", "RTIMAGE")
    + ("RTPLAN", "RTSTRUCT", "SC", "SEG", "SM", "SR", "US", "XA")
)
_PIXELS = {0x7FE00010: "PixelData", 0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData"}
# What a header may cost. An enhanced MR of 4,000 frames with a scanner's private attributes stays below.
_MAX_HEADER_BYTES = 64 << 20
_MAX_ITEMS = 100_000  # of sequences: each becomes an object of a kilobyte
_MAX_READS = 1_500_000  # every element takes two
_ITEMS = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # their tag, little and big endian
_SHORT = 8192  # the parser looks for delimiters in steps of this; such reads may meet the end of the file
_UNDEFINED = 0xFFFFFFFF
_Stop = Callable[[BaseTag, str | None, int], bool]  # tag, value representation, length


@dataclass(frozen=True)
class PixelElement:
    """The element with the pixels: where its value begins in the file, how long it is (None: in fragments), its VR."""

    offset: int
    length: int | None
    vr: str


@dataclass(frozen=True)
class DicomFile:
    """A header without its pixels, of a transfer syntax that is read. `name` is how errors speak of the file.

    `extended_offsets` are the bytes of the Extended Offset Table, taken out of `dataset` with its lengths.
    """

    path: Path
    name: str
    size: int
    dataset: Dataset
    syntax: str
    pixels: PixelElement
    extended_offsets: bytes | None = None


class _Bounded:
    """A file for pydicom's parser that refuses lengths beyond its end, and headers without end."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self._file, self._size = file, size
        self._bytes_left, self._reads_left, self._items_left = _MAX_HEADER_BYTES, _MAX_READS, _MAX_ITEMS
        self.tell, self.seek = file.tell, file.seek

    def read(self, length: int = -1) -> bytes:
        if length < 0 or (length > _SHORT and self._file.tell() + length > self._size):
            raise ValueError("longer than the file")
        self._bytes_left -= length
        self._reads_left -= 1
        if self._bytes_left < 0:
            raise ValueError("more header than any image has")
        data = self._file.read(length)
        self._items_left -= data[:4] in _ITEMS
        if min(self._reads_left, self._items_left) < 0:
            raise ValueError("more elements than any image has")
        return data


def read_file(path: Path, name: str = "The file") -> DicomFile | None:
    """The file's header, and where its pixels are; None for a DICOMDIR, which only lists other files.

    Raises EmptyImage, UnsupportedFormat (not DICOM), UnsafeFile, UnsupportedTransferSyntax, WrongModality (not MR,
    or without pixels), UndecodableImage.
    """
    with path.open("rb") as file, quiet(), refusing(f"{name} is damaged: its DICOM header cannot be read."):
        size = os.fstat(file.fileno()).st_size
        meta_at = _begin(file.read(HEAD_BYTES), name)
        bounded = _Bounded(file, size)
        bounded.seek(meta_at)
        meta = FileMetaDataset(_parsed(bounded, False, True, lambda tag, *_: tag >> 16 != 2))
        if meta.get("MediaStorageSOPClassUID") == _DICOMDIR:
            return None
        syntax = _syntax(meta, file, name)
        dataset, found = _parse(bounded, syntax)
        dataset.file_meta = meta
        if dataset.get("SOPClassUID") == _DICOMDIR:
            return None
        pixels = _checked(dataset, found, name)
        extended = dataset.get("ExtendedOffsetTable")
        for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
            dataset.pop(keyword, None)
        return DicomFile(path, name, size, dataset, syntax, pixels, extended)


def _begin(head: bytes, name: str) -> int:
    """Where the file meta information begins, or the data set of a file without it."""
    if not head:
        raise EmptyImage(f"{name} is empty (0 bytes).")
    has_preamble = head.startswith(b"DICM", 128)
    if not has_preamble and sniff(head) != "DICOM":
        raise UnsupportedFormat(f"{name} is not DICOM.")
    if has_preamble and head.startswith(PROGRAMS):
        raise UnsafeFile(f"{name} begins like a program, and is DICOM only after that.")
    return 132 if has_preamble else 0


def _syntax(meta: FileMetaDataset, file: BufferedReader, name: str) -> str:
    """The UID of the transfer syntax; of a file that does not say it, explicit or implicit little endian."""
    syntax = str(meta.get("TransferSyntaxUID") or "").strip(" \0")
    if not syntax:
        at = file.tell()
        vr = file.read(6)[4:]
        file.seek(at)
        return EXPLICIT if vr.isalpha() and vr.isupper() else IMPLICIT
    if syntax not in TRANSFER_SYNTAXES:
        public = UID(syntax)
        known = f"as {public.name}" if public.type == "Transfer Syntax" else "in a way without a public name"
        raise UnsupportedTransferSyntax(f"{name} is encoded {known}, which is not read.")
    return syntax


def _parsed(bounded: _Bounded, implicit: bool, little: bool, stop_when: _Stop) -> Dataset:
    return read_dataset(cast(BinaryIO, bounded), implicit, little, stop_when=stop_when)


def _parse(bounded: _Bounded, syntax: str) -> tuple[Dataset, tuple[str, PixelElement] | None]:
    """The data set up to its pixels, and which element holds these."""
    found: list[tuple[str, PixelElement]] = []

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        if tag not in _PIXELS:
            return False
        known = None if length == _UNDEFINED else length
        found.append((_PIXELS[tag], PixelElement(bounded.tell(), known, vr or "OW")))
        return True

    dataset = _parsed(bounded, syntax == IMPLICIT, syntax != BIG_ENDIAN, at_pixels)
    item = _ITEMS[syntax == BIG_ENDIAN]
    raw = (getattr(element, "value", None) for element in dataset.elements())
    if sum(value.count(item) for value in raw if isinstance(value, bytes)) > _MAX_ITEMS:
        raise ValueError("more items than any image has")
    return dataset, found[-1] if found else None


def _checked(dataset: Dataset, found: tuple[str, PixelElement] | None, name: str) -> PixelElement:
    """The pixels of an MR image of whole numbers."""
    modality = text(dataset, "Modality")
    is_image = "BitsAllocated" in dataset or text(dataset, "SOPClassUID") in _MR_IMAGES
    if found is None and (not modality or (modality == "MR" and is_image)):
        raise UndecodableImage(f"{name} is cut short or damaged: its pixels are missing.")
    if modality != "MR":
        known = f" (modality {modality})" if modality in _MODALITIES else ""
        raise WrongModality(f"{name} is not an MR image{known}.")
    if found is None:
        raise WrongModality(f"{name} holds no image but another kind of DICOM object.")
    if found[0] != "PixelData":
        raise UnsupportedFormat(f"{name} holds floating-point pixels; 8 and 16 bit whole numbers are read.")
    return found[1]
