import base64
import io
import struct

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian

from shared.contract.errors import (
    TooManyPixels,
    UndecodableImage,
    UnsupportedFormat,
    UnsupportedPhotometric,
    UnsupportedTransferSyntax,
)
from shared.volumes.scan import VolumeLimits
from tests.fakes import dicom
from trainer.volumes.dicom.file import TRANSFER_SYNTAXES
from trainer.volumes.dicom.series import read_series

JPEG = "1.2.840.10008.1.2.4."
# 16 x 16 pixels of 200 * row + 60 * column in 12 bits, as dcmcjpeg of dcmtk compresses them.
TWELVE_BITS = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMUFRUVDA8XGBYUGBIU"
    "FRT/wQALDAAQABABAREA/8QAFQABAQAAAAAAAAAAAAAAAAAACwz/xAAcEAAABgMAAAAAAAAAAAAAAAAACgsnNkVTYnH/2gAIAQEAAD8AkJC7iHDGWAx1"
    "HNQoAXcQ4YywGOo5qK6su4hwxlgMdRzUKAF3EOGMsBjqOaj//9k="
)


@pytest.fixture
def read(tmp_path):
    def read_datasets(datasets, syntax=ExplicitVRLittleEndian):
        return read_series(dicom.write(tmp_path / "in", datasets, syntax), VolumeLimits()).scan

    return read_datasets


def smooth(shape=(3, 24, 20), low=0, high=255, dtype=np.uint8):
    """Between `low` and `high`, both of which are there; soft, so that lossy codecs stay close."""
    zs, ys, xs = np.indices(shape)
    waves = (np.sin(xs / 5 + zs) * np.cos(ys / 7) + 1) / 2
    waves = (waves - waves.min()) / (waves.max() - waves.min())
    return np.round(waves * (high - low) + low).astype(dtype)


RANGES = {
    "8 bit": (smooth(), 8),
    "8 bit signed": (smooth(low=-128, high=127, dtype=np.int8), 8),
    "8 in 16": (smooth(dtype=np.uint16), 8),
    "10 in 16": (smooth(high=1023, dtype=np.uint16), 10),
    "12 in 16": (smooth(high=4095, dtype=np.uint16), 12),
    "12 in 16 signed": (smooth(low=-2048, high=2047, dtype=np.int16), 12),
    "13 in 16 signed": (smooth(low=-4096, high=4095, dtype=np.int16), 13),
    "16 bit": (smooth(high=65535, dtype=np.uint16), 16),
    "16 bit signed": (smooth(low=-32768, high=32767, dtype=np.int16), 16),
}


@pytest.mark.parametrize("kind", RANGES)
@pytest.mark.parametrize("syntax", [*dicom.NATIVE, *dicom.LOSSLESS], ids=lambda uid: TRANSFER_SYNTAXES[uid])
def test_lossless_pixels_come_back_to_the_bit(read, kind, syntax):
    voxels, bits = RANGES[kind]
    scan = read(dicom.series(voxels, bits=bits), syntax)
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], voxels)
    assert scan.remarks == []


@pytest.mark.parametrize("syntax", [*dicom.NATIVE, *dicom.LOSSLESS], ids=lambda uid: TRANSFER_SYNTAXES[uid])
def test_frames_of_one_file_come_back_to_the_bit(read, syntax):
    voxels, bits = RANGES["12 in 16 signed"]
    scan = read([dicom.enhanced(voxels, order=[2, 0, 1], bits=bits)], syntax)
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], voxels)


@pytest.mark.parametrize(
    ("last", "kind", "off"),
    [
        ("50", "8 bit", 3),
        ("51", "8 bit", 3),
        ("81", "12 in 16", 3),
        ("81", "16 bit signed", 3),
        ("91", "12 in 16", 8),
    ],
)
def test_lossy_pixels_come_back_nearly(read, last, kind, off):
    voxels, bits = RANGES[kind]
    scan = read(dicom.series(voxels, bits=bits), JPEG + last)
    assert abs(scan.voxels_DHWC[..., 0].astype(int) - voxels).max() <= off
    assert [remark["code"] for remark in scan.remarks] == ["lossy_compression"]


def test_what_is_said_to_be_lossless_has_no_remark(read):
    voxels, bits = RANGES["12 in 16"]
    made = dicom.series(voxels, bits=bits, LossyImageCompression="00")
    assert read(made, JPEG + "91").remarks == []


def test_a_jpeg_of_12_bits_comes_back_nearly(tmp_path):
    ys, xs = np.indices((16, 16))
    voxels = (ys * 200 + xs * 60).astype(np.uint16)
    scan = read_series([compressed(tmp_path, voxels, TWELVE_BITS, JPEG + "51", bits=12)], VolumeLimits()).scan
    assert abs(scan.voxels_DHWC[0, ..., 0].astype(int) - voxels).max() <= 8
    assert scan.voxels_DHWC.dtype == np.uint16


def compressed(folder, slice_YX, frame, syntax, **attributes):
    """A file of one slice whose header is of `slice_YX` and whose frame is `frame`."""
    (dataset,) = dicom.series(slice_YX[None], bits=attributes.pop("bits", None), **attributes)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = (
        frame if isinstance(frame, bytes) and frame[:4] == b"\xfe\xff\x00\xe0" else encapsulate([frame])
    )
    dataset["PixelData"].VR = "OB"
    path = folder / "one"
    dataset.save_as(path, enforce_file_format=True)
    return path


def frame_of(slice_YX, syntax, bits=None):
    (dataset,) = dicom.series(slice_YX[None], bits=bits)
    return next(generate_frames(dicom.encoded(dataset, syntax).PixelData, number_of_frames=1))


@pytest.mark.parametrize("last", ["80", "90"])
def test_a_sign_that_a_codestream_does_not_know_is_taken_from_the_header(tmp_path, last):
    """Signed samples that were compressed as if they had none, and for JPEG 2000 the other way round."""
    signed = smooth(low=-2048, high=2047, dtype=np.int16)[0]
    bits = (signed.view(np.uint16)) & 4095
    path = compressed(tmp_path, signed, frame_of(bits, JPEG + last, 12), JPEG + last, bits=12)
    np.testing.assert_array_equal(read_series([path], VolumeLimits()).scan.voxels_DHWC[0, ..., 0], signed)
    if last == "90":
        path = compressed(tmp_path, bits, frame_of(signed, JPEG + last, 12), JPEG + last, bits=12)
        np.testing.assert_array_equal(read_series([path], VolumeLimits()).scan.voxels_DHWC[0, ..., 0], bits)


def test_a_jpeg_2000_file_around_the_codestream_is_taken_off(tmp_path):
    slice_YX = smooth()[0]
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x08free" + b"\0\0\0\0jp2c"
    path = compressed(tmp_path, slice_YX, boxes + frame_of(slice_YX, JPEG + "90"), JPEG + "90")
    np.testing.assert_array_equal(read_series([path], VolumeLimits()).scan.voxels_DHWC[0, ..., 0], slice_YX)


@pytest.mark.parametrize("high", [11, 13, 15])
@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ExplicitVRBigEndian, dicom.RLE])
def test_bits_beside_those_stored_are_left_out(read, high, syntax):
    voxels, bits = RANGES["12 in 16"]
    shifted = voxels << (high - 11)
    noise = np.random.default_rng(0).integers(0, 1 << 16, voxels.shape, np.uint16) & ~np.uint16(
        4095 << (high - 11)
    )
    made = dicom.series(shifted | noise, BitsStored=12, HighBit=high)
    np.testing.assert_array_equal(read(made, syntax).voxels_DHWC[..., 0], voxels)
    signed = dicom.series(shifted | noise, BitsStored=12, HighBit=high, PixelRepresentation=1)
    expected = np.where(voxels > 2047, voxels.astype(int) - 4096, voxels)
    np.testing.assert_array_equal(read(signed, syntax).voxels_DHWC[..., 0], expected)


@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_8_bits_in_big_endian_words_are_read(tmp_path, vr):
    voxels = smooth()
    made = dicom.enhanced(voxels)
    if vr == "OW":
        made.PixelData = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()
    made["PixelData"].VR = vr
    scan = read_series(dicom.write(tmp_path, [made], ExplicitVRBigEndian), VolumeLimits()).scan
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], voxels)


# --- colours -----------------------------------------------------------------------------------------


COLOURS = np.stack([smooth(), smooth()[::-1], smooth()[:, ::-1]], axis=-1)


@pytest.mark.parametrize(
    ("syntax", "off"),
    [*((uid, 0) for uid in dicom.NATIVE), *((uid, 0) for uid in dicom.LOSSLESS), (JPEG + "81", 3)],
    ids=str,
)
def test_rgb_comes_back(read, syntax, off):
    scan = read(dicom.series(COLOURS), syntax)
    assert scan.voxels_DHWC.shape == (3, 24, 20, 3)
    assert scan.voxels_DHWC.dtype == np.uint8
    assert abs(scan.voxels_DHWC.astype(int) - COLOURS).max() <= off


def test_planes_of_colours_come_back(read):
    made = dicom.series(COLOURS, PlanarConfiguration=1)
    for dataset, slice_YXC in zip(made, COLOURS, strict=True):
        dataset.PixelData = np.moveaxis(slice_YXC, 2, 0).tobytes()
    np.testing.assert_array_equal(read(made).voxels_DHWC, COLOURS)


PLAIN = np.empty((3, 24, 20, 3), np.uint8)
PLAIN[:, :12], PLAIN[:, 12:] = (120, 128, 128), (76, 85, 255)  # grey, and red, as (Y, Cb, Cr)


def assert_grey_and_red(folder, made):
    got = read_series(save(folder, made), VolumeLimits()).scan.voxels_DHWC.astype(int)
    assert abs(got[:, :12] - (120, 120, 120)).max() <= 1
    assert abs(got[:, 12:] - (254, 0, 0)).max() <= 2


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, dicom.RLE, JPEG + "70", JPEG + "80", JPEG + "90"])
def test_brightness_and_colour_differences_become_rgb(tmp_path, syntax):
    made = dicom.series(PLAIN, PhotometricInterpretation="YBR_FULL")
    assert_grey_and_red(tmp_path / "in", [rewritten(dataset, syntax) for dataset in made])


def test_halved_colour_differences_become_rgb(tmp_path):
    made = dicom.series(PLAIN, PhotometricInterpretation="YBR_FULL_422")
    for dataset, slice_YXC in zip(made, PLAIN, strict=True):
        pairs = slice_YXC.reshape(-1, 2, 3)
        dataset.PixelData = np.stack(
            [pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], 1
        ).tobytes()
    assert_grey_and_red(tmp_path / "in", made)


def test_a_colour_jpeg_becomes_rgb(tmp_path):
    """As Pillow writes it, with halved differences."""
    red = np.broadcast_to(np.array((254, 0, 0), np.uint8), (24, 20, 3)).copy()
    red[:12] = 120
    buffer = io.BytesIO()
    Image.fromarray(red).save(buffer, "JPEG", quality=95)
    path = compressed(tmp_path, red, buffer.getvalue(), JPEG + "50", PhotometricInterpretation="YBR_FULL_422")
    got = read_series([path], VolumeLimits()).scan.voxels_DHWC.astype(int)
    assert abs(got[0, [0, 5, 18, 23]] - red[[0, 5, 18, 23]]).max() <= 4


def rewritten(dataset, syntax):
    """Compressed as if its three channels were RGB, which no encoder touches."""
    photometric, dataset.PhotometricInterpretation = dataset.PhotometricInterpretation, "RGB"
    made = dicom.encoded(dataset, syntax)
    made.PhotometricInterpretation = photometric
    return made


def save(folder, datasets):
    folder.mkdir()
    for index, dataset in enumerate(datasets):
        dataset.save_as(folder / f"{index}", enforce_file_format=True)
    return sorted(folder.iterdir())


@pytest.mark.parametrize("photometric", ["PALETTE COLOR", "YBR_PARTIAL_420", "CMYK", "CANARY", ""])
def test_other_colours_are_refused(read, photometric):
    with pytest.raises(UnsupportedPhotometric) as refused:
        read(dicom.series(smooth(), PhotometricInterpretation=photometric))
    assert "CANARY" not in refused.value.detail


# --- values ------------------------------------------------------------------------------------------


def test_white_is_zero_is_turned_before_it_is_rescaled(read):
    voxels, bits = RANGES["12 in 16"]
    plain = {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": "1000", "WindowWidth": "401"}
    scan = read(dicom.series(voxels, bits=bits, **plain))
    brightest = int(voxels.max())  # which is shown as black, and black is 0
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], brightest - voxels)
    assert scan.window == (brightest - 1199.5, brightest - 799.5)
    scan = read(dicom.series(voxels, bits=bits, RescaleSlope="2", RescaleIntercept="-100", **plain))
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], 2 * (brightest - voxels.astype(int)))
    # A sample that the header shows in the middle of the window is in the middle of ours.
    middle = (1000 - 0.5 + 100) / 2
    assert np.mean(scan.window) == pytest.approx(2 * (brightest - middle))
    signed, bits = RANGES["12 in 16 signed"]
    scan = read(dicom.series(signed, bits=bits, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], int(signed.max()) - signed.astype(int))


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"),
    [("1", "0", np.uint16), ("1", "-1024", np.int16), ("16", "0", np.uint16), ("16", "-40", np.float32),
     ("-1", "0", np.int16), ("0.5", "0", np.float32), ("1e-3", "7.25", np.float32)],
)  # fmt: skip
def test_values_are_rescaled(read, slope, intercept, dtype):
    voxels, bits = RANGES["12 in 16"]
    scan = read(dicom.series(voxels, bits=bits, RescaleSlope=slope, RescaleIntercept=intercept))
    expected = voxels * float(slope) + float(intercept)
    assert scan.voxels_DHWC.dtype == dtype
    np.testing.assert_allclose(scan.voxels_DHWC[..., 0], expected, rtol=1e-6)
    assert scan.bit_depth == 16


@pytest.mark.parametrize("multi", [False, True])
def test_every_slice_has_a_slope_of_its_own(read, multi):
    voxels, bits = RANGES["12 in 16"]
    slopes = [0.5, 1.25, 3.0]
    if multi:
        made = [dicom.enhanced(voxels, bits=bits)]
        for groups, slope in zip(made[0].PerFrameFunctionalGroupsSequence, slopes, strict=True):
            groups.PixelValueTransformationSequence[0].RescaleSlope = str(slope)
    else:
        made = dicom.series(voxels, bits=bits, RescaleIntercept="0")
        for dataset, slope in zip(made, slopes, strict=True):
            dataset.RescaleSlope = str(slope)
    scan = read(made)
    np.testing.assert_allclose(scan.voxels_DHWC[..., 0], voxels * np.reshape(slopes, (3, 1, 1)))


@pytest.mark.parametrize(("slope", "intercept"), [("0", "0"), ("1e38", "0"), ("1", "1e38"), ("1", None)])
def test_a_senseless_slope_is_refused(read, slope, intercept):
    with pytest.raises(UndecodableImage, match="slope"):
        read(
            dicom.series(
                smooth(), RescaleSlope=slope if intercept else "x"[:0], RescaleIntercept=intercept or "5"
            )
        )


@pytest.mark.parametrize(
    ("centre", "width", "function", "window"),
    [
        ("100", "51", None, (74.5, 124.5)),
        (["100", "7"], ["51", "7"], None, (74.5, 124.5)),
        ("100", "50", "LINEAR_EXACT", (75, 125)),
        ("100", "0", None, None),
        ("100", "-5", None, None),
        ("100", "1", None, None),
        ("90000", "10", None, None),
        ("-500", "100", None, None),
        ("", "", None, None),
        ("100", None, None, None),
    ],
)
def test_the_first_window_is_taken_if_it_makes_sense(read, centre, width, function, window):
    made = dicom.series(smooth(), WindowCenter=centre, WindowWidth=width, VOILUTFunction=function)
    assert read(made).window == window


def test_the_window_is_that_of_the_middle_slice(read):
    made = [dicom.enhanced(smooth((5, 24, 20)), order=[4, 3, 0, 1, 2])]  # window centres 200, 201 and so on
    assert read(made).window == (54.0, 353.0)


@pytest.mark.parametrize(
    ("dtype", "declared", "padding"),
    [
        (np.int16, {"PixelPaddingValue": -2000}, -2000),
        (np.int16, {"PixelPaddingValue": -32768}, -32768),
        (np.uint16, {"PixelPaddingValue": 65535}, 65535),
        (np.uint16, {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 4095}, 4050),
        (np.uint16, {"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 4000}, 4000),
        (np.uint8, {"PixelPaddingValue": 255}, 255),
    ],
)
@pytest.mark.parametrize("where", [np.s_[:, :4, :], np.s_[1:, -3:, 5:], np.s_[2, :, :]])
def test_declared_padding_is_as_dark_as_air(read, dtype, declared, padding, where):
    pixels = smooth(low=0, high=99, dtype=dtype)
    padded = pixels.copy()
    padded[where] = padding
    got = read(dicom.series(padded, **declared)).voxels_DHWC[..., 0]
    expected = np.where(padded == padding, 0, padded)
    assert got.shape == expected.shape
    np.testing.assert_array_equal(np.sort(got, axis=None), np.sort(expected, axis=None))


def test_declared_padding_of_inverted_pictures_is_dark(read):
    padded = smooth(low=10, high=99, dtype=np.uint16)
    padded[:, :4, :] = 0
    made = dicom.series(padded, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1")
    got = read(made).voxels_DHWC
    assert (got.min(), got.max()) == (0, 89)


def test_declared_padding_is_below_negative_values_too(read):
    padded = smooth(low=-50, high=99, dtype=np.int16)
    padded[:, :4, :] = 3000
    assert read(dicom.series(padded, PixelPaddingValue=3000)).voxels_DHWC.max() <= 99


def test_8_bit_values_are_8_bit(read):
    scan = read(dicom.series(smooth()))
    assert (scan.voxels_DHWC.dtype, scan.bit_depth) == (np.uint8, 8)


# --- headers that promise something else than there is ------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"Rows": 25}, UndecodableImage),
        ({"Rows": 0}, UndecodableImage),
        ({"Rows": None}, UndecodableImage),
        ({"Rows": 65535, "Columns": 65535}, TooManyPixels),
        ({"NumberOfFrames": 65535}, TooManyPixels),
        ({"NumberOfFrames": 2}, UndecodableImage),
        ({"NumberOfFrames": -1}, UndecodableImage),
        ({"SamplesPerPixel": 3}, UndecodableImage),
        ({"SamplesPerPixel": None}, UndecodableImage),
        ({"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}, UnsupportedFormat),
        ({"BitsAllocated": 12}, UnsupportedFormat),
        ({"BitsAllocated": 16}, UndecodableImage),
        ({"BitsStored": 9, "HighBit": 8}, UndecodableImage),
        ({"BitsStored": 0}, UndecodableImage),
        ({"HighBit": 3}, UndecodableImage),
        ({"ModalityLUTSequence": []}, UnsupportedFormat),
    ],
    ids=str,
)
def test_contradictions_are_refused_before_anything_is_decoded(read, attributes, error):
    with pytest.raises(error, match="^(File 1 of 3|The volume)"):
        read(dicom.series(smooth(), **attributes))


def test_pixels_that_are_cut_short_are_refused(tmp_path):
    paths = dicom.write(tmp_path, dicom.series(smooth()))
    paths[1].write_bytes(paths[1].read_bytes()[:-1])
    with pytest.raises(UndecodableImage, match="File 2 of 3 is cut short"):
        read_series(paths, VolumeLimits())


@pytest.mark.parametrize("syntax", [uid for uid in (*dicom.LOSSLESS, *dicom.LOSSY) if uid != dicom.RLE])
def test_a_codestream_of_another_size_is_refused(tmp_path, syntax):
    small = smooth()[0]
    for big in (smooth((1, 48, 20))[0], smooth((1, 24, 21))[0], smooth((1, 16, 16))[0]):
        path = compressed(tmp_path, small, frame_of(big, syntax), syntax)
        with pytest.raises(UndecodableImage, match="another size"):
            read_series([path], VolumeLimits())


@pytest.mark.parametrize("syntax", [*dicom.LOSSLESS, *dicom.LOSSY])
def test_a_cut_frame_is_refused(tmp_path, syntax):
    slice_YX = smooth()[0]
    frame = frame_of(slice_YX, syntax).rstrip(b"\0")
    for end in range(4, len(frame) - 1, 5):
        path = compressed(tmp_path, slice_YX, frame[:end], syntax)
        with pytest.raises(UndecodableImage):
            read_series([path], VolumeLimits())


DELIMITER = b"\xfe\xff\xdd\xe0\0\0\0\0"


@pytest.mark.parametrize("behind", [b"", b"\0", bytes(3), bytes(600), b"END OF FILE", b"\0" * 7 + b"\xff" * 90])
@pytest.mark.parametrize("delimited", [True, False])
@pytest.mark.parametrize("syntax", [*dicom.LOSSLESS, *dicom.LOSSY], ids=lambda uid: TRANSFER_SYNTAXES[uid])
def test_whole_pixels_with_a_loose_end_are_read(tmp_path, syntax, delimited, behind):
    paths = dicom.write(tmp_path, [dicom.enhanced(smooth(), order=[2, 0, 1])], syntax)
    whole = paths[0].read_bytes()
    assert whole.endswith(DELIMITER)
    expected = read_series(paths, VolumeLimits()).scan
    paths[0].write_bytes((whole if delimited else whole[: -len(DELIMITER)]) + behind)
    got = read_series(paths, VolumeLimits()).scan
    np.testing.assert_array_equal(got.voxels_DHWC, expected.voxels_DHWC)
    said = [remark["code"] for remark in got.remarks if remark not in expected.remarks]
    assert said == ([] if delimited else ["loose_end_of_pixels"])


@pytest.mark.parametrize("syntax", [*dicom.LOSSLESS, *dicom.LOSSY], ids=lambda uid: TRANSFER_SYNTAXES[uid])
def test_without_a_delimiter_a_cut_frame_is_refused(tmp_path, syntax):
    slice_YX = smooth()[0]
    path = compressed(tmp_path, slice_YX, frame_of(slice_YX, syntax).rstrip(b"\0"), syntax)
    whole = path.read_bytes()[: -len(DELIMITER)]
    for cut in (3, 8, 20):
        path.write_bytes(whole[:-cut])
        with pytest.raises(UndecodableImage):
            read_series([path], VolumeLimits())


def test_a_frame_that_is_missing_is_refused_without_a_delimiter_too(tmp_path):
    (path,) = dicom.write(tmp_path, [dicom.enhanced(smooth())], dicom.RLE)
    whole = path.read_bytes()[: -len(DELIMITER)]
    last = whole.rindex(b"\xfe\xff\x00\xe0")
    path.write_bytes(whole[:last])
    with pytest.raises(UndecodableImage, match="does not hold the 3 frames"):
        read_series([path], VolumeLimits())


def test_a_fragment_whose_padding_is_not_counted_is_read(tmp_path):
    slice_YX = smooth()[0]
    frame = frame_of(slice_YX, dicom.RLE)
    frame += b"\0" if len(frame) % 2 == 0 else b""
    items = b"\xfe\xff\x00\xe0\0\0\0\0" + b"\xfe\xff\x00\xe0" + struct.pack("<I", len(frame)) + frame + b"\0"
    path = compressed(tmp_path, slice_YX, items, dicom.RLE)
    np.testing.assert_array_equal(read_series([path], VolumeLimits()).scan.voxels_DHWC[0, ..., 0], slice_YX)


@pytest.mark.parametrize(("behind", "said"), [(0, []), (24, ["loose_end_of_pixels"]), (4096, ["loose_end_of_pixels"])])
def test_native_pixels_may_be_followed_by_padding(read, behind, said):
    made = dicom.series(smooth())
    for one in made:
        one.PixelData += bytes(behind + behind % 2)
    scan = read(made)
    np.testing.assert_array_equal(scan.voxels_DHWC[..., 0], smooth())
    assert [remark["code"] for remark in scan.remarks] == said


def test_native_pixels_of_more_rows_than_the_header_says_are_refused(read):
    made = dicom.series(smooth())
    for one in made:
        one.PixelData += one.PixelData[:40]
    with pytest.raises(UndecodableImage, match="more pixels"):
        read(made)


@pytest.mark.parametrize("last", ["50", "51"])
def test_signed_pixels_in_a_lossy_jpeg_are_refused(tmp_path, last):
    frame = frame_of(smooth()[0], JPEG + last)
    path = compressed(tmp_path, smooth(low=-128, high=127, dtype=np.int8)[0], frame, JPEG + last)
    with pytest.raises(UnsupportedTransferSyntax):
        read_series([path], VolumeLimits())


def test_more_bytes_than_pixels_need_are_refused(tmp_path):
    frame = frame_of(smooth()[0], dicom.RLE) + bytes(1 << 17)
    with pytest.raises(UndecodableImage, match="more bytes"):
        read_series([compressed(tmp_path, smooth()[0], frame, dicom.RLE)], VolumeLimits())


def test_compressed_pixels_under_a_native_transfer_syntax_are_refused_and_the_other_way_round(tmp_path):
    frame = frame_of(smooth()[0], dicom.RLE)
    path = compressed(tmp_path, smooth()[0], frame, dicom.RLE)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0"))
    with pytest.raises(UndecodableImage):
        read_series([path], VolumeLimits())
    data = dicom.as_bytes(dicom.series(smooth())[0])
    path.write_bytes(data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"))
    with pytest.raises(UndecodableImage, match="not compressed"):
        read_series([path], VolumeLimits())


# --- fragments ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", ["basic", "none", "extended", "wrong"])
@pytest.mark.parametrize("last", ["70", "90"])
def test_frames_in_several_fragments_are_put_together(tmp_path, table, last):
    """A frame may be cut anywhere; where the next one begins is in a table, or seen in its first bytes."""
    voxels = smooth()
    made = dicom.encoded(dicom.enhanced(voxels), JPEG + last)
    frames = list(generate_frames(made.PixelData, number_of_frames=3))
    if table == "extended":
        made.PixelData, made.ExtendedOffsetTable, made.ExtendedOffsetTableLengths = encapsulate_extended(
            frames
        )
    else:
        made.PixelData = encapsulate(frames, fragments_per_frame=2, has_bot=table != "none")
    if table == "wrong":
        data = bytearray(made.PixelData)
        struct.pack_into("<I", data, 12, 6)
        made.PixelData = bytes(data)
    made.save_as(tmp_path / "one", enforce_file_format=True)
    series = read_series([tmp_path / "one"], VolumeLimits())
    np.testing.assert_array_equal(series.scan.voxels_DHWC[..., 0], voxels)
    assert "ExtendedOffsetTable" not in series.sources[0]


def test_fewer_frames_than_promised_are_refused(tmp_path):
    made = dicom.encoded(dicom.enhanced(smooth()), dicom.RLE)
    made.PixelData = encapsulate(list(generate_frames(made.PixelData, number_of_frames=3))[:2])
    made.save_as(tmp_path / "one", enforce_file_format=True)
    with pytest.raises(UndecodableImage, match="3 frames"):
        read_series([tmp_path / "one"], VolumeLimits())
