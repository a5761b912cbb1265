"""A card that is right, to be changed by tests."""

from typing import Any


def card_fields(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "schema": 1,
        "id": "lgg-unet",
        "name": "LGG U-Net",
        "version": "1.0.0",
        "description": "Finds lower-grade glioma in MRI slices.",
        "architecture": "unet",
        "encoder": "mobilenet_v2",
        "network": {"decoder_channels": [256, 128, 64, 32, 16]},
        "in_channels": 3,
        "classes": 1,
        "labels": [{"value": 1, "name": "tumour"}],
        "preprocessing": {"channels": ["t1", "flair", "t1ce"], "image_size": 256},
        "threshold": 0.5,
        "min_region_pixels": 12,
        "test_time_augmentation": ["identity", "flip"],
        "calibration": {"scale": 1.0, "bias": 0.0},
        "unlike": {},
        "metrics": {"dice": {"mean": 0.9, "ci95": [0.88, 0.92]}},
        "provenance": {"seed": 1},
        "licence": "Apache-2.0",
        "intended_use": "Research.",
        "not_for": "Diagnosis.",
        "weights": {
            "file": "weights.safetensors",
            "sha256": "a" * 64,
            "dtype": "F16",
            "bytes": 1,
            "parameters": 1,
        },
        "channels": ["t1", "flair", "t1ce"],
    }
    return {**fields, **changes}
