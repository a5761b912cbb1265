"""The pages' own files: their address changes with their content, so that browsers keep them and never mix versions."""

import gzip
import hashlib
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "static"
MODULES = FOLDER / "js"
_IMPORT = re.compile(r'^import\s[^;]*?from "(\.[^"]+)";', re.MULTILINE)
PACKED = frozenset(
    {".js", ".css", ".svg"}
)  # they say nothing of anybody, so how well they pack tells nothing
KEEP_S = 31_536_000  # a year: what is under a fingerprint never changes


def fingerprint(folder: Path = FOLDER) -> str:
    """Twelve hexadecimal digits that follow from the names and the content of all files in the folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


@cache
def imported_by(module: str) -> tuple[str, ...]:
    """All modules of static/js that a module loads, directly or not, so that a page can ask for them at once.

    A browser that finds them one in the other waits for the network once for each level.
    """
    found: set[str] = set()
    waiting = [MODULES / module]
    while waiting:
        file = waiting.pop()
        for path in _IMPORT.findall(file.read_text(encoding="utf-8")):
            other = (file.parent / path).resolve()
            name = other.relative_to(MODULES).as_posix()
            if name not in found:
                found.add(name)
                waiting.append(other)
    return tuple(sorted(found))


@cache
def gzipped(name: str) -> bytes:
    """A file of the folder, packed once; four times smaller, which a slow network shows."""
    return gzip.compress((FOLDER / name).read_bytes(), mtime=0)
