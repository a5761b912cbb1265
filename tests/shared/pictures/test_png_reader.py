import io
import itertools
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.pictures.decode import decode
from tests.fakes import images
from tests.fakes.images import png_chunk, png_header, png_of

HEIGHT, WIDTH = 20, 24


def rows_of(samples: np.ndarray, depth: int) -> list[bytes]:
    """Rows as PNG stores them, big-endian, high bits first."""
    if depth == 16:
        return [row.astype(">u2").tobytes() for row in samples]
    if depth == 8:
        return [row.astype(np.uint8).tobytes() for row in samples]
    bits = (samples[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    return [np.packbits(row.reshape(-1)).tobytes() for row in bits]


def samples(channels: int, depth: int) -> np.ndarray:
    shape = (HEIGHT, WIDTH, channels) if channels > 1 else (HEIGHT, WIDTH)
    return np.random.default_rng(depth).integers(0, 1 << depth, shape)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_grey_of_every_depth_fills_its_range(depth):
    given = samples(1, depth)
    got = decode(png_of(rows_of(given, depth), png_header(WIDTH, HEIGHT, depth, 0)))
    scale = 1 if depth >= 8 else 255 // ((1 << depth) - 1)
    assert got.bit_depth == (16 if depth == 16 else 8)
    assert np.array_equal(got.pixels[..., 0], given * scale)


@pytest.mark.parametrize("depth", [8, 16])
def test_rgb_keeps_its_order_and_all_its_bits(depth):
    given = samples(3, depth)
    got = decode(png_of(rows_of(given, depth), png_header(WIDTH, HEIGHT, depth, 2)))
    assert got.pixels.dtype == (np.uint16 if depth == 16 else np.uint8)
    assert np.array_equal(got.pixels, given)


@pytest.mark.parametrize(("channels", "color"), [(2, 4), (4, 6)])
@pytest.mark.parametrize("depth", [8, 16])
def test_alpha_is_composited_over_black(channels, color, depth):
    given = samples(channels, depth)
    got = decode(png_of(rows_of(given, depth), png_header(WIDTH, HEIGHT, depth, color)))
    top = (1 << depth) - 1
    assert np.array_equal(got.pixels, np.rint(given[..., :-1] * (given[..., -1:] / top)).astype(int))
    given[..., -1] = top
    opaque = decode(png_of(rows_of(given, depth), png_header(WIDTH, HEIGHT, depth, color)))
    assert np.array_equal(opaque.pixels, given[..., :-1])


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_is_looked_up_with_transparent_entries_over_black(depth):
    given = samples(1, depth)
    colors = np.random.default_rng(7).integers(0, 256, (1 << depth, 3)).astype(np.uint8)
    alpha = bytes([0, 128])
    chunks = (png_chunk(b"PLTE", colors.tobytes()), png_chunk(b"tRNS", alpha))
    got = decode(png_of(rows_of(given, depth), png_header(WIDTH, HEIGHT, depth, 3), *chunks))
    colors[0], colors[1] = 0, np.rint(colors[1] * (128 / 255))
    assert np.array_equal(got.pixels, colors[given])


def test_an_index_past_the_palette_is_black():
    given = samples(1, 8)
    chunk = png_chunk(b"PLTE", bytes([200, 100, 50]))
    got = decode(png_of(rows_of(given, 8), png_header(WIDTH, HEIGHT, 8, 3), chunk))
    assert np.array_equal(got.pixels, np.where(given[..., None] == 0, (200, 100, 50), 0))


@pytest.mark.parametrize("palette", [b"", b"\1\2", bytes(3 * 257)])
def test_a_palette_of_the_wrong_length_is_undecodable(palette):
    with pytest.raises(UndecodableImage, match="palette"):
        decode(
            png_of(rows_of(samples(1, 8), 8), png_header(WIDTH, HEIGHT, 8, 3), png_chunk(b"PLTE", palette))
        )


@pytest.mark.parametrize(
    ("color", "channels", "depth"), [(0, 1, 2), (0, 1, 8), (0, 1, 16), (2, 3, 8), (2, 3, 16)]
)
def test_the_transparent_colour_becomes_black(color, channels, depth):
    given = samples(channels, depth)
    key = given[3, 4].reshape(-1)
    chunk = png_chunk(b"tRNS", struct.pack(f">{channels}H", *key.tolist()))
    got = decode(png_of(rows_of(given, depth), png_header(WIDTH, HEIGHT, depth, color), chunk)).pixels
    plain = decode(png_of(rows_of(given, depth), png_header(WIDTH, HEIGHT, depth, color))).pixels
    hidden = (given.reshape(HEIGHT, WIDTH, channels) == key).all(axis=2)
    assert hidden.any()
    assert not got[hidden].any()
    assert np.array_equal(got[~hidden], plain[~hidden])


def test_interlaced_files_are_read():
    given = np.arange(16 * 16, dtype=np.uint8).reshape(16, 16)
    starts = (
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    )
    rows = [row.tobytes() for y, x, dy, dx in starts for row in given[y::dy, x::dx]]
    assert np.array_equal(decode(png_of(rows, png_header(16, 16, 8, 0, 1))).pixels[..., 0], given)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation):
    given = images.picture(32, 48)
    exif = Image.Exif()
    exif[0x0112] = orientation
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    plain = images.png(given)
    at = len(images.PNG_SIGNATURE) + 25
    data = plain[:at] + png_chunk(b"eXIf", block) + plain[at:]
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert np.array_equal(decode(data).pixels, np.asarray(expected))


@pytest.mark.parametrize(("color", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.95])
def test_too_little_data_is_undecodable_though_every_checksum_fits(color, channels, keep, capfd):
    for depth in (8, 16):
        with pytest.raises(UndecodableImage):
            decode(
                png_of(
                    rows_of(samples(channels, depth), depth),
                    png_header(WIDTH, HEIGHT, depth, color),
                    keep=keep,
                )
            )
    capfd.readouterr()  # libpng says so on standard error as well


def test_a_wrong_checksum_anywhere_is_undecodable():
    data = images.png(images.picture())
    for kind in (b"IHDR", b"IDAT", b"IEND"):
        at = data.index(kind) - 4
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        with pytest.raises(UndecodableImage, match="checksum"):
            decode(data[:end] + bytes([data[end] ^ 1]) + data[end + 1 :])


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_bombs_in_text_and_colour_profiles_are_never_inflated(kind):
    bomb = zlib.compress(bytes(50_000_000))
    body = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind] + bomb
    given = samples(3, 8)
    data = png_of(rows_of(given, 8), png_header(WIDTH, HEIGHT, 8, 2), *[png_chunk(kind, body)] * 5)
    tracemalloc.start()
    try:
        assert np.array_equal(decode(data).pixels, given)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_data_that_inflates_past_the_picture_costs_nothing():
    header = png_header(WIDTH, HEIGHT, 8, 0)
    data = (
        images.PNG_SIGNATURE
        + header
        + png_chunk(b"IDAT", zlib.compress(bytes(100_000_000)))
        + png_chunk(b"IEND", b"")
    )
    assert not decode(data).pixels.any()


def test_density_is_no_pixel_spacing():
    chunk = png_chunk(b"pHYs", struct.pack(">IIB", 2000, 2000, 1))
    got = decode(png_of(rows_of(samples(1, 8), 8), png_header(WIDTH, HEIGHT, 8, 0), chunk))
    assert got.pixel_spacing_mm is None


def test_an_animated_png_is_refused_by_name():
    chunk = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    with pytest.raises(UnsupportedFormat, match="animated PNG"):
        decode(png_of(rows_of(samples(1, 8), 8), png_header(WIDTH, HEIGHT, 8, 0), chunk))


def test_impossible_headers_are_undecodable():
    good = (
        {(0, d) for d in (1, 2, 4, 8, 16)}
        | {(3, d) for d in (1, 2, 4, 8)}
        | {(c, d) for c in (2, 4, 6) for d in (8, 16)}
    )
    for color, depth in itertools.product(range(8), (0, 1, 2, 3, 4, 7, 8, 16, 32)):
        if (color, depth) not in good:
            with pytest.raises(UndecodableImage):
                decode(png_of([], png_header(WIDTH, HEIGHT, depth, color)))


def test_chunks_out_of_order_are_undecodable():
    header, end = png_header(WIDTH, HEIGHT, 8, 0), png_chunk(b"IEND", b"")
    data = png_chunk(b"IDAT", zlib.compress(bytes((WIDTH + 1) * HEIGHT)))
    for chunks in (
        (data, header, end),
        (header, end),
        (end,),
        (header, header, data, end),
        (header, png_chunk(b"ABCD", b""), data, end),
    ):
        with pytest.raises(UndecodableImage):
            decode(images.PNG_SIGNATURE + b"".join(chunks))


def test_a_flood_of_empty_chunks_is_undecodable():
    flood = png_chunk(b"teSt", b"") * 100_001
    with pytest.raises(UndecodableImage, match="chunks"):
        decode(png_of(rows_of(samples(1, 8), 8), png_header(WIDTH, HEIGHT, 8, 0), flood))


def test_what_opencv_writes_comes_back():
    given = images.picture(dtype=np.uint16)
    for pixels in (given, given[..., 0].copy(), given.astype(np.uint8)):
        bgr = pixels if pixels.ndim == 2 else pixels[..., ::-1]
        data = cv2.imencode(".png", np.ascontiguousarray(bgr))[1].tobytes()
        assert np.array_equal(decode(data).pixels, pixels.reshape(*pixels.shape[:2], -1))
