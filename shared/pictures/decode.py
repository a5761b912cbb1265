"""The one way from uploaded bytes to a picture: sniff, refuse by name or hand to the format's reader."""

import struct
import zlib
from collections.abc import Callable

import cv2
from PIL import Image

from shared.contract.errors import EmptyImage, ImageError, TooManyPixels, UndecodableImage, UnsupportedFormat
from shared.files.sniff import HEAD_BYTES, sniff
from shared.pictures import jpeg_reader, png_reader
from shared.pictures.picture import DecodeLimits, Picture
from shared.pictures.tiff import reader as tiff_reader

Reader = Callable[[bytes, DecodeLimits], Picture]

READERS: dict[str, Reader] = {"PNG": png_reader.read, "JPEG": jpeg_reader.read, "TIFF": tiff_reader.read}
DEFAULT_LIMITS = DecodeLimits()

_VOLUMES = {"DICOM", "NIfTI"}
_TAKEN = "send an MRI slice as PNG, JPEG or TIFF (8 or 16 bit, grey or RGB)"
_PHRASES = {
    "text": "This is text, not an image",
    "program": "This is a program, not an image",
    "gzip": "This is a gzip archive, not an image",
    "ZIP": "This is a ZIP archive, not an image",
    "tar": "This is a tar archive, not an image",
    "7z": "This is a 7z archive, not an image",
    "RAR": "This is a RAR archive, not an image",
    "MP4": "This is a video, not an image",
    "PDF": "This is a PDF document, not an image",
    "unknown": "This file is in no image format that is known here",
}
# What the decoders themselves raise on broken content; anything else would be a mistake of ours.
DECODER_ERRORS = (
    OSError, ValueError, SyntaxError, EOFError, IndexError, OverflowError, struct.error, zlib.error, cv2.error,
)  # fmt: skip


def decode(data: bytes, limits: DecodeLimits = DEFAULT_LIMITS) -> Picture:
    """A file's bytes -> Picture. Raises subclasses of ImageError with a sentence that a person understands.

    Thread safe, reads and writes no file, and checks the header's size before anything is decoded.
    """
    name = sniff(data[:HEAD_BYTES])
    reader = READERS.get(name)
    if reader is None:
        raise refusal(name)
    try:
        return reader(data, limits)
    except ImageError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        raise TooManyPixels(f"The {name} image needs more memory than there is to decode it.") from error
    except DECODER_ERRORS as error:
        raise UndecodableImage(f"The {name} image is damaged or cut short and cannot be decoded.") from error


def refusal(name: str, taken: str = _TAKEN) -> ImageError:
    """The error for a format of this name (as `sniff` calls it) that has no reader; `taken` says what to send."""
    if name == "empty":
        return EmptyImage("The file is empty (0 bytes).")
    if name in _VOLUMES:
        return UnsupportedFormat(f"{name} is not taken here; {taken}.")
    return UnsupportedFormat(f"{_PHRASES.get(name, f'{name} images are not taken')}; {taken}.")
