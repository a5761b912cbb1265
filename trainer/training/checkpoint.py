"""A run's whole state in one safetensors file that says of itself what it is: resuming needs nothing else."""

import json
from pathlib import Path
from typing import Any

import torch

from shared.ml.checkpoint import load_tensors, save_tensors
from shared.recipe import recipe_from
from trainer.training.loop import State

VERSION = "2"


def save(
    path: Path, state: State, recipe: dict[str, Any], history: list[dict[str, Any]], origin: str
) -> None:
    """Write network, average, optimizer and counters, whole or not at all."""
    tensors = {f"network.{name}": t for name, t in state.network.state_dict().items()}
    tensors |= {f"ema.{name}": t for name, t in state.ema.network.state_dict().items()}
    for number, values in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(value) for name, value in values.items()}
    # Networks may share storage between names; safetensors wants each on its own.
    tensors = {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}
    about = {
        "version": VERSION,
        "recipe": recipe,
        "epoch": state.epoch,
        "step": state.step,
        "loss_sum": state.loss_sum,
        "seconds": state.seconds,
        "history": history,
        "origin": origin,
    }
    save_tensors(path, tensors, {"checkpoint": json.dumps(about)})


def load(path: Path, state: State, recipe: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Bring `state` to where the file left off; returns the history and where the first weights came from.

    Raises ValueError for another recipe's.
    """
    tensors, metadata = load_tensors(path)
    about = json.loads(metadata["checkpoint"])
    # Read again, so that what a later release has added has its default.
    if (
        recipe_from({"name": "-", **about["recipe"]}).identity()
        != recipe_from({"name": "-", **recipe}).identity()
    ):
        raise ValueError("the checkpoint in the output folder is of another recipe: choose another folder")
    state.network.load_state_dict(_part(tensors, "network."))
    state.ema.network.load_state_dict(_part(tensors, "ema."))
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _part(tensors, "optimizer.").items():
        number, key = name.split(".", 1)
        moments.setdefault(int(number), {})[key] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    state.epoch, state.step = about["epoch"], about["step"]
    state.loss_sum, state.seconds = about["loss_sum"], about["seconds"]
    history = list(about["history"])
    state.validation_losses = [entry["validation_loss"] for entry in history if "validation_loss" in entry]
    return history, str(about["origin"])


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
