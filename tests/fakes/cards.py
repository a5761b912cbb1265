"""Model cards without weights, for tests that load no network."""

from shared.registry.cards import SCHEMA, Calibration, Label, ModelCard, Weights


def card(id: str = "lgg-unet", **changes: object) -> ModelCard:
    """A valid card; `changes` replace fields."""
    fields: dict[str, object] = {
        "schema": SCHEMA,
        "id": id,
        "name": id,
        "version": "1",
        "description": "A card for tests.",
        "architecture": "unet",
        "encoder": "mobilenet_v2",
        "network": {},
        "in_channels": 3,
        "classes": 1,
        "labels": [Label(1, "tumour")],
        "preprocessing": {"channels": 3, "image_size": 256},
        "threshold": 0.5,
        "min_region_pixels": 4,
        "test_time_augmentation": [],
        "calibration": Calibration(1.0, 0.0),
        "unlike": {},
        "metrics": {"dice": 0.9},
        "provenance": {"dataset": "none"},
        "licence": "none",
        "intended_use": "tests",
        "not_for": "anything else",
        "weights": Weights("weights.safetensors", "0" * 64, "float16", 1, 1),
    }
    return ModelCard(**{**fields, **changes})  # type: ignore[arg-type]
