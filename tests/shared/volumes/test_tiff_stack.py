"""TIFF stacks: pages in order as they stand, millimetres where a program wrote them, all else refused by name."""

import io
import itertools
import struct
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from shared.contract.errors import (
    EmptyImage,
    ImageError,
    ImageTooSmall,
    MixedGeometry,
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
)
from shared.pictures.decode import decode
from shared.volumes.scan import Scan, VolumeLimits
from shared.volumes.tiff_stack import pages, read_scan
from tests.fakes import images
from tests.shared.pictures.test_fuzz import damaged

SLICES, HEIGHT, WIDTH = 5, 20, 24
GREY = np.stack([images.picture(HEIGHT, WIDTH, 1, seed=seed) for seed in range(SLICES)])
DEEP = np.stack([images.picture(HEIGHT, WIDTH, 1, np.uint16, seed) for seed in range(SLICES)])
COLOUR = np.stack([images.picture(HEIGHT, WIDTH, 3, seed=seed) for seed in range(SLICES)])
LIMITS = VolumeLimits(max_voxels=1 << 18)


def scan_of(data: bytes, limits: VolumeLimits = LIMITS) -> Scan:
    """Through a file that has no name any more."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return read_scan(Path(file.name), limits)


def stack(*pictures: np.ndarray, **options: object) -> bytes:
    """A page for each, as tifffile writes them one by one."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for picture in pictures:
            kind = "rgb" if picture.ndim == 3 else "minisblack"
            writer.write(picture, **{"photometric": kind, "metadata": None, **options})
    return file.getvalue()


def imagej(voxels_DHW: np.ndarray = GREY, axes: str = "ZYX", truncate: bool = False, **said: object) -> bytes:
    return images.tiff(voxels_DHW, imagej=True, truncate=truncate, metadata={"axes": axes, **said})


FILES = {
    "pages": stack(*GREY),
    "deflate, predictor": stack(*DEEP, compression="zlib", predictor=2),
    "bigtiff tiles": images.tiff(DEEP, bigtiff=True, tile=(16, 16), compression="zlib"),
    "big-endian": images.tiff(DEEP, byteorder=">"),
    "colour": stack(*COLOUR),
    "lzw": images.saved(
        Image.fromarray(GREY[0]), "TIFF", save_all=True, append_images=[Image.fromarray(p) for p in GREY[1:]],
        compression="tiff_lzw",
    ),
    "imagej": imagej(),
    "imagej in a row": imagej(DEEP, truncate=True),
    "ome": images.tiff(GREY, ome=True, metadata={"axes": "ZYX"}),
}  # fmt: skip
GIVEN = {"deflate, predictor": DEEP, "bigtiff tiles": DEEP, "big-endian": DEEP, "imagej in a row": DEEP}


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_pages_are_slices_in_their_order_and_stand_as_they_are(name: str) -> None:
    given = COLOUR if name == "colour" else GIVEN.get(name, GREY)[..., None]
    scan = scan_of(FILES[name])
    np.testing.assert_array_equal(scan.voxels_DHWC, given)
    assert scan.voxels_DHWC.dtype == given.dtype and scan.voxels_DHWC.dtype.isnative
    assert scan.voxels_DHWC.flags.c_contiguous
    assert (scan.format, scan.bit_depth, scan.remarks) == ("TIFF", 8 * given.itemsize, [])
    assert pages(FILES[name]) == SLICES


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_way_to_lay_out_pages_is_read(dtype: type, channels: int, order: str) -> None:
    given = [images.picture(HEIGHT, WIDTH, channels, dtype, seed) for seed in range(3)]
    layouts = ({}, {"rowsperstrip": 7}, {"tile": (16, 32)})
    ways = ({}, {"compression": "zlib"}, {"compression": "zlib", "predictor": 2})
    for layout, way, big in itertools.product(layouts, ways, (False, True)):
        file = io.BytesIO()
        with tifffile.TiffWriter(file, bigtiff=big, byteorder=order) as writer:
            for picture in given:
                kind = "rgb" if channels == 3 else "minisblack"
                writer.write(picture, photometric=kind, metadata=None, **layout, **way)
        got = scan_of(file.getvalue()).voxels_DHWC
        np.testing.assert_array_equal(got, np.stack(given).reshape(got.shape), str((layout, way, big)))


def test_white_may_be_zero_in_some_pages() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(GREY[0], photometric="minisblack", metadata=None)
        writer.write(GREY[1], photometric="miniswhite", metadata=None)
    got = scan_of(file.getvalue()).voxels_DHWC[..., 0]
    np.testing.assert_array_equal(got, [GREY[0], 255 - GREY[1]])


def test_each_page_is_turned_as_it_is_to_be_seen() -> None:
    data = stack(GREY[0], GREY[1], extratags=[(274, 3, 1, 6, True)], resolution=(2.0, 4.0))
    scan = scan_of(data)
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], [np.rot90(p, -1) for p in GREY[:2]])
    assert scan.grid.shape == (2, WIDTH, HEIGHT)


def test_a_single_page_is_a_volume_of_one_slice() -> None:
    data = images.tiff(GREY[0])
    assert pages(data) == 1
    np.testing.assert_array_equal(scan_of(data).voxels_DHWC, GREY[:1, ..., None])


def test_thumbnails_are_no_slices() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for picture in GREY:
            writer.write(picture, photometric="minisblack", metadata=None)
            writer.write(picture[::2, ::2], photometric="minisblack", metadata=None, subfiletype=1)
    assert pages(file.getvalue()) == SLICES
    np.testing.assert_array_equal(scan_of(file.getvalue()).voxels_DHWC[..., 0], GREY)


def test_a_stack_of_four_hundred_pages_is_read() -> None:
    given = np.arange(400, dtype=np.uint16)[:, None, None] + np.zeros((16, 16), np.uint16)
    data = images.tiff(given, metadata=None)
    assert pages(data) == 400
    np.testing.assert_array_equal(scan_of(data).voxels_DHWC[..., 0], given)


# --- where it lies --------------------------------------------------------------------------------


def test_the_grid_turns_nothing_and_claims_nothing() -> None:
    grid = scan_of(FILES["pages"]).grid
    assert grid.shape == (SLICES, HEIGHT, WIDTH) and grid.file_shape == (WIDTH, HEIGHT, SLICES)
    assert grid.flips == (False, False, False) and grid.plane == "axial" and grid.spacing_mm is None
    np.testing.assert_array_equal(grid.to_file(GREY), GREY.transpose(2, 1, 0))


def test_imagej_says_how_far_apart_pixels_and_slices_are() -> None:
    data = images.tiff(
        GREY, imagej=True, resolution=(2.0, 4.0), metadata={"axes": "ZYX", "spacing": 3.5, "unit": "mm"}
    )
    scan = scan_of(data)
    assert scan.spacing_mm == (3.5, 0.25, 0.5) and scan.spacing_source == "imagej"
    assert np.abs(np.diag(scan.grid.file_affine)).tolist() == [0.5, 0.25, 3.5, 1]


@pytest.mark.parametrize(
    ("said", "slice_mm"),
    [
        ({"spacing": 0.3, "unit": "cm"}, 3.0), ({"spacing": 1500, "unit": "um"}, 1.5),
        ({"spacing": 3.0, "unit": "pixel"}, None), ({"spacing": 3.0}, None), ({"unit": "mm"}, None),
        ({"spacing": "nan", "unit": "mm"}, None), ({"spacing": "far", "unit": "mm"}, None),
        ({"spacing": -3, "unit": "mm"}, None), ({"spacing": 1e9, "unit": "mm"}, None),
    ],
)  # fmt: skip
def test_a_slice_distance_that_nobody_says_sensibly_is_none(said: dict, slice_mm: float | None) -> None:
    scan = scan_of(imagej(**said))
    assert scan.spacing_mm[0] == (None if slice_mm is None else pytest.approx(slice_mm))


def test_the_distance_of_slices_may_be_all_that_is_known() -> None:
    assert scan_of(imagej(spacing=3, unit="mm")).spacing_mm[0] == 3
    scan = scan_of(FILES["pages"])
    assert scan.spacing_mm == (None, None, None) and scan.spacing_source is None


def test_ome_says_how_far_apart_pixels_and_slices_are() -> None:
    said = {
        "PhysicalSizeX": 0.4, "PhysicalSizeXUnit": "mm", "PhysicalSizeY": 0.6, "PhysicalSizeYUnit": "mm",
        "PhysicalSizeZ": 2500.0,
    }  # fmt: skip
    scan = scan_of(images.tiff(GREY, ome=True, metadata={"axes": "ZYX", **said}))
    assert scan.spacing_mm == pytest.approx((2.5, 0.6, 0.4)) and scan.spacing_source == "ome"
    colour = images.tiff(COLOUR, ome=True, photometric="rgb", metadata={"axes": "ZYXS", **said})
    assert scan_of(colour).spacing_mm == pytest.approx((2.5, 0.6, 0.4))


# --- what is not taken ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (images.picture(HEIGHT, WIDTH + 1, 1), "25 x 20 pixels"),
        (images.picture(HEIGHT, WIDTH, 1, np.uint16), "16 bits"),
        (images.picture(HEIGHT, WIDTH, 3), "colour"),
    ],
)
def test_pages_that_differ_are_named_by_their_number(other: np.ndarray, said: str) -> None:
    with pytest.raises(MixedGeometry, match=f"Page 3 of 4.*{said}"):
        scan_of(stack(GREY[0], GREY[1], other, GREY[3]))


def test_pages_that_are_turned_differently_differ() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for turned in (1, 6):
            tags = [(274, 3, 1, turned, True)]
            writer.write(GREY[0], photometric="minisblack", metadata=None, extratags=tags)
    with pytest.raises(MixedGeometry, match="Page 2 of 2"):
        scan_of(file.getvalue())


@pytest.mark.parametrize(
    ("shape", "axes", "said"),
    [
        ((3, 5), "CZ", "3 channels and 1 frames"),
        ((2, 5), "TZ", ".* 2 frames"),
        ((3,), "C", "3 channels"),
        ((5,), "T", ".* 5 frames"),
    ],
)
@pytest.mark.parametrize("truncate", [False, True])
def test_hyperstacks_of_imagej_are_refused_by_name(
    shape: tuple[int, ...], axes: str, said: str, truncate: bool
) -> None:
    # ImageJ's order is TZCYX.
    order = "".join(axis for axis in "TZC" if axis in axes)
    sizes = [shape[axes.index(axis)] for axis in order]
    voxels = np.zeros((*sizes, HEIGHT, WIDTH), np.uint8)
    with pytest.raises(UnsupportedFormat, match=f"ImageJ TIFF is a hyperstack of {said}"):
        scan_of(imagej(voxels, f"{order}YX", truncate))


@pytest.mark.parametrize(("axes", "said"), [("CYX", "5 channels"), ("TYX", "5 frames")])
def test_hyperstacks_of_ome_are_refused_by_name(axes: str, said: str) -> None:
    with pytest.raises(UnsupportedFormat, match=said):
        scan_of(images.tiff(GREY, ome=True, photometric="minisblack", metadata={"axes": axes}))


def test_several_stacks_in_one_ome_file_are_refused() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, ome=True) as writer:
        writer.write(GREY, photometric="minisblack", metadata={"axes": "ZYX"})
        writer.write(GREY, photometric="minisblack", metadata={"axes": "ZYX"})
    with pytest.raises(UnsupportedFormat, match="10 pages where it says 5 slices"):
        scan_of(file.getvalue())


def test_an_imagej_stack_without_some_of_its_pages_is_undecodable() -> None:
    data = imagej().replace(b"images=5", b"images=7")
    with pytest.raises(UndecodableImage, match="7 images into it, not 5"):
        scan_of(data)


def in_a_row(images_said: int, given: int, **changed: list[int] | None) -> bytes:
    description = f"ImageJ=1.54f\nimages={images_said}\nslices={images_said}\n\0".encode()
    return images.tiff_by_hand(images.grey_tags(16, 16, t270=description, **changed), bytes(256 * given))


def test_images_in_a_row_must_be_there_and_lie_in_a_row() -> None:
    assert scan_of(in_a_row(3, 3)).voxels_DHWC.shape == (3, 16, 16, 1)
    assert scan_of(in_a_row(3, 3, t278=[8], t273=[8, 136], t279=[128, 128])).voxels_DHWC.shape[0] == 3
    with pytest.raises(UndecodableImage, match="fewer than its 3 images"):
        scan_of(in_a_row(3, 2))
    with pytest.raises(UnsupportedFormat, match="in a row"):
        scan_of(in_a_row(3, 3, t259=[32773]))
    with pytest.raises(UnsupportedFormat, match="in a row"):
        scan_of(in_a_row(3, 3, t278=[8], t273=[136, 8], t279=[128, 128]))


@pytest.mark.parametrize("data", [FILES["pages"], FILES["imagej in a row"]])
def test_limits_are_held_against_the_whole_stack_before_it_is_decoded(data: bytes) -> None:
    voxels = SLICES * HEIGHT * WIDTH
    with pytest.raises(TooManyPixels, match=str(voxels - 1)):
        scan_of(data, VolumeLimits(max_voxels=voxels - 1))
    assert scan_of(data, VolumeLimits(max_voxels=voxels)).voxels_DHWC.size == voxels
    with pytest.raises(TooManyPixels):
        scan_of(data, VolumeLimits(max_side=SLICES - 1, min_side=1))
    with pytest.raises(ImageTooSmall):
        scan_of(data, VolumeLimits(min_side=HEIGHT + 1))


def test_what_imagej_promises_is_not_believed() -> None:
    data = in_a_row(999_999_999, 1)
    assert pages(data) == 999_999_999
    with pytest.raises(TooManyPixels):
        scan_of(data)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", EmptyImage),
        (b"hello", UnsupportedFormat),
        (images.png(GREY[0]), UnsupportedFormat),
        (FILES["pages"][:100], UndecodableImage),
        (images.tiff(GREY.astype(np.float32)), UnsupportedFormat),
    ],
)
def test_what_is_no_stack_is_refused(data: bytes, error: type[ImageError]) -> None:
    with pytest.raises(error) as caught:
        scan_of(data)
    assert caught.value.detail.endswith(".") and "/" not in caught.value.detail


def directories(count: int, tags: int, kind: int = 254, value: int = 1) -> bytes:
    """Many directories of many tags, one behind the other."""
    entry = struct.pack("<HHII", kind, 4, 1, value)
    size = 2 + 12 * tags + 4
    one = [
        struct.pack("<H", tags) + entry * tags + struct.pack("<I", 8 + size * (n + 1) if n + 1 < count else 0)
        for n in range(count)
    ]
    return b"II*\0\x08\0\0\0" + b"".join(one)


@pytest.mark.parametrize(
    ("count", "tags", "said"), [(9000, 1, "more than 8192 pages"), (1000, 1000, "more than 262144 tags")]
)
def test_directories_without_end_are_refused_soon(count: int, tags: int, said: str) -> None:
    data, started = directories(count, tags), time.monotonic()
    for look in (pages, scan_of, decode):
        with pytest.raises(UnsupportedFormat, match=said):
            look(data)
    assert time.monotonic() - started < 5


def test_counting_the_pages_of_the_worst_file_takes_no_time() -> None:
    data, started = directories(8192, 32), time.monotonic()
    assert pages(data) == 1
    assert time.monotonic() - started < 5


def test_pages_that_share_their_data_are_undecodable() -> None:
    """A small file could ask for as much work as a large one."""
    picture, many = bytes(256), 50
    tags = images.grey_tags(16, 16)
    directory = images.tiff_by_hand(tags, picture)[8 + len(picture) :]
    size = len(directory)
    chain = [
        directory[:-4] + struct.pack("<I", 264 + size * (n + 1) if n + 1 < many else 0) for n in range(many)
    ]
    data = b"II*\0" + struct.pack("<I", 264) + picture + b"".join(chain)
    assert pages(data) == many
    with pytest.raises(UndecodableImage, match="that of others too"):
        scan_of(data)


def test_memory_is_that_of_the_volume_and_of_a_page() -> None:
    given = np.random.default_rng(0).integers(0, 1 << 16, (40, 256, 256), np.uint16)
    for data in (stack(*given, compression="zlib"), images.tiff(given, metadata=None)):
        tracemalloc.start()
        try:
            scan_of(data, VolumeLimits())
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 1.5 * given.nbytes


# --- pictures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_where_a_picture_is_asked_for_a_stack_is_refused_and_told_where_it_is_taken(name: str) -> None:
    with pytest.raises(UnsupportedFormat, match=r"POST /v1/segmentations"):
        decode(FILES[name])


# --- damage ---------------------------------------------------------------------------------------


def check(data: bytes) -> None:
    started = time.monotonic()
    try:
        count = pages(data) if data.startswith((b"II", b"MM")) else 0
        scan = scan_of(data)
    except ImageError as error:
        assert error.detail.endswith(".")
    else:
        assert scan.voxels_DHWC.ndim == 4 and scan.voxels_DHWC.shape[3] in (1, 3)
        assert scan.voxels_DHWC.shape[0] == max(1, count)
        assert scan.voxels_DHWC[..., 0].size <= LIMITS.max_voxels
        assert all(mm is None or 0 < mm <= 100 for mm in scan.spacing_mm)
    assert time.monotonic() - started < 5.0  # generous: shared machines stall


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_stack_ends_as_a_volume_or_a_named_error(name: str, data: st.DataObject) -> None:
    check(data.draw(damaged(FILES[name])))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_many_damaged_stacks_end_as_a_volume_or_a_named_error(name: str, data: st.DataObject) -> None:
    check(data.draw(damaged(FILES[name])))
