"""Log files to be sent: in pieces, and only the last lines where those are asked for."""

import os
from collections.abc import Iterator
from typing import BinaryIO

STEP = 64 * 1024


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """From here to the end."""
    while piece := file.read(STEP):
        yield piece


def seek_tail(file: BinaryIO, lines: int) -> None:
    """Move to where the last `lines` (from 1) lines begin; to the beginning where there are fewer."""
    at = end = file.seek(0, os.SEEK_END)
    breaks = lines
    while at > 0:
        size = min(STEP, at)
        at -= size
        file.seek(at)
        block = file.read(size)
        if at + size == end and block.endswith(b"\n"):
            breaks += 1  # this one ends the last line, and begins none
        found = block.count(b"\n")
        if found >= breaks:
            place = len(block)
            for _ in range(breaks):
                place = block.rindex(b"\n", 0, place)
            file.seek(at + place + 1)
            return
        breaks -= found
    file.seek(0)
