"""What the head of a compressed frame promises: its size is checked before a decoder written in C sees it."""

from dataclasses import dataclass

from shared.contract.errors import UndecodableImage

_J2K = b"\xff\x4f\xff\x51"
_JP2 = b"\x00\x00\x00\x0cjP  "
_SOFS = {  # by transfer syntax: which frame headers a decoder may meet
    "1.2.840.10008.1.2.4.50": (0xC0,),
    "1.2.840.10008.1.2.4.51": (0xC0, 0xC1),
    "1.2.840.10008.1.2.4.57": (0xC3,),
    "1.2.840.10008.1.2.4.70": (0xC3,),
    "1.2.840.10008.1.2.4.80": (0xF7,),
    "1.2.840.10008.1.2.4.81": (0xF7,),
}
_FRAMES = frozenset((*range(0xC0, 0xD0), 0xF7)) - {0xC4, 0xC8, 0xCC}  # all but DHT, JPG, DAC
_SOS, _LSE = 0xDA, 0xF8
_OVERSIZE = 4  # the LSE that gives a JPEG-LS another size than its frame header
_MAX_SEGMENTS = 1000


@dataclass(frozen=True)
class Codestream:
    """The frame's own header; `bits` is the precision of its samples. JPEG and JPEG-LS know no signs."""

    rows: int
    columns: int
    samples: int
    bits: int
    signed: bool = False

    @property
    def allocated(self) -> int:
        """Bits of the container that decoders put a sample into."""
        return 8 if self.bits <= 8 else 16


class Damaged(ValueError):
    """Not a codestream of that transfer syntax."""


def bare(frame: bytes) -> bytes:
    """A JPEG 2000 codestream out of the file format that some writers leave around it; others as they are."""
    if frame.startswith(_JP2):
        at = frame.find(_J2K, 0, 1 << 16)
        return frame[at:] if at > 0 else frame
    return frame


def read_codestream(frame: bytes, syntax: str, name: str) -> Codestream:
    """The header of a JPEG, JPEG-LS or JPEG 2000 frame. Raises UndecodableImage."""
    try:
        return _jpeg(frame, _SOFS[syntax]) if syntax in _SOFS else _jpeg_2000(frame)
    except (Damaged, IndexError):
        raise UndecodableImage(
            f"{name} is damaged: a compressed frame does not begin as it should."
        ) from None


def _jpeg(frame: bytes, allowed: tuple[int, ...]) -> Codestream:
    """Walk the segments up to the first scan; exactly one frame header may stand there."""
    found: Codestream | None = None
    at = 2
    if frame[:2] != b"\xff\xd8":
        raise Damaged
    for _ in range(_MAX_SEGMENTS):
        while frame[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        marker, length = frame[at + 1], _u16(frame, at + 2)
        if frame[at] != 0xFF or length < 2:
            raise Damaged
        if marker == _SOS:
            break
        body = frame[at + 4 : at + 2 + length]
        if marker in allowed and found is None:
            found = Codestream(_u16(body, 1), _u16(body, 3), body[5], body[0])
        elif marker in _FRAMES or (marker == _LSE and body[:1] == bytes((_OVERSIZE,))):
            raise Damaged
        at += 2 + length
    if found is None or not 2 <= found.bits <= 16:
        raise Damaged
    return found


def _jpeg_2000(frame: bytes) -> Codestream:
    """The SIZ segment (ISO 15444-1, A.5.1): no offset, no subsampling, one precision for all components."""
    if frame[:4] != _J2K:
        raise Damaged
    width, height, left, top = (_u32(frame, at) for at in (8, 12, 16, 20))
    tile_width, tile_height = _u32(frame, 24), _u32(frame, 28)
    samples = _u16(frame, 40)
    components = {frame[42 + 3 * index : 45 + 3 * index] for index in range(min(samples, 4))}
    if left or top or len(components) != 1 or not tile_width or not tile_height:
        raise Damaged
    depth, across, down = components.pop()
    bits = (depth & 0x7F) + 1
    if (across, down) != (1, 1) or bits > 16:
        raise Damaged
    return Codestream(height, width, samples, bits, bool(depth & 0x80))


def _u16(data: bytes, at: int) -> int:
    return data[at] << 8 | data[at + 1]


def _u32(data: bytes, at: int) -> int:
    return _u16(data, at) << 16 | _u16(data, at + 2)
