import io
import itertools
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from shared.contract.errors import UndecodableImage, UnsupportedFormat
from shared.pictures.decode import decode
from tests.fakes import images

GREY, RGB, PLANES, ALPHA = "grey", "rgb", "planes", "alpha"


def written(kind: str, dtype: type, **options: object) -> tuple[bytes, np.ndarray]:
    """A file by tifffile and the (H, W, C) that is to come back."""
    given = images.picture(70, 50, 1 if kind == GREY else 4 if kind == ALPHA else 3, dtype)
    if kind == GREY:
        return images.tiff(given, photometric="minisblack", **options), given[..., None]
    if kind == PLANES:
        planes = np.ascontiguousarray(np.moveaxis(given, 2, 0))
        return images.tiff(planes, photometric="rgb", planarconfig="separate", **options), given
    if kind == ALPHA:
        given[..., 3] = np.iinfo(dtype).max
    return images.tiff(given, photometric="rgb", **options), given[..., :3]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", [GREY, RGB, PLANES, ALPHA])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_way_to_lay_out_samples_is_read(dtype, kind, order):
    layouts = ({}, {"rowsperstrip": 7}, {"tile": (16, 32)})
    ways = ({}, {"compression": "zlib"}, {"compression": "zlib", "predictor": 2})
    for layout, way, big in itertools.product(layouts, ways, (False, True)):
        data, expected = written(kind, dtype, byteorder=order, bigtiff=big, **layout, **way)
        got = decode(data)
        assert np.array_equal(got.pixels, expected), (layout, way, big)
        assert got.pixels.dtype == dtype
        assert got.pixels.dtype.isnative
        assert got.bit_depth == 8 * np.dtype(dtype).itemsize


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "zstd", "lzma"])
@pytest.mark.parametrize("channels", [1, 3])
def test_byte_wise_compressions_are_read(compression, channels):
    given = images.picture(channels=channels)
    data = images.saved(Image.fromarray(given), "TIFF", compression=compression)
    assert np.array_equal(decode(data).pixels, given.reshape(40, 56, channels))


@pytest.mark.parametrize("compression", [1, 5, 8, 32773])
def test_sixteen_bit_rgb_keeps_sixteen_bits_in_any_compression(compression):
    given = images.picture(dtype=np.uint16)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    data = cv2.imencode(".tiff", np.ascontiguousarray(given[..., ::-1]), options)[1].tobytes()
    assert np.array_equal(decode(data).pixels, given)


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_inside_tiff_is_read(channels):
    given = images.picture(channels=channels)
    data = images.saved(Image.fromarray(given), "TIFF", compression="jpeg", quality=95)
    got = decode(data).pixels
    assert np.array_equal(got, np.asarray(Image.open(io.BytesIO(data))).reshape(40, 56, channels))


@pytest.mark.parametrize("compression", [None, "group3", "group4", "tiff_ccitt", "tiff_lzw"])
def test_one_bit_becomes_black_and_white(compression):
    given = images.picture(channels=1) > 100
    data = images.saved(Image.fromarray(given), "TIFF", compression=compression)
    assert np.array_equal(decode(data).pixels[..., 0], given * 255)


@pytest.mark.parametrize("bits", [2, 4])
def test_two_and_four_bits_fill_the_range(bits):
    values = np.random.default_rng(bits).integers(0, 1 << bits, (16, 24)).astype(np.uint8)
    high_first = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    data = np.packbits(high_first.reshape(16, -1), axis=1).tobytes()
    file = images.tiff_by_hand(images.grey_tags(24, 16, t258=[bits], t279=[len(data)]), data)
    assert np.array_equal(decode(file).pixels[..., 0], values * (255 // ((1 << bits) - 1)))


def test_white_may_be_zero():
    given = images.picture(channels=1)
    for dtype in (np.uint8, np.uint16):
        stored = given.astype(dtype)
        got = decode(images.tiff(stored, photometric="miniswhite")).pixels
        assert np.array_equal(got[..., 0], np.iinfo(dtype).max - stored)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
def test_a_palette_is_looked_up(compression):
    image = Image.fromarray(images.picture()).quantize(200)
    data = images.saved(image, "TIFF", compression=compression)
    assert np.array_equal(decode(data).pixels, np.asarray(image.convert("RGB")))


def test_a_palette_of_the_wrong_length_is_undecodable():
    with pytest.raises(UndecodableImage, match="palette"):
        decode(images.tiff_by_hand(images.grey_tags(16, 16, t262=[3], t320=[1, 2, 3]), bytes(256)))


def test_only_unassociated_alpha_is_composited():
    given = images.picture(channels=4)
    color, alpha = given[..., :3], given[..., 3:]
    got = decode(images.tiff(given, photometric="rgb", extrasamples=["unassalpha"])).pixels
    assert np.array_equal(got, np.rint(color * (alpha / 255)))
    for other in ("assocalpha", "unspecified"):
        got = decode(images.tiff(given, photometric="rgb", extrasamples=[other])).pixels
        assert np.array_equal(got, color)


def test_cmyk_becomes_rgb():
    given = Image.fromarray(images.picture()).convert("CMYK")
    for compression in (None, "tiff_lzw"):
        got = decode(images.saved(given, "TIFF", compression=compression)).pixels
        assert np.abs(got.astype(int) - np.asarray(given.convert("RGB"))).max() <= 1


def test_three_sequences_side_by_side_are_three_channels():
    given = images.picture()
    assert np.array_equal(
        decode(images.tiff(given, photometric="minisblack", planarconfig="contig")).pixels, given
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation):
    given = images.picture()
    expected = decode(images.jpeg(given, exif=exif_of(orientation), quality=100, subsampling=0)).pixels
    got = decode(images.tiff(given, extratags=[(274, 3, 1, orientation, True)])).pixels
    assert got.shape == expected.shape
    assert np.abs(got.astype(int) - expected).mean() < 2


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


# --- pages ---------------------------------------------------------------------------------------


def pages(*kinds: dict[str, object]) -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for seed, kind in enumerate(kinds):
            writer.write(images.picture(seed=seed), photometric="rgb", metadata=None, **kind)
    return file.getvalue()


def test_several_pages_are_not_taken_yet():
    for count in (2, 30, 300):
        with pytest.raises(UnsupportedFormat, match="page"):
            decode(pages(*[{}] * count))


def test_a_thumbnail_or_a_mask_is_no_page_and_the_picture_may_come_after_it():
    thumbnail = struct.pack("<HHII", 254, 4, 1, 1)
    for kind in (1, 4, 5):
        for place, order in enumerate([({}, {"subfiletype": 1}), ({"subfiletype": 1}, {})]):
            data = pages(*order)
            assert thumbnail in data
            data = data.replace(thumbnail, struct.pack("<HHII", 254, 4, 1, kind))
            assert np.array_equal(decode(data).pixels, images.picture(seed=place))
    assert np.array_equal(decode(pages({"subfiletype": 1})).pixels, images.picture(seed=0))


def test_an_imagej_stack_behind_one_page_is_a_stack():
    data = images.tiff_by_hand(
        images.grey_tags(16, 16, t270=b"ImageJ=1.54f\nimages=3\nslices=3\n\0"), bytes(768)
    )
    with pytest.raises(UnsupportedFormat, match="stack of 3"):
        decode(data)


def test_pages_in_a_circle_are_undecodable():
    tags = images.grey_tags(16, 16)
    with pytest.raises(UndecodableImage, match="circle"):
        decode(images.tiff_by_hand(tags, bytes(256), next_directory=264))
    two = bytearray(pages({}, {}))
    with tifffile.TiffFile(io.BytesIO(bytes(two))) as file:
        first, second = (page.offset for page in file.pages)
    entries = int.from_bytes(two[second : second + 2], "little")
    at = second + 2 + 12 * entries
    two[at : at + 4] = first.to_bytes(4, "little")
    with pytest.raises(UndecodableImage, match="circle"):
        decode(bytes(two))


# --- what lies ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"t277": [2], "t279": [512]}, "2 channels"),
        ({"t277": [5], "t279": [1280]}, "5 channels"),
        ({"t277": [0]}, "0 channels"),
        ({"t277": [0xFFFFFFFF]}, "4294967295 channels"),
        ({"t258": [32]}, "32 bits"),
        ({"t258": [12]}, "12 bits"),
        ({"t339": [3]}, "floating-point"),
        ({"t339": [2]}, "signed integers"),
        ({"t339": [6]}, "complex"),
        ({"t339": [99]}, "unknown kind"),
        ({"t259": [6]}, "compression 6"),
        ({"t259": [34712]}, "compression 34712"),
        ({"t259": [4]}, "compression 4"),
        ({"t262": [8]}, "colour scheme 8"),
        ({"t262": [6]}, "colour scheme 6"),
        ({"t266": [2]}, "bit order"),
        ({"t259": [5], "t317": [3]}, "predictor 3"),
        ({"t277": [3], "t258": [8, 8, 16]}, "different types"),
    ],
)
def test_what_is_not_taken_is_refused_by_name(changed, word):
    with pytest.raises(UnsupportedFormat, match=word):
        decode(images.tiff_by_hand(images.grey_tags(16, 16, **changed), bytes(2000)))


@pytest.mark.parametrize(
    "changed",
    [
        {"t256": None},
        {"t257": None},
        {"t273": None},
        {"t279": None, "t259": [5]},
        {"t279": [255]},
        {"t279": [0]},
        {"t279": [0xFFFFFFFF]},
        {"t273": [0xFFFFFFFF]},
        {"t273": [3000]},
        {"t278": [0]},
        {"t278": [1]},  # sixteen strips, one offset
        {"t258": [8, 8]},
        {"t258": b"8888"},
        {"t273": [8] * 16, "t278": [1], "t279": [2000] * 16},  # shared
        {"t273": None, "t279": None, "t322": [15], "t323": [16], "t324": [8], "t325": [256]},
        {"t273": None, "t279": None, "t322": [0], "t323": [16], "t324": [8], "t325": [256]},
        {"t273": None, "t279": None, "t322": [1 << 20], "t323": [1 << 20], "t324": [8], "t325": [256]},
        {"t273": None, "t279": None, "t322": [16], "t323": [16], "t324": [8], "t325": [255]},
        {"t259": [5]},
        {"t259": [8]},
        {"t259": [7]},
        {"t259": [50000]},
    ],
)
def test_tags_that_cannot_be_are_undecodable(changed):
    with pytest.raises(UndecodableImage):
        decode(images.tiff_by_hand(images.grey_tags(16, 16, **changed), bytes(2000)))


def test_a_missing_byte_count_of_one_plain_strip_is_forgiven():
    assert decode(images.tiff_by_hand(images.grey_tags(16, 16, t279=None), bytes(256))).pixels.shape == (
        16,
        16,
        1,
    )


def test_a_tag_with_billions_of_values_costs_nothing():
    file = bytearray(images.tiff_by_hand(images.grey_tags(16, 16, t279=[256, 1]), bytes(256)))
    at = file.index((279).to_bytes(2, "little") + (4).to_bytes(2, "little"))
    file[at + 4 : at + 8] = b"\xff\xff\xff\xff"
    with pytest.raises(UndecodableImage, match="beyond the end"):
        decode(bytes(file))


@pytest.mark.parametrize("count", [0, 0xFFFF])
def test_an_impossible_number_of_tags_is_undecodable(count):
    with pytest.raises(UndecodableImage, match="number of tags"):
        decode(b"II*\0\x08\0\0\0" + count.to_bytes(2, "little") + bytes(100))


@pytest.mark.parametrize(
    "header",
    [
        b"II*\0\0\0\0\0" + bytes(100),
        b"II*\0\xff\xff\xff\xff" + bytes(100),
        b"II+\0\x08\0\0\0" + b"\xff" * 8 + bytes(100),
        b"II+\0\x04\0\0\0" + bytes(100),
        b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0" + b"\xff" * 100,
        b"MM\0*\0\0\0\x08\0\1" + b"\xff" * 20,
    ],
)
def test_a_header_that_leads_nowhere_is_undecodable(header):
    with pytest.raises(UndecodableImage):
        decode(header)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg", None])
def test_picture_data_cut_inside_a_complete_file_is_undecodable(compression):
    """The strip's own length says less than it needs: the structure is whole, the data is not."""
    data = images.saved(Image.fromarray(images.picture(64, 64)), "TIFF", compression=compression)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        tag = file.pages[0].tags[279]
        size, where = tag.value[0], tag.valueoffset
    kind = "<H" if tag.dtype == 3 else "<I"
    width = 2 if kind == "<H" else 4
    cut = bytearray(data)
    cut[where : where + width] = (size // 2).to_bytes(width, "little")
    with pytest.raises(UndecodableImage):
        decode(bytes(cut))


def test_a_strip_that_inflates_past_the_picture_costs_nothing():
    bomb = zlib.compress(bytes(100_000_000))
    file = images.tiff_by_hand(images.grey_tags(16, 16, t259=[8], t279=[len(bomb)]), bomb)
    assert not decode(file).pixels.any()


# --- spacing -------------------------------------------------------------------------------------


def imagej(unit: str, per_x: float, per_y: float, **options: object) -> bytes:
    return images.tiff(
        images.picture(channels=1), imagej=True, resolution=(per_x, per_y), metadata={"unit": unit}, **options
    )


@pytest.mark.parametrize(
    ("unit", "per_x", "per_y", "spacing"),
    [
        ("mm", 2.0, 4.0, (0.25, 0.5)),
        ("cm", 10.0, 20.0, (0.5, 1.0)),
        ("micron", 0.002, 0.002, (0.5, 0.5)),
        ("um", 0.002, 0.002, (0.5, 0.5)),
        ("\\u00B5m", 0.002, 0.001, (1.0, 0.5)),
        ("mm", 1 / 0.9375, 1 / 0.9375, (0.9375, 0.9375)),
    ],
)
def test_imagej_units_give_row_and_column_in_millimetres(unit, per_x, per_y, spacing):
    got = decode(imagej(unit, per_x, per_y))
    assert got.pixel_spacing_mm == pytest.approx(spacing, rel=1e-5)
    assert got.pixel_spacing_source == "imagej"


@pytest.mark.parametrize("unit", ["pixel", "inch", "", "furlong"])
def test_units_that_do_not_measure_the_patient_give_none(unit):
    assert decode(imagej(unit, 2.0, 2.0)).pixel_spacing_mm is None


def test_resolution_without_calibrated_units_is_print_density():
    given = images.picture(channels=1)
    for unit in (1, 2, 3):
        got = decode(images.tiff(given, resolution=(20.0, 20.0), resolutionunit=unit, metadata=None))
        assert got.pixel_spacing_mm is None


@pytest.mark.parametrize("per_mm", [0.0, 1e9, 1e-9])
def test_a_spacing_that_cannot_be_gives_none(per_mm):
    assert decode(imagej("mm", per_mm, per_mm)).pixel_spacing_mm is None


def test_spacing_turns_with_the_picture():
    got = decode(imagej("mm", 2.0, 4.0, extratags=[(274, 3, 1, 6, True)]))
    assert got.pixels.shape[:2] == (56, 40)
    assert got.pixel_spacing_mm == (0.5, 0.25)


def ome(attributes: str, before: str = "") -> bytes:
    xml = (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" {attributes}><Channel/></Pixels></Image></OME>'
    )
    return images.tiff_by_hand(images.grey_tags(16, 16, t270=xml.encode() + b"\0"), bytes(256))


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        ('PhysicalSizeX="500" PhysicalSizeY="250"', (0.25, 0.5)),
        ('PhysicalSizeX="0.5" PhysicalSizeXUnit="mm" PhysicalSizeY="0.7" PhysicalSizeYUnit="mm"', (0.7, 0.5)),
        (
            'PhysicalSizeX="0.05" PhysicalSizeXUnit="cm" PhysicalSizeY="700" PhysicalSizeYUnit="µm"',
            (0.7, 0.5),
        ),
    ],
)
def test_ome_gives_row_and_column_in_millimetres(attributes, spacing):
    got = decode(ome(attributes))
    assert got.pixel_spacing_mm == pytest.approx(spacing)
    assert got.pixel_spacing_source == "ome"


def test_tifffiles_own_ome_is_understood():
    metadata = {
        "PhysicalSizeX": 0.4,
        "PhysicalSizeXUnit": "mm",
        "PhysicalSizeY": 0.6,
        "PhysicalSizeYUnit": "mm",
    }
    got = decode(images.tiff(images.picture(channels=1), ome=True, metadata={"axes": "YX", **metadata}))
    assert got.pixel_spacing_mm == pytest.approx((0.6, 0.4))


@pytest.mark.parametrize(
    "attributes",
    [
        'PhysicalSizeX="0.5"',
        'PhysicalSizeX="nan" PhysicalSizeY="0.5"',
        'PhysicalSizeX="wide" PhysicalSizeY="0.5"',
        'PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1" PhysicalSizeYUnit="pixel"',
        'PhysicalSizeX="-500" PhysicalSizeY="-500"',
        "<<<",
    ],
)
def test_ome_without_sense_gives_none(attributes):
    assert decode(ome(attributes)).pixel_spacing_mm is None


def test_ome_with_entities_is_not_expanded():
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    before = f'<!DOCTYPE OME [<!ENTITY e0 "ha">{entities}]>'
    assert (
        decode(ome('Name="&e11;" PhysicalSizeX="500" PhysicalSizeY="500"', before)).pixel_spacing_mm is None
    )


@pytest.mark.parametrize("encoding", ["UTF-9", "zlib", "idna", "utf-16"])
def test_the_encoding_that_ome_names_is_not_looked_up(encoding):
    data = ome('PhysicalSizeX="500" PhysicalSizeY="500"').replace(
        b'"UTF-8"', f'"{encoding}"'.encode().ljust(7)
    )
    assert decode(data).pixel_spacing_mm in (None, (0.5, 0.5))
