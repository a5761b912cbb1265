"""Weights that were trained elsewhere (.pth) under the names of our networks; nothing in the file is run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from shared.contract.errors import ModelUnusable
from shared.ml.models.network import SegmentationNetwork

# Where trainers put the weights in a checkpoint, and what wrappers put before their names.
_PLACES = ("state_dict", "model_state_dict", "model", "net")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_SHOWN = 10

State = dict[str, torch.Tensor]


def read_state_dict(path: Path) -> State:
    """The tensors of a checkpoint by name, on the CPU. ModelUnusable where it holds more than data, or less."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch, pickle and zipfile each have their own
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelUnusable(
            f"{path.name} cannot be read as weights (what would run code is not loaded): {reason}"
        ) from error
    return _tensors(content, path.name)


def fill(network: SegmentationNetwork, state: State) -> None:
    """Load the weights, whatever common prefix their names have. ModelUnusable names what does not fit."""
    expected = network.state_dict()
    ours = dict(zip(_bare(expected), expected, strict=True))
    theirs = dict(zip(_bare(state), state.values(), strict=True))
    shapes = [
        f"{name} is {tuple(theirs[name].shape)} and must be {tuple(expected[ours[name]].shape)}"
        for name in ours
        if name in theirs and theirs[name].shape != expected[ours[name]].shape
    ]
    problems = [
        _listed("missing", ours.keys() - theirs.keys()),
        _listed("not of this network", theirs.keys() - ours.keys()),
        _listed("of another shape", shapes),
        _listed("beyond half precision, or no numbers", (n for n, t in theirs.items() if not _fits_half(t))),
    ]
    if any(problems):
        raise ModelUnusable("The weights do not fit: " + "; ".join(filter(None, problems)))
    network.load_state_dict({name: theirs[bare] for bare, name in ours.items()})


def _tensors(content: Any, name: str) -> State:
    """The innermost of `state_dict` and the like."""
    while isinstance(content, dict):
        if content and all(isinstance(value, torch.Tensor) for value in content.values()):
            return {str(key): tensor for key, tensor in content.items()}
        content = next((content[place] for place in _PLACES if place in content), None)
    raise ModelUnusable(
        f"{name} holds no weights by name, neither by itself nor under {', '.join(_PLACES)}; save "
        "`network.state_dict()`"
    )


def _bare(names: Iterable[str]) -> list[str]:
    """The names without the prefixes that all of them have."""
    bare = list(names)
    while prefix := next((p for p in _PREFIXES if all(name.startswith(p) for name in bare)), None):
        bare = [name.removeprefix(prefix) for name in bare]
    return bare


def _fits_half(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.half().isfinite().all())


def _listed(what: str, names: Iterable[str]) -> str | None:
    found = sorted(names)
    if not found:
        return None
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{what}: {', '.join(found[:_SHOWN])}{more}"
