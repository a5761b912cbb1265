"""Reading multipart forms: everything that can be wrong with a form itself, before its values are looked at."""

import io
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import IO, Any, cast

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from service.web.uploads import Reception, Upload
from shared.contract.errors import BadRequest, InvalidFields

MAX_PARTS = 64
MAX_FIELD_BYTES = (
    512 * 1024
)  # werkzeug counts its reading buffer of 64 kB too, so much less refuses good forms
# Names, headers and text fields of a form in all: they stay in memory, whatever the files may have.
MAX_AROUND_FILES = 8 * 1024 * 1024
MAX_NAMED = 20  # wrong names listed in one answer
_REPLACED = "\N{REPLACEMENT CHARACTER}"  # what werkzeug puts for bytes that are not UTF-8


class StrictRequest(Request):
    """A request whose multipart parser says what it could not read; werkzeug's own leaves the form empty."""

    reception: Reception | None = None

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        """Where a route takes files it has a place for them (`receive`); else they stay in memory, which
        MAX_CONTENT_LENGTH bounds: no patient's picture in a temporary folder.
        """
        return cast(IO[bytes], self.reception.open()) if self.reception else io.BytesIO()

    def make_form_data_parser(self) -> FormDataParser:
        return _Parser(
            self.reception,
            stream_factory=self._get_file_stream,
            max_form_memory_size=self.max_form_memory_size,
            max_content_length=self.max_content_length,
            max_form_parts=self.max_form_parts,
            cls=self.parameter_storage_class,
            silent=False,
        )


class _Parser(FormDataParser):
    """Watches over what comes beside the files, which alone may be large."""

    def __init__(self, reception: Reception | None, **options: Any) -> None:
        super().__init__(**options)
        self._reception = reception

    def parse(self, stream: IO[bytes], *args: Any, **kwargs: Any) -> Any:
        if self._reception is not None:
            stream = cast(IO[bytes], _Watched(stream, self._reception))
        return super().parse(stream, *args, **kwargs)


class _Watched:
    def __init__(self, stream: IO[bytes], reception: Reception) -> None:
        self._stream, self._reception, self._bytes = stream, reception, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._bytes += len(data)
        if self._bytes - self._reception.bytes > MAX_AROUND_FILES:
            raise RequestEntityTooLarge
        return data


@dataclass(frozen=True)
class Form:
    """The text fields of a form, each once, its files by field, and what is wrong by field name."""

    fields: dict[str, str]
    files: dict[str, list[Upload]]
    problems: dict[str, list[str]] = field(default_factory=dict)

    def refuse_problems(self) -> None:
        """Raise InvalidFields with all that was found wrong, if anything was."""
        if self.problems:
            raise InvalidFields("Some fields are wrong; `errors` names each.", errors=self.problems)


def receive(request: Request, reception: Reception, most_bytes: int, most_parts: int = MAX_PARTS) -> None:
    """Before the form is read: where its files go, and what they may have in all."""
    request.max_content_length = most_bytes + MAX_FIELD_BYTES
    request.max_form_parts = most_parts
    cast(StrictRequest, request).reception = reception


def read_form(
    request: Request, *, fields: Collection[str], files: Collection[str], several: bool = False
) -> Form:
    """Read a multipart form that may hold these text fields, each at most once, and these files, or `several` of each.

    After `receive`. Raises BadRequest where the body is no readable multipart form; 413 where it is too large.
    """
    if request.mimetype != "multipart/form-data":
        raise BadRequest(
            "Send multipart/form-data, for example with `curl -F image=@slice.png`; "
            + (f"this was {_shown(request.mimetype)}." if request.mimetype else "no Content-Type was given.")
        )
    if not request.content_length and "Transfer-Encoding" not in request.headers:
        raise BadRequest("The body is empty; send the file in a multipart form.")
    try:
        text, binary = request.form, request.files
    except (ValueError, UnicodeError) as error:
        raise BadRequest("The body is not a readable multipart form: " + _reason(error)) from None
    problems: dict[str, list[str]] = {}
    for name in [*text.keys(), *binary.keys()]:
        if name not in fields and name not in files and len(problems) < MAX_NAMED:
            problems[_shown(name)] = [f"Not a field of this form, which has: {', '.join([*files, *fields])}."]
    values = {name: _text(text.getlist(name), name, problems) for name in fields if name in text}
    uploads: dict[str, list[Upload]] = {}
    for name in files:
        if name in text:
            problems.setdefault(name, []).append("Must be sent as a file: a part with a filename.")
        sent = [_upload(file) for file in binary.getlist(name) if not _nothing_chosen(file)]
        if sent:
            uploads[name] = sent
            if not several:
                _once(len(sent), name, problems)
    for name in fields:
        if name in binary:
            problems.setdefault(name, []).append("Must be sent as text, not as a file.")
    return Form(values, uploads, problems)


def _upload(file: FileStorage) -> Upload:
    stream: Any = file.stream
    if not isinstance(stream, Upload):
        raise TypeError("read_form comes after receive")
    return stream


def _nothing_chosen(file: FileStorage) -> bool:
    """A browser sends a file field that the user left alone: without a name, and empty."""
    return not file.filename and not _upload(file).bytes


def _text(values: list[str], name: str, problems: dict[str, list[str]]) -> str:
    _once(len(values), name, problems)
    if _REPLACED in values[0]:
        problems.setdefault(name, []).append("Is not valid UTF-8.")
    return values[0].strip()


def _once(count: int, name: str, problems: dict[str, list[str]]) -> None:
    if count > 1:
        problems.setdefault(name, []).append(f"Sent {count} times; send it once.")


def _shown(name: str) -> str:
    """A name of the client's making, short and printable enough to be shown back."""
    short = name[:60] + ("…" if len(name) > 60 else "")
    return "".join(letter if letter.isprintable() else "?" for letter in short) or "(no name)"


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "a name in it is not UTF-8."
    return "the boundary is missing." if "oundary" in str(error) else "it ends too early or is malformed."
