"""Which format a file has, told by its content and never by its name."""

import codecs
import zlib

HEAD_BYTES = 4096  # enough for every rule below

# (offset, magic bytes, name); the first that fits wins.
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (128, b"DICM", "DICOM"),  # before TIFF: some DICOM files have its header in their preamble (PS3.10, 7.1)
    (0, b"II*\x00", "TIFF"),
    (0, b"MM\x00*", "TIFF"),
    (0, b"II+\x00", "TIFF"),  # BigTIFF
    (0, b"MM\x00+", "TIFF"),
    (344, b"n+1\x00", "NIfTI"),
    (344, b"ni1\x00", "NIfTI"),
    (4, b"n+2\x00", "NIfTI"),
    (4, b"ni2\x00", "NIfTI"),
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WebP"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"PK\x05\x06", "ZIP"),
    (0, b"%PDF", "PDF"),
    (4, b"ftypheic", "HEIC"),
    (4, b"ftypheix", "HEIC"),
    (4, b"ftyphevc", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyp", "MP4"),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JPEG XL"),
    (0, b"NRRD000", "NRRD"),
    (0, b"ObjectType", "MetaImage"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"MATLAB 5.0 MAT-file", "MATLAB"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"8BPS", "Photoshop"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (257, b"ustar", "tar"),
    (0, b"\x7fELF", "program"),
    (0, b"MZ\x90\x00", "program"),
)
# Beginnings of files that systems run: Windows, Linux, macOS (one or several machines, either byte order), scripts. The
# first 128 bytes of a DICOM file may be anything, these too (PS3.10, 7.5).
PROGRAMS = (
    b"MZ", b"\x7fELF", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf", b"\xbe\xba\xfe\xca", b"\xbf\xba\xfe\xca", b"#!",
)  # fmt: skip
# Explicit value representations that a DICOM file without preamble may begin with (PS3.5, 6.2).
_DICOM_VR = frozenset((b"UL", b"OB", b"UI", b"CS", b"SH", b"LO", b"DA", b"TM", b"DT", b"IS", b"US", b"AE"))


def sniff(head: bytes) -> str:
    """The first bytes of a file (HEAD_BYTES of them do) -> "PNG", "DICOM", "text", ...; "empty" or "unknown"."""
    if not head:
        return "empty"
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return name
    if head.startswith(b"\x1f\x8b"):
        return _sniff_gzip(head)
    if _is_bmp(head):
        return "BMP"
    if _is_dicom_without_preamble(head):
        return "DICOM"
    return "text" if _is_text(head) else "unknown"


def _sniff_gzip(head: bytes) -> str:
    """A look at the first 512 bytes inside: a bounded inflate, whatever the stream would grow to."""
    try:
        inside = zlib.decompressobj(wbits=31).decompress(head, 512)
    except zlib.error:
        return "gzip"
    return "NIfTI" if inside and sniff(inside) == "NIfTI" else "gzip"


def _is_bmp(head: bytes) -> bool:
    """`BM` alone begins many a text: the reserved words of the header are zero and the info header has a known size."""
    return head.startswith(b"BM") and head[6:10] == bytes(4) and head[14:18] in (
        b"\x0c\0\0\0", b"\x28\0\0\0", b"\x34\0\0\0", b"\x38\0\0\0", b"\x6c\0\0\0", b"\x7c\0\0\0"
    )  # fmt: skip


def _is_dicom_without_preamble(head: bytes) -> bool:
    """Begins with an element of group 0002 or 0008 (little endian), explicit or implicit."""
    if len(head) < 8 or head[0:2] not in (b"\x02\x00", b"\x08\x00"):
        return False
    element = int.from_bytes(head[2:4], "little")
    if head[4:6] in _DICOM_VR:
        return True
    length = int.from_bytes(head[4:8], "little")
    return element <= 0x0070 and length % 2 == 0 and length <= 256


def _is_text(head: bytes) -> bool:
    """UTF-8 (cut anywhere), UTF-16 with its mark, or an older one-byte encoding: nothing but signs people write."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    control = sum(head.count(bytes((value,))) for value in range(32) if value not in b"\t\n\r\f\x1b")
    if control or b"\x7f" in head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return sum(byte >= 0x80 for byte in head) <= len(head) * 0.3
    return True
