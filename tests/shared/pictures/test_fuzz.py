"""Whatever becomes of a valid file on its way, it ends as a picture or as an error with a name, and soon."""

import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.contract.errors import ImageError
from shared.pictures.decode import decode
from shared.pictures.picture import DecodeLimits, Picture
from tests.fakes import images

RGB, GREY = images.picture(24, 24), images.picture(24, 24, channels=1)
FILES = {
    "png": images.png(RGB),
    "png16": images.png(images.picture(24, 24, dtype=np.uint16)),
    "png palette": images.saved(Image.fromarray(RGB).quantize(30), "PNG"),
    "png alpha": images.saved(Image.fromarray(images.picture(24, 24, channels=4)), "PNG"),
    "jpeg": images.jpeg(RGB),
    "jpeg progressive": images.jpeg(RGB, progressive=True),
    "jpeg cmyk": images.jpeg(Image.fromarray(RGB).convert("CMYK")),
    "tiff": images.tiff(RGB),
    "tiff big-endian 16": images.tiff(images.picture(24, 24, dtype=np.uint16), byteorder=">"),
    "bigtiff tiles": images.tiff(RGB, bigtiff=True, tile=(16, 16), compression="zlib", predictor=2),
    "tiff planes": images.tiff(
        np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate", compression="zlib"
    ),
    "tiff lzw": images.saved(Image.fromarray(RGB), "TIFF", compression="tiff_lzw"),
    "tiff packbits": images.saved(Image.fromarray(GREY), "TIFF", compression="packbits"),
    "tiff jpeg": images.saved(Image.fromarray(RGB), "TIFF", compression="jpeg"),
    "tiff fax": images.saved(Image.fromarray(GREY > 100), "TIFF", compression="group4"),
    "tiff palette": images.saved(Image.fromarray(RGB).quantize(30), "TIFF"),
    "tiff imagej": images.tiff(GREY, imagej=True, resolution=(2.0, 2.0), metadata={"unit": "mm"}),
    "tiff ome": images.tiff(
        GREY, ome=True, metadata={"axes": "YX", "PhysicalSizeX": 500.0, "PhysicalSizeY": 500.0}
    ),
}
LIMITS = DecodeLimits(max_pixels=1 << 20)
SECONDS = 5.0  # generous: shared machines stall


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """A few bytes changed, most often in the header, and perhaps something cut out, doubled or cut off."""
    broken = bytearray(data)
    for _ in range(draw(st.integers(0, 6))):
        near = draw(st.sampled_from((40, 300, len(data))))
        at = draw(st.integers(0, min(near, len(data)) - 1))
        # Tags lie at the end of some files and at the front of others.
        at = at if draw(st.booleans()) else len(data) - 1 - at
        broken[at] = (
            draw(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)))
            if draw(st.booleans())
            else draw(st.integers(0, 255))
        )
    start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 32))
    match draw(st.sampled_from(("keep", "cut off", "cut out", "double"))):
        case "cut off":
            del broken[start:]
        case "cut out":
            del broken[start : start + length]
        case "double":
            broken[start:start] = broken[start : start + length]
    return with_right_checksums(bytes(broken)) if draw(st.booleans()) else bytes(broken)


def with_right_checksums(data: bytes) -> bytes:
    """A PNG's checksums made to fit again, so that the damage gets past them; other formats have none."""
    if not data.startswith(images.PNG_SIGNATURE):
        return data
    parts, position = [images.PNG_SIGNATURE], len(images.PNG_SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        parts.append(
            images.png_chunk(data[position + 4 : position + 8], data[position + 8 : position + 8 + length])
        )
        position += 12 + length
    return b"".join(parts)


def check(data: bytes) -> None:
    started = time.monotonic()
    try:
        got = decode(data, LIMITS)
    except ImageError as error:
        assert error.detail.endswith(".")
    else:
        assert_usable(got)
    assert time.monotonic() - started < SECONDS


def assert_usable(got: Picture) -> None:
    assert got.pixels.ndim == 3
    assert got.channels in (1, 3)
    assert got.pixels.dtype == (np.uint16 if got.bit_depth == 16 else np.uint8)
    assert got.pixels.flags.c_contiguous
    assert got.width * got.height <= LIMITS.max_pixels
    assert got.pixel_spacing_mm is None or all(0 < mm <= 100 for mm in got.pixel_spacing_mm)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_file_ends_as_a_picture_or_a_named_error(name, data):
    check(data.draw(damaged(FILES[name])))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_many_damaged_files_end_as_a_picture_or_a_named_error(name, data):
    check(data.draw(damaged(FILES[name])))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.binary(max_size=600),
    st.sampled_from((b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"II+\0")),
)
def test_noise_behind_any_signature_ends_as_a_named_error(noise, signature):
    with pytest.raises(ImageError):
        decode(signature + noise, LIMITS)


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_this_suite_is_a_picture_before_it_is_damaged(name):
    assert_usable(decode(FILES[name], LIMITS))
