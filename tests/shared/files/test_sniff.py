import gzip
import struct

import pytest

from shared.files.sniff import HEAD_BYTES, sniff
from tests.fakes import images


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (images.png(images.picture()), "PNG"),
        (images.jpeg(images.picture()), "JPEG"),
        (images.tiff(images.picture()), "TIFF"),
        (images.tiff(images.picture(), byteorder=">"), "TIFF"),
        (images.tiff(images.picture(), bigtiff=True), "TIFF"),
        (images.tiff(images.picture(), bigtiff=True, byteorder=">"), "TIFF"),
        (b"", "empty"),
    ],
)
def test_a_format_is_told_by_its_first_bytes(data, name):
    assert sniff(data[:HEAD_BYTES]) == name


@pytest.mark.parametrize(
    ("name", "data"), [item for item in images.foreign_files().items() if item[0] != "known"]
)
def test_foreign_formats_have_names(name, data):
    assert sniff(data[:HEAD_BYTES]) == name


def test_nifti_is_found_inside_gzip_without_unpacking_it_all():
    assert sniff(gzip.compress(images.nifti())[:HEAD_BYTES]) == "NIfTI"
    assert sniff(gzip.compress(bytes(50_000_000))[:HEAD_BYTES]) == "gzip"


def test_broken_gzip_is_still_gzip():
    assert sniff(b"\x1f\x8b\x08" + b"\xff" * 100) == "gzip"
    assert sniff(b"\x1f\x8b") == "gzip"


def test_nifti_2_and_the_two_file_form_are_found():
    header = bytearray(540)
    struct.pack_into("<i8s", header, 0, 540, b"n+2\0\r\n\x1a\n")
    assert sniff(bytes(header)) == "NIfTI"
    two_files = bytearray(images.nifti())
    two_files[344:348] = b"ni1\0"
    assert sniff(bytes(two_files)) == "NIfTI"


@pytest.mark.parametrize(
    "head",
    [
        b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100\x08\x00\x08\x00CS",  # explicit value representation
        b"\x02\x00\x00\x00UL\x04\x00\xc2\x00\x00\x00\x02\x00\x01\x00OB",  # file meta group
        b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100\x08\x00\x08\x00",  # implicit
    ],
)
def test_dicom_without_its_preamble_is_found(head):
    assert sniff(head) == "DICOM"


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True])
def test_dicom_with_the_header_of_a_tiff_in_its_preamble_is_dicom(byteorder, bigtiff):
    tiff = images.tiff(images.picture(), byteorder=byteorder, bigtiff=bigtiff)
    assert sniff(tiff[:128] + b"DICM" + tiff[132:HEAD_BYTES]) == "DICOM"


@pytest.mark.parametrize(
    "text",
    [
        b"BM is how this note begins, and it is no bitmap",
        "Größe der Läsion: 12 mm".encode(),
        "Größe der Läsion: 12 mm".encode("latin-1"),
        "Größe".encode("utf-16"),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        ("ä" * 3000).encode()[: HEAD_BYTES - 1],  # cut inside a letter
    ],
)
def test_text_is_called_text(text):
    assert sniff(text[:HEAD_BYTES]) == "text"


def test_noise_is_unknown():
    assert sniff(bytes(range(256))) == "unknown"
    assert sniff(b"\x00") == "unknown"
