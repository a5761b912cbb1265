import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from shared.contract.errors import TooManyPixels, UndecodableImage, UnsupportedFormat
from shared.pictures.decode import decode
from tests.fakes import images

FRAME = b"\xff\xc0"


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def with_segments(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"subsampling": 0}]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_are_those_of_the_whole_file(options, channels):
    data = images.jpeg(images.picture(channels=channels), **options)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(decode(data).pixels, expected.reshape(40, 56, channels))


def test_cmyk_becomes_rgb():
    given = Image.fromarray(images.picture())
    got = decode(images.jpeg(given.convert("CMYK"), quality=100)).pixels
    assert got.shape == (40, 56, 3)
    assert np.abs(got.astype(int) - np.asarray(given)).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = images.jpeg(images.picture(), exif=exif)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(decode(data).pixels, np.asarray(expected))


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"MM\0*\0\0\0\x08\xff\xff",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0",
    ],
)
def test_a_broken_exif_block_turns_nothing(exif):
    plain = images.jpeg(images.picture())
    got = decode(with_segments(plain, segment(0xE1, b"Exif\0\0" + exif)))
    assert np.array_equal(got.pixels, decode(plain).pixels)


def test_what_pixels_do_not_need_never_reaches_the_decoder():
    plain = images.jpeg(images.picture())
    noise = [segment(marker, b"\xff\xd9" + bytes(60000)) for marker in (0xE1, 0xE2, 0xED, 0xFE)]
    assert np.array_equal(decode(with_segments(plain, *noise)).pixels, decode(plain).pixels)


def test_a_thumbnails_end_marker_does_not_hide_that_the_file_is_cut():
    plain = images.jpeg(images.picture(128, 128))
    data = with_segments(plain, segment(0xE1, b"Exif\0\0" + images.jpeg(images.picture(16, 16))))
    decode(data)
    with pytest.raises(UndecodableImage, match="cut short"):
        decode(data[:-2])


def test_density_is_no_pixel_spacing():
    assert decode(images.jpeg(images.picture(), dpi=(50, 50))).pixel_spacing_mm is None


@pytest.mark.parametrize(
    ("marker", "word"), [(0xC3, "lossless"), (0xC9, "arithmetic"), (0xF7, "JPEG-LS"), (0xC5, "hierarchical")]
)
def test_other_processes_are_refused_by_name(marker, word):
    data = images.jpeg(images.picture()).replace(FRAME, bytes((0xFF, marker)), 1)
    with pytest.raises(UnsupportedFormat, match=word):
        decode(data)


def test_twelve_bits_and_two_channels_are_refused_by_name():
    data = bytearray(images.jpeg(images.picture()))
    at = data.index(FRAME)
    data[at + 4] = 12
    with pytest.raises(UnsupportedFormat, match="12-bit"):
        decode(bytes(data))
    data[at + 4], data[at + 9] = 8, 2
    with pytest.raises(UnsupportedFormat, match="2 channels"):
        decode(bytes(data))


def test_a_second_frame_header_cannot_change_the_size():
    plain = images.jpeg(images.picture())
    at = plain.index(FRAME)
    length = int.from_bytes(plain[at + 2 : at + 4], "big")
    frame = bytearray(plain[at : at + 2 + length])
    frame[5:9] = b"\xea\x60\xea\x60"
    with pytest.raises(TooManyPixels):
        decode(plain[:at] + bytes(frame) + plain[at:])
    with pytest.raises(UndecodableImage):
        decode(plain[:at] + plain[at : at + 2 + length] + plain[at:])


def test_a_flood_of_scans_or_segments_is_undecodable():
    plain = images.jpeg(images.picture(), progressive=True)
    scan = plain.index(b"\xff\xda")
    end = plain.index(b"\xff\xc4", scan)
    with pytest.raises(UndecodableImage, match="scans"):
        decode(plain[:scan] + plain[scan:end] * 65 + plain[end:])
    with pytest.raises(UndecodableImage, match="segments"):
        decode(with_segments(plain, segment(0xFE, b"") * 10_001))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xff\xff\xff",
        b"\xff\xd8\xff\xe0\x00\x01",
        b"\xff\xd8\xff\xe0\xff\xff",
        b"\xff\xd8\xff\xda\x00\x02\x00",
        b"\xff\xd8\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xc0\x00\x02\xff\xd9",
        b"\xff\xd8\xff\xe0\x00\x02\x00\x00",
    ],
)
def test_markers_that_make_no_picture_are_undecodable(data):
    with pytest.raises(UndecodableImage):
        decode(data)
