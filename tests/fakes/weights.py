"""Safetensors files by hand, and models in archives made of them: right in all but what the weights are."""

import hashlib
import io
import json
import zipfile
from typing import Any

from shared.registry.cards import Weights
from tests.fakes.cards import card

FEATURES = ("features.mean", "features.whitening", "features.direction")


def safetensors(*names: str) -> bytes:
    """One half precision number for each name."""
    header = {
        name: {"dtype": "F16", "shape": [1], "data_offsets": [2 * n, 2 * n + 2]}
        for n, name in enumerate(names or ("net.weight", *FEATURES))
    }
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(2 * len(header))


def card_document(weights: bytes, id: str = "imported", **changes: Any) -> dict[str, Any]:
    """A card of these weights, as JSON; `changes` replace fields."""
    entry = Weights("weights.safetensors", hashlib.sha256(weights).hexdigest(), "float16", len(weights), 1)
    return {**card(id, weights=entry).to_dict(), **changes}


def archive(card: dict[str, Any] | bytes | None = None, **files: bytes) -> bytes:
    """A zip file that `POST /v1/models` takes; names of further files with `_` for the dot."""
    weights = files.pop("weights", safetensors())
    content = card if isinstance(card, bytes) else json.dumps(card or card_document(weights)).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("card.json", content)
        packed.writestr("weights.safetensors", weights)
        for name, data in files.items():
            packed.writestr(name.replace("_", "."), data)
    return buffer.getvalue()
