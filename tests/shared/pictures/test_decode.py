"""What holds for every format alike; each format's own ways are tested beside this."""

import gzip
import threading
import tracemalloc

import numpy as np
import pytest

from shared.contract.errors import (
    EmptyImage,
    ImageTooSmall,
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
)
from shared.pictures.decode import READERS, decode
from shared.pictures.picture import DecodeLimits
from tests.fakes import images

WRITERS = {"PNG": images.png, "JPEG": images.jpeg, "TIFF": images.tiff}


def headers_of(width: int, height: int) -> dict[str, bytes]:
    """Small files whose headers promise this size."""
    frame = images.jpeg(images.picture(16, 16))
    at = frame.index(b"\xff\xc0") + 5
    return {
        "PNG": images.png_of([], images.png_header(width, height, 8, 2)),
        "JPEG": frame[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + frame[at + 4 :],
        "TIFF": images.tiff_by_hand(images.grey_tags(width, height, t279=[100]), bytes(100)),
    }


def test_every_reader_is_tested_here():
    assert set(READERS) == set(WRITERS) == set(headers_of(1, 1))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_has_one_channel_and_rgb_three(name, channels):
    given = images.picture(channels=channels)
    got = decode(WRITERS[name](given))
    assert (got.format, got.bit_depth, got.height, got.width, got.channels) == (name, 8, 40, 56, channels)
    assert got.pixels.dtype == np.uint8
    assert got.pixels.flags.c_contiguous
    difference = np.abs(got.pixels.astype(int) - given.reshape(40, 56, channels))
    assert difference.mean() < 8 if name == "JPEG" else not difference.any()


@pytest.mark.parametrize("name", READERS)
def test_a_plain_file_has_no_pixel_spacing(name):
    got = decode(WRITERS[name](images.picture()))
    assert (got.pixel_spacing_mm, got.pixel_spacing_source) == (None, None)


@pytest.mark.parametrize("name", READERS)
def test_trailing_garbage_is_ignored(name):
    data = WRITERS[name](images.picture())
    assert np.array_equal(decode(data + b"\xff\xd8garbage" * 50).pixels, decode(data).pixels)


@pytest.mark.parametrize("name", READERS)
def test_a_file_cut_anywhere_is_undecodable_and_never_half_a_picture(name):
    data = WRITERS[name](images.picture(48, 48))
    for length in sorted({16, 20, 40, 100, len(data) // 4, len(data) // 2, len(data) - 20, len(data) - 2}):
        with pytest.raises(UndecodableImage):
            decode(data[:length])


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(("width", "height"), [(60000, 60000), (65535, 1), (5000, 5000)])
def test_a_header_that_promises_too_much_costs_no_memory(name, width, height):
    data = headers_of(width, height)[name]
    assert len(data) < 4096
    tracemalloc.start()
    try:
        with pytest.raises(TooManyPixels, match=f"{width} x {height}"):
            decode(data)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", READERS)
def test_a_picture_of_no_pixels_is_undecodable(name):
    for width, height in ((0, 0), (0, 100), (100, 0)):
        with pytest.raises(UndecodableImage):
            decode(headers_of(width, height)[name])


@pytest.mark.parametrize("name", READERS)
def test_a_single_pixel_is_no_slice(name):
    with pytest.raises(ImageTooSmall, match="1 x 1"):
        decode(WRITERS[name](np.zeros((1, 1, 3), np.uint8)))


@pytest.mark.parametrize("name", READERS)
def test_the_smallest_side_is_taken_and_limits_are_arguments(name):
    data = WRITERS[name](images.picture(16, 16))
    assert decode(data).pixels.shape == (16, 16, 3)
    with pytest.raises(TooManyPixels):
        decode(data, DecodeLimits(max_pixels=255))
    with pytest.raises(TooManyPixels):
        decode(data, DecodeLimits(max_side=15))


@pytest.mark.parametrize(("name", "data"), list(images.foreign_files().items()))
def test_foreign_formats_are_refused_by_name(name, data):
    with pytest.raises(UnsupportedFormat, match=name):
        decode(data)


@pytest.mark.parametrize("name", ["DICOM", "NIfTI"])
def test_dicom_and_nifti_are_not_taken_yet(name):
    with pytest.raises(UnsupportedFormat, match=f"{name} is not taken here"):
        decode(images.foreign_files()[name])
    with pytest.raises(UnsupportedFormat, match="NIfTI is not taken here"):
        decode(gzip.compress(images.nifti()))


def test_text_renamed_to_png_is_called_text():
    with pytest.raises(UnsupportedFormat, match="This is text"):
        decode(b"this is not a picture\n")


def test_an_empty_file_is_called_empty():
    with pytest.raises(EmptyImage, match="empty"):
        decode(b"")


@pytest.mark.parametrize("name", READERS)
def test_a_signature_alone_is_undecodable(name):
    for length in (8, 12):
        with pytest.raises(UndecodableImage):
            decode(WRITERS[name](images.picture())[:length])


def test_threads_decode_side_by_side_with_equal_results():
    files = [WRITERS[name](images.picture(seed=seed)) for name in READERS for seed in range(4)]
    files += [images.tiff(images.picture(seed=9), compression="zlib"), images.png(images.picture())[:200]]
    alone = [outcome(data) for data in files]
    together: list[list[bytes]] = [[] for _ in range(4)]

    def work(mine: list[bytes]) -> None:
        mine.extend(outcome(data) for _ in range(5) for data in files)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in together]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(mine == alone * 5 for mine in together)


def outcome(data: bytes) -> bytes:
    try:
        return decode(data).pixels.tobytes()
    except UndecodableImage as error:
        return error.code.encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(lambda p: images.png(p), id="png"),
        pytest.param(lambda p: images.jpeg((p >> 8).astype(np.uint8), progressive=True), id="jpeg"),
        pytest.param(lambda p: images.tiff(p), id="tiff"),
        pytest.param(
            lambda p: images.tiff(p, compression="zlib", predictor=2, rowsperstrip=4096), id="tiff zlib"
        ),
    ],
)
def test_the_largest_picture_is_decoded_without_a_warning(data):
    got = decode(data(np.zeros((4096, 4096, 3), np.uint16)))
    assert got.pixels.shape == (4096, 4096, 3)
