"""What was sent: one picture, or a volume. Told by content, never by name, and no name is repeated."""

import mmap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.web.uploads import Upload, Watch
from shared.contract.errors import FieldErrors, InvalidFields, PayloadTooLarge, UnsafeFile
from shared.datasets.brats_names import MODALITIES
from shared.files.sniff import PROGRAMS, sniff
from shared.files.system_files import is_system_file
from shared.files.zip_checks import ArchiveLimits, check, of_volume
from shared.pictures.decode import refusal
from shared.volumes.tiff_stack import pages

MAX_FILES = 4096
IMAGE = "image"
OF_MODALITIES = {f"modality_{name}": name for name in MODALITIES}
FILE_FIELDS = (IMAGE, *OF_MODALITIES)

_STACK = "TIFF stack"
_PICTURES = frozenset({"PNG", "JPEG", "TIFF"})
_VOLUMES = {
    "DICOM": "DICOM",
    "NIfTI": "NIfTI",
    _STACK: "TIFF",
    "ZIP": None,
}  # and their format, where it is known
_MAY_HOLD_ALL = frozenset({"NIfTI", "ZIP"})
_MAY_BE_LARGE = frozenset({"DICOM", "NIfTI", "TIFF", "ZIP"})
TAKEN = (
    "send an MRI slice as PNG, JPEG or TIFF (8 or 16 bit, grey or RGB), or a volume: the files of a DICOM series, a zip"
    " of them, a NIfTI file or a multi-page TIFF"
)


@dataclass(frozen=True)
class Limits:
    """Bytes of a picture, and of all files of a volume."""

    picture_bytes: int
    volume_bytes: int

    @property
    def archive(self) -> ArchiveLimits:
        """Of a zip that holds a volume."""
        return of_volume(self.volume_bytes)


@dataclass(frozen=True)
class Sent:
    """The files of a form: one `picture`, or a volume's by `image` or by modality, in the order of the form."""

    picture: Upload | None = None
    files: Mapping[str, Sequence[Upload]] = field(default_factory=dict)
    format: str | None = None  # None where only a worker can tell
    may_hold_all: bool = False  # all modalities in one file

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that were sent in fields of their own."""
        return tuple(name for name in self.files if name != IMAGE)


def refuse_large_pictures(limits: Limits) -> Watch:
    """413 as soon as more has arrived than a file of its kind may have; only the whole request limits volumes."""

    def watch(upload: Upload) -> None:
        if upload.bytes > limits.picture_bytes and sniff(upload.head) not in _MAY_BE_LARGE:
            raise _too_large(limits)

    return watch


def sort_files(uploads: Mapping[str, Sequence[Upload]], limits: Limits) -> Sent:
    """The files of a form by field. Raises InvalidFields on fields, ImageError, PayloadTooLarge."""
    sent = {name: _without_system_files(uploads[name]) for name in FILE_FIELDS if name in uploads}
    kinds: dict[str, str] = {}
    problems = {**_of_fields(sent)}
    if not problems:
        for name, files in sent.items():
            try:
                kinds[name] = _kind_of_field(name, files, limits)
            except InvalidFields as error:
                problems.update(error.errors or {})
    if problems:
        raise InvalidFields(errors=problems)
    if kinds.get(IMAGE) in _PICTURES:
        return Sent(picture=sent[IMAGE][0])
    if sum(file.bytes for files in sent.values() for file in files) > limits.volume_bytes:
        raise PayloadTooLarge(f"A volume may have {limits.volume_bytes} bytes in all.")
    formats = {_VOLUMES[kind] for kind in kinds.values()}
    return Sent(
        files={OF_MODALITIES.get(name, name): files for name, files in sent.items()},
        format=formats.pop() if len(formats) == 1 else None,
        may_hold_all=kinds.get(IMAGE) in _MAY_HOLD_ALL,
    )


def _without_system_files(files: Sequence[Upload]) -> Sequence[Upload]:
    """What a person meant to send; where there is nothing else, what was sent, to be refused by name."""
    return [file for file in files if not is_system_file(file.head)] or files


def _of_fields(sent: Mapping[str, Sequence[Upload]]) -> FieldErrors:
    if not sent:
        return {IMAGE: ["Is missing: send the file in this field."]}
    if IMAGE in sent and len(sent) > 1:
        return {IMAGE: ["Send either this field, or those of modalities."]}
    if sum(map(len, sent.values())) > MAX_FILES:
        return {name: [f"At most {MAX_FILES} files are taken in a request."] for name in sent}
    return {}


def _kind_of_field(name: str, files: Sequence[Upload], limits: Limits) -> str:
    """What the files of a field are together: one of `_PICTURES` or `_VOLUMES`."""
    if len(files) > 1:
        return _kind_of_series(name, files)
    kind = _kind_of_file(files[0], limits)
    if kind in _PICTURES and name != IMAGE:
        raise InvalidFields(errors={name: [f"A picture ({kind}) is not taken here; send a volume."]})
    return kind


def _kind_of_series(name: str, files: Sequence[Upload]) -> str:
    kinds = [sniff(file.head) for file in files]
    if set(kinds) <= _PICTURES:
        raise InvalidFields(errors={name: ["Send one picture a request, or the files of a DICOM series."]})
    for number, (file, kind) in enumerate(zip(files, kinds, strict=True), 1):
        where = f"file {number} of {len(files)}"
        if kind != "DICOM":
            what = {"empty": "is empty", "unknown": "is not"}.get(kind, f"is {kind}")
            message = f"Several files in one field must all be DICOM images of a series; {where} {what}."
            raise InvalidFields(errors={name: [message]})
        _refuse_programs(file, f"The DICOM {where}")
    return "DICOM"


def _kind_of_file(file: Upload, limits: Limits) -> str:
    kind = sniff(file.head)
    if kind == "DICOM":
        _refuse_programs(file, "This DICOM file")
    elif kind == "TIFF":
        kind = _STACK if _pages(file) > 1 else kind
        if kind == "TIFF" and file.bytes > limits.picture_bytes:
            raise _too_large(limits)
    elif kind == "ZIP":
        with file.open() as archive:
            check(archive, limits.archive, of_patients=True)
    elif kind not in _PICTURES and kind not in _VOLUMES:
        raise refusal(kind, TAKEN)
    return kind


def _refuse_programs(file: Upload, what: str) -> None:
    if file.head.startswith(PROGRAMS):
        raise UnsafeFile(f"{what} begins like a program, so that a computer may run it; it is not taken.")


def _pages(file: Upload) -> int:
    """Of a TIFF; a large one is looked at where it lies."""
    if not file.on_disk:
        return pages(file.data())
    with file.open() as opened:
        # Not closed by hand: an error that is on its way may still look into it.
        return pages(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))


def _too_large(limits: Limits) -> PayloadTooLarge:
    return PayloadTooLarge(
        f"A picture may have at most {limits.picture_bytes} bytes, and this file, which is no volume, has more."
    )
