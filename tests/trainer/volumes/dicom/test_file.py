import logging
import struct
import warnings
import zlib

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from shared.contract.errors import (
    EmptyImage,
    UndecodableImage,
    UnsafeFile,
    UnsupportedFormat,
    UnsupportedTransferSyntax,
    WrongModality,
)
from tests.fakes import dicom
from trainer.volumes.dicom.file import TRANSFER_SYNTAXES, read_file

META_AT = 132


@pytest.fixture
def read(tmp_path):
    def read_bytes(data, name="File 12 of 70"):
        path = tmp_path / "file"
        path.write_bytes(data)
        return read_file(path, name)

    return read_bytes


def one(**attributes):
    return dicom.series(dicom.head((1, 24, 20)), **attributes)[0]


def element(group, number, vr, value):
    """Explicit little endian."""
    length = (
        struct.pack("<HI", 0, len(value))
        if vr in (b"OB", b"SQ", b"UN", b"OW")
        else struct.pack("<H", len(value))
    )
    return struct.pack("<HH", group, number) + vr + length + value


def without_meta(data):
    """The data set alone; group 0002 says itself how long it is."""
    return data[META_AT + 12 + struct.unpack_from("<I", data, META_AT + 8)[0] :]


@pytest.mark.parametrize("syntax", dicom.NATIVE)
def test_a_file_is_read_up_to_its_pixels(read, syntax):
    got = read(dicom.as_bytes(one(), syntax))
    assert got.syntax == syntax
    assert got.dataset.PatientID == "FAKE-1"
    assert "PixelData" not in got.dataset
    assert got.pixels.length == 24 * 20 * 2
    assert got.size == got.pixels.offset + got.pixels.length


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
def test_a_file_without_preamble_or_meta_information_is_read(read, syntax):
    data = dicom.as_bytes(one(), syntax)
    assert read(data[META_AT:]).syntax == syntax
    assert read(without_meta(data)).syntax == syntax
    assert read(without_meta(data)).dataset.Rows == 24


@pytest.mark.parametrize(
    "start", [b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!/bin/sh\n"]
)
def test_a_file_that_is_a_program_as_well_is_refused(read, start):
    with pytest.raises(UnsafeFile):
        read(start + dicom.as_bytes(one())[len(start) :])


def test_other_preambles_are_taken(read):
    assert read(b"II*\0" + dicom.as_bytes(one())[4:]).dataset.Rows == 24


@pytest.mark.parametrize(
    "data", [b"hello\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(300), bytes(300), b"MZ\x90\0" + bytes(300)]
)
def test_what_is_not_dicom_is_refused_by_number(read, data):
    with pytest.raises(UnsupportedFormat, match=r"^File 12 of 70 is not DICOM\.$"):
        read(data)


def test_an_empty_file_is_refused(read):
    with pytest.raises(EmptyImage):
        read(b"")


def with_syntax(data, syntax):
    """The same bytes under another transfer syntax."""
    value = syntax.encode() + b"\0" * (len(syntax) % 2)
    at = data.index(b"\x02\x00\x10\x00UI")
    end = at + 8 + struct.unpack_from("<H", data, at + 6)[0]
    return data[:at] + element(0x0002, 0x0010, b"UI", value) + data[end:]


def test_a_deflated_file_is_refused_before_anything_is_inflated(read, monkeypatch):
    data = dicom.as_bytes(one())
    bomb = zlib.compressobj(wbits=-15)
    data = data[: -len(without_meta(data))] + bomb.compress(bytes(1 << 20)) + bomb.flush()

    def never(*_):
        raise AssertionError("inflated")

    monkeypatch.setattr(zlib, "decompress", never)
    monkeypatch.setattr(zlib, "decompressobj", never)
    with pytest.raises(UnsupportedTransferSyntax, match="Deflated"):
        read(with_syntax(data, "1.2.840.10008.1.2.1.99"))


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.201", "1.2.3.4.5", "PATIENT^NAME"]
)
def test_other_transfer_syntaxes_are_refused_without_their_uids(read, syntax):
    with pytest.raises(UnsupportedTransferSyntax) as refused:
        read(with_syntax(dicom.as_bytes(one()), syntax))
    assert syntax not in refused.value.detail


def test_a_dicomdir_is_skipped(read):
    dataset = one(SOPClassUID="1.2.840.10008.1.3.10")
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    assert read(dicom.as_bytes(dataset)) is None


@pytest.mark.parametrize("modality", ["SR", "PR", "SEG", "CT", "CANARY"])
def test_other_modalities_are_refused(read, modality):
    with pytest.raises(WrongModality) as refused:
        read(dicom.as_bytes(one(Modality=modality, PixelData=None)))
    assert (modality in refused.value.detail) == (modality != "CANARY")


def test_mr_without_an_image_is_refused(read):
    spectra = one(PixelData=None, BitsAllocated=None, SOPClassUID="1.2.840.10008.5.1.4.1.1.4.2")
    with pytest.raises(WrongModality, match="no image"):
        read(dicom.as_bytes(spectra))


def test_floating_point_pixels_are_refused(read):
    floats = one(PixelData=None, FloatPixelData=bytes(4 * 24 * 20))
    with pytest.raises(UnsupportedFormat, match="floating-point"):
        read(dicom.as_bytes(floats))


def hostile(what):
    """Elements between the header and the pixels."""
    item = b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    match what:
        case "longer than the file":
            return struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, 0xFFFFFFF0)
        case "nested":
            return (struct.pack("<HH2sHI", 0x0029, 0x1010, b"SQ", 0, 0xFFFFFFFF) + item) * 20_000
        case "many items":
            return element(0x0029, 0x1010, b"UN", b"\xfe\xff\x00\xe0\0\0\0\0" * 300_000)
        case "many items, without a length":
            start = struct.pack("<HH2sHI", 0x0029, 0x1010, b"SQ", 0, 0xFFFFFFFF)
            return start + b"\xfe\xff\x00\xe0\0\0\0\0" * 2_000_000
        case _:
            return struct.pack("<HH2sHI", 0x0029, 0x1010, b"UN", 0, 0xFFFFFFFF) + bytes(64)


@pytest.mark.parametrize(
    "what",
    ["longer than the file", "nested", "many items", "many items, without a length", "never delimited"],
)
def test_hostile_headers_are_refused(read, what):
    data = dicom.as_bytes(one())
    pixels = data.rindex(b"\xe0\x7f\x10\x00")
    with pytest.raises(UndecodableImage):
        read(data[:pixels] + hostile(what) + data[pixels:])


def test_a_value_that_ends_with_a_delimiter_is_read(read):
    data = dicom.as_bytes(one())
    pixels = data.rindex(b"\xe0\x7f\x10\x00")
    value = b"\xfe\xff\x00\xe0\x04\0\0\0abcd" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    held = struct.pack("<HH2sHI", 0x0029, 0x1010, b"OB", 0, 0xFFFFFFFF) + value
    assert read(data[:pixels] + held + data[pixels:]).pixels.length == 24 * 20 * 2


def test_every_cut_of_the_header_is_refused(read):
    data = dicom.as_bytes(one())
    for end in range(1, data.rindex(b"\xe0\x7f\x10\x00"), 7):
        with pytest.raises((UndecodableImage, UnsupportedFormat, UnsupportedTransferSyntax)):
            read(data[:end])


def test_nothing_of_a_header_is_logged_or_warned(read, caplog):
    data = (
        dicom.as_bytes(one())
        .replace(b"19700101", b"CANARY!!")
        .replace(b"Fake^Patient", b"\xff\xfeCANARY^X\xff\xfe")
    )
    with warnings.catch_warnings(record=True) as caught, caplog.at_level(logging.DEBUG):
        warnings.simplefilter("always")
        read(data)
    assert not caught
    assert not caplog.records


def test_every_transfer_syntax_of_the_table_has_a_test():
    assert set(TRANSFER_SYNTAXES) == {*dicom.NATIVE, *dicom.LOSSLESS, *dicom.LOSSY}
