"""Weights as safetensors beside a card that says what they are: written by training, read by every engine."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from shared import catalog
from shared.contract.errors import InvalidFields, ModelUnusable
from shared.ml.models.network import SegmentationNetwork
from shared.ml.predict import Predictor, Strangeness
from shared.registry.cards import ModelCard, Weights

WEIGHTS = "weights.safetensors"
FEATURE_PREFIX = "features."
NO_OPTIONS: Mapping[str, float] = MappingProxyType({})


def build_network(
    architecture: str,
    encoder: str | None,
    in_channels: int,
    classes: int,
    options: Mapping[str, float] = NO_OPTIONS,
) -> SegmentationNetwork:
    """The named network with random weights. Raises InvalidFields.

    `classes` counts those of tumour: one logit for one, and one more than classes, for the background, for several.
    `options` are the table's; numbers from JSON may be 16.0 where 16 is meant.
    """
    problems = {
        place: [message] for place, message in catalog.wrong_architecture(architecture, encoder, options)
    }
    if problems:
        raise InvalidFields(errors=problems)
    entry = catalog.MODELS[architecture]
    chosen = {name: int(value) if entry.options[name].whole else value for name, value in options.items()}
    over = {"encoder": encoder} if entry.encoders else {}
    outputs = 1 if classes == 1 else classes + 1
    builder = catalog.load(catalog.MODELS, architecture, "architecture")
    return builder(in_channels=in_channels, classes=outputs, **over, **chosen)


def save_tensors(
    path: Path, tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a safetensors file whole or not at all."""
    part = path.with_suffix(".part")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, part, metadata)
    part.replace(path)


def load_tensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """All tensors of a safetensors file, and its metadata."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in sorted(file.keys())}, dict(file.metadata() or {})


def save_weights(folder: Path, network: SegmentationNetwork, features: dict[str, torch.Tensor]) -> Weights:
    """Write `folder`/weights.safetensors in half precision; returns the card's `weights` entry."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: _half(tensor) for name, tensor in network.state_dict().items()}
    # Whitening divides by small deviations: half precision would not carry it.
    state |= {FEATURE_PREFIX + name: tensor.float() for name, tensor in features.items()}
    save_tensors(folder / WEIGHTS, state)
    path = folder / WEIGHTS
    parameters = sum(p.numel() for p in network.parameters())
    return Weights(WEIGHTS, sha256(path), "float16", path.stat().st_size, parameters)


def load_network(folder: Path) -> tuple[SegmentationNetwork, dict[str, torch.Tensor], ModelCard]:
    """The network in fp32 with its weights, the feature tensors, and the card. Raises ModelUnusable."""
    card = ModelCard.load(folder / "card.json")
    path = folder / card.weights.file
    if not path.is_file() or sha256(path) != card.weights.sha256:
        raise ModelUnusable(f"the weights of model {card.id} are missing or do not match the card's SHA-256")
    network = build_network(card.architecture, card.encoder, card.in_channels, card.classes, card.network)
    tensors, _ = load_tensors(path)
    features = {n.removeprefix(FEATURE_PREFIX): t for n, t in tensors.items() if n.startswith(FEATURE_PREFIX)}
    state = {n: t for n, t in tensors.items() if not n.startswith(FEATURE_PREFIX)}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelUnusable(f"the weights of model {card.id} do not fit its card: {error!s:.300}") from error
    return network.float().eval(), features, card


def load_model(folder: Path, flips: tuple[str, ...] | None = None) -> tuple[Predictor, ModelCard]:
    """The model as it is served, in fp32 on the CPU, in eval mode; `flips` instead of the card's."""
    network, features, card = load_network(folder)
    predictor = Predictor(
        network,
        tuple(card.test_time_augmentation) if flips is None else flips,
        card.calibration.scale,
        card.calibration.bias,
        Strangeness(features["mean"], features["whitening"], features["direction"]) if features else None,
    )
    return predictor.eval(), card


def sha256(path: Path) -> str:
    """Hex digest of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _half(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.half() if tensor.is_floating_point() else tensor
