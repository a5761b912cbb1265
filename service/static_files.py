"""The pages' own files: their address changes with their content, so that browsers keep them and never mix versions."""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "static"
KEEP_S = 31_536_000  # a year: what is under a fingerprint never changes


def fingerprint(folder: Path = FOLDER) -> str:
    """Twelve hexadecimal digits that follow from the names and the content of all files in the folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
