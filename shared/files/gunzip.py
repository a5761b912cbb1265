"""A file's content read from its beginning, gzipped or not, and never more of it than was asked for."""

import mmap
import zlib

from shared.contract.errors import UndecodableImage

_STEP = 1 << 20
# What zlib has not used of a piece it copies: at each step, and at the end of each member.
_PIECE = 1 << 16
_MAX_MEMBERS = 10_000  # bgzip makes one of each 64 KiB
Content = bytes | mmap.mmap


def is_gzip(data: Content) -> bool:
    """By the magic bytes."""
    return data[:2] == b"\x1f\x8b"


class Plain:
    """Bytes as they are."""

    def __init__(self, data: Content) -> None:
        self._data, self._at = memoryview(data), 0

    def head(self, count: int) -> bytes:
        """The first `count` bytes, or as many as there are; before anything is taken."""
        return bytes(self._data[:count])

    def skip(self, count: int) -> None:
        """Go on after the next `count` bytes."""
        self._at += count

    def take(self, count: int) -> memoryview:
        """The next `count` bytes, or as many as are left."""
        taken = self._data[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def left(self, slack: int) -> bool:
        """Whether more than `slack` bytes follow what was taken."""
        return len(self._data) > self._at + slack


class Unzipped:
    """A gzip stream, of one or several members, that is inflated as far as somebody looks. Raises UndecodableImage."""

    def __init__(self, data: Content) -> None:
        self._packed = memoryview(data)
        self._inflate = zlib.decompressobj(wbits=31)
        self._content = bytearray()  # inflated and not taken yet
        self._members, self._over = 1, False

    def head(self, count: int) -> bytes:
        """The first `count` bytes, or as many as there are; before anything is taken."""
        self._fill(count)
        return bytes(self._content[:count])

    def skip(self, count: int) -> None:
        """Go on after the next `count` bytes."""
        while count > 0 and (passed := len(self.take(min(count, _STEP)))):
            count -= passed

    def take(self, count: int) -> memoryview:
        """The next `count` bytes, or as many as are left; what was taken is kept no longer."""
        self._fill(count)
        taken, self._content = self._content, self._content[count:]
        return memoryview(taken)[:count]

    def left(self, slack: int) -> bool:
        """Whether more than `slack` bytes follow what was taken; to the end, so that the checksum is proved."""
        more = len(self._content)
        while more <= slack and not self._over:
            more += len(self._next(slack + 1))
        return more > slack

    def _fill(self, count: int) -> None:
        while len(self._content) < count and not self._over:
            self._content += self._next(min(_STEP, count - len(self._content)))

    def _next(self, most: int) -> bytes:
        """At least a byte, unless the stream is over."""
        while not self._over:
            try:
                piece = self._inflate.decompress(self._packed[:_PIECE], most)
            except zlib.error:
                raise UndecodableImage("The gzip file is damaged and cannot be unpacked.") from None
            rest = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
            self._packed = self._packed[min(_PIECE, len(self._packed)) - len(rest) :]
            if self._inflate.eof:
                self._next_member()
            elif not piece and not self._packed:
                raise UndecodableImage("The gzip file is cut short.")
            if piece:
                return piece
        return b""

    def _next_member(self) -> None:
        if is_gzip(self._packed[:2].tobytes()):
            self._members += 1
            if self._members > _MAX_MEMBERS:
                raise UndecodableImage(
                    f"The gzip file has more than {_MAX_MEMBERS:,} members; pack it in one piece."
                )
            self._inflate = zlib.decompressobj(wbits=31)
        else:  # padding with zeros is usual, and gzip itself passes over anything else
            self._over = True
