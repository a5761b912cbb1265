"""Which pictures a model was trained on: a file of digests beside its card, so that nobody tests it on them."""

import base64
import binascii
import json
from collections.abc import Iterable
from pathlib import Path

from shared.contract.errors import ModelUnusable

LEARNED = "learned.json"
# What made them: shared.imaging.datasets.digest.
DIGEST = "blake2b-8"
BYTES = 8
MAX_BYTES = 64 * 1024 * 1024


def write_learned(folder: Path, digests: Iterable[bytes]) -> None:
    """Write `folder`/learned.json: the digests of all pictures that training or the choice of constants saw."""
    joined = b"".join(sorted(set(digests)))
    content = {"digest": DIGEST, "pictures": base64.b64encode(joined).decode()}
    (folder / LEARNED).write_text(json.dumps(content) + "\n", encoding="ascii")


def read_learned(folder: Path) -> frozenset[bytes] | None:
    """The digests; None where the model does not say. Raises ModelUnusable where the file is damaged."""
    path = folder / LEARNED
    return parse_learned(path.read_bytes()) if path.is_file() else None


def parse_learned(data: bytes) -> frozenset[bytes]:
    """The digests of the file's bytes; raises ModelUnusable."""
    try:
        content = json.loads(data) if len(data) <= MAX_BYTES else None
        if not isinstance(content, dict) or content.get("digest") != DIGEST:
            raise ModelUnusable(f"{LEARNED} is not of a kind that is known here.")
        joined = base64.b64decode(str(content.get("pictures")), validate=True)
    except (ValueError, RecursionError, binascii.Error) as error:
        raise ModelUnusable(f"{LEARNED} cannot be read.") from error
    if len(joined) % BYTES:
        raise ModelUnusable(f"{LEARNED} is cut short.")
    return frozenset(joined[place : place + BYTES] for place in range(0, len(joined), BYTES))
