"""One frame's bytes -> its stored samples, by the decoder that is right for each transfer syntax.

RLE: Pillow's PackBits, the same scheme, which stops at the frame's size. JPEG of 8 bit and JPEG 2000: Pillow
(libjpeg-turbo, OpenJPEG). JPEG-LS: pyjpegls (CharLS); GDCM spoils 8 bit samples that are said to take 16. JPEG lossless
and JPEG of 12 bit: GDCM, the only one that has them. What comes out are bits: dicom_pixels.samples_of gives them signs.
"""

import io
from dataclasses import dataclass

import gdcm
import numpy as np
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import convert_color_space

from shared.contract.errors import UndecodableImage, UnsupportedTransferSyntax
from trainer.volumes.dicom.codestream import Codestream, bare, read_codestream
from trainer.volumes.dicom.file import BIG_ENDIAN, EXPLICIT, NATIVE

_RLE, _BASELINE, _EXTENDED = "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_LOSSLESS = {  # by GDCM
    "1.2.840.10008.1.2.4.57": gdcm.TransferSyntax.JPEGLosslessProcess14,
    "1.2.840.10008.1.2.4.70": gdcm.TransferSyntax.JPEGLosslessProcess14_1,
    _EXTENDED: gdcm.TransferSyntax.JPEGExtendedProcess2_4,
}
_PLUGINS = {
    _BASELINE: "pillow",
    _EXTENDED: "pillow",
    "1.2.840.10008.1.2.4.80": "pyjpegls",
    "1.2.840.10008.1.2.4.81": "pyjpegls",
}
_JPEG_2000 = ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91")
_END = b"\xff\xd9"  # of JPEG, JPEG-LS and JPEG 2000 alike
_PADDING = 64  # fragments have an even length; some writers round up further


@dataclass(frozen=True)
class PixelLayout:
    """How the header says that samples are stored; checked by dicom_pixels."""

    rows: int
    columns: int
    samples: int
    photometric: str
    allocated: int
    stored: int
    high: int
    signed: bool
    planar: int
    padding: tuple[int, int] | None = None  # stored samples from .. to .. that are no part of the picture

    @property
    def frame_bytes(self) -> int:
        """Of one frame without compression."""
        count = self.rows * self.columns
        if self.photometric == "YBR_FULL_422":
            return count * 2
        return count * self.samples * (self.allocated // 8)


@dataclass(frozen=True)
class Decoded:
    """(rows, columns) or (rows, columns, 3) as they come out: `bits` is how many of each sample mean something.

    `compressed`: they were a codestream's own samples, which begin at bit 0 whatever HighBit says.
    """

    samples: np.ndarray
    bits: int
    compressed: bool = True


def decode_frame(frame: bytes, layout: PixelLayout, syntax: str, swapped: bool, name: str) -> Decoded:
    """`frame` is as it stands in the file, its fragments joined; colours come out as RGB.

    `swapped`: 8 bit samples in words of 16 bits, big endian. Raises UndecodableImage, UnsupportedTransferSyntax.
    """
    if syntax in NATIVE:
        return Decoded(_native(frame, layout, syntax, swapped), layout.allocated, False)
    if syntax == _RLE:
        return Decoded(_rle(frame, layout, name), layout.allocated, False)
    frame = bare(frame)
    if _END not in frame[-_PADDING:]:  # decoders fill what is missing with grey
        raise UndecodableImage(f"{name} is cut short: a compressed frame has no end.")
    head = read_codestream(frame, syntax, name)
    if (head.rows, head.columns, head.samples) != (layout.rows, layout.columns, layout.samples):
        raise UndecodableImage(
            f"{name} is damaged: a compressed frame has another size than the header says."
        )
    if head.bits > layout.allocated:
        raise UndecodableImage(f"{name} is damaged: a compressed frame has more bits than the header says.")
    if syntax in (_BASELINE, _EXTENDED) and layout.signed:
        raise UnsupportedTransferSyntax(f"{name} holds signed pixels in a JPEG that cannot hold them.")
    if syntax in _LOSSLESS and (head.bits > 8 or syntax != _EXTENDED):
        return Decoded(_by_gdcm(frame, layout, head, syntax), head.bits)
    if syntax in _JPEG_2000:
        # Signed samples under an unsigned header: of the two's complement only the stored bits are the sample.
        bits = min(head.bits, layout.stored) if head.signed else head.bits
        return Decoded(_jpeg_2000(frame, layout, head), bits)
    return Decoded(_by_pydicom(frame, layout, head, syntax), head.bits)


def _native(frame: bytes, layout: PixelLayout, syntax: str, swapped: bool) -> np.ndarray:
    if layout.samples == 1:
        dtype = np.dtype(f"{'>' if syntax == BIG_ENDIAN else '<'}u{layout.allocated // 8}")
        flat = np.frombuffer(frame, dtype)
        flat = flat.reshape(-1, 2)[:, ::-1].reshape(-1) if swapped else flat
        return flat[: layout.rows * layout.columns].reshape(layout.rows, layout.columns)
    frame = np.frombuffer(frame, "<u2").byteswap().tobytes() if swapped else frame
    array, _ = get_decoder(EXPLICIT).as_array(frame, index=0, **_options(layout, layout.allocated))
    return array


def _rle(frame: bytes, layout: PixelLayout, name: str) -> np.ndarray:
    """PS3.5, annex G: one segment for each byte of each sample, the highest byte first."""
    count, width = layout.rows * layout.columns, layout.allocated // 8
    head = np.frombuffer(frame[:64], "<u4")
    wanted = layout.samples * width
    if len(head) != 16 or head[0] != wanted:
        raise UndecodableImage(f"{name} is damaged: a compressed frame does not begin as it should.")
    ends = [*head[2 : 1 + wanted].tolist(), len(frame)]
    planes = np.empty((layout.samples, count, width), np.uint8)
    for index, (start, end) in enumerate(zip(head[1 : 1 + wanted].tolist(), ends, strict=True)):
        packed = frame[start:end] if 64 <= start <= end else b""
        plane = Image.frombytes("L", (count, 1), packed, "packbits", "L")
        sample, byte = divmod(index, width)
        planes[sample, :, width - 1 - byte] = np.asarray(plane)[0]
    array = planes.view(f"<u{width}").reshape(layout.samples, layout.rows, layout.columns)
    return array[0] if layout.samples == 1 else _as_rgb(np.moveaxis(array, 0, 2), layout)


def _by_gdcm(frame: bytes, layout: PixelLayout, head: Codestream, syntax: str) -> np.ndarray:
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((head.columns, head.rows, 1))
    image.SetDataElement(element)
    kind = (
        gdcm.PhotometricInterpretation.RGB
        if head.samples == 3
        else gdcm.PhotometricInterpretation.MONOCHROME2
    )
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(kind))
    if head.samples == 3:
        image.SetPlanarConfiguration(0)
    image.SetTransferSyntax(gdcm.TransferSyntax(_LOSSLESS[syntax]))
    image.SetPixelFormat(gdcm.PixelFormat(head.samples, head.allocated, head.bits, head.bits - 1, 0))
    # Bytes come out of GDCM as a str; a frame that it could not decode is shorter, which reshape notices.
    flat = np.frombuffer(image.GetBuffer().encode("utf-8", "surrogateescape"), f"<u{head.allocated // 8}")
    if head.samples == 1:
        return flat.reshape(head.rows, head.columns)
    return _as_rgb(flat.reshape(head.rows, head.columns, head.samples), layout)


def _jpeg_2000(frame: bytes, layout: PixelLayout, head: Codestream) -> np.ndarray:
    """Pillow adds half the range to signed samples and shifts all of them to the top of 8 or 16 bits: undone here."""
    with Image.open(io.BytesIO(frame), formats=("JPEG2000",)) as image:
        array = np.asarray(image)
    if array.dtype != np.dtype(f"u{head.allocated // 8}"):  # colours of more than 8 bits would be cut to 8
        raise ValueError("not as many bits as the codestream says")
    array = array >> (head.allocated - head.bits)
    if head.signed:
        array = (array - (1 << (head.bits - 1))).astype(array.dtype) & array.dtype.type((1 << head.bits) - 1)
    return array if head.samples == 1 else _as_rgb(array, layout)


def _by_pydicom(frame: bytes, layout: PixelLayout, head: Codestream, syntax: str) -> np.ndarray:
    options = _options(layout, head.allocated, head.bits)
    source = encapsulate([frame], has_bot=False)
    array, _ = get_decoder(syntax).as_array(source, index=0, decoding_plugin=_PLUGINS[syntax], **options)
    return array


def _options(layout: PixelLayout, allocated: int, bits: int | None = None) -> dict:
    return {
        "rows": layout.rows,
        "columns": layout.columns,
        "samples_per_pixel": layout.samples,
        "photometric_interpretation": layout.photometric,
        "planar_configuration": layout.planar,
        "number_of_frames": 1,
        "bits_allocated": allocated,
        "bits_stored": bits or allocated,
        "pixel_representation": int(layout.signed),
        "pixel_keyword": "PixelData",
    }


def _as_rgb(array_HWC: np.ndarray, layout: PixelLayout) -> np.ndarray:
    if layout.photometric.startswith("YBR_FULL"):
        return convert_color_space(array_HWC, "YBR_FULL", "RGB")
    return array_HWC
