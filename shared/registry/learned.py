"""Which pictures a model was trained on: a file of digests beside its card, so that nobody tests it on them."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from shared.contract.errors import ModelUnusable

LEARNED = "learned.json"
# What made them: shared.datasets.digest, of each channel.
DIGEST = "blake2b-8"
BYTES = 8
MAX_BYTES = 16 * 1024 * 1024  # 1.5 million digests


class Learned:
    """A set of digests, in 8 bytes each: a dictionary of them would take twenty times as much."""

    def __init__(self, digests: Iterable[bytes] = (), *, joined: bytes = b"") -> None:
        self._keys = np.unique(np.frombuffer(b"".join(digests) + joined, ">u8"))

    def __contains__(self, digest: bytes) -> bool:
        place = int(np.searchsorted(self._keys, key := np.frombuffer(digest, ">u8")[0]))
        return place < len(self._keys) and bool(self._keys[place] == key)

    def __len__(self) -> int:
        return len(self._keys)

    def joined(self) -> bytes:
        """All of them, one after the other."""
        return self._keys.tobytes()


def write_learned(folder: Path, learned: Learned) -> None:
    """Write `folder`/learned.json: the digests of all pictures that training or the choice of constants saw."""
    content = {"digest": DIGEST, "pictures": base64.b64encode(learned.joined()).decode()}
    (folder / LEARNED).write_text(json.dumps(content) + "\n", encoding="ascii")


def read_learned(folder: Path) -> Learned | None:
    """The digests; None where the model does not say. Raises ModelUnusable where the file is damaged."""
    path = folder / LEARNED
    return parse_learned(path.read_bytes()) if path.is_file() else None


def parse_learned(data: bytes) -> Learned:
    """The digests of the file's bytes; raises ModelUnusable."""
    try:
        content = json.loads(data) if len(data) <= MAX_BYTES else None
        if not isinstance(content, dict) or content.get("digest") != DIGEST:
            raise ModelUnusable(f"{LEARNED} is not of a kind that is known here, or too long.")
        joined = base64.b64decode(str(content.get("pictures")), validate=True)
    except (ValueError, RecursionError) as error:
        raise ModelUnusable(f"{LEARNED} cannot be read.") from error
    if len(joined) % BYTES:
        raise ModelUnusable(f"{LEARNED} is cut short.")
    return Learned(joined=joined)
