"""A model with random weights: everything but right, for tests of what is around it."""

from pathlib import Path

import torch

from shared.ml.checkpoint import build_network, save_weights
from shared.registry.cards import SCHEMA, Calibration, Label, ModelCard

NAME = "stand-in"


def make_model(models_dir: Path, name: str = NAME, seed: int = 0, **changes: object) -> Path:
    """Write `models_dir`/`name` with card.json and weights; `changes` replace fields of the card."""
    torch.manual_seed(seed)
    folder = models_dir / name
    network = build_network("unet", "mobilenet_v2", in_channels=3, classes=1)
    features = {
        "mean": torch.zeros(1),
        "whitening": torch.eye(_features(network), 4),
        "direction": torch.zeros(4),
    }
    weights = save_weights(folder, network, features)
    fields: dict[str, object] = {
        "schema": SCHEMA,
        "id": name,
        "name": name,
        "version": "1",
        "description": "Random weights.",
        "architecture": "unet",
        "encoder": "mobilenet_v2",
        "network": {},
        "in_channels": 3,
        "classes": 1,
        "labels": [Label(1, "tumour")],
        "preprocessing": {"channels": 3, "image_size": 256, "normalization": "percentile"},
        "threshold": 0.5,
        "min_region_pixels": 4,
        "test_time_augmentation": [],
        "calibration": Calibration(1.0, 0.0),
        "unlike": {"limits": [1e9, 1e9]},
        "metrics": {},
        "provenance": {},
        "licence": "none",
        "intended_use": "tests",
        "not_for": "anything else",
        "weights": weights,
    }
    ModelCard(**{**fields, **changes}).dump(folder / "card.json")  # type: ignore[arg-type]
    return folder


def _features(network: torch.nn.Module) -> int:
    """The number of pooled encoder features."""
    with torch.inference_mode():
        _, features_BF = network.eval().logits_and_features(torch.zeros(1, 3, 64, 64))  # type: ignore[operator]
    return int(features_BF.shape[1])
