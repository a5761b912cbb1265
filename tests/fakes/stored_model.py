"""A registered model in a file store, with weights that nobody can run."""

import hashlib
import json

from shared.database.models import Models, StoredModel
from shared.files.store import FileStore
from shared.registry.cards import ModelCard, Weights
from tests.fakes.cards import card

WEIGHTS = b"weights that nobody can run"


def stored_card(id: str = "imported", weights: bytes = WEIGHTS, **changes: object) -> ModelCard:
    """A card of these weights."""
    digest = hashlib.sha256(weights).hexdigest()
    return card(id, weights=Weights("weights.safetensors", digest, "float16", len(weights), 1), **changes)


def store_model(files: FileStore, models: Models, id: str = "imported", **changes: object) -> StoredModel:
    """Write the model's files and register it at `models/ID.7`."""
    made = stored_card(id, **changes)
    location = f"models/{id}.7"
    files.write(f"{location}/card.json", json.dumps(made.to_dict()).encode())
    files.write(f"{location}/weights.safetensors", WEIGHTS)
    return models.register(made, location)
