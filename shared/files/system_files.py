"""What operating systems leave beside people's files: never meant to be sent, left out wherever files are listed."""

_NAMES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "autorun.inf", "__macosx", "$recycle.bin", "system volume information"}
)
_CONTENTS = (
    b"\x00\x05\x16\x07",  # AppleDouble: ._NAME beside NAME
    b"\x00\x05\x16\x00",  # AppleSingle
    b"\x00\x00\x00\x01Bud1",  # .DS_Store
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",  # Thumbs.db
    b"[.ShellClassInfo]", b"\r\n[.ShellClassInfo]", b"\xff\xfe[\x00.\x00S\x00h\x00e\x00l\x00l\x00",  # desktop.ini
    b"[ViewState]", b"\r\n[ViewState]",
    b"[autorun]", b"[AutoRun]", b"[Autorun]",
)  # fmt: skip


def is_system_path(path: str) -> bool:
    """Whether a file, told by its path with forward slashes, is hidden or a system's own (or lies in such a folder)."""
    return any(part.startswith(".") or part.lower() in _NAMES for part in path.split("/"))


def is_system_file(head: bytes) -> bool:
    """The same told by the first bytes, where a file has no name."""
    return head.startswith(_CONTENTS)
