"""Multipart forms by hand: werkzeug's test client leaves large ones open on the disk."""

from typing import Any

PATIENT = "Doe^Jane_1970-01-01"
FORM = "multipart/form-data; boundary=x"


def form(**fields: Any) -> bytes:
    """Fields of bytes or lists of bytes are files, called like a patient."""
    body = b""
    for name, value in fields.items():
        if isinstance(value, str):
            body += _part(f'name="{name}"', value.encode())
            continue
        for content in value if isinstance(value, list) else [value]:
            body += _part(f'name="{name}"; filename="{PATIENT}.dcm"', content)
    return body + b"--x--\r\n"


def _part(head: str, content: bytes) -> bytes:
    return f"--x\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
