"""Names as people see them: a letter with its accent is one sign in one zip and two in another (Mac)."""

import unicodedata
from pathlib import PurePosixPath


def spelled(name: str) -> str:
    """In the composed form (Unicode NFC), to compare by; files are opened by what they are called."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def spelled_path(path: PurePosixPath) -> PurePosixPath:
    """All parts of a path so."""
    return PurePosixPath(spelled(str(path)))
