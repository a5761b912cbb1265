"""Reading multipart forms: everything that can be wrong with a form itself, before its values are looked at."""

import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import IO, Any, cast

from flask import Request
from werkzeug.formparser import FormDataParser

from service.uploads import Reception, Upload
from shared.contract.errors import BadRequest, InvalidFields

MAX_PARTS = 64
MAX_FIELD_BYTES = (
    512 * 1024
)  # werkzeug counts its reading buffer of 64 kB too, so much less refuses good forms
MAX_NAMED = 20  # wrong names listed in one answer
_REPLACED = "\N{REPLACEMENT CHARACTER}"  # what werkzeug puts for bytes that are not UTF-8


class StrictRequest(Request):
    """A request whose multipart parser says what it could not read; werkzeug's own leaves the form empty."""

    open_upload: Callable[[], Upload] | None = None

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        """Files stay in memory, which MAX_CONTENT_LENGTH bounds: no patient's picture in a temporary folder.

        Where the route takes large ones (`receive_large`), they go to disk.
        """
        return cast(IO[bytes], self.open_upload()) if self.open_upload else io.BytesIO()

    def make_form_data_parser(self) -> FormDataParser:
        return FormDataParser(
            stream_factory=self._get_file_stream,
            max_form_memory_size=self.max_form_memory_size,
            max_content_length=self.max_content_length,
            max_form_parts=self.max_form_parts,
            cls=self.parameter_storage_class,
            silent=False,
        )


@dataclass(frozen=True)
class Form:
    """The text fields and files of a form, each once, and what is wrong by field name."""

    fields: dict[str, str]
    files: dict[str, bytes]
    problems: dict[str, list[str]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)  # files that went to disk

    def refuse_problems(self) -> None:
        """Raise InvalidFields with all that was found wrong, if anything was."""
        if self.problems:
            raise InvalidFields("Some fields are wrong; `errors` names each.", errors=self.problems)


def receive_large(request: Request, reception: Reception, most_bytes: int) -> None:
    """Before the form is read: its files go to disk, and the request may have `most_bytes` (and a little more)."""
    request.max_content_length = most_bytes + MAX_FIELD_BYTES
    cast(StrictRequest, request).open_upload = reception.open


def read_form(request: Request, *, fields: Collection[str], files: Collection[str]) -> Form:
    """Read a multipart form that may hold these text fields and these files, each at most once.

    Raises BadRequest where the body is no readable multipart form; 413 where it is too large.
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
    contents: dict[str, bytes] = {}
    uploads: dict[str, Upload] = {}
    for name in files:
        if name in text:
            problems.setdefault(name, []).append("Must be sent as a file: a part with a filename.")
        if name in binary:
            _once(len(binary.getlist(name)), name, problems)
            stream: Any = binary[name].stream
            if isinstance(stream, Upload):
                uploads[name] = stream
                continue
            contents[name] = stream.getvalue() if isinstance(stream, io.BytesIO) else stream.read()
    for name in fields:
        if name in binary:
            problems.setdefault(name, []).append("Must be sent as text, not as a file.")
    return Form(values, contents, problems, uploads)


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
